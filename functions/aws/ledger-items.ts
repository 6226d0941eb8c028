import type { Entry, ProjectEntry } from '../guard/model/entry.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import { HISTORY_DAYS, type LedgerItem, type Versioned } from '../guard/ports.ts';
import { EVENT, LEDGER_SCHEMA, readStored, type Upcast } from '../ledger/upcast.ts';

/** The items of the ledger's table, as the document client takes and gives them. */

type Item = Readonly<Record<string, unknown>>;

/** One entry as one item. `expires_at`, in epoch seconds, is left out when the entry does not expire. */
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

/** One event of the history as one item. */
export function toHistoryItem(project: string, event: GuardEvent) {
  return {
    project: historyKeyOf(project),
    item: `${event.time}#${event.id}`,
    schema: LEDGER_SCHEMA,
    event,
    expires_at: Math.ceil((Date.parse(event.time) + HISTORY_DAYS * DAY_MS) / 1_000),
  };
}

/** @throws LedgerUnavailableError when a newer version of the guard wrote it */
export function fromLedgerItem<E extends Entry | ProjectEntry>(item: Item, upcast: Upcast<E>): Versioned<E> {
  return {
    entry: readStored(item.entry, item.schema, upcast),
    version: item.version as number,
    expiresAt: typeof item.expires_at === 'number' ? new Date(item.expires_at * 1_000).toISOString() : null,
  };
}

/** @throws LedgerUnavailableError when a newer version of the guard wrote it */
export function fromHistoryItem(item: Item): GuardEvent {
  return readStored(item.event, item.schema, EVENT);
}

/** The id of an item's integration; null for the project's own item. */
export function integrationIdOf(item: Item): string | null {
  return item.item === PROJECT_ITEM ? null : String(item.item).slice(INTEGRATION_PREFIX.length);
}

export function sortKeyOf(item: LedgerItem): string {
  return item.kind === 'project' ? PROJECT_ITEM : `${INTEGRATION_PREFIX}${item.id}`;
}

/** A partition of its own: a pass does not read the history, which must not slow it. A project's name has no "#". */
export function historyKeyOf(project: string): string {
  return `${project}#history`;
}

const PROJECT_ITEM = 'project';
const INTEGRATION_PREFIX = 'integration#';
const DAY_MS = 24 * 60 * 60 * 1_000;
