import { toHistoryItem, toLedgerItem } from '../../functions/aws/ledger-items.ts';
import { LedgerUnavailableError, LostRaceError } from '../../functions/guard/errors.ts';
import type { Entry, ProjectEntry } from '../../functions/guard/model/entry.ts';
import type { GuardEvent } from '../../functions/guard/model/event.ts';
import type { StatusAnswer } from '../../functions/guard/model/integration.ts';
import { CLOCK_TOLERANCE_MS } from '../../functions/guard/model/lease.ts';
import {
  type AlertSink,
  type Audience,
  type Clock,
  HISTORY_DAYS,
  type IntegrationsApi,
  type Ledger,
  type LedgerView,
  type Log,
  type Versioned,
} from '../../functions/guard/ports.ts';
import { NotFoundError, UnavailableError } from '../../functions/qonversion/errors.ts';
import { parseRecord } from '../../functions/qonversion/schema.ts';
import type { World } from '../../functions/sandbox/world.ts';
import { NOON } from './builders.ts';
import { itemSize, MAX_ITEM_BYTES } from './item-size.ts';

/** A sandbox world has no key to remove. */
const NO_KEY = { personalData: 'redact', withoutKey: (text: string) => text } as const;

/** In-memory ports, for tests without a server. The contract suites run over them and over the real ports. */

export interface TestClock extends Clock {
  set(moment: string): void;
  advance(minutes: number): void;
}

export function createTestClock(start = NOON): TestClock {
  let now = Date.parse(start);
  return {
    now: () => new Date(now),
    set: (moment) => {
      now = Date.parse(moment);
    },
    advance: (minutes) => {
      now += minutes * 60_000;
    },
  };
}

export interface MemoryLedger extends Ledger {
  /** The number of calls so far. */
  readonly calls: { reads: number; writes: number };
  entry(project: string, id: string): Entry | undefined;
  projectEntry(project: string): ProjectEntry | undefined;
  /** Makes every call fail until the problem is null. */
  failWith(problem: string | null): void;
}

/** Refuses items that are too large for DynamoDB. */
export function createMemoryLedger(clock: Clock): MemoryLedger {
  const items = new Map<string, Versioned<unknown>>();
  const calls = { reads: 0, writes: 0 };
  const histories = new Map<string, Map<string, GuardEvent>>();
  let failure: string | null = null;
  const keyOf = (project: string, id: string | null) => JSON.stringify([project, id]);
  const alive = (item: Versioned<unknown> | undefined) =>
    item !== undefined && (item.expiresAt === null || Date.parse(item.expiresAt) > clock.now().getTime())
      ? item
      : undefined;
  const check = () => {
    if (failure !== null) throw new LedgerUnavailableError(failure);
  };

  return {
    calls,
    failWith: (problem) => {
      failure = problem;
    },
    entry: (project, id) => alive(items.get(keyOf(project, id)))?.entry as Entry | undefined,
    projectEntry: (project) => alive(items.get(keyOf(project, null)))?.entry as ProjectEntry | undefined,

    async read(project): Promise<LedgerView> {
      calls.reads += 1;
      check();
      const integrations = new Map<string, Versioned<Entry>>();
      for (const [key, item] of items) {
        const [owner, id] = JSON.parse(key) as [string, string | null];
        if (owner === project && id !== null && alive(item))
          integrations.set(id, structuredClone(item) as Versioned<Entry>);
      }
      const own = alive(items.get(keyOf(project, null)));
      return { project: own === undefined ? null : (structuredClone(own) as Versioned<ProjectEntry>), integrations };
    },

    async write(project, item, expected, expiresAt): Promise<number> {
      calls.writes += 1;
      check();
      const key = keyOf(project, item.kind === 'project' ? null : item.id);
      const known = alive(items.get(key));
      if ((known?.version ?? null) !== expected) throw new LostRaceError('written by another pass');
      const version = (known?.version ?? 0) + 1;
      checkSize(toLedgerItem(project, item, version, expiresAt));
      items.set(key, structuredClone({ entry: item.entry, version, expiresAt }));
      return version;
    },

    async appendHistory(project, events): Promise<void> {
      check();
      for (const event of events) checkSize(toHistoryItem(project, event));
      const own = histories.get(project) ?? new Map<string, GuardEvent>();
      for (const event of events) own.set(event.id, structuredClone(event));
      histories.set(project, own);
    },

    async history(project, since): Promise<readonly GuardEvent[]> {
      check();
      const oldest = clock.now().getTime() - HISTORY_DAYS * 24 * 60 * 60_000;
      return [...(histories.get(project)?.values() ?? [])]
        .filter(({ time }) => Date.parse(time) >= Date.parse(since) && Date.parse(time) > oldest)
        .sort((left, right) => Date.parse(left.time) - Date.parse(right.time));
    },
  };
}

