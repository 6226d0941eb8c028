import type { Entry, Mark, Notices, SharedOutage, State } from '../model/entry.ts';
import { type EventSeed, type Figures, type GuardEvent, makeEvent } from '../model/event.ts';
import type { IntegrationRecord, Status } from '../model/integration.ts';
import type { EffectivePolicy } from './effective-policy.ts';

/** What a rule looks at, and what it answers. */

/** What the policy says about one record, in one word. */
export type DecisionKind =
  /** No fresh errors. */
  | 'healthy'
  /** Fresh errors, below the limits, or already announced. */
  | 'watch'
  /** The early warning. */
  | 'warn'
  /** Trip: closed → open, or the end of a failed probe. */
  | 'pause'
  /** What `pause` would be, in observe mode. */
  | 'would-pause'
  /** Over the limits, held back by the blast radius. */
  | 'held'
  /** Fails together with its provider or most of the project, so it is neither paused nor reported on its own (rule 10). */
  | 'shared-outage'
  /** Stopped, by us or by Qonversion's worker; nothing to do yet. */
  | 'open'
  /** Qonversion's worker has just suspended it. */
  | 'suspended'
  | 'remind'
  /** Open → half-open. */
  | 'probe'
  /** Half-open, and no verdict yet. */
  | 'probing'
  | 'recovered'
  /** An operator resumed what we or Qonversion had stopped. */
  | 'reactivated'
  /** An operator holds it off. */
  | 'operator-paused'
  | 'ignored'
  /** Another pass is at work on it. */
  | 'under-way'
  /** Its record, or the whole list, could not be read. */
  | 'unread'
  /** What an operator asked for through the guard. */
  | 'operator-pause'
  | 'operator-resume'
  | 'operator-ignore'
  | 'operator-unignore'
  /** In the ledger, but no longer in the project. */
  | 'gone';

/** Everything the rules look at for one integration. */
export interface Situation {
  readonly record: IntegrationRecord;
  /** When the integration was last changed; null when the API's `updated_at` has not been shown to say so. */
  readonly changedAt: string | null;
  readonly entry: Entry;
  readonly policy: EffectivePolicy;
  /** The outage it shares, while that holds back what the rules would do; null: none. */
  readonly outage: HoldingOutage | null;
  /** Those it shared within the last day, and which are over. */
  readonly endedOutages: readonly EndedOutage[];
  /** Whether this is the first pass that ever looked at the project (rule 2). */
  readonly firstLook: boolean;
  readonly project: string;
  readonly now: string;
}

/** A shared outage, as far as one of its integrations is concerned. */
export interface HoldingOutage extends SharedOutage {
  /** Until then it holds back. */
  readonly until: string;
}

/** One that is over. */
export interface EndedOutage extends SharedOutage {
  readonly endedAt: string;
}

/** What to ask of Qonversion, and what becomes of the entry once that has taken effect. */
interface Request {
  readonly status: Status;
  readonly state: State;
  readonly notices: Notices;
  readonly alerts: readonly GuardEvent[];
}

/** What a rule says. */
export interface Verdict {
  readonly kind: DecisionKind;
  readonly reason: string;
  readonly figures?: Figures;
  /** What to publish in any case. */
  readonly alerts?: readonly GuardEvent[];
  /** The entry whatever becomes of the request. */
  readonly next: Entry;
  readonly request?: Request;
}

/** Failures count from here on. */
export function markNow({ record, changedAt, now }: Situation, activated = false): Mark {
  const { delivery_error_count: count, last_delivery_at: lastDeliveryAt } = record;
  return { count, lastDeliveryAt, changedAt, activatedAt: activated ? now : null };
}

/** Whether the integration was changed since the mark was taken; false when that cannot be known. */
export function changedSinceMark({ changedAt, entry }: Situation): boolean {
  const { mark } = entry.state;
  return changedAt !== null && mark.changedAt !== null && Date.parse(changedAt) > Date.parse(mark.changedAt);
}

/** An event about the situation's integration, now. */
export function eventOf(situation: Situation, seed: Omit<EventSeed, 'project' | 'time'>): GuardEvent {
  const { record, project, now: time } = situation;
  return makeEvent({ record, ...seed, project, time });
}
