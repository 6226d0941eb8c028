import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutboxItem } from '../../../functions/guard/model/entry.ts';
import { isAuditOnly, makeEvent } from '../../../functions/guard/model/event.ts';
import { EVENT_TYPES } from '../../../functions/guard/model/event-catalogue.ts';
import { boundOutbox, MAX_OUTBOX_BYTES, toOutbox } from '../../../functions/guard/model/outbox.ts';
import { aRecord, minutesAfter, NOON } from '../../support/builders.ts';
import { addBusy, createHarness } from '../../support/harness.ts';

/** Each character is three bytes in UTF-8. */
const CJK = '配信エラー通知先';

describe('an outbox while SNS refuses for days', () => {
  it.each([
    ['ASCII', 'Amplitude'],
    ['CJK', CJK],
  ])(
    'never becomes too large for the ledger, and loses no alert silently: %s text',
    { timeout: 60_000 },
    async (_name, text) => {
      const limits = { errorThreshold: 200, warnThreshold: 25, failingForMinutes: 0, flapping: 'off' };
      const harness = createHarness({ ...limits, remindAt: 'never' });
      addBusy(harness, 'good');
      addBusy(harness, 'hourly', { title: text.repeat(20) });
      harness.world.advance(5);
      harness.alerts.refuse(() => true);
      const problems = new Set<string>();
      const pass = async () => {
        harness.world.advance(5);
        const report = await harness.pass();
        for (const { outcome } of report.results) if (outcome === 'ledger-failed') problems.add(outcome);
      };
      for (let hour = 0; hour < 7 * 24; hour += 1) {
        harness.world.breakDown('hourly', text.repeat(40));
        await pass();
        harness.world.repair('hourly');
        for (let passes = 1; passes < 4; passes += 1) await pass();
      }
      expect([...problems]).toEqual([]);

      // Now it breaks permanently and SNS accepts again. After a few passes, everything is delivered.
      harness.world.breakDown('hourly', 'HTTP 503');
      for (let passes = 0; passes < 4; passes += 1) await pass();
      harness.alerts.refuse(() => false);
      await pass();
      expect(harness.world.get('hourly')?.active).toBe(0);
      expect(harness.ledger.entry('production', 'hourly')).toMatchObject({ attempt: null, outbox: [] });
      expect(harness.alerts.types()).toContain('integration.paused');
      const [backlog] = harness.alerts.events().filter(({ type }) => type === 'guard.backlog');
      expect(backlog?.reason).toMatch(/^\d+ alerts from .* are merged into this one: \d+ × failing, \d+ × recovered$/);
      const merged = Number(/^(\d+) alerts/.exec(backlog?.reason.replace(/,/g, '') ?? '')?.[1]);
      const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
      const announced = history.filter((event) => event.type !== 'guard.backlog' && !isAuditOnly(event)).length;
      expect(merged + harness.alerts.events().length - 1).toBe(announced);
      expect(announced).toBeGreaterThan(2 * 7 * 24);
    },
  );
});

describe('a blast radius that holds thousands', () => {
  it('is announced even if their IDs are long', { timeout: 60_000 }, async () => {
    const harness = createHarness();
    const ids = Array.from({ length: 2_000 }, (_, index) => `${index}-`.padEnd(256, 'x'));
    for (const id of ids) addBusy(harness, id, { eventsPerMinute: 20 });
    harness.world.advance(5);
    for (const id of ids) harness.world.breakDown(id, 'HTTP 503');
    harness.world.advance(20);
    const report = await harness.pass();
    await harness.run(5);
    expect(report.ok).toBe(true);
    expect(harness.alerts.types()).toEqual(['guard.held']);
    expect(harness.api.statusCalls).toEqual([]);
  });
});

describe('an outbox', () => {
  const anItem = fc
    .record({
      type: fc.constantFrom(...EVENT_TYPES),
      minutes: fc.nat(100_000),
      text: fc.string({ unit: 'grapheme', maxLength: 600 }),
      undelivered: fc.option(fc.subarray(['history', 'people', 'machines', 'chat-1'], { minLength: 1 })),
    })
    .map(({ type, minutes, text, undelivered }): OutboxItem => {
      const time = minutesAfter(NOON, minutes);
      const record = aRecord({ title: text, last_error_message: text });
      const event = makeEvent({ type, project: 'production', time, episode: time, reason: text, record });
      return { event, undelivered, merged: null };
    });
  const countOf = (outbox: readonly OutboxItem[]) =>
    outbox.reduce(
      (sum, { merged }) => sum + (merged === null ? 1 : Object.values(merged).reduce((a, b) => a + b, 0)),
      0,
    );

  it('stays within its size limit, counts every merged alert, and keeps the newest unmerged', () => {
    fc.assert(
      fc.property(
        fc.array(anItem, { minLength: 1, maxLength: 150 }),
        fc.integer({ min: 1, max: 40 }),
        (items, chunk) => {
          let outbox: readonly OutboxItem[] = [];
          for (let start = 0; start < items.length; start += chunk) {
            outbox = boundOutbox([...outbox, ...items.slice(start, start + chunk)]);
            expect(Buffer.byteLength(JSON.stringify(outbox))).toBeLessThanOrEqual(MAX_OUTBOX_BYTES);
            expect(outbox.at(-1)).toEqual(items[Math.min(start + chunk, items.length) - 1]);
            expect(outbox.filter(({ merged }) => merged !== null).length).toBeLessThanOrEqual(1);
          }
          expect(countOf(outbox)).toBe(items.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('that is small enough stays as it is', () => {
    const event = makeEvent({ type: 'guard.held', project: 'production', time: NOON, episode: NOON, reason: 'why' });
    const outbox = toOutbox([event]);
    expect(boundOutbox(outbox)).toBe(outbox);
  });

  it('keeps a merged alert for every audience that has not accepted one of the alerts', () => {
    const long = 'x'.repeat(500);
    const items = Array.from({ length: 200 }, (_, index): OutboxItem => {
      const time = minutesAfter(NOON, index);
      const event = makeEvent({ type: 'guard.held', project: 'p', time, episode: time, reason: long });
      return { event, undelivered: index % 2 === 0 ? ['people'] : ['chat-1'], merged: null };
    });
    const [merged] = boundOutbox(items);
    expect(merged?.undelivered).toEqual(['people', 'chat-1']);
    expect(merged?.event.type).toBe('guard.backlog');
  });
});
