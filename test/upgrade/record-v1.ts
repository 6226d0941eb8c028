import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import {
  LEDGERS_V1_FILE,
  type RecordedEvent,
  type RecordedItem,
  type StoredLedgersV1,
  type StoredPass,
} from './ledgers-v1.ts';

/**
 * Records `ledgers-v1.json`: the ledgers of version 1 of the guard after it was killed, or an answer was lost, at each step of a
 * pass. The file was recorded once, from the last commit of version 1. The script imports the guard's modules from that checkout
 * only. Ports are in memory and time is the sandbox's, so two recordings are identical.
 * @example
 * git worktree add ../version-1 6abfc23       # and `npm ci` there
 * node test/upgrade/record-v1.ts ../version-1
 */

/** The necessary types of version 1, written by hand because its own are in the other checkout. */
interface Clock {
  readonly now: () => Date;
}

interface World {
  clone(): World;
  now(): Date;
  list(): readonly { readonly id: string; readonly active: number }[];
}

interface Event {
  readonly id: string;
  readonly type: string;
  readonly record: { readonly id: string } | null;
}

interface Versioned {
  readonly version: number;
  readonly expiresAt: string | null;
  readonly entry: unknown;
}

interface View {
  readonly project: Versioned | null;
  readonly integrations: ReadonlyMap<string, Versioned>;
}

interface Ledger {
  read(project: string): Promise<View>;
  keep(project: string, events: readonly Event[]): Promise<void>;
  history(project: string, since: string): Promise<readonly Event[]>;
}

type Status = 0 | 1;

interface Api {
  readonly statusCalls: readonly (readonly [string, Status])[];
  setStatus(id: string, status: Status): Promise<unknown>;
}

interface Ports {
  readonly api: Api;
}

interface Gate {
  readonly died: Promise<void>;
  readonly effects: readonly string[];
}

