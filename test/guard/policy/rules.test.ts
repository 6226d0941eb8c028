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
import { addBusy, createHarness, resultOf } from '../../support/harness.ts';
import { alerts, asks, firstPass, nextPass, types } from '../../support/next-pass.ts';

const PROBING = { recovery: PROBE_RECOVERY };

/** Paused by the guard 70 minutes before noon, after 60 failures since 90 minutes before noon. */
function pausedBefore(policy: Record<string, unknown> = PROBING, minutes = 70, failing = 90): Decision {
  return firstPass(aFailingRecord(60, failing), { policy, at: minutesBefore(NOON, minutes) });
}

/** The same, and resumed as a probe five minutes before noon; the probes before it failed. */
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
  it('are the whole count when the ledger knows nothing', () => {
    expect(firstPass(aFailingRecord(61, 48)).figures?.freshErrors).toBe(61);
  });

  it('start at the count seen when an operator resumed', () => {
    const decision = nextPass(resumedAt60(), aFailingRecord(75, 300));
    expect(decision.figures).toMatchObject({ freshErrors: 15, baseline: 60 });
  });

  it('are the whole count again once last_delivery_at has moved past the activation', () => {
    const decision = nextPass(resumedAt60(), aFailingRecord(75, 10));
    expect(decision.figures).toMatchObject({ freshErrors: 75, baseline: 0 });
  });

  it('are the whole count again once the count has fallen', () => {
    const decision = nextPass(resumedAt60(), aFailingRecord(12, 300));
    expect(decision.figures).toMatchObject({ freshErrors: 12, baseline: 0 });
  });

  it('remember a fallen count, so that it may climb past the old baseline', () => {
    const fallen = nextPass(resumedAt60(), aFailingRecord(12, 300));
    expect(fallen.quiet).toBe(false);
    expect(nextPass(fallen, aFailingRecord(70, 300)).figures).toMatchObject({ freshErrors: 70 });
  });
});

describe('rule 2: failing since', () => {
  it('is the last delivery', () => {
    expect(firstPass(aFailingRecord(61, 48)).figures?.failingMinutes).toBe(48);
  });

  it('is the creation when nothing was ever delivered', () => {
    const record = aFailingRecord(61, 0, { last_delivery_at: null, created_at: minutesBefore(NOON, 20) });
    expect(firstPass(record).figures?.failingMinutes).toBe(20);
  });

  it('is the activation we saw when that is later', () => {
    expect(nextPass(resumedAt60(), aFailingRecord(75, 300)).figures?.failingMinutes).toBe(30);
  });

  it.each([
    [49, 15, 'nothing'],
    [50, 14, 'nothing'],
    [50, 15, 'pause'],
    [5_000, 14, 'nothing'],
    [49, 5_000, 'nothing'],
  ])('with %i failures over %i minutes the guard asks for: %s', (errors, minutes, asked) => {
    expect(asks(firstPass(aFailingRecord(errors, minutes)))).toBe(asked);
  });

  it('does not take a burst in one minute for an outage', () => {
    expect(asks(firstPass(aFailingRecord(900, 1)))).toBe('nothing');
  });
});

describe('rule 3: an active integration over both limits', () => {
  it('is paused in enforce mode, with the numbers as the reason', () => {
    const decision = firstPass(aFailingRecord(61, 48));
    expect(asks(decision)).toBe('pause');
    expect(decision.reason).toBe('61 failures since 11:12 UTC, threshold 50; no delivery for 48 min, limit 15 min');
    expect(types(decision)).toEqual(['integration.paused']);
    expect(nextPass(decision, aFailingRecord(61, 48, { active: 0 }))).toMatchObject({ kind: 'open', quiet: true });
  });

  it('is only reported in observe mode, once per episode', () => {
    const policy = { mode: 'observe' };
    const decision = firstPass(aFailingRecord(61, 48), { policy });
    expect(decision.kind).toBe('would-pause');
    expect(asks(decision)).toBe('nothing');
    expect(types(decision)).toEqual(['integration.would-pause']);
    const next = nextPass(decision, aFailingRecord(80, 48), { policy });
    expect(next).toMatchObject({ kind: 'would-pause', quiet: true });
  });

  it('is left alone when an override says ignore', () => {
    const policy = { overrides: [{ match: { id: 'amp-ios' }, mode: 'ignore' }] };
    expect(firstPass(aFailingRecord(61, 48), { policy })).toMatchObject({ kind: 'ignored', quiet: true });
  });
});

