import type { Plan } from '../../functions/guard/pass/plan.ts';
import { type PassOptions, type PassReport, planPass, runPass } from '../../functions/guard/pass/run-pass.ts';
import type { Audience, Ports } from '../../functions/guard/ports.ts';
import type { Policy } from '../../functions/guard/settings/schema.ts';
import { type AddOptions, World, type WorldOptions } from '../../functions/sandbox/world.ts';
import { aPolicy } from './builders.ts';
import {
  createMemoryAlerts,
  createMemoryLedger,
  createWorldApi,
  type MemoryAlerts,
  type MemoryLedger,
  silentLog,
  type WorldApi,
} from './memory-ports.ts';

/** The guard over a sandbox world with in-memory ports: a whole system without a server, on a virtual clock. */
export interface Harness {
  readonly world: World;
  readonly api: WorldApi;
  readonly ledger: MemoryLedger;
  readonly alerts: MemoryAlerts;
  readonly ports: Ports;
  readonly project: { readonly name: string; policy: Policy };
  pass(options?: PassOptions): Promise<PassReport>;
  plan(options?: PassOptions): Promise<Plan>;
  /** Advances the clock, with a pass every five minutes. */
  run(minutes: number): Promise<void>;
}

export interface HarnessOptions extends WorldOptions {
  /** Default: one audience. */
  readonly audiences?: readonly Audience[];
}

/**
 * Limits that are reached within minutes, without probes and shared outages, for short tests. A test's own policy overrides them.
 */
export const QUICK = { failingForMinutes: 15, recovery: { mode: 'manual' }, providerOutage: 'off' } as const;

export function createHarness(policy: Record<string, unknown> = {}, options: HarnessOptions = {}): Harness {
  return createDefaultsHarness({ ...QUICK, ...policy }, options);
}

/** A harness with the default settings. */
export function createDefaultsHarness(
  policy: Record<string, unknown> = {},
  { audiences, ...options }: HarnessOptions = {},
): Harness {
  const world = new World({ startAt: '2026-11-23T12:00:00Z', ...options });
  const clock = { now: () => world.now() };
  const api = createWorldApi(world);
  const ledger = createMemoryLedger(clock);
  const alerts = createMemoryAlerts(audiences);
  const ports: Ports = { api, ledger, alerts, clock, log: silentLog, remainingMs: () => Number.POSITIVE_INFINITY };
  const project = { name: 'production', policy: aPolicy(policy) };
  const pass = (passOptions?: PassOptions) => runPass(ports, project, passOptions);
  return {
    world,
    api,
    ledger,
    alerts,
    ports,
    project,
    pass,
    plan: (passOptions) => planPass(ports, project, passOptions),
    run: async (minutes) => {
      for (let passed = 0; passed < minutes; passed += 5) {
        world.advance(5);
        await pass();
      }
    },
  };
}

/** Adds an active integration with ten events a minute, so that fifty failures take five minutes. */
export function addBusy(harness: Harness, id: string, options: AddOptions = {}): string {
  harness.world.add({ id, active: 1, eventsPerMinute: 10, ...options });
  return id;
}

/** A harness with an integration, 'broken', that the next pass pauses, and with healthy ones. */
export function createFailingHarness(
  policy: Record<string, unknown> = {},
  options: HarnessOptions = {},
  others: readonly string[] = ['good'],
): Harness {
  const harness = createHarness(policy, options);
  for (const id of [...others, 'broken']) addBusy(harness, id);
  harness.world.advance(5);
  harness.world.breakDown('broken', 'HTTP 503');
  harness.world.advance(20);
  return harness;
}

/** The kind and the outcome of the decision about one integration. */
export function resultOf(
  report: PassReport,
  id: string,
): { readonly kind: string; readonly outcome: string } | undefined {
  const found = report.results.find(({ decision }) => decision.id === id);
  return found === undefined ? undefined : { kind: found.decision.kind, outcome: found.outcome };
}
