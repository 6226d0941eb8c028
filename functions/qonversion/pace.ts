import pLimit from 'p-limit';
import { RateLimitedError, UnavailableError } from './errors.ts';

/**
 * How many requests are on their way at once. All workers of a pass share it, so that the guard is never the reason why a
 * customer's other use of the same key is throttled: each 429 halves it, each answer adds a little (AIMD), and when the API
 * asks to wait, everybody waits.
 */
export interface Pace {
  /** Sends once there is room, and nobody has to wait. What the answer was sets the pace of the next. */
  run<Answer>(send: () => Promise<Answer>): Promise<Answer>;
  /** Requests that may be on their way now. */
  readonly concurrency: number;
  /** The API has asked to wait for longer than anybody here can: nothing more is to be sent. */
  readonly closed: boolean;
}

/** As many as `carryOut` begins at once: more never wait. */
const MOST = 8;

export interface PaceOptions {
  /** Waits out a `Retry-After`, in milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>;
  /** Whether there is time to wait for so long. */
  readonly canWait: (ms: number) => boolean;
  readonly most?: number;
}

export function createPace({ wait, canWait, most = MOST }: PaceOptions): Pace {
  const limit = pLimit(most);
  // Grows by fractions: one more place for a whole round of answers.
  let allowed = most;
  let held: Promise<unknown> | null = null;
  let closed = false;
  let sent = 0;
  /** Requests that were on their way when we slowed down last: their 429s tell nothing new. */
  let sentBeforeSlowing = 0;

  const allow = (next: number) => {
    allowed = next;
    limit.concurrency = Math.max(1, Math.floor(next));
  };
  const hold = (ms: number) => {
    const until = Promise.all([held, wait(ms)]).then(() => {
      if (held === until) held = null;
    });
    held = until;
  };

  return {
    get concurrency() {
      return limit.concurrency;
    },
    get closed() {
      return closed;
    },
    run: (send) =>
      limit(async () => {
        while (held !== null) await held;
        sent += 1;
        const ticket = sent;
        try {
          const answer = await send();
          allow(Math.min(most, allowed + 1 / allowed));
          return answer;
        } catch (error) {
          if (error instanceof RateLimitedError && ticket > sentBeforeSlowing) {
            allow(Math.max(1, allowed / 2));
            sentBeforeSlowing = sent;
          }
          const asked =
            error instanceof RateLimitedError || error instanceof UnavailableError ? error.retryAfterMs : null;
          if (asked !== null && !canWait(asked)) closed = true;
          else if (asked !== null && asked > 0) hold(asked);
          throw error;
        }
      }),
  };
}
