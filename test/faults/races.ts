import { type GuardEvent, isAuditOnly } from '../../functions/guard/model/event.ts';
import type { StatusAnswer } from '../../functions/guard/model/integration.ts';
import { CLOCK_TOLERANCE_MS, PASS_TIME_LIMIT_SECONDS } from '../../functions/guard/model/lease.ts';
import { runOperatorCommand } from '../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { type IntegrationsApi, type LedgerView, PEOPLE, type Ports } from '../../functions/guard/ports.ts';
import { OutOfTimeError } from '../../functions/qonversion/errors.ts';
import { World } from '../../functions/sandbox/world.ts';
import { aPolicy, PROBE_RECOVERY } from '../support/builders.ts';
import { QUICK } from '../support/harness.ts';
import { createMemoryAlerts, createMemoryLedger, createWorldApi, silentLog } from '../support/memory-ports.ts';
import { fill } from './crash.ts';
import { gated } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { type Choose, everySchedule, type Happening, Interleaving } from './interleave.ts';
import { createRandom } from './random.ts';

/**
 * Several passes, and operators in Qonversion's dashboard and at the guard, all at once over the same integrations: what
 * may never happen, whatever the order.
 */

const NAME = 'production';
const CHANNEL = 'chat-1';
const THRESHOLD = 50;
const FAILING_FOR_MINUTES = 15;

/** A probe is due as soon as the next pass runs: what is wrongly taken for ours is wrongly resumed at once. */
const HASTY = {
  ...QUICK,
  flapping: 'off',
  recovery: { ...PROBE_RECOVERY, cooldownMinutes: 1, maxCooldownMinutes: 1, maxAttempts: 9 },
  blastRadius: { percent: 100, floor: 100 },
};
const MANUAL = { ...QUICK, flapping: 'off', blastRadius: { percent: 100, floor: 100 } };

/** Between two steps passes this much of the 120 s a pass has; more than the seconds within which times cannot be told apart. */
const STEP_MINUTES = 0.1;

interface Beginning {
  readonly name: string;
  readonly world: World;
  readonly view: LedgerView;
  readonly ids: readonly string[];
}

/** Where a race starts: integrations for which something is due in the next pass. */
async function reach(name: string, ids: readonly string[], policy: object, minutes: number): Promise<Beginning> {
  const world = new World({ startAt: '2026-11-23T08:00:00Z' });
  const clock = { now: () => world.now() };
  const ledger = createMemoryLedger(clock);
  const ports = createPorts(world, createWorldApi(world), ledger);
  for (const id of ids) world.add({ id, active: 1, eventsPerMinute: 20 });
  // What it delivers shows how old a list is.
  world.add({ id: 'neighbour', active: 1, eventsPerMinute: 2 });
  world.advance(5);
  for (const id of ids) world.breakDown(id, 'HTTP 503 from upstream');
  for (let passed = 0; passed < minutes; passed += 5) {
    world.advance(5);
    if (passed + 5 < minutes) await runPass(ports, { name: NAME, policy: aPolicy(policy as Record<string, unknown>) });
  }
  return { name, world, view: await ledger.read(NAME), ids };
}

function createPorts(world: World, api: IntegrationsApi, ledger: Ports['ledger']): Ports {
  return {
    api,
    ledger,
    alerts: createMemoryAlerts(),
    clock: { now: () => world.now() },
    log: silentLog,
    remainingMs: () => 120_000,
  };
}

/** What the real client does then. */
function outOfTime(): StatusAnswer {
  return { outcome: 'refused', error: new OutOfTimeError('there was no time left') };
}

/** Somebody set a state, with the step of the last look at the list and of the act itself. */
interface StatusAct {
  readonly by: 'guard' | 'operator';
  readonly actor: string;
  readonly id: string;
  readonly from: number | null;
  readonly to: number;
  readonly listed: number;
  readonly step: number;
  readonly at: number;
  /** Failures of the integration so far, for counting those since. */
  readonly failed: number;
}

