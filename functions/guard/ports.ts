import type { Entry, ProjectEntry } from './model/entry.ts';
import type { GuardEvent } from './model/event.ts';
import type { Listing, Status, StatusAnswer } from './model/integration.ts';

/** The interfaces that the core needs. AWS and this machine each implement them, and one contract suite tests both. */

/** One project's integrations at Qonversion. */
export interface IntegrationsApi {
  /**
   * Lists all integrations of the project.
   * @throws an error with a message for people: key refused, API unreachable, unexpected answer …
   */
  list(): Promise<Listing>;
  /**
   * Requests a state. Safe to repeat. Makes no request after the pass's time is over, so that a pass that was delayed for minutes
   * does not act on an old list.
   */
  setStatus(id: string, status: Status): Promise<StatusAnswer>;
  readonly traffic: Traffic;
}

/** The requests that were made to an API so far. */
export interface Traffic {
  readonly requests: number;
  /** Retries among the requests. */
  readonly retries: number;
  /** Milliseconds spent waiting for the answers, in total. */
  readonly waitedMs: number;
}

/** An entry with its version, which the next write must name. */
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

/** The guard's memory between passes. A read sees every write that finished before it. */
export interface Ledger {
  /** @throws LedgerUnavailableError when the ledger cannot be read; never returns an empty ledger instead */
  read(project: string): Promise<LedgerView>;
  /**
   * Writes one entry, unless it was written after it was read.
   * @param expected the version that was read; null when there was no entry
   * @returns the new version
   * @throws LostRaceError when the entry has another version (law 2); LedgerUnavailableError
   */
  write(project: string, item: LedgerItem, expected: number | null, expiresAt: string | null): Promise<number>;
  /**
   * Appends events to the history, which keeps them for `HISTORY_DAYS`. Appending an event again changes nothing.
   * @throws LedgerUnavailableError
   */
  appendHistory(project: string, events: readonly GuardEvent[]): Promise<void>;
  /**
   * The events since a moment, oldest first.
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

/** The ledger of a renamed project, whose items are stored under its earlier name. */
export function underName(ledger: Ledger, name: string): Ledger {
  return {
    read: () => ledger.read(name),
    write: (_, ...rest) => ledger.write(name, ...rest),
    appendHistory: (_, events) => ledger.appendHistory(name, events),
    history: (_, since) => ledger.history(name, since),
  };
}

/** How long the ledger keeps the history. */
export const HISTORY_DAYS = 90;

/** The name of an audience: 'machines', 'people', or one chat channel ('chat-…'). Audiences accept alerts independently. */
export type Audience = string;

/** One message per event. */
export const MACHINES = 'machines';

/** One digest per call. */
export const PEOPLE = 'people';

/** Where alerts go. */
export interface AlertSink {
  /** All audiences. An alert is delivered once each of them has accepted it. */
  readonly audiences: readonly Audience[];
  /**
   * Publishes events to one audience.
   * @returns the IDs of the events that this audience accepted, including those that its severity or project filter leaves out.
   * A later pass publishes the others again.
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

/** Ports for reading only: they cannot write, set a status or publish. */
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
  /** Milliseconds until the host stops the process. */
  readonly remainingMs: () => number;
}
