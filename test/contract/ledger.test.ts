import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDynamoLedger } from '../../functions/aws/ledger.ts';
import { toHistoryItem, toLedgerItem } from '../../functions/aws/ledger-items.ts';
import { LedgerUnavailableError, LostRaceError } from '../../functions/guard/errors.ts';
import { BLANK_PROJECT_ENTRY, type Entry } from '../../functions/guard/model/entry.ts';
import { makeEvent } from '../../functions/guard/model/event.ts';
import { HISTORY_DAYS, type Ledger } from '../../functions/guard/ports.ts';
import { createFileLedger } from '../../functions/local/ledger.ts';
import { type DynamoEmulator, LEDGER_TABLE, startDynamo } from '../support/aws-emulators.ts';
import { aFailingRecord, anEntry, aRecord, minutesAfter, NOON } from '../support/builders.ts';
import { itemSize, MAX_ITEM_BYTES } from '../support/item-size.ts';
import { createMemoryLedger, createTestClock } from '../support/memory-ports.ts';

/** The contract of every ledger: in memory, in a JSON file and in DynamoDB. */

let folder: string;
let dynamo: DynamoEmulator;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-ledger-'));
  dynamo = await startDynamo();
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await dynamo.stop();
});

const clock = createTestClock();

interface Implementation {
  readonly name: string;
  readonly create: () => Ledger;
  /** Whether it refuses items above DynamoDB's size limit. */
  readonly limited: boolean;
}

const implementations: readonly Implementation[] = [
  { name: 'in memory', create: () => createMemoryLedger(clock), limited: true },
  {
    name: 'in a JSON file',
    create: () => createFileLedger(join(folder, `nested/${count}/ledger.json`), clock),
    limited: false,
  },
  { name: 'in DynamoDB', create: () => createDynamoLedger(dynamo.client, LEDGER_TABLE, clock), limited: true },
];

/** Padding of characters that are four bytes in UTF-8 and two units in JavaScript, to catch an emulator that counts units. */
const padded = <T extends object>(value: T, characters: number) =>
  Object.assign({ ...value }, { padding: '\u{1f680}'.repeat(characters) });

/** How many four-byte characters of padding fit into an item. */
function roomFor(item: object): number {
  // The name of the padding, and the overhead of an attribute in a map.
  return Math.floor((MAX_ITEM_BYTES - itemSize(item) - 'padding'.length - 1) / 4);
}

/** An entry that uses every field, and has an event with untrusted text. */
function richEntry(): Entry {
  const record = aFailingRecord(61, 48, { title: 'Ünïcode — "quotes" \\ and \u{1f680}', last_delivery_at: null });
  const event = makeEvent({
    type: 'integration.paused',
    project: 'production',
    time: NOON,
    episode: NOON,
    reason: 'why',
    record,
  });
  const mark = { count: 61, lastDeliveryAt: null, changedAt: null, activatedAt: NOON };
  const state = {
    name: 'open',
    by: 'guard',
    episode: NOON,
    stoppedAt: NOON,
    openedAt: NOON,
    failedProbes: 2,
    mark,
  } as const;
  const notice = { since: NOON, lastAt: NOON, times: 1, errors: 61 };
  return anEntry({
    state: { name: 'closed', mark },
    notices: { failing: notice, 'pause-failed': notice },
    attempt: {
      status: 0,
      at: NOON,
      updatedAt: aRecord().updated_at,
      state,
      notices: { stopped: notice },
      alerts: [event],
      failedAt: null,
    },
    outbox: [{ event, undelivered: ['people'], merged: { 'integration.paused': 2 } }],
    lease: minutesAfter(NOON, 2),
  });
}

/** Blank entries of version 1. */
const V1_ENTRY = {
  circuit: { state: 'closed' },
  pausedByOperator: false,
  baseline: { count: 0, lastDeliveryAt: null },
  activatedAt: null,
  told: null,
  intent: null,
};
const V1_PROJECT_ENTRY = { failing: null, held: null, heldIds: [], unreadable: null, intent: null };

/** Names of properties of every plain object, numbers, and words that a ledger uses itself. */
const ODD_NAMES: readonly string[] = [
  ...Object.getOwnPropertyNames(Object.prototype),
  ...['prototype', 'project', 'integration', 'then', 'toJSON', 'null', '0', '-1'],
];

