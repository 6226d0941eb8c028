import { describe, expect, it } from 'vitest';
import type { GuardEvent } from '../../../functions/guard/model/event.ts';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import { UnavailableError } from '../../../functions/qonversion/errors.ts';
import { PROBE_RECOVERY } from '../../support/builders.ts';
import { addBusy, createFailingHarness, createHarness, type Harness } from '../../support/harness.ts';
import { unreachable } from '../../support/memory-ports.ts';

/** Outages with other faults during them. The alerts and the history must be complete afterwards. */

const history = (harness: Harness) => harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
const typesOf = (events: readonly GuardEvent[]) => events.map(({ type }) => type.replace('integration.', ''));

describe('two failures in one outage', () => {
  it('are two alerts, also at an audience that refused meanwhile', async () => {
    const harness = createFailingHarness({ recovery: PROBE_RECOVERY }, { audiences: ['machines', 'people'] });
    harness.alerts.refuse((_, audience) => audience === 'people');
    const refusedPass = async () => {
      harness.api.failStatus(new UnavailableError('refused'), 'refused');
      await harness.pass();
      harness.api.failStatus(null);
      harness.world.advance(5);
    };
    await refusedPass();
    await harness.pass();
    harness.world.advance(PROBE_RECOVERY.cooldownMinutes);
    await harness.pass();
    harness.world.advance(5);
    await refusedPass();
    await harness.pass();
    harness.alerts.refuse(() => false);
    await harness.run(5);
    for (const audience of ['machines', 'people']) {
      const accepted = harness.alerts.published.flatMap((call) => (call.audience === audience ? call.events : []));
      const failed = accepted.filter(({ type }) => type === 'integration.pause-failed');
      expect(new Set(failed.map(({ id }) => id)).size).toBe(2);
    }
    expect(typesOf(await history(harness)).filter((type) => type === 'pause-failed')).toHaveLength(2);
  });
});

describe('two outages', () => {
  it('end in two events, even if the second began when an operator resumed the integration through the guard', async () => {
    const harness = createFailingHarness();
    await runOperatorCommand(harness.ports, harness.project, 'broken', 'pause');
    harness.world.advance(5);
    await runOperatorCommand(harness.ports, harness.project, 'broken', 'resume');
    await harness.run(20);
    expect(harness.world.get('broken')?.active).toBe(0);
    harness.world.setStatus('broken', 1);
    harness.world.repair('broken');
    await harness.run(5);
    const ends = (await history(harness)).filter(({ type }) => /reactivated|operator-resumed/.test(type));
    expect(typesOf(ends)).toEqual(['operator-resumed', 'reactivated']);
    expect(harness.alerts.types().filter((type) => type.endsWith('-resumed'))).toEqual([]);
  });
});

describe('a suspension after an operator paused a failing integration', () => {
  it('is a separate outage, even without a delivery since the first', async () => {
    const harness = createFailingHarness({ recovery: PROBE_RECOVERY });
    await harness.pass();
    harness.world.advance(PROBE_RECOVERY.cooldownMinutes);
    await harness.pass();
    await runOperatorCommand(harness.ports, harness.project, 'broken', 'pause');
    harness.world.advance(5);
    harness.world.setStatus('broken', 1);
    harness.world.suspend('broken');
    await harness.run(PROBE_RECOVERY.cooldownMinutes + 5);
    const probes = (await history(harness)).filter(({ type }) => type === 'integration.probing');
    expect(probes).toHaveLength(2);
    expect(new Set(probes.map(({ id }) => id)).size).toBe(2);
  });
});

describe('an interrupted pause whose record is no longer readable', () => {
  it.each(['unreadable', 'unreachable'])('is announced within hours while it is %s', async (how) => {
    const harness = createFailingHarness();
    // The answer is lost, and the alert about the failure is refused.
    harness.alerts.refuse(() => true);
    harness.api.failStatus(unreachable());
    await harness.pass();
    harness.alerts.refuse(() => false);
    harness.world.setStatus('broken', 0);
    const list = async () => {
      if (how === 'unreachable') throw unreachable();
      const listed = await harness.api.list();
      const records = listed.records.filter(({ id }) => id !== 'broken');
      return { ...listed, records, invalid: [{ id: 'broken', problem: 'active is 7' }] };
    };
    for (let passes = 0; passes < 36; passes += 1) {
      harness.world.advance(5);
      await runPass({ ...harness.ports, api: { ...harness.api, list } }, harness.project);
    }
    const paused = harness.alerts.events().filter(({ type }) => type === 'integration.paused');
    expect(paused).toMatchObject([{ reason: expect.stringContaining('may not have taken effect') }]);
    expect(typesOf(await history(harness))).toContain('paused');
    // When the record is readable again, the guard settles the attempt.
    await harness.run(10);
    expect(harness.ledger.entry('production', 'broken')).toMatchObject({ attempt: null, outbox: [] });
  });
});

