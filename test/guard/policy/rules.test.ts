import { describe, expect, it } from 'vitest';
import { isAuditOnly } from '../../../functions/guard/model/event.ts';
import type { IntegrationRecord } from '../../../functions/guard/model/integration.ts';
import type { Decision } from '../../../functions/guard/policy/decide.ts';
import { effectivePolicy } from '../../../functions/guard/policy/effective-policy.ts';
import { showsChangeTimes } from '../../../functions/guard/policy/figures.ts';
import {
  aFailingRecord,
  aPolicy,
  aRecord,
  minutesAfter,
  minutesBefore,
  NOON,
  PROBE_RECOVERY,
} from '../../support/builders.ts';
import { addBusy, createHarness, type Harness, resultOf } from '../../support/harness.ts';
import { alerts, asks, firstPass, nextPass, types } from '../../support/next-pass.ts';

const PROBING = { recovery: PROBE_RECOVERY };

/** Paused by the guard 70 minutes before noon, after 60 failures since 90 minutes before noon. */
function pausedBefore(policy: Record<string, unknown> = PROBING, minutes = 70, failing = 90): Decision {
  return firstPass(aFailingRecord(60, failing), { policy, at: minutesBefore(NOON, minutes) });
}

/** The same, then resumed as a probe five minutes before noon, after `failedProbes` failed probes. */
function probing(policy: Record<string, unknown> = PROBING, failedProbes = 0): Decision {
  const failing = 90 + 500 * failedProbes;
  let decision = pausedBefore(policy, failing - 20, failing);
  for (let left = failedProbes; left > 0; left -= 1) {
    const at = minutesBefore(NOON, 70 + 500 * left - 250);
    const probe = nextPass(decision, aFailingRecord(60, failing, { active: 0 }), { policy, at });
    decision = nextPass(probe, aFailingRecord(63, failing), { policy, at: minutesAfter(at, 5) });
  }
  const probe = nextPass(decision, aFailingRecord(60, failing, { active: 0 }), { policy, at: minutesBefore(NOON, 5) });
  expect(probe.kind).toBe('probe');
  return probe;
}

/** An operator resumed it 30 minutes before noon, at a count of 60 and without a delivery for hours. */
function resumedAt60(): Decision {
  const paused = firstPass(aFailingRecord(60, 300), { at: minutesBefore(NOON, 60) });
  const resumed = nextPass(paused, aFailingRecord(60, 300), { at: minutesBefore(NOON, 30) });
  expect(resumed.kind).toBe('reactivated');
  return resumed;
}

describe('rule 1: fresh errors', () => {
  it('are the whole count when the ledger has no entry', () => {
    expect(firstPass(aFailingRecord(61, 48)).figures?.freshErrors).toBe(61);
  });

  it('start at the count seen when an operator resumed', () => {
    const decision = nextPass(resumedAt60(), aFailingRecord(75, 300));
    expect(decision.figures).toMatchObject({ freshErrors: 15, baseline: 60 });
  });

  it('are the whole count again once last_delivery_at is later than the activation', () => {
    const decision = nextPass(resumedAt60(), aFailingRecord(75, 10));
    expect(decision.figures).toMatchObject({ freshErrors: 75, baseline: 0 });
  });

  it('are the whole count again once the count has fallen', () => {
    const decision = nextPass(resumedAt60(), aFailingRecord(12, 300));
    expect(decision.figures).toMatchObject({ freshErrors: 12, baseline: 0 });
  });

  it('remember that the count fell, so that it may rise above the old baseline', () => {
    const fallen = nextPass(resumedAt60(), aFailingRecord(12, 300));
    expect(fallen.quiet).toBe(false);
    expect(nextPass(fallen, aFailingRecord(70, 300)).figures).toMatchObject({ freshErrors: 70 });
  });
});

