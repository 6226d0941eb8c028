import { readFile } from 'node:fs/promises';

/**
 * Ledgers that version 1 of the guard has left behind, for a test in which the version of today finds them. `record-v1.ts` has
 * recorded them: a pass over the busy day (`test/faults/busy-day.ts`), dead at every step. Entries and events are those of version 1.
 */

/** One item of a ledger. `id` is null for the project's own. */
export interface RecordedItem {
  readonly id: string | null;
  readonly version: number;
  readonly expiresAt: string | null;
  readonly entry: unknown;
}

/** An event by its id, and by its key: "type integration", or the type alone when it is about the project. */
export interface RecordedEvent {
  readonly id: string;
  readonly key: string;
}

type StatusCall = readonly [id: string, status: 0 | 1];

/** A status call of a pass before minute 0. Minutes are counted from there, so they are negative. */
type EarlierStatusCall = readonly [minute: number, id: string, status: 0 | 1];

/** What a pass at minute 0 has left. */
export interface RecordedPass {
  /** How it was disturbed: "before effect 3 (ledger.write)", or a sentence. */
  readonly name: string;
  /** Everything the ledger held afterwards, the project's own item included. */
  readonly items: readonly RecordedItem[];
  /** Ids of the items that it had changed; null is the project. */
  readonly changed: readonly (string | null)[];
  /** Status calls that took effect at Qonversion, in order. */
  readonly statusCalls: readonly StatusCall[];
  /** What had been accepted for publication. */
  readonly published: readonly RecordedEvent[];
  /** What the history held. */
  readonly history: readonly RecordedEvent[];
}

export interface LedgersV1 {
  readonly project: string;
  /** The moment of minute 0. */
  readonly at: string;
  /** The moment before the pass at minute 0. */
  readonly eve: {
    readonly items: readonly RecordedItem[];
    /** What the guard had done to the world until then: replaying them makes the world of minute 0 again. */
    readonly statusCalls: readonly EarlierStatusCall[];
    /** The list of integrations, as the API would give it: the same if the world has been made again faithfully. */
    readonly records: readonly unknown[];
    /** Events of the history until then. The passes below began without. */
    readonly history: readonly unknown[];
    /** The same items and history as a ledger file of format 1. */
    readonly ledgerFile: string;
  };
  /** A pass that was killed, at every point where it could be. */
  readonly crashes: readonly RecordedPass[];
  /** Passes that ended, in which something else went wrong. */
  readonly mishaps: readonly RecordedPass[];
  /** How undisturbed passes of version 1, five minutes apart, had ended after `minutes`. */
  readonly reference: {
    readonly minutes: number;
    /** Ids of the events that were published, by key. */
    readonly published: Readonly<Record<string, readonly string[]>>;
    /** The circuit's state in the ledger, by integration. */
    readonly circuits: Readonly<Record<string, string>>;
    /** `active` by integration. */
    readonly active: Readonly<Record<string, number>>;
  };
}

/** A pass as the file has it: numbers are places in the file's lists of items and events. */
export interface StoredPass extends Pick<RecordedPass, 'name' | 'statusCalls'> {
  /** Only what differs from the eve. */
  readonly items: readonly number[];
  readonly published: readonly number[];
  readonly history: readonly number[];
}

/** The file. */
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
  if (found === undefined) throw new RangeError(`the recorded ledgers have nothing in place ${place}`);
  return found;
}
