import { type GuardEvent, isAuditOnly, isForMachines } from '../../functions/guard/model/event.ts';
import type { Listing } from '../../functions/guard/model/integration.ts';
import { PASS_TIME_LIMIT_SECONDS } from '../../functions/guard/model/lease.ts';
import { runOperatorCommand } from '../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import type { OperatorCommand } from '../../functions/guard/policy/operator.ts';
import { type IntegrationsApi, type Ledger, MACHINES, PEOPLE, type Ports } from '../../functions/guard/ports.ts';
import type { Policy } from '../../functions/guard/settings/schema.ts';
import { KeyRefusedError, UnavailableError } from '../../functions/qonversion/errors.ts';
import { World } from '../../functions/sandbox/world.ts';
import { aPolicy, PROBE_RECOVERY } from '../support/builders.ts';
import { QUICK } from '../support/harness.ts';
import { IncidentTool } from '../support/incident-tool.ts';
import { createMemoryAlerts, createMemoryLedger, createWorldApi, silentLog } from '../support/memory-ports.ts';
import { createCrashGate, type Gate, gated, MOMENTS, OPEN_GATE } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { createRandom, type Random } from './random.ts';

/**
 * Simulates a few hours of random steps: passes that run, die or run concurrently, lost answers, lists that lack a record, refusals by an
 * audience or the history, operators in the dashboard or at the guard, suspensions, outages, repairs and other settings. Calm follows, and
 * the harness compares the alerts with the acts. The months know the due acts of each pass. Chaos knows only the acts, so it can use any order.
 */

const NAME = 'production';
const AUDIENCES = [MACHINES, PEOPLE, 'chat-1'];
const STEPS = 60;
/** No step touches this integration. */
const UNTOUCHED = 'untouched';
const CALM_PASSES = 45;
/** A lagging list is at most this many steps old: half an hour. */
const MAX_LAG_STEPS = 6;
const KEY_REFUSED = 'Qonversion refused the Secret Key (401)';
const ERROR_THRESHOLD = 50;
const FAILING_FOR_MINUTES = 15;

/** Within the time limit of a pass that died, the record does not show who changed it, so operators wait (docs/faults.md). */
const UNDECIDABLE_MS = (PASS_TIME_LIMIT_SECONDS + 15) * 1_000;

/** Short enough for every outcome within the simulated hours. */
const RECOVERY = {
  ...PROBE_RECOVERY,
  cooldownMinutes: 20,
  backoff: 2,
  maxCooldownMinutes: 60,
  maxAttempts: 2,
  probeErrors: 3,
};

const COMMANDS: readonly OperatorCommand[] = [
  'pause',
  'resume',
  'pause',
  'resume',
  { ignoreForMinutes: 30 },
  'unignore',
];

/** The part that is missing from a status request. */
type Missing = 'effect' | 'answer' | 'permission' | 'a key';

interface Switch {
  readonly id: string;
  readonly by: 'guard' | 'operator' | 'worker';
  readonly from: number;
  readonly to: number;
  readonly at: number;
  /** The record's failure counter at that time. */
  readonly count: number;
}