describe('rule 2: the failure span', () => {
  const at = (minutes: number) => ({ at: minutesAfter(NOON, minutes) });
  /** No delivery for `silence` minutes at noon, and the last failure `minutes` after noon. */
  const failing = (errors: number, minutes: number, silence = 60) =>
    aFailingRecord(errors, silence, { last_error_at: minutesAfter(NOON, minutes) });
  /** A pass over a known project, in which the integration delivered. */
  const healthyBefore = firstPass(aRecord(), { isFirstPass: false });

  it('begins in the pass that first sees the failures, even if the last delivery was hours ago', () => {
    const seen = nextPass(healthyBefore, failing(60, 0, 300));
    expect(seen.figures).toMatchObject({ freshErrors: 60, failingMinutes: 0 });
    expect(nextPass(seen, failing(600, 40, 300), at(40)).figures?.failingMinutes).toBe(40);
  });

  it('is not lengthened by silence', () => {
    const seen = nextPass(healthyBefore, failing(60, 0));
    const later = nextPass(seen, failing(60, 0), at(600));
    expect(later.figures?.failingMinutes).toBe(0);
    expect(asks(later)).toBe('nothing');
  });

  it('begins again after a delivery', () => {
    const seen = nextPass(healthyBefore, failing(60, 0));
    const delivered = { last_delivery_at: minutesAfter(NOON, 50), last_error_at: minutesAfter(NOON, 64) };
    const next = nextPass(seen, aFailingRecord(80, 0, delivered), at(65));
    expect(next.figures?.failingMinutes).toBe(0);
    expect(asks(next)).toBe('nothing');
  });

  it('needs three failures where attempts are frequent, and one where they are rare', () => {
    expect(nextPass(healthyBefore, failing(2, 0, 10)).quiet).toBe(true);
    expect(nextPass(healthyBefore, failing(3, 0, 10)).quiet).toBe(false);
    expect(nextPass(healthyBefore, failing(1, 0, 60)).quiet).toBe(false);
  });

  it('uses the later of two clocks, so that neither lengthens it', () => {
    const behind = nextPass(healthyBefore, failing(60, 0), at(-40));
    expect(nextPass(behind, failing(60, 59), at(19)).figures?.failingMinutes).toBe(59);
    const ahead = nextPass(healthyBefore, failing(60, 0), at(40));
    expect(nextPass(ahead, failing(60, 60), at(100)).figures?.failingMinutes).toBe(20);
  });

  it('comes from the record in the first pass over a project', () => {
    expect(firstPass(aFailingRecord(61, 48)).figures?.failingMinutes).toBe(48);
    const record = aFailingRecord(61, 0, { last_delivery_at: null, created_at: minutesBefore(NOON, 20) });
    expect(firstPass(record).figures?.failingMinutes).toBe(20);
  });

  it('begins again when an operator resumed the integration', () => {
    expect(nextPass(resumedAt60(), aFailingRecord(75, 300)).figures?.failingMinutes).toBe(0);
  });

  it.each([
    [49, 60, 'nothing'],
    [50, 59, 'nothing'],
    [50, 60, 'pause'],
    [5_000, 59, 'nothing'],
    [49, 5_000, 'nothing'],
  ])('with %i failures over %i minutes leads to this request: %s', (errors, minutes, asked) => {
    const seen = nextPass(healthyBefore, failing(Math.min(errors, 20), 0));
    expect(asks(nextPass(seen, failing(errors, minutes), at(minutes)))).toBe(asked);
  });
});

describe('rule 3: an active integration over both limits', () => {
  it('is paused in enforce mode, with the numbers as the reason', () => {
    const decision = firstPass(aFailingRecord(61, 72));
    expect(asks(decision)).toBe('pause');
    expect(decision.reason).toBe(
      '61 failures and no delivery since 10:48 UTC, over 1 h 12 min (limits: 50 failures over 1 h)',
    );
    expect(types(decision)).toEqual(['integration.paused']);
    expect(nextPass(decision, aFailingRecord(61, 72, { active: 0 }))).toMatchObject({ kind: 'open', quiet: true });
  });

  it('is only reported in observe mode, once per episode', () => {
    const policy = { mode: 'observe' };
    const decision = firstPass(aFailingRecord(61, 72), { policy });
    expect(decision.kind).toBe('would-pause');
    expect(asks(decision)).toBe('nothing');
    expect(types(decision)).toEqual(['integration.would-pause']);
    const next = nextPass(decision, aFailingRecord(80, 72), { policy });
    expect(next).toMatchObject({ kind: 'would-pause', quiet: true });
  });

  it('is left alone when an override says ignore', () => {
    const policy = { overrides: [{ match: { id: 'amp-ios' }, mode: 'ignore' }] };
    expect(firstPass(aFailingRecord(61, 72), { policy })).toMatchObject({ kind: 'ignored', quiet: true });
  });
});

describe('rule 3: the early warning', () => {
  const warned = firstPass(aFailingRecord(25, 30));

  it('comes at half of both limits by default, and says when the guard would pause it', () => {
    expect(types(firstPass(aFailingRecord(25, 29)))).toEqual([]);
    expect(types(firstPass(aFailingRecord(24, 30)))).toEqual([]);
    expect(types(warned)).toEqual(['integration.failing']);
    expect(warned.reason).toContain('the guard pauses it at 50 failures over 1 h');
  });

  it('comes once per stretch', () => {
    expect(nextPass(warned, aFailingRecord(40, 30))).toMatchObject({ kind: 'watch', quiet: true });
  });

  it('does not come when warnThreshold is 0', () => {
    expect(types(firstPass(aFailingRecord(49, 40), { policy: { warnThreshold: 0 } }))).toEqual([]);
  });

  /** The alerts of passes that see a new delivery each, until `minutes` after noon. */
  const deliveries = (minutes: number) => {
    let decision = warned;
    const published: string[] = [];
    for (let after = 5; after <= minutes; after += 5) {
      const moment = minutesAfter(NOON, after);
      const record = aRecord({ last_delivery_at: moment, last_error_at: NOON });
      decision = nextPass(decision, record, { at: moment });
      published.push(...types(decision));
    }
    return published;
  };

  it('is followed by one integration.recovered after several deliveries', () => {
    expect(deliveries(5)).toEqual([]);
    expect(deliveries(15)).toEqual(['integration.recovered']);
    expect(deliveries(120)).toEqual(['integration.recovered']);
  });

  it('is followed by integration.recovered after one delivery and an hour without a failure', () => {
    const record = aRecord({ last_delivery_at: minutesAfter(NOON, 4), last_error_at: NOON });
    const delivered = nextPass(warned, record, { at: minutesAfter(NOON, 5) });
    expect(types(delivered)).toEqual([]);
    expect(types(nextPass(delivered, record, { at: minutesAfter(NOON, 60) }))).toEqual(['integration.recovered']);
  });
});