describe.each(implementations)('a ledger $name', ({ create, limited }) => {
  let ledger: Ledger;
  let project: string;

  beforeEach(() => {
    count += 1;
    project = `project-${count}`;
    clock.set(NOON);
    ledger = create();
  });

  const write = (id: string, entry: Entry, expected: number | null, expiresAt: string | null = null) =>
    ledger.write(project, { kind: 'integration', id, entry }, expected, expiresAt);

  it('has nothing about an unknown project', async () => {
    expect(await ledger.read(project)).toEqual({ project: null, integrations: new Map() });
  });

  it('returns a written entry unchanged', async () => {
    const version = await write('amp-ios', richEntry(), null);
    const { integrations } = await ledger.read(project);
    expect(integrations.get('amp-ios')).toEqual({ entry: richEntry(), version, expiresAt: null });
  });

  it('keeps integrations, the project and other projects apart', async () => {
    await write('a', anEntry(), null);
    await write('project', anEntry({ ignoredUntil: NOON }), null);
    await ledger.write(project, { kind: 'project', entry: { ...BLANK_PROJECT_ENTRY, held: ['a'] } }, null, null);
    await ledger.write(`${project}-other`, { kind: 'integration', id: 'b', entry: anEntry() }, null, null);
    const view = await ledger.read(project);
    expect([...view.integrations.keys()].sort()).toEqual(['a', 'project']);
    expect(view.project?.entry.held).toEqual(['a']);
  });

  it('accepts a write that names the version that was read', async () => {
    const first = await write('a', anEntry(), null);
    const second = await write('a', anEntry({ ignoredUntil: NOON }), first);
    expect(second).not.toBe(first);
    expect((await ledger.read(project)).integrations.get('a')?.entry.ignoredUntil).toBe(NOON);
  });

  it('refuses a write that names another version, and changes nothing', async () => {
    const first = await write('a', anEntry(), null);
    await write('a', anEntry({ ignoredUntil: NOON }), first);
    await expect(write('a', anEntry(), first)).rejects.toThrow(LostRaceError);
    expect((await ledger.read(project)).integrations.get('a')?.entry.ignoredUntil).toBe(NOON);
  });

  it('refuses a first write when there is already an entry', async () => {
    await write('a', anEntry(), null);
    await expect(write('a', anEntry(), null)).rejects.toThrow(LostRaceError);
  });

  it('lets exactly one of many simultaneous writers win', async () => {
    const writers = Array.from({ length: 8 }, () => write('a', anEntry(), null));
    const outcomes = await Promise.allSettled(writers);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LostRaceError);
    }
  });

  it('forgets an expired entry, and accepts a first write in its place', async () => {
    await write('a', anEntry(), null, minutesAfter(NOON, 10));
    clock.advance(9);
    expect((await ledger.read(project)).integrations.get('a')?.expiresAt).toBe(minutesAfter(NOON, 10));
    clock.advance(1);
    expect((await ledger.read(project)).integrations.size).toBe(0);
    await write('a', anEntry({ ignoredUntil: NOON }), null);
    expect((await ledger.read(project)).integrations.size).toBe(1);
  });

  describe('keeps the history', () => {
    const happened = (minutes: number, id = 'a') =>
      makeEvent({
        type: 'integration.paused',
        project,
        time: minutesAfter(NOON, minutes),
        episode: minutesAfter(NOON, minutes),
        reason: 'why',
        record: aFailingRecord(61, 48, { id }),
      });

    it('and returns it unchanged from a moment on, oldest first', async () => {
      await ledger.appendHistory(project, [happened(2), happened(1, 'b')]);
      await ledger.appendHistory(project, [happened(0)]);
      expect(await ledger.history(project, minutesAfter(NOON, 1))).toEqual([happened(1, 'b'), happened(2)]);
      expect(await ledger.history(project, NOON)).toHaveLength(3);
    });

    it('with each event once, even if it is appended again', async () => {
      await ledger.appendHistory(project, [happened(1)]);
      await ledger.appendHistory(project, [happened(1), happened(2)]);
      expect(await ledger.history(project, NOON)).toEqual([happened(1), happened(2)]);
    });

    it('for ninety days', async () => {
      await ledger.appendHistory(project, [happened(0), happened(10)]);
      clock.advance(HISTORY_DAYS * 24 * 60 + 5);
      expect(await ledger.history(project, NOON)).toEqual([happened(10)]);
    });

    it('apart from other projects, and from the entries', async () => {
      await ledger.appendHistory(project, [happened(1)]);
      expect(await ledger.history(`${project}-other`, NOON)).toEqual([]);
      expect(await ledger.read(project)).toEqual({ project: null, integrations: new Map() });
    });
  });

  describe.runIf(limited)('accepts an item up to 400 KB of UTF-8', () => {
    it('as an entry, and refuses a larger one', async () => {
      const entry = richEntry();
      const room = roomFor(toLedgerItem(project, { kind: 'integration', id: 'a', entry }, 1, minutesAfter(NOON, 10)));
      const expiresAt = minutesAfter(NOON, 10);
      await write('a', padded(entry, room), null, expiresAt);
      await expect(write('b', padded(entry, room + 1), null, expiresAt)).rejects.toThrow(LedgerUnavailableError);
      expect([...(await ledger.read(project)).integrations.keys()]).toEqual(['a']);
    });

    it('as an event of the history, and refuses a larger one', async () => {
      const event = makeEvent({ type: 'guard.held', project, time: NOON, episode: NOON, reason: 'why' });
      const room = roomFor(toHistoryItem(project, event));
      await ledger.appendHistory(project, [padded(event, room)]);
      await expect(ledger.appendHistory(project, [padded(event, room + 1)])).rejects.toThrow(LedgerUnavailableError);
      expect(await ledger.history(project, NOON)).toEqual([padded(event, room)]);
    });
  });

  it.each(ODD_NAMES)('accepts "%s" as the name of a project and as an ID', async (name) => {
    const item = { kind: 'integration', id: name, entry: anEntry() } as const;
    const event = makeEvent({ type: 'guard.held', project: name, time: NOON, episode: NOON, reason: 'why' });
    expect(await ledger.read(name)).toEqual({ project: null, integrations: new Map() });
    expect(await ledger.history(name, NOON)).toEqual([]);
    const first = await ledger.write(name, item, null, null);
    await expect(ledger.write(name, item, null, null)).rejects.toThrow(LostRaceError);
    const version = await ledger.write(name, item, first, null);
    await ledger.appendHistory(name, [event]);
    expect(await ledger.read(name)).toEqual({
      project: null,
      integrations: new Map([[name, { entry: anEntry(), version, expiresAt: null }]]),
    });
    expect(await ledger.history(name, NOON)).toEqual([event]);
  });

  it('keeps integrations with any IDs apart', async () => {
    const id = fc.oneof(fc.constantFrom(...ODD_NAMES), fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}$/));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(id, { minLength: 1, maxLength: 5 }), async (ids) => {
        count += 1;
        project = `project-${count}`;
        for (const each of ids) await write(each, padded(anEntry(), each.length), null);
        const { integrations } = await ledger.read(project);
        const written = ids.map((each) => [each, padded(anEntry(), each.length)] as const);
        expect(new Map([...integrations].map(([each, { entry }]) => [each, entry]))).toEqual(new Map(written));
      }),
      { numRuns: 30 },
    );
  });

  it('holds hundreds of entries', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, index) => write(`i${index}`, richEntry(), null)));
    expect((await ledger.read(project)).integrations.size).toBe(60);
  });
});

