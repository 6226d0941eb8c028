import { describe, expect, it } from 'vitest';
import type { IntegrationRecord, LedgerEntry } from '../../../functions/guard/model/entry.ts';
import { isAuditOnly } from '../../../functions/guard/model/event.ts';
import { decide } from '../../../functions/guard/policy/decide.ts';
import { assess, effectivePolicy, stampsTellChanges } from '../../../functions/guard/policy/figures.ts';
import {
  aFailingRecord,
  anEntry,
  aPolicy,
  aRecord,
  minutesAfter,
  minutesBefore,
  NOON,
  PROBE_RECOVERY,
} from '../../support/builders.ts';
import { addBusy, createHarness, resultOf } from '../../support/harness.ts';

function decideNow(
  record: IntegrationRecord,
  entry: LedgerEntry | null = null,
  policy: Record<string, unknown> = {},
  now = NOON,
) {
  const effective = effectivePolicy(aPolicy(policy), record);
  return decide(record, entry, effective, { project: 'production', now, mayTrip: true, stampsTell: true });
}

function assessNow(record: IntegrationRecord, entry = anEntry(), policy: Record<string, unknown> = {}) {
  return assess(record, entry, effectivePolicy(aPolicy(policy), record), NOON);
}

const reactivatedAt60 = anEntry({
  baseline: { count: 60, lastDeliveryAt: minutesBefore(NOON, 300), updatedAt: aRecord().updated_at },
  activatedAt: minutesBefore(NOON, 30),
});

const openCircuit = (fields: Record<string, unknown> = {}) =>
  anEntry({
    circuit: {
      state: 'open',
      by: 'guard',
      episode: minutesBefore(NOON, 90),
      openedAt: minutesBefore(NOON, 70),
      failedProbes: 0,
      alertedAt: minutesBefore(NOON, 70),
      reminders: 0,
      ...fields,
    },
    baseline: { count: 60, lastDeliveryAt: minutesBefore(NOON, 90), updatedAt: aRecord().updated_at },
  });

const halfOpenCircuit = (fields: Record<string, unknown> = {}) =>
  anEntry({
    circuit: {
      state: 'half-open',
      by: 'guard',
      episode: minutesBefore(NOON, 90),
      openedAt: minutesBefore(NOON, 70),
      failedProbes: 0,
      alertedAt: minutesBefore(NOON, 70),
      reminders: 0,
      probedAt: minutesBefore(NOON, 5),
      ...fields,
    },
    baseline: { count: 60, lastDeliveryAt: minutesBefore(NOON, 90), updatedAt: aRecord().updated_at },
    activatedAt: minutesBefore(NOON, 5),
  });

describe('rule 1: fresh errors', () => {
  it('are the whole count when the ledger knows nothing', () => {
    expect(assessNow(aFailingRecord(61, 48)).figures.freshErrors).toBe(61);
  });

  it('start at the count seen when an operator re-activated', () => {
    const record = aFailingRecord(75, 300);
    expect(assessNow(record, reactivatedAt60).figures).toMatchObject({ freshErrors: 15, baseline: 60 });
  });

  it('are the whole count again once last_delivery_at has moved past the activation', () => {
    const record = aFailingRecord(75, 10);
    expect(assessNow(record, reactivatedAt60).figures).toMatchObject({ freshErrors: 75, baseline: 0 });
  });

  it('are the whole count again once the count has fallen', () => {
    const record = aFailingRecord(12, 300);
    expect(assessNow(record, reactivatedAt60).figures).toMatchObject({ freshErrors: 12, baseline: 0 });
  });

  it('remember a fallen count, so that it may climb past the old baseline', async () => {
    const decision = decideNow(aFailingRecord(12, 300), reactivatedAt60);
    expect(decision.quiet).toBe(false);
    expect(decision.settled.baseline.count).toBe(0);
  });
});