describe('rule 4: low traffic', () => {
  const HOUR = 60;

  it.each([
    [3, 12 * HOUR - 1, []],
    [1, 12 * HOUR, []],
    [2, 12 * HOUR, ['integration.failing']],
    [2, 200 * HOUR, ['integration.failing']],
    [3, 12 * HOUR, ['integration.failing']],
    [3, 120 * HOUR - 1, ['integration.failing']],
    [3, 120 * HOUR, ['integration.paused']],
  ])('with %i failures over %i minutes publishes %j', (errors, minutes, published) => {
    expect(types(firstPass(aFailingRecord(errors, minutes)))).toEqual(published);
  });

  it('names its limits', () => {
    expect(firstPass(aFailingRecord(3, 13 * HOUR)).reason).toContain('the guard pauses it at 3 failures over 5 days');
  });

  it('can be turned off', () => {
    expect(types(firstPass(aFailingRecord(3, 200 * HOUR), { policy: { lowTraffic: 'off' } }))).toEqual([]);
  });
});

describe('rule 5: active while the circuit is open', () => {
  const resumed = nextPass(pausedBefore({}), aFailingRecord(75, 300));

  it('closes the circuit and announces it at any count', () => {
    expect(resumed.kind).toBe('reactivated');
    expect(asks(resumed)).toBe('nothing');
    expect(types(resumed)).toEqual(['integration.reactivated']);
  });

  it('counts failures and minutes from now on', () => {
    const next = nextPass(resumed, aFailingRecord(80, 300), { at: minutesAfter(NOON, 5) });
    expect(next.figures).toMatchObject({ baseline: 75, freshErrors: 5, failingMinutes: 0 });
  });

  it('respects the operator: the guard pauses it only when both limits are reached again', () => {
    const failing = (errors: number, minutes: number) =>
      aFailingRecord(75 + errors, 300, { last_error_at: minutesAfter(NOON, minutes) });
    const seen = nextPass(resumed, failing(3, 5), { at: minutesAfter(NOON, 5) });
    const later = (errors: number, minutes: number) =>
      asks(nextPass(seen, failing(errors, minutes), { at: minutesAfter(NOON, minutes) }));
    expect(later(49, 90)).toBe('nothing');
    expect(later(50, 64)).toBe('nothing');
    expect(later(50, 65)).toBe('pause');
  });
});

describe('rule 6: paused by an operator', () => {
  const off = (fields: Partial<IntegrationRecord> = {}) => aFailingRecord(600, 300, { active: 0, ...fields });
  const paused = firstPass(off());

  it('is remembered and recorded in the history, without an alert', () => {
    expect(paused.kind).toBe('operator-paused');
    expect(asks(paused)).toBe('nothing');
    expect(alerts(paused)).toMatchObject([
      { type: 'integration.operator-paused', time: new Date(aRecord().updated_at).toISOString() },
    ]);
    expect(alerts(paused).every(isAuditOnly)).toBe(true);
    expect(nextPass(paused, off()).quiet).toBe(true);
  });

  it('is never resumed, not even with probe recovery', () => {
    const conditions = { policy: PROBING, at: minutesAfter(NOON, 100_000) };
    expect(nextPass(paused, off(), conditions)).toMatchObject({ kind: 'operator-paused', quiet: true });
  });

  it('makes its count the baseline of the next activation', () => {
    const decision = nextPass(paused, aFailingRecord(610, 300));
    expect(decision.figures).toMatchObject({ baseline: 600, freshErrors: 10, failingMinutes: 0 });
  });

  it('is recorded in the history when it ends, without an alert', () => {
    const decision = nextPass(paused, aFailingRecord(610, 300));
    expect(types(decision)).toEqual(['integration.operator-resumed']);
    expect(alerts(decision).every(isAuditOnly)).toBe(true);
  });

  it('counts from zero when a delivery succeeded before the next pass', () => {
    const decision = nextPass(paused, aFailingRecord(610, 2));
    expect(decision.figures).toMatchObject({ baseline: 0, freshErrors: 610, failingMinutes: 0 });
    expect(asks(decision)).toBe('nothing');
  });
});

