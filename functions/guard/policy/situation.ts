import type { Entry, Mark, Notices, SharedOutage, State } from '../model/entry.ts';
import { type EventSeed, type Figures, type GuardEvent, makeEvent } from '../model/event.ts';
import type { IntegrationRecord, Status } from '../model/integration.ts';
import type { EffectivePolicy } from './effective-policy.ts';

/** The input and the output of the rules. */

/** The kind of decision about one integration. */
export type DecisionKind =
  /** No fresh errors. */
  | 'healthy'
  /** Fresh errors, below the limits, or already announced. */
  | 'watch'
  /** The early warning. */
  | 'warn'
  /** Trip: closed → open, or the end of a failed probe. */
  | 'pause'
  /** The same as `pause`, in observe mode: only reported. */
  | 'would-pause'
  /** Over the limits, held back by the blast radius. */
  | 'held'
  /** Fails together with its provider or most of the project, so the guard neither pauses nor reports it (rule 10). */
  | 'shared-outage'
  /** Stopped by the guard or by Qonversion's worker; nothing to do yet. */
  | 'open'
  /** Qonversion's worker has just suspended it. */
  | 'suspended'
  | 'remind'
  /** Open → half-open. */
  | 'probe'
  /** Half-open; the probe has neither succeeded nor failed yet. */
  | 'probing'
  | 'recovered'
  /** An operator resumed it after the guard or Qonversion had stopped it. */
  | 'reactivated'
  /** An operator paused it. */
  | 'operator-paused'
  | 'ignored'
  /** Another pass is working on it. */
  | 'under-way'
  /** Its record, or the whole list, could not be read. */
  | 'unread'
  /** Commands that an operator gave to the guard. */
  | 'operator-pause'
  | 'operator-resume'
  | 'operator-ignore'
  | 'operator-unignore'
  /** In the ledger, but no longer in the project. */
  | 'gone';

/** Everything that the rules read about one integration. */
export interface Situation {
  readonly record: IntegrationRecord;
  /** The time of the integration's last change; null when `updated_at` may mean something else (`showsChangeTimes`). */
  readonly changedAt: string | null;
  readonly entry: Entry;
  readonly policy: EffectivePolicy;
  /** The shared outage during which the guard neither pauses nor reports it; null: none. */
  readonly outage: HoldingOutage | null;
  /** Shared outages that ended within the last day. */
  readonly endedOutages: readonly EndedOutage[];
  /** Whether this is the first pass over the project (rule 2). */
  readonly isFirstPass: boolean;
  readonly project: string;
  readonly now: string;
}

/** A shared outage during which the guard neither pauses nor reports its integrations. */
export interface HoldingOutage extends SharedOutage {
  /** It holds pauses back until then. */
  readonly until: string;
}

/** A shared outage that has ended. */
export interface EndedOutage extends SharedOutage {
  readonly endedAt: string;
}

/** The request to Qonversion, and the fields of the entry after it has taken effect. */
interface Request {
  readonly status: Status;
  readonly state: State;
  readonly notices: Notices;
  readonly alerts: readonly GuardEvent[];
}

/** The result of a rule. */
export interface Verdict {
  readonly kind: DecisionKind;
  readonly reason: string;
  readonly figures?: Figures;
  /** Alerts to publish, even if the request fails. */
  readonly alerts?: readonly GuardEvent[];
  /** The entry, whether the request succeeds or fails. */
  readonly next: Entry;
  readonly request?: Request;
}

/** A mark of this moment, so that failures count from now on. */
export function markNow({ record, changedAt, now }: Situation, activated = false): Mark {
  const { delivery_error_count: count, last_delivery_at: lastDeliveryAt } = record;
  return { count, lastDeliveryAt, changedAt, activatedAt: activated ? now : null };
}

/** Whether the integration was changed after the mark was taken; false when unknown. */
export function changedSinceMark({ changedAt, entry }: Situation): boolean {
  const { mark } = entry.state;
  return changedAt !== null && mark.changedAt !== null && Date.parse(changedAt) > Date.parse(mark.changedAt);
}

/** An event about the integration, with `now` as its time. */
export function eventOf(situation: Situation, seed: Omit<EventSeed, 'project' | 'time'>): GuardEvent {
  const { record, project, now: time } = situation;
  return makeEvent({ record, ...seed, project, time });
}
