import pLimit from 'p-limit';
import { RateLimitedError, UnavailableError } from './errors.ts';

/**
 * Limits concurrent requests and requests per second. All workers of a pass share it, so that the guard does not cause
 * throttling of the customer's other requests with the same key. A 429 halves both limits and each answer raises them a
 * little (AIMD). When the API asks for a wait, every request waits. Before the first 429, only `max` limits requests.
 */
export interface Throttle {
  /** Sends as soon as both limits allow it and no wait is pending. The outcome adjusts the limits. */
  run<Answer>(send: () => Promise<Answer>): Promise<Answer>;
  /** Requests that may run at once. */
  readonly concurrency: number;
  /** Requests that may be sent per second; infinite before the first 429. */
  readonly perSecond: number;
  /** The API asked for a longer wait than there is time for: nothing more must be sent. */
  readonly closed: boolean;
}

/** The wait after a 429 without `Retry-After`. Most limits count by the second, and other clients need a share. */
const DEFAULT_WAIT_MS = 1_000;

/** As many as `execute` starts at once, so more would never wait. */
const MAX_CONCURRENCY = 8;

export interface ThrottleOptions {
  /** Waits, in milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>;
  /** Whether there is time for a wait of this length. */
  readonly canWait: (ms: number) => boolean;
  readonly max?: number;
  /** In milliseconds. */
  readonly now: () => number;
}

export function createThrottle(options: ThrottleOptions): Throttle {
  const { wait, canWait, now, max = MAX_CONCURRENCY } = options;
  const limit = pLimit(max);
  // Grows by fractions: by one for each full round of answers.
  let allowed = max;
  let perSecond = Number.POSITIVE_INFINITY;
  let nextAt = 0;
  let answeredAt: number[] = [];
  let held: Promise<unknown> | null = null;
  let closed = false;
  let sent = 0;
  /** Requests that were sent before the last slowdown: their 429s are not news. */
  let sentBeforeSlowing = 0;

  const allow = (next: number) => {
    allowed = Math.min(max, Math.max(1, next));
    limit.concurrency = Math.floor(allowed);
  };
  const hold = (ms: number) => {
    const until = Promise.all([held, wait(ms)]).then(() => {
      if (held === until) held = null;
    });
    held = until;
  };
  const inTheLastSecond = () => answeredAt.filter((at) => now() - at < 1_000);
  /** Waits for the next slot at the current rate. */
  const takeTurn = async () => {
    if (!Number.isFinite(perSecond)) return;
    const gap = 1_000 / perSecond;
    // No request waits for more than a full row of slots, even if the clock was set back.
    const turn = Math.min(Math.max(now(), nextAt), now() + max * gap);
    nextAt = turn + gap;
    if (turn > now()) await wait(turn - now());
  };

  const speedUp = () => {
    answeredAt = [...inTheLastSecond(), now()];
    allow(allowed + 1 / allowed);
    perSecond += 1 / perSecond;
  };
  const slowDown = () => {
    allow(allowed / 2);
    answeredAt = inTheLastSecond();
    perSecond = Math.max(1, Math.min(perSecond, answeredAt.length) / 2);
    sentBeforeSlowing = sent;
  };

  return {
    get concurrency() {
      return limit.concurrency;
    },
    get perSecond() {
      return perSecond;
    },
    get closed() {
      return closed;
    },
    run: (send) =>
      limit(async () => {
        await takeTurn();
        while (held !== null) await held;
        sent += 1;
        const ticket = sent;
        try {
          const answer = await send();
          speedUp();
          return answer;
        } catch (error) {
          const limited = error instanceof RateLimitedError;
          const asked = limited || error instanceof UnavailableError ? error.retryAfterMs : null;
          if (limited && ticket > sentBeforeSlowing) {
            slowDown();
            if (asked === null) hold(DEFAULT_WAIT_MS);
          }
          if (asked !== null && !canWait(asked)) closed = true;
          else if (asked !== null && asked > 0) hold(asked);
          throw error;
        }
      }),
  };
}