describe("rule 7: suspended by Qonversion's worker", () => {
  const record = (fields: Partial<IntegrationRecord> = {}) => aFailingRecord(600, 130, { active: 2, ...fields });
  const suspended = firstPass(record());

  it('is announced once per suspension', () => {
    expect(types(suspended)).toEqual(['integration.suspended']);
    expect(nextPass(suspended, record(), { at: minutesAfter(NOON, 5) }).quiet).toBe(true);
  });

  it('is never set to 0', () => {
    expect(asks(suspended)).toBe('nothing');
  });

  it('is probed like an open circuit with probe recovery', () => {
    const decision = nextPass(suspended, record(), { policy: PROBING, at: minutesAfter(NOON, 60) });
    expect(decision.kind).toBe('probe');
    expect(asks(decision)).toBe('resume');
  });

  it('is announced in observe mode too', () => {
    expect(types(firstPass(record(), { policy: { mode: 'observe' } }))).toHaveLength(1);
  });

  it('is the same outage when the guard had paused it before', () => {
    const paused = pausedBefore();
    const decision = nextPass(paused, record(), { policy: PROBING });
    expect(types(decision)).toEqual(['integration.suspended']);
    expect(alerts(decision)[0]?.episode).toBe(alerts(paused)[0]?.episode);
  });

  it('is another outage when a delivery ended the probe between two passes', () => {
    const failed = aFailingRecord(40, 3, { active: 2 });
    const [event] = alerts(nextPass(probing(PROBING, 2), failed, { policy: PROBING }));
    expect(event).toMatchObject({ episode: failed.last_delivery_at, nextProbeAt: minutesAfter(NOON, 60) });
  });

  it('belongs to the operator who sets it to 0', () => {
    const decision = nextPass(suspended, record({ active: 0 }), { policy: PROBING });
    expect(decision.kind).toBe('operator-paused');
    expect(alerts(decision).every(isAuditOnly)).toBe(true);
    expect(nextPass(decision, record({ active: 0 }), { policy: PROBING, at: minutesAfter(NOON, 9_999) }).quiet).toBe(
      true,
    );
  });

  it('belongs to the operator who sets it to 1', () => {
    const decision = nextPass(suspended, record({ active: 1 }));
    expect(decision.kind).toBe('reactivated');
    expect(asks(decision)).toBe('nothing');
  });
});