interface Told {
  readonly machines: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Opened {
  readonly ledger: Ledger;
  ports(api: Api, gate?: Gate): Ports;
  told(): Promise<Told>;
}

interface Place {
  open(clock: Clock): Promise<Opened>;
}

interface Project {
  readonly name: string;
}

interface Eve {
  readonly world: World;
  readonly view: View;
}

interface CrashPoint {
  readonly n: number;
  readonly when: string;
  readonly name: string;
}

interface BusyDay {
  createBusyWorld(): World;
  playBusyDay(world: World, pass: () => Promise<unknown>): Promise<void>;
  keyOf(event: Event): string;
}

interface Crash {
  readonly CRASH_PROJECT: Project;
  fill(ledger: Ledger, project: string, view: View): Promise<void>;
  crashPoints(effects: readonly string[]): readonly CrashPoint[];
  liveUndisturbed(
    eve: Eve,
    place: Place,
  ): Promise<{
    readonly ending: {
      readonly told: Told;
      readonly states: Readonly<Record<string, number>>;
      readonly circuits: Readonly<Record<string, string>>;
    };
    readonly effects: readonly string[];
  }>;
}

interface Modules {
  readonly busyDay: BusyDay;
  readonly crash: Crash;
  readonly effects: { createCrashGate(n: number, when: string): Gate };
  readonly places: { createMemoryPlace(): Place };
  readonly memory: { createWorldApi(world: World): Api };
  readonly pass: { runPass(ports: Ports, project: Project): Promise<unknown> };
  readonly file: { createFileLedger(path: string, clock: Clock): Ledger };
  readonly errors: { readonly UnavailableError: new (message: string) => Error };
}

/** How long version 1's harness runs after minute 0. */
const HORIZON_MINUTES = 30;

/** A moment before all events. */
const BEGINNING = '2026-01-01T00:00:00.000Z';

const [checkout] = process.argv.slice(2);
if (checkout === undefined)
  throw new Error('the folder of a checkout of version 1 is missing; pass it as the argument');
await record(await importModules(resolve(checkout)));

async function importModules(folder: string): Promise<Modules> {
  const load = async <T>(path: string) => (await import(pathToFileURL(join(folder, path)).href)) as T;
  return {
    busyDay: await load('test/faults/busy-day.ts'),
    crash: await load('test/faults/crash.ts'),
    effects: await load('test/faults/effects.ts'),
    places: await load('test/faults/places.ts'),
    memory: await load('test/support/memory-ports.ts'),
    pass: await load('functions/guard/pass.ts'),
    file: await load('functions/local/ledger.ts'),
    errors: await load('functions/qonversion/errors.ts'),
  };
}

async function record(modules: Modules): Promise<void> {
  const { crash, pass, effects: gates } = modules;
  const project = crash.CRASH_PROJECT;
  const { eve, statusCalls, history } = await reachEve(modules);
  const { ending, effects } = await crash.liveUndisturbed(eve, modules.places.createMemoryPlace());
  const items = createPool<RecordedItem>();
  const events = createPool<RecordedEvent>();
  const eveItems = (await openEve(modules, eve)).items.map(items.placeOf);

  const play = async (name: string, run: (ports: (gate?: Gate) => Ports) => Promise<unknown>): Promise<StoredPass> => {
    const world = eve.world.clone();
    const { opened } = await openEve(modules, eve, world);
    const api = modules.memory.createWorldApi(world);
    await run((gate) => opened.ports(api, gate));
    // Requests that were in flight when the pass was killed take effect.
    await setImmediate();
    const left = itemsOf(await opened.ledger.read(project.name)).map(items.placeOf);
    const kept = await opened.ledger.history(project.name, BEGINNING);
    const published = [...(await opened.told()).machines].flatMap(([key, ids]) => [...ids].map((id) => ({ id, key })));
    const toEvent = (event: Event) => ({ id: event.id, key: modules.busyDay.keyOf(event) });
    return {
      name,
      items: left.filter((place) => !eveItems.includes(place)),
      statusCalls: [...api.statusCalls],
      published: published.map(events.placeOf),
      history: kept.map(toEvent).map(events.placeOf),
    };
  };

  const crashes: StoredPass[] = [];
  for (const { n, when, name } of crash.crashPoints(effects)) {
    const gate = gates.createCrashGate(n, when);
    crashes.push(await play(name, (ports) => Promise.race([pass.runPass(ports(gate), project), gate.died])));
  }

  const disturbed = (change: (ports: Ports) => Partial<Ports> & object) => (ports: () => Ports) =>
    pass.runPass({ ...ports(), ...change(ports()) }, project);
  const lost = (changedNothing: boolean) =>
    Object.assign(new modules.errors.UnavailableError('Qonversion could not be reached: ECONNRESET'), {
      changedNothing,
    });
  const throwing = (api: Api, error: Error): Api => ({ ...api, setStatus: () => Promise.reject(error) });
  const mishaps = [
    await play(
      'no alert was accepted',
      disturbed(() => ({ alerts: { publish: async () => new Set<string>() } })),
    ),
    await play(
      'answers to status calls that took effect were lost',
      disturbed(({ api }) => ({
        api: { ...api, setStatus: (id, status) => api.setStatus(id, status).then(() => Promise.reject(lost(false))) },
      })),
    ),
    await play(
      'status calls were lost, and it is not known whether they took effect',
      disturbed(({ api }) => ({ api: throwing(api, lost(false)) })),
    ),
    await play(
      'status calls were refused',
      disturbed(({ api }) => ({ api: throwing(api, lost(true)) })),
    ),
  ];

  const stored: StoredLedgersV1 = {
    project: project.name,
    at: eve.world.now().toISOString(),
    eve: {
      items: eveItems,
      statusCalls,
      records: eve.world.list(),
      history,
      ledgerFile: await writeLedgerFile(modules, eve, history),
    },
    reference: {
      minutes: HORIZON_MINUTES,
      published: Object.fromEntries([...ending.told.machines].map(([key, ids]) => [key, [...ids]])),
      circuits: ending.circuits,
      active: ending.states,
    },
    crashes,
    mishaps,
    events: events.all,
    items: items.all,
  };
  await writeFile(LEDGERS_V1_FILE, toText(stored));
  console.log(`${crashes.length} crashes, ${mishaps.length} mishaps, ${items.all.length} items`);
}

/** Plays the day up to minute 0. */
async function reachEve({ busyDay, crash, places, memory, pass }: Modules) {
  const project = crash.CRASH_PROJECT;
  const world = busyDay.createBusyWorld();
  const opened = await places.createMemoryPlace().open({ now: () => world.now() });
  const api = memory.createWorldApi(world);
  const calls: { readonly at: number; readonly id: string; readonly status: Status }[] = [];
  const setStatus: Api['setStatus'] = (id, status) => {
    calls.push({ at: world.now().getTime(), id, status });
    return api.setStatus(id, status);
  };
  const ports = opened.ports({ ...api, setStatus });
  await busyDay.playBusyDay(world, () => pass.runPass(ports, project));
  const zero = world.now().getTime();
  return {
    eve: { world, view: await opened.ledger.read(project.name) },
    statusCalls: calls.map(({ at, id, status }) => [(at - zero) / 60_000, id, status] as const),
    history: await opened.ledger.history(project.name, BEGINNING),
  };
}

/** A ledger in memory with the state before the pass. */
async function openEve({ crash, places }: Modules, eve: Eve, world = eve.world) {
  const opened = await places.createMemoryPlace().open({ now: () => world.now() });
  const { name } = crash.CRASH_PROJECT;
  await crash.fill(opened.ledger, name, eve.view);
  return { opened, items: itemsOf(await opened.ledger.read(name)) };
}

function itemsOf({ project, integrations }: View): readonly RecordedItem[] {
  const toItem = (id: string | null, { version, expiresAt, entry }: Versioned) => ({ id, version, expiresAt, entry });
  return [
    ...(project === null ? [] : [toItem(null, project)]),
    ...[...integrations].sort(([left], [right]) => (left < right ? -1 : 1)).map(([id, item]) => toItem(id, item)),
  ];
}

async function writeLedgerFile({ crash, file }: Modules, eve: Eve, history: readonly Event[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ledger-v1-'));
  const path = join(folder, 'ledger.json');
  const ledger = file.createFileLedger(path, { now: () => eve.world.now() });
  await crash.fill(ledger, crash.CRASH_PROJECT.name, eve.view);
  await ledger.keep(crash.CRASH_PROJECT.name, history);
  const text = await readFile(path, 'utf8');
  await rm(folder, { recursive: true });
  return text;
}

/** A list of distinct values, and the position of each. */
function createPool<T>() {
  const all: T[] = [];
  const places = new Map<string, number>();
  return {
    all,
    placeOf: (value: T): number => {
      const key = JSON.stringify(value);
      const place = places.get(key) ?? all.push(value) - 1;
      places.set(key, place);
      return place;
    },
  };
}

/** JSON with one line for each element of its lists. */
function toText(value: object): string {
  const entries = Object.entries(value).map(([key, each]) => {
    if (!Array.isArray(each)) return `${JSON.stringify(key)}: ${JSON.stringify(each)}`;
    return `${JSON.stringify(key)}: [\n${each.map((element) => JSON.stringify(element)).join(',\n')}\n]`;
  });
  return `{\n${entries.join(',\n')}\n}\n`;
}
