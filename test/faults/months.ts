import type { GuardEvent } from '../../functions/guard/model/event.ts';
import type { IntegrationRecord } from '../../functions/guard/model/integration.ts';
import { runOperatorCommand } from '../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { type IntegrationsApi, MACHINES, PEOPLE, type Ports } from '../../functions/guard/ports.ts';
import { KeyRefusedError, UnavailableError } from '../../functions/qonversion/errors.ts';
import { type SandboxRecord, World } from '../../functions/sandbox/world.ts';
import { aPolicy } from '../support/builders.ts';
import { createMemoryAlerts, createMemoryLedger, silentLog } from '../support/memory-ports.ts';
import { createCrashGate, gated } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { type Actor, type Due, type Limits, Oracle } from './oracle.ts';
import { createRandom, type Random } from './random.ts';

/**
 * Months in the life of a project: hundreds of integrations with traffic, outages and short failures, operators who repair, forget and
 * interfere, suspensions, deletions, wrong clocks, missed schedules, rotated keys, and passes that die. An oracle knows every change and checks
 * each act and alert of the guard.
 */

const NAME = 'production';
const CHANNEL = 'chat-1';
const INTERVAL_MINUTES = 5;
const DAY_MINUTES = 24 * 60;
const HOUR_MS = 3_600_000;
const START = Date.parse('2026-01-05T00:00:00Z');

/** Tighter than the defaults, so that a run of some weeks reaches every limit. */
const LIMITS = {
  failingForMinutes: 20,
  lowTraffic: { errors: 3, warnAfterHours: 4, pauseAfterHours: 24 },
  flapping: 'tell',
} as const;
const PROBE = { cooldownMinutes: 15, backoff: 2, maxCooldownMinutes: 240, maxAttempts: 5, probeErrors: 3 };
const PROJECT_LIMITS = {
  blastRadius: { percent: 5, floor: 2 },
  providerOutage: { percent: 60, minimum: 3, holdHours: 2, except: ['Webhooks'] },
};
const REMIND_AT_HOUR = 8;

type RecoveryMode = 'manual' | 'probe';

/** Overrides by the first word of a title. */
const KINDS = {
  ordinary: { errorThreshold: 50 },
  slow: { errorThreshold: 500 },
  // A threshold so high that Qonversion's worker suspends the integration first.
  leash: { errorThreshold: 100_000 },
  strict: { flapping: 'pause' },
  observed: { mode: 'observe' },
  ignored: { mode: 'ignore' },
} as const satisfies Record<string, Partial<Limits>>;

type Kind = keyof typeof KINDS;

/** Slugs of the catalogue. A slug that occurs twice gets twice as many integrations. */
const PROVIDERS = ['amplitude', 'amplitude', 'appsflyer', 'mixpanel', 'braze', 'webhooks', 'webhooks'] as const;

function policyOf(recovery: RecoveryMode) {
  return aPolicy({
    ...LIMITS,
    ...PROJECT_LIMITS,
    recovery: recovery === 'probe' ? { mode: 'probe', ...PROBE } : { mode: 'manual' },
    overrides: Object.entries(KINDS).map(([kind, limits]) => ({ match: { title: `${kind}*` }, ...limits })),
  });
}

export interface MonthsOptions {
  readonly seed: number;
  readonly integrations: number;
  readonly days: number;
  readonly recovery: RecoveryMode;
}

/** The result of the months. */
export interface Months {
  readonly violations: readonly string[];
  readonly passes: number;
  readonly disturbed: number;
  readonly pauses: number;
  /** Pauses with few failures (rule 4). */
  readonly rare: number;
  readonly falsePauses: number;
  readonly overridden: number;
  /** Acts that were due in an undisturbed pass but did not happen. */
  readonly missed: number;
  /** The most minutes from the limits to the pause, if no pass between them was disturbed or held. */
  readonly slowestMinutes: number;
  /** Passes in which the blast radius held all pauses, and passes during a shared outage. */
  readonly held: number;
  readonly spared: number;
  readonly suspensions: number;
  readonly probes: number;
  readonly operatorActs: number;
  readonly alerts: number;
  readonly alertsLost: number;
  readonly copies: number;
  /** Events that were withheld by the guard's pauses, and how many of them would have failed anyway. */
  readonly withheld: number;
  readonly doomed: number;
  readonly delivered: number;
  readonly failed: number;
}

interface Switch {
  readonly id: string;
  readonly at: number;
  readonly by: Actor;
  readonly from: number;
  readonly to: number;
}

export async function liveMonths(options: MonthsOptions): Promise<Months> {
  const months = new Living(options);
  await months.live();
  return months.sum();
}