describe('rule 8: recovery by probe', () => {
  const off = aFailingRecord(60, 90, { active: 0 });

  it('leaves an open circuit alone until its cooldown is over', () => {
    const paused = pausedBefore(PROBING, 59);
    expect(nextPass(paused, off, { policy: PROBING })).toMatchObject({ kind: 'open', quiet: true });
  });

  it('resumes it as a probe after the cooldown', () => {
    const decision = nextPass(pausedBefore(), off, { policy: PROBING });
    expect(asks(decision)).toBe('resume');
    expect(types(decision)).toEqual(['integration.probing']);
    expect(alerts(decision).every(isAuditOnly)).toBe(true);
  });

  it('never resumes with manual recovery', () => {
    const policy = { recovery: { mode: 'manual' } };
    expect(asks(nextPass(pausedBefore(policy), off, { policy, at: minutesAfter(NOON, 600) }))).toBe('nothing');
  });

  it('never resumes in observe mode', () => {
    expect(asks(nextPass(pausedBefore(), off, { policy: { ...PROBING, mode: 'observe' } }))).toBe('nothing');
  });

  describe('and a delivery that succeeds', () => {
    const at = (minutes: number) => ({ policy: PROBING, at: minutesAfter(NOON, minutes) });
    const delivered = (minutes: number) => aRecord({ last_delivery_at: minutesAfter(NOON, minutes) });
    const first = nextPass(probing(), delivered(-2), at(0));

    it('is no recovery yet', () => {
      expect(first).toMatchObject({ kind: 'probing', quiet: false });
      expect(types(first)).toEqual([]);
      expect(types(nextPass(first, delivered(58), at(59)))).toEqual([]);
    });

    it('is a recovery when deliveries continue for as long as the cooldown, and says when it was paused', () => {
      const decision = nextPass(first, delivered(58), at(60));
      expect(types(decision)).toEqual(['integration.recovered']);
      expect(decision.reason).toContain('it was stopped from 10:50 UTC to 11:55 UTC');
      expect(nextPass(decision, delivered(64), at(65)).kind).toBe('healthy');
    });

    it('is a recovery after a day without another delivery', () => {
      expect(types(nextPass(first, delivered(-2), at(24 * 60 - 1)))).toEqual([]);
      expect(types(nextPass(first, delivered(-2), at(24 * 60)))).toEqual(['integration.recovered']);
    });

    it('is no recovery when failures follow: the same outage, and a longer cooldown', () => {
      const record = aFailingRecord(3, 0, { last_delivery_at: minutesAfter(NOON, 3) });
      const failed = nextPass(first, record, at(5));
      expect(asks(failed)).toBe('pause');
      expect(alerts(failed)).toMatchObject([
        { type: 'integration.probe-failed', nextProbeAt: minutesAfter(NOON, 125), episode: minutesBefore(NOON, 90) },
      ]);
      expect(alerts(failed).every(isAuditOnly)).toBe(true);
    });
  });

  it('waits while there is neither a delivery nor enough failures', () => {
    const decision = nextPass(probing(), aFailingRecord(62, 90), { policy: PROBING });
    expect(decision).toMatchObject({ kind: 'probing', quiet: true });
  });

  it('opens again after probeErrors fresh failures, with the cooldown multiplied', () => {
    const decision = nextPass(probing(), aFailingRecord(63, 90), { policy: PROBING });
    expect(asks(decision)).toBe('pause');
    expect(alerts(decision)).toMatchObject([
      { type: 'integration.probe-failed', nextProbeAt: minutesAfter(NOON, 120) },
    ]);
  });

  it('caps the cooldown', () => {
    const policy = { recovery: { ...PROBE_RECOVERY, maxCooldownMinutes: 90 } };
    const decision = nextPass(probing(policy), aFailingRecord(63, 90), { policy });
    expect(alerts(decision)[0]?.nextProbeAt).toBe(minutesAfter(NOON, 90));
  });

  it('gives up after maxAttempts and says so', () => {
    const policy = { ...PROBING, remindAt: 'never' };
    const decision = nextPass(probing(policy, 2), aFailingRecord(63, 1_090), { policy });
    expect(types(decision)).toEqual(['integration.recovery-abandoned']);
    const later = nextPass(decision, off, { policy, at: minutesAfter(NOON, 100_000) });
    expect(later).toMatchObject({ kind: 'open', quiet: true });
  });

  it('counts a suspension during the probe as a failed probe', () => {
    const decision = nextPass(probing(), aFailingRecord(70, 90, { active: 2 }), { policy: PROBING });
    expect(decision.kind).toBe('suspended');
    expect(alerts(decision)).toMatchObject([{ type: 'integration.suspended', nextProbeAt: minutesAfter(NOON, 120) }]);
  });

  it('counts a second suspension by Qonversion as a failed probe, and alerts no one', () => {
    const off = aFailingRecord(600, 130, { active: 2 });
    const suspended = firstPass(off, { policy: PROBING, at: minutesBefore(NOON, 70) });
    const probe = nextPass(suspended, off, { policy: PROBING, at: minutesBefore(NOON, 5) });
    expect(types(nextPass(probe, off, { policy: PROBING }))).toEqual(['integration.probe-failed']);
  });

  it("lets an operator's pause during the probe win", () => {
    const record = aFailingRecord(61, 90, { active: 0 });
    const decision = nextPass(probing(), record, { policy: PROBING });
    expect(decision.kind).toBe('operator-paused');
    const later = nextPass(decision, record, { policy: PROBING, at: minutesAfter(NOON, 9_999) });
    expect(later).toMatchObject({ kind: 'operator-paused', quiet: true });
  });

  it("lets an operator's resume before the probe win", () => {
    expect(nextPass(pausedBefore(), aFailingRecord(60, 90), { policy: PROBING }).kind).toBe('reactivated');
  });
});

describe('the daily summary', () => {
  const off = aFailingRecord(60, 90, { active: 0 });
  const policy = { recovery: { mode: 'manual' } };
  /** 08:00 on the day after NOON. */
  const MORNING = '2026-11-24T08:00:00.000Z';
  const morning = (minutes: number, own: Record<string, unknown> = policy) => ({
    policy: own,
    at: minutesAfter(MORNING, minutes),
  });

  it('lists stopped integrations once a day at remindAt', () => {
    const paused = pausedBefore(policy);
    expect(nextPass(paused, off, morning(-1)).quiet).toBe(true);
    const decision = nextPass(paused, off, morning(2));
    expect(types(decision)).toEqual(['integration.still-down']);
    expect(nextPass(decision, off, morning(7)).quiet).toBe(true);
    const second = nextPass(decision, off, morning(24 * 60));
    expect(types(second)).toEqual(['integration.still-down']);
    expect(alerts(second)[0]?.id).not.toBe(alerts(decision)[0]?.id);
  });

  it('leaves out integrations that were announced within the six hours before', () => {
    const paused = (hoursBefore: number) => firstPass(aFailingRecord(60, 90), morning(-hoursBefore * 60));
    expect(nextPass(paused(5), off, morning(0)).quiet).toBe(true);
    expect(types(nextPass(paused(6), off, morning(0)))).toEqual(['integration.still-down']);
    expect(types(nextPass(paused(5), off, morning(24 * 60)))).toEqual(['integration.still-down']);
  });

  it('is not repeated after each failed probe', () => {
    const own = { recovery: { ...PROBE_RECOVERY, maxAttempts: 1 } };
    const reminded = nextPass(pausedBefore(policy), off, morning(0));
    const probe = nextPass(reminded, off, morning(60, own));
    const failed = nextPass(probe, aFailingRecord(63, 90), morning(65, own));
    expect([probe.kind, failed.kind]).toEqual(['probe', 'pause']);
    const second = nextPass(failed, off, morning(24 * 60, own));
    expect(types(second)).toEqual(['integration.still-down']);
    expect(alerts(second)[0]?.id).not.toBe(alerts(reminded)[0]?.id);
  });

  it('does not come when remindAt is "never"', () => {
    const never = { ...policy, remindAt: 'never' };
    expect(nextPass(pausedBefore(never), off, morning(100_000, never)).quiet).toBe(true);
  });
});

