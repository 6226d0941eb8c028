import pMap from 'p-map';
import { isSettled } from '../../functions/guard/model/entry.ts';
import { type GuardEvent, isAuditOnly } from '../../functions/guard/model/event.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { type Ledger, type LedgerView, MACHINES, PEOPLE, type Ports } from '../../functions/guard/ports.ts';
import type { World } from '../../functions/sandbox/world.ts';
import { aPolicy } from '../support/builders.ts';
import { createWorldApi } from '../support/memory-ports.ts';
import {
  BUSY_POLICY,
  BUSY_PROJECT,
  createBusyWorld,
  keyOf,
  playBusyDay,
  RECORDED_AT_ZERO,
  TOLD_AT_ZERO,
} from './busy-day.ts';
import { createCountingGate, createCrashGate, MOMENTS, type Moment } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { createMemoryPlace, type Opened, openPlaces, type Place, type Told } from './places.ts';

/**
 * Crash at every step: the pass over a busy day dies before and after each of its effects, the next passes run, and what
 * was told and done must be what an undisturbed guard tells and does. Here the dying is played within the process, which
 * is fast enough to let a second pass die as well; `kill.ts` does it with a real one.
 */

export const CRASH_PROJECT = { name: BUSY_PROJECT, policy: aPolicy(BUSY_POLICY) };

/** How long after minute 0 the stories are compared. Long enough for two passes to repair, too short for new probes. */
const HORIZON_MINUTES = 30;

/** The moment before the pass at minute 0: what every story begins from. */
export interface Eve {
  readonly world: World;
  readonly view: LedgerView;
}

export async function reachEve(): Promise<Eve> {
  const world = createBusyWorld();
  const opened = await createMemoryPlace().open({ now: () => world.now() });
  const ports = opened.ports(createWorldApi(world));
  await playBusyDay(world, () => runPass(ports, CRASH_PROJECT));
  return { world, view: await opened.ledger.read(CRASH_PROJECT.name) };
}

export async function fill(ledger: Ledger, project: string, view: LedgerView): Promise<void> {
  for (const [id, { entry, expiresAt }] of view.integrations) {
    await ledger.write(project, { kind: 'integration', id, entry }, null, expiresAt);
  }
  if (view.project !== null) {
    await ledger.write(project, { kind: 'project', entry: view.project.entry }, null, null);
  }
}

/** What is left of a story when it is over. */
export interface Ending {
  readonly told: Told;
  /** Ids of what the history has and people were alerted of. */
  readonly kept: ReadonlySet<string>;
  /** Ids of what only the history has, by type and integration. */
  readonly recorded: ReadonlyMap<string, ReadonlySet<string>>;
  /** `active` by integration. */
  readonly states: Readonly<Record<string, number>>;
  /** The circuit's state by integration, as the ledger has it. */
  readonly circuits: Readonly<Record<string, string>>;
  /** Entries with an attempt or an alert that is left. */
  readonly unsettled: readonly string[];
  /** Writes of one more pass at the same moment: a ledger that is settled needs none. */
  readonly writesAfter: number;
}

/** One pass of a story; an undisturbed one when left out. Resolves when it has ended or died. */
export type Pass = (opened: Opened, world: World) => Promise<unknown>;

const undisturbed: Pass = (opened, world) => runPass(opened.ports(createWorldApi(world)), CRASH_PROJECT);

/** Lets these passes happen, five minutes apart from minute 0 on, and undisturbed ones after them, up to the horizon. */
export async function live(eve: Eve, place: Place, passes: readonly Pass[]): Promise<Ending> {
  const world = eve.world.clone();
  const opened = await place.open({ now: () => world.now() });
  await fill(opened.ledger, CRASH_PROJECT.name, eve.view);
  for (let passed = 0; passed <= HORIZON_MINUTES; passed += 5) {
    await (passes[passed / 5] ?? undisturbed)(opened, world);
    await opened.rest();
    if (passed < HORIZON_MINUTES) world.advance(5);
  }
  const writesAfter = await countWrites(opened.ports(createWorldApi(world)));
  const view = await opened.ledger.read(CRASH_PROJECT.name);
  const entries = [...view.integrations];
  // What operators did happened before the pass that saw it.
  const kept = await opened.ledger.history(CRASH_PROJECT.name, '2026-01-01T00:00:00.000Z');
  return {
    told: await opened.told(),
    kept: new Set(kept.filter((event) => !isAuditOnly(event)).map(({ id }) => id)),
    recorded: recordedOf(kept),
    states: Object.fromEntries(world.list().map(({ id, active }) => [id, active])),
    circuits: Object.fromEntries(entries.map(([id, { entry }]) => [id, entry.state.name])),
    unsettled: [
      ...entries.flatMap(([id, { entry }]) => (isSettled(entry) ? [] : [id])),
      ...(view.project !== null && !isSettled(view.project.entry) ? ['the project'] : []),
    ],
    writesAfter,
  };
}

