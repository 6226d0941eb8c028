import type { GuardEvent, LedgerEntry, Listing, ProjectEntry, Status, StatusAnswer } from './model/entry.ts';

/** What the core needs of the world. AWS and this machine each implement these; one contract suite runs over every pair. */

/** One project's integrations at Qonversion. */
export interface IntegrationsApi {
  /**
   * Everything the project has.
   * @throws an error whose message a person understands: key refused, unreachable, not the API's answer …
   */
  list(): Promise<Listing>;
  /**
   * Asks for a state and returns the record as it is afterwards. Safe to repeat. Never asks once the time is over: a pass
   * that was held up for minutes must not act on what it saw then.
   * @throws when the API refuses, cannot be reached, or answers with a record that does not show the asked-for state; the
   * error's `changedNothing` is true when the request certainly had no effect.
   */
  setStatus(id: string, status: Status): Promise<StatusAnswer>;
  readonly traffic: Traffic;
}

/** What has been asked of an API so far. */
export interface Traffic {
  readonly requests: number;
  /** How many of those were retries. */
  readonly retries: number;
  /** Milliseconds spent waiting for answers, all requests together. */
  readonly waitedMs: number;
}

/** An entry with the version a later write has to name. */
export interface Versioned<Entry> {
  readonly entry: Entry;
  readonly version: number;
  /** When the ledger may forget the entry; null: not by itself. */
  readonly expiresAt: string | null;
}

export interface LedgerView {
  readonly project: Versioned<ProjectEntry> | null;
  readonly integrations: ReadonlyMap<string, Versioned<LedgerEntry>>;
}

export type LedgerItem =
  | { readonly kind: 'project'; readonly entry: ProjectEntry }
  | { readonly kind: 'integration'; readonly id: string; readonly entry: LedgerEntry };

/** What we remember between passes. Reads see every write that finished before them. */
export interface Ledger {
  /** @throws LedgerUnavailableError; an error is never an empty ledger. */
  read(project: string): Promise<LedgerView>;
  /**
   * Writes one entry if nobody has written it since it was read.
   * @param expected the version that was read; null when there was no entry
   * @returns the new version
   * @throws LostRaceError when the entry has another version by now (law 2); LedgerUnavailableError
   */
  write(project: string, item: LedgerItem, expected: number | null, expiresAt: string | null): Promise<number>;
  /**
   * Keeps what has happened for `HISTORY_DAYS`. The same event a second time changes nothing.
   * @throws LedgerUnavailableError
   */
  keep(project: string, events: readonly GuardEvent[]): Promise<void>;
  /**
   * What has happened since then, oldest first.
   * @throws LedgerUnavailableError
   */
  history(project: string, since: string): Promise<readonly GuardEvent[]>;
}

/** How long the ledger keeps what has happened. */
export const HISTORY_DAYS = 90;

/** The name of an audience: 'machines', 'people', or one chat channel ('chat-…'). Audiences accept alerts independently. */
export type Audience = string;

/** Gets one message per event. */
export const MACHINES = 'machines';

/** Gets one digest per call. */
export const PEOPLE = 'people';

/** Where alerts go. */
export interface AlertSink {
  /** Every audience there is. An outbox item counts as delivered once each of them has accepted it. */
  readonly audiences: readonly Audience[];
  /**
   * Publishes events to one audience.
   * @returns ids of the events that this audience accepted (an audience that does not want an event, by its severity or
   * project filter, accepts it). The others are published again by a later pass.
   */
  publish(project: string, events: readonly GuardEvent[], audience: Audience): Promise<ReadonlySet<string>>;
}

export interface Clock {
  now(): Date;
}

/** A structured log. Fields never hold a secret. */
export interface Log {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What it takes to look and touch nothing: no way to write, to set a status or to tell. */
export interface LookingPorts {
  readonly api: Pick<IntegrationsApi, 'list'>;
  readonly ledger: Pick<Ledger, 'read' | 'history'>;
  readonly clock: Clock;
}

export interface Ports extends LookingPorts {
  readonly api: IntegrationsApi;
  readonly ledger: Ledger;
  readonly alerts: AlertSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds until the host stops us. */
  readonly remainingMs: () => number;
}