describe('a ledger in a JSON file', () => {
  it('refuses a file that is not a ledger, says what to do, and leaves it as it is', async () => {
    const path = join(folder, 'not-a-ledger.json');
    await writeFile(path, '{"precious": true}');
    const ledger = createFileLedger(path, clock);
    await expect(ledger.read('p')).rejects.toThrow(LedgerUnavailableError);
    await expect(ledger.write('p', { kind: 'integration', id: 'a', entry: anEntry() }, null, null)).rejects.toThrow(
      /is not a ledger of this guard; restore it from a backup, .* or move it away/,
    );
    expect(await readFile(path, 'utf8')).toBe('{"precious": true}');
  });

  it('reads a file of version 1, and writes it in the current format', async () => {
    const path = join(folder, 'format-1.json');
    const ids = ['amp-ios', 'constructor', '__proto__'];
    const event = makeEvent({ type: 'guard.held', project: 'p', time: NOON, episode: NOON, reason: 'why' });
    const stored = (version: number) => ({ entry: V1_ENTRY, version, expiresAt: minutesAfter(NOON, 60) });
    const read = (version: number) => ({ ...stored(version), entry: anEntry() });
    const integrations = Object.fromEntries(ids.map((id, index) => [id, stored(index + 1)]));
    const first = {
      project: { entry: V1_PROJECT_ENTRY, version: 7, expiresAt: null },
      integrations,
      history: [event],
    };
    const projects = Object.fromEntries([
      ['p', first],
      ['__proto__', { integrations: { a: stored(1) } }],
    ]);
    await writeFile(path, JSON.stringify({ format: 1, projects }));

    const ledger = createFileLedger(path, clock);
    const view = await ledger.read('p');
    expect(view.project).toEqual({
      entry: { ...BLANK_PROJECT_ENTRY, listed: { count: 0, sample: [] } },
      version: 7,
      expiresAt: null,
    });
    expect([...view.integrations]).toEqual(ids.map((id, index) => [id, read(index + 1)]));
    expect([...(await ledger.read('__proto__')).integrations.keys()]).toEqual(['a']);
    expect(await ledger.history('p', NOON)).toEqual([event]);

    await ledger.write('p', { kind: 'integration', id: 'amp-ios', entry: anEntry() }, 1, null);
    const { format, items } = JSON.parse(await readFile(path, 'utf8'));
    expect(format).toBe(2);
    const schemas = items.map(({ integration, schema }: Record<string, unknown>) => [integration, schema]);
    expect(new Map(schemas)).toEqual(
      new Map<unknown, unknown>([
        ['amp-ios', 3],
        ['constructor', 1],
        ['__proto__', 1],
        [null, 1],
        ['a', 1],
      ]),
    );
    expect((await ledger.read('p')).integrations.size).toBe(3);
    expect(await ledger.history('p', NOON)).toEqual([event]);
  });

  it('refuses what a newer version has written, and says so', async () => {
    const path = join(folder, 'newer.json');
    const item = { project: 'p', integration: 'a', version: 1, expiresAt: null, schema: 4, entry: {} };
    await writeFile(path, JSON.stringify({ format: 2, items: [item], history: [] }));
    await expect(createFileLedger(path, clock).read('p')).rejects.toThrow(/written by a newer version of the guard/);
  });

  it('refuses a file that is cut off', async () => {
    const path = join(folder, 'cut.json');
    await writeFile(path, '{"format":1,"projects":{"p":');
    await expect(createFileLedger(path, clock).read('p')).rejects.toThrow(LedgerUnavailableError);
  });
});

