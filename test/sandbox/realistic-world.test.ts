import { describe, expect, it } from 'vitest';
import { Stream, streamKey } from '../../functions/sandbox/world/chance.ts';
import { Delivery, type Tally } from '../../functions/sandbox/world/delivery.ts';
import { figuresOf } from '../../functions/sandbox/world/figures.ts';
import { live } from '../../functions/sandbox/world/life.ts';
import { RealisticWorld } from '../../functions/sandbox/world/realistic-world.ts';
import { DAY_MINUTES, Traffic } from '../../functions/sandbox/world/traffic.ts';
import type { Trouble } from '../../functions/sandbox/world/troubles.ts';
import { aPolicy } from '../support/builders.ts';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const draw = (count: number, next: () => number) => Array.from({ length: count }, next);

function stamp(minute: number): string {
  return `${new Date(Date.parse('2026-01-05T00:00:00Z') + minute * 60_000).toISOString().slice(0, 19)}Z`;
}

/** An integration that sends a thousand events a day or more, with these troubles and no others. */
function aDelivery(troubles: readonly Trouble[] = [], counts: 'attempts' | 'events' = 'attempts'): Delivery {
  for (let number = 0; ; number += 1) {
    const id = `i${number}`;
    const delivery = new Delivery({ seed: 7, id, provider: 'Amplitude', platform: 'iOS', troubles, counts, stamp });
    const steady = draw(240, () => 0).every((_, hour) => delivery.traffic.load(hour * 6) > 0.1);
    if (delivery.traffic.eventsPerDay > 10_000 && steady) return delivery;
  }
}

function aTrouble(fields: Partial<Trouble>): Trouble {
  return { kind: 'partial', from: 0, to: Number.POSITIVE_INFINITY, share: 1, message: 'HTTP 503', ...fields };
}

const all = ({ delivered, failed, withheld, withheldByOthers }: Tally) =>
  delivered + failed + withheld + withheldByOthers;

describe('chance', () => {
  const stream = new Stream(streamKey('test'));

  it('is even', () => {
    const drawn = draw(20_000, () => stream.next());
    expect(mean(drawn)).toBeCloseTo(0.5, 1);
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const within = drawn.filter((value) => Math.floor(value * 10) === tenth).length;
      expect(within).toBeGreaterThan(1_800);
      expect(within).toBeLessThan(2_200);
    }
  });

  it.each([0.3, 4, 200])('gives %s events on average', (expected) => {
    expect(mean(draw(5_000, () => stream.poisson(expected))) / expected).toBeCloseTo(1, 1);
  });

  it.each([
    [10, 0.3],
    [1_000, 0.02],
  ])('of %s attempts fails a part of %s', (trials, share) => {
    expect(mean(draw(5_000, () => stream.binomial(trials, share))) / (trials * share)).toBeCloseTo(1, 1);
  });
});

describe('traffic', () => {
  it('comes to as many events a day as it says, with quieter weekends', () => {
    for (let number = 0; number < 30; number += 1) {
      const traffic = new Traffic(3, `i${number}`);
      if (traffic.eventsPerDay < 200) continue;
      let events = 0;
      for (let minute = 0; minute < 5 * DAY_MINUTES; minute += 1) events += traffic.events(minute);
      expect(events / 5 / traffic.eventsPerDay).toBeGreaterThan(0.85);
      expect(events / 5 / traffic.eventsPerDay).toBeLessThan(1.15);
    }
  });
});