describe('rule 2: failing since', () => {
  it('is the last delivery', () => {
    expect(assessNow(aFailingRecord(61, 48)).figures.failingMinutes).toBe(48);
  });

  it('is the creation when nothing was ever delivered', () => {
    const record = aFailingRecord(61, 0, { last_delivery_at: null, created_at: minutesBefore(NOON, 20) });
    expect(assessNow(record).figures.failingMinutes).toBe(20);
  });

  it('is the activation we saw when that is later', () => {
    expect(assessNow(aFailingRecord(75, 300), reactivatedAt60).figures.failingMinutes).toBe(30);
  });

  it.each([
    [49, 15, false],
    [50, 14, false],
    [50, 15, true],
    [5_000, 14, false],
    [49, 5_000, false],
  ])('with %i failures over %i minutes both limits are reached: %s', (errors, minutes, reached) => {
    expect(assessNow(aFailingRecord(errors, minutes)).overLimits).toBe(reached);
  });

  it('does not take a burst in one minute for an outage', () => {
    expect(decideNow(aFailingRecord(900, 1)).act).toBeNull();
  });
});

describe('rule 3: an active integration over both limits', () => {
  it('is paused in enforce mode, with the numbers as the reason', () => {
    const decision = decideNow(aFailingRecord(61, 48));
    expect(decision).toMatchObject({ kind: 'pause', act: { status: 0 } });
    expect(decision.reason).toBe('61 failures since 11:12 UTC, threshold 50; no delivery for 48 min, limit 15 min');
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.paused']);
    expect(decision.settled.circuit.state).toBe('open');
  });

  it('is only reported in observe mode, once per episode', () => {
    const decision = decideNow(aFailingRecord(61, 48), null, { mode: 'observe' });
    expect(decision).toMatchObject({ kind: 'would-pause', act: null });
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.would-pause']);
    const next = decideNow(aFailingRecord(80, 48), { ...decision.settled, intent: null }, { mode: 'observe' });
    expect(next).toMatchObject({ kind: 'would-pause', events: [], quiet: true });
  });

  it('is left alone when an override says ignore', () => {
    const decision = decideNow(aFailingRecord(61, 48), null, {
      overrides: [{ match: { id: 'amp-ios' }, mode: 'ignore' }],
    });
    expect(decision).toMatchObject({ kind: 'ignored', act: null, events: [], quiet: true });
  });
});

describe('the early warning', () => {
  it('comes at half of the threshold unless the settings say otherwise, and says when it would be paused', () => {
    const decision = decideNow(aFailingRecord(25, 3));
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.failing']);
    expect(decision.reason).toContain('the guard pauses it at 50 failures and 15 min without a delivery');
  });

  it('comes once per episode', () => {
    const first = decideNow(aFailingRecord(25, 3));
    const second = decideNow(aFailingRecord(40, 3), { ...first.settled, intent: null });
    expect(second).toMatchObject({ kind: 'watch', events: [], quiet: true });
  });

  it('does not come when warnThreshold is 0', () => {
    expect(decideNow(aFailingRecord(49, 3), null, { warnThreshold: 0 }).events).toEqual([]);
  });

  it('is followed by integration.recovered when a delivery succeeds', () => {
    const first = decideNow(aFailingRecord(25, 3));
    const second = decideNow(aRecord(), { ...first.settled, intent: null }, {}, minutesAfter(NOON, 5));
    expect(second.events.map(({ type }) => type)).toEqual(['integration.recovered']);
    expect(second.settled.told).toBeNull();
  });

  it('is followed by recovered and a new warning when a delivery succeeded and it fails again', () => {
    const first = decideNow(aFailingRecord(25, 30));
    const again = aFailingRecord(30, 2);
    const second = decideNow(again, { ...first.settled, intent: null });
    expect(second.events.map(({ type }) => type)).toEqual(['integration.recovered', 'integration.failing']);
    expect(second.events[1]?.id).not.toBe(first.events[0]?.id);
  });
});