describe('rule 11: the blast radius', () => {
  const policy = { blastRadius: { percent: 50, floor: 3 } };

  async function outageOf(count: number, of: number, override: Record<string, unknown> = {}) {
    const harness = createHarness({ ...policy, ...override });
    for (let index = 0; index < of; index += 1) addBusy(harness, `i${index}`);
    harness.world.advance(5);
    for (let index = 0; index < count; index += 1) harness.world.breakDown(`i${index}`, 'HTTP 503');
    harness.world.advance(20);
    return harness;
  }

  it('lets a pass trip up to percent of the active integrations', async () => {
    const harness = await outageOf(5, 10);
    await harness.pass();
    expect(harness.api.statusCalls).toHaveLength(5);
  });

  it('lets a pass trip up to floor integrations', async () => {
    const harness = await outageOf(3, 4);
    await harness.pass();
    expect(harness.api.statusCalls).toHaveLength(3);
  });

  it('trips none when there are more, and alerts once per episode', async () => {
    const harness = await outageOf(6, 10);
    const report = await harness.pass();
    await harness.pass();
    expect(harness.api.statusCalls).toEqual([]);
    expect(resultOf(report, 'i0')).toMatchObject({ kind: 'held' });
    expect(harness.alerts.types()).toEqual(['guard.held']);
  });

  it('does not limit a pass with force', async () => {
    const harness = await outageOf(6, 10);
    await harness.pass();
    await harness.pass({ force: true });
    expect(harness.api.statusCalls).toHaveLength(6);
  });

  /** Six of ten integrations are over the limits and held. */
  async function heldOutage() {
    const harness = await outageOf(6, 10);
    await harness.pass();
    return harness;
  }
  const mend = ({ world }: Harness, indexes: readonly number[]) => {
    for (const index of indexes) world.repair(`i${index}`);
  };

  it('continues a hold when some of the held integrations deliver', async () => {
    const harness = await heldOutage();
    mend(harness, [0, 1, 2]);
    await harness.run(55);
    expect(harness.api.statusCalls).toEqual([]);
  });

  it('ends a hold after an hour with at most the allowed number over the limits, and judges the rest again', async () => {
    const harness = await heldOutage();
    mend(harness, [0, 1, 2]);
    await harness.run(65 + 10);
    expect(harness.api.statusCalls).toEqual([]);
    await harness.run(15);
    expect(harness.api.statusCalls.map(([id]) => id).sort()).toEqual(['i3', 'i4', 'i5']);
  });

  it('treats an outage that comes and goes as one episode', async () => {
    const harness = await heldOutage();
    for (let times = 0; times < 5; times += 1) {
      mend(harness, [0, 1, 2, 3, 4, 5]);
      await harness.run(30);
      for (let index = 0; index < 6; index += 1) harness.world.breakDown(`i${index}`, 'HTTP 503');
      await harness.run(30);
    }
    expect(harness.alerts.types().filter((type) => type === 'guard.held')).toEqual(['guard.held']);
  });

  it('announces a new episode after the first has ended', async () => {
    const harness = await heldOutage();
    mend(harness, [0, 1, 2, 3, 4, 5]);
    await harness.run(70);
    for (let index = 0; index < 6; index += 1) harness.world.breakDown(`i${index}`, 'HTTP 503');
    await harness.run(30);
    const held = harness.alerts.events().filter(({ type }) => type === 'guard.held');
    expect(held).toHaveLength(2);
    expect(new Set(held.map(({ id }) => id)).size).toBe(2);
  });

  it('continues a hold when Qonversion suspends some of the held integrations', async () => {
    const harness = await outageOf(6, 10);
    await harness.pass();
    harness.world.patch('i0', { active: 2 });
    harness.world.patch('i1', { active: 2 });
    await harness.run(10);
    expect(harness.api.statusCalls).toEqual([]);
    expect(harness.alerts.types().filter((type) => type === 'guard.held')).toHaveLength(1);
  });

  it('does not count the end of a failed probe, because the integration was stopped before', async () => {
    const harness = await outageOf(5, 10, {
      recovery: { ...PROBE_RECOVERY, cooldownMinutes: 10 },
      blastRadius: { percent: 50, floor: 0 },
    });
    await harness.pass();
    harness.world.advance(10);
    await harness.pass();
    for (let index = 5; index < 10; index += 1) harness.world.setStatus(`i${index}`, 0);
    harness.world.advance(5);
    const report = await harness.pass();
    expect(resultOf(report, 'i0')).toEqual({ kind: 'pause', outcome: 'done' });
  });
});

