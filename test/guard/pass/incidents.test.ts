import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Listing } from '../../../functions/guard/model/integration.ts';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import type { OperatorCommand } from '../../../functions/guard/policy/operator.ts';
import { type Ledger, MACHINES, PEOPLE, type Ports, underName } from '../../../functions/guard/ports.ts';
import type { Policy } from '../../../functions/guard/settings/schema.ts';
import { KeyRefusedError, UnavailableError } from '../../../functions/qonversion/errors.ts';
import { World } from '../../../functions/sandbox/world.ts';
import { createCrashGate, type Gate, gated, MOMENTS, type Moment } from '../../faults/effects.ts';
import { aPolicy, PROBE_RECOVERY } from '../../support/builders.ts';
import { QUICK } from '../../support/harness.ts';
import { IncidentTool } from '../../support/incident-tool.ts';
import { createMemoryAlerts, createMemoryLedger, createWorldApi, silentLog } from '../../support/memory-ports.ts';

/**
 * One incident opens per episode and closes automatically: random lives of a project, with an incident tool that receives every message for
 * machines. When nothing is wrong any more, no incident is open.
 */

/** More of them: INCIDENT_RUNS=5000. */
const RUNS = Number(process.env.INCIDENT_RUNS ?? 120);

const LEDGER_NAME = 'production';
/** Enough of one provider for an outage, and one of another. */
const PROVIDERS = { a: 'amplitude', b: 'amplitude', c: 'amplitude', d: 'mixpanel', e: 'mixpanel' } as const;
type Id = keyof typeof PROVIDERS;
const IDS = Object.keys(PROVIDERS) as readonly Id[];

const RECOVERY = { ...PROBE_RECOVERY, cooldownMinutes: 20, maxCooldownMinutes: 60, maxAttempts: 2 };

/** Settings that a team may deploy between two passes. */
const SETTINGS: readonly Record<string, unknown>[] = [
  {},
  { mode: 'observe' },
  { recovery: { mode: 'manual' } },
  { flapping: 'off' },
  { flapping: 'pause' },
  { warnThreshold: 0 },
  { providerOutage: { minimum: 2, holdHours: 1 } },
  { blastRadius: { percent: 0, floor: 1 } },
  { overrides: [{ match: { id: 'a' }, mode: 'ignore' }] },
  { overrides: [{ match: { integration: 'Amplitude' }, mode: 'ignore' }] },
  { remindAt: '12:30' },
];

const COMMANDS: readonly OperatorCommand[] = ['pause', 'resume', { ignoreForMinutes: 40 }, 'unignore'];

type Step =
  | { readonly does: 'pass' | 'pass without a key' | 'close by hand' | 'rename'; readonly after: number }
  | { readonly does: 'killed pass'; readonly effect: number; readonly moment: Moment }
  | { readonly does: 'list'; readonly is: 'unreachable' | 'empty' | 'whole'; readonly after: number }
  | { readonly does: 'unreadable'; readonly ids: readonly Id[] }
  | { readonly does: 'requests'; readonly end: 'well' | 'refused' | 'unknown' }
  | { readonly does: 'break' | 'repair' | 'flaky' | 'suspend' | 'delete' | 'switch'; readonly id: Id }
  | { readonly does: 'provider breaks' | 'provider is repaired' }
  | { readonly does: 'command'; readonly id: Id; readonly command: OperatorCommand }
  | { readonly does: 'settings'; readonly are: number }
  | { readonly does: 'refuse'; readonly audiences: readonly string[]; readonly history: boolean };

const id = fc.constantFrom(...IDS);
const after = fc.integer({ min: 1, max: 30 });
const just = <T extends string>(does: T) => fc.constant(does);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ does: just('pass'), after }) },
  {
    weight: 3,
    arbitrary: fc.record({ does: just('killed pass'), effect: fc.nat(14), moment: fc.constantFrom(...MOMENTS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constantFrom('pass without a key', 'close by hand', 'rename'), after }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: just('list'), is: fc.constantFrom('unreachable', 'empty', 'whole'), after }),
  },
  { weight: 1, arbitrary: fc.record({ does: just('unreadable'), ids: fc.subarray([...IDS]) }) },
  { weight: 2, arbitrary: fc.record({ does: just('requests'), end: fc.constantFrom('well', 'refused', 'unknown') }) },
  {
    weight: 8,
    arbitrary: fc.record({ does: fc.constantFrom('break', 'break', 'repair', 'flaky', 'suspend', 'switch'), id }),
  },
  { weight: 1, arbitrary: fc.record({ does: just('delete'), id }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constantFrom('provider breaks', 'provider is repaired') }) },
  { weight: 4, arbitrary: fc.record({ does: just('command'), id, command: fc.constantFrom(...COMMANDS) }) },
  { weight: 3, arbitrary: fc.record({ does: just('settings'), are: fc.nat(SETTINGS.length - 1) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: just('refuse'),
      audiences: fc.subarray([MACHINES, PEOPLE]),
      history: fc.boolean(),
    }),
  },
);