describe('rule 4: active while our circuit is open', () => {
  const decision = decideNow(aFailingRecord(75, 300), openCircuit());

  it('closes the circuit and tells, whatever the count says', () => {
    expect(decision).toMatchObject({ kind: 'reactivated', act: null, settled: { circuit: { state: 'closed' } } });
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.reactivated']);
  });

  it('counts from the count now, and from now on', () => {
    expect(decision.settled).toMatchObject({ baseline: { count: 75 }, activatedAt: NOON });
  });

  it('never fights the operator: the next passes leave it alone until both limits are reached anew', () => {
    const later = minutesAfter(NOON, 20);
    const entry = { ...decision.settled, intent: null };
    expect(decideNow(aFailingRecord(75 + 49, 300), entry, {}, later).act).toBeNull();
    expect(decideNow(aFailingRecord(75 + 50, 300), entry, {}, minutesAfter(NOON, 14)).act).toBeNull();
    expect(decideNow(aFailingRecord(75 + 50, 300), entry, {}, minutesAfter(NOON, 15)).act).toEqual({ status: 0 });
  });
});

describe('rule 5: paused by somebody else', () => {
  const paused = decideNow(aFailingRecord(600, 300, { active: 0 }));

  it('is remembered, kept in the history, and not told', () => {
    expect(paused).toMatchObject({
      kind: 'operator-paused',
      act: null,
      events: [{ type: 'integration.operator-paused', time: new Date(aRecord().updated_at).toISOString() }],
      settled: { pausedByOperator: true },
    });
    expect(paused.events.every(isAuditOnly)).toBe(true);
    expect(paused.quiet).toBe(false);
    expect(decideNow(aFailingRecord(600, 300, { active: 0 }), { ...paused.settled, intent: null }).quiet).toBe(true);
  });

  it('is never re-activated, not even with probe recovery', () => {
    const later = minutesAfter(NOON, 100_000);
    const decision = decideNow(
      aFailingRecord(600, 300, { active: 0 }),
      { ...paused.settled, intent: null },
      { recovery: PROBE_RECOVERY },
      later,
    );
    expect(decision).toMatchObject({ act: null, events: [], quiet: true });
  });

  it('gives its count as the baseline of the coming activation', () => {
    const decision = decideNow(aFailingRecord(610, 300), { ...paused.settled, intent: null });
    expect(decision.figures).toMatchObject({ baseline: 600, freshErrors: 10, failingMinutes: 0 });
  });

  it('is kept in the history when it ends, and told to nobody', () => {
    const { events } = decideNow(aFailingRecord(610, 300), { ...paused.settled, intent: null });
    expect(events).toMatchObject([{ type: 'integration.operator-resumed' }]);
    expect(events.every(isAuditOnly)).toBe(true);
  });

  it('counts from nothing when a delivery has succeeded before we looked', () => {
    const decision = decideNow(aFailingRecord(610, 2), { ...paused.settled, intent: null });
    expect(decision.figures).toMatchObject({ baseline: 0, freshErrors: 610, failingMinutes: 0 });
    expect(decision.act).toBeNull();
  });
});

