import type { Mark } from '../model/entry.ts';
import type { Figures } from '../model/event.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import type { LedgerView } from '../ports.ts';
import { isLater, latest, minutesBetween } from '../text/time.ts';
import type { EffectivePolicy } from './effective-policy.ts';

/** What is counted: rules 1 and 2 as numbers, and what a record says about changes. */

/** Whether a delivery has succeeded since the mark was taken: the count fell, or `last_delivery_at` moved on. */
export function deliveredSince(record: IntegrationRecord, mark: Mark): boolean {
  return record.delivery_error_count < mark.count || isLater(record.last_delivery_at, mark.lastDeliveryAt);
}

/** Rule 2: the latest of the last delivery (or the creation, when there was none) and the activation we saw. */
export function failingSince(record: IntegrationRecord, mark: Mark): string {
  return latest(record.last_delivery_at ?? record.created_at, mark.activatedAt);
}

/** What rules 1 and 2 make of one record. */
interface Assessment {
  readonly figures: Figures;
  /** Both limits are reached. */
  readonly overLimits: boolean;
  readonly overWarning: boolean;
}

export function assess(record: IntegrationRecord, mark: Mark, policy: EffectivePolicy, now: string): Assessment {
  // The API's count survives a re-activation, so it counts from the mark until a delivery has succeeded since.
  const baseline = deliveredSince(record, mark) ? 0 : mark.count;
  const freshErrors = record.delivery_error_count - baseline;
  const since = failingSince(record, mark);
  const failingMinutes = minutesBetween(since, now);
  const { errorThreshold, warnThreshold, failingForMinutes } = policy;
  return {
    figures: {
      freshErrors,
      baseline,
      errorThreshold,
      warnThreshold,
      failingSince: since,
      failingMinutes,
      failingForMinutes,
    },
    overLimits: freshErrors >= errorThreshold && failingMinutes >= failingForMinutes,
    overWarning: warnThreshold > 0 && freshErrors >= warnThreshold,
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
