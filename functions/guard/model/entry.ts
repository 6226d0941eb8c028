import type { GuardEvent } from './event.ts';
import type { Severity } from './event-catalogue.ts';
import type { Status } from './integration.ts';

/** The entries of the ledger: one per integration and one per project. */

/** An integration's counters at one moment. Fresh errors count from here (rule 1). */
export interface Mark {
  readonly count: number;
  /** `last_delivery_at` at that moment. A later value proves a delivery since, without any clock of the guard's. */
  readonly lastDeliveryAt: string | null;
  /** The time of the integration's last change; null when unknown. */
  readonly changedAt: string | null;
  /** When a pass saw that it was activated; null when none did, and after the next delivery. */
  readonly activatedAt: string | null;
}

/** The party that stopped the deliveries of an open circuit: the guard (`active` 0), or Qonversion's worker (`active` 2). */
export type OpenedBy = 'guard' | 'qonversion';

/** The fields that an open or half-open circuit keeps through an outage. */
interface Outage {
  readonly by: OpenedBy;
  /** Identifies the outage in event IDs: the moment its failures began. */
  readonly episode: string;
  /** When deliveries stopped for the first time in this outage. */
  readonly stoppedAt: string;
  /** When deliveries stopped this time. The cooldown begins here. */
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
  /** The first delivery in this probe; null: no pass has seen one. */
  readonly delivering: Delivering | null;
}

/** The first delivery that a pass saw in a probe. One delivery is no recovery (rule 8). */
export interface Delivering {
  /** The time of that pass. */
  readonly since: string;
  /** `last_delivery_at` in that pass. */
  readonly lastDeliveryAt: string | null;
}

/** The circuit breaker of one integration: delivering, paused by an operator (rule 6), stopped, or delivering as a probe. */
export type State = ClosedState | IsolatedState | OpenState | HalfOpenState;

/** An alert that people received, and are reminded of later. */
export interface Notice {
  /** Identifies the episode. */
  readonly since: string;
  readonly lastAt: string;
  readonly times: number;
  /** `delivery_error_count` at `lastAt`. A smaller count later proves a delivery. 0 for notices about the project. */
  readonly errors: number;
}

/** The topic of a notice about an integration. Those of `StretchTopic` belong to one stretch of failures. */
export type Topic = StretchTopic | 'stopped' | 'flapping';
export type StretchTopic = 'failing' | 'would-pause' | 'pause-failed' | 'activation-failed';
export type ProjectTopic = 'failing' | 'held' | 'unreadable' | 'list-suspicious';
export type Notices<T extends string = Topic> = { readonly [topic in T]?: Notice };

/** A request to Qonversion whose outcome is unknown. */
export interface Attempt {
  readonly status: Status;
  /** When the ledger recorded it. It cannot have taken effect earlier. */
  readonly at: string;
  /** The record's `updated_at` before the request. */
  readonly updatedAt: string;
  /** The entry's state and notices after the request has taken effect. */
  readonly state: State;
  readonly notices: Notices;
  /** Alerts to publish after the request has taken effect. */
  readonly alerts: readonly GuardEvent[];
  /** When the request failed without an outcome; null: it has not. */
  readonly failedAt: string | null;
}

/** An alert that not every audience has accepted yet. */
export interface OutboxItem {
  readonly event: GuardEvent;
  /** Audiences that have not accepted it; null: none has. */
  readonly undelivered: readonly string[] | null;
  /** The number of alerts that were merged into this one, by type; null: it is a single alert. */
  readonly merged: Readonly<Record<string, number>> | null;
}

/** An incident that incident tools show as open. */
export interface OpenIncident {
  /** It has the name that the project had when the incident began. */
  readonly key: string;
  /** The episode of the event that opened it. */
  readonly episode: string;
  /** The highest severity that was announced. */
  readonly severity: Severity;
}

