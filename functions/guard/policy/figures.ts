import type { Entry, Mark, Stretch } from '../model/entry.ts';
import type { Figures } from '../model/event.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { isAhead } from '../model/lease.ts';
import type { LedgerView } from '../ports.ts';
import { HOUR_MS, isLater, latest, minutesBetween } from '../text/time.ts';
import type { EffectivePolicy } from './effective-policy.ts';

/** The numbers of rules 1 to 4, and whether records show when they were changed. */

/** Whether a delivery has succeeded since the mark was taken: the count fell, or `last_delivery_at` is later. */
export function deliveredSince(record: IntegrationRecord, mark: Pick<Mark, 'count' | 'lastDeliveryAt'>): boolean {
  return record.delivery_error_count < mark.count || isLater(record.last_delivery_at, mark.lastDeliveryAt);
}

/** Rule 1: resuming does not reset the API's count, so failures count from the mark until a delivery succeeds. */
export function freshErrorsOf(record: IntegrationRecord, mark: Mark): number {
  return record.delivery_error_count - baselineOf(record, mark);
}

function baselineOf(record: IntegrationRecord, mark: Mark): number {
  return deliveredSince(record, mark) ? 0 : mark.count;
}

/** The last delivery (without one, the creation), or the activation that a pass saw if that is later. */
export function failingSince(record: IntegrationRecord, mark: Mark): string {
  return latest(record.last_delivery_at ?? record.created_at, mark.activatedAt);
}

/** A stretch begins at this number of failures in a row … */
const STRETCH_ERRORS = 3;
/** … or at the first failure if the last delivery was this long before it, since attempts are rare then. */
const RARE_MS = HOUR_MS;

/**
 * Rule 2: the stretch of failures that this pass sees, and its beginning. Silence does not lengthen a stretch, because it ends with
 * the last failure. It begins when a pass first sees it. Only in the first pass over a project does the record say when it began.
 * @returns null without failures; the same object while the stretch continues
 */
export function sampleStretch(
  record: IntegrationRecord,
  mark: Mark,
  known: Stretch | null,
  { now, isFirstPass }: { readonly now: string; readonly isFirstPass: boolean },
): Stretch | null {
  const freshErrors = freshErrorsOf(record, mark);
  if (freshErrors === 0) return null;
  if (known !== null && !deliveredSince(record, known)) {
    const last = latest(now, record.last_error_at);
    // A beginning in the future comes from a wrong clock.
    return isAhead(known.since, last) ? { ...known, since: last } : known;
  }
  const { last_error_at: lastErrorAt, last_delivery_at: lastDeliveryAt, delivery_error_count: count } = record;
  const begin = failingSince(record, mark);
  const isRare = lastErrorAt !== null && Date.parse(lastErrorAt) - Date.parse(begin) >= RARE_MS;
  if (freshErrors < STRETCH_ERRORS && !isRare) return null;
  // The later of two clocks, so that neither can lengthen the span.
  return { since: isFirstPass ? begin : latest(now, lastErrorAt), count, lastDeliveryAt };
}

/** The result of rules 1 to 4 for one record. */
export interface Assessment {
  readonly figures: Figures;
  /** Whether the limits of rule 3 or rule 4 are reached. */
  readonly overLimits: boolean;
  readonly overWarning: boolean;
  /** Whether the limits of rule 4 were reached (integrations with few events), and not those of rule 3. */
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
  // A warning after half of both limits, so that failures which end within minutes alert no one.
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

/** A delivery attempt at least this long after `updated_at` did not set it. */
const CLEARLY_LATER_MINUTES = 2;

/**
 * Whether `updated_at` is the time of an integration's last change. The API does not document it, so records must show it: one with
 * a later delivery and one with a later failure. A ledger that has a time of change was written by a pass that saw such records.
 */
export function showsChangeTimes(records: readonly IntegrationRecord[], view: LedgerView | null = null): boolean {
  const hasLater = (kind: 'last_delivery_at' | 'last_error_at') =>
    records.some(({ updated_at, [kind]: attempt }) => {
      return attempt !== null && minutesBetween(updated_at, attempt) >= CLEARLY_LATER_MINUTES;
    });
  if (hasLater('last_delivery_at') && hasLater('last_error_at')) return true;
  return [...(view?.integrations.values() ?? [])].some(({ entry }) => entry.state.mark.changedAt !== null);
}