describe('the early warning', () => {
  it('comes at half of the threshold unless the settings say otherwise, and says when it would be paused', () => {
    const decision = firstPass(aFailingRecord(25, 3));
    expect(types(decision)).toEqual(['integration.failing']);
    expect(decision.reason).toContain('the guard pauses it at 50 failures and 15 min without a delivery');
  });

  it('comes once per episode', () => {
    const first = firstPass(aFailingRecord(25, 3));
    expect(nextPass(first, aFailingRecord(40, 3))).toMatchObject({ kind: 'watch', quiet: true });
  });

  it('does not come when warnThreshold is 0', () => {
    expect(types(firstPass(aFailingRecord(49, 3), { policy: { warnThreshold: 0 } }))).toEqual([]);
  });

  it('is followed by integration.recovered when a delivery succeeds, once', () => {
    const first = firstPass(aFailingRecord(25, 3));
    const second = nextPass(first, aRecord(), { at: minutesAfter(NOON, 5) });
    expect(types(second)).toEqual(['integration.recovered']);
    expect(types(nextPass(second, aRecord(), { at: minutesAfter(NOON, 10) }))).toEqual([]);
  });

  it('is followed by recovered and a new warning when a delivery succeeded and it fails again', () => {
    const first = firstPass(aFailingRecord(25, 30));
    const second = nextPass(first, aFailingRecord(30, 2));
    expect(types(second)).toEqual(['integration.recovered', 'integration.failing']);
    expect(alerts(second)[1]?.id).not.toBe(alerts(first)[0]?.id);
  });
});

describe('rule 5: active while our circuit is open', () => {
  const resumed = nextPass(pausedBefore({}), aFailingRecord(75, 300));

  it('closes the circuit and announces it, whatever the count says', () => {
    expect(resumed.kind).toBe('reactivated');
    expect(asks(resumed)).toBe('nothing');
    expect(types(resumed)).toEqual(['integration.reactivated']);
  });

  it('counts from the count now, and from now on', () => {
    const next = nextPass(resumed, aFailingRecord(80, 300), { at: minutesAfter(NOON, 5) });
    expect(next.figures).toMatchObject({ baseline: 75, freshErrors: 5, failingMinutes: 5 });
  });

  it('never fights the operator: the next passes leave it alone until both limits are reached anew', () => {
    const later = (errors: number, minutes: number) =>
      asks(nextPass(resumed, aFailingRecord(errors, 300), { at: minutesAfter(NOON, minutes) }));
    expect(later(75 + 49, 20)).toBe('nothing');
    expect(later(75 + 50, 14)).toBe('nothing');
    expect(later(75 + 50, 15)).toBe('pause');
  });
});