class Chaos {
  readonly #seed: number;
  readonly #random: Random;
  readonly #world = new World({ startAt: '2026-11-23T12:00:00Z', suspendAfterErrors: 400, suspendAfterMinutes: 60 });
  readonly #api = createWorldApi(this.#world);
  readonly #clock = { now: () => this.#world.now() };
  readonly #ledger = createMemoryLedger(this.#clock);
  readonly #alerts = createMemoryAlerts(AUDIENCES);
  readonly #recovery: object;
  readonly #project: { readonly name: string; policy: Policy };
  readonly #switches: Switch[] = [];
  readonly #active = new Map<string, number>();
  readonly #notes: string[] = [];
  readonly #violations: string[] = [];
  /** Whether the list always shows that deliveries do not move `updated_at`. Without that the guard cannot recognise a lagging list. */
  readonly #isShown: boolean;
  #historyRefuses = false;
  /** The list of some steps ago, from a lagging replica. */
  #before: Listing = { records: [], invalid: [], clockAheadMs: 0 };
  #beforeAt = 0;
  /** The time of the present pass's list. */
  #listedAt = Number.POSITIVE_INFINITY;
  #undecidableUntil = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = createRandom(seed);
    this.#recovery = this.#random.oneIn(3) ? { mode: 'manual' } : RECOVERY;
    this.#isShown = this.#random.oneIn(2);
    this.#project = { name: NAME, policy: this.#policy() };
    for (const id of ['a', 'b', 'c', 'well']) this.#add(id);
    if (this.#isShown) this.#add(UNTOUCHED);
    // A failure that moves `last_error_at` but not `updated_at` shows that `updated_at` is the time of a change.
    this.#advance(8);
    for (const id of ['well', ...(this.#isShown ? [UNTOUCHED] : [])]) {
      this.#world.breakDown(id, 'HTTP 503');
      this.#advance(1);
      this.#world.repair(id);
    }
  }

  async live(): Promise<readonly string[]> {
    for (let step = 0; step < STEPS; step += 1) {
      if (step % MAX_LAG_STEPS === 0) {
        this.#before = await this.#api.list();
        this.#beforeAt = this.#world.now().getTime();
      }
      this.#advance(this.#random.pick([0.2, 1, 2.5, 3, 5, 5, 5]));
      await this.#step();
    }
    this.#note('calm');
    this.#refuse([], false);
    this.#project.policy = this.#policy();
    for (const { id } of this.#world.list()) this.#world.repair(id);
    for (let pass = 0; pass < CALM_PASSES; pass += 1) {
      this.#advance(5);
      await this.#pass();
    }
    await this.#judge();
    return this.#violations;
  }

  #policy(changes: object = {}): Policy {
    const blastRadius = { percent: 100, floor: 10 };
    return aPolicy({ ...QUICK, recovery: this.#recovery, blastRadius, flapping: 'off', ...changes });
  }

  #add(id: string): void {
    this.#world.add({ id, title: id, active: 1, eventsPerMinute: 10 });
    this.#active.set(id, 1);
  }

  // ---- Steps --------------------------------------------------------------------------------------------------------

  async #step(): Promise<void> {
    const random = this.#random;
    const id = random.pick(this.#world.list().flatMap((record) => (record.id === UNTOUCHED ? [] : [record.id])));
    const what = random.below(100);
    if (what < 22) return this.#pass();
    if (what < 24) return this.#passWhoseListIs(random.pick(['older than', 'empty']), id);
    if (what < 36) return this.#killedPass();
    if (what < 42) return this.#twoPasses();
    if (what < 46) return this.#passWhoseListIs('unreachable', id);
    if (what < 50) return this.#passWhoseListIs('without', id);
    if (what < 53) return this.#passWhoseListIs('unreadable for', id);
    if (what < 59) return this.#passWithout(random.pick(['effect', 'answer', 'permission', 'permission', 'a key']));
    if (what < 61) return this.#passWhoseWriteFails(random.below(6));
    if (what < 67) {
      const refusing = AUDIENCES.filter(() => random.oneIn(2));
      return this.#refuse(refusing, random.oneIn(3));
    }
    if (what < 71) return this.#refuse([], false);
    if (what < 78) return this.#dashboard(id, random.pick([0, 1]));
    if (what < 83) return this.#command(id, random.pick(COMMANDS), OPEN_GATE);
    if (what < 85) return this.#killedCommand(id, random.pick(COMMANDS));
    if (what < 86) return this.#delete(id);
    if (what < 91) return this.#suspend(id);
    if (what < 93) return this.#changeSettings(id);
    if (id === 'well') return;
    this.#note(what < 97 ? `${id} breaks down` : `${id} is repaired`);
    if (what < 97) this.#world.breakDown(id, 'HTTP 503');
    else this.#world.repair(id);
  }

  #changeSettings(id: string): void {
    const changes = this.#random.pick([
      {},
      { mode: 'observe' },
      { recovery: { mode: 'manual' } },
      { flapping: 'tell' },
      { providerOutage: { minimum: 2, holdHours: 1 } },
      { lowTraffic: 'off' },
      { blastRadius: { percent: 0, floor: 1 } },
      { overrides: [{ match: { id }, mode: 'ignore' }] },
    ]);
    this.#note(`the settings change: ${JSON.stringify(changes)}`);
    this.#project.policy = this.#policy(changes);
  }

