import { describe, expect, it } from 'vitest';
import { addBusy, createHarness, type Harness } from '../../support/harness.ts';

/** A pause whose alert nobody accepted, before the next pass runs. */
async function pausedUnheard(): Promise<Harness> {
  const harness = createHarness({ recovery: { mode: 'manual' } });
  addBusy(harness, 'good');
  addBusy(harness, 'broken');
  harness.world.advance(5);
  harness.world.breakDown('broken', 'HTTP 503');
  harness.world.advance(20);
  harness.alerts.refuse(() => true);
  await harness.pass();
  expect(harness.world.get('broken')?.active).toBe(0);
  harness.world.advance(2);
  harness.alerts.refuse(() => false);
  return harness;
}

/** What went out and what the history has, by type. */
async function afterwards(harness: Harness) {
  await harness.run(10);
  const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
  return { alerts: harness.alerts.types(), history: history.map(({ type }) => type) };
}

describe('a pause alert that was refused is delivered later, in the mail and in the history', () => {
  it('when an operator has resumed the integration meanwhile', async () => {
    const harness = await pausedUnheard();
    harness.world.setStatus('broken', 1);
    const { alerts, history } = await afterwards(harness);
    expect(alerts).toEqual(expect.arrayContaining(['integration.paused', 'integration.reactivated']));
    expect(history).toEqual(expect.arrayContaining(['integration.paused', 'integration.reactivated']));
  });

  it("when Qonversion's worker has suspended it meanwhile", async () => {
    const harness = await pausedUnheard();
    harness.world.patch('broken', { active: 2, updated_at: harness.world.now().toISOString() });
    const { alerts, history } = await afterwards(harness);
    expect(alerts).toEqual(expect.arrayContaining(['integration.paused', 'integration.suspended']));
    expect(history).toEqual(expect.arrayContaining(['integration.paused', 'integration.suspended']));
  });

  it('when it has been deleted meanwhile', async () => {
    const harness = await pausedUnheard();
    harness.world.delete('broken');
    const { alerts, history } = await afterwards(harness);
    expect(alerts).toEqual(['integration.paused']);
    expect(history).toEqual(['integration.paused']);
  });
});
