import { describe, expect, it } from 'vitest';
import { addBusy, createHarness } from '../../support/harness.ts';

/** The daily summary over several days. The months harness (test/faults/months.ts) found these cases. */

const FAST = { failingForMinutes: 20, blastRadius: { floor: 10 } };

describe('the daily summary', () => {
  it('leaves out flapping integrations, which are reported once per episode (rule 9)', async () => {
    const harness = createHarness({ ...FAST, remindAt: '08:00' }, { startAt: '2026-11-23T00:00:00Z' });
    addBusy(harness, 'flaky');
    await harness.run(10);
    harness.world.setFlaky('flaky', 0.8);
    await harness.run(40 * 60);
    const flapping = harness.alerts.events().filter(({ type }) => type === 'integration.flapping');
    expect(flapping.map(({ time }) => time)).toHaveLength(1);
  });

  it('leaves out integrations that were announced within the six hours before, even as recovery-abandoned', async () => {
    const recovery = { mode: 'probe', cooldownMinutes: 240, backoff: 1, maxAttempts: 2 };
    const harness = createHarness({ ...FAST, recovery }, { startAt: '2026-11-22T22:00:00Z' });
    addBusy(harness, 'broken');
    await harness.run(10);
    harness.world.breakDown('broken', 'HTTP 401');
    await harness.run(11 * 60);
    const events = harness.alerts.events().map(({ type, time }) => `${time.slice(11, 16)} ${type}`);
    expect(events.filter((event) => event.endsWith('recovery-abandoned'))).toHaveLength(1);
    expect(events.filter((event) => event.endsWith('still-down'))).toEqual([]);
  });

  it('comes in the first pass after remindAt, and a probe that fails later sends no mail', async () => {
    const recovery = { mode: 'probe', cooldownMinutes: 60, backoff: 1, maxAttempts: 50 };
    // It is stopped every other hour, so at 08:00 a probe is running.
    const harness = createHarness({ ...FAST, recovery }, { startAt: '2026-11-22T22:00:00Z' });
    addBusy(harness, 'broken');
    await harness.run(10);
    harness.world.breakDown('broken', 'HTTP 401');
    await harness.run(60);
    harness.world.setTraffic('broken', 0);
    // No events are sent during the probe until 08:30.
    await harness.run(9 * 60 + 20);
    expect(harness.world.get('broken')?.active).toBe(1);
    harness.world.setTraffic('broken', 10);
    await harness.run(3 * 60);
    const times = harness.alerts
      .events()
      .filter(({ type }) => type === 'integration.still-down')
      .map(({ time }) => time);
    expect(times.filter((time) => time > '2026-11-23T08:10')).toEqual([]);
  });
});