class Race {
  readonly world: World;
  readonly ledger;
  readonly alerts;
  readonly interleaving = new Interleaving();
  readonly acts: StatusAct[] = [];
  readonly suspended = new Set<string>();
  readonly deleted = new Set<string>();
  readonly policy;
  readonly startedAt: number;
  free: readonly string[] = [];
  killed = false;
  /** One pass and nobody else: nothing may be said twice. */
  alone = false;
  #step = 0;

  constructor(world: World, policy: object, audiences: readonly string[]) {
    this.world = world;
    this.alerts = createMemoryAlerts(audiences);
    this.startedAt = world.now().getTime();
    this.policy = aPolicy(policy as Record<string, unknown>);
    this.ledger = createMemoryLedger({ now: () => world.now() });
  }

  readonly tick = (): void => {
    this.#step += 1;
    this.world.advance(STEP_MINUTES);
  };

  /** An actor's own view of the API; what it changes is written down. */
  #api(actor: string, by: StatusAct['by'], end: number): IntegrationsApi {
    const inner = createWorldApi(this.world);
    let listed = 0;
    return {
      traffic: inner.traffic,
      list: () => {
        listed = this.#step;
        return inner.list();
      },
      setStatus: async (id, status) => {
        if (this.world.now().getTime() >= end) return outOfTime();
        this.#note({ by, actor, id, to: status, listed });
        return inner.setStatus(id, status);
      },
    };
  }

  #note(act: Pick<StatusAct, 'by' | 'actor' | 'id' | 'to' | 'listed'>): void {
    const record = this.world.get(act.id);
    const failed = record === undefined ? 0 : this.world.tally(act.id).failed;
    const from = record?.active ?? null;
    this.acts.push({ ...act, from, step: this.#step, at: this.world.now().getTime(), failed });
  }

  #ports(actor: string, by: StatusAct['by']): Ports {
    const end = this.world.now().getTime() + 120_000;
    return {
      ...createPorts(this.world, this.#api(actor, by, end), this.ledger),
      alerts: this.alerts,
      remainingMs: () => end - this.world.now().getTime(),
    };
  }

  startPass(actor: string): void {
    const ports = gated(this.#ports(actor, 'guard'), this.interleaving.gate(actor, this.free));
    this.interleaving.start(runPass(ports, { name: NAME, policy: this.policy }));
  }

  startOperate(actor: string, id: string, status: 0 | 1): void {
    const ports = gated(this.#ports(actor, 'operator'), this.interleaving.gate(actor, this.free));
    const order = status === 0 ? 'pause' : 'resume';
    this.interleaving.start(runOperatorCommand(ports, { name: NAME, policy: this.policy }, id, order));
  }

  /** What an operator does in Qonversion's dashboard. */
  dashboard(id: string, status: 0 | 1): void {
    const active = this.world.get(id)?.active;
    if (active === undefined || active === status) return;
    this.#note({ by: 'operator', actor: 'dashboard', id, to: status, listed: this.#step });
    this.world.setStatus(id, status);
  }

  /** What every audience has accepted, each once. */
  heard(): readonly GuardEvent[] {
    const ids = (audience: string) =>
      new Set(
        this.alerts.published.flatMap((call) => (call.audience === audience ? call.events.map(({ id }) => id) : [])),
      );
    const byAudience = this.alerts.audiences.map(ids);
    return distinct(this.alerts.events()).filter(({ id }) => byAudience.every((heard) => heard.has(id)));
  }

  /** Undisturbed passes afterwards. */
  async goOn(minutes: number): Promise<void> {
    this.alerts.refuse(() => false);
    for (let passed = 0; passed < minutes; passed += 5) {
      this.world.advance(5);
      this.#step += 1;
      await runPass(this.#ports(`later-${this.#step}`, 'guard'), { name: NAME, policy: this.policy });
    }
  }

  async writesOfOneMorePass(): Promise<number> {
    const before = this.ledger.calls.writes;
    await runPass(this.#ports('last', 'guard'), { name: NAME, policy: this.policy });
    return this.ledger.calls.writes - before;
  }
}

/** The guard set a state against an operator's choice that was there for its pass to see. */
function overridden(race: Race, id: string): readonly string[] {
  const acts = race.acts.filter((act) => act.id === id);
  return acts.flatMap((act) => {
    if (act.by !== 'guard' || act.from === act.to || act.from === null) return [];
    const visible = acts.filter(({ step }) => step < act.listed);
    const opposite = visible.findLast(({ to }) => to !== act.to);
    if (opposite?.by !== 'operator') return [];
    if (act.to === 1) return act.from === 0 ? [`${act.actor} re-activated what an operator had paused`] : [];
    const fresh = act.failed - opposite.failed;
    const minutes = (act.at - opposite.at) / 60_000;
    if (fresh >= THRESHOLD && minutes >= FAILING_FOR_MINUTES) return [];
    return [`${act.actor} paused ${fresh} failures and ${minutes.toFixed(1)} min after an operator re-activated it`];
  });
}

/** Whatever went against the laws in this race. */
async function judge(race: Race, ids: readonly string[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  const recorded = (await race.ledger.history(NAME, '2026-01-01T00:00:00Z')).filter(isAuditOnly);
  for (const id of ids) {
    if (!undecidable(race)) wrong.push(...overridden(race, id));
    const told = [...race.heard(), ...recorded].filter(({ record }) => record?.id === id);
    const count = (...types: string[]) => told.filter(({ type }) => types.includes(type)).length;
    const changes = race.acts.filter((act) => act.id === id && act.from !== act.to && act.from !== null);
    const pauses = changes.filter(({ by, to }) => by === 'guard' && to === 0).length;
    // A pause that an operator has taken over is announced as given up, and is no pause.
    const handed = told.filter(
      ({ type, reason }) => type.endsWith('abandoned') && reason.includes('until an operator'),
    );
    const failedProbes = told.filter(({ type, record }) => type === 'integration.probe-failed' && record?.active === 0);
    const stops = count('integration.paused', 'integration.recovery-abandoned') + failedProbes.length - handed.length;
    // Announced although it may have been an operator's, or none.
    const left = told.filter(({ reason }) => /left to the operator|may not have taken effect/.test(reason)).length;
    // What an undisturbed pass paused is known, so its alert comes whatever happened since.
    const explained = race.killed ? stops + count('integration.reactivated') : stops;
    if (explained < pauses) wrong.push(`${pauses} pauses, and only ${stops} alerts of them`);
    if (stops - left > pauses && !undecidable(race)) wrong.push(`${stops} alerts of ${pauses} pauses`);
    if (race.suspended.has(id) && race.world.get(id)?.active === 2 && count('integration.suspended') !== 1) {
      wrong.push(`a suspension told ${count('integration.suspended')} times`);
    }
    const entry = race.ledger.entry(NAME, id);
    // What became of an attempt on an integration that is gone cannot be found out; it stays until the entry expires.
    if (entry?.attempt && !race.deleted.has(id)) wrong.push('an attempt was left');
    if (entry !== undefined && entry.outbox.length > 0) wrong.push('an alert was left');
    if (!race.acts.some(({ by }) => by === 'operator') && !race.suspended.has(id) && !race.deleted.has(id)) {
      const double = changes.filter(({ by, at }) => by === 'guard' && at === changes[0]?.at).length;
      if (double > 1) wrong.push('changed twice at once');
    }
  }
  if (race.alone && !race.killed) {
    const heard = race.alerts.published.flatMap(({ audience, events }) => (audience === PEOPLE ? events : []));
    if (distinct(heard).length < heard.length) wrong.push('people heard the same twice');
  }
  const writes = await race.writesOfOneMorePass();
  if (writes > 0) wrong.push(`a pass with nothing to do wrote ${writes} times`);
  return wrong;
}

function distinct(events: readonly GuardEvent[]): readonly GuardEvent[] {
  return [...new Map(events.map((event) => [event.id, event])).values()];
}

interface Case {
  readonly beginning: Beginning;
  readonly policy: object;
  /** Names of what happens in between, each once, at any moment. */
  readonly happenings: readonly string[];
  readonly actors: readonly string[];
}

function happening(race: Race, name: string, id: string): Happening {
  switch (name) {
    case 'operator pauses':
      return { name, touches: 'api', does: () => race.dashboard(id, 0) };
    case 'operator re-activates':
      return { name, touches: 'api', does: () => race.dashboard(id, 1) };
    case 'worker suspends':
      return {
        name,
        touches: 'api',
        does: () => {
          if (race.world.get(id)?.active !== 1) return;
          race.world.suspend(id);
          race.suspended.add(id);
        },
      };
    case 'deleted':
      return {
        name,
        touches: 'api',
        does: () => {
          race.world.delete(id);
          race.deleted.add(id);
        },
      };
    case 'mended':
      return {
        name,
        touches: 'api',
        does: () => {
          if (race.world.get(id) !== undefined) race.world.repair(id);
        },
      };
    case 'SNS refuses':
      return { name, touches: 'acceptance', does: () => race.alerts.refuse(() => true) };
    case 'a channel refuses':
      return { name, touches: 'acceptance', does: () => race.alerts.refuse((_, audience) => audience === CHANNEL) };
    case 'ten minutes pass':
      return { name, touches: 'everything', does: () => race.world.advance(10) };
    case 'A dies':
      return {
        name,
        touches: 'everything',
        does: () => {
          race.interleaving.kill('A');
          race.killed = true;
        },
      };
    default:
      throw new Error(`nothing is known of "${name}"`);
  }
}

interface Played {
  readonly toTheEnd: boolean;
  readonly wrong: readonly string[];
  /** What it came to, without the times. */
  readonly ending: string;
}

async function run(item: Case, choose: Choose, distinctOnly: boolean, free: readonly string[] = []): Promise<Played> {
  // Orders of several audiences differ in nothing unless one of them refuses, and would be many.
  const several = !distinctOnly || item.happenings.includes('a channel refuses');
  const race = new Race(item.beginning.world.clone(), item.policy, several ? [PEOPLE, CHANNEL] : [PEOPLE]);
  race.free = free;
  await fill(race.ledger, NAME, item.beginning.view);
  const [id] = item.beginning.ids;
  if (id === undefined) throw new Error('a race needs an integration');
  race.alone = item.actors.length === 1;
  for (const actor of item.actors) {
    if (actor === 'guard pause') race.startOperate(actor, id, 0);
    else if (actor === 'guard resume') race.startOperate(actor, id, 1);
    else race.startPass(actor);
  }
  const toTheEnd = await race.interleaving.play(
    item.happenings.map((name) => happening(race, name, id)),
    choose,
    race.tick,
    { distinct: distinctOnly },
  );
  if (!toTheEnd) return { toTheEnd, wrong: [], ending: '' };
  const ending = describeEnding(race, id);
  // Who compares endings does not need the story after them.
  if (free.length > 0) return { toTheEnd, wrong: [], ending };
  await race.goOn(20);
  const wrong = await judge(race, item.beginning.ids);
  const about = `${item.beginning.name}: ${race.interleaving.trace.join(' ')}`;
  return { toTheEnd, wrong: wrong.map((sentence) => `${sentence} [${about}]`), ending };
}

function describeEnding(race: Race, id: string): string {
  const entry = race.ledger.entry(NAME, id);
  const told = distinct(race.alerts.events()).map(({ type }) => type);
  const acts = race.acts.map(({ by, from, to }) => [by, from, to]);
  return JSON.stringify([acts, told.sort(), entry?.state.name, entry?.attempt === null]);
}

/** Everything that two passes and an operator can come to: in all orders, or only in those that differ. */
export async function endingsOf(
  distinctOnly: boolean,
): Promise<{ readonly played: number; readonly endings: ReadonlySet<string> }> {
  const beginning = await reach('probe due', ['x'], HASTY, 20);
  const item: Case = { beginning, policy: HASTY, happenings: ['operator pauses'], actors: ['A', 'B'] };
  const endings = new Set<string>();
  const played = await everySchedule(async (choose) => {
    // An append to the history commutes with everything else; with it there would be a hundred times as many orders.
    const { toTheEnd, ending } = await run(item, choose, distinctOnly, ['ledger.appendHistory']);
    if (toTheEnd) endings.add(ending);
    return toTheEnd;
  }, 1_000_000);
  return { played, endings };
}

/**
 * A pass died that had written its attempt, and an operator acted within the time which that pass had: nothing in the record
 * tells whose doing it was, and with `probe` the guard takes it for its own. See docs/faults.md.
 */
function undecidable(race: Race): boolean {
  const { killed, startedAt } = race;
  const itsTimeMs = PASS_TIME_LIMIT_SECONDS * 1_000 + CLOCK_TOLERANCE_MS;
  return killed && race.acts.some(({ by, at }) => by === 'operator' && at <= startedAt + itsTimeMs);
}

const HAPPENINGS: readonly (readonly string[])[] = [
  [],
  ['operator pauses'],
  ['operator re-activates'],
  ['operator pauses', 'operator re-activates'],
  ['worker suspends'],
  ['deleted'],
  ['ten minutes pass'],
  ['A dies'],
  ['ten minutes pass', 'operator re-activates'],
  ['ten minutes pass', 'operator pauses'],
  ['A dies', 'operator re-activates'],
  ['A dies', 'ten minutes pass', 'operator pauses'],
  ['mended'],
  ['SNS refuses'],
  ['SNS refuses', 'operator re-activates'],
  ['SNS refuses', 'worker suspends'],
  ['SNS refuses', 'deleted'],
  ['SNS refuses', 'A dies', 'operator re-activates'],
  ['a channel refuses', 'operator re-activates'],
];

const ACTORS: readonly (readonly string[])[] = [
  ['A'],
  ['A', 'B'],
  ['A', 'guard pause'],
  ['A', 'guard resume'],
  ['A', 'B', 'C'],
];

async function smallCases(): Promise<readonly Case[]> {
  const beginnings: readonly (readonly [Beginning, object])[] = [
    [await reach('due to trip, manual', ['x'], MANUAL, 15), MANUAL],
    [await reach('due to trip, probe', ['x'], HASTY, 15), HASTY],
    [await reach('probe due', ['x'], HASTY, 20), HASTY],
    [await reach('probe failing', ['x'], HASTY, 25), HASTY],
  ];
  return beginnings.flatMap(([beginning, policy]) =>
    ACTORS.flatMap((actors) => HAPPENINGS.map((happenings) => ({ beginning, policy, happenings, actors }))),
  );
}

/** @param first whether the first violation is enough: a mutation needs no more */
export async function raceEverywhere(size: Size, first = false): Promise<readonly Finding[]> {
  const cases = await smallCases();
  const violations: string[] = [];
  const enough = () => first && violations.length > 0;
  let tried = 0;
  for (const item of cases) {
    if (isTooMuch(item, size) || enough()) continue;
    tried += await everySchedule(
      async (choose) => {
        const { toTheEnd, wrong } = await run(item, choose, true);
        violations.push(...wrong);
        return toTheEnd;
      },
      10_000_000,
      enough,
    );
  }
  const everyOrder = { harness: 'races, every order of small cases', unit: 'interleavings', tried, violations };
  if (enough()) return [everyOrder];
  return [everyOrder, await raceAtRandom({ quick: 500, full: 5_000, soak: 50_000 }[size], cases)];
}

/** Three actors have a hundred times as many orders as two, and each happening ten times as many as none. */
function isTooMuch({ actors, happenings, beginning }: Case, size: Size): boolean {
  if (actors.length > 2) return size === 'quick' || happenings.length > (size === 'soak' ? 1 : 0);
  if (size === 'soak' || actors.length === 1 || happenings.length < 2) return false;
  // Recovery is no matter until a probe is due, so one kind of it is enough for the longer ones.
  return size === 'quick' || beginning.name === 'due to trip, manual' || happenings.length > 2;
}

/** Three passes and an operator at once, three happenings, over several integrations. */
async function raceAtRandom(seeds: number, cases: readonly Case[]): Promise<Finding> {
  const violations: string[] = [];
  const all = ['A', 'B', 'C', 'guard pause', 'guard resume'];
  const names = [...new Set(HAPPENINGS.flat())];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const actors = random.some(all, 2 + random.below(3));
    const item = { ...random.pick(cases), actors, happenings: random.some(names, random.below(4)) };
    const { wrong } = await run(item, random.below, false);
    for (const sentence of wrong) violations.push(`seed ${seed}: ${sentence}`);
  }
  return { harness: 'races, random orders', unit: 'interleavings', tried: seeds, violations };
}