describe('delivery', () => {
  it('keeps account of every event', () => {
    const delivery = aDelivery([aTrouble({ from: 100, to: 400, share: 0.8 }), aTrouble({ from: 700, to: 1_600 })]);
    let events = 0;
    for (let minute = 0; minute < 3_000; minute += 1) {
      // Events stop early enough for the last retry to have its turn.
      if (minute === 2_000) delivery.setActive(0, 'guard', minute);
      if (minute < 2_400) {
        events += delivery.traffic.events(minute);
        delivery.flow(minute);
      } else if (minute === 2_400) {
        expect(all(delivery.tally)).toBe(events);
      }
    }
    expect(delivery.tally.failed).toBeGreaterThan(0);
    expect(delivery.tally.withheld).toBeGreaterThan(0);
  });

  it.each(['attempts', 'events'] as const)('counts failed %s since the last delivery', (counts) => {
    const delivery = aDelivery([aTrouble({ from: 10, to: 40 })], counts);
    let fresh = 0;
    for (let minute = 0; minute < 40; minute += 1) {
      if (minute >= 10) fresh += delivery.traffic.events(minute);
      delivery.flow(minute);
    }
    expect(delivery.record.last_delivery_at).toBe(stamp(9));
    if (counts === 'events') expect(delivery.record.delivery_error_count).toBe(fresh);
    else expect(delivery.record.delivery_error_count).toBeGreaterThan(2 * fresh);
    delivery.flow(40);
    expect(delivery.record).toMatchObject({ delivery_error_count: 0, last_delivery_at: stamp(40) });
  });

  it('delivers the events of a short outage with its retries', () => {
    const delivery = aDelivery([aTrouble({ from: 10, to: 15 })]);
    for (let minute = 0; minute < 600; minute += 1) delivery.flow(minute);
    expect(delivery.tally.failed).toBe(0);
  });

  it('says of what a pause withholds how much would have failed all the same', () => {
    const delivery = aDelivery([aTrouble({ from: 10, to: 10_000 })]);
    for (let minute = 0; minute < 400; minute += 1) {
      if (minute === 20) delivery.setActive(0, 'guard', minute);
      delivery.flow(minute);
    }
    expect(delivery.tally.doomed).toBe(delivery.tally.withheld);
    const idle = aDelivery();
    idle.setActive(0, 'guard', 0);
    for (let minute = 0; minute < 400; minute += 1) idle.flow(minute);
    expect(idle.tally).toMatchObject({ doomed: 0, delivered: 0 });
    expect(idle.tally.withheld).toBeGreaterThan(0);
  });

  it('is broken until a person repairs it, and suspended by the worker after days', () => {
    const delivery = aDelivery([aTrouble({ kind: 'break', from: 10 })]);
    for (let minute = 0; minute < 6 * DAY_MINUTES; minute += 1) delivery.flow(minute);
    expect(delivery.record.active).toBe(2);
    expect(delivery.failingShare(7 * DAY_MINUTES)).toBe(1);
    delivery.repair(6 * DAY_MINUTES);
    expect(delivery.failingShare(6 * DAY_MINUTES)).toBe(0);
  });
});

describe('a world', () => {
  const options = { seed: 5, integrations: 30, days: 4 };

  it('has the same traffic and the same troubles whatever is done to it', () => {
    const [left, right] = [new RealisticWorld(options), new RealisticWorld(options)];
    for (let minute = 0; minute < 2 * DAY_MINUTES; minute += 1) {
      if (minute === 60) left.get('i3').setActive(0, 'guard', minute);
      left.advance();
      right.advance();
    }
    expect(left.troubles).toEqual(right.troubles);
    for (const [id, { tally, record }] of right.deliveries) {
      if (id === 'i3') continue;
      expect(left.get(id).tally).toEqual(tally);
      expect(left.get(id).record).toEqual(record);
    }
  });

  it('says when an integration works again', () => {
    const world = new RealisticWorld({ ...options, days: 120, integrations: 100 });
    const kinds = new Set<string>();
    for (const [id, troubles] of world.troubles) {
      for (const { kind, from, to, share } of troubles) {
        kinds.add(kind);
        if (kind === 'break' && share > 0.9) expect(world.healsAt(id, from + 1)).toBe(Number.POSITIVE_INFINITY);
        if (kind !== 'short' || to - from < 2) continue;
        const heals = world.healsAt(id, Math.ceil(from));
        expect(world.get(id).failingShare(heals)).toBeLessThan(0.5);
      }
    }
    expect([...kinds].sort()).toEqual([
      'break',
      'chronic',
      'flapping',
      'partial',
      'provider',
      'qonversion',
      'rate-limit',
      'short',
    ]);
  });

  it('is lived through the same way twice, and only looked at in observe mode', async () => {
    const short = { seed: 2, integrations: 40, days: 3 };
    const enforced = await live(short, aPolicy({}));
    expect(await live(short, aPolicy({}))).toEqual(enforced);
    const observed = await live(short, aPolicy({ mode: 'observe' }));
    expect(observed).toMatchObject({ pauses: 0, withheld: 0, doomed: 0 });
    expect(observed.passes).toBe(3 * 288);
    expect(observed.requests).toBeGreaterThanOrEqual(observed.passes);
    const figures = figuresOf({ name: 'defaults', enforced: [enforced], observed: [observed] });
    const share = figures.find(({ label }) => label === 'delivered, of what observe delivers');
    expect(share?.value).toBeGreaterThan(80);
    expect(share?.value).toBeLessThanOrEqual(100.5);
  });
});