describe("rule 6: suspended by Qonversion's worker", () => {
  const suspended = decideNow(aFailingRecord(600, 130, { active: 2 }));

  it('is told once per suspension', () => {
    expect(suspended.events.map(({ type }) => type)).toEqual(['integration.suspended']);
    const next = decideNow(
      aFailingRecord(600, 130, { active: 2 }),
      { ...suspended.settled, intent: null },
      {},
      minutesAfter(NOON, 5),
    );
    expect(next).toMatchObject({ events: [], quiet: true });
  });

  it('is never set to 0', () => {
    expect(suspended.act).toBeNull();
  });

  it('is probed like an open circuit with probe recovery', () => {
    const decision = decideNow(
      aFailingRecord(600, 130, { active: 2 }),
      { ...suspended.settled, intent: null },
      { recovery: PROBE_RECOVERY },
      minutesAfter(NOON, 60),
    );
    expect(decision).toMatchObject({ kind: 'probe', act: { status: 1 } });
  });

  it('is told in observe mode too', () => {
    expect(decideNow(aFailingRecord(600, 130, { active: 2 }), null, { mode: 'observe' }).events).toHaveLength(1);
  });

  it('is another outage when a delivery has ended the trial in between, unseen', () => {
    const record = aFailingRecord(40, 3, { active: 2 });
    const decision = decideNow(record, halfOpenCircuit({ failedProbes: 2 }), { recovery: PROBE_RECOVERY });
    expect(decision.settled.circuit).toMatchObject({
      state: 'open',
      failedProbes: 0,
      episode: record.last_delivery_at,
    });
  });

  it('belongs to the operator who sets it to 0', () => {
    const decision = decideNow(
      aFailingRecord(600, 130, { active: 0 }),
      { ...suspended.settled, intent: null },
      { recovery: PROBE_RECOVERY },
    );
    expect(decision).toMatchObject({ kind: 'operator-paused', settled: { pausedByOperator: true } });
    expect(decision.events.every(isAuditOnly)).toBe(true);
  });

  it('belongs to the operator who sets it to 1', () => {
    const decision = decideNow(aFailingRecord(600, 130), { ...suspended.settled, intent: null });
    expect(decision).toMatchObject({ kind: 'reactivated', act: null });
  });
});

describe('rule 7: recovery by probe', () => {
  const policy = { recovery: PROBE_RECOVERY };
  const paused = aFailingRecord(60, 90, { active: 0 });

  it('leaves an open circuit alone until its cooldown is over', () => {
    const young = openCircuit({ openedAt: minutesBefore(NOON, 59) });
    expect(decideNow(paused, young, policy)).toMatchObject({ kind: 'open', quiet: true });
  });

  it('re-activates it on trial after the cooldown', () => {
    const decision = decideNow(paused, openCircuit(), policy);
    expect(decision).toMatchObject({ kind: 'probe', act: { status: 1 }, settled: { circuit: { state: 'half-open' } } });
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.probing']);
  });

  it('never re-activates with manual recovery', () => {
    expect(decideNow(paused, openCircuit(), {}, minutesAfter(NOON, 600)).act).toBeNull();
  });

  it('never re-activates in observe mode', () => {
    expect(decideNow(paused, openCircuit(), { ...policy, mode: 'observe' }).act).toBeNull();
  });

  it('closes on a delivery that succeeds', () => {
    const decision = decideNow(aRecord({ last_delivery_at: minutesBefore(NOON, 2) }), halfOpenCircuit(), policy);
    expect(decision).toMatchObject({ kind: 'recovered', settled: { circuit: { state: 'closed' } } });
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.recovered']);
  });

  it('waits while there is neither a delivery nor enough failures', () => {
    expect(decideNow(aFailingRecord(62, 90), halfOpenCircuit(), policy)).toMatchObject({ kind: 'trial', quiet: true });
  });

  it('opens again after probeErrors fresh failures, with the cooldown multiplied', () => {
    const decision = decideNow(aFailingRecord(63, 90), halfOpenCircuit(), policy);
    expect(decision).toMatchObject({
      kind: 'pause',
      act: { status: 0 },
      settled: { circuit: { state: 'open', failedProbes: 1 } },
    });
    expect(decision.events).toMatchObject([{ type: 'integration.paused', nextProbeAt: minutesAfter(NOON, 120) }]);
  });

  it('caps the cooldown', () => {
    const capped = { recovery: { ...PROBE_RECOVERY, maxCooldownMinutes: 90 } };
    const decision = decideNow(aFailingRecord(63, 90), halfOpenCircuit(), capped);
    expect(decision.events[0]?.nextProbeAt).toBe(minutesAfter(NOON, 90));
  });

  it('gives up after maxAttempts and says so', () => {
    const decision = decideNow(aFailingRecord(63, 90), halfOpenCircuit({ failedProbes: 2 }), policy);
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.recovery-abandoned']);
    const later = decideNow(
      paused,
      { ...decision.settled, intent: null },
      { ...policy, remindEveryHours: 0 },
      minutesAfter(NOON, 100_000),
    );
    expect(later).toMatchObject({ kind: 'open', act: null, quiet: true });
  });

  it('takes a suspension during the trial for a failed trial', () => {
    const decision = decideNow(aFailingRecord(70, 90, { active: 2 }), halfOpenCircuit(), policy);
    expect(decision).toMatchObject({
      kind: 'suspended',
      act: null,
      settled: { circuit: { state: 'open', by: 'qonversion', failedProbes: 1 } },
    });
  });

  it("lets an operator's pause during the trial win", () => {
    const decision = decideNow(aFailingRecord(61, 90, { active: 0 }), halfOpenCircuit(), policy);
    expect(decision).toMatchObject({
      kind: 'operator-paused',
      settled: { pausedByOperator: true, circuit: { state: 'closed' } },
    });
  });

  it("lets an operator's re-activation before the trial win", () => {
    expect(decideNow(aFailingRecord(60, 90), openCircuit(), policy).kind).toBe('reactivated');
  });
});

