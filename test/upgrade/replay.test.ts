import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDynamoLedger } from '../../functions/aws/ledger.ts';
import { isAuditOnly } from '../../functions/guard/model/event.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import type { Clock, Ledger, LedgerItem, Ports } from '../../functions/guard/ports.ts';
import type { GuardedProject } from '../../functions/guard/settings/types.ts';
import { ENTRY, PROJECT_ENTRY } from '../../functions/ledger/upcast.ts';
import { createFileLedger } from '../../functions/local/ledger.ts';
import type { World } from '../../functions/sandbox/world.ts';
import { keyOf } from '../faults/busy-day.ts';
import { LEDGER_TABLE, startDynamo } from '../support/aws-emulators.ts';
import { aPolicy } from '../support/builders.ts';
import { createMemoryAlerts, createMemoryLedger, createWorldApi, silentLog } from '../support/memory-ports.ts';
import { createWorldV1, POLICY_V1, playDayV1 } from './busy-day-v1.ts';
import { type LedgersV1, type RecordedItem, type RecordedPass, readLedgersV1 } from './ledgers-v1.ts';

/**
 * The previous version was stopped at any step of a pass, and this version continues with its ledger: no alert is lost, and none is
 * announced twice.
 */
const recorded: LedgersV1 = await readLedgersV1();

const PROJECT: GuardedProject = { name: recorded.project, policy: aPolicy(POLICY_V1) };

let dynamo: Awaited<ReturnType<typeof startDynamo>>;
let folder: string;
let count = 0;

beforeAll(async () => {
  dynamo = await startDynamo();
  folder = await mkdtemp(join(tmpdir(), 'upgrade-'));
});

afterAll(async () => {
  await dynamo.stop();
  await rm(folder, { recursive: true });
});

/** The world of minute 0, after the recorded status calls of the previous version. */
async function worldAtZero(): Promise<World> {
  const world = createWorldV1();
  const zero = Date.parse(recorded.at);
  await playDayV1(world, async () => {
    const minute = Math.round((world.now().getTime() - zero) / 60_000);
    for (const [at, id, status] of recorded.eve.statusCalls) if (at === minute) world.setStatus(id, status);
  });
  return world;
}

/** Current ledgers over items of the previous version, which have no schema. */
const PLACES: readonly {
  readonly name: string;
  /** Every how many of the recorded points are tested, because files and tables are slow. */
  readonly every: number;
  readonly open: (items: readonly RecordedItem[], clock: Clock) => Promise<Ledger>;
}[] = [
  {
    name: 'memory',
    every: 1,
    open: async (items, clock) => {
      const ledger = createMemoryLedger(clock);
      for (const { id, entry, expiresAt } of items) {
        const item: LedgerItem =
          id === null
            ? { kind: 'project', entry: PROJECT_ENTRY[1](entry) }
            : { kind: 'integration', id, entry: ENTRY[1](entry) };
        await ledger.write(recorded.project, item, null, expiresAt);
      }
      return ledger;
    },
  },
  {
    name: 'a file',
    every: 9,
    open: async (items, clock) => {
      const path = join(folder, `ledger-${count}.json`);
      const own = items.find(({ id }) => id === null);
      const stored = ({ entry, version, expiresAt }: RecordedItem) => ({ entry, version, expiresAt });
      const integrations = Object.fromEntries(
        items.flatMap((item) => (item.id === null ? [] : [[item.id, stored(item)]])),
      );
      const project = { integrations, history: [], ...(own === undefined ? {} : { project: stored(own) }) };
      await writeFile(path, JSON.stringify({ format: 1, projects: { [recorded.project]: project } }));
      return createFileLedger(path, clock);
    },
  },
  {
    name: 'DynamoDB',
    every: 9,
    open: async (items, clock) => {
      const partition = `upgrade-${count}`;
      const documents = DynamoDBDocumentClient.from(dynamo.client);
      for (const { id, entry, version, expiresAt } of items) {
        const item = id === null ? 'project' : `integration#${id}`;
        const expires = expiresAt === null ? {} : { expires_at: Math.ceil(Date.parse(expiresAt) / 1_000) };
        const Item = { project: partition, item, version, entry, ...expires };
        await documents.send(new PutCommand({ TableName: LEDGER_TABLE, Item }));
      }
      const ledger = createDynamoLedger(dynamo.client, LEDGER_TABLE, clock);
      return {
        read: () => ledger.read(partition),
        write: (_project, ...rest) => ledger.write(partition, ...rest),
        appendHistory: (_project, events) => ledger.appendHistory(partition, events),
        history: (_project, since) => ledger.history(partition, since),
      };
    },
  },
];

/** IDs of the events that a stopped pass of the previous version had recorded and not settled. */
function unsettledOf(items: readonly RecordedItem[]): ReadonlySet<string> {
  interface Intent {
    readonly events: readonly { readonly id: string }[];
    readonly owed?: readonly { readonly id: string }[];
  }
  const intents = items.flatMap(({ entry }) => (entry as { readonly intent: Intent | null }).intent ?? []);
  return new Set(intents.flatMap(({ events, owed = [] }) => [...events, ...owed].map(({ id }) => id)));
}

