import { LedgerFormatError } from '../guard/errors.ts';
import {
  type Attempt,
  BLANK_PROJECT_ENTRY,
  type Entry,
  type Listed,
  type Mark,
  NO_MARK,
  type Notice,
  type Notices,
  type OpenedBy,
  type OutboxItem,
  type ProjectEntry,
  type State,
  type StretchTopic,
} from '../guard/model/entry.ts';
import { boundEvent, type GuardEvent } from '../guard/model/event.ts';
import type { Status } from '../guard/model/integration.ts';
import { PASS_TIME_LIMIT_SECONDS } from '../guard/model/lease.ts';
import { fingerprint } from '../guard/text/fingerprint.ts';
import { plusMs } from '../guard/text/time.ts';

/**
 * Converts ledger items of earlier versions. Items of version 0.1 have no `schema`. There an interrupted pass left an intent: the
 * entry before and after it, and its alerts. Now the entry before is the entry, the entry after is its attempt, and the alerts are
 * in the outbox. Schema 2 had the first version of the rules: no failure span, flapping counted in passes, and a probe that ended
 * with the first delivery.
 */

/** The schema of items that this version writes. */
export const LEDGER_SCHEMA = 3;

/** For one type of item, the functions that convert each earlier schema. */
export interface Upcast<T> {
  readonly 1: (stored: unknown) => T;
  readonly 2: (stored: unknown) => T;
  /** Whether an item has the outlines of today's shape. Only the guard writes a ledger, so the rest needs no check. */
  readonly isWhole: (item: unknown) => boolean;
}

/**
 * A stored item in the current schema.
 * @param schema the number stored with it; undefined when there was none
 * @throws LedgerFormatError when the item is damaged, or a newer version wrote it, because this one would misread it
 */
export function readStored<T>(stored: unknown, schema: unknown, upcast: Upcast<T>): T {
  if (typeof schema === 'number' && schema > LEDGER_SCHEMA)
    throw new LedgerFormatError(
      'newer',
      `it was written by a newer version of the guard (schema ${schema}; this version reads up to ${LEDGER_SCHEMA})`,
      USE_NEWER,
    );
  const item = inTodaysShape(stored, schema, upcast);
  if (!upcast.isWhole(item)) throw damagedEntry();
  return item as T;
}

function inTodaysShape<T>(stored: unknown, schema: unknown, upcast: Upcast<T>): unknown {
  try {
    if (schema === undefined || schema === 1) return upcast[1](stored);
    return schema === 2 ? upcast[2](stored) : schema === LEDGER_SCHEMA ? stored : null;
  } catch (error) {
    throw damagedEntry(error);
  }
}

function damagedEntry(cause?: unknown): LedgerFormatError {
  return new LedgerFormatError('damaged', 'one of its entries is damaged', USE_BACKUP, { cause });
}

/** The advice about a ledger that a newer version wrote. */
export const USE_NEWER = 'use that version of the guard, or a later one';

/** The advice about a damaged ledger, in any place. */
export const USE_BACKUP = 'restore it from a backup';

/** The words for a ledger in messages. */
export interface LedgerPlace {
  /** "the ledger file x". */
  readonly name: string;
  /** The advice if the ledger is damaged. */
  readonly remedy: string;
}

/** Runs a read of the ledger. Adds the name of the ledger to errors about its contents. */
export function readingFrom<T>(place: LedgerPlace, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof LedgerFormatError)) throw error;
    const remedy = error.fault === 'newer' ? error.remedy : place.remedy;
    throw new LedgerFormatError(error.fault, `${place.name} cannot be read: ${error.what}`, remedy, { cause: error });
  }
}

interface V1Mark {
  readonly count: number;
  readonly lastDeliveryAt: string | null;
  readonly updatedAt?: string | null;
}

interface V1Outage {
  readonly by: OpenedBy;
  readonly episode: string;
  readonly openedAt: string;
  readonly failedProbes: number;
  readonly alertedAt: string;
  readonly reminders: number;
}

type V1Circuit =
  | { readonly state: 'closed' }
  | ({ readonly state: 'open' } & V1Outage)
  | ({ readonly state: 'half-open'; readonly probedAt: string } & V1Outage);