describe('an outage that ends while the guard ignores the integration', () => {
  it('has an end in the history', async () => {
    const harness = createFailingHarness();
    await harness.pass();
    await runOperatorCommand(harness.ports, harness.project, 'broken', { ignoreForMinutes: 60 });
    harness.world.setStatus('broken', 1);
    harness.world.repair('broken');
    await harness.run(90);
    expect(typesOf(await history(harness)).at(-1)).toBe('operator-resumed');
  });

  it('is announced after the exemption if a probe was running', async () => {
    const harness = createFailingHarness({ recovery: PROBE_RECOVERY });
    await harness.pass();
    harness.world.advance(PROBE_RECOVERY.cooldownMinutes);
    await harness.pass();
    await runOperatorCommand(harness.ports, harness.project, 'broken', { ignoreForMinutes: 60 });
    harness.world.repair('broken');
    await harness.run(90 + PROBE_RECOVERY.cooldownMinutes);
    expect(harness.alerts.types().at(-1)).toBe('integration.recovered');
  });
});

describe('a fix between two passes', () => {
  it.each([0, 3, 15])('prevents a pause, with a limit of %s minutes', async (failingForMinutes) => {
    const harness = createHarness({ failingForMinutes, warnThreshold: 0 });
    addBusy(harness, 'shown');
    addBusy(harness, 'broken', { eventsPerMinute: 20 });
    harness.world.advance(5);
    harness.world.breakDown('shown', 'HTTP 503');
    harness.world.advance(2);
    harness.world.repair('shown');
    harness.world.advance(3);
    await harness.pass();
    harness.world.breakDown('broken', 'HTTP 503');
    harness.world.advance(3);
    harness.world.setStatus('broken', 0);
    harness.world.setStatus('broken', 1);
    harness.world.advance(4);
    await harness.pass();
    expect(harness.world.get('broken')?.active).toBe(1);
  });
});

describe('maintenance of many integrations', () => {
  it('is held by the blast radius if every integration still fails afterwards', async () => {
    const harness = createHarness({ failingForMinutes: 0, blastRadius: { percent: 0, floor: 1 } });
    const ids = Array.from({ length: 10 }, (_, number) => addBusy(harness, `i${number}`));
    harness.world.advance(5);
    await harness.pass();
    for (const id of ids) harness.world.setStatus(id, 0);
    harness.world.advance(5);
    await harness.pass();
    for (const id of ids) {
      harness.world.breakDown(id, 'HTTP 503');
      harness.world.setStatus(id, 1);
    }
    harness.world.advance(20);
    await harness.pass();
    expect(ids.filter((id) => harness.world.get(id)?.active === 0)).toEqual([]);
    expect(harness.alerts.types()).toContain('guard.held');
  });
});

describe('an integration that alternates between failing and delivering', () => {
  const minute = (harness: Harness, fails: boolean) => {
    if (fails) harness.world.breakDown('broken', 'HTTP 503');
    else harness.world.repair('broken');
    harness.world.advance(1);
  };
  const flap = async (harness: Harness, passes: number) => {
    for (let pass = 0; pass < passes; pass += 1) {
      for (const fails of [true, false, true, false, false]) minute(harness, fails);
      await harness.pass();
    }
  };

  it.each(['tell', 'pause'])(
    'and then works for a day without passes is not reported as flapping (%s)',
    async (flapping) => {
      const harness = createHarness({ flapping });
      addBusy(harness, 'broken');
      await flap(harness, 12);
      minute(harness, true);
      minute(harness, false);
      harness.world.advance(24 * 60);
      await harness.pass();
      expect(harness.alerts.types()).toEqual([]);
      expect(harness.world.get('broken')?.active).toBe(1);
    },
  );

  it('and is fixed and resumed by an operator is not paused for its earlier failures', async () => {
    const harness = createHarness({ flapping: 'pause' });
    addBusy(harness, 'broken');
    addBusy(harness, 'shown');
    harness.world.advance(5);
    harness.world.breakDown('shown', 'HTTP 503');
    harness.world.advance(1);
    harness.world.repair('shown');
    await flap(harness, 12);
    harness.world.advance(1);
    harness.world.setStatus('broken', 0);
    harness.world.setStatus('broken', 1);
    minute(harness, true);
    minute(harness, false);
    await harness.pass();
    expect(harness.world.get('broken')?.active).toBe(1);
  });
});
