import { describe, expect, it } from 'vitest';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import {
  addBusy,
  createDefaultsHarness,
  createFailingHarness,
  createHarness,
  type Harness,
} from '../../support/harness.ts';

/** The number behind the alarm `Stopped`. */

const stopped = async (harness: Harness) => (await harness.pass()).stopped;

describe('the stopped integrations of a pass', () => {
  it('are none while everything delivers', async () => {
    const harness = createHarness();
    for (const id of ['a', 'b']) addBusy(harness, id);
    await harness.run(10);
    expect(await stopped(harness)).toBe(0);
  });

  it('include what the guard paused, in the pass that pauses it and in quiet ones', async () => {
    const harness = createFailingHarness();
    await harness.pass();
    harness.world.advance(20);
    const report = await harness.pass();
    expect(harness.world.get('broken')?.active).toBe(0);
    expect(report.stopped).toBe(1);
    harness.world.advance(5);
    expect(await stopped(harness)).toBe(1);
  });

  it('include what Qonversion suspended, also when the guard only observes', async () => {
    for (const mode of ['enforce', 'observe']) {
      const harness = createHarness({ mode });
      addBusy(harness, 'a');
      await harness.run(5);
      harness.world.suspend('a');
      harness.world.advance(5);
      expect(await stopped(harness)).toBe(1);
    }
  });

  it('include a probe until it has succeeded', async () => {
    const recovery = { mode: 'probe', cooldownMinutes: 15, backoff: 1 };
    const harness = createFailingHarness({ recovery });
    await harness.run(25);
    expect(harness.world.get('broken')?.active).toBe(0);
    harness.world.repair('broken');
    await harness.run(20);
    const counts: number[] = [];
    for (let passes = 0; passes < 12; passes += 1) {
      harness.world.advance(5);
      counts.push(await stopped(harness));
    }
    expect(counts.at(-1)).toBe(0);
    expect(harness.alerts.types()).toContain('integration.recovered');
  });

  it('leave out what operators paused or have the guard ignore', async () => {
    const harness = createFailingHarness();
    await harness.run(25);
    await runOperatorCommand(harness.ports, harness.project, 'broken', 'pause');
    expect(await stopped(harness)).toBe(0);
    const other = createFailingHarness();
    await other.run(25);
    await runOperatorCommand(other.ports, other.project, 'broken', { ignoreForMinutes: 60 });
    expect(await stopped(other)).toBe(0);
  });

  it('leave out integrations that were deleted', async () => {
    const harness = createFailingHarness();
    await harness.run(25);
    expect(await stopped(harness)).toBe(1);
    harness.world.delete('broken');
    harness.world.advance(5);
    expect(await stopped(harness)).toBe(0);
  });

  it('include an integration whose pause Qonversion refuses, until it is paused', async () => {
    const harness = createFailingHarness();
    harness.api.failStatus(new Error('HTTP 403'), 'refused');
    await harness.pass();
    harness.world.advance(20);
    const report = await harness.pass();
    expect(report.results.some(({ outcome }) => outcome === 'failed')).toBe(true);
    expect(report.stopped).toBe(1);
  });

  it('are at least one while a shared outage lasts, and while the blast radius holds pauses back', async () => {
    const outage = createDefaultsHarness();
    for (const id of ['a', 'b', 'c', 'd']) addBusy(outage, id);
    await outage.run(10);
    for (const id of ['a', 'b', 'c', 'd']) outage.world.breakDown(id, 'HTTP 503');
    await outage.run(15);
    expect(outage.alerts.types()).toContain('provider.down');
    expect(await stopped(outage)).toBeGreaterThan(0);

    const held = createHarness({ blastRadius: { percent: 1, floor: 1 } });
    for (const id of ['a', 'b', 'c', 'd']) addBusy(held, id);
    await held.run(10);
    for (const id of ['a', 'b', 'c']) held.world.breakDown(id, 'HTTP 503');
    await held.run(40);
    expect(held.alerts.types()).toContain('guard.held');
    expect(await stopped(held)).toBe(3);
  });

  it('are counted from the ledger when the list cannot be read', async () => {
    const harness = createFailingHarness();
    await harness.run(25);
    harness.api.failList(new Error('HTTP 503'));
    harness.world.advance(5);
    const report = await harness.pass();
    expect(report.failure).not.toBeNull();
    expect(report.stopped).toBe(1);
  });
});
