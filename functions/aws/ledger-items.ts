import type { Entry, ProjectEntry } from '../guard/model/entry.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import { HISTORY_DAYS, type LedgerItem, type Versioned } from '../guard/ports.ts';
import { EVENT, LEDGER_SCHEMA, readStored, type Upcast } from '../ledger/upcast.ts';

/** Converts between the ledger's entries and the items of its DynamoDB table. */

type Item = Readonly<Record<string, unknown>>;

/** The item of one entry. An entry that does not expire has no `expires_at` (epoch seconds). */
export function toLedgerItem(project: string, item: LedgerItem, version: number, expiresAt: string | null) {
  return {
    project,
    item: sortKeyOf(item),
    version,
    schema: LEDGER_SCHEMA,
    entry: item.entry,
    ...(expiresAt === null ? {} : { expires_at: Math.ceil(Date.parse(expiresAt) / 1_000) }),
  };
}

/** The item of one event in the history. */
export function toHistoryItem(project: string, event: GuardEvent) {
  return {
    project: historyKeyOf(project),
    item: `${event.time}#${event.id}`,
    schema: LEDGER_SCHEMA,
    event,
    expires_at: Math.ceil((Date.parse(event.time) + HISTORY_DAYS * DAY_MS) / 1_000),
  };
}

/** The item of one alert in the spool. It expires as the history does, long after every release. */
export function toSpoolItem(spoolKey: string, event: GuardEvent) {
  return { ...toHistoryItem(spoolKey, event), project: spoolKey };
}

/** @throws LedgerUnavailableError if a newer version of the guard wrote the item */
export function fromLedgerItem<E extends Entry | ProjectEntry>(item: Item, upcast: Upcast<E>): Versioned<E> {
  return {
    entry: readStored(item.entry, item.schema, upcast),
    version: item.version as number,
    expiresAt: typeof item.expires_at === 'number' ? new Date(item.expires_at * 1_000).toISOString() : null,
  };
}

/** @throws LedgerUnavailableError if a newer version of the guard wrote the item */
export function fromHistoryItem(item: Item): GuardEvent {
  return readStored(item.event, item.schema, EVENT);
}

/** The integration's ID in an item's sort key; null for the project's own item. */
export function integrationIdOf(item: Item): string | null {
  return item.item === PROJECT_ITEM ? null : String(item.item).slice(INTEGRATION_PREFIX.length);
}

export function sortKeyOf(item: LedgerItem): string {
  return item.kind === 'project' ? PROJECT_ITEM : `${INTEGRATION_PREFIX}${item.id}`;
}

/** The history has its own partition, so that it does not slow the pass's query. A project's name has no "#". */
export function historyKeyOf(project: string): string {
  return `${project}#history`;
}

/** The partition of alerts that wait for one release to one audience. No project has such a name. */
export function spoolKeyOf(release: string, audience: string): string {
  return `#spool ${release}#${audience}`;
}

/** The partition of the incidents that are open at one tool. */
export function incidentsKeyOf(audience: string): string {
  return `#incidents#${audience}`;
}

const PROJECT_ITEM = 'project';
const INTEGRATION_PREFIX = 'integration#';
const DAY_MS = 24 * 60 * 60 * 1_000;