function recordedOf(history: readonly GuardEvent[]): ReadonlyMap<string, ReadonlySet<string>> {
  const ids = new Map<string, Set<string>>();
  for (const event of history.filter(isAuditOnly))
    ids.set(keyOf(event), (ids.get(keyOf(event)) ?? new Set()).add(event.id));
  return ids;
}

async function countWrites(ports: Ports): Promise<number> {
  let writes = 0;
  const write: Ledger['write'] = (...args) => {
    writes += 1;
    return ports.ledger.write(...args);
  };
  await runPass({ ...ports, ledger: { ...ports.ledger, write } }, CRASH_PROJECT);
  return writes;
}

/** A pass whose alerts nobody accepts. */
const untold: Pass = (opened, world) => {
  const publish = async () => new Set<string>();
  return runPass(
    { ...opened.ports(createWorldApi(world)), alerts: { audiences: [PEOPLE, MACHINES], publish } },
    CRASH_PROJECT,
  );
};

/** A pass whose list has lost some of the integrations that the pass before was at work on: so few that it is not suspicious. */
const lossy: Pass = (opened, world) => {
  const api = createWorldApi(world);
  const list = async () => {
    const listed = await api.list();
    return { ...listed, records: listed.records.filter(({ id }) => !LOST.has(id)) };
  };
  return runPass(opened.ports({ ...api, list }), CRASH_PROJECT);
};

const LOST: ReadonlySet<string> = new Set(['trips', 'probes', 'fails-probe', 'gives-up']);

/** A pass whose list has lost what it could read. */
const listless: Pass = (opened, world) => {
  const api = createWorldApi(world);
  const list = async () => ({ ...(await api.list()), records: [] });
  return runPass(opened.ports({ ...api, list }), CRASH_PROJECT);
};

/** What is announced of a list that is suddenly empty, and of its end. */
const SUSPICIOUS = ['guard.list-suspicious', 'guard.recovered'];

/** A pass that dies within the process, at the n-th effect. `effects` fills with those it began. */
function dying(n: number, when: Moment): { readonly pass: Pass; readonly effects: readonly string[] } {
  const gate = createCrashGate(n, when);
  const pass: Pass = (opened, world) =>
    Promise.race([runPass(opened.ports(createWorldApi(world), gate), CRASH_PROJECT), gate.died]);
  return { pass, effects: gate.effects };
}

/**
 * Everything in which a disturbed story ends other than the undisturbed one.
 * @param more what it has to announce besides
 */
export function compareEndings(ending: Ending, reference: Ending, more: readonly string[] = []): readonly string[] {
  const wrong: string[] = [];
  for (const [key, ids] of reference.told.machines) {
    const told = ending.told.machines.get(key)?.size ?? 0;
    if (told < ids.size) wrong.push(`alert lost: ${key}`);
    if (told > ids.size) wrong.push(`a copy under another id: ${key}`);
    const [, id] = key.split(' ');
    if (id !== undefined && !ending.told.people.includes(`(${id})`)) wrong.push(`people never heard: ${key}`);
  }
  for (const key of ending.told.machines.keys())
    if (!reference.told.machines.has(key) && !more.includes(key)) wrong.push(`alert of what never happened: ${key}`);
  for (const key of more) if (!ending.told.machines.has(key)) wrong.push(`alert lost: ${key}`);
  for (const key of new Set([...reference.recorded.keys(), ...ending.recorded.keys()])) {
    const [are, were] = [ending, reference].map(({ recorded }) => recorded.get(key)?.size ?? 0);
    if (are !== were) wrong.push(`recorded ${are} times instead of ${were}: ${key}`);
  }
  const told = new Set([...ending.told.machines.values()].flatMap((ids) => [...ids]));
  const same = told.size === ending.kept.size && [...told].every((id) => ending.kept.has(id));
  if (!same) wrong.push('the history is not what was told');
  for (const [id, active] of Object.entries(reference.states)) {
    if (ending.states[id] !== active) wrong.push(`${id} is ${ending.states[id]}, the policy wants ${active}`);
  }
  for (const [id, state] of Object.entries(reference.circuits)) {
    if (ending.circuits[id] !== state) wrong.push(`the ledger has ${id} ${ending.circuits[id]} instead of ${state}`);
  }
  for (const id of ending.unsettled) wrong.push(`not settled: ${id}`);
  if (ending.writesAfter > 0) wrong.push(`a pass with nothing to do wrote ${ending.writesAfter} times`);
  return wrong;
}