/** Those of them that certainly happened: without the alerts of a request that never reached Qonversion. */
function happenedOf({ items, statusCalls }: RecordedPass): ReadonlySet<string> {
  const asked = (id: string | null, entry: unknown) => {
    const { intent } = entry as { readonly intent: { readonly act?: { readonly status: number } | null } | null };
    const act = intent?.act ?? null;
    return act === null || statusCalls.some(([called, status]) => called === id && status === act.status);
  };
  return unsettledOf(items.filter(({ id, entry }) => asked(id, entry)));
}

type Open = (typeof PLACES)[number]['open'];

/** Runs passes of this version, five minutes apart, over the state after a recorded pass. */
async function runOn(point: RecordedPass, open: Open, minutes: number, project = PROJECT) {
  count += 1;
  const world = await worldAtZero();
  for (const [id, status] of point.statusCalls) world.setStatus(id, status);
  const clock = { now: () => world.now() };
  const ledger = await open(point.items, clock);
  const alerts = createMemoryAlerts();
  const api = createWorldApi(world);
  const ports: Ports = { api, ledger, alerts, clock, log: silentLog, remainingMs: () => 120_000 };
  for (let passed = 5; passed <= minutes; passed += 5) {
    world.advance(5);
    await runPass(ports, project);
  }
  return { world, ledger, alerts, ports };
}

async function faultsAfter(point: RecordedPass, open: Open): Promise<readonly string[]> {
  const { world, ledger, alerts, ports } = await runOn(point, open, recorded.reference.minutes);

  const wrong: string[] = [];
  const ids = new Map<string, Set<string>>();
  const note = (key: string, id: string) => ids.set(key, (ids.get(key) ?? new Set()).add(id));
  for (const { key, id } of point.published) note(key, id);
  for (const event of alerts.events()) note(keyOf(event), event.id);
  for (const [key, expected] of Object.entries(recorded.reference.published)) {
    if ((ids.get(key)?.size ?? 0) > expected.length) wrong.push(`announced under another id: ${key}`);
  }
  const failed = /lost|refused/.test(point.name);
  for (const key of ids.keys()) {
    const expected = Object.hasOwn(recorded.reference.published, key) || (failed && key.includes('-failed '));
    if (!expected) wrong.push(`announced what never happened: ${key}`);
  }
  const unsettled = unsettledOf(point.items);
  const before = new Set(point.published.map(({ id }) => id));
  const again = alerts.events().filter(({ id }) => before.has(id) && !unsettled.has(id));
  for (const event of again) wrong.push(`announced again although it was settled: ${keyOf(event)}`);

  const history = await ledger.history(recorded.project, '2026-01-01T00:00:00.000Z');
  const delivered = new Set([...point.published, ...alerts.events(), ...history].map(({ id }) => id));
  for (const id of happenedOf(point)) if (!delivered.has(id)) wrong.push(`lost: ${id}`);

  const view = await ledger.read(recorded.project);
  for (const [id, { entry }] of view.integrations) {
    if (entry.attempt !== null || entry.outbox.length > 0) wrong.push(`not settled: ${id}`);
    const active = world.get(id)?.active;
    const { name } = entry.state;
    const fits = active === undefined || (name === 'closed' || name === 'half-open' ? active === 1 : active !== 1);
    if (!fits) wrong.push(`the ledger has ${id} ${name}, and Qonversion ${active}`);
  }
  const { length: alertsBefore } = alerts.events();
  const quiet = await runPass(ports, PROJECT);
  if (quiet.results.some(({ outcome }) => outcome !== 'quiet')) wrong.push('a pass with nothing to do was not quiet');
  if (alerts.events().length > alertsBefore) wrong.push('a pass with nothing to do announced something');
  const kept = new Set([...point.history.map(({ id }) => id), ...history.map(({ id }) => id)]);
  const missing = [...ids].filter(([, all]) => [...all].some((id) => !kept.has(id))).map(([key]) => key);
  for (const key of missing) wrong.push(`not in the history: ${key}`);
  if (alerts.events().some(isAuditOnly)) wrong.push('an audit-only event was announced');
  return wrong;
}

const POINTS = [...recorded.crashes, ...recorded.mishaps];

describe('a ledger of the previous version', () => {
  it('is replayed in the world of its recording', async () => {
    expect((await worldAtZero()).list()).toEqual(recorded.eve.records);
    expect(POINTS.length).toBeGreaterThan(50);
  });

  it('leads to reminders with IDs of their own', async () => {
    const [place] = PLACES;
    const settled = recorded.crashes.at(-1);
    if (place === undefined || settled === undefined) throw new Error('the recording has no passes');
    // Without probes, which would interrupt the reminders.
    const policy = aPolicy({ ...POLICY_V1, recovery: { mode: 'manual' }, remindAt: '08:00' });
    const { alerts } = await runOn(settled, place.open, 24 * 60, { ...PROJECT, policy });
    const reminders = [...settled.published, ...alerts.events().map((event) => ({ key: keyOf(event), id: event.id }))];
    const ids = reminders.filter(({ key }) => key === 'integration.still-down reminds').map(({ id }) => id);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(2);
  });

  it.each(PLACES)(
    'in $name is taken over without lost or repeated alerts, at every step where its pass stopped',
    async (place) => {
      const wrong: string[] = [];
      for (const point of POINTS.filter((_, index) => index % place.every === 0)) {
        for (const sentence of await faultsAfter(point, place.open)) wrong.push(`${point.name}: ${sentence}`);
      }
      expect(wrong).toEqual([]);
    },
  );
});
