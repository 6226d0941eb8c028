import { describe, expect, it } from 'vitest';
import { addBusy, createHarness, type Harness } from '../../support/harness.ts';

/** A harness with an integration whose events fail with a probability of `share`. */
function flakyHarness(policy: Record<string, unknown> = {}, { share = 0.9, eventsPerMinute = 10 } = {}): Harness {
  const harness = createHarness(policy);
  addBusy(harness, 'healthy');
  addBusy(harness, 'flaky', { eventsPerMinute });
  harness.world.advance(5);
  harness.world.setFlaky('flaky', share);
  return harness;
}

/** Breaks an integration for `down` minutes and repairs it for `up` minutes, for `hours` hours. */
async function alternate(harness: Harness, id: string, down: number, up: number, hours: number): Promise<void> {
  for (let minutes = 0; minutes < hours * 60; minutes += down + up) {
    harness.world.breakDown(id, 'HTTP 503');
    await lapse(harness, minutes, down);
    harness.world.repair(id);
    await lapse(harness, minutes + down, up);
  }
}

/** Lets time pass minute by minute, with a pass every five minutes. */
async function lapse(harness: Harness, from: number, minutes: number): Promise<void> {
  for (let minute = from + 1; minute <= from + minutes; minute += 1) {
    harness.world.advance(1);
    if (minute % 5 === 0) await harness.pass();
  }
}

const alertTypes = (harness: Harness) => harness.alerts.types();

describe('rule 9: an integration that alternates between failing and delivering', () => {
  it('is reported as flapping within an hour, once, and not paused', async () => {
    const harness = flakyHarness();
    await harness.run(60);
    expect(harness.alerts.events()).toMatchObject([
      { type: 'integration.flapping', severity: 'warning', record: { id: 'flaky' } },
    ]);
    await harness.run(300);
    expect(alertTypes(harness)).toEqual(['integration.flapping']);
    expect(harness.world.get('flaky')?.active).toBe(1);
  });

  it.each([
    ['once a minute', 1],
    ['once in five minutes', 0.2],
    ['200 times a minute', 200],
  ])('is reported with events %s', async (_name, eventsPerMinute) => {
    const harness = flakyHarness({}, { eventsPerMinute });
    await harness.run(eventsPerMinute < 1 ? 240 : 60);
    expect(alertTypes(harness)).toContain('integration.flapping');
  });

  it('is reported even if passes are an hour apart', async () => {
    const harness = flakyHarness();
    for (let hours = 0; hours < 12; hours += 1) {
      harness.world.advance(60);
      await harness.pass();
    }
    expect(alertTypes(harness)).toContain('integration.flapping');
  });

  it.each([0.01, 0.1])('is not reported when only a share of %s fails, and costs few writes', async (share) => {
    const harness = flakyHarness({}, { share, eventsPerMinute: 300 });
    await harness.run(24 * 60);
    expect(alertTypes(harness)).toEqual([]);
    expect(harness.ledger.calls.writes).toBeLessThan(20);
    expect(harness.api.traffic.requests).toBe(288);
  });

  it('is reported when it is down for 14 of every 15 minutes', async () => {
    const harness = createHarness({ failingForMinutes: 60 });
    addBusy(harness, 'down', { eventsPerMinute: 60 });
    await harness.run(10);
    await alternate(harness, 'down', 14, 1, 24);
    expect(alertTypes(harness)).toContain('integration.flapping');
    expect(alertTypes(harness).length).toBeLessThanOrEqual(3);
  });

  it('is tolerated when it fails for 20 minutes of every hour', async () => {
    const harness = createHarness({ failingForMinutes: 60 });
    addBusy(harness, 'bad', { eventsPerMinute: 60 });
    await harness.run(10);
    await alternate(harness, 'bad', 20, 40, 24);
    expect(alertTypes(harness).length).toBeLessThanOrEqual(3);
  });

  it('has recovered after some time of deliveries', async () => {
    const harness = flakyHarness();
    await harness.run(60);
    harness.world.setFlaky('flaky', 0);
    await harness.run(10);
    expect(alertTypes(harness)).toEqual(['integration.flapping']);
    await harness.run(80);
    expect(alertTypes(harness)).toEqual(['integration.flapping', 'integration.recovered']);
    expect(harness.ledger.entry('production', 'flaky')?.flapping).toBeNull();
  });

  it('is an ordinary outage when nothing is delivered any more', async () => {
    const harness = flakyHarness();
    await harness.run(60);
    harness.world.breakDown('flaky', 'HTTP 500');
    await harness.run(30);
    expect(alertTypes(harness)).toEqual(['integration.flapping', 'integration.paused']);
  });

  it('is not reported after a single outage of some hours', async () => {
    const harness = createHarness({ failingForMinutes: 600 });
    addBusy(harness, 'down');
    await harness.run(10);
    harness.world.breakDown('down', 'HTTP 500');
    await harness.run(240);
    harness.world.repair('down');
    await harness.run(60);
    expect(alertTypes(harness)).not.toContain('integration.flapping');
    expect(harness.ledger.entry('production', 'down')?.flapping).toBeNull();
  });

  it('is paused with flapping: "pause", within the blast radius', async () => {
    const harness = flakyHarness({ flapping: 'pause' });
    await harness.run(60);
    expect(harness.world.get('flaky')?.active).toBe(0);
    expect(alertTypes(harness)).toEqual(['integration.paused']);
    const held = flakyHarness({ flapping: 'pause', blastRadius: { percent: 0, floor: 0 } });
    await held.run(60);
    expect(held.world.get('flaky')?.active).toBe(1);
    expect(alertTypes(held)).toContain('guard.held');
  });

  it('is not reported with flapping: "off"', async () => {
    const harness = flakyHarness({ overrides: [{ match: { id: 'flaky' }, flapping: 'off' }] });
    await harness.run(180);
    expect(alertTypes(harness)).toEqual([]);
  });
});