/** The fields of both kinds of entries. The four steps of a pass need only these. */
export interface Remembered {
  /**
   * The incidents of the problems that last, by topic. Null: the incident is closed although the problem lasts, for instance because the
   * guard ignores the integration. Left out: no problem lasts, or version 0.2 wrote the entry.
   */
  readonly incidents?: { readonly [topic: string]: OpenIncident | null };
  readonly outbox: readonly OutboxItem[];
  /** Until then another pass may be working on the entry. */
  readonly lease: string | null;
}

/** The failures since the last delivery, as passes saw them (rules 2 and 4). */
export interface Stretch {
  /** When a pass first saw them. The failure span begins here. */
  readonly since: string;
  /** `delivery_error_count` and `last_delivery_at` in that pass. A smaller count or a later delivery ends the stretch. */
  readonly count: number;
  readonly lastDeliveryAt: string | null;
}

/** A cumulative sum over samples: did the last attempt fail (rule 9)? */
export interface Flapping {
  /** The time of the first sample. Identifies the episode. */
  readonly since: string;
  /** The sum. It grows with each failed sample and shrinks with each delivery. Sampling ends at 0. */
  readonly score: number;
  /** Samples with a new delivery, up to the number that separates flapping from an outage. */
  readonly deliveries: number;
  /** The times of the last attempts in the last sample. */
  readonly lastErrorAt: string | null;
  readonly lastDeliveryAt: string | null;
}

/** The ledger's entry for one integration. It is settled when `attempt` is null and the outbox is empty. */
export interface Entry extends Remembered {
  readonly state: State;
  /** The current failures; null while there are none. */
  readonly stretch: Stretch | null;
  /** The samples of an integration that may be flapping; null: it is not sampled. */
  readonly flapping: Flapping | null;
  readonly notices: Notices;
  /** The guard ignores it until then, by an operator's command; null: no exemption. */
  readonly ignoredUntil: string | null;
  readonly attempt: Attempt | null;
}

/** An outage that integrations share: of one provider, or with a common cause for several providers (rule 10). */
export interface SharedOutage {
  /** The provider's display title; null: a common cause of several providers. */
  readonly provider: string | null;
  readonly since: string;
  /** Since when at most half of its integrations fail; null while more do. */
  readonly calmSince: string | null;
  /** Null while it lasts. The guard remembers it for a day, because failures that began in it count from its end. */
  readonly endedAt: string | null;
  /** How often it came back within hours. Each time it must be calm for twice as long to end. */
  readonly returns: number;
}

/** The last list, so that the guard notices when most of its integrations are missing (rule 12). */
export interface Listed {
  readonly count: number;
  /** The smallest fingerprints of the integrations, sorted, so that two lists have the same sample. */
  readonly sample: readonly string[];
}

/** The ledger's entry for a project as a whole. */
export interface ProjectEntry extends Remembered {
  readonly notices: Notices<ProjectTopic>;
  /** Fingerprints of the integrations that the blast radius has held back in this episode, sorted. */
  readonly held: readonly string[];
  /** Since when the blast radius would allow all due trips; null while there are more. */
  readonly heldCalmSince: string | null;
  /** Outages that last, and those that ended within a day. */
  readonly outages: readonly SharedOutage[];
  /** Null: no pass has finished for the project (rule 2). */
  readonly listed: Listed | null;
}

export const NO_MARK: Mark = { count: 0, lastDeliveryAt: null, changedAt: null, activatedAt: null };

/** The entry for an integration that is not in the ledger. */
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

/** The entry with a new state. It keeps an exemption, an attempt, the outbox and the lease, and drops the rest. */
export function resetEntry(entry: Entry, state: State, notices: Notices = {}): Entry {
  return { ...entry, state, notices, stretch: null, flapping: null };
}

/** Whether the entry has no attempt and no undelivered alert (law 1). */
export function isSettled(entry: Remembered & { readonly attempt?: Attempt | null }): boolean {
  return (entry.attempt ?? null) === null && entry.outbox.length === 0;
}