interface V1Settled {
  readonly circuit: V1Circuit;
  readonly pausedByOperator: boolean;
  readonly baseline: V1Mark;
  readonly activatedAt: string | null;
  readonly told: {
    readonly since: string;
    readonly errors: number;
    readonly alerts: { readonly [type: string]: { readonly at: string; readonly times: number } | undefined };
  } | null;
  readonly ignoredUntil?: string | null;
  readonly flaps?: (V1Flapping & { readonly told: { readonly at: string; readonly times: number } | null }) | null;
}

/** Of the earlier flapping data, only the beginning still has a meaning. */
interface V1Flapping {
  readonly since: string;
}

interface V1Entry extends V1Settled {
  readonly intent: {
    readonly decidedAt: string;
    readonly act: { readonly status: Status; readonly updatedAt: string } | null;
    readonly events: readonly GuardEvent[];
    readonly owed: readonly GuardEvent[];
    readonly settled: V1Settled;
    readonly failedAt: string | null;
  } | null;
}

interface V1Incident {
  readonly since: string;
  readonly alertedAt: string;
  readonly reminders: number;
}

interface V1SettledProject {
  readonly failing: V1Incident | null;
  readonly held: V1Incident | null;
  readonly heldIds: readonly string[];
  readonly unreadable: V1Incident | null;
}

interface V1ProjectEntry extends V1SettledProject {
  readonly intent: {
    readonly decidedAt: string;
    readonly events: readonly GuardEvent[];
    readonly settled: V1SettledProject;
  } | null;
}

/** Stands for the last list in entries of an earlier version, which did not remember it. */
const LISTED_BEFORE: Listed = { count: 0, sample: [] };

/** Entries of integrations. */
export const ENTRY: Upcast<Entry> = {
  1: upcastEntry,
  2: upcastEntry2,
  isWhole: (item) =>
    isObject(item) &&
    isObject(item.state) &&
    CIRCUITS.has(item.state.name) &&
    isObject(item.state.mark) &&
    isObject(item.notices) &&
    Array.isArray(item.outbox),
};
/** The project's own entry. */
export const PROJECT_ENTRY: Upcast<ProjectEntry> = {
  1: upcastProjectEntry,
  2: upcastProjectEntry2,
  isWhole: (item) => isObject(item) && isObject(item.notices) && Array.isArray(item.outbox),
};
/** Events of the history. */
export const EVENT: Upcast<GuardEvent> = {
  1: upcastEvent,
  2: upcastEvent,
  isWhole: (item) => isObject(item) && [item.id, item.type, item.time].every((field) => typeof field === 'string'),
};

const CIRCUITS: ReadonlySet<unknown> = new Set<State['name']>(['closed', 'isolated', 'open', 'half-open']);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param stored a project's entry of schema 2 */
function upcastProjectEntry2(stored: unknown): ProjectEntry {
  const entry = stored as ProjectEntry;
  const outbox = entry.outbox.map((item) => ({ ...item, event: upcastEvent(item.event) }));
  return { ...BLANK_PROJECT_ENTRY, ...entry, listed: LISTED_BEFORE, outbox };
}

/** @param stored an integration's entry of schema 2 */
function upcastEntry2(stored: unknown): Entry {
  const entry = stored as Entry;
  const { attempt } = entry;
  return {
    ...entry,
    state: upcastState2(entry.state),
    stretch: null,
    flapping: null,
    attempt:
      attempt === null
        ? null
        : { ...attempt, state: upcastState2(attempt.state), alerts: attempt.alerts.map(upcastEvent) },
    outbox: entry.outbox.map((item) => ({ ...item, event: upcastEvent(item.event) })),
  };
}

function upcastState2(state: State): State {
  if (state.name === 'open') return { ...state, stoppedAt: state.stoppedAt ?? state.openedAt };
  return state.name === 'half-open'
    ? { ...state, stoppedAt: state.stoppedAt ?? state.openedAt, delivering: state.delivering ?? null }
    : state;
}

/** @param stored an integration's entry of schema 1 */
function upcastEntry(stored: unknown): Entry {
  const entry = stored as V1Entry;
  const { intent } = entry;
  if (intent === null) return { ...upcastSettled(entry), attempt: null, outbox: [], lease: null };
  const lease = intent.failedAt === null ? leaseOf(intent) : null;
  if (intent.act === null) {
    return { ...upcastSettled(intent.settled), attempt: null, outbox: owed(intent.owed, intent.events), lease };
  }
  const { state, notices } = upcastSettled(intent.settled);
  const attempt: Attempt = {
    status: intent.act.status,
    at: intent.decidedAt,
    updatedAt: intent.act.updatedAt,
    state,
    notices,
    alerts: intent.events.map(upcastEvent),
    failedAt: intent.failedAt,
  };
  return { ...upcastSettled(entry), attempt, outbox: owed(intent.owed), lease };
}

