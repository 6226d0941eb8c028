import type { GuardEvent } from './event.ts';
import type { Status } from './integration.ts';

/** What the ledger remembers between passes: one entry per integration, one per project. */

/** A delivery counter at one moment: what fresh errors are counted from (rule 1). */
export interface Mark {
  readonly count: number;
  /** `last_delivery_at` at that moment. A later value proves that a delivery has succeeded since, whatever our clock says. */
  readonly lastDeliveryAt: string | null;
  /** When the integration was last changed, at that moment; null when it was not noted or cannot be trusted. */
  readonly changedAt: string | null;
  /** When a pass saw it (re)activated; null when none did, or once a delivery has succeeded since. */
  readonly activatedAt: string | null;
}

/** Who stopped the deliveries of an open circuit: the guard (`active` 0), or Qonversion's worker (`active` 2). */
export type OpenedBy = 'guard' | 'qonversion';

/** What an open or half-open circuit carries through a whole outage. */
interface Outage {
  readonly by: OpenedBy;
  /** Names the outage in event ids: the moment its failures began. */
  readonly episode: string;
  /** When deliveries stopped for the first time in this outage. */
  readonly stoppedAt: string;
  /** When deliveries stopped this time. Cooldowns are counted from here. */
  readonly openedAt: string;
  /** Probes that have failed so far. */
  readonly failedProbes: number;
  readonly mark: Mark;
}

export interface ClosedState {
  readonly name: 'closed';
  readonly mark: Mark;
}

export interface IsolatedState {
  readonly name: 'isolated';
  readonly mark: Mark;
}

export interface OpenState extends Outage {
  readonly name: 'open';
}

export interface HalfOpenState extends Outage {
  readonly name: 'half-open';
  readonly probedAt: string;
  /** Since when a pass has seen deliveries succeed in this probe; null: none has. */
  readonly delivering: Delivering | null;
}

/** The first delivery that a pass saw in a probe. One delivery is no recovery (rule 8). */
export interface Delivering {
  /** When the pass saw it. */
  readonly since: string;
  /** `last_delivery_at` then. */
  readonly lastDeliveryAt: string | null;
}

/** Our breaker over one integration: delivering, held off by an operator (rule 6), stopped, or delivering as a probe. */
export type State = ClosedState | IsolatedState | OpenState | HalfOpenState;

/** An alert that people got once and are reminded of later. */
export interface Notice {
  /** Names the episode. */
  readonly since: string;
  readonly lastAt: string;
  readonly times: number;
  /** `delivery_error_count` at `lastAt`: a smaller count later proves a delivery. 0 for notices about the project. */
  readonly errors: number;
}

/** What a notice about an integration is about; the first four belong to one stretch of failures. */
export type Topic = StretchTopic | 'stopped' | 'flapping';
export type StretchTopic = 'failing' | 'would-pause' | 'pause-failed' | 'activation-failed';
export type ProjectTopic = 'failing' | 'held' | 'unreadable' | 'list-suspicious';
export type Notices<T extends string = Topic> = { readonly [topic in T]?: Notice };

/** What we ask of Qonversion, while its outcome is unknown. */
export interface Attempt {
  readonly status: Status;
  /** When it was written down: it cannot have taken effect earlier. */
  readonly at: string;
  /** The record's `updated_at` before. */
  readonly updatedAt: string;
  /** What the entry says once the request has taken effect. */
  readonly state: State;
  readonly notices: Notices;
  /** Alerts to publish once it has. */
  readonly alerts: readonly GuardEvent[];
  /** When the request was made and its outcome stayed unknown. */
  readonly failedAt: string | null;
}

/** An alert that not every audience has accepted yet. */
export interface OutboxItem {
  readonly event: GuardEvent;
  /** Audiences that have not accepted it; null: none has. */
  readonly undelivered: readonly string[] | null;
  /** The alerts that were merged into this one, by type; null for an alert of its own. */
  readonly merged: Readonly<Record<string, number>> | null;
}

