import type { GuardEvent } from '../../functions/guard/model/event.ts';
import type { IntegrationRecord } from '../../functions/guard/model/integration.ts';
import { runOperatorCommand } from '../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { type IntegrationsApi, MACHINES, PEOPLE, type Ports } from '../../functions/guard/ports.ts';
import { KeyRefusedError, UnavailableError } from '../../functions/qonversion/errors.ts';
import { type SandboxRecord, World } from '../../functions/sandbox/world.ts';
import { aPolicy, PROBE_RECOVERY } from '../support/builders.ts';
import { createMemoryAlerts, createMemoryLedger, silentLog } from '../support/memory-ports.ts';
import { createCrashGate, gated } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { type Actor, type Due, type Limits, Oracle } from './oracle.ts';
import { createRandom, type Random } from './random.ts';

/**
 * Months in the life of a project: hundreds of integrations with traffic, outages and blips, operators who repair, forget and
 * meddle, suspensions, deletions, clocks that are off, schedules that are missed, keys that are rotated, and passes that die.
 * The guard lives through it beside an oracle that knows what truly happened.
 */

const NAME = 'production';
const CHANNEL = 'chat-1';
const INTERVAL_MINUTES = 5;
const DAY_MINUTES = 24 * 60;
/** Tighter than the default, so that what they share is often enough to hold them all. */
const BLAST_RADIUS = { percent: 10, floor: 3 };
const REMIND_EVERY_HOURS = 24;

type RecoveryMode = 'manual' | 'probe';

/** Settings by title, as somebody would write them. */
const KINDS = {
  ordinary: { errorThreshold: 50, mode: 'enforce' },
  slow: { errorThreshold: 500, mode: 'enforce' },
  // A leash so long that Qonversion's own worker gets there first.
  leash: { errorThreshold: 100_000, mode: 'enforce' },
  ignored: { errorThreshold: 50, mode: 'ignore' },
} as const satisfies Record<string, Pick<Limits, 'errorThreshold' | 'mode'>>;

type Kind = keyof typeof KINDS;

function policyOf(recovery: RecoveryMode) {
  return aPolicy({
    blastRadius: BLAST_RADIUS,
    remindEveryHours: REMIND_EVERY_HOURS,
    recovery: recovery === 'probe' ? PROBE_RECOVERY : { mode: 'manual' },
    overrides: [
      { match: { title: 'slow*' }, errorThreshold: KINDS.slow.errorThreshold },
      { match: { title: 'leash*' }, errorThreshold: KINDS.leash.errorThreshold },
      { match: { title: 'ignored*' }, mode: 'ignore' },
    ],
  });
}

export interface MonthsOptions {
  readonly seed: number;
  readonly integrations: number;
  readonly days: number;
  readonly recovery: RecoveryMode;
}