  #advance(minutes: number): void {
    this.#world.advance(minutes);
    this.#noticeSwitches('worker');
  }

  #ports(changes: Partial<Ports> = {}): Ports {
    const ledger: Ledger = {
      ...this.#ledger,
      appendHistory: (project, events) =>
        this.#historyRefuses
          ? Promise.reject(new UnavailableError('the history is throttled'))
          : this.#ledger.appendHistory(project, events),
    };
    const remainingMs = () => Number.POSITIVE_INFINITY;
    return {
      api: this.#setting('guard'),
      ledger,
      alerts: this.#alerts,
      clock: this.#clock,
      log: silentLog,
      remainingMs,
      ...changes,
    };
  }

  /** The API, with a record of who changed which integration. */
  #setting(by: 'guard' | 'operator', answer?: Missing): IntegrationsApi {
    return {
      ...this.#api,
      setStatus: async (id, status) => {
        const error = new UnavailableError('no answer');
        if (answer === 'permission') return { outcome: 'refused', error };
        if (answer === 'a key') return { outcome: 'key-refused', error: new KeyRefusedError(KEY_REFUSED) };
        if (answer === 'effect') return { outcome: 'unknown', error };
        const result = await this.#api.setStatus(id, status);
        this.#noticeSwitches(by);
        return answer === 'answer' ? { outcome: 'unknown', error } : result;
      },
    };
  }

  async #pass(changes: Partial<Ports> = {}, gate: Gate = OPEN_GATE): Promise<void> {
    this.#note('pass');
    await runPass(gated(this.#ports(changes), gate), this.#project).catch((error: unknown) =>
      this.#say(`a pass threw: ${error}`),
    );
  }

  async #killedPass(): Promise<void> {
    const gate = createCrashGate(this.#random.below(16), this.#random.pick(MOMENTS));
    await Promise.race([this.#pass({}, gate), gate.died]);
    this.#note(`killed at ${gate.effects.at(-1)}`);
    this.#undecidableUntil = this.#world.now().getTime() + UNDECIDABLE_MS;
  }

  async #twoPasses(): Promise<void> {
    const dawdle = async () => {
      for (let ticks = this.#random.below(8); ticks > 0; ticks -= 1) await Promise.resolve();
    };
    const slow: Gate = { before: dawdle, after: dawdle };
    await Promise.all([this.#pass({}, slow), this.#pass({}, slow)]);
  }

  async #passWhoseListIs(
    how: 'unreachable' | 'without' | 'unreadable for' | 'older than' | 'empty',
    id: string,
  ): Promise<void> {
    if (how === 'older than' && !this.#isShown) return;
    this.#note(`the list is ${how} ${id}`);
    const list: IntegrationsApi['list'] = async () => {
      if (how === 'unreachable') throw new UnavailableError('Qonversion could not be reached');
      if (how === 'older than') return this.#before;
      if (how === 'empty') return { records: [], invalid: [], clockAheadMs: 0 };
      const listed = await this.#api.list();
      const records = listed.records.filter((record) => record.id !== id);
      return how === 'without'
        ? { ...listed, records }
        : { ...listed, records, invalid: [{ id, problem: 'active is 7' }] };
    };
    if (how === 'older than') this.#listedAt = this.#beforeAt;
    await this.#pass({ api: { ...this.#setting('guard'), list } });
    this.#listedAt = Number.POSITIVE_INFINITY;
  }

  async #passWithout(what: Missing): Promise<void> {
    this.#note(`requests without ${what}`);
    await this.#pass({ api: this.#setting('guard', what) });
    if (what === 'effect' || what === 'answer') this.#undecidableUntil = this.#world.now().getTime() + UNDECIDABLE_MS;
  }

  async #passWhoseWriteFails(n: number): Promise<void> {
    this.#note(`write ${n} fails`);
    let left = n;
    const { ledger } = this.#ports();
    const write: Ledger['write'] = (...args) => {
      left -= 1;
      return left === -1 ? Promise.reject(new UnavailableError('throttled')) : ledger.write(...args);
    };
    await this.#pass({ ledger: { ...ledger, write } });
    this.#undecidableUntil = this.#world.now().getTime() + UNDECIDABLE_MS;
  }

  #refuse(audiences: readonly string[], history: boolean): void {
    this.#note(`refusing: ${[...audiences, ...(history ? ['history'] : [])].join(', ') || 'none'}`);
    this.#historyRefuses = history;
    this.#alerts.refuse((_, audience) => audiences.includes(audience));
  }

  #dashboard(id: string, status: 0 | 1): void {
    if (this.#isUndecidable() || this.#world.get(id)?.active === status) return;
    this.#world.setStatus(id, status);
    this.#noticeSwitches('operator');
  }

  async #command(id: string, command: OperatorCommand, gate: Gate): Promise<void> {
    if (this.#isUndecidable()) return;
    this.#note(`operator command: ${typeof command === 'string' ? command : 'ignore'} ${id}`);
    const ports = gated(this.#ports({ api: this.#setting('operator') }), gate);
    await runOperatorCommand(ports, this.#project, id, command).catch(() => undefined);
  }

  async #killedCommand(id: string, command: OperatorCommand): Promise<void> {
    const gate = createCrashGate(this.#random.below(8), this.#random.pick(MOMENTS));
    await Promise.race([this.#command(id, command, gate), gate.died]);
    this.#undecidableUntil = this.#world.now().getTime() + UNDECIDABLE_MS;
  }

  #suspend(id: string): void {
    if (this.#world.get(id)?.active !== 1) return;
    this.#world.suspend(id);
    this.#noticeSwitches('worker');
  }

  #delete(id: string): void {
    if (id === 'well') return;
    this.#note(`${id} is deleted`);
    this.#world.delete(id);
  }

  #isUndecidable(): boolean {
    return this.#world.now().getTime() < this.#undecidableUntil;
  }

  // ---- Checks -------------------------------------------------------------------------------------------------------

  #noticeSwitches(by: Switch['by']): void {
    const at = this.#world.now().getTime();
    for (const record of this.#world.list()) {
      const { id, active: to, delivery_error_count: count } = record;
      const from = this.#active.get(id);
      if (from === undefined || from === to) continue;
      this.#active.set(id, to);
      this.#note(`${by} sets ${id} ${from} → ${to}`);
      const before = this.#switches.findLast((item) => item.id === id && (to === 1 ? item.to !== 1 : item.to === 1));
      this.#switches.push({ id, by, from, to, at, count });
      // A pass cannot know about changes after its list.
      if (by !== 'guard' || before?.by !== 'operator' || before.at > this.#listedAt) continue;
      if (to === 1) this.#say(`${id}: resumed although an operator had paused it`);
      const delivered = record.last_delivery_at !== null && Date.parse(record.last_delivery_at) > before.at;
      const fresh = delivered || count < before.count ? count : count - before.count;
      const minutes = (at - Math.max(before.at, Date.parse(record.last_delivery_at ?? record.created_at))) / 60_000;
      if (to === 0 && (fresh < ERROR_THRESHOLD || minutes < FAILING_FOR_MINUTES - 0.5)) {
        this.#say(`${id}: paused ${fresh} failures and ${minutes.toFixed(1)} min after an operator resumed it`);
      }
    }
  }

  async #judge(): Promise<void> {
    await this.#judgeRest();
    const heard = AUDIENCES.map((audience) => {
      const copies = this.#alerts.published.flatMap((call) => (call.audience === audience ? call.events : []));
      return { audience, copies, events: byId(copies) };
    });
    this.#judgeIds(heard.flatMap(({ copies }) => copies));
    this.#judgeIncidents(heard.flatMap(({ audience, copies }) => (audience === MACHINES ? copies : [])));
    const history = byId(await this.#ledger.history(NAME, '2026-01-01T00:00:00Z'));
    const all = byId([...heard.flatMap(({ events }) => [...events.values()]), ...history.values()]);
    for (const [id, event] of all) {
      if (event.reason.startsWith('the ledger')) continue;
      if (!history.has(id)) this.#say(`${about(event)} is not in the history`);
      for (const { audience, events } of heard)
        if (!events.has(id) && (audience === MACHINES ? isForMachines(event) : !isAuditOnly(event)))
          this.#say(`${audience} did not get ${about(event)}`);
    }
    for (const id of this.#active.keys()) {
      const events = [...all.values()].filter(({ record }) => record?.id === id);
      this.#judgeCounts(id, events);
      this.#judgeLastAlert(id, events);
    }
  }

  /** Copies of one alert have the same ID, and no two alerts share one. */
  #judgeIds(copies: readonly GuardEvent[]): void {
    const first = new Map<string, GuardEvent>();
    for (const event of copies) {
      const known = first.get(event.id) ?? event;
      first.set(event.id, known);
      // If a pass died before it wrote an outcome, the next pass determines the outcome again.
      const again =
        /-(failed|abandoned)$|^incident\.closed$/.test(event.type) && minutesApart(known.time, event.time) < 30;
      // After a doubtful alert, the guard may make the attempt again and announce it as certain.
      const inDoubt = isInDoubt(known) || isInDoubt(event);
      if (known.time === event.time || again || inDoubt || event.reason.startsWith('the ledger')) continue;
      this.#say(`${about(event)} has the ID of another alert at ${known.time.slice(11, 19)}`);
    }
  }

  /** An incident is open only for an integration that the guard or Qonversion has stopped, or for a shared outage that lasts. */
  #judgeIncidents(copies: readonly GuardEvent[]): void {
    const tool = new IncidentTool();
    tool.receive(copies);
    for (const violation of tool.violations) this.#say(violation);
    const outages = this.#ledger.projectEntry(NAME)?.outages ?? [];
    for (const { key, subject } of tool.open()) {
      const entry =
        subject === null || this.#world.get(subject) === undefined ? undefined : this.#ledger.entry(NAME, subject);
      const isStopped = entry !== undefined && (entry.state.name === 'open' || entry.state.name === 'half-open');
      const lasts = subject === null ? outages.some(({ endedAt }) => endedAt === null) : isStopped;
      if (!lasts) this.#say(`the incident ${key} is open, and nothing is wrong`);
    }
  }

  async #judgeRest(): Promise<void> {
    const [writes, requests] = [this.#ledger.calls.writes, this.#api.traffic.requests];
    await this.#pass();
    if (this.#ledger.calls.writes > writes || this.#api.traffic.requests > requests + 1)
      this.#say('a pass with nothing to do wrote to the ledger or sent a second request');
    for (const { id } of this.#world.list()) {
      const entry = this.#ledger.entry(NAME, id);
      if (entry !== undefined && (entry.attempt !== null || entry.outbox.length > 0)) this.#say(`${id}: never settled`);
    }
  }

  #judgeCounts(id: string, events: readonly GuardEvent[]): void {
    for (const event of events)
      if (event.reason.includes(KEY_REFUSED)) this.#say(`${about(event)}, although the key is the project's`);
    const done = (by: Switch['by'], to: number) =>
      this.#switches.filter((item) => item.id === id && item.by === by && item.to === to).length;
    // The last failed probe also ends in a pause, unless the worker ended it or an operator paused it.
    const pauses = events.filter(
      ({ type, reason, record }) =>
        type === 'integration.paused' ||
        (type === 'integration.probe-failed' && record?.active === 0) ||
        (type.endsWith('abandoned') && record?.active === 0 && !reason.includes('until an operator')),
    );
    const probes = events.filter(({ type }) => type === 'integration.probing');
    const suspensions = events.filter(({ type }) => type === 'integration.suspended');
    const compare = (what: string, announced: readonly GuardEvent[], happened: number) => {
      const sure = announced.filter((event) => !isInDoubt(event));
      if (announced.length < happened) this.#say(`${id}: ${happened} ${what}, but ${announced.length} alerts of them`);
      if (sure.length > happened) this.#say(`${id}: ${happened} ${what}, but ${sure.length} certain alerts of them`);
    };
    compare('pauses', pauses, done('guard', 0));
    compare('probes', probes, done('guard', 1));
    if (suspensions.length > done('worker', 2)) this.#say(`${id}: an alert of a suspension that did not happen`);
  }

  /** The last alert about an active integration must say that it is active. */
  #judgeLastAlert(id: string, events: readonly GuardEvent[]): void {
    if (this.#world.get(id)?.active !== 1) return;
    const last = events
      .filter((event) => ENDINGS.has(event.type) || (STATE_ALERTS.has(event.type) && !isInDoubt(event)))
      .toSorted((left, right) => Date.parse(left.time) - Date.parse(right.time))
      .at(-1);
    if (last !== undefined && !ENDINGS.has(last.type))
      this.#say(`${id} is active, but its last alert is ${about(last)}`);
  }

  #note(what: string): void {
    this.#notes.push(`${this.#world.now().toISOString().slice(11, 19)} ${what}`);
  }

  #say(what: string): void {
    this.#violations.push(`chaos, seed ${this.#seed}: ${what}`);
  }

  /** All steps and alerts, to find the cause of a violation. */
  story(): string {
    const alerts = this.#alerts.published.flatMap(({ audience, events }) =>
      events.map((event) => `${audience} got ${about(event)}: ${event.reason}`),
    );
    return [...this.#notes, ...alerts].join('\n');
  }
}

