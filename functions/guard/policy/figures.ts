import type { Entry, Mark, Stretch } from '../model/entry.ts';
import type { Figures } from '../model/event.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { isAhead } from '../model/lease.ts';
import type { LedgerView } from '../ports.ts';
import { HOUR_MS, isLater, latest, minutesBetween } from '../text/time.ts';
import type { EffectivePolicy } from './effective-policy.ts';

/** What is counted: rules 1 to 4 as numbers, and what a record says about changes. */

/** Whether a delivery has succeeded since the mark was taken: the count fell, or `last_delivery_at` moved on. */
export function deliveredSince(record: IntegrationRecord, mark: Pick<Mark, 'count' | 'lastDeliveryAt'>): boolean {
  return record.delivery_error_count < mark.count || isLater(record.last_delivery_at, mark.lastDeliveryAt);
}

/** Rule 1: the API's count survives a re-activation, so it counts from the mark until a delivery has succeeded since. */
export function freshErrorsOf(record: IntegrationRecord, mark: Mark): number {
  return record.delivery_error_count - baselineOf(record, mark);
}

function baselineOf(record: IntegrationRecord, mark: Mark): number {
  return deliveredSince(record, mark) ? 0 : mark.count;
}

/** The latest of the last delivery (or the creation, when there was none) and the activation we saw. */
export function failingSince(record: IntegrationRecord, mark: Mark): string {
  return latest(record.last_delivery_at ?? record.created_at, mark.activatedAt);
}

/** Fewer failures in a row are no stretch … */
const STRETCH_ERRORS = 3;
/** … but where attempts are rare each one is: the last delivery lies so long before the failure. */
const RARE_MS = HOUR_MS;

/**
 * Rule 2: the failures that this pass sees, and since when passes have seen them. Silence does not lengthen a stretch, because
 * it ends with the last failure. It never begins before a pass saw it, except in the first look at a project: there the record
 * says since when.
 * @returns null without failures; the same object while the stretch goes on
 */
export function sampleStretch(
  record: IntegrationRecord,
  mark: Mark,
  known: Stretch | null,
  { now, firstLook }: { readonly now: string; readonly firstLook: boolean },
): Stretch | null {
  const freshErrors = freshErrorsOf(record, mark);
  if (freshErrors === 0) return null;
  if (known !== null && !deliveredSince(record, known)) {
    const last = latest(now, record.last_error_at);
    // A beginning that is still to come is from a clock that was wrong.
    return isAhead(known.since, last) ? { ...known, since: last } : known;
  }
  const { last_error_at: lastErrorAt, last_delivery_at: lastDeliveryAt, delivery_error_count: count } = record;
  const begin = failingSince(record, mark);
  const isRare = lastErrorAt !== null && Date.parse(lastErrorAt) - Date.parse(begin) >= RARE_MS;
  if (freshErrors < STRETCH_ERRORS && !isRare) return null;
  // The later of two clocks, so that neither can lengthen the span.
  return { since: firstLook ? begin : latest(now, lastErrorAt), count, lastDeliveryAt };
}

/** What rules 1 to 4 make of one record. */
export interface Assessment {
  readonly figures: Figures;
  /** The limits of rule 3 are reached, or those of rule 4. */
  readonly overLimits: boolean;
  readonly overWarning: boolean;
  /** Which of the two reached its limit of time; rule 4 counts for integrations with few events. */
  readonly lowTraffic: boolean;
}

export function assess(
  record: IntegrationRecord,
  { state: { mark }, stretch }: Pick<Entry, 'state' | 'stretch'>,
  policy: EffectivePolicy,
): Assessment {
  const freshErrors = freshErrorsOf(record, mark);
  const { last_error_at: lastErrorAt } = record;
  const failingMinutes = stretch === null || lastErrorAt === null ? 0 : minutesBetween(stretch.since, lastErrorAt);
  const { errorThreshold, warnThreshold, failingForMinutes, lowTraffic } = policy;
  const isRare = (errors: number, hours: number) => freshErrors >= errors && failingMinutes >= hours * 60;
  const rareOver = lowTraffic !== 'off' && isRare(lowTraffic.errors, lowTraffic.pauseAfterHours);
  const rareWarning = lowTraffic !== 'off' && isRare(Math.ceil(lowTraffic.errors / 2), lowTraffic.warnAfterHours);
  const over = freshErrors >= errorThreshold && failingMinutes >= failingForMinutes;
  // A warning after half of both limits: what heals within minutes is no news to people.
  const warning = warnThreshold > 0 && freshErrors >= warnThreshold && failingMinutes >= failingForMinutes / 2;
  return {
    figures: {
      freshErrors,
      baseline: baselineOf(record, mark),
      errorThreshold,
      warnThreshold,
      failingSince: failingSince(record, mark),
      failingMinutes,
      failingForMinutes,
    },
    overLimits: over || rareOver,
    overWarning: warning || rareWarning,
    lowTraffic: over ? false : rareOver || (!warning && rareWarning),
  };
}

/** A delivery attempt so many whole minutes after a change is certainly not what moved `updated_at`. */
const CLEARLY_LATER_MINUTES = 2;

/**
 * Whether `updated_at` is the moment an integration was last changed. The API does not promise it, so it has to be shown:
 * by records that have had a success, and records that have had a failure, since `updated_at`. A ledger that holds such a
 * moment was written by a pass that had seen it shown.
 */
export function showsChangeTimes(records: readonly IntegrationRecord[], view: LedgerView | null = null): boolean {
  const unmoved = (kind: 'last_delivery_at' | 'last_error_at') =>
    records.some(({ updated_at, [kind]: attempt }) => {
      return attempt !== null && minutesBetween(updated_at, attempt) >= CLEARLY_LATER_MINUTES;
    });
  if (unmoved('last_delivery_at') && unmoved('last_error_at')) return true;
  return [...(view?.integrations.values() ?? [])].some(({ entry }) => entry.state.mark.changedAt !== null);
}