/** The undisturbed story. @throws when the busy day has become less busy than this harness says */
export async function liveUndisturbed(eve: Eve, place: Place): Promise<{ ending: Ending; effects: readonly string[] }> {
  const gate = createCountingGate();
  const ending = await live(eve, place, [
    (opened, world) => runPass(opened.ports(createWorldApi(world), gate), CRASH_PROJECT),
  ]);
  const missing = [
    ...TOLD_AT_ZERO.filter((key) => !ending.told.machines.has(key)),
    ...RECORDED_AT_ZERO.filter((key) => !ending.recorded.has(key)),
  ];
  if (missing.length > 0) throw new Error(`the busy day no longer tells: ${missing.join(', ')}`);
  return { ending, effects: gate.effects };
}

export interface CrashPoint {
  readonly n: number;
  readonly when: Moment;
  readonly name: string;
}

/** Every effect, before and after it. */
export function crashPoints(effects: readonly string[]): readonly CrashPoint[] {
  return effects.flatMap((effect, n) => MOMENTS.map((when) => ({ n, when, name: `${when} effect ${n} (${effect})` })));
}

/** A part of them, evenly spread, for when not all can be tried. */
export function sample<T>(all: readonly T[], share: number): readonly T[] {
  return all.filter((_, index) => index % share === 0);
}

export async function crashEverywhere(size: Size): Promise<readonly Finding[]> {
  const eve = await reachEve();
  const places = await openPlaces();
  const findings: Finding[] = [];
  for (const place of places) {
    const { ending, effects } = await liveUndisturbed(eve, place);
    const all = crashPoints(effects);
    const inMemory = place.name === 'in memory';
    const points = inMemory || size !== 'quick' ? all : sample(all, 5);
    const violations: string[] = [];
    let tried = 0;
    const judge = async (name: string, passes: readonly Pass[], more: readonly string[] = []) => {
      tried += 1;
      for (const wrong of compareEndings(await live(eve, place, passes), ending, more)) {
        violations.push(`${place.name}, killed ${name}: ${wrong}`);
      }
    };
    await pMap(points, ({ n, when, name }) => judge(name, [dying(n, when).pass]), { concurrency: 4 });
    await judge('by nothing, but no alert was accepted', [untold]);
    // The next pass gets a list that has lost some records, or all, and the one after it has them again.
    await pMap(points, ({ n, when, name }) => judge(`${name}, then a shorter list`, [dying(n, when).pass, lossy]), {
      concurrency: 4,
    });
    const empty = (point: CrashPoint) =>
      judge(`${point.name}, then an empty list`, [dying(point.n, point.when).pass, listless], SUSPICIOUS);
    await pMap(sample(points, 4), empty, { concurrency: 4 });
    // In memory it is fast enough to let the next pass die as well, wherever.
    if (inMemory && size !== 'quick') {
      for (const { n, when, name } of all) {
        for (let m = 0, more = true; more; m += 1) {
          for (const then of MOMENTS) {
            const second = dying(m, then);
            await judge(`${name}, then ${then} effect ${m}`, [dying(n, when).pass, second.pass]);
            more = second.effects.length > m;
          }
        }
      }
    }
    findings.push({ harness: `crash, ${place.name}`, unit: 'crash points', tried, violations });
  }
  for (const place of places) await place.close();
  return findings;
}
