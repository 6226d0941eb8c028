import type { Entry, ProjectEntry } from './model/entry.ts';
import type { GuardEvent } from './model/event.ts';
import type { Listing, Status, StatusAnswer } from './model/integration.ts';

/** What the core needs of the world. AWS and this machine each implement these; one contract suite runs over every pair. */

/** One project's integrations at Qonversion. */
export interface IntegrationsApi {
  /**
   * Everything the project has.
   * @throws an error whose message a person understands: key refused, unreachable, not the API's answer …
   */
  list(): Promise<Listing>;
  /**
   * Asks for a state. Safe to repeat. Never asks once the time is over: a pass that was held up for minutes must not act on
   * what it read then.
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
export interface Versioned<E> {
  readonly entry: E;
  readonly version: number;
  /** When the ledger may forget the entry; null: never. */
  readonly expiresAt: string | null;
}

export interface LedgerView {
  readonly project: Versioned<ProjectEntry> | null;
  readonly integrations: ReadonlyMap<string, Versioned<Entry>>;
}

export type LedgerItem =
  | { readonly kind: 'project'; readonly entry: ProjectEntry }
  | { readonly kind: 'integration'; readonly id: string; readonly entry: Entry };

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
   * Appends to the history, which lasts for `HISTORY_DAYS`. The same event a second time changes nothing.
   * @throws LedgerUnavailableError
   */
  appendHistory(project: string, events: readonly GuardEvent[]): Promise<void>;
  /**
   * What has happened since then, oldest first.
   * @throws LedgerUnavailableError
   */
  history(project: string, since: string): Promise<readonly GuardEvent[]>;
}

/** A ledger of which `integration-guard doctor` can find out whether a pass could write it. */
export interface CheckableLedger extends Ledger {
  /** Its file or table, for people. */
  readonly place: string;
  /**
   * Writes an entry as a pass does, on the condition that there is none, and removes it. No pass and no command reads that entry, and one
   * that a check leaves behind expires within the hour. Existing entries stay as they are. Checks at the same time do not disturb each other.
   * @throws LedgerUnavailableError
   */
  checkWrite(): Promise<void>;
}

/** In place of a project's name for entries of `checkWrite`. No project can have this name. */
export const CHECK_PROJECT = '#doctor';

/** How long such an entry lasts when the check that wrote it ended before it could remove it. */
export const CHECK_MINUTES = 60;

/** The same ledger for a project that it keeps under another name: the project was renamed. */
export function underName(ledger: Ledger, name: string): Ledger {
  return {
    read: () => ledger.read(name),
    write: (_, ...rest) => ledger.write(name, ...rest),
    appendHistory: (_, events) => ledger.appendHistory(name, events),
    history: (_, since) => ledger.history(name, since),
  };
}

/** How long the ledger keeps what has happened. */
export const HISTORY_DAYS = 90;

/** The name of an audience: 'machines', 'people', or one chat channel ('chat-…'). Audiences accept alerts independently. */
export type Audience = string;

/** One message per event. */
export const MACHINES = 'machines';

/** One digest per call. */
export const PEOPLE = 'people';

/** Where alerts go. */
export interface AlertSink {
  /** Every audience there is. An alert counts as delivered once each of them has accepted it. */
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

/** What it takes to read and touch nothing: no way to write, to set a status or to publish. */
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
