import { describe, expect, it } from 'vitest';
import { CALM_PASSES, UNSTABLE_PASSES, WINDOW } from '../../../functions/guard/policy/flapping.ts';
import { addBusy, createHarness, type Harness } from '../../support/harness.ts';

/** An integration that fails nine times of ten, with so many events a minute. */
function flakyHarness(policy: Record<string, unknown> = {}, eventsPerMinute = 10): Harness {
  const harness = createHarness(policy);
  addBusy(harness, 'healthy');
  addBusy(harness, 'flaky', { eventsPerMinute });
  harness.world.advance(5);
  harness.world.setFlaky('flaky', 0.9);
  return harness;
}

const MINUTES_TO_TELL = (WINDOW + 1) * 5;

describe('an integration that fails and delivers by turns', () => {
  it('is told as unstable once it has done so for most of the last passes, and not paused', async () => {
    const harness = flakyHarness();
    await harness.run(MINUTES_TO_TELL - 5);
    expect(harness.alerts.types()).toEqual([]);
    await harness.run(5);
    expect(harness.alerts.events()).toMatchObject([
      { type: 'integration.flapping', severity: 'warning', record: { id: 'flaky' } },
    ]);
    expect(harness.alerts.events()[0]?.reason).toContain(`in ${WINDOW} of the last ${WINDOW} passes`);
    await harness.run(300);
    expect(harness.alerts.types()).toEqual(['integration.flapping']);
    expect(harness.world.get('flaky')?.active).toBe(1);
  });

  it('is reminded of once a day', async () => {
    const harness = flakyHarness();
    await harness.run(MINUTES_TO_TELL + 25 * 60);
    expect(harness.alerts.types()).toEqual(['integration.flapping', 'integration.flapping']);
    expect(new Set(harness.alerts.events().map(({ id }) => id)).size).toBe(2);
  });

  it('is no storm of warnings and recoveries, however many events it has', async () => {
    const harness = flakyHarness({}, 200);
    await harness.run(6 * 60);
    const types = harness.alerts.types();
    expect(types).toContain('integration.flapping');
    expect(types.length).toBeLessThanOrEqual(4);
  });

  it('has recovered after some passes without a failure', async () => {
    const harness = flakyHarness();
    await harness.run(MINUTES_TO_TELL);
    harness.world.setFlaky('flaky', 0);
    await harness.run(CALM_PASSES * 5 - 5);
    expect(harness.alerts.types()).toEqual(['integration.flapping']);
    await harness.run(10);
    expect(harness.alerts.types()).toEqual(['integration.flapping', 'integration.recovered']);
    expect(harness.ledger.entry('production', 'flaky')?.flaps).toBeNull();
  });

  it('is an outage like any other when nothing is delivered any more', async () => {
    const harness = flakyHarness();
    await harness.run(MINUTES_TO_TELL);
    harness.world.breakDown('flaky', 'HTTP 500');
    await harness.run(25);
    expect(harness.alerts.types()).toEqual(['integration.flapping', 'integration.failing', 'integration.paused']);
  });

  it('is paused when the policy says so, and within the blast radius', async () => {
    const harness = flakyHarness({ unstable: 'pause' });
    await harness.run(MINUTES_TO_TELL);
    expect(harness.world.get('flaky')?.active).toBe(0);
    expect(harness.alerts.types()).toEqual(['integration.paused']);
    const held = flakyHarness({ unstable: 'pause', blastRadius: { percent: 0, floor: 0 } });
    await held.run(MINUTES_TO_TELL);
    expect(held.world.get('flaky')?.active).toBe(1);
    expect(held.alerts.types()).toContain('guard.held');
  });

  it('is nothing when the policy turns it off', async () => {
    const harness = flakyHarness({ overrides: [{ match: { id: 'flaky' }, unstable: 'off' }] });
    await harness.run(MINUTES_TO_TELL + 60);
    expect(harness.alerts.types()).toEqual([]);
    expect(harness.ledger.calls.writes).toBe(0);
  });

  it('is not what a single blip is, which costs a few writes and no alert', async () => {
    const harness = createHarness();
    addBusy(harness, 'blip');
    harness.world.advance(5);
    harness.world.breakDown('blip', 'HTTP 500');
    harness.world.advance(1);
    harness.world.mend('blip');
    await harness.run(120);
    expect(harness.alerts.types()).toEqual([]);
    expect(harness.ledger.calls.writes).toBeLessThanOrEqual(CALM_PASSES + 2);
    expect(UNSTABLE_PASSES).toBeGreaterThan(CALM_PASSES);
  });
});