class Life {
  readonly tool = new IncidentTool();
  readonly world = new World({ startAt: '2026-11-23T09:00:00Z', suspendAfterErrors: 400, suspendAfterMinutes: 60 });
  readonly #api = createWorldApi(this.world);
  readonly #clock = { now: () => this.world.now() };
  readonly ledger = createMemoryLedger(this.#clock);
  readonly #alerts = createMemoryAlerts([MACHINES, PEOPLE]);
  #published = 0;
  #project: { readonly name: string; policy: Policy } = { name: LEDGER_NAME, policy: policyWith({}) };
  #unreadable: readonly Id[] = [];
  #list: 'unreachable' | 'empty' | 'whole' = 'whole';
  #historyRefuses = false;
  #refused: readonly string[] = [];

  constructor() {
    for (const id of IDS) this.world.add({ id, active: 1, provider: PROVIDERS[id], eventsPerMinute: 10 });
    this.world.advance(8);
  }

  async take(step: Step): Promise<void> {
    switch (step.does) {
      case 'pass':
        this.world.advance(step.after);
        await this.pass();
        return this.#checkTruth();
      case 'killed pass': {
        this.world.advance(5);
        const gate = createCrashGate(step.effect, step.moment);
        await Promise.race([this.pass(gate), gate.died]);
        // Another pass may work on the entries when the lease of this one is over.
        this.world.advance(3);
        return this.#hear();
      }
      case 'pass without a key':
        this.world.advance(step.after);
        this.#api.failStatus(new KeyRefusedError('refused'), 'refused');
        await this.pass(null, true);
        return this.#api.failStatus(null);
      case 'close by hand':
        return this.tool.closeByHand();
      case 'rename':
        this.#project = { ...this.#project, name: 'renamed' };
        return;
      case 'list':
        this.world.advance(step.after);
        this.#list = step.is;
        return this.pass();
      case 'unreadable':
        this.#unreadable = step.ids;
        return;
      case 'requests':
        return this.#api.failStatus(
          step.end === 'well' ? null : new UnavailableError('no answer'),
          step.end === 'refused' ? 'refused' : 'unknown',
        );
      case 'settings':
        this.#project.policy = policyWith(SETTINGS[step.are] ?? {});
        return;
      case 'refuse':
        this.#refused = step.audiences;
        this.#historyRefuses = step.history;
        return this.#alerts.refuse((_, audience) => step.audiences.includes(audience));
      case 'provider breaks':
        for (const id of this.#alive()) if (PROVIDERS[id] === 'amplitude') this.world.breakDown(id, 'HTTP 503');
        return;
      case 'provider is repaired':
        for (const id of this.#alive()) if (PROVIDERS[id] === 'amplitude') this.world.repair(id);
        return;
      case 'command':
        return this.#command(step.id, step.command);
      default:
        return this.#touch(step);
    }
  }

  #touch(step: Step): void {
    if (!('id' in step) || this.world.get(step.id) === undefined) return;
    const { id } = step;
    if (step.does === 'break') this.world.breakDown(id, 'HTTP 503');
    if (step.does === 'repair') this.#repair(id);
    if (step.does === 'flaky') this.world.setFlaky(id, 0.8);
    if (step.does === 'suspend' && this.world.get(id)?.active === 1) this.world.suspend(id);
    if (step.does === 'delete' && this.#alive().length > 3) this.world.delete(id);
    if (step.does === 'switch') this.world.setStatus(id, this.world.get(id)?.active === 1 ? 0 : 1);
  }

  async #command(id: Id, command: OperatorCommand): Promise<void> {
    this.world.advance(3);
    await runOperatorCommand(this.#ports(), this.#project, id, command).catch(() => undefined);
    this.#hear();
  }

  async pass(gate: Gate | null = null, withoutKey = false): Promise<void> {
    const ports = this.#ports();
    const api = withoutKey
      ? {
          ...ports.api,
          setStatus: async () => ({ outcome: 'key-refused', error: new KeyRefusedError('refused (401)') }) as const,
        }
      : ports.api;
    const all = { ...ports, api };
    await runPass(gate === null ? all : gated(all, gate), this.#project);
    this.#hear();
  }

  /** Everything works again: settings, lists, requests, audiences and providers. Operators resume what no probe will resume. */
  async calmDown(): Promise<void> {
    await this.take({ does: 'refuse', audiences: [], history: false });
    await this.take({ does: 'requests', end: 'well' });
    this.#list = 'whole';
    this.#unreadable = [];
    this.#project.policy = policyWith({});
    for (const id of this.#alive()) this.#repair(id);
    for (let passes = 0; passes < 40; passes += 1) {
      this.world.advance(10);
      await this.pass();
    }
    for (const [index, id] of this.#alive().entries())
      if (this.world.get(id)?.active !== 1) await this.#command(id, index % 2 === 0 ? 'resume' : 'pause');
    // A hold, an outage that came back, and a list that the guard must accept take up to a day.
    for (let passes = 0; passes < 30; passes += 1) {
      this.world.advance(60);
      await this.pass();
    }
  }

  #repair(id: string): void {
    this.world.repair(id);
    this.world.setFlaky(id, 0);
  }

  #alive(): readonly Id[] {
    return IDS.filter((id) => this.world.get(id) !== undefined);
  }

  #ports(): Ports {
    const ledger: Ledger = underName(
      {
        ...this.ledger,
        appendHistory: (project, events) =>
          this.#historyRefuses
            ? Promise.reject(new UnavailableError('the history is throttled'))
            : this.ledger.appendHistory(project, events),
      },
      LEDGER_NAME,
    );
    return {
      api: { ...this.#api, list: () => this.#listed() },
      ledger,
      alerts: this.#alerts,
      clock: this.#clock,
      log: silentLog,
      remainingMs: () => Number.POSITIVE_INFINITY,
    };
  }

  async #listed(): Promise<Listing> {
    if (this.#list === 'unreachable') throw new UnavailableError('Qonversion could not be reached');
    if (this.#list === 'empty') return { records: [], invalid: [], clockAheadMs: 0 };
    const listing = await this.#api.list();
    const isHidden = ({ id }: { readonly id: string }) => this.#unreadable.some((hidden) => hidden === id);
    return {
      ...listing,
      records: listing.records.filter((record) => !isHidden(record)),
      invalid: listing.records.filter(isHidden).map(({ id }) => ({ id, problem: 'active is 7' })),
    };
  }

  /** The tool gets the messages for machines in the order in which the topic accepted them. */
  #hear(): void {
    const { published } = this.#alerts;
    for (const { audience, events } of published.slice(this.#published))
      if (audience === MACHINES) this.tool.receive(events);
    this.#published = published.length;
  }

  /** Each open incident is about something that is wrong, and each integration that the guard or Qonversion stopped has one. */
  #checkTruth(): void {
    if (this.#list !== 'whole' || this.#unreadable.length > 0 || this.#refused.length > 0) return;
    const open = this.tool.open();
    for (const incident of open.filter(({ subject }) => subject !== null)) {
      const wrong = this.#isWrong(String(incident.subject));
      if (wrong !== null) this.tool.violations.push(`${incident.key} (${incident.type}) is open, but ${wrong}`);
    }
    for (const id of this.#alive()) {
      const entry = this.ledger.entry(LEDGER_NAME, id);
      if (entry === undefined || entry.attempt !== null || entry.outbox.length > 0) continue;
      if (entry.state.name !== 'open' || this.#isIgnored(id)) continue;
      const own = this.tool.opened().filter(({ subject }) => subject === id);
      if (!own.some(({ isOpen, byHand }) => isOpen || byHand))
        this.tool.violations.push(`${id} is stopped, and no incident is open`);
      if (own.filter(({ isOpen }) => isOpen).length > 1) this.tool.violations.push(`${id} has two open incidents`);
    }
  }

  #isIgnored(id: string): boolean {
    const until = this.ledger.entry(LEDGER_NAME, id)?.ignoredUntil ?? null;
    if (until !== null && Date.parse(until) > this.world.now().getTime()) return true;
    const { overrides } = this.#project.policy;
    const record = this.world.get(id);
    return overrides.some(
      ({ match, mode }) => mode === 'ignore' && (match.id === id || match.integration === record?.integration),
    );
  }

  /** Why nothing is wrong with the integration; null: something is. */
  #isWrong(id: string): string | null {
    const record = this.world.get(id);
    // The first pass that misses a record does not conclude that it was deleted.
    if (record === undefined) return null;
    if (this.#isIgnored(id)) return 'the guard ignores it';
    const state = this.ledger.entry(LEDGER_NAME, id)?.state.name;
    if (record.active === 0 && state === 'isolated') return 'an operator paused it';
    if (record.active !== 1 || record.delivery_error_count > 0 || state === 'half-open') return null;
    const failedAt = Date.parse(record.last_error_at ?? '2000-01-01T00:00:00Z');
    return this.world.now().getTime() - failedAt > 2 * 60 * 60_000 ? 'it has delivered for two hours' : null;
  }
}

function policyWith(changes: object): Policy {
  const outages = { minimum: 3, percent: 60, holdHours: 2 };
  return aPolicy({ ...QUICK, recovery: RECOVERY, providerOutage: outages, ...changes });
}

async function live(steps: readonly Step[]): Promise<Life> {
  const life = new Life();
  for (const step of steps) await life.take(step);
  await life.calmDown();
  return life;
}

describe('incidents', () => {
  it('open once per episode, say the truth, and are all closed when nothing is wrong', {
    timeout: RUNS * 1_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const { tool } = await live(steps);
        expect(tool.violations).toEqual([]);
        expect(tool.open().map(({ key, type }) => `${type}: ${key}`)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });
});