/** What the months came to. */
export interface Months {
  readonly violations: readonly string[];
  readonly passes: number;
  readonly disturbed: number;
  readonly pauses: number;
  /** Of these, what had not been failing for as long as the limit says: a burst after hours without traffic (rule 2). */
  readonly bursts: number;
  readonly falsePauses: number;
  readonly overridden: number;
  /** Due in an undisturbed pass, and not done. */
  readonly missed: number;
  /** Minutes from the limits being met to the pause, at most, where no pass was disturbed or held in between. */
  readonly slowestMinutes: number;
  /** Passes in which the blast radius held all pauses back. */
  readonly held: number;
  readonly suspensions: number;
  readonly probes: number;
  readonly operatorActs: number;
  readonly alerts: number;
  readonly alertsLost: number;
  readonly copies: number;
  /** Events not sent while the guard had paused, and how many of them would have failed all the same. */
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
  readonly #world = new World({ startAt: '2026-01-05T00:00:00Z', suspendAfterErrors: 400, suspendAfterMinutes: 90 });
  readonly #oracle = new Oracle(BLAST_RADIUS);
  readonly #alerts = createMemoryAlerts([PEOPLE, CHANNEL]);
  readonly #ledger;
  readonly #project;
  readonly #violations: string[] = [];
  readonly #switches: Switch[] = [];
  readonly #lastActive = new Map<string, number>();
  /** What operators mean to do, by the minute. */
  readonly #agenda: { readonly at: number; readonly does: () => Promise<void> | void }[] = [];
  /** Since when the limits are met, by what a guard can see. */
  readonly #overSince = new Map<string, number>();
  /** Since when there have been failures and no success. */
  readonly #failingFrom = new Map<string, number>();
  /** Where a pause of the guard's began to withhold events. */
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
    bursts: 0,
    held: 0,
  };
  /** Operators' re-activations that some undisturbed pass must have seen, by integration. */
  readonly #reactivated = new Map<string, number>();
  readonly #awaited = new Map<string, number>();
  /** Integrations that an operator resumed through the guard, perhaps while they were active: once for each time. */
  readonly #resumed: string[] = [];
  /** Paused through the guard by an operator, whoever had stopped it before. */
  readonly #operatorsOwn = new Set<string>();
  /** Without a ledger machines hear it from every pass, under one id an hour. */
  readonly #hoursWithoutLedger = new Set<string>();
  /** What fails and delivers by turns all its life. */
  readonly #flaky = new Set<string>();
  #actor: Actor = 'worker';
  #skewMs = 0;
  #heard = 0;
  #lost = 0;
  #quietUntil = 0;
  #trouble: { readonly kind: Disturbance; left: number } | null = null;
  /** Stretches of passes that could not run with an undisturbed one between them; and all troubles of that kind. */
  #failingStretches = 0;
  #failingTroubles = 0;
  #failingNow = false;

  constructor(options: MonthsOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#ledger = createMemoryLedger({ now: () => this.#guardNow() });
    this.#project = { name: NAME, policy: policyOf(options.recovery) };
  }

  async live(): Promise<void> {
    const { integrations, days } = this.#options;
    for (let number = 0; number < integrations; number += 1) this.#create();
    for (let day = 0; day < days; day += 20) this.#planCommonOutage(day * DAY_MINUTES);
    const end = days * DAY_MINUTES;
    for (let minute = 1; minute <= end; minute += 1) {
      // The last day is calm: whatever was disturbed has time to come to rest.
      const calm = minute > end - DAY_MINUTES;
      this.#world.advance(0.25);
      await this.#operatorsAct(calm);
      this.#world.advance(0.25);
      if (minute % DAY_MINUTES === 0) this.#driftClock();
      if (minute % INTERVAL_MINUTES === 0) await this.#pass(calm);
      this.#world.advance(0.5);
      this.#noticeSwitches('worker');
      this.#noticeLimits();
    }
    this.#judgeAlerts();
  }

  #now(): number {
    return this.#world.now().getTime();
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
    const kind = random.pick<Kind>([
      'ordinary',
      'ordinary',
      'ordinary',
      'ordinary',
      'ordinary',
      'ordinary',
      'slow',
      'leash',
      'leash',
      'ignored',
    ]);
    this.#counts.created += 1;
    const eventsPerMinute = random.pick([0.02, 0.3, 1, 4, 4, 12]);
    const record = this.#world.add({
      id: `i${this.#counts.created}`,
      title: `${kind} ${this.#counts.created}`,
      active: random.oneIn(12) ? 0 : 1,
      eventsPerMinute,
    });
    if (kind === 'ordinary' && record.active === 1 && eventsPerMinute >= 4 && random.oneIn(4)) {
      this.#world.setFlaky(record.id, 0.8);
      this.#flaky.add(record.id);
    }
    const { probe } = this.#project.policy.recovery.mode === 'probe' ? { probe: PROBE_RECOVERY } : { probe: null };
    this.#oracle.created(record, { ...KINDS[kind], failingForMinutes: 15, probe });
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

  /** Nothing for hours, then much at once: what rule 2 takes for an outage as soon as it fails. */
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

  /** Something they all share breaks: the blast radius is for this. */
  #planCommonOutage(from: number): void {
    const at = from + this.#minutes(DAY_MINUTES, 9 * DAY_MINUTES);
    const length = this.#minutes(20, 150);
    for (const { id } of this.#world.list())
      if (!this.#random.oneIn(4)) this.#world.planOutage(id, 'EAI_AGAIN', at, length);
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
    // Whose act it was cannot be known when somebody does the same within the minutes of a pass that died (docs/faults.md).
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
    if (record !== undefined) this.#oracle.throughGuard(record, this.#now());
    this.#awaited.delete(id);
    if (status === 0) this.#operatorsOwn.add(id);
    else this.#resumed.push(id);
  }

  #repair(id: string): void {
    if (this.#world.get(id) !== undefined) this.#world.mend(id);
  }

  /** People read their alerts and do what people do. */
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
          // Hope is not a repair.
          this.#plan(this.#minutes(5, 300), () => this.#dashboard(id, 1));
        } else if (choice < 13) {
          this.#plan(this.#minutes(5, 300), () => this.#throughGuard(id, 0));
        } else if (choice < 14) {
          // On and off again before anybody could look.
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
          // Off, mended, and on again, all between two passes perhaps.
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
      list: async () => ({
        records: this.#world.list().map(toRecord),
        invalid: [],
        clockAheadMs: Math.abs(this.#skewMs) > 5_000 ? -this.#skewMs : 0,
      }),
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
      ledger: this.#ledger,
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

  /** What a pass sees that can list, read and write; whether it can act or be heard does not matter. */
  #look(records: readonly SandboxRecord[], at: number): Due {
    for (const { id, active } of records) {
      if (active === 1 && this.#awaited.delete(id)) this.#reactivated.set(id, (this.#reactivated.get(id) ?? 0) + 1);
    }
    return this.#oracle.beforePass(records, at);
  }

  async #undisturbedPass(): Promise<void> {
    const at = this.#now();
    const records = this.#world.list();
    const due = this.#look(records, at);
    const from = this.#switches.length;
    await runPass(this.#ports(), this.#project);
    this.#failingNow = false;
    const done = this.#switches.slice(from);
    const did = (id: string, to: number) => done.some((item) => item.id === id && item.to === to);
    for (const id of due.pause) if (!did(id, 0)) this.#miss('was to be paused and was not', id);
    for (const id of due.probe) if (!did(id, 1)) this.#miss('was due for a probe and got none', id);
    for (const { id, to } of done) {
      if (to === 0 && due.held && !due.pause.has(id)) this.#say('was paused although the blast radius held', id);
      if (to === 0) this.#noteTimeToPause(id, at);
    }
    if (!due.held) return;
    this.#counts.held += 1;
    this.#overSince.clear();
  }

  #noteTimeToPause(id: string, at: number): void {
    const since = this.#overSince.get(id);
    if (since !== undefined) this.#counts.slowest = Math.max(this.#counts.slowest, (at - since) / 60_000);
    this.#overSince.delete(id);
  }

  /** People look at the dashboard whether or not an alert reached them, and act before the next pass. */
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
    // Oftener when something is due: a pass that has nothing to do has nothing to lose.
    if (!this.#random.oneIn(this.#overSince.size > 0 ? 4 : 60)) return null;
    const kind = this.#random.pick(this.#overSince.size > 0 ? WHILE_ACTING : DISTURBANCES);
    const many = kind === 'killed' || kind === 'in doubt' || kind === 'refused' ? 1 : 30;
    this.#trouble = { kind, left: this.#random.below(many) };
    if (kind === 'unreachable' || kind === 'key rotated') this.#failingTroubles += 1;
    return kind;
  }

  #disturb(kind: Disturbance): void {
    this.#counts.disturbed += 1;
    if (kind === 'killed') this.#quietUntil = this.#now() + 12 * 60_000;
    this.#overSince.clear();
  }

  async #disturbedPass(kind: Exclude<Disturbance, 'missed'>): Promise<void> {
    this.#disturb(kind);
    const ports = this.#ports();
    switch (kind) {
      case 'killed': {
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
        // What is due is done all the same.
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
      case 'refused': {
        const setStatus: IntegrationsApi['setStatus'] = async (id, status) => {
          if (kind === 'in doubt') await ports.api.setStatus(id, status);
          const error = new UnavailableError('the answer was lost');
          return { outcome: kind === 'refused' ? 'refused' : 'unknown', error };
        };
        this.#look(this.#world.list(), this.#now());
        await runPass({ ...ports, api: { ...ports.api, setStatus } }, this.#project);
      }
    }
  }

  // ---- What truly happened ----------------------------------------------------------------------------------------------

  #noticeSwitches(by: Actor): void {
    const at = this.#now();
    for (const record of this.#world.list()) {
      const from = this.#lastActive.get(record.id);
      if (from === record.active || from === undefined) continue;
      this.#lastActive.set(record.id, record.active);
      if (by === 'guard') this.#operatorsOwn.delete(record.id);
      this.#switches.push({ id: record.id, at, by, from, to: record.active });
      if (by === 'operator') this.#counts.operatorActs += 1;
      this.#weighPause(record, by);
      if (by === 'operator' && record.active === 1 && this.#wasStoppedByOthers(record.id))
        this.#awaited.set(record.id, at);
      else this.#awaited.delete(record.id);
      const wrong = this.#oracle.switched(record, by, at);
      if (wrong === null) continue;
      if (wrong.startsWith('operator')) this.#counts.overridden += 1;
      else if (wrong.startsWith('false')) this.#counts.falsePauses += 1;
      this.#say(wrong, record.id);
    }
  }

  /** Whether the last stop that a pass may have seen was the guard's or the worker's. */
  #wasStoppedByOthers(id: string): boolean {
    const stop = this.#switches.findLast((item) => item.id === id && item.to !== 1);
    return stop?.by === 'guard' && !this.#operatorsOwn.has(id);
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
    const from = this.#failingFrom.get(record.id) ?? this.#now();
    if (this.#now() - from < 14.5 * 60_000) this.#counts.bursts += 1;
  }

  #noticeLimits(): void {
    for (const record of this.#world.list()) {
      if (record.delivery_error_count === 0) this.#failingFrom.delete(record.id);
      else if (!this.#failingFrom.has(record.id)) this.#failingFrom.set(record.id, this.#now());
      if (record.delivery_error_count === 0 || !this.#oracle.isOverLimits(record, this.#now()))
        this.#overSince.delete(record.id);
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
    const past = id === undefined ? '' : ` [${this.#recentPast(id)}]`;
    const at = this.#world.now().toISOString().slice(0, 16);
    this.#violations.push(`months, ${recovery}, seed ${seed}, ${at}: ${about}${what}${past}`);
  }

  /** The last that was done and told of an integration, for whoever looks for the fault. */
  #recentPast(id: string): string {
    const done = this.#switches
      .filter((item) => item.id === id)
      .map(({ at, by, from, to }) => [at, `${by} ${from}→${to}`] as const);
    const told = this.#alerts
      .events()
      .filter(({ record }) => record?.id === id)
      .map(({ time, type }) => [Date.parse(time), type.replace('integration.', '')] as const);
    const both = [...done, ...told].sort(([left], [right]) => left - right).slice(-12);
    return both.map(([at, what]) => `${new Date(at).toISOString().slice(8, 19)} ${what}`).join(', ');
  }

  #judgeAlerts(): void {
    const inChannel = new Set(this.#acceptedBy(CHANNEL).map(({ id }) => id));
    const accepted = new Map(this.#acceptedBy(PEOPLE).map((event) => [event.id, event]));
    // Without a ledger machines alone hear it, and those are no audience here.
    const machines = [...new Map(this.#acceptedBy(MACHINES).map((event) => [event.id, event])).values()];
    const told = [...[...accepted.values()].filter(({ id }) => inChannel.has(id)), ...machines];
    const byId = new Map<string, GuardEvent[]>();
    for (const event of told) byId.set(event.record?.id ?? '', [...(byId.get(event.record?.id ?? '') ?? []), event]);
    const ids = new Set(this.#switches.map(({ id }) => id));
    for (const id of ids) {
      const events = byId.get(id) ?? [];
      const count = (...types: string[]) => events.filter(({ type }) => types.includes(type)).length;
      const switches = this.#switches.filter((item) => item.id === id);
      const by = (actor: Actor, to: number) => switches.filter((item) => item.by === actor && item.to === to).length;
      const handed = events.filter(
        ({ type, reason }) => type.endsWith('abandoned') && reason.includes('until an operator'),
      ).length;
      const givenUpBySuspension = events.filter(
        ({ type, record }) => type.endsWith('abandoned') && record?.active === 2,
      ).length;
      const stops = count('integration.paused', 'integration.recovery-abandoned') - handed - givenUpBySuspension;
      const inDoubt = events.filter(({ reason }) => reason.includes('may not have taken effect'));
      const probesInDoubt = inDoubt.filter(({ type }) => type === 'integration.probing').length;
      this.#atLeast(id, 'pauses', stops, by('guard', 0));
      this.#atMost(id, 'pauses', stops - (inDoubt.length - probesInDoubt), by('guard', 0));
      this.#atLeast(id, 'probes', count('integration.probing'), by('guard', 1));
      this.#atMost(id, 'probes', count('integration.probing') - probesInDoubt, by('guard', 1));
      this.#atMost(id, 'suspensions', count('integration.suspended'), by('worker', 2));
      this.#atLeast(id, 're-activations', count('integration.reactivated'), this.#reactivated.get(id) ?? 0);
      const resumed = this.#resumed.filter((item) => item === id).length;
      const causes = by('operator', 1) + by('operator', 0) + resumed;
      this.#atMost(id, 're-activations', count('integration.reactivated'), causes);
      this.#judgeReminders(id, switches, events);
    }
    for (const id of this.#flaky) {
      const events = byId.get(id) ?? [];
      const count = (type: string) => events.filter((event) => event.type === type).length;
      this.#atLeast(id, 'spells of flapping', count('integration.flapping'), 1);
      // Each spell, and each outage in between, has one warning and one end; not each turn.
      const spells = count('integration.flapping') + count('integration.paused') + this.#options.days;
      this.#atMost(id, 'warnings', count('integration.failing'), spells);
      this.#atMost(id, 'recoveries', count('integration.recovered'), 2 * spells);
    }
    const withoutLedger = told.filter(({ reason }) => reason.startsWith('the ledger'));
    if (withoutLedger.length > this.#hoursWithoutLedger.size)
      this.#say('the same failure of the ledger had several ids');
    const about = (type: string) =>
      told.filter((event) => event.type === type && !withoutLedger.includes(event)).length;
    const failing = about('guard.failing');
    if (failing < this.#failingStretches || failing > this.#failingTroubles) {
      this.#say(`${this.#failingStretches} stretches in which passes could not run, ${failing} alerts of them`);
    }
    if (this.#counts.held > 0 && about('guard.held') === 0) this.#say('nobody was told that pauses were held back');
    if (about('guard.failing') !== about('guard.recovered')) this.#say('a guard that runs again did not say so');
  }

  /** A reminder a day while it is stopped and not by an operator, give or take the passes that were missed. */
  #judgeReminders(id: string, switches: readonly Switch[], events: readonly GuardEvent[]): void {
    for (const [index, stop] of switches.entries()) {
      if (stop.by === 'operator' || stop.to === 1) continue;
      const end = switches[index + 1]?.at ?? (this.#world.get(id) === undefined ? stop.at : this.#now());
      const hours = (end - stop.at) / 3_600_000;
      const reminders = events.filter(
        ({ type, time }) => type === 'integration.still-down' && Date.parse(time) > stop.at && Date.parse(time) <= end,
      ).length;
      this.#atMost(id, `reminders in ${hours.toFixed(0)} h`, reminders, Math.floor(hours / REMIND_EVERY_HOURS));
    }
  }

  #atLeast(id: string, what: string, told: number, least: number): void {
    if (told >= least) return;
    this.#lost += least - told;
    this.#say(`alerts lost: ${least} ${what}, ${told} were told`, id);
  }

  #atMost(id: string, what: string, told: number, most: number): void {
    if (told > most) this.#say(`alerts of what never happened: ${most} ${what}, ${told} were told`, id);
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
      bursts: this.#counts.bursts,
      falsePauses,
      overridden,
      missed,
      slowestMinutes: slowest,
      held: this.#counts.held,
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

/** What can go wrong with one pass. */
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
] as const;

type Disturbance = (typeof DISTURBANCES)[number];

/** What can go wrong when something is to be done: the same, but more often what strikes an act and its alert. */
const WHILE_ACTING = [
  ...DISTURBANCES,
  'killed',
  'no alerts',
  'one audience refuses',
  'in doubt',
  'in doubt',
  'refused',
] as const;

function toRecord({ object: _object, url: _url, ...record }: SandboxRecord): IntegrationRecord {
  return record;
}

/** How much life a size is worth: seeds, integrations and days, each lived with either kind of recovery. */
const LIVES: Readonly<Record<Size, readonly Omit<MonthsOptions, 'recovery'>[]>> = {
  // Between them they see each kind of disturbance strike an act, and the blast radius hold.
  quick: [4, 6].map((seed) => ({ seed, integrations: 40, days: 12 })),
  full: [
    { seed: 1, integrations: 300, days: 30 },
    ...[2, 3, 4, 5, 6].map((seed) => ({ seed, integrations: 40, days: 40 })),
  ],
  soak: Array.from({ length: 20 }, (_, index) => ({ seed: 100 + index, integrations: 300, days: 120 })),
};

export async function simulateMonths(size: Size): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const recovery of ['manual', 'probe'] as const) {
    const lives: Months[] = [];
    for (const life of LIVES[size]) lives.push(await liveMonths({ ...life, recovery }));
    const total = (field: Exclude<keyof Months, 'violations'>) => lives.reduce((sum, months) => sum + months[field], 0);
    const days = LIVES[size].reduce((sum, life) => sum + life.days, 0);
    findings.push({
      harness: `months, ${recovery} recovery`,
      unit: 'simulated days',
      tried: days,
      violations: lives.flatMap(({ violations }) => violations),
      figures: {
        'integration-days': LIVES[size].reduce((sum, life) => sum + life.days * life.integrations, 0),
        passes: total('passes'),
        'of them disturbed': total('disturbed'),
        'held by the blast radius': total('held'),
        pauses: total('pauses'),
        'of them bursts after a silence': total('bursts'),
        'false pauses': total('falsePauses'),
        'pauses missed': total('missed'),
        'minutes to pause, at most': Math.max(...lives.map(({ slowestMinutes }) => slowestMinutes)),
        "operators' acts": total('operatorActs'),
        'operators overridden': total('overridden'),
        'suspensions by Qonversion': total('suspensions'),
        probes: total('probes'),
        'alerts published': total('alerts'),
        'alerts lost': total('alertsLost'),
        'copies under the same id': total('copies'),
        'events withheld by pauses': total('withheld'),
        'of them doomed anyway': total('doomed'),
        'events failed': total('failed'),
        'events delivered': total('delivered'),
      },
    });
  }
  return findings;
}
