import pMap from 'p-map';
import { isSettled } from '../../functions/guard/model/entry.ts';
import { type GuardEvent, isAuditOnly } from '../../functions/guard/model/event.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { type Ledger, type LedgerView, MACHINES, PEOPLE, type Ports } from '../../functions/guard/ports.ts';
import type { World } from '../../functions/sandbox/world.ts';
import { aPolicy } from '../support/builders.ts';
import type { IncidentTool } from '../support/incident-tool.ts';
import { createWorldApi } from '../support/memory-ports.ts';
import {
  ALERTS_AT_ZERO,
  BUSY_POLICY,
  BUSY_PROJECT,
  createBusyWorld,
  keyOf,
  playBusyDay,
  RECORDED_AT_ZERO,
} from './busy-day.ts';
import { createCountingGate, createCrashGate, MOMENTS, type Moment } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { createMemoryPlace, type Delivered, type Opened, openPlaces, type Place } from './places.ts';

/**
 * Crash at every step: the pass over a busy day dies before and after each of its effects, and the next passes run. All acts and alerts
 * must be those of an undisturbed guard. This harness only simulates the death, which is fast enough to let a second pass die too.
 * `kill.ts` kills a real process.
 */

export const CRASH_PROJECT = { name: BUSY_PROJECT, policy: aPolicy(BUSY_POLICY) };

/** The end of the stories, in minutes after minute 0. Long enough for later passes to finish the work, too short for new probes. */
const HORIZON_MINUTES = 30;

/** The state before the pass at minute 0. Every story begins with it. */
export interface Fixture {
  readonly world: World;
  readonly view: LedgerView;
}

