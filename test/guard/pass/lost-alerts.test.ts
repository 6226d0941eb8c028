import { describe, expect, it } from 'vitest';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import { PROBE_RECOVERY } from '../../support/builders.ts';
import { addBusy, createFailingHarness, createHarness, type Harness } from '../../support/harness.ts';
import { unreachable } from '../../support/memory-ports.ts';

/** A harness with a pause whose alert no audience has accepted, before the next pass. */
async function pausedWithoutAlert(): Promise<Harness> {
  const harness = createFailingHarness({ recovery: { mode: 'manual' } });
  harness.alerts.refuse(() => true);
  await harness.pass();
  expect(harness.world.get('broken')?.active).toBe(0);
  harness.world.advance(2);
  harness.alerts.refuse(() => false);
  return harness;
}

/** The types of the published alerts and of the history's events, ten minutes later. */
async function afterwards(harness: Harness) {
  await harness.run(10);
  const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
  return { alerts: harness.alerts.types(), history: history.map(({ type }) => type) };
}

describe('a pause alert that was refused is delivered later, in the mail and in the history', () => {
  it('when an operator has resumed the integration meanwhile', async () => {
    const harness = await pausedWithoutAlert();
    harness.world.setStatus('broken', 1);
    const { alerts, history } = await afterwards(harness);
    expect(alerts).toEqual(expect.arrayContaining(['integration.paused', 'integration.reactivated']));
    expect(history).toEqual(expect.arrayContaining(['integration.paused', 'integration.reactivated']));
  });

  it("when Qonversion's worker has suspended it meanwhile", async () => {
    const harness = await pausedWithoutAlert();
    harness.world.patch('broken', { active: 2, updated_at: harness.world.now().toISOString() });
    const { alerts, history } = await afterwards(harness);
    expect(alerts).toEqual(expect.arrayContaining(['integration.paused', 'integration.suspended']));
    expect(history).toEqual(expect.arrayContaining(['integration.paused', 'integration.suspended']));
  });

  it('when it has been deleted meanwhile', async () => {
    const harness = await pausedWithoutAlert();
    harness.world.delete('broken');
    const { alerts, history } = await afterwards(harness);
    expect(alerts).toEqual(['integration.paused']);
    expect(history).toEqual(['integration.paused', 'incident.closed']);
  });
});

/** A harness with a probe whose request had no answer. */
async function probeInDoubt(): Promise<Harness> {
  const harness = createFailingHarness({ recovery: PROBE_RECOVERY });
  await harness.pass();
  harness.world.advance(PROBE_RECOVERY.cooldownMinutes + 1);
  harness.api.failStatus(unreachable());
  await harness.pass();
  harness.api.failStatus(null);
  harness.world.advance(5);
  return harness;
}

const IN_DOUBT = 'may not have taken effect';

/** The reason of the first event of this type in the history. */
async function reasonOf(harness: Harness, type: string): Promise<string | undefined> {
  const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
  return history.find((event) => event.type === type)?.reason;
}

describe('a probe that may not have taken effect is recorded as such', () => {
  it('when an operator has paused the integration since', async () => {
    const harness = await probeInDoubt();
    harness.world.setStatus('broken', 1);
    harness.world.advance(5);
    harness.world.setStatus('broken', 0);
    await harness.pass();
    expect(await reasonOf(harness, 'integration.probing')).toContain(IN_DOUBT);
    expect(harness.alerts.types().at(-1)).toBe('integration.recovery-abandoned');
  });

  it('when an operator has resumed it since', async () => {
    const harness = await probeInDoubt();
    harness.world.setStatus('broken', 1);
    await harness.pass();
    expect(await reasonOf(harness, 'integration.probing')).toContain(IN_DOUBT);
    expect(harness.alerts.types().at(-1)).toBe('integration.reactivated');
  });

  it("when Qonversion's worker has suspended it since", async () => {
    const harness = await probeInDoubt();
    harness.world.setStatus('broken', 1);
    harness.world.advance(5);
    harness.world.suspend('broken');
    await harness.pass();
    expect(await reasonOf(harness, 'integration.probing')).toContain(IN_DOUBT);
  });
});

describe('an operator who resumes an active integration through the guard', () => {
  it.each(['open', 'half-open'])('ends the episode of a circuit that is %s', async (circuit) => {
    const harness = createFailingHarness({ recovery: PROBE_RECOVERY });
    await harness.pass();
    harness.world.advance(PROBE_RECOVERY.cooldownMinutes + 1);
    if (circuit === 'open') harness.world.setStatus('broken', 1);
    else await harness.pass();
    expect(harness.ledger.entry('production', 'broken')?.state.name).toBe(circuit);
    await runOperatorCommand(harness.ports, harness.project, 'broken', 'resume');
    expect(harness.alerts.types().at(-1)).toBe('integration.reactivated');
  });

  it("ends an operator's own pause in the history", async () => {
    const harness = createHarness();
    addBusy(harness, 'good');
    await runOperatorCommand(harness.ports, harness.project, 'good', 'pause');
    harness.world.advance(5);
    harness.world.setStatus('good', 1);
    await runOperatorCommand(harness.ports, harness.project, 'good', 'resume');
    const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
    expect(history.map(({ type }) => type)).toEqual(['integration.operator-paused', 'integration.operator-resumed']);
  });

  it('gets no alert if the ledger has it as active', async () => {
    const harness = createHarness();
    addBusy(harness, 'good');
    await runOperatorCommand(harness.ports, harness.project, 'good', 'resume');
    expect(harness.alerts.types()).toEqual([]);
  });
});