/** What every entry has, so that both kinds are written and delivered in the same four steps. */
export interface Remembered {
  readonly outbox: readonly OutboxItem[];
  /** Until then another pass may be at work on it. */
  readonly lease: string | null;
}

/** The failures since the last delivery, as passes have observed them (rules 2 and 4). */
export interface Stretch {
  /** When a pass first saw them. The failure span begins here. */
  readonly since: string;
  /** `delivery_error_count` and `last_delivery_at` then: a smaller count or a later delivery ends the stretch. */
  readonly count: number;
  readonly lastDeliveryAt: string | null;
}

/** A cumulative sum over samples of whether the last attempt failed (rule 9). */
export interface Flapping {
  /** When the watching began: names the episode. */
  readonly since: string;
  /** The sum: grows with each failed sample, shrinks with each that delivered, and ends at 0. */
  readonly score: number;
  /** Deliveries seen to move on since the watching began, up to those that tell flapping from an outage. */
  readonly deliveries: number;
  /** The attempts that the last sample saw. */
  readonly lastErrorAt: string | null;
  readonly lastDeliveryAt: string | null;
}

/** What we remember of one integration. It is settled when `attempt` is null and the outbox is empty. */
export interface Entry extends Remembered {
  readonly state: State;
  /** The current failures; null while there are none. */
  readonly stretch: Stretch | null;
  /** What passes saw of an integration that fails and delivers by turns; null while it does not. */
  readonly flapping: Flapping | null;
  readonly notices: Notices;
  /** An operator has the guard ignore it until then; null: not. */
  readonly ignoredUntil: string | null;
  readonly attempt: Attempt | null;
}

/** An outage that integrations share: of one provider, or of what all of them depend on (rule 10). */
export interface SharedOutage {
  /** The provider's display title; null: a common cause of several providers. */
  readonly provider: string | null;
  readonly since: string;
  /** Since when no more than half of them fail; null while more do. */
  readonly calmSince: string | null;
  /** Null while it lasts. It is remembered for a day: what failed in it is judged anew from then on. */
  readonly endedAt: string | null;
  /** How often it came back within hours: each time it has to be calm for twice as long. */
  readonly returns: number;
}

/** What the last list had, to notice when a list has lost most of it (rule 12). */
export interface Listed {
  readonly count: number;
  /** Fingerprints of some of the integrations, always the same ones: the smallest, sorted. */
  readonly sample: readonly string[];
}

/** What we remember of a project as a whole. */
export interface ProjectEntry extends Remembered {
  readonly notices: Notices<ProjectTopic>;
  /** Fingerprints of the integrations that the blast radius has held back in this episode, sorted. */
  readonly held: readonly string[];
  /** Since when no more of them are over the limits than may be paused; null while more are. */
  readonly heldCalmSince: string | null;
  /** Those that last, and those that ended within a day. */
  readonly outages: readonly SharedOutage[];
  /** Null: the guard has never looked at the project (rule 2). */
  readonly listed: Listed | null;
}

export const NO_MARK: Mark = { count: 0, lastDeliveryAt: null, changedAt: null, activatedAt: null };

/** The entry of an integration we remember nothing of. */
export const BLANK_ENTRY: Entry = {
  state: { name: 'closed', mark: NO_MARK },
  stretch: null,
  flapping: null,
  notices: {},
  ignoredUntil: null,
  attempt: null,
  outbox: [],
  lease: null,
};

export const BLANK_PROJECT_ENTRY: ProjectEntry = {
  notices: {},
  held: [],
  heldCalmSince: null,
  outages: [],
  listed: null,
  outbox: [],
  lease: null,
};

/** The entry once everything about the past but an exemption and what is still to be delivered is forgotten. */
export function resetEntry(entry: Entry, state: State, notices: Notices = {}): Entry {
  return { ...entry, state, notices, stretch: null, flapping: null };
}

/** Whether nothing is under way or left to deliver (law 1). */
export function isSettled(entry: Remembered & { readonly attempt?: Attempt | null }): boolean {
  return (entry.attempt ?? null) === null && entry.outbox.length === 0;
}