class Living {
  readonly #options: MonthsOptions;
  readonly #random: Random;
  readonly #world = new World({
    startAt: new Date(START).toISOString(),
    suspendAfterErrors: 400,
    suspendAfterMinutes: 90,
  });
  readonly #oracle = new Oracle(PROJECT_LIMITS);
  readonly #alerts = createMemoryAlerts([PEOPLE, CHANNEL]);
  readonly #ledger;
  readonly #project;
  readonly #violations: string[] = [];
  readonly #switches: Switch[] = [];
  readonly #lastActive = new Map<string, number>();
  /** The planned acts of operators, with their times. */
  readonly #agenda: { readonly at: number; readonly does: () => Promise<void> | void }[] = [];
  /** When an integration reached its limits, as far as a guard can see. */
  readonly #overSince = new Map<string, number>();
  /** The tallies at the beginning of each pause by the guard. */
  readonly #pausedAt = new Map<string, Readonly<Record<'withheld' | 'doomed', number>>>();
  readonly #counts = {
    passes: 0,
    disturbed: 0,
    falsePauses: 0,
    overridden: 0,
    missed: 0,
    slowest: 0,
    operatorActs: 0,
    withheld: 0,
    doomed: 0,
    created: 0,
    rare: 0,
    held: 0,
    spared: 0,
    lists: 0,
  };
  /** Required and permitted events by pass: "7 type subject". */
  readonly #expected = new Set<string>();
  readonly #possible = new Set<string>();
  /** Daily summaries: the first pass after the time of day, and the stopped integrations. */
  readonly #summaries: {
    readonly at: number;
    readonly remindAt: number;
    readonly stopped: ReadonlyMap<string, string>;
    readonly certain: boolean;
  }[] = [];
  /** The last day with a certain summary, and the last with a possible one. */
  readonly #summed = { certain: 0, perhaps: 0 };
  readonly #history = new Map<string, GuardEvent>();
  /** Without a ledger every pass alerts machines, with one ID per hour. */
  readonly #hoursWithoutLedger = new Set<string>();
  /** Integrations that always alternate between failures and deliveries. */
  readonly #flaky = new Set<string>();
  /** When the guard is installed. Some integrations have failed for hours by then. */
  readonly #installedAt: number;
  /** Passes since the last disturbed one. */
  #calmPasses = 0;
  /** Consecutive quiet passes: no act, event or write was due. */
  #quietPasses = 0;
  /** Nothing may be paused now: an outage is shared, or the blast radius holds. */
  #spared = false;
  #actor: Actor = 'worker';
  #skewMs = 0;
  #heard = 0;
  #lost = 0;
  #quietUntil = 0;
  #trouble: { readonly kind: Disturbance; left: number } | null = null;
  /** Series of passes that could not run, separated by undisturbed passes; and all disturbances of that kind. */
  #failingStretches = 0;
  #failingTroubles = 0;
  #failingNow = false;

  constructor(options: MonthsOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#ledger = createMemoryLedger({ now: () => this.#guardNow() });
    this.#project = { name: NAME, policy: policyOf(options.recovery) };
    this.#installedAt = this.#minutes(60, 2 * DAY_MINUTES);
  }

  async live(): Promise<void> {
    const { integrations, days } = this.#options;
    for (let number = 0; number < integrations; number += 1) this.#create();
    for (let day = 0; day < days; day += 4) this.#planSharedOutage(day * DAY_MINUTES);
    const end = days * DAY_MINUTES;
    for (let minute = 1; minute <= end; minute += 1) {
      // The last day is calm, so that the guard can finish all interrupted work.
      const calm = minute > end - DAY_MINUTES;
      this.#world.advance(0.25);
      await this.#operatorsAct(calm);
      this.#world.advance(0.25);
      if (minute % DAY_MINUTES === 0) this.#driftClock();
      if (minute % INTERVAL_MINUTES === 0 && minute >= this.#installedAt) await this.#pass(calm);
      this.#world.advance(0.5);
      this.#noticeSwitches('worker');
      this.#noticeLimits();
    }
    this.#judgeAlerts();
  }

  #now(): number {
    return this.#world.now().getTime();
  }

  /** The time of a pass: the API's clock, unless the clocks are only seconds apart. */
  #passNow(): number {
    return this.#now() + (Math.abs(this.#skewMs) > 5_000 ? 0 : this.#skewMs);
  }

  #guardNow(): Date {
    return new Date(this.#now() + this.#skewMs);
  }

  #minutes(least: number, most: number): number {
    return least + this.#random.below(most - least + 1);
  }

  // ---- The world --------------------------------------------------------------------------------------------------------

  #create(): void {
    const random = this.#random;
    const kinds: readonly Kind[] = ['slow', 'leash', 'leash', 'strict', 'observed', 'ignored'];
    const kind = random.oneIn(2) ? 'ordinary' : random.pick(kinds);
    this.#counts.created += 1;
    const eventsPerMinute = random.pick([0.02, 0.3, 1, 4, 4, 12]);
    const record = this.#world.add({
      id: `i${this.#counts.created}`,
      title: `${kind} ${this.#counts.created}`,
      provider: random.pick(PROVIDERS),
      active: random.oneIn(12) ? 0 : 1,
      eventsPerMinute,
    });
    if (kind === 'ordinary' && record.active === 1 && eventsPerMinute >= 4 && random.oneIn(4)) {
      this.#world.setFlaky(record.id, 0.8);
      this.#flaky.add(record.id);
    }
    const probe = this.#options.recovery === 'probe' ? PROBE : null;
    this.#oracle.created(record, { mode: 'enforce', errorThreshold: 50, ...LIMITS, ...KINDS[kind], probe });
    this.#lastActive.set(record.id, record.active);
    if (kind === 'ordinary' && !this.#flaky.has(record.id) && random.oneIn(6)) this.#planBatches(record.id);
    this.#planOutages(record.id);
    this.#planMaintenance(record.id);
  }

  #planOutages(id: string): void {
    const random = this.#random;
    const end = this.#options.days * DAY_MINUTES;
    for (let at = this.#minutes(60, 12 * DAY_MINUTES); at < end; at += this.#minutes(DAY_MINUTES, 16 * DAY_MINUTES)) {
      const length = random.oneIn(3)
        ? this.#minutes(360, 5_000)
        : random.oneIn(2)
          ? this.#minutes(20, 240)
          : this.#minutes(1, 12);
      this.#world.planOutage(id, random.pick(['HTTP 401', 'HTTP 503', 'timeout', 'HTTP 410']), at, length);
    }
  }

  /** No traffic for hours, then a batch: one failed batch is no outage (rule 2). */
  #planBatches(id: string): void {
    const setTraffic = (eventsPerMinute: number) => {
      if (this.#world.get(id) !== undefined) this.#world.setTraffic(id, eventsPerMinute);
    };
    const batch = () => {
      setTraffic(30);
      this.#plan(10, () => setTraffic(0));
      this.#plan(360, batch);
    };
    setTraffic(0);
    this.#plan(this.#minutes(5, 360), batch);
  }

  /** A provider breaks, or all providers, or integrations that share no endpoint. */
  #planSharedOutage(from: number): void {
    const at = from + this.#minutes(DAY_MINUTES, 4 * DAY_MINUTES);
    const length = this.#minutes(20, 300);
    const provider = this.#random.pick([null, 'Webhooks', this.#random.pick(this.#world.list()).integration]);
    for (const { id, integration } of this.#world.list())
      if ((provider === null || integration === provider) && !this.#random.oneIn(5))
        // They do not all recover at the same time.
        this.#world.planOutage(id, 'EAI_AGAIN', at, length + this.#minutes(0, this.#random.oneIn(3) ? 90 : 2));
  }

  #driftClock(): void {
    this.#skewMs = this.#random.pick([0, 0, 0, 2_000, -2_000, 7 * 60_000, -12 * 60_000]);
  }

  // ---- Operators --------------------------------------------------------------------------------------------------------

  #plan(inMinutes: number, does: () => Promise<void> | void): void {
    this.#agenda.push({ at: this.#now() + inMinutes * 60_000, does });
  }

  #planMaintenance(id: string): void {
    const again = () => {
      this.#dashboard(id, 0);
      this.#plan(this.#minutes(2, 600), () => this.#dashboard(id, 1));
      this.#plan(this.#minutes(10 * DAY_MINUTES, 60 * DAY_MINUTES), again);
    };
    this.#plan(this.#minutes(DAY_MINUTES, 60 * DAY_MINUTES), again);
  }

  async #operatorsAct(calm: boolean): Promise<void> {
    // If an operator acts within the time limit of a pass that died, no one can know whose act it was (docs/faults.md).
    if (calm || this.#now() < this.#quietUntil) return;
    const due = this.#agenda.filter(({ at }) => at <= this.#now());
    for (const item of due) {
      this.#agenda.splice(this.#agenda.indexOf(item), 1);
      await item.does();
    }
  }

  #dashboard(id: string, status: 0 | 1): void {
    if (this.#world.get(id) === undefined || this.#world.get(id)?.active === status) return;
    this.#world.setStatus(id, status);
    this.#noticeSwitches('operator');
  }

  async #throughGuard(id: string, status: 0 | 1): Promise<void> {
    if (this.#world.get(id) === undefined) return;
    this.#actor = 'operator';
    await runOperatorCommand(this.#ports(), this.#project, id, status === 0 ? 'pause' : 'resume');
    this.#noticeSwitches('operator');
    const record = this.#world.get(id);
    if (record !== undefined) this.#oracle.throughGuard(record, this.#passNow());
    this.#calmPasses = 0;
    for (const slot of [this.#slot(this.#now()), this.#slot(this.#now()) + 1])
      this.#possible.add(`${slot} integration.reactivated ${id}`);
  }

  #repair(id: string): void {
    if (this.#world.get(id) !== undefined) this.#world.repair(id);
  }

  /** Operators react to an alert. */
  #react(event: GuardEvent): void {
    const id = event.record?.id;
    if (id === undefined) return;
    const random = this.#random;
    switch (event.type) {
      case 'integration.paused':
      case 'integration.suspended':
      case 'integration.recovery-abandoned': {
        const choice = random.below(20);
        if (choice < 9) {
          this.#plan(this.#minutes(7, 1_200), async () => {
            this.#repair(id);
            if (random.oneIn(3)) await this.#throughGuard(id, 1);
            else this.#dashboard(id, 1);
          });
        } else if (choice < 12) {
          // Resumed without a repair.
          this.#plan(this.#minutes(5, 300), () => this.#dashboard(id, 1));
        } else if (choice < 13) {
          this.#plan(this.#minutes(5, 300), () => this.#throughGuard(id, 0));
        } else if (choice < 14) {
          // On and off again between two passes.
          this.#plan(this.#minutes(7, 300), () => {
            this.#dashboard(id, 1);
            this.#plan(1, () => this.#dashboard(id, 0));
          });
        } else if (choice === 14 && random.oneIn(4)) {
          this.#plan(this.#minutes(60, 3_000), () => {
            this.#world.delete(id);
            this.#lastActive.delete(id);
            this.#create();
          });
        } else {
          this.#plan(this.#minutes(DAY_MINUTES, 4 * DAY_MINUTES), () => {
            this.#repair(id);
            this.#dashboard(id, 1);
          });
        }
        return;
      }
      case 'integration.failing': {
        if (!random.oneIn(4)) return;
        if (random.oneIn(2)) {
          // Off, repaired and on again, perhaps between two passes.
          this.#plan(this.#minutes(1, 25), () => {
            this.#dashboard(id, 0);
            this.#plan(1, () => {
              if (random.oneIn(2)) this.#repair(id);
              this.#dashboard(id, 1);
            });
          });
        } else {
          this.#plan(this.#minutes(1, 25), () => {
            this.#dashboard(id, 0);
            this.#plan(this.#minutes(5, 500), () => {
              this.#repair(id);
              this.#dashboard(id, 1);
            });
          });
        }
        return;
      }
      default:
        return;
    }
  }

  // ---- The guard --------------------------------------------------------------------------------------------------------

  #ports(): Ports {
    const api: IntegrationsApi = {
      traffic: { requests: 0, retries: 0, waitedMs: 0 },
      list: async () => {
        this.#counts.lists += 1;
        const clockAheadMs = Math.abs(this.#skewMs) > 5_000 ? -this.#skewMs : 0;
        return { records: this.#world.list().map(toRecord), invalid: [], clockAheadMs };
      },
      setStatus: async (id, status) => {
        const record = this.#world.setStatus(id, status);
        if (record === undefined) return { outcome: 'unknown', error: new UnavailableError(`${id} is gone`) };
        this.#noticeSwitches(this.#actor);
        const changedBefore = this.#now() - Date.parse(record.updated_at) > 5_000;
        return { outcome: changedBefore ? 'already' : 'set', record: toRecord(record) };
      },
    };
    return {
      api,
      ledger: {
        ...this.#ledger,
        appendHistory: async (project, events) => {
          await this.#ledger.appendHistory(project, events);
          for (const event of events) this.#history.set(event.id, event);
        },
      },
      alerts: this.#alerts,
      clock: { now: () => this.#guardNow() },
      log: silentLog,
      remainingMs: () => 120_000,
    };
  }

  async #pass(calm: boolean): Promise<void> {
    this.#actor = 'guard';
    const disturbance = this.#disturbance(calm);
    if (disturbance === 'missed') {
      this.#disturb(disturbance);
      return;
    }
    this.#counts.passes += 1;
    const from = this.#switches.length;
    if (disturbance === null) await this.#undisturbedPass();
    else await this.#disturbedPass(disturbance);
    if (disturbance !== null && disturbance !== 'killed') this.#meddle(this.#switches.slice(from));
    const events = this.#acceptedBy(PEOPLE);
    for (const event of events.slice(this.#heard)) this.#react(event);
    this.#heard = events.length;
  }

  /**
   * The oracle observes a pass that lists, reads and writes.
   * @param certain false if the pass may die before it writes
   */
  #observe(certain: boolean): Due {
    const at = this.#passNow();
    const records = this.#world.list();
    const due = this.#oracle.observe(records, at, certain);
    const slot = this.#slot(at);
    for (const event of due.events) this.#expected.add(`${slot} ${event}`);
    for (const event of due.possible) this.#possible.add(`${slot} ${event}`);
    const day = Math.floor((at / HOUR_MS - REMIND_AT_HOUR) / 24);
    if (day > this.#summed.certain) {
      const remindAt = (day * 24 + REMIND_AT_HOUR) * HOUR_MS;
      const stopped = new Map(records.map((record) => [record.id, this.#oracle.isStopped(record, remindAt)]));
      this.#summaries.push({
        at,
        remindAt,
        stopped,
        certain: certain && day > this.#summed.perhaps,
      });
      if (due.held) this.#possible.add(`${slot} guard.held `);
      this.#summed.perhaps = day;
      if (certain) this.#summed.certain = day;
    }
    this.#spared = due.spared || due.held;
    if (due.held) this.#counts.held += 1;
    if (due.spared) this.#counts.spared += 1;
    if (this.#spared) this.#overSince.clear();
    return due;
  }

  /** The number of the pass. */
  #slot(at: number): number {
    return Math.floor((at - START + 60_000) / (INTERVAL_MINUTES * 60_000));
  }

  async #undisturbedPass(): Promise<void> {
    const at = this.#now();
    const summaries = this.#summaries.length;
    const due = this.#observe(true);
    const from = this.#switches.length;
    const { lists } = this.#counts;
    const { writes } = this.#ledger.calls;
    await runPass(this.#ports(), this.#project);
    this.#failingNow = false;
    const done = this.#switches.slice(from);
    for (const [id, act] of due.acts) {
      const to = act === 'probe' ? 1 : 0;
      if (!done.some((item) => item.id === id && item.to === to)) this.#miss(`a due act is missing (${act})`, id);
    }
    for (const { id, to } of done) if (to === 0) this.#noteTimeToPause(id, at);
    if (this.#calmPasses > 2 && due.still && this.#counts.lists > lists + 1)
      this.#say('a pass requested a second list without a reason');
    this.#calmPasses += 1;
    this.#quietPasses =
      due.quiet && this.#calmPasses > 2 && summaries === this.#summaries.length ? this.#quietPasses + 1 : 0;
    // The first quiet pass may still write that a problem has ended.
    if (this.#quietPasses > 1 && this.#ledger.calls.writes > writes) this.#say('a quiet pass wrote');
  }

  #noteTimeToPause(id: string, at: number): void {
    const since = this.#overSince.get(id);
    if (since !== undefined) this.#counts.slowest = Math.max(this.#counts.slowest, (at - since) / 60_000);
    this.#overSince.delete(id);
  }

  /** Operators see a pause in the dashboard, even without an alert, and act before the next pass. */
  #meddle(switches: readonly Switch[]): void {
    for (const { id, by, to } of switches) {
      if (by !== 'guard' || to !== 0) continue;
      const choice = this.#random.below(4);
      if (choice === 0) this.#plan(this.#minutes(1, 4), () => this.#dashboard(id, 1));
      if (choice === 1) {
        this.#plan(this.#minutes(1, 4), () => {
          this.#world.delete(id);
          this.#lastActive.delete(id);
          this.#create();
        });
      }
    }
  }

  #disturbance(calm: boolean): Disturbance | null {
    if (calm) return null;
    if (this.#trouble !== null && this.#trouble.left > 0) {
      this.#trouble.left -= 1;
      return this.#trouble.kind;
    }
    this.#trouble = null;
    // More often if an act is due, because a pass without acts has nothing to lose.
    const busy = this.#overSince.size > 0 && !this.#spared;
    if (!this.#random.oneIn(busy ? 4 : 60)) return null;
    const kind = this.#random.pick(busy ? WHILE_ACTING : DISTURBANCES);
    const many = ['killed', 'in doubt', 'refused', 'key refused'].includes(kind) ? 1 : 30;
    this.#trouble = { kind, left: this.#random.below(many) };
    if (kind === 'unreachable' || kind === 'key rotated') this.#failingTroubles += 1;
    return kind;
  }

  #disturb(kind: Disturbance): void {
    this.#counts.disturbed += 1;
    this.#calmPasses = 0;
    if (kind === 'killed') this.#quietUntil = this.#now() + 12 * 60_000;
    this.#overSince.clear();
  }

  async #disturbedPass(kind: Exclude<Disturbance, 'missed'>): Promise<void> {
    this.#disturb(kind);
    const ports = this.#ports();
    switch (kind) {
      case 'killed': {
        this.#observe(false);
        const gate = createCrashGate(this.#random.below(14), this.#random.pick(['before', 'after'] as const));
        await Promise.race([runPass(gated(ports, gate), this.#project), gate.died]);
        return;
      }
      case 'unreachable':
      case 'key rotated': {
        const error =
          kind === 'unreachable'
            ? new UnavailableError('Qonversion could not be reached')
            : new KeyRefusedError('refused (401)');
        if (!this.#failingNow) this.#failingStretches += 1;
        this.#failingNow = true;
        await runPass({ ...ports, api: { ...ports.api, list: () => Promise.reject(error) } }, this.#project);
        return;
      }
      case 'no ledger':
        this.#hoursWithoutLedger.add(this.#guardNow().toISOString().slice(0, 13));
        this.#ledger.failWith('throttled');
        await runPass(ports, this.#project).catch(() => undefined);
        this.#ledger.failWith(null);
        return;
      case 'no alerts':
        // All due acts still happen.
        this.#alerts.refuse(() => true);
        await this.#undisturbedPass();
        this.#alerts.refuse(() => false);
        return;
      case 'one audience refuses':
        this.#alerts.refuse((_, audience) => audience === CHANNEL);
        await this.#undisturbedPass();
        this.#alerts.refuse(() => false);
        return;
      case 'in doubt':
      case 'refused':
      case 'key refused': {
        let asked = false;
        const setStatus: IntegrationsApi['setStatus'] = async (id, status) => {
          if (kind === 'in doubt') await ports.api.setStatus(id, status);
          asked = true;
          if (kind === 'key refused') return { outcome: 'key-refused', error: new KeyRefusedError('refused (401)') };
          const error = new UnavailableError('the answer was lost');
          return { outcome: kind === 'refused' ? 'refused' : 'unknown', error };
        };
        this.#observe(kind !== 'key refused');
        await runPass({ ...ports, api: { ...ports.api, setStatus } }, this.#project);
        if (kind !== 'key refused') return;
        // Rule 13: the pass stops acting, and the guard is failing until the next pass.
        if (asked) this.#failingTroubles += 1;
        if (asked && !this.#failingNow) this.#failingStretches += 1;
        this.#failingNow = asked;
      }
    }
  }

  // ---- Checks -----------------------------------------------------------------------------------------------------------

  #noticeSwitches(by: Actor): void {
    const at = this.#now();
    for (const record of this.#world.list()) {
      const from = this.#lastActive.get(record.id);
      if (from === record.active || from === undefined) continue;
      this.#lastActive.set(record.id, record.active);
      this.#switches.push({ id: record.id, at, by, from, to: record.active });
      if (by === 'operator') this.#counts.operatorActs += 1;
      this.#weighPause(record, by);
      const wrong = this.#oracle.switched(record, by, this.#passNow());
      if (wrong === null) continue;
      if (wrong.startsWith('operator')) this.#counts.overridden += 1;
      else if (wrong.startsWith('false')) this.#counts.falsePauses += 1;
      this.#say(wrong, record.id);
    }
  }

  #weighPause(record: SandboxRecord, by: Actor): void {
    const { withheld, doomed } = this.#world.tally(record.id);
    const before = this.#pausedAt.get(record.id);
    if (before !== undefined) {
      this.#counts.withheld += withheld - before.withheld;
      this.#counts.doomed += doomed - before.doomed;
      this.#pausedAt.delete(record.id);
    }
    if (by !== 'guard' || record.active !== 0) return;
    this.#pausedAt.set(record.id, { withheld, doomed });
    if (record.delivery_error_count < 50) this.#counts.rare += 1;
  }

  #noticeLimits(): void {
    for (const record of this.#world.list()) {
      if (!this.#oracle.isOverLimits(record, this.#now())) this.#overSince.delete(record.id);
      else if (!this.#overSince.has(record.id)) this.#overSince.set(record.id, this.#now());
    }
  }

  #miss(what: string, id: string): void {
    this.#counts.missed += 1;
    this.#say(what, id);
  }

  #say(what: string, id?: string): void {
    const { seed, recovery } = this.#options;
    const about = id === undefined ? '' : `${id}: `;
    // Finding the past takes long, and no one reads more than 50 violations.
    const past = id === undefined || this.#violations.length > 50 ? '' : ` [${this.#recentPast(id)}]`;
    const at = this.#world.now().toISOString().slice(0, 16);
    this.#violations.push(`months, ${recovery}, seed ${seed}, ${at}: ${about}${what}${past}`);
  }

  /** The last changes and alerts of an integration, to find the cause of a violation. */
  #recentPast(id: string): string {
    const done = this.#switches
      .filter((item) => item.id === id)
      .map(({ at, by, from, to }) => [at, `${by} ${from}→${to}`] as const);
    const delivered = this.#alerts
      .events()
      .filter(({ record }) => record?.id === id)
      .map(({ time, type }) => [Date.parse(time), type.replace('integration.', '')] as const);
    const both = [...done, ...delivered].sort(([left], [right]) => left - right).slice(-12);
    return both.map(([at, what]) => `${new Date(at).toISOString().slice(8, 19)} ${what}`).join(', ');
  }

  /** The events that every audience has accepted, and the history's audit-only events. */
  #delivered(): readonly GuardEvent[] {
    const inChannel = new Set(this.#acceptedBy(CHANNEL).map(({ id }) => id));
    const people = this.#acceptedBy(PEOPLE).filter(({ id }) => inChannel.has(id));
    // Without a ledger the guard alerts only machines, which are no audience here.
    const all = [...people, ...this.#acceptedBy(MACHINES), ...[...this.#history.values()].filter(isHistoryOnly)];
    return [...new Map(all.map((event) => [event.id, event])).values()];
  }

  #judgeAlerts(): void {
    const delivered = this.#delivered();
    if (this.#alerts.events().some(isHistoryOnly)) this.#say('people got an event that is only for the history');
    const byId = Map.groupBy(delivered, ({ record }) => record?.id ?? '');
    for (const id of new Set(this.#switches.map((item) => item.id))) {
      const events = byId.get(id) ?? [];
      const switches = this.#switches.filter((item) => item.id === id);
      const by = (actor: Actor, to: number) => switches.filter((item) => item.by === actor && item.to === to).length;
      const ofType = (type: string) => events.filter((event) => event.type === `integration.${type}`);
      const inDoubt = (of: readonly GuardEvent[]) =>
        of.filter(({ reason }) => reason.includes('may not have taken effect')).length;
      // The alert of the last failed probe is `recovery-abandoned`, which an operator's act or a suspension can also cause.
      const stops = [...ofType('paused'), ...ofType('probe-failed').filter(({ record }) => record?.active !== 2)];
      const ends = ofType('recovery-abandoned').filter(
        ({ reason, record }) => record?.active !== 2 && !reason.includes('until an operator'),
      );
      this.#atLeast(id, 'pauses', stops.length + ends.length, by('guard', 0));
      this.#atMost(id, 'pauses', stops.length + ends.length - inDoubt([...stops, ...ends]), by('guard', 0));
      const probes = ofType('probing');
      this.#atLeast(id, 'probes', probes.length, by('guard', 1));
      this.#atMost(id, 'probes', probes.length - inDoubt(probes), by('guard', 1));
    }
    this.#judgeByPass(delivered);
    this.#judgeSummaries(delivered);
    this.#judgeEnds(delivered);
    for (const id of this.#flaky)
      this.#atLeast(
        id,
        'spells of flapping',
        delivered.filter(({ type, record }) => record?.id === id && type === 'integration.flapping').length,
        1,
      );
    const withoutLedger = delivered.filter(({ reason }) => reason.startsWith('the ledger'));
    if (withoutLedger.length > this.#hoursWithoutLedger.size) this.#say('one failure of the ledger had several IDs');
    const about = (type: string) =>
      delivered.filter((event) => event.type === type && !withoutLedger.includes(event)).length;
    const failing = about('guard.failing');
    if (failing < this.#failingStretches || failing > this.#failingTroubles) {
      this.#say(`${this.#failingStretches} series of passes could not run, but ${failing} alerts of them`);
    }
    if (about('guard.failing') !== about('guard.recovered'))
      this.#say('the end of a failure of the guard has no alert');
  }

  /** Each event must occur in the pass that the rules require, and in no other. */
  #judgeByPass(delivered: readonly GuardEvent[]): void {
    const judged = new Set<string>(JUDGED_BY_PASS);
    const events = delivered.filter(({ type }) => judged.has(type));
    const keys = new Map(events.map((event) => [this.#keyOf(event), event]));
    for (const key of this.#expected) {
      const [slot = '', type = '', ...subject] = key.split(' ');
      if (!judged.has(type) || keys.has(key)) continue;
      this.#lost += 1;
      this.#say(`${this.#timeOf(Number(slot))}: ${type} ${subject.join(' ')} is missing`, subject.join(' '));
    }
    for (const [key, { time, type, record, provider, reason }] of keys)
      if (!this.#possible.has(key)) this.#say(`${time}: ${type} ${provider ?? ''} has no cause: ${reason}`, record?.id);
  }

  #keyOf({ time, type, record, provider }: GuardEvent): string {
    return `${this.#slot(Date.parse(time))} ${type} ${record?.id ?? provider ?? ''}`;
  }

  #timeOf(slot: number): string {
    return new Date(START + slot * INTERVAL_MINUTES * 60_000).toISOString().slice(5, 16);
  }

  /** The daily summary must list every stopped integration that was not reported within six hours. */
  #judgeSummaries(delivered: readonly GuardEvent[]): void {
    const announced = Map.groupBy(
      delivered.filter(({ type }) => ANNOUNCING.includes(type)),
      ({ record }) => record?.id ?? '',
    );
    const keys = new Set<string>();
    for (const { at, remindAt, stopped, certain } of this.#summaries)
      for (const [id, isStopped] of stopped) {
        if (isStopped === 'no') continue;
        const slot = this.#slot(at);
        const past = (announced.get(id) ?? [])
          .map(({ time }) => Date.parse(time))
          .filter((time) => this.#slot(time) < slot);
        const last = Math.max(0, ...past);
        if (at - last < 6 * HOUR_MS) continue;
        const isDue = isStopped === 'yes' && remindAt - last >= 6 * HOUR_MS;
        const key = `${slot} integration.still-down ${id}`;
        keys.add(key);
        const isIn = (announced.get(id) ?? []).some((event) => this.#slot(Date.parse(event.time)) === slot);
        if (certain && isDue && !isIn) this.#say(`${this.#timeOf(slot)}: still stopped, but not in the summary`, id);
      }
    for (const event of delivered)
      if (event.type === 'integration.still-down' && !keys.has(this.#keyOf(event)))
        this.#say(`${event.time}: in the summary without a reason`, event.record?.id);
  }

  /** If a reported problem has ended, people must have an alert of its end. */
  #judgeEnds(delivered: readonly GuardEvent[]): void {
    const openers = ['integration.failing', 'integration.would-pause', 'integration.flapping'];
    for (const { id } of this.#world.list().filter(({ id }) => !this.#oracle.isReported(id))) {
      const events = delivered
        .filter(({ record }) => record?.id === id)
        .sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
      const last = events.findLast(({ type }) => openers.includes(type) || ENDING.includes(type));
      if (last === undefined || !openers.includes(last.type)) continue;
      // An operator who changed it since knows its state.
      if (this.#switches.some((item) => item.id === id && item.at > Date.parse(last.time))) continue;
      this.#say(`no alert says that it recovered after ${last.type} at ${last.time}`, id);
    }
  }

  #atLeast(id: string, what: string, alerts: number, least: number): void {
    if (alerts >= least) return;
    this.#lost += least - alerts;
    this.#say(`alerts lost: ${least} ${what}, but ${alerts} alerts of them`, id);
  }

  #atMost(id: string, what: string, alerts: number, most: number): void {
    if (alerts > most) this.#say(`alerts without a cause: ${most} ${what}, but ${alerts} alerts of them`, id);
  }

  #acceptedBy(audience: string): readonly GuardEvent[] {
    return this.#alerts.published.flatMap((call) => (call.audience === audience ? call.events : []));
  }

  sum(): Months {
    const events = this.#acceptedBy(PEOPLE);
    const distinct = new Set(events.map(({ id }) => id)).size;
    const tallies = this.#world.list().map(({ id }) => this.#world.tally(id));
    const sumOf = (field: 'delivered' | 'failed') => tallies.reduce((sum, tally) => sum + tally[field], 0);
    const switched = (by: Actor, to: number) =>
      this.#switches.filter((item) => item.by === by && item.to === to).length;
    const { passes, disturbed, falsePauses, overridden, missed, slowest, operatorActs, withheld, doomed } =
      this.#counts;
    return {
      violations: this.#violations,
      passes,
      disturbed,
      pauses: switched('guard', 0),
      rare: this.#counts.rare,
      falsePauses,
      overridden,
      missed,
      slowestMinutes: slowest,
      held: this.#counts.held,
      spared: this.#counts.spared,
      suspensions: switched('worker', 2),
      probes: switched('guard', 1),
      operatorActs,
      alerts: distinct,
      alertsLost: this.#lost,
      copies: events.length - distinct,
      withheld,
      doomed,
      delivered: sumOf('delivered'),
      failed: sumOf('failed'),
    };
  }
}

/** Events with a definite pass. Alerts of a pause can come later, if its outcome was in doubt. */
const JUDGED_BY_PASS = [
  'integration.failing',
  'integration.would-pause',
  'integration.flapping',
  'integration.recovered',
  'integration.reactivated',
  'integration.suspended',
  'provider.down',
  'provider.recovered',
  'guard.common-cause',
  'guard.common-cause-ended',
  'guard.held',
];

/** Probes (rule 8) and operators' own changes (rule 6) are in the history and send no alerts. */
function isHistoryOnly({ type }: GuardEvent): boolean {
  return /^integration\.(probing|probe-failed|operator-paused|operator-resumed|exemption)$/.test(type);
}

/** Events that replace an entry in the next daily summary for six hours. */
const ANNOUNCING = [
  'integration.paused',
  'integration.suspended',
  'integration.recovery-abandoned',
  'integration.still-down',
];

const ENDING = ['integration.recovered', 'integration.reactivated', 'integration.paused', 'integration.suspended'];

/** Disturbances of a pass. */
const DISTURBANCES = [
  'missed',
  'killed',
  'killed',
  'unreachable',
  'key rotated',
  'no ledger',
  'no alerts',
  'no alerts',
  'one audience refuses',
  'in doubt',
  'refused',
  'key refused',
] as const;

type Disturbance = (typeof DISTURBANCES)[number];

/** Disturbances of a pass that acts: the same, with more of those that affect an act and its alert. */
const WHILE_ACTING = [
  ...DISTURBANCES,
  'killed',
  'no alerts',
  'one audience refuses',
  'in doubt',
  'in doubt',
  'refused',
  'key refused',
] as const;

function toRecord({ object: _object, url: _url, ...record }: SandboxRecord): IntegrationRecord {
  return record;
}

/** Seeds, integrations and days by size. Each runs with both kinds of recovery. */
const LIVES: Readonly<Record<Size, readonly Omit<MonthsOptions, 'recovery'>[]>> = {
  // Together they have every kind of disturbance of an act, and a hold of the blast radius.
  quick: [6, 7].map((seed) => ({ seed, integrations: 40, days: 12 })),
  full: [
    { seed: 1, integrations: 300, days: 30 },
    ...[2, 3, 4, 5, 6].map((seed) => ({ seed, integrations: 40, days: 40 })),
  ],
  soak: Array.from({ length: 20 }, (_, index) => ({ seed: 100 + index, integrations: 300, days: 120 })),
};

/** The large project takes as long as all others, so in a full run it has only the default recovery. */
function livesOf(size: Size, recovery: RecoveryMode): readonly Omit<MonthsOptions, 'recovery'>[] {
  return LIVES[size].filter(({ integrations }) => size !== 'full' || recovery === 'probe' || integrations <= 40);
}

/** @param first whether to stop at the first life with a violation */
export async function simulateMonths(size: Size, first = false): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const recovery of ['manual', 'probe'] as const) {
    const lives: Months[] = [];
    for (const life of livesOf(size, recovery)) {
      lives.push(await liveMonths({ ...life, recovery }));
      if (first && lives.some(({ violations }) => violations.length > 0)) break;
    }
    const total = (field: Exclude<keyof Months, 'violations'>) => lives.reduce((sum, months) => sum + months[field], 0);
    const days = livesOf(size, recovery).reduce((sum, life) => sum + life.days, 0);
    findings.push({
      harness: `months, ${recovery} recovery`,
      unit: 'simulated days',
      tried: days,
      violations: lives.flatMap(({ violations }) => violations),
      figures: {
        'integration-days': livesOf(size, recovery).reduce((sum, life) => sum + life.days * life.integrations, 0),
        passes: total('passes'),
        'of them disturbed': total('disturbed'),
        'held by the blast radius': total('held'),
        'during shared outages': total('spared'),
        pauses: total('pauses'),
        'of them with few failures': total('rare'),
        'false pauses': total('falsePauses'),
        'missed pauses': total('missed'),
        'minutes to pause, maximum': Math.max(...lives.map(({ slowestMinutes }) => slowestMinutes)),
        "operators' acts": total('operatorActs'),
        'operators overridden': total('overridden'),
        'suspensions by Qonversion': total('suspensions'),
        probes: total('probes'),
        'alerts published': total('alerts'),
        'alerts lost': total('alertsLost'),
        'copies with the same ID': total('copies'),
        'events withheld by pauses': total('withheld'),
        'of them, would have failed anyway': total('doomed'),
        'events failed': total('failed'),
        'events delivered': total('delivered'),
      },
    });
    if (first && findings.some(({ violations }) => violations.length > 0)) break;
  }
  return findings;
}
