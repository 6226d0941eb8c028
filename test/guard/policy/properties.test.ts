import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLANK_ENTRY, isSettled } from '../../../functions/guard/model/entry.ts';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import { blastRadius } from '../../../functions/guard/policy/blast-radius.ts';
import { PROBE_RECOVERY } from '../../support/builders.ts';
import { addBusy, createHarness, type Harness } from '../../support/harness.ts';

/** The rules as invariants over random histories of traffic, outages, operators' actions, suspensions and deletions. */

const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const;

type Step =
  | { readonly does: 'pass'; readonly after: number }
  | {
      readonly does:
        | 'break'
        | 'mend'
        | 'operator-pause'
        | 'operator-resume'
        | 'suspend'
        | 'guard-pause'
        | 'guard-resume';
      readonly id: string;
    }
  | { readonly does: 'traffic'; readonly id: string; readonly perMinute: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('pass' as const), after: fc.integer({ min: 1, max: 30 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom('break' as const, 'break' as const, 'mend' as const),
      id: fc.constantFrom(...IDS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constantFrom(
        'operator-pause' as const,
        'operator-resume' as const,
        'suspend' as const,
        'guard-pause' as const,
        'guard-resume' as const,
      ),
      id: fc.constantFrom(...IDS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('traffic' as const),
      id: fc.constantFrom(...IDS),
      perMinute: fc.constantFrom(0, 0.5, 5, 40),
    }),
  },
);

const history = fc.array(step, { minLength: 5, maxLength: 40 });

const RECOVERIES = [{ mode: 'manual' }, PROBE_RECOVERY] as const;

/** Checks of every pass of a history. */
interface Watch {
  readonly beforePass?: (harness: Harness) => Promise<void> | void;
  readonly afterPass?: (harness: Harness, calls: readonly (readonly [string, 0 | 1])[]) => void;
  readonly onResume?: (harness: Harness, id: string) => void;
}

async function play(policy: Record<string, unknown>, steps: readonly Step[], watch: Watch): Promise<Harness> {
  const harness = createHarness(policy);
  for (const id of IDS) addBusy(harness, id);
  /** Integrations that an operator paused since the last pass. No pass could see it if the operator resumed one now. */
  const unseen = new Set<string>();
  for (const item of steps) {
    switch (item.does) {
      case 'pass': {
        harness.world.advance(item.after);
        await watch.beforePass?.(harness);
        const before = harness.api.statusCalls.length;
        await harness.pass();
        unseen.clear();
        watch.afterPass?.(harness, harness.api.statusCalls.slice(before));
        break;
      }
      case 'break':
        harness.world.breakDown(item.id, 'HTTP 500');
        break;
      case 'mend':
        harness.world.repair(item.id);
        break;
      case 'operator-pause':
        harness.world.setStatus(item.id, 0);
        unseen.add(item.id);
        break;
      case 'operator-resume':
        if (harness.world.get(item.id)?.active === 1 || unseen.has(item.id)) break;
        harness.world.setStatus(item.id, 1);
        watch.onResume?.(harness, item.id);
        break;
      case 'guard-pause':
        await runOperatorCommand(harness.ports, harness.project, item.id, 'pause');
        break;
      case 'guard-resume':
        await runOperatorCommand(harness.ports, harness.project, item.id, 'resume');
        watch.onResume?.(harness, item.id);
        break;
      case 'suspend':
        if (harness.world.get(item.id)?.active === 1) harness.world.patch(item.id, { active: 2 });
        break;
      case 'traffic':
        harness.world.setTraffic(item.id, item.perMinute);
    }
  }
  return harness;
}

const LAX = { blastRadius: { percent: 100, floor: 100 } };

/** All integrations fail from the start, passes follow each other quickly, and operators keep resuming two of them. */
const stubbornOperators = fc
  .array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ does: fc.constant('pass' as const), after: fc.integer({ min: 1, max: 12 }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          does: fc.constantFrom('operator-resume' as const, 'guard-resume' as const),
          id: fc.constantFrom('a', 'b'),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          does: fc.constantFrom('operator-pause' as const, 'mend' as const, 'break' as const),
          id: fc.constantFrom('a', 'b'),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          does: fc.constant('traffic' as const),
          id: fc.constantFrom('a', 'b'),
          perMinute: fc.constantFrom(0.5, 5, 40),
        }),
      },
    ),
    { minLength: 5, maxLength: 60 },
  )
  .map((steps): readonly Step[] => [
    ...IDS.map((id) => ({ does: 'break' as const, id })),
    { does: 'pass', after: 20 },
    ...steps,
  ]);

