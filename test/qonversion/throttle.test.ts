import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RateLimitedError, UnavailableError } from '../../functions/qonversion/errors.ts';
import { createThrottle, type Throttle } from '../../functions/qonversion/throttle.ts';

const DETAILS = { status: 429, type: null, code: null, details: [] };
const limited = (retryAfterMs: number | null) => new RateLimitedError('too many', DETAILS, retryAfterMs);

/** A request that the test answers. */
interface Request {
  readonly answer: () => void;
  readonly refuse: (error: Error) => void;
}

/** Starts requests, and lists those that have been sent but not answered. */
function start(throttle: Throttle, count: number): { readonly underWay: Request[]; readonly done: Promise<unknown> } {
  const underWay: Request[] = [];
  const one = () =>
    throttle
      .run(
        () =>
          new Promise<void>((resolve, reject) => {
            underWay.push({ answer: resolve, refuse: reject });
          }),
      )
      .catch(() => undefined);
  return { underWay, done: Promise.all(Array.from({ length: count }, one)) };
}

/** Waiting advances the clock; with `manual`, only the test ends a wait. */
function aThrottle(options: { readonly max?: number; readonly canWait?: boolean; readonly manual?: boolean } = {}) {
  const waits: { readonly ms: number; readonly over: () => void }[] = [];
  let now = 0;
  const throttle = createThrottle({
    max: options.max ?? 8,
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
  return { throttle, waits, now: () => now };
}

describe('the throttle of requests', () => {
  it('never exceeds its concurrency', async () => {
    const { throttle } = aThrottle({ max: 3 });
    const { underWay } = start(throttle, 10);
    await turn();
    expect(underWay).toHaveLength(3);
    underWay[0]?.answer();
    await turn();
    expect(underWay).toHaveLength(4);
  });

  it('halves at a 429, once for all requests that were sent before it', async () => {
    const { throttle } = aThrottle();
    const { underWay } = start(throttle, 8);
    await turn();
    for (const request of underWay) request.refuse(limited(null));
    await turn();
    expect(throttle.concurrency).toBe(4);
  });

  it('halves again if a later request also gets a 429, down to one', async () => {
    const { throttle } = aThrottle();
    for (const expected of [4, 2, 1, 1]) {
      const { underWay } = start(throttle, 1);
      await turn();
      underWay[0]?.refuse(limited(null));
      await turn();
      expect(throttle.concurrency).toBe(expected);
    }
  });

  it('grows by one with each round of answers, up to its limit', async () => {
    const { throttle } = aThrottle();
    const first = start(throttle, 1);
    await turn();
    first.underWay[0]?.refuse(limited(null));
    await turn();
    const seen: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      const { underWay } = start(throttle, 1);
      await turn();
      underWay[0]?.answer();
      await turn();
      seen.push(throttle.concurrency);
    }
    expect([...new Set(seen)]).toEqual([4, 5, 6, 7, 8]);
    // A round at a concurrency of four takes four answers.
    expect(seen.indexOf(5)).toBeGreaterThanOrEqual(4);
  });

  it('slows down only for a 429', async () => {
    const { throttle } = aThrottle();
    const { underWay } = start(throttle, 1);
    await turn();
    underWay[0]?.refuse(new UnavailableError('failed (503)', undefined, null));
    await turn();
    expect(throttle.concurrency).toBe(8);
  });

  it('makes every request wait if the API asks one to wait', async () => {
    const { throttle, waits } = aThrottle({ manual: true });
    const first = start(throttle, 1);
    await turn();
    first.underWay[0]?.refuse(limited(7_000));
    await turn();
    const others = start(throttle, 1);
    await turn();
    expect(others.underWay).toHaveLength(0);
    expect(waits.map(({ ms }) => ms)).toEqual([7_000]);
    waits[0]?.over();
    await turn();
    expect(others.underWay).toHaveLength(1);
  });

  it('waits until the longest requested wait is over', async () => {
    const { throttle, waits } = aThrottle({ manual: true });
    const first = start(throttle, 2);
    await turn();
    first.underWay[0]?.refuse(limited(7_000));
    first.underWay[1]?.refuse(limited(9_000));
    await turn();
    const others = start(throttle, 1);
    waits[0]?.over();
    await turn();
    expect(others.underWay).toHaveLength(0);
    waits[1]?.over();
    await turn();
    expect(others.underWay).toHaveLength(1);
  });

  it('waits a second after a 429 without Retry-After', async () => {
    const { throttle, waits } = aThrottle({ manual: true });
    const first = start(throttle, 2);
    await turn();
    for (const request of first.underWay) request.refuse(limited(null));
    await turn();
    expect(waits.map(({ ms }) => ms)).toEqual([1_000]);
  });

  it('has no rate limit before the first 429, then half of the answers in the second before', async () => {
    const { throttle, now } = aThrottle();
    for (let count = 0; count < 20; count += 1) {
      const { underWay } = start(throttle, 1);
      await turn();
      underWay[0]?.answer();
      await turn();
    }
    expect(throttle.perSecond).toBe(Number.POSITIVE_INFINITY);
    const last = start(throttle, 1);
    await turn();
    last.underWay[0]?.refuse(limited(null));
    await turn();
    expect(throttle.perSecond).toBe(10);

    const before = now();
    for (let count = 0; count < 10; count += 1) {
      const { underWay } = start(throttle, 1);
      await turn();
      underWay[0]?.answer();
      await turn();
    }
    // Ten in a good second, growing by one per second: the rest of the limit is for other clients.
    expect(now() - before).toBeGreaterThan(800);
    expect(now() - before).toBeLessThan(1_000);
    expect(throttle.perSecond).toBeGreaterThan(10.9);
    expect(throttle.perSecond).toBeLessThan(11.1);
  });

  it('is not delayed by a clock that was set back', async () => {
    let now = 10_000_000;
    const waits: number[] = [];
    const throttle = createThrottle({ canWait: () => true, now: () => now, wait: async (ms) => void waits.push(ms) });
    const send = async (answer: Error | null) => {
      const { underWay } = start(throttle, 1);
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

  it('still sends one request per second if nothing succeeded', async () => {
    const { throttle } = aThrottle();
    const { underWay } = start(throttle, 1);
    await turn();
    underWay[0]?.refuse(limited(null));
    await turn();
    expect(throttle.perSecond).toBe(1);
  });

  it('closes if the API asks for a longer wait than the remaining time', async () => {
    const { throttle, waits } = aThrottle({ canWait: false });
    const { underWay } = start(throttle, 1);
    await turn();
    underWay[0]?.refuse(limited(3_600_000));
    await turn();
    expect(throttle.closed).toBe(true);
    expect(waits).toEqual([]);
  });
});