describe('rule 12: unreadable records, and records that are gone', () => {
  it('are reported and skipped, and the others are guarded', async () => {
    const harness = createHarness();
    addBusy(harness, 'good');
    addBusy(harness, 'bad');
    harness.world.advance(5);
    harness.world.breakDown('good', 'HTTP 503');
    harness.world.advance(20);
    harness.world.patch('bad', { delivery_error_count: -1 });
    const report = await harness.pass();
    expect(resultOf(report, 'good')).toEqual({ kind: 'pause', outcome: 'done' });
    expect(report.plan?.invalid).toEqual([{ id: 'bad', problem: 'delivery_error_count is not 0 or more' }]);
    expect(harness.alerts.types()).toContain('guard.unreadable');
  });

  it('are announced once per episode', async () => {
    const harness = createHarness();
    addBusy(harness, 'bad');
    harness.world.patch('bad', { delivery_error_count: -1 });
    await harness.pass();
    await harness.pass();
    expect(harness.alerts.types()).toEqual(['guard.unreadable']);
  });

  it('leave the ledger when the integration is deleted', async () => {
    const harness = createHarness();
    addBusy(harness, 'draft', { active: 0 });
    addBusy(harness, 'good');
    await harness.pass();
    expect(harness.ledger.entry('production', 'draft')).toBeDefined();
    harness.world.delete('draft');
    await harness.pass();
    harness.world.advance(31 * 24 * 60);
    expect(harness.ledger.entry('production', 'draft')).toBeUndefined();
  });

  it('stay in the ledger while a record without a readable ID may be theirs', async () => {
    const harness = createHarness();
    addBusy(harness, 'draft', { active: 0 });
    await harness.pass();
    harness.world.patch('draft', { id: '../etc' });
    const before = harness.ledger.calls.writes;
    const report = await harness.pass();
    expect(report.results).toEqual([]);
    // One pair of writes, which announces the unreadable record.
    expect(harness.ledger.calls.writes - before).toBe(2);
    harness.world.advance(31 * 24 * 60);
    expect(harness.ledger.entry('production', 'draft')).toBeDefined();
  });
});

describe('overrides', () => {
  it.each([
    [{ title: 'Amplitude*' }, true],
    [{ title: 'amplitude*' }, false],
    [{ title: '*Production iOS' }, true],
    [{ integration: 'Amplitude', target_platform: 'iOS' }, true],
    [{ integration: 'Amplitude', target_platform: 'Android' }, false],
    [{ id: 'amp-ios' }, true],
  ])('match %o: %s', (match, matches) => {
    const policy = aPolicy({ overrides: [{ match, errorThreshold: 500 }] });
    expect(effectivePolicy(policy, aRecord()).errorThreshold).toBe(matches ? 500 : 50);
  });

  it('let the first match win', () => {
    const overrides = [
      { match: { id: 'amp-ios' }, errorThreshold: 500 },
      { match: { title: '*' }, mode: 'ignore' },
    ];
    expect(effectivePolicy(aPolicy({ overrides }), aRecord())).toMatchObject({
      errorThreshold: 500,
      mode: 'enforce',
      warnThreshold: 250,
    });
  });

  it('let a glob match a slash, because a title is not a path', () => {
    const policy = aPolicy({ overrides: [{ match: { title: 'web*' }, mode: 'ignore' }] });
    expect(effectivePolicy(policy, aRecord({ title: 'web/payments/eu' })).mode).toBe('ignore');
  });
});

