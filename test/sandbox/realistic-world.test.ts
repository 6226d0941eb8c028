import { describe, expect, it } from 'vitest';
import { Stream, streamKey } from '../../functions/sandbox/world/chance.ts';
import { Delivery, type Tally } from '../../functions/sandbox/world/delivery.ts';
import { figuresOf } from '../../functions/sandbox/world/figures.ts';
import { type Life, live } from '../../functions/sandbox/world/life.ts';
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

describe('a lull', () => {
  it('delivers all its events at once afterwards', () => {
    const busy = draw(200, () => 0)
      .map((_, number) => new Traffic(3, `i${number}`))
      .filter(({ eventsPerDay }) => eventsPerDay > 100_000);
    const releases = busy.flatMap((traffic) =>
      draw(20 * DAY_MINUTES, () => 0).flatMap((_, minute) => {
        const silent = minute > 30 && draw(30, () => 0).every((_, before) => traffic.events(minute - 1 - before) === 0);
        return silent && traffic.events(minute) > 0 ? [traffic.load(minute)] : [];
      }),
    );
    expect(releases.length).toBeGreaterThan(5);
    expect(Math.max(...releases)).toBeGreaterThan(8);
  });
});

describe('delivery', () => {
  it('keeps account of every event', () => {
    const delivery = aDelivery([aTrouble({ from: 100, to: 400, share: 0.8 }), aTrouble({ from: 700, to: 1_600 })]);
    let events = 0;
    for (let minute = 0; minute < 3_000; minute += 1) {
      // Events stop early enough for the last retry.
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

  it('returns the same object until the record changes', () => {
    const delivery = aDelivery();
    delivery.flow(0);
    const { record } = delivery;
    expect(delivery.record).toBe(record);
    delivery.flow(1);
    delivery.flow(2);
    expect(delivery.record).toEqual({ ...record, last_delivery_at: stamp(2) });
  });

  it('delivers the events of a short outage with its retries', () => {
    const delivery = aDelivery([aTrouble({ from: 10, to: 15 })]);
    for (let minute = 0; minute < 600; minute += 1) delivery.flow(minute);
    expect(delivery.tally.failed).toBe(0);
  });

  it('counts the withheld events that would have failed anyway', () => {
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

  it('has the same traffic and the same troubles, also when integrations are paused', () => {
    const [left, right] = [new RealisticWorld(options), new RealisticWorld(options)];
    for (let minute = 0; minute < 2 * DAY_MINUTES; minute += 1) {
      if (minute === 60) left.get('i3').setActive(0, 'guard', minute);
      left.advanceTo(minute + 1);
      right.advanceTo(minute + 1);
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

  it('is as troubled as the description of the project says', () => {
    const troubles = [31, 32, 33, 34].flatMap((seed) => {
      const world = new RealisticWorld({ seed, integrations: 200, days: 30 });
      return [...world.troubles].flatMap(([id, all]) =>
        all.map((trouble) => ({ ...trouble, seed, eventsPerDay: world.get(id).traffic.eventsPerDay })),
      );
    });
    const breaks = troubles.filter(({ kind }) => kind === 'break');
    expect(breaks.length / 4).toBeGreaterThan(30);
    expect(breaks.length / 4).toBeLessThan(55);
    const whole = breaks.filter(({ share, eventsPerDay }) => share === 1 && eventsPerDay > 100);
    expect(whole.length / 4).toBeGreaterThan(15);
    // An outage of a provider is the same for all its integrations.
    const outages = new Set(
      troubles.filter(({ kind }) => kind === 'provider').map(({ seed, from, share }) => `${seed} ${from} ${share}`),
    );
    expect(outages.size / 4).toBeGreaterThan(20);
    expect(outages.size / 4).toBeLessThan(60);
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
    const share = figures.find(({ label }) => label === 'delivered, compared with observe mode');
    expect(share?.value).toBeGreaterThan(80);
    expect(share?.value).toBeLessThanOrEqual(100.5);
  });
});

describe('breaks to be paused', () => {
  const options = { seed: 33, integrations: 150, days: 6 };

  it('are those in which every delivery fails, above 100 events a day, for a day', async () => {
    const world = new RealisticWorld(options);
    const longAndBusy = [...world.troubles].flatMap(([id, troubles]) => {
      const { eventsPerDay } = world.get(id).traffic;
      return troubles.filter(({ kind, from }) => kind === 'break' && from <= 5 * DAY_MINUTES && eventsPerDay > 100);
    });
    const whole = longAndBusy.filter(({ share }) => share === 1).length;
    expect(longAndBusy.length).toBeGreaterThan(whole);
    // A guard that ignores everything alerts no one, so no person repairs anything before the worker suspends it.
    const ignored = await live(options, aPolicy({ overrides: [{ match: { title: '*' }, mode: 'ignore' }] }));
    expect(ignored).toMatchObject({ pauses: 0, breaksToPause: whole, breaksPaused: 0 });
  });
});

describe('figures', () => {
  const textOf = (lives: readonly Life[], part: string) =>
    figuresOf({ name: 'defaults', enforced: lives, observed: lives }).find(({ label }) => label.includes(part))?.text;

  it.each([1, 3, 12])('are sensible for a day of %s integrations', async (integrations) => {
    const life = await live({ seed: 9, integrations, days: 1 }, aPolicy({}));
    for (const { label, value, text } of figuresOf({ name: 'defaults', enforced: [life], observed: [life] })) {
      expect(value, label).not.toBeNaN();
      expect(text, label).not.toMatch(/NaN|Infinity/);
    }
    // The life has one day, so no break lasts for a day.
    expect(textOf([life], 'true breaks above 100 events a day')).toBe('–');
  });

  const life: Life = {
    days: 60,
    counts: 'events',
    pauses: 20,
    falsePauses: 0,
    breakPauses: 4,
    providerOutagePauses: 10,
    qonversionOutagePauses: 2,
    breaks: 5,
    breaksToPause: 4,
    breaksPaused: 3,
    delivered: 0,
    failed: 0,
    withheld: 0,
    doomed: 0,
    withheldByOthers: 0,
    lostShares: [],
    hoursPausedInVain: 0,
    mailsPerDay: [1, 3],
    firstAlertHours: { 'below 1': [], '1 to 10': [2, 30, 40], '10 to 100': [], 'above 100': [Infinity] },
    severe: { episodes: 0, reported: 0 },
    mild: { episodes: 2, reported: 1 },
    ledgerWrites: 60,
    requests: 250,
    passes: 200,
    quietPasses: 150,
  };

  it('are for 30 days, pauses in outages for 90', () => {
    expect(textOf([life], 'pauses')).toBe('10.0');
    expect(textOf([life], 'pauses during provider-wide outages')).toBe('15.0');
    expect(textOf([life], "pauses during Qonversion's outages")).toBe('3.0');
    expect(textOf([life], 'every delivery failing')).toBe('75.0 %');
    expect(textOf([life], 'quiet passes')).toBe('75.0 %');
  });

  it('weigh every integration the same in one row, and every event in another', () => {
    const unlucky: Life = { ...life, delivered: 990, withheld: 10, lostShares: [0.5, 0, 0, 0] };
    expect(textOf([unlucky], "events lost to the guard's pauses")).toBe('1.0 %');
    expect(textOf([unlucky], 'each integration with equal weight')).toBe('12.5 %');
  });

  it('show a dash without data', () => {
    expect(textOf([life], 'events lost')).toBe('–');
    expect(textOf([life], 'would have failed anyway')).toBe('–');
    expect(textOf([life], 'at least 80 % failing')).toBe('–');
    expect(textOf([life], 'below 1 events a day: median')).toBe('–');
  });

  it('give the first alert separately for worlds that do not count retries', () => {
    const sooner: Life = {
      ...life,
      counts: 'attempts',
      firstAlertHours: { ...life.firstAlertHours, '1 to 10': [1, 1] },
    };
    expect(textOf([life, sooner], '1 to 10 events a day: median')).toBe('2.0 h');
    expect(textOf([life, sooner], '1 to 10 events a day, retries not counted: median')).toBe('30.0 h');
    expect(textOf([sooner], '1 to 10 events a day, retries not counted: median')).toBe('–');
    expect(textOf([life], 'above 100 events a day: median')).toBe('never');
  });
});

/** A short form of `npm run worlds -- --check`, which CI runs. */
describe('law 8: the guard does no harm', () => {
  /** Worlds that no rule was tuned on. */
  const SEEDS = [301, 302];

  it('over weeks of a realistic world, with the defaults', { timeout: 120_000 }, async () => {
    const policy = aPolicy();
    const enforced = await Promise.all(SEEDS.map((seed) => live({ seed, integrations: 60, days: 14 }, policy)));
    const sum = (all: readonly Life[], of: (life: Life) => number) => all.reduce((total, life) => total + of(life), 0);
    // Each integration has the same weight: among so few, one with a million events a day would decide the result.
    expect(mean(enforced.flatMap(({ lostShares }) => lostShares))).toBeLessThan(0.003);
    expect(sum(enforced, (life) => life.breaksPaused)).toBe(sum(enforced, (life) => life.breaksToPause));
    expect(sum(enforced, (life) => life.falsePauses)).toBeLessThanOrEqual(10);
    expect(sum(enforced, (life) => life.requests) / sum(enforced, (life) => life.passes)).toBeLessThan(1.2);
  });
});