const ENDINGS: ReadonlySet<string> = new Set([
  'integration.reactivated',
  'integration.recovered',
  'integration.operator-resumed',
]);

const STATE_ALERTS: ReadonlySet<string> = new Set([
  ...ENDINGS,
  'integration.paused',
  'integration.suspended',
  'integration.probing',
  'integration.probe-failed',
  'integration.recovery-abandoned',
  'integration.operator-paused',
]);

/** Whether the alert says that the act may not have taken effect. */
function isInDoubt({ reason }: GuardEvent): boolean {
  return /may not have taken effect|left to the operator/.test(reason);
}

function about({ type, record, time }: GuardEvent): string {
  return `${type} of ${record?.id ?? 'the guard'} at ${time.slice(11, 19)}`;
}

function minutesApart(left: string, right: string): number {
  return Math.abs(Date.parse(left) - Date.parse(right)) / 60_000;
}

function byId(events: readonly GuardEvent[]): ReadonlyMap<string, GuardEvent> {
  return new Map(events.map((event) => [event.id, event]));
}

const SEEDS: Readonly<Record<Size, number>> = { quick: 1_000, full: 3_000, soak: 100_000 };

/** @param first whether to stop at the first violation */
export async function liveInChaos(size: Size, first = false): Promise<readonly Finding[]> {
  const violations: string[] = [];
  let tried = 0;
  for (let seed = 1; seed <= SEEDS[size] && !(first && violations.length > 0); seed += 1) {
    violations.push(...(await new Chaos(seed).live()));
    tried += 1;
  }
  return [{ harness: 'chaos', unit: 'lives', tried, violations }];
}

/** Replays one life. @returns its violations, and all its steps and alerts */
export async function liveOnce(
  seed: number,
): Promise<{ readonly violations: readonly string[]; readonly story: string }> {
  const chaos = new Chaos(seed);
  return { violations: await chaos.live(), story: chaos.story() };
}