describe('a change between two passes (an operator paused, fixed and resumed it)', () => {
  const changed = { updated_at: minutesBefore(NOON, 2) };

  it('resets the count, so that the guard does not undo the operator’s choice', () => {
    const decision = firstPass(aFailingRecord(600, 300, changed));
    expect(asks(decision)).toBe('nothing');
    expect(types(decision)).toEqual([]);
    expect(decision.figures).toMatchObject({ baseline: 600, freshErrors: 0 });
    const next = nextPass(decision, aFailingRecord(610, 300, changed), { at: minutesAfter(NOON, 5) });
    expect(next.figures).toMatchObject({ baseline: 600, freshErrors: 10, failingMinutes: 0 });
  });

  it('is not remembered while nothing fails', () => {
    expect(firstPass(aRecord(changed))).toMatchObject({ kind: 'healthy', quiet: true });
  });

  it('is found by the time of change that the warning noted', () => {
    const warned = firstPass(aFailingRecord(30, 5), { at: minutesBefore(NOON, 60) });
    const next = nextPass(warned, aFailingRecord(600, 300, { updated_at: minutesBefore(NOON, 30) }));
    expect(asks(next)).toBe('nothing');
    expect(next.figures?.freshErrors).toBe(0);
  });

  it('counts once, and both limits apply after it', () => {
    const seen = firstPass(aFailingRecord(600, 300, changed));
    const failing = (errors: number, minutes: number) =>
      aFailingRecord(errors, 300, { ...changed, last_error_at: minutesAfter(NOON, minutes) });
    const failed = nextPass(seen, failing(620, 5), { at: minutesAfter(NOON, 5) });
    const later = (minutes: number) =>
      asks(nextPass(failed, failing(700, minutes), { at: minutesAfter(NOON, minutes) }));
    expect(later(64)).toBe('nothing');
    expect(later(65)).toBe('pause');
  });

  it('is no fix when it is older than failingForMinutes', () => {
    expect(asks(firstPass(aFailingRecord(600, 300, { updated_at: minutesBefore(NOON, 60) })))).toBe('pause');
  });

  it('ends a probe, because the operator decided', () => {
    const decision = nextPass(probing(), aFailingRecord(90, 90, changed), { policy: PROBING });
    expect(decision.kind).toBe('reactivated');
    expect(asks(decision)).toBe('nothing');
  });

  it('of a paused integration ends its probes, because the pause may be the operator’s now', () => {
    const record = aFailingRecord(60, 150, { active: 0, updated_at: minutesBefore(NOON, 30) });
    const conditions = { policy: PROBING, at: minutesAfter(NOON, 60) };
    const decision = nextPass(pausedBefore(), record, conditions);
    expect(asks(decision)).toBe('nothing');
    expect(alerts(decision)).toMatchObject([
      { type: 'integration.recovery-abandoned', reason: expect.stringContaining('until an operator resumes it') },
      { type: 'incident.closed' },
    ]);
    expect(nextPass(decision, record, conditions)).toMatchObject({ kind: 'operator-paused', quiet: true });
  });

  it('is not the guard’s own change at the beginning of a probe', () => {
    const own = aFailingRecord(62, 90, { updated_at: minutesBefore(NOON, 5) });
    expect(nextPass(probing(), own, { policy: PROBING }).kind).toBe('probing');
  });

  it('is ignored when no record shows that updated_at is the time of a change', () => {
    expect(asks(firstPass(aFailingRecord(600, 300, changed), { changeTimesShown: false }))).toBe('pause');
  });
});

describe('the evidence that updated_at is the time of a change', () => {
  const delivered = aRecord();
  const failed = aRecord({ last_delivery_at: null, last_error_at: NOON });

  it('is a delivery and a failure that did not change it', () => {
    expect(showsChangeTimes([delivered, failed])).toBe(true);
    expect(showsChangeTimes([aRecord({ last_error_at: NOON })])).toBe(true);
  });

  it.each([
    ['no record', []],
    ['deliveries alone', [delivered]],
    ['failures alone', [failed]],
    ['failures that changed it', [delivered, { ...failed, updated_at: NOON }]],
    ['failures within the minute', [delivered, { ...failed, updated_at: minutesBefore(NOON, 1) }]],
  ])('is not %s', (_name, records) => {
    expect(showsChangeTimes(records)).toBe(false);
  });
});

describe('an ignored integration', () => {
  const policy = { overrides: [{ match: { id: 'amp-ios' }, mode: 'ignore' }] };

  it('is neither changed nor announced in any state', () => {
    for (const active of [0, 1, 2] as const) {
      const record = aFailingRecord(600, 300, { active });
      const decisions = [firstPass(record, { policy }), nextPass(pausedBefore(), record, { policy })];
      for (const decision of [...decisions, nextPass(probing(), record, { policy })]) {
        expect(asks(decision)).toBe('nothing');
        expect(alerts(decision).filter((event) => !isAuditOnly(event))).toEqual([]);
      }
    }
  });

  it('still has operators’ actions in its history', () => {
    const resumed = nextPass(pausedBefore(), aFailingRecord(60, 30), { policy });
    expect(types(resumed)).toEqual(['integration.operator-resumed']);
    const paused = nextPass(resumed, aFailingRecord(60, 30, { active: 0 }), { policy });
    expect(types(paused)).toEqual(['integration.operator-paused']);
    expect(types(nextPass(paused, aFailingRecord(60, 30, { active: 0 }), { policy }))).toEqual([]);
  });

  it('counts from zero when it is guarded again after an operator resumed it', () => {
    const ignored = nextPass(pausedBefore({}), aFailingRecord(600, 300), { policy });
    const decision = nextPass(ignored, aFailingRecord(620, 300), { at: minutesAfter(NOON, 5) });
    expect(asks(decision)).toBe('nothing');
    expect(decision.figures?.freshErrors).toBe(20);
  });
});
