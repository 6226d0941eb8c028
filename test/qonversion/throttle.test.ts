import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RateLimitedError, UnavailableError } from '../../functions/qonversion/errors.ts';
import { createPace, type Pace } from '../../functions/qonversion/throttle.ts';

const DETAILS = { status: 429, type: null, code: null, details: [] };
const limited = (retryAfterMs: number | null) => new RateLimitedError('too many', DETAILS, retryAfterMs);

/** A request that is answered when the test says so. */
interface Request {
  readonly answer: () => void;
  readonly refuse: (error: Error) => void;
}

/** Starts so many requests and lists those that are on their way. */
function start(pace: Pace, count: number): { readonly underWay: Request[]; readonly done: Promise<unknown> } {
  const underWay: Request[] = [];
  const one = () =>
    pace
      .run(
        () =>
          new Promise<void>((resolve, reject) => {
            underWay.push({ answer: resolve, refuse: reject });
          }),
      )
      .catch(() => undefined);
  return { underWay, done: Promise.all(Array.from({ length: count }, one)) };
}

/** Time passes when somebody waits; with `manual`, only when the test says that a wait is over. */
function aPace(options: { readonly most?: number; readonly canWait?: boolean; readonly manual?: boolean } = {}) {
  const waits: { readonly ms: number; readonly over: () => void }[] = [];
  let now = 0;
  const pace = createPace({
    most: options.most ?? 8,
    canWait: () => options.canWait ?? true,
    now: () => now,
    wait: (ms) =>
      new Promise<void>((resolve) => {
        const over = () => {
          now += ms;
          resolve();
        };
        waits.push({ ms, over });
        if (options.manual !== true) over();
      }),
  });
  return { pace, waits, now: () => now };
}

describe('the pace of requests', () => {
  it('lets as many go at once as it may, and no more', async () => {
    const { pace } = aPace({ most: 3 });
    const { underWay } = start(pace, 10);
    await turn();
    expect(underWay).toHaveLength(3);
    underWay[0]?.answer();
    await turn();
    expect(underWay).toHaveLength(4);
  });

  it('halves at a 429, once for all that were on their way together', async () => {
    const { pace } = aPace();
    const { underWay } = start(pace, 8);
    await turn();
    for (const request of underWay) request.refuse(limited(null));
    await turn();
    expect(pace.concurrency).toBe(4);
  });

  it('halves again when what was sent after that meets a 429 too, down to one', async () => {
    const { pace } = aPace();
    for (const expected of [4, 2, 1, 1]) {
      const { underWay } = start(pace, 1);
      await turn();
      underWay[0]?.refuse(limited(null));
      await turn();
      expect(pace.concurrency).toBe(expected);
    }
  });

  it('grows by one with each round of answers, up to what it may', async () => {
    const { pace } = aPace();
    const first = start(pace, 1);
    await turn();
    first.underWay[0]?.refuse(limited(null));
    await turn();
    const seen: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      const { underWay } = start(pace, 1);
      await turn();
      underWay[0]?.answer();
      await turn();
      seen.push(pace.concurrency);
    }
    expect([...new Set(seen)]).toEqual([4, 5, 6, 7, 8]);
    // A round at a concurrency of four takes four answers.
    expect(seen.indexOf(5)).toBeGreaterThanOrEqual(4);
  });

  it('does not slow down for anything but a 429', async () => {
    const { pace } = aPace();
    const { underWay } = start(pace, 1);
    await turn();
    underWay[0]?.refuse(new UnavailableError('failed (503)', undefined, null));
    await turn();
    expect(pace.concurrency).toBe(8);
  });

  it('has everybody wait when the API asks one to', async () => {
    const { pace, waits } = aPace({ manual: true });
    const first = start(pace, 1);
    await turn();
    first.underWay[0]?.refuse(limited(7_000));
    await turn();
    const others = start(pace, 1);
    await turn();
    expect(others.underWay).toHaveLength(0);
    expect(waits.map(({ ms }) => ms)).toEqual([7_000]);
    waits[0]?.over();
    await turn();
    expect(others.underWay).toHaveLength(1);
  });

  it('waits until the longest of what was asked for is over', async () => {
    const { pace, waits } = aPace({ manual: true });
    const first = start(pace, 2);
    await turn();
    first.underWay[0]?.refuse(limited(7_000));
    first.underWay[1]?.refuse(limited(9_000));
    await turn();
    const others = start(pace, 1);
    waits[0]?.over();
    await turn();
    expect(others.underWay).toHaveLength(0);
    waits[1]?.over();
    await turn();
    expect(others.underWay).toHaveLength(1);
  });

  it('waits a second when a 429 does not say for how long', async () => {
    const { pace, waits } = aPace({ manual: true });
    const first = start(pace, 2);
    await turn();
    for (const request of first.underWay) request.refuse(limited(null));
    await turn();
    expect(waits.map(({ ms }) => ms)).toEqual([1_000]);
  });

  it('knows no rate before the first 429, then keeps to half of what got through in the second before', async () => {
    const { pace, now } = aPace();
    for (let count = 0; count < 20; count += 1) {
      const { underWay } = start(pace, 1);
      await turn();
      underWay[0]?.answer();
      await turn();
    }
    expect(pace.perSecond).toBe(Number.POSITIVE_INFINITY);
    const last = start(pace, 1);
    await turn();
    last.underWay[0]?.refuse(limited(null));
    await turn();
    expect(pace.perSecond).toBe(10);

    const before = now();
    for (let count = 0; count < 10; count += 1) {
      const { underWay } = start(pace, 1);
      await turn();
      underWay[0]?.answer();
      await turn();
    }
    // Ten in a good second, growing by one each second: what is left of the limit is for others.
    expect(now() - before).toBeGreaterThan(800);
    expect(now() - before).toBeLessThan(1_000);
    expect(pace.perSecond).toBeGreaterThan(10.9);
    expect(pace.perSecond).toBeLessThan(11.1);
  });

  it('is not held up by a clock that was set back', async () => {
    let now = 10_000_000;
    const waits: number[] = [];
    const pace = createPace({ canWait: () => true, now: () => now, wait: async (ms) => void waits.push(ms) });
    const send = async (answer: Error | null) => {
      const { underWay } = start(pace, 1);
      await turn();
      if (answer === null) underWay[0]?.answer();
      else underWay[0]?.refuse(answer);
      await turn();
    };
    await send(limited(null));
    await send(null);
    now -= 3_600_000;
    waits.length = 0;
    await send(null);
    expect(Math.max(...waits)).toBeLessThanOrEqual(8_000);
  });

  it('still sends one request a second when nothing got through at all', async () => {
    const { pace } = aPace();
    const { underWay } = start(pace, 1);
    await turn();
    underWay[0]?.refuse(limited(null));
    await turn();
    expect(pace.perSecond).toBe(1);
  });

  it('closes when the API asks for more time than there is', async () => {
    const { pace, waits } = aPace({ canWait: false });
    const { underWay } = start(pace, 1);
    await turn();
    underWay[0]?.refuse(limited(3_600_000));
    await turn();
    expect(pace.closed).toBe(true);
    expect(waits).toEqual([]);
  });
});