describe('reminders', () => {
  const paused = aFailingRecord(60, 90, { active: 0 });

  it('come every remindEveryHours while it is open', () => {
    const due = minutesAfter(NOON, 24 * 60 - 70);
    const decision = decideNow(paused, openCircuit(), {}, due);
    expect(decision.events.map(({ type }) => type)).toEqual(['integration.still-down']);
    const after = decideNow(paused, { ...decision.settled, intent: null }, {}, minutesAfter(due, 5));
    expect(after.quiet).toBe(true);
    const second = decideNow(paused, { ...decision.settled, intent: null }, {}, minutesAfter(due, 24 * 60));
    expect(second.events[0]?.id).not.toBe(decision.events[0]?.id);
  });

  it('do not come when remindEveryHours is 0', () => {
    expect(decideNow(paused, openCircuit(), { remindEveryHours: 0 }, minutesAfter(NOON, 100_000)).quiet).toBe(true);
  });
});

describe('rule 8: the blast radius', () => {
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

  it('tells of a new episode after the first has ended', async () => {
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

  it('does not count the end of a failed trial, which stops no more than was stopped before', async () => {
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

describe('rule 9: records that cannot be read, and records that are gone', () => {
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

  it('are told of once per episode', async () => {
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
    // The one write pair tells of the unreadable record.
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

describe('a change that no pass has seen (an operator paused, mended and re-activated it in between)', () => {
  const changed = { updated_at: minutesBefore(NOON, 2) };

  it('starts the count afresh, so that an operator is not fought', () => {
    const decision = decideNow(aFailingRecord(600, 300, changed));
    expect(decision).toMatchObject({
      act: null,
      events: [],
      figures: { baseline: 600, freshErrors: 0 },
      settled: { activatedAt: NOON, baseline: { count: 600 } },
    });
  });

  it('is nothing to remember while nothing fails', () => {
    expect(decideNow(aRecord(changed))).toMatchObject({ kind: 'healthy', quiet: true });
  });

  it('shows against the stamp that was noted with the warning', () => {
    const warned = decideNow(aFailingRecord(30, 5));
    expect(warned.settled.baseline.updatedAt).toBe(aRecord().updated_at);
    const next = decideNow(aFailingRecord(600, 300, changed), { ...warned.settled, intent: null });
    expect(next).toMatchObject({ act: null, figures: { freshErrors: 0 } });
  });

  it('counts once, and both limits apply from there', () => {
    const seen = decideNow(aFailingRecord(600, 300, changed));
    const entry = { ...seen.settled, intent: null };
    expect(decideNow(aFailingRecord(700, 305, changed), entry, {}, minutesAfter(NOON, 5)).act).toBeNull();
    expect(decideNow(aFailingRecord(700, 315, changed), entry, {}, minutesAfter(NOON, 15)).act).toEqual({ status: 0 });
  });

  it('that lies longer back than the time limit is no repair', () => {
    const long = { updated_at: minutesBefore(NOON, 15) };
    expect(decideNow(aFailingRecord(600, 300, long)).act).toEqual({ status: 0 });
  });

  it('ends a trial: the operator is right', () => {
    const decision = decideNow(aFailingRecord(90, 90, changed), halfOpenCircuit(), { recovery: PROBE_RECOVERY });
    expect(decision).toMatchObject({ kind: 'reactivated', act: null, settled: { circuit: { state: 'closed' } } });
  });

  it('of what we paused leaves it to people when its trial is due: they may have paused it themselves', () => {
    const record = aFailingRecord(60, 150, { active: 0, updated_at: minutesBefore(NOON, 30) });
    const decision = decideNow(record, openCircuit(), { recovery: PROBE_RECOVERY }, minutesAfter(NOON, 60));
    expect(decision).toMatchObject({
      act: null,
      events: [{ type: 'integration.recovery-abandoned', reason: expect.stringContaining('until a person') }],
      settled: { pausedByOperator: true, circuit: { state: 'closed' } },
    });
  });

  it('is not the guard’s own: a trial began with one, and an operator through the guard too', () => {
    const own = minutesBefore(NOON, 5);
    const unnoted = { count: 60, lastDeliveryAt: minutesBefore(NOON, 90), updatedAt: null };
    const onTrial = { ...halfOpenCircuit(), baseline: unnoted };
    const record = aFailingRecord(62, 90, { updated_at: own });
    expect(decideNow(record, onTrial, { recovery: PROBE_RECOVERY })).toMatchObject({ kind: 'trial' });
    const resumed = anEntry({ baseline: unnoted, activatedAt: own });
    expect(decideNow(aFailingRecord(90, 90, { updated_at: own }), resumed).figures?.baseline).toBe(60);
  });

  it('is not believed when nothing shows that updated_at tells changes', () => {
    const record = aFailingRecord(600, 300, changed);
    const context = { project: 'production', now: NOON, mayTrip: true, stampsTell: false };
    expect(decide(record, null, effectivePolicy(aPolicy(), record), context).act).toEqual({ status: 0 });
  });
});

describe('what shows that updated_at tells changes', () => {
  const delivered = aRecord();
  const failed = aRecord({ last_delivery_at: null, last_error_at: NOON });

  it('is a delivery and a failure that did not move it', () => {
    expect(stampsTellChanges([delivered, failed])).toBe(true);
    expect(stampsTellChanges([aRecord({ last_error_at: NOON })])).toBe(true);
  });

  it.each([
    ['no record', []],
    ['deliveries alone', [delivered]],
    ['failures alone', [failed]],
    ['failures that moved it', [delivered, { ...failed, updated_at: NOON }]],
    ['failures within the minute', [delivered, { ...failed, updated_at: minutesBefore(NOON, 1) }]],
  ])('is not %s', (_name, records) => {
    expect(stampsTellChanges(records)).toBe(false);
  });
});

describe('an ignored integration', () => {
  const policy = { overrides: [{ match: { id: 'amp-ios' }, mode: 'ignore' }] };

  it('is not acted on and not told of in any state', () => {
    for (const active of [0, 1, 2] as const) {
      for (const entry of [null, openCircuit(), halfOpenCircuit()]) {
        expect(decideNow(aFailingRecord(600, 300, { active }), entry, policy)).toMatchObject({
          act: null,
          events: [],
          owed: [],
        });
      }
    }
  });

  it('starts afresh when it counts again after an operator has re-activated it', () => {
    const ignored = decideNow(aFailingRecord(600, 300), openCircuit(), policy);
    const decision = decideNow(
      aFailingRecord(620, 300),
      { ...ignored.settled, intent: null },
      {},
      minutesAfter(NOON, 5),
    );
    expect(decision).toMatchObject({ act: null, figures: { freshErrors: 20 } });
  });
});
