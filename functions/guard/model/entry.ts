import type { EventType } from './event-catalogue.ts';

export type { EventType };

/** The words of the API and of the ledger, as plain data. Times are ISO 8601 strings in UTC, as the API sends them. */

export type TargetPlatform = 'iOS' | 'Android' | 'Stripe';

/** 0 paused or draft, 1 forwarding events, 2 suspended by Qonversion's delivery worker. */
export type Active = 0 | 1 | 2;

/** The states a caller may ask for; 2 belongs to Qonversion's worker alone. */
export type Status = 0 | 1;

/** One integration as `GET /v4/integrations` reports it, under the API's own field names. */
export interface IntegrationRecord {
  readonly id: string;
  /** The customer's own title: untrusted text. */
  readonly title: string;
  /** The provider's display title ("Amplitude"). */
  readonly integration: string;
  readonly target_platform: TargetPlatform;
  readonly active: Active;
  readonly created_at: string;
  readonly updated_at: string;
  /** The last successful delivery; null when there never was one. */
  readonly last_delivery_at: string | null;
  readonly last_error_at: string | null;
  /** What the upstream said: untrusted text. */
  readonly last_error_message: string | null;
  /** Failures since the last successful delivery. Neither a pause nor a re-activation resets it. */
  readonly delivery_error_count: number;
}

/** An element of the list that is not a record the API documents. `id` is null when even that could not be read. */
export interface InvalidRecord {
  readonly id: string | null;
  readonly problem: string;
}

/** Everything one project has, as one pass saw it. */
export interface Listing {
  readonly records: readonly IntegrationRecord[];
  readonly invalid: readonly InvalidRecord[];
  /** How far the API's clock is ahead of ours, in milliseconds; 0 when it did not say, or when it is seconds. */
  readonly clockAheadMs: number;
}

/** What the API answered to a status that was asked for. */
export interface StatusAnswer {
  /** The record afterwards; it shows the asked-for state. */
  readonly record: IntegrationRecord;
  /**
   * The record's last change, `updated_at`, is older than this call by the API's own clock: if that was the change of
   * state, somebody else was faster. False when the API did not say what time it is.
   */
  readonly changedBefore: boolean;
}

/** A delivery counter at one moment: what fresh errors are counted from. */
export interface Baseline {
  readonly count: number;
  /** `last_delivery_at` at that moment. A later value proves that a delivery has succeeded since, whatever our clock says. */
  readonly lastDeliveryAt: string | null;
  /**
   * `updated_at` at that moment: a later value shows that somebody has changed the integration since. Null when it was not
   * noted, or when nothing showed that `updated_at` tells changes.
   */
  readonly updatedAt: string | null;
}

/** Who stopped the deliveries of an open circuit: we did (`active` 0), or Qonversion's worker (`active` 2). */
export type OpenedBy = 'guard' | 'qonversion';

/** What an open or half-open circuit carries through a whole outage. */
export interface Outage {
  readonly by: OpenedBy;
  /** Names the outage in event ids: the moment its stretch of failures began. */
  readonly episode: string;
  /** When deliveries stopped this time. Cooldowns are counted from here. */
  readonly openedAt: string;
  /** Probes that have failed so far. */
  readonly failedProbes: number;
  /** The last time people heard of it, for reminders. */
  readonly alertedAt: string;
  readonly reminders: number;
}

/** Our breaker over one integration. */
export type Circuit =
  | { readonly state: 'closed' }
  | ({ readonly state: 'open' } & Outage)
  | ({ readonly state: 'half-open'; readonly probedAt: string } & Outage);

/** Alerts that repeat only once per episode. */
export type OncePerEpisode =
  | 'integration.failing'
  | 'integration.would-pause'
  | 'integration.pause-failed'
  | 'integration.activation-failed';

/** What people have been told about a stretch of failures that has not paused anything (yet). */
export interface Told {
  /** When the stretch began (its episode). */
  readonly since: string;
  /** `delivery_error_count` when last told: a smaller count later proves a successful delivery. */
  readonly errors: number;
  readonly alerts: { readonly [type in OncePerEpisode]?: { readonly at: string; readonly times: number } };
}

export type Severity = 'info' | 'warning' | 'critical';

/** The numbers behind a decision. */
export interface Figures {
  readonly freshErrors: number;
  readonly baseline: number;
  readonly errorThreshold: number;
  readonly warnThreshold: number;
  readonly failingSince: string;
  readonly failingMinutes: number;
  readonly failingForMinutes: number;
}

/** Something a person or a machine should hear of. Its text is already safe to store and to send. */
export interface GuardEvent {
  /** Deterministic: the same thing in the same episode has the same id, however often it is sent. */
  readonly id: string;
  readonly type: EventType;
  readonly severity: Severity;
  readonly time: string;
  readonly project: string;
  /** Names the stretch of trouble this belongs to; events of one outage share it. */
  readonly episode: string;
  /** One sentence a person understands. */
  readonly reason: string;
  readonly record: IntegrationRecord | null;
  readonly figures: Figures | null;
  /** When the guard will try again by itself, if it will. */
  readonly nextProbeAt: string | null;
}