describe('a ledger in DynamoDB', () => {
  it('never treats an error as an empty ledger', async () => {
    const ledger = createDynamoLedger(dynamo.client, 'no-such-table', clock);
    await expect(ledger.read('p')).rejects.toThrow(LedgerUnavailableError);
    await expect(ledger.write('p', { kind: 'integration', id: 'a', entry: anEntry() }, null, null)).rejects.toThrow(
      LedgerUnavailableError,
    );
  });

  it('stores the schema with every item, and reads items of version 1 without one', async () => {
    const ledger = createDynamoLedger(dynamo.client, LEDGER_TABLE, clock);
    const documents = DynamoDBDocumentClient.from(dynamo.client);
    const event = makeEvent({ type: 'guard.held', project: 'old', time: NOON, episode: NOON, reason: 'why' });
    const put = async ({ schema: _, ...Item }: { readonly schema: number; readonly entry?: unknown }) => {
      await documents.send(new PutCommand({ TableName: LEDGER_TABLE, Item }));
    };
    const a = toLedgerItem('old', { kind: 'integration', id: 'a', entry: anEntry() }, 1, null);
    const project = toLedgerItem('old', { kind: 'project', entry: BLANK_PROJECT_ENTRY }, 4, null);
    await put({ ...a, entry: V1_ENTRY });
    await put({ ...project, entry: V1_PROJECT_ENTRY });
    await put(toHistoryItem('old', event));
    const view = await ledger.read('old');
    const entry = { ...BLANK_PROJECT_ENTRY, listed: { count: 0, sample: [] } };
    expect(view.project).toEqual({ entry, version: 4, expiresAt: null });
    expect(view.integrations.get('a')).toEqual({ entry: anEntry(), version: 1, expiresAt: null });
    expect(await ledger.history('old', NOON)).toEqual([event]);

    await ledger.write('old', { kind: 'integration', id: 'a', entry: anEntry() }, 1, null);
    const Key = { project: 'old', item: 'integration#a' };
    expect((await documents.send(new GetCommand({ TableName: LEDGER_TABLE, Key }))).Item).toMatchObject({ schema: 3 });
  });

  it('refuses what a newer version has written, and says so', async () => {
    const Item = { project: 'newer', item: 'integration#a', version: 1, schema: 4, entry: {} };
    await DynamoDBDocumentClient.from(dynamo.client).send(new PutCommand({ TableName: LEDGER_TABLE, Item }));
    await expect(createDynamoLedger(dynamo.client, LEDGER_TABLE, clock).read('newer')).rejects.toThrow(
      /written by a newer version of the guard/,
    );
  });

  it('reads all pages of one megabyte', async () => {
    const ledger = createDynamoLedger(dynamo.client, LEDGER_TABLE, clock);
    const big = anEntry({ ignoredUntil: 'x'.repeat(300_000) });
    for (const id of ['a', 'b', 'c', 'd', 'e'])
      await ledger.write('big', { kind: 'integration', id, entry: big }, null, null);
    expect((await ledger.read('big')).integrations.size).toBe(5);
  });
});