/** @throws LedgerUnavailableError */
function checkSize(item: object): void {
  const bytes = itemSize(item);
  if (bytes > MAX_ITEM_BYTES)
    throw new LedgerUnavailableError(`an item of ${bytes} bytes; DynamoDB takes at most ${MAX_ITEM_BYTES}`);
}

export interface MemoryAlerts extends AlertSink {
  /** Every publish call, with the accepted events. */
  readonly published: { readonly events: readonly GuardEvent[]; readonly audience: Audience }[];
  /** All events accepted so far. */
  events(): readonly GuardEvent[];
  types(): readonly string[];
  /** Refuses the events for which the rule is true. */
  refuse(rule: (event: GuardEvent, audience: Audience) => boolean): void;
}

export function createMemoryAlerts(audiences: readonly Audience[] = ['all']): MemoryAlerts {
  const published: { events: readonly GuardEvent[]; audience: Audience }[] = [];
  let refused: (event: GuardEvent, audience: Audience) => boolean = () => false;
  const events = () => published.flatMap((call) => call.events);
  return {
    audiences,
    published,
    events,
    types: () => events().map(({ type }) => type),
    refuse: (rule) => {
      refused = rule;
    },
    async publish(_project, batch, audience): Promise<ReadonlySet<string>> {
      const accepted = batch.filter((event) => !refused(event, audience));
      published.push({ events: accepted, audience });
      return new Set(accepted.map(({ id }) => id));
    },
  };
}

export interface WorldApi extends IntegrationsApi {
  /** Status calls that reached the API: `[id, status]`. */
  readonly statusCalls: (readonly [string, 0 | 1])[];
  /** Makes list calls, or status calls, fail with this error until it is null. */
  failList(error: Error | null): void;
  failStatus(error: Error | null, outcome?: 'unknown' | 'refused'): void;
}

/** The integrations of a sandbox world, without HTTP. */
export function createWorldApi(world: World): WorldApi {
  const traffic = { requests: 0, retries: 0, waitedMs: 0 };
  const statusCalls: (readonly [string, 0 | 1])[] = [];
  let listError: Error | null = null;
  let statusFailure: Extract<StatusAnswer, { readonly error: Error }> | null = null;
  return {
    traffic,
    statusCalls,
    failList: (error) => {
      listError = error;
    },
    failStatus: (error, outcome = 'unknown') => {
      statusFailure = error === null ? null : { outcome, error };
    },
    async list() {
      traffic.requests += 1;
      if (listError !== null) throw listError;
      const parsed = world.list().map((record) => parseRecord(record, NO_KEY));
      return {
        records: parsed.flatMap((result) => ('record' in result ? [result.record] : [])),
        invalid: parsed.flatMap((result) => ('invalid' in result ? [result.invalid] : [])),
        clockAheadMs: 0,
      };
    },
    async setStatus(id, status): Promise<StatusAnswer> {
      traffic.requests += 1;
      if (statusFailure !== null) return statusFailure;
      statusCalls.push([id, status]);
      const result = parseRecord(world.setStatus(id, status) ?? null, NO_KEY);
      if ('invalid' in result) {
        const error = new NotFoundError(`Qonversion does not know integration ${id} (404)`);
        return { outcome: 'refused', error };
      }
      const ageMs = world.now().getTime() - Date.parse(result.record.updated_at);
      return { outcome: ageMs > CLOCK_TOLERANCE_MS ? 'already' : 'set', record: result.record };
    },
  };
}

export const unreachable = () =>
  new UnavailableError('Qonversion could not be reached for the list of integrations: ECONNRESET');

export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
