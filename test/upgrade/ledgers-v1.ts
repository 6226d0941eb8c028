import { readFile } from 'node:fs/promises';

/**
 * Ledgers of version 1 of the guard, for tests of the upgrade. `record-v1.ts` recorded them: a pass over the busy day
 * (`test/faults/busy-day.ts`) that was killed at every step. Entries and events are those of version 1.
 */

/** One item of a ledger. `id` is null for the project's own. */
export interface RecordedItem {
  readonly id: string | null;
  readonly version: number;
  readonly expiresAt: string | null;
  readonly entry: unknown;
}

/** An event by its ID and by its key: "type integration", or the type alone for an event about the project. */
export interface RecordedEvent {
  readonly id: string;
  readonly key: string;
}

type StatusCall = readonly [id: string, status: 0 | 1];

/** A status call of a pass before minute 0. Minutes count from there, so they are negative. */
type EarlierStatusCall = readonly [minute: number, id: string, status: 0 | 1];

/** The state after a pass at minute 0. */
export interface RecordedPass {
  /** The disturbance: "before effect 3 (ledger.write)", or a sentence. */
  readonly name: string;
  /** All items of the ledger, including the project's own. */
  readonly items: readonly RecordedItem[];
  /** IDs of the items that the pass changed; null: the project's own. */
  readonly changed: readonly (string | null)[];
  /** Status calls that took effect, in order. */
  readonly statusCalls: readonly StatusCall[];
  /** Events that were accepted for publication. */
  readonly published: readonly RecordedEvent[];
  /** Events in the history. */
  readonly history: readonly RecordedEvent[];
}

export interface LedgersV1 {
  readonly project: string;
  /** The moment of minute 0. */
  readonly at: string;
  /** The state before the pass at minute 0. */
  readonly eve: {
    readonly items: readonly RecordedItem[];
    /** The guard's status calls until then. Replaying them reproduces the world of minute 0. */
    readonly statusCalls: readonly EarlierStatusCall[];
    /** The API's list of integrations. A correctly reproduced world has the same list. */
    readonly records: readonly unknown[];
    /** Events of the history until then. The passes below began without them. */
    readonly history: readonly unknown[];
    /** The same items and history as a ledger file of format 1. */
    readonly ledgerFile: string;
  };
  /** A pass that was killed, once for each step. */
  readonly crashes: readonly RecordedPass[];
  /** Passes that ended, with other faults. */
  readonly mishaps: readonly RecordedPass[];
  /** The state after undisturbed passes of version 1, five minutes apart, for `minutes`. */
  readonly reference: {
    readonly minutes: number;
    /** IDs of the published events, by key. */
    readonly published: Readonly<Record<string, readonly string[]>>;
    /** The circuit's state in the ledger, by integration. */
    readonly circuits: Readonly<Record<string, string>>;
    /** `active` by integration. */
    readonly active: Readonly<Record<string, number>>;
  };
}

/** A pass in the file. Numbers are positions in the file's lists of items and events. */
export interface StoredPass extends Pick<RecordedPass, 'name' | 'statusCalls'> {
  /** Only the items that differ from the state before the pass. */
  readonly items: readonly number[];
  readonly published: readonly number[];
  readonly history: readonly number[];
}

/** The contents of the file. */
export interface StoredLedgersV1 extends Omit<LedgersV1, 'eve' | 'crashes' | 'mishaps'> {
  readonly eve: Omit<LedgersV1['eve'], 'items'> & { readonly items: readonly number[] };
  readonly crashes: readonly StoredPass[];
  readonly mishaps: readonly StoredPass[];
  readonly items: readonly RecordedItem[];
  readonly events: readonly RecordedEvent[];
}

export const LEDGERS_V1_FILE = new URL('ledgers-v1.json', import.meta.url);

export async function readLedgersV1(): Promise<LedgersV1> {
  const stored = JSON.parse(await readFile(LEDGERS_V1_FILE, 'utf8')) as StoredLedgersV1;
  const { eve, crashes, mishaps, items, events, ...rest } = stored;
  const itemsAt = (places: readonly number[]) => places.map((place) => at(items, place));
  const eveItems = itemsAt(eve.items);
  const toPass = ({ items: places, published, history, ...pass }: StoredPass): RecordedPass => {
    const changed = itemsAt(places);
    const byId = new Map([...eveItems, ...changed].map((item) => [item.id, item]));
    return {
      ...pass,
      items: [...byId.values()],
      changed: changed.map(({ id }) => id),
      published: published.map((place) => at(events, place)),
      history: history.map((place) => at(events, place)),
    };
  };
  return { ...rest, eve: { ...eve, items: eveItems }, crashes: crashes.map(toPass), mishaps: mishaps.map(toPass) };
}

function at<T>(list: readonly T[], place: number): T {
  const found = list[place];
  if (found === undefined) throw new RangeError(`the recorded ledgers have no element ${place}`);
  return found;
}