export async function createFixture(): Promise<Fixture> {
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

/** The result of a story. */
export interface Ending {
  readonly delivered: Delivered;
  /** IDs of the history's events that are alerts. */
  readonly history: ReadonlySet<string>;
  /** IDs of the history's audit-only events, by type and integration. */
  readonly recorded: ReadonlyMap<string, ReadonlySet<string>>;
  /** `active` by integration. */
  readonly states: Readonly<Record<string, number>>;
  /** The ledger's circuit by integration. */
  readonly circuits: Readonly<Record<string, string>>;
  /** Entries with an attempt or a non-empty outbox. */
  readonly unsettled: readonly string[];
  /** Writes of one more pass at the same moment. A settled ledger needs none. */
  readonly writesAfter: number;
}

/** One pass of a story. Resolves when it has ended or died. */
export type Pass = (opened: Opened, world: World) => Promise<unknown>;

const undisturbed: Pass = (opened, world) => runPass(opened.ports(createWorldApi(world)), CRASH_PROJECT);

/** Runs these passes from minute 0 on, one every five minutes, and then undisturbed passes up to the horizon. */
export async function live(fixture: Fixture, place: Place, passes: readonly Pass[]): Promise<Ending> {
  const world = fixture.world.clone();
  const opened = await place.open({ now: () => world.now() });
  await fill(opened.ledger, CRASH_PROJECT.name, fixture.view);
  for (let passed = 0; passed <= HORIZON_MINUTES; passed += 5) {
    await (passes[passed / 5] ?? undisturbed)(opened, world);
    await opened.rest();
    if (passed < HORIZON_MINUTES) world.advance(5);
  }
  const writesAfter = await countWrites(opened.ports(createWorldApi(world)));
  const view = await opened.ledger.read(CRASH_PROJECT.name);
  const entries = [...view.integrations];
  // From the beginning: events about operators' acts have times before the pass that saw them.
  const history = await opened.ledger.history(CRASH_PROJECT.name, '2026-01-01T00:00:00.000Z');
  return {
    delivered: await opened.delivered(),
    history: new Set(history.filter((event) => !isAuditOnly(event)).map(({ id }) => id)),
    recorded: recordedOf(history),
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

/** A pass whose alerts no audience accepts. */
const undelivered: Pass = (opened, world) => {
  const publish = async () => new Set<string>();
  return runPass(
    { ...opened.ports(createWorldApi(world)), alerts: { audiences: [PEOPLE, MACHINES], publish } },
    CRASH_PROJECT,
  );
};

/** A pass whose list lacks some of the integrations that the previous pass worked on: too few to be suspicious. */
const lossy: Pass = (opened, world) => {
  const api = createWorldApi(world);
  const list = async () => {
    const listed = await api.list();
    return { ...listed, records: listed.records.filter(({ id }) => !LOST.has(id)) };
  };
  return runPass(opened.ports({ ...api, list }), CRASH_PROJECT);
};

const LOST: ReadonlySet<string> = new Set(['trips', 'probes', 'fails-probe', 'gives-up']);

/** A pass with an empty list. */
const listless: Pass = (opened, world) => {
  const api = createWorldApi(world);
  const list = async () => ({ ...(await api.list()), records: [] });
  return runPass(opened.ports({ ...api, list }), CRASH_PROJECT);
};

/** The alerts of a suddenly empty list, and of its end. */
const SUSPICIOUS = ['guard.list-suspicious', 'guard.recovered'];

/** A pass that dies at the n-th effect, simulated in this process. `effects` lists the effects that it began. */
function dying(n: number, when: Moment): { readonly pass: Pass; readonly effects: readonly string[] } {
  const gate = createCrashGate(n, when);
  const pass: Pass = (opened, world) =>
    Promise.race([runPass(opened.ports(createWorldApi(world), gate), CRASH_PROJECT), gate.died]);
  return { pass, effects: gate.effects };
}

/**
 * All differences between the results of a disturbed story and the undisturbed one, as sentences.
 * @param more further alerts that the disturbed story must have
 */
export function compareEndings(ending: Ending, reference: Ending, more: readonly string[] = []): readonly string[] {
  const wrong: string[] = [];
  for (const [key, ids] of reference.delivered.machines) {
    const delivered = ending.delivered.machines.get(key)?.size ?? 0;
    if (delivered < ids.size) wrong.push(`alert lost: ${key}`);
    if (delivered > ids.size) wrong.push(`a copy with another ID: ${key}`);
    const [, id] = key.split(' ');
    if (id !== undefined && !ending.delivered.people.includes(`(${id})`)) wrong.push(`people did not get: ${key}`);
  }
  for (const key of ending.delivered.machines.keys())
    if (!reference.delivered.machines.has(key) && !more.includes(key)) wrong.push(`alert without a cause: ${key}`);
  for (const key of more) if (!ending.delivered.machines.has(key)) wrong.push(`alert lost: ${key}`);
  for (const key of new Set([...reference.recorded.keys(), ...ending.recorded.keys()])) {
    const [are, were] = [ending, reference].map(({ recorded }) => recorded.get(key)?.size ?? 0);
    if (are !== were) wrong.push(`in the history ${are} times instead of ${were}: ${key}`);
  }
  const delivered = new Set([...ending.delivered.machines.values()].flatMap((ids) => [...ids]));
  const same = delivered.size === ending.history.size && [...delivered].every((id) => ending.history.has(id));
  if (!same) wrong.push('the history and the delivered alerts differ');
  for (const [id, active] of Object.entries(reference.states)) {
    if (ending.states[id] !== active) wrong.push(`${id} is ${ending.states[id]}, the policy wants ${active}`);
  }
  for (const [id, state] of Object.entries(reference.circuits)) {
    if (ending.circuits[id] !== state) wrong.push(`the circuit of ${id} is ${ending.circuits[id]} instead of ${state}`);
  }
  wrong.push(...ending.delivered.tool.violations);
  const [open, opened] = [ending, reference].map(({ delivered }) => openIn(delivered.tool));
  if (open !== opened) wrong.push(`open incidents: ${open}, instead of ${opened}`);
  for (const id of ending.unsettled) wrong.push(`not settled: ${id}`);
  if (ending.writesAfter > 0) wrong.push(`a pass with nothing to do wrote ${ending.writesAfter} times`);
  return wrong;
}

/** The integrations, topics and providers of the open incidents. */
function openIn(tool: IncidentTool): string {
  const about = tool.open().map(({ subject, key }) => subject ?? key.split('/')[1]);
  return about.sort().join(', ');
}

/** The undisturbed story. @throws when it lacks one of the expected events */
export async function liveUndisturbed(
  fixture: Fixture,
  place: Place,
): Promise<{ ending: Ending; effects: readonly string[] }> {
  const gate = createCountingGate();
  const ending = await live(fixture, place, [
    (opened, world) => runPass(opened.ports(createWorldApi(world), gate), CRASH_PROJECT),
  ]);
  const missing = [
    ...ALERTS_AT_ZERO.filter((key) => !ending.delivered.machines.has(key)),
    ...RECORDED_AT_ZERO.filter((key) => !ending.recorded.has(key)),
  ];
  if (missing.length > 0) throw new Error(`the busy day lacks these events: ${missing.join(', ')}`);
  return { ending, effects: gate.effects };
}

export interface CrashPoint {
  readonly n: number;
  readonly when: Moment;
  readonly name: string;
}

/** A crash before and after every effect. */
export function crashPoints(effects: readonly string[]): readonly CrashPoint[] {
  return effects.flatMap((effect, n) => MOMENTS.map((when) => ({ n, when, name: `${when} effect ${n} (${effect})` })));
}

/** One item in `share`, evenly spread. */
export function sample<T>(all: readonly T[], share: number): readonly T[] {
  return all.filter((_, index) => index % share === 0);
}

export async function crashEverywhere(size: Size): Promise<readonly Finding[]> {
  const fixture = await createFixture();
  const places = await openPlaces();
  const findings: Finding[] = [];
  for (const place of places) {
    const { ending, effects } = await liveUndisturbed(fixture, place);
    const all = crashPoints(effects);
    const inMemory = place.name === 'in memory';
    const points = inMemory || size !== 'quick' ? all : sample(all, 5);
    const violations: string[] = [];
    let tried = 0;
    const judge = async (name: string, passes: readonly Pass[], more: readonly string[] = []) => {
      tried += 1;
      for (const wrong of compareEndings(await live(fixture, place, passes), ending, more)) {
        violations.push(`${place.name}, killed ${name}: ${wrong}`);
      }
    };
    await pMap(points, ({ n, when, name }) => judge(name, [dying(n, when).pass]), { concurrency: 4 });
    await judge('by nothing, but no alert was accepted', [undelivered]);
    // The next pass gets a list without some or all records, and the pass after it gets every record.
    await pMap(points, ({ n, when, name }) => judge(`${name}, then a shorter list`, [dying(n, when).pass, lossy]), {
      concurrency: 4,
    });
    const empty = (point: CrashPoint) =>
      judge(`${point.name}, then an empty list`, [dying(point.n, point.when).pass, listless], SUSPICIOUS);
    await pMap(sample(points, 4), empty, { concurrency: 4 });
    // In memory it is fast enough to let the next pass die too, at every effect.
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