/** @param stored a project's entry of schema 1 */
function upcastProjectEntry(stored: unknown): ProjectEntry {
  const entry = stored as V1ProjectEntry;
  const { intent } = entry;
  const { failing, held, heldIds, unreadable } = intent?.settled ?? entry;
  return {
    ...BLANK_PROJECT_ENTRY,
    listed: LISTED_BEFORE,
    notices: {
      ...upcastIncident('failing', failing),
      ...upcastIncident('held', held),
      ...upcastIncident('unreadable', unreadable),
    },
    held: (heldIds ?? []).map(fingerprint).sort(),
    outbox: intent === null ? [] : owed(intent.events),
    lease: intent === null ? null : leaseOf(intent),
  };
}

/** @param stored an event of schema 1 or 2 */
function upcastEvent(stored: unknown): GuardEvent {
  const event = { ...(stored as GuardEvent), provider: (stored as Partial<GuardEvent>).provider ?? null };
  const renamed = (event.type as string) === 'integration.unstable';
  return boundEvent(renamed ? { ...event, type: 'integration.flapping' } : event);
}

function owed(...alerts: readonly (readonly GuardEvent[])[]): readonly OutboxItem[] {
  return alerts.flat().map((event) => ({ event: upcastEvent(event), undelivered: null, merged: null }));
}

/** A pass of version 0.1 may still be running while this version is deployed. */
function leaseOf({ decidedAt }: { readonly decidedAt: string }): string {
  return plusMs(new Date(decidedAt), PASS_TIME_LIMIT_SECONDS * 1_000);
}

function upcastSettled(settled: V1Settled): Omit<Entry, 'attempt' | 'outbox' | 'lease'> {
  const { circuit, told, flaps = null, ignoredUntil = null } = settled;
  return {
    state: upcastState(settled),
    stretch: null,
    flapping: null,
    notices: {
      ...(circuit.state === 'closed' ? {} : { stopped: stoppedNotice(circuit) }),
      ...(told === null ? {} : stretchNotices(told)),
      ...(flaps?.told ? { flapping: notice(flaps.since, flaps.told.at, flaps.told.times) } : {}),
    },
    ignoredUntil,
  };
}

function upcastState(settled: V1Settled): State {
  const mark = upcastMark(settled);
  const { circuit, pausedByOperator } = settled;
  if (circuit.state === 'closed') return { name: pausedByOperator ? 'isolated' : 'closed', mark };
  const { by, episode, openedAt, failedProbes } = circuit;
  const outage = { by, episode, stoppedAt: openedAt, openedAt, failedProbes, mark };
  return circuit.state === 'open'
    ? { name: 'open', ...outage }
    : { name: 'half-open', ...outage, probedAt: circuit.probedAt, delivering: null };
}

function upcastMark({ baseline, activatedAt }: V1Settled): Mark {
  const { count, lastDeliveryAt, updatedAt = null } = baseline;
  return { ...NO_MARK, count, lastDeliveryAt, changedAt: updatedAt, activatedAt };
}

function stoppedNotice({ episode, alertedAt, reminders }: V1Outage): Notice {
  return notice(episode, alertedAt, reminders + 1);
}

function stretchNotices({ since, errors, alerts }: NonNullable<V1Settled['told']>): Notices {
  const topics: readonly StretchTopic[] = ['failing', 'would-pause', 'pause-failed', 'activation-failed'];
  return Object.fromEntries(
    topics.flatMap((topic) => {
      const told = alerts[`integration.${topic}`];
      return told === undefined ? [] : [[topic, notice(since, told.at, told.times, errors)]];
    }),
  );
}

function upcastIncident(topic: string, incident: V1Incident | null | undefined): { readonly [topic: string]: Notice } {
  return incident === null || incident === undefined
    ? {}
    : { [topic]: notice(incident.since, incident.alertedAt, incident.reminders + 1) };
}

function notice(since: string, lastAt: string, times: number, errors = 0): Notice {
  return { since, lastAt, times, errors };
}