describe('rule 6: paused by an operator', () => {
  const off = (fields: Partial<IntegrationRecord> = {}) => aFailingRecord(600, 300, { active: 0, ...fields });
  const paused = firstPass(off());

  it('is remembered, recorded in the history, and no alert', () => {
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

  it('gives its count as the baseline of the coming activation', () => {
    const decision = nextPass(paused, aFailingRecord(610, 300));
    expect(decision.figures).toMatchObject({ baseline: 600, freshErrors: 10, failingMinutes: 0 });
  });

  it('is recorded in the history when it ends, and no alert', () => {
    const decision = nextPass(paused, aFailingRecord(610, 300));
    expect(types(decision)).toEqual(['integration.operator-resumed']);
    expect(alerts(decision).every(isAuditOnly)).toBe(true);
  });

  it('counts from nothing when a delivery has succeeded before we looked', () => {
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

  it('is another outage when a delivery has ended the probe in between, unseen', () => {
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
  });

  it('never resumes with manual recovery', () => {
    expect(asks(nextPass(pausedBefore({}), off, { at: minutesAfter(NOON, 600) }))).toBe('nothing');
  });

  it('never resumes in observe mode', () => {
    expect(asks(nextPass(pausedBefore(), off, { policy: { ...PROBING, mode: 'observe' } }))).toBe('nothing');
  });

  it('closes on a delivery that succeeds', () => {
    const decision = nextPass(probing(), aRecord({ last_delivery_at: minutesBefore(NOON, 2) }), { policy: PROBING });
    expect(types(decision)).toEqual(['integration.recovered']);
    const after = nextPass(decision, aRecord(), { policy: PROBING, at: minutesAfter(NOON, 5) });
    expect(after.kind).toBe('healthy');
  });

  it('waits while there is neither a delivery nor enough failures', () => {
    const decision = nextPass(probing(), aFailingRecord(62, 90), { policy: PROBING });
    expect(decision).toMatchObject({ kind: 'probing', quiet: true });
  });

  it('opens again after probeErrors fresh failures, with the cooldown multiplied', () => {
    const decision = nextPass(probing(), aFailingRecord(63, 90), { policy: PROBING });
    expect(asks(decision)).toBe('pause');
    expect(alerts(decision)).toMatchObject([{ type: 'integration.paused', nextProbeAt: minutesAfter(NOON, 120) }]);
  });

  it('caps the cooldown', () => {
    const policy = { recovery: { ...PROBE_RECOVERY, maxCooldownMinutes: 90 } };
    const decision = nextPass(probing(policy), aFailingRecord(63, 90), { policy });
    expect(alerts(decision)[0]?.nextProbeAt).toBe(minutesAfter(NOON, 90));
  });

  it('gives up after maxAttempts and says so', () => {
    const policy = { ...PROBING, remindEveryHours: 0 };
    const decision = nextPass(probing(policy, 2), aFailingRecord(63, 1_090), { policy });
    expect(types(decision)).toEqual(['integration.recovery-abandoned']);
    const later = nextPass(decision, off, { policy, at: minutesAfter(NOON, 100_000) });
    expect(later).toMatchObject({ kind: 'open', quiet: true });
  });

  it('takes a suspension during the probe for a failed probe', () => {
    const decision = nextPass(probing(), aFailingRecord(70, 90, { active: 2 }), { policy: PROBING });
    expect(decision.kind).toBe('suspended');
    expect(alerts(decision)).toMatchObject([{ nextProbeAt: minutesAfter(NOON, 120) }]);
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

describe('reminders', () => {
  const off = aFailingRecord(60, 90, { active: 0 });

  it('come every remindEveryHours while it is open', () => {
    const due = minutesAfter(NOON, 24 * 60 - 70);
    const decision = nextPass(pausedBefore({}), off, { at: due });
    expect(types(decision)).toEqual(['integration.still-down']);
    expect(nextPass(decision, off, { at: minutesAfter(due, 5) }).quiet).toBe(true);
    const second = nextPass(decision, off, { at: minutesAfter(due, 24 * 60) });
    expect(alerts(second)[0]?.id).not.toBe(alerts(decision)[0]?.id);
  });

  it('have ids of their own through probes that fail', () => {
    const policy = { recovery: { ...PROBE_RECOVERY, maxAttempts: 1 } };
    const due = minutesAfter(NOON, 24 * 60);
    const first = nextPass(pausedBefore({}), off, { at: minutesAfter(NOON, 24 * 60 - 70) });
    const probe = nextPass(first, off, { policy, at: minutesAfter(due, 60) });
    const failed = nextPass(probe, aFailingRecord(63, 90), { policy, at: minutesAfter(due, 65) });
    const second = nextPass(failed, off, { policy, at: minutesAfter(due, 65 + 24 * 60) });
    expect([probe.kind, failed.kind]).toEqual(['probe', 'pause']);
    expect(types(second)).toEqual(['integration.still-down']);
    expect(alerts(second)[0]?.id).not.toBe(alerts(first)[0]?.id);
  });

  it('do not come when remindEveryHours is 0', () => {
    const conditions = { policy: { remindEveryHours: 0 }, at: minutesAfter(NOON, 100_000) };
    expect(nextPass(pausedBefore({}), off, conditions).quiet).toBe(true);
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

  it('lets a pass trip as many as percent of the active ones', async () => {
    const harness = await outageOf(5, 10);
    await harness.pass();
    expect(harness.api.statusCalls).toHaveLength(5);
  });

  it('lets a pass trip as many as the floor', async () => {
    const harness = await outageOf(3, 4);
    await harness.pass();
    expect(harness.api.statusCalls).toHaveLength(3);
  });

  it('trips none when there are more, and says so once per episode', async () => {
    const harness = await outageOf(6, 10);
    const report = await harness.pass();
    await harness.pass();
    expect(harness.api.statusCalls).toEqual([]);
    expect(resultOf(report, 'i0')).toMatchObject({ kind: 'held' });
    expect(harness.alerts.types()).toEqual(['guard.held']);
  });

  it('is overruled once by force', async () => {
    const harness = await outageOf(6, 10);
    await harness.pass();
    await harness.pass({ force: true });
    expect(harness.api.statusCalls).toHaveLength(6);
  });

  it('announces a new episode after the first has ended', async () => {
    const harness = await outageOf(6, 10);
    await harness.pass();
    for (let index = 0; index < 6; index += 1) harness.world.mend(`i${index}`);
    await harness.run(5);
    for (let index = 0; index < 6; index += 1) harness.world.breakDown(`i${index}`, 'HTTP 503');
    harness.world.advance(20);
    await harness.pass();
    const held = harness.alerts.events().filter(({ type }) => type === 'guard.held');
    expect(new Set(held.map(({ id }) => id)).size).toBe(2);
  });

  it('goes on holding the rest when Qonversion suspends some of what is held', async () => {
    const harness = await outageOf(6, 10);
    await harness.pass();
    harness.world.patch('i0', { active: 2 });
    harness.world.patch('i1', { active: 2 });
    await harness.run(10);
    expect(harness.api.statusCalls).toEqual([]);
    expect(harness.alerts.types().filter((type) => type === 'guard.held')).toHaveLength(1);
  });

  it('does not count the end of a failed probe, which stops no more than was stopped before', async () => {
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

describe('rule 12: records that cannot be read, and records that are gone', () => {
  it('are reported and skipped, and never stop the others', async () => {
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
    await harness.pass();
    expect(harness.ledger.entry('production', 'draft')).toBeDefined();
    harness.world.delete('draft');
    await harness.pass();
    harness.world.advance(31 * 24 * 60);
    expect(harness.ledger.entry('production', 'draft')).toBeUndefined();
  });

  it('stay in the ledger while a record without a readable id may be theirs', async () => {
    const harness = createHarness();
    addBusy(harness, 'draft', { active: 0 });
    await harness.pass();
    harness.world.patch('draft', { id: '../etc' });
    const before = harness.ledger.calls.writes;
    const report = await harness.pass();
    expect(report.results).toEqual([]);
    // The one pair of writes announces the unreadable record.
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

  it('let a glob cross a slash, for a title is not a path', () => {
    const policy = aPolicy({ overrides: [{ match: { title: 'web*' }, mode: 'ignore' }] });
    expect(effectivePolicy(policy, aRecord({ title: 'web/payments/eu' })).mode).toBe('ignore');
  });
});

describe('a change that no pass has seen (an operator paused, fixed and resumed it in between)', () => {
  const changed = { updated_at: minutesBefore(NOON, 2) };

  it('starts the count afresh, so that an operator is not fought', () => {
    const decision = firstPass(aFailingRecord(600, 300, changed));
    expect(asks(decision)).toBe('nothing');
    expect(types(decision)).toEqual([]);
    expect(decision.figures).toMatchObject({ baseline: 600, freshErrors: 0 });
    const next = nextPass(decision, aFailingRecord(610, 300, changed), { at: minutesAfter(NOON, 5) });
    expect(next.figures).toMatchObject({ baseline: 600, freshErrors: 10, failingMinutes: 5 });
  });

  it('is nothing to remember while nothing fails', () => {
    expect(firstPass(aRecord(changed))).toMatchObject({ kind: 'healthy', quiet: true });
  });

  it('shows against the time of change that was noted with the warning', () => {
    const warned = firstPass(aFailingRecord(30, 5), { at: minutesBefore(NOON, 60) });
    const next = nextPass(warned, aFailingRecord(600, 300, { updated_at: minutesBefore(NOON, 30) }));
    expect(asks(next)).toBe('nothing');
    expect(next.figures?.freshErrors).toBe(0);
  });

  it('counts once, and both limits apply from there', () => {
    const seen = firstPass(aFailingRecord(600, 300, changed));
    const later = (minutes: number) =>
      asks(nextPass(seen, aFailingRecord(700, 300, changed), { at: minutesAfter(NOON, minutes) }));
    expect(later(5)).toBe('nothing');
    expect(later(15)).toBe('pause');
  });

  it('is no repair when it lies longer back than the time limit', () => {
    expect(asks(firstPass(aFailingRecord(600, 300, { updated_at: minutesBefore(NOON, 15) })))).toBe('pause');
  });

  it('ends a probe: the operator is right', () => {
    const decision = nextPass(probing(), aFailingRecord(90, 90, changed), { policy: PROBING });
    expect(decision.kind).toBe('reactivated');
    expect(asks(decision)).toBe('nothing');
  });

  it('of what we paused leaves it to the operator when its probe is due: they may have paused it themselves', () => {
    const record = aFailingRecord(60, 150, { active: 0, updated_at: minutesBefore(NOON, 30) });
    const conditions = { policy: PROBING, at: minutesAfter(NOON, 60) };
    const decision = nextPass(pausedBefore(), record, conditions);
    expect(asks(decision)).toBe('nothing');
    expect(alerts(decision)).toMatchObject([
      { type: 'integration.recovery-abandoned', reason: expect.stringContaining('until an operator resumes it') },
    ]);
    expect(nextPass(decision, record, conditions)).toMatchObject({ kind: 'operator-paused', quiet: true });
  });

  it('is not the guard’s own: a probe began with one', () => {
    const own = aFailingRecord(62, 90, { updated_at: minutesBefore(NOON, 5) });
    expect(nextPass(probing(), own, { policy: PROBING }).kind).toBe('probing');
  });

  it('is not believed when nothing shows that updated_at is the time of a change', () => {
    expect(asks(firstPass(aFailingRecord(600, 300, changed), { changeTimesShown: false }))).toBe('pause');
  });
});

describe('what shows that updated_at is the time of a change', () => {
  const delivered = aRecord();
  const failed = aRecord({ last_delivery_at: null, last_error_at: NOON });

  it('is a delivery and a failure that did not move it', () => {
    expect(showsChangeTimes([delivered, failed])).toBe(true);
    expect(showsChangeTimes([aRecord({ last_error_at: NOON })])).toBe(true);
  });

  it.each([
    ['no record', []],
    ['deliveries alone', [delivered]],
    ['failures alone', [failed]],
    ['failures that moved it', [delivered, { ...failed, updated_at: NOON }]],
    ['failures within the minute', [delivered, { ...failed, updated_at: minutesBefore(NOON, 1) }]],
  ])('is not %s', (_name, records) => {
    expect(showsChangeTimes(records)).toBe(false);
  });
});

describe('an ignored integration', () => {
  const policy = { overrides: [{ match: { id: 'amp-ios' }, mode: 'ignore' }] };

  it('is not acted on and not announced in any state', () => {
    for (const active of [0, 1, 2] as const) {
      const record = aFailingRecord(600, 300, { active });
      const decisions = [firstPass(record, { policy }), nextPass(pausedBefore(), record, { policy })];
      for (const decision of [...decisions, nextPass(probing(), record, { policy })]) {
        expect(asks(decision)).toBe('nothing');
        expect(alerts(decision).filter((event) => !isAuditOnly(event))).toEqual([]);
      }
    }
  });

  it('has what operators do in its history all the same', () => {
    const resumed = nextPass(pausedBefore(), aFailingRecord(60, 30), { policy });
    expect(types(resumed)).toEqual(['integration.operator-resumed']);
    const paused = nextPass(resumed, aFailingRecord(60, 30, { active: 0 }), { policy });
    expect(types(paused)).toEqual(['integration.operator-paused']);
    expect(types(nextPass(paused, aFailingRecord(60, 30, { active: 0 }), { policy }))).toEqual([]);
  });

  it('starts afresh when it is guarded again after an operator has resumed it', () => {
    const ignored = nextPass(pausedBefore({}), aFailingRecord(600, 300), { policy });
    const decision = nextPass(ignored, aFailingRecord(620, 300), { at: minutesAfter(NOON, 5) });
    expect(asks(decision)).toBe('nothing');
    expect(decision.figures?.freshErrors).toBe(20);
  });
});