/** What Qonversion is asked for, with what it takes to tell afterwards whose doing the state is. */
export interface IntendedAct {
  readonly status: Status;
  /** The record's `updated_at` before. */
  readonly updatedAt: string;
}

/** Words in the ledger before Qonversion is touched or anybody is told (law 1). */
export interface Intent {
  /** When it was written down: the act cannot have taken effect earlier. */
  readonly decidedAt: string;
  /** Null when there is only something to tell. */
  readonly act: IntendedAct | null;
  /** Told once the act shows in the record, or at once when there is no act. */
  readonly events: readonly GuardEvent[];
  /** Owed by an earlier intent that was interrupted: told whatever becomes of the act. */
  readonly owed: readonly GuardEvent[];
  /** What the ledger says once everything above is done. */
  readonly settled: SettledEntry;
  /** When the act was tried and its outcome stayed in doubt. */
  readonly failedAt: string | null;
}

/** What we remember of one integration when nothing is under way. */
export interface SettledEntry {
  readonly circuit: Circuit;
  /** Rule 5: somebody other than the guard paused it, and only they may start it again. */
  readonly pausedByOperator: boolean;
  readonly baseline: Baseline;
  /** When we saw it (re)activated; null when we never did, or when it no longer matters. */
  readonly activatedAt: string | null;
  readonly told: Told | null;
  /** An operator has the guard ignore it until then; null: not. */
  readonly ignoredUntil: string | null;
  /** What the last passes saw of an integration that fails and delivers by turns; null while it does not. */
  readonly flaps: Flaps | null;
}

/** Failures and deliveries as they moved on from pass to pass. */
export interface Flaps {
  /** When the watching began: names the episode. */
  readonly since: string;
  /** The last pass that looked, and what it saw. */
  readonly seenAt: string;
  readonly lastErrorAt: string;
  readonly lastDeliveryAt: string;
  /** A letter for each of the last passes, the newest last. */
  readonly marks: string;
  /** When people were told that it is unstable, and how often. */
  readonly told: { readonly at: string; readonly times: number } | null;
}

export interface LedgerEntry extends SettledEntry {
  readonly intent: Intent | null;
}

/** What we remember of a project as a whole. */
export interface SettledProjectEntry {
  /** Set while passes cannot run. */
  readonly failing: Trouble | null;
  /** Set while the blast radius holds trips back. */
  readonly held: Trouble | null;
  /** Every integration that was held back in this episode, sorted; empty when none is on. */
  readonly heldIds: readonly string[];
  /** Set while some records cannot be read, and so are not guarded. */
  readonly unreadable: Trouble | null;
}

export interface ProjectEntry extends SettledProjectEntry {
  readonly intent: ProjectIntent | null;
}

export interface ProjectIntent {
  readonly decidedAt: string;
  readonly events: readonly GuardEvent[];
  readonly settled: SettledProjectEntry;
}

/** An episode of trouble with the guard itself. */
export interface Trouble {
  readonly since: string;
  readonly alertedAt: string;
  readonly reminders: number;
}

/** The state of an integration we remember nothing of. */
export const BLANK_SETTLED: SettledEntry = {
  circuit: { state: 'closed' },
  pausedByOperator: false,
  baseline: { count: 0, lastDeliveryAt: null, updatedAt: null },
  activatedAt: null,
  told: null,
  ignoredUntil: null,
  flaps: null,
};

export const BLANK_ENTRY: LedgerEntry = { ...BLANK_SETTLED, intent: null };

/** An entry in full: what an older version of the guard did not write is as if it had not been noted. */
export function completed(entry: LedgerEntry | null): LedgerEntry {
  if (entry === null) return BLANK_ENTRY;
  const { intent } = entry;
  return {
    ...entry,
    ...completedSettled(entry),
    intent: intent === null ? null : { ...intent, settled: completedSettled(intent.settled) },
  };
}

function completedSettled(entry: SettledEntry): SettledEntry {
  const { circuit, pausedByOperator, activatedAt, told, ignoredUntil = null, flaps = null } = entry;
  const baseline = { ...BLANK_SETTLED.baseline, ...entry.baseline };
  return { circuit, pausedByOperator, baseline, activatedAt, told, ignoredUntil, flaps };
}

export const BLANK_PROJECT_SETTLED: SettledProjectEntry = { failing: null, held: null, heldIds: [], unreadable: null };

export const BLANK_PROJECT_ENTRY: ProjectEntry = { ...BLANK_PROJECT_SETTLED, intent: null };
