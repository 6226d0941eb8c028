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
import { type Choose, type ExternalEvent, everySchedule, Interleaving } from './interleave.ts';
import { createRandom } from './random.ts';

/** Runs several passes and operators concurrently over the same integrations, in Qonversion's dashboard and at the guard. No order may break a law. */

const NAME = 'production';
const CHANNEL = 'chat-1';
const THRESHOLD = 50;
const FAILING_FOR_MINUTES = 15;

/** A probe is due in the next pass. So if the guard wrongly treats a pause as its own, it wrongly resumes the integration at once. */
const HASTY = {
  ...QUICK,
  flapping: 'off',
  recovery: { ...PROBE_RECOVERY, cooldownMinutes: 1, maxCooldownMinutes: 1, maxAttempts: 9 },
  blastRadius: { percent: 100, floor: 100 },
};
const MANUAL = { ...QUICK, flapping: 'off', blastRadius: { percent: 100, floor: 100 } };

/** The time between two steps: longer than the clock tolerance, and a small part of a pass's 120 s. */
const STEP_MINUTES = 0.1;

interface Beginning {
  readonly name: string;
  readonly world: World;
  readonly view: LedgerView;
  readonly ids: readonly string[];
}

/** The state at the start of a race: an act is due in the next pass. */
async function reach(name: string, ids: readonly string[], policy: object, minutes: number): Promise<Beginning> {
  const world = new World({ startAt: '2026-11-23T08:00:00Z' });
  const clock = { now: () => world.now() };
  const ledger = createMemoryLedger(clock);
  const ports = createPorts(world, createWorldApi(world), ledger);
  for (const id of ids) world.add({ id, active: 1, eventsPerMinute: 20 });
  // Its deliveries show how old a list is.
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

/** The answer of the real client after its time limit. */
function outOfTime(): StatusAnswer {
  return { outcome: 'refused', error: new OutOfTimeError('there was no time left') };
}

/** A change of a state, with the step of the act and of the list before it. */
interface StatusAct {
  readonly by: 'guard' | 'operator';
  readonly actor: string;
  readonly id: string;
  readonly from: number | null;
  readonly to: number;
  readonly listed: number;
  readonly step: number;
  readonly at: number;
  /** Failures of the integration until then. */
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
  /** A single pass runs, so people may get no alert twice. */
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

  /** The API for one actor. It records the actor's changes. */
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

  /** An operator's change in Qonversion's dashboard. */
  dashboard(id: string, status: 0 | 1): void {
    const active = this.world.get(id)?.active;
    if (active === undefined || active === status) return;
    this.#note({ by: 'operator', actor: 'dashboard', id, to: status, listed: this.#step });
    this.world.setStatus(id, status);
  }

  /** The events that every audience has accepted, each once. */
  delivered(): readonly GuardEvent[] {
    const ids = (audience: string) =>
      new Set(
        this.alerts.published.flatMap((call) => (call.audience === audience ? call.events.map(({ id }) => id) : [])),
      );
    const byAudience = this.alerts.audiences.map(ids);
    return distinct(this.alerts.events()).filter(({ id }) => byAudience.every((accepted) => accepted.has(id)));
  }

  /** Runs undisturbed passes after the race. */
  async runLaterPasses(minutes: number): Promise<void> {
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

/** Cases in which the guard overrode an operator's choice that its pass could see. */
function overridden(race: Race, id: string): readonly string[] {
  const acts = race.acts.filter((act) => act.id === id);
  return acts.flatMap((act) => {
    if (act.by !== 'guard' || act.from === act.to || act.from === null) return [];
    const visible = acts.filter(({ step }) => step < act.listed);
    const opposite = visible.findLast(({ to }) => to !== act.to);
    if (opposite?.by !== 'operator') return [];
    if (act.to === 1) return act.from === 0 ? [`${act.actor} resumed an integration that an operator had paused`] : [];
    const fresh = act.failed - opposite.failed;
    const minutes = (act.at - opposite.at) / 60_000;
    if (fresh >= THRESHOLD && minutes >= FAILING_FOR_MINUTES) return [];
    return [`${act.actor} paused ${fresh} failures and ${minutes.toFixed(1)} min after an operator resumed it`];
  });
}

/** The violations in this race. */
async function judge(race: Race, ids: readonly string[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  const recorded = (await race.ledger.history(NAME, '2026-01-01T00:00:00Z')).filter(isAuditOnly);
  for (const id of ids) {
    if (!undecidable(race)) wrong.push(...overridden(race, id));
    const events = [...race.delivered(), ...recorded].filter(({ record }) => record?.id === id);
    const count = (...types: string[]) => events.filter(({ type }) => types.includes(type)).length;
    const changes = race.acts.filter((act) => act.id === id && act.from !== act.to && act.from !== null);
    const pauses = changes.filter(({ by, to }) => by === 'guard' && to === 0).length;
    // If an operator changed a paused integration, the guard sends `recovery-abandoned`, which is no pause.
    const handed = events.filter(
      ({ type, reason }) => type.endsWith('abandoned') && reason.includes('until an operator'),
    );
    const failedProbes = events.filter(
      ({ type, record }) => type === 'integration.probe-failed' && record?.active === 0,
    );
    const stops = count('integration.paused', 'integration.recovery-abandoned') + failedProbes.length - handed.length;
    // Alerts of pauses that may be an operator's or may not have taken effect.
    const left = events.filter(({ reason }) => /left to the operator|may not have taken effect/.test(reason)).length;
    // The outcome of an undisturbed pass is known, so the alerts of its pauses come in every case.
    const explained = race.killed ? stops + count('integration.reactivated') : stops;
    if (explained < pauses) wrong.push(`${pauses} pauses, but only ${stops} alerts of them`);
    if (stops - left > pauses && !undecidable(race)) wrong.push(`${pauses} pauses, but ${stops} alerts of them`);
    if (race.suspended.has(id) && race.world.get(id)?.active === 2 && count('integration.suspended') !== 1) {
      wrong.push(`a suspension with ${count('integration.suspended')} alerts`);
    }
    const entry = race.ledger.entry(NAME, id);
    // The outcome of an attempt stays unknown if the integration is gone. The attempt stays until the entry expires.
    if (entry?.attempt && !race.deleted.has(id)) wrong.push('an attempt is left');
    if (entry !== undefined && entry.outbox.length > 0) wrong.push('an undelivered alert is left');
    if (!race.acts.some(({ by }) => by === 'operator') && !race.suspended.has(id) && !race.deleted.has(id)) {
      const double = changes.filter(({ by, at }) => by === 'guard' && at === changes[0]?.at).length;
      if (double > 1) wrong.push('two passes changed it at the same time');
    }
  }
  if (race.alone && !race.killed) {
    const accepted = race.alerts.published.flatMap(({ audience, events }) => (audience === PEOPLE ? events : []));
    if (distinct(accepted).length < accepted.length) wrong.push('people got an alert twice');
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
  /** Names of the external events. Each happens once, at any moment. */
  readonly externalEvents: readonly string[];
  readonly actors: readonly string[];
}

function externalEvent(race: Race, name: string, id: string): ExternalEvent {
  switch (name) {
    case 'operator pauses':
      return { name, touches: 'api', does: () => race.dashboard(id, 0) };
    case 'operator resumes':
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
    case 'repaired':
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
      throw new Error(`unknown external event "${name}"`);
  }
}

interface Played {
  readonly toTheEnd: boolean;
  readonly wrong: readonly string[];
  /** The result without times. */
  readonly ending: string;
}

async function run(item: Case, choose: Choose, distinctOnly: boolean, free: readonly string[] = []): Promise<Played> {
  // Several audiences have many more orders, which differ only if one audience refuses.
  const several = !distinctOnly || item.externalEvents.includes('a channel refuses');
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
    item.externalEvents.map((name) => externalEvent(race, name, id)),
    choose,
    race.tick,
    { distinct: distinctOnly },
  );
  if (!toTheEnd) return { toTheEnd, wrong: [], ending: '' };
  const ending = describeEnding(race, id);
  // A comparison of endings does not need the later passes.
  if (free.length > 0) return { toTheEnd, wrong: [], ending };
  await race.runLaterPasses(20);
  const wrong = await judge(race, item.beginning.ids);
  const about = `${item.beginning.name}: ${race.interleaving.trace.join(' ')}`;
  return { toTheEnd, wrong: wrong.map((sentence) => `${sentence} [${about}]`), ending };
}

function describeEnding(race: Race, id: string): string {
  const entry = race.ledger.entry(NAME, id);
  const alerts = distinct(race.alerts.events()).map(({ type }) => type);
  const acts = race.acts.map(({ by, from, to }) => [by, from, to]);
  return JSON.stringify([acts, alerts.sort(), entry?.state.name, entry?.attempt === null]);
}

/** All results of two passes and an operator: in every order, or only in those that differ. */
export async function endingsOf(
  distinctOnly: boolean,
): Promise<{ readonly played: number; readonly endings: ReadonlySet<string> }> {
  const beginning = await reach('probe due', ['x'], HASTY, 20);
  const item: Case = { beginning, policy: HASTY, externalEvents: ['operator pauses'], actors: ['A', 'B'] };
  const endings = new Set<string>();
  const played = await everySchedule(async (choose) => {
    // An append to the history commutes with every other step, but would multiply the number of orders by a hundred.
    const { toTheEnd, ending } = await run(item, choose, distinctOnly, ['ledger.appendHistory']);
    if (toTheEnd) endings.add(ending);
    return toTheEnd;
  }, 1_000_000);
  return { played, endings };
}

/**
 * A pass died after it wrote its attempt, and an operator acted within the pass's time limit. The record does not show who made the change,
 * and with `probe` recovery the guard treats it as its own. See docs/faults.md.
 */
function undecidable(race: Race): boolean {
  const { killed, startedAt } = race;
  const itsTimeMs = PASS_TIME_LIMIT_SECONDS * 1_000 + CLOCK_TOLERANCE_MS;
  return killed && race.acts.some(({ by, at }) => by === 'operator' && at <= startedAt + itsTimeMs);
}

const EXTERNAL_EVENTS: readonly (readonly string[])[] = [
  [],
  ['operator pauses'],
  ['operator resumes'],
  ['operator pauses', 'operator resumes'],
  ['worker suspends'],
  ['deleted'],
  ['ten minutes pass'],
  ['A dies'],
  ['ten minutes pass', 'operator resumes'],
  ['ten minutes pass', 'operator pauses'],
  ['A dies', 'operator resumes'],
  ['A dies', 'ten minutes pass', 'operator pauses'],
  ['repaired'],
  ['SNS refuses'],
  ['SNS refuses', 'operator resumes'],
  ['SNS refuses', 'worker suspends'],
  ['SNS refuses', 'deleted'],
  ['SNS refuses', 'A dies', 'operator resumes'],
  ['a channel refuses', 'operator resumes'],
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
    ACTORS.flatMap((actors) =>
      EXTERNAL_EVENTS.map((externalEvents) => ({ beginning, policy, externalEvents, actors })),
    ),
  );
}

/** @param first whether to stop at the first violation, which is enough for a mutation */
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

/** A third actor multiplies the number of orders by a hundred, and each external event by ten. */
function isTooMuch({ actors, externalEvents, beginning }: Case, size: Size): boolean {
  if (actors.length > 2) return size === 'quick' || externalEvents.length > (size === 'soak' ? 1 : 0);
  if (size === 'soak' || actors.length === 1 || externalEvents.length < 2) return false;
  // The kind of recovery does not matter before a probe is due, so one kind is enough for the longer cases.
  return size === 'quick' || beginning.name === 'due to trip, manual' || externalEvents.length > 2;
}

/** Up to four passes and commands with up to three external events. */
async function raceAtRandom(seeds: number, cases: readonly Case[]): Promise<Finding> {
  const violations: string[] = [];
  const all = ['A', 'B', 'C', 'guard pause', 'guard resume'];
  const names = [...new Set(EXTERNAL_EVENTS.flat())];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const actors = random.some(all, 2 + random.below(3));
    const item = { ...random.pick(cases), actors, externalEvents: random.some(names, random.below(4)) };
    const { wrong } = await run(item, random.below, false);
    for (const sentence of wrong) violations.push(`seed ${seed}: ${sentence}`);
  }
  return { harness: 'races, random orders', unit: 'interleavings', tried: seeds, violations };
}