describe('over random histories', () => {
  it('never changes an ignored integration, and never alerts about one', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom(...RECOVERIES), async (steps, recovery) => {
        const ignored = { match: { id: 'a' }, mode: 'ignore' };
        const harness = await play(
          { ...LAX, recovery, overrides: [ignored] },
          steps.filter((item) => !('id' in item) || item.id !== 'a' || !item.does.startsWith('guard')),
          {},
        );
        expect(harness.api.statusCalls.filter(([id]) => id === 'a')).toEqual([]);
        expect(harness.alerts.events().filter(({ record }) => record?.id === 'a')).toEqual([]);
      }),
    );
  });

  it('pauses only active integrations, and resumes only those that it paused or Qonversion suspended', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom(...RECOVERIES), async (steps, recovery) => {
        let seen = new Map<string, { readonly active: number; readonly circuit: string | undefined }>();
        await play({ ...LAX, recovery }, steps, {
          beforePass: (harness) => {
            seen = new Map(
              IDS.map((id) => [
                id,
                {
                  active: harness.world.get(id)?.active ?? -1,
                  circuit: harness.ledger.entry('production', id)?.state.name,
                },
              ]),
            );
          },
          afterPass: (_harness, calls) => {
            for (const [id, status] of calls) {
              if (status === 0) expect(seen.get(id)?.active).toBe(1);
              else expect(seen.get(id)).toMatchObject({ active: expect.not.toBeOneOf([1]), circuit: 'open' });
            }
          },
        });
      }),
    );
  });

  it('never resumes an integration that an operator paused', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const paused = new Set<string>();
        const mine = { ...LAX, recovery: { ...PROBE_RECOVERY, cooldownMinutes: 1, maxCooldownMinutes: 1 } };
        const harness = createHarness(mine);
        for (const id of IDS) addBusy(harness, id);
        for (const item of steps) {
          if (item.does === 'pass') {
            harness.world.advance(item.after);
            await harness.pass();
            for (const id of paused) expect(harness.world.get(id)?.active).toBe(0);
          } else if (item.does === 'break') harness.world.breakDown(item.id, 'HTTP 500');
          else if (item.does === 'operator-pause' && harness.world.get(item.id)?.active === 1) {
            harness.world.setStatus(item.id, 0);
            paused.add(item.id);
          }
        }
      }),
    );
  });

  it('changes nothing in observe mode', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom(...RECOVERIES), async (steps, recovery) => {
        const watched = steps.filter(({ does }) => !does.startsWith('guard'));
        const harness = await play({ ...LAX, recovery, mode: 'observe' }, watched, {});
        expect(harness.api.statusCalls).toEqual([]);
      }),
    );
  });

  it('never trips more in one pass than the blast radius allows', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 4 }),
        async (steps, percent, floor) => {
          let allowed = 0;
          await play({ blastRadius: { percent, floor } }, steps, {
            beforePass: (harness) => {
              const active = harness.world.list().filter((record) => record.active === 1).length;
              allowed = blastRadius(harness.project.policy, active);
            },
            afterPass: (_harness, calls) => {
              expect(calls.filter(([, status]) => status === 0).length).toBeLessThanOrEqual(allowed);
            },
          });
        },
      ),
    );
  });

  it('after an operator resumes, trips only after errorThreshold new failures and failingForMinutes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(history, stubbornOperators), async (steps) => {
        const resumed = new Map<string, { readonly at: number; readonly failed: number }>();
        await play({ ...LAX, errorThreshold: 50, failingForMinutes: 15 }, steps, {
          onResume: (harness, id) =>
            resumed.set(id, { at: harness.world.now().getTime(), failed: harness.world.tally(id).failed }),
          afterPass: (harness, calls) => {
            for (const [id, status] of calls) {
              const since = resumed.get(id);
              if (status === 1 || since === undefined) continue;
              expect(harness.world.tally(id).failed - since.failed).toBeGreaterThanOrEqual(50);
              expect(harness.world.now().getTime() - since.at).toBeGreaterThanOrEqual(15 * 60_000);
              resumed.delete(id);
            }
          },
        });
      }),
    );
  });

  it('executes exactly the plan', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom(...RECOVERIES), async (steps, recovery) => {
        await play({ recovery, blastRadius: { percent: 30, floor: 1 } }, steps, {
          beforePass: async (harness) => {
            const writes = harness.ledger.calls.writes;
            const plan = await harness.plan();
            expect(harness.ledger.calls.writes).toBe(writes);
            // At the same moment, so that the pass sees the same world as the plan.
            const report = await harness.pass();
            expect(report.plan).toEqual(plan);
            expect(report.results.map(({ decision }) => decision)).toEqual(plan.decisions);
          },
        });
      }),
    );
  });

  it('publishes each alert once while every audience accepts', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.constantFrom(...RECOVERIES), async (steps, recovery) => {
        const harness = await play({ recovery }, steps, {});
        const ids = harness.alerts.events().map(({ id }) => id);
        expect(ids.length).toBe(new Set(ids).size);
      }),
    );
  });

  it('leaves nothing unsettled, and writes nothing while nothing changes', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const harness = await play({ recovery: { mode: 'manual' } }, steps, {});
        await harness.pass();
        const { writes } = harness.ledger.calls;
        await harness.pass();
        expect(harness.ledger.calls.writes).toBe(writes);
        for (const id of IDS) expect(isSettled(harness.ledger.entry('production', id) ?? BLANK_ENTRY)).toBe(true);
      }),
    );
  });
});
