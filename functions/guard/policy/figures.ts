import type { Baseline, Figures, IntegrationRecord, SettledEntry } from '../model/entry.ts';
import { globMatcher } from '../settings/glob.ts';
import type { Policy, Recovery, Unstable } from '../settings/types.ts';
import { isLater, latest, minutesBetween } from '../text/time.ts';

/** The rules that apply to one integration: the project's, changed by the first override that matches. */
export interface EffectivePolicy {
  readonly mode: 'enforce' | 'observe' | 'ignore';
  readonly errorThreshold: number;
  readonly failingForMinutes: number;
  readonly warnThreshold: number;
  readonly remindEveryHours: number;
  readonly unstable: Unstable;
  readonly recovery: Recovery;
}

export function effectivePolicy(
  policy: Policy,
  record: {
    readonly id: string;
    readonly title: string;
    readonly integration: string;
    readonly target_platform: string;
  },
): EffectivePolicy {
  const override = policy.overrides.find(({ match }) => {
    if (match.id !== undefined && match.id !== record.id) return false;
    if (match.integration !== undefined && match.integration !== record.integration) return false;
    if (match.target_platform !== undefined && match.target_platform !== record.target_platform) return false;
    return match.title === undefined || globMatcher(match.title)(record.title);
  });
  const errorThreshold = override?.errorThreshold ?? policy.errorThreshold;
  return {
    mode: override?.mode ?? policy.mode,
    errorThreshold,
    failingForMinutes: override?.failingForMinutes ?? policy.failingForMinutes,
    warnThreshold: override?.warnThreshold ?? policy.warnThreshold ?? Math.floor(errorThreshold / 2),
    remindEveryHours: override?.remindEveryHours ?? policy.remindEveryHours,
    unstable: override?.unstable ?? policy.unstable,
    recovery: override?.recovery ?? policy.recovery,
  };
}

/**
 * Rule 1. The API's count survives a re-activation, so it is judged against the count at which we saw the integration
 * (re)activated, until a delivery has succeeded since.
 */
export function currentBaseline(record: IntegrationRecord, entry: SettledEntry): number {
  return deliveredSince(record, entry.baseline) ? 0 : entry.baseline.count;
}

/**
 * The counter as it is now, for failures to be counted from. Its stamp is noted when stamps are known to tell changes: from
 * the records of this pass, or from those of the pass that noted `previous`.
 */
export function baselineOf(record: IntegrationRecord, previous: Baseline, stampsTell: boolean): Baseline {
  const { delivery_error_count: count, last_delivery_at: lastDeliveryAt } = record;
  return { count, lastDeliveryAt, updatedAt: stampOf(record, previous, stampsTell) };
}

/** The stamp by which a later change shows; null when it would not. */
export function stampOf(record: IntegrationRecord, previous: Baseline, stampsTell: boolean): string | null {
  return stampsTell || previous.updatedAt !== null ? record.updated_at : null;
}

/** The same baseline, with the stamp of a change of our own: only a later one is somebody else's. */
export function restamped(baseline: Baseline, record: IntegrationRecord): Baseline {
  return { ...baseline, updatedAt: stampOf(record, baseline, false) };
}

/** Whether somebody has changed the integration since the baseline was taken; false when nothing was noted. */
export function changedSince(record: IntegrationRecord, baseline: Baseline): boolean {
  return baseline.updatedAt !== null && isLater(record.updated_at, baseline.updatedAt);
}

/** Whether a delivery has succeeded since the baseline was taken: the count fell, or `last_delivery_at` moved on. */
export function deliveredSince(record: IntegrationRecord, baseline: Baseline): boolean {
  return record.delivery_error_count < baseline.count || isLater(record.last_delivery_at, baseline.lastDeliveryAt);
}

/** A delivery attempt so many whole minutes after a change is certainly not what stamped the change. */
const CLEARLY_LATER_MINUTES = 2;

/**
 * Whether `updated_at` can be taken for the moment somebody changed an integration. The API does not promise it, so it has
 * to be shown: by records that have had a success, and such that have had a failure, since and were stamped by neither.
 * Should the API stamp either kind of attempt, the guard does not believe it.
 */
export function stampsTellChanges(records: readonly IntegrationRecord[]): boolean {
  const unstamped = (kind: 'last_delivery_at' | 'last_error_at') =>
    records.some(({ updated_at, [kind]: attempt }) => {
      return attempt !== null && minutesBetween(updated_at, attempt) >= CLEARLY_LATER_MINUTES;
    });
  return unstamped('last_delivery_at') && unstamped('last_error_at');
}

/**
 * Whether somebody has changed a failing integration since its failures began to be counted, unseen by any pass: paused,
 * mended and re-activated it between two passes, perhaps. Failures from before say nothing about what it is now. Without
 * a note of the last change only a recent one counts: what was changed long before anybody looked is no repair.
 */
export function changedUnseen(
  record: IntegrationRecord,
  { baseline, activatedAt }: SettledEntry,
  policy: Pick<EffectivePolicy, 'failingForMinutes'>,
  { now, stampsTell }: { readonly now: string; readonly stampsTell: boolean },
): boolean {
  // A note was only taken when stamps told changes then.
  if (baseline.updatedAt !== null) return changedSince(record, baseline);
  if (!stampsTell) return false;
  if (!isLater(record.updated_at, latest(record.last_delivery_at ?? record.created_at, activatedAt))) return false;
  return minutesBetween(record.updated_at, now) < policy.failingForMinutes;
}

/** Rule 2: the latest of the last delivery (or the creation, when there was none) and the activation we saw. */
export function failingSince(record: IntegrationRecord, entry: SettledEntry): string {
  return latest(record.last_delivery_at ?? record.created_at, entry.activatedAt);
}

/** What rules 1 and 2 make of one record. */
export interface Assessment {
  readonly figures: Figures;
  /** Rule 2: both limits are reached. */
  readonly overLimits: boolean;
  readonly overWarning: boolean;
}

export function assess(
  record: IntegrationRecord,
  entry: SettledEntry,
  policy: EffectivePolicy,
  now: string,
): Assessment {
  const baseline = currentBaseline(record, entry);
  const freshErrors = record.delivery_error_count - baseline;
  const since = failingSince(record, entry);
  const failingMinutes = minutesBetween(since, now);
  return {
    figures: {
      freshErrors,
      baseline,
      errorThreshold: policy.errorThreshold,
      warnThreshold: policy.warnThreshold,
      failingSince: since,
      failingMinutes,
      failingForMinutes: policy.failingForMinutes,
    },
    overLimits: freshErrors >= policy.errorThreshold && failingMinutes >= policy.failingForMinutes,
    overWarning: policy.warnThreshold > 0 && freshErrors >= policy.warnThreshold,
  };
}

/**
 * Rule 8: the most integrations one pass may trip.
 * @param activeCount how many integrations of the project are active (1) now
 */
export function blastRadius(policy: Policy, activeCount: number): number {
  return Math.max(policy.blastRadius.floor, Math.floor((policy.blastRadius.percent * activeCount) / 100));
}
