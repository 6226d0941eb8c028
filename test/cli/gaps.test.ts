import { describe, expect, it } from 'vitest';
import { gapsOf } from '../../functions/cli/gaps.ts';
import { runOperatorCommand } from '../../functions/guard/pass/operator-command.ts';
import { PROBE_RECOVERY } from '../support/builders.ts';
import { addBusy, createHarness, type Harness } from '../support/harness.ts';

/** 'broken' has failed long enough to be paused, and `updated_at` is the time of the last change. */
function failingHarness(policy: Record<string, unknown> = {}): Harness {
  const harness = createHarness(policy);
  addBusy(harness, 'good');
  addBusy(harness, 'shown');
  addBusy(harness, 'broken');
  harness.world.advance(5);
  harness.world.breakDown('shown', 'HTTP 503');
  harness.world.advance(1);
  harness.world.repair('shown');
  harness.world.breakDown('broken', 'HTTP 503');
  harness.world.advance(20);
  return harness;
}

async function gaps(harness: Harness) {
  const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
  return gapsOf(history).map(({ id, from, to, by }) => `${id} ${clock(from)}–${to === null ? '' : clock(to)} ${by}`);
}

function clock(moment: string): string {
  return moment.slice(11, 19);
}

describe('the gaps of an integration', () => {
  it('last from a pause by the guard until an operator resumed it, not until the pass that noticed', async () => {
    const harness = failingHarness();
    await harness.pass();
    const paused = clock(harness.world.now().toISOString());
    harness.world.advance(32);
    harness.world.setStatus('broken', 1);
    const resumed = clock(harness.world.now().toISOString());
    harness.world.advance(3);
    await harness.pass();
    expect(await gaps(harness)).toEqual([`broken ${paused}–${resumed} guard`]);
  });

  it('are interrupted by each probe, and end with a successful one', async () => {
    const harness = failingHarness({ recovery: PROBE_RECOVERY });
    await harness.pass();
    await harness.run(70);
    harness.world.repair('broken');
    await harness.run(400);
    const found = await gaps(harness);
    expect(found.length).toBe(2);
    expect(harness.alerts.types()).toEqual(['integration.paused', 'integration.recovered']);
    for (const gap of found) expect(gap).toMatch(/^broken \S+–\d\S+ guard$/);
  });

  it('continue when Qonversion suspends a paused integration, and name each actor', async () => {
    const harness = failingHarness();
    await harness.pass();
    const paused = clock(harness.world.now().toISOString());
    harness.world.advance(10);
    harness.world.suspend('broken');
    const suspended = clock(harness.world.now().toISOString());
    harness.world.advance(3);
    await harness.pass();
    expect(await gaps(harness)).toEqual([`broken ${paused}–${suspended} guard`, `broken ${suspended}– Qonversion`]);
  });

  it('include pauses by an operator, in the dashboard and through the guard', async () => {
    const harness = failingHarness();
    harness.world.repair('broken');
    harness.world.advance(5);
    await harness.pass();
    const times = [harness.world.now()];
    harness.world.setStatus('good', 0);
    await harness.run(10);
    times.push(harness.world.now());
    await runOperatorCommand(harness.ports, harness.project, 'good', 'resume');
    await harness.run(10);
    times.push(harness.world.now());
    await runOperatorCommand(harness.ports, harness.project, 'good', 'pause');
    await harness.run(10);
    times.push(harness.world.now());
    harness.world.setStatus('good', 1);
    await harness.run(10);
    const [off, on, offAgain, onAgain] = times.map((time) => clock(time.toISOString()));
    expect(await gaps(harness)).toEqual([`good ${off}–${on} operator`, `good ${offAgain}–${onAgain} operator`]);
  });

  it('exclude a pause of unknown outcome once the integration is known to be active', async () => {
    const harness = failingHarness();
    harness.api.failStatus(new Error('no answer'));
    await harness.pass();
    harness.api.failStatus(null);
    harness.world.advance(3);
    harness.world.setStatus('broken', 0);
    harness.world.setStatus('broken', 1);
    harness.world.repair('broken');
    harness.world.advance(2);
    await harness.pass();
    for (const gap of gapsOf(await harness.ledger.history('production', '2026-01-01T00:00:00.000Z')))
      expect(gap.to).not.toBeNull();
  });

  it('are empty without a pause', async () => {
    const harness = failingHarness({ mode: 'observe' });
    await harness.run(60);
    expect(await gaps(harness)).toEqual([]);
  });
});
