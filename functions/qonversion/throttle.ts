import pLimit from 'p-limit';
import { RateLimitedError, UnavailableError } from './errors.ts';

/**
 * How many requests are on their way at once, and how fast they follow one another. All workers of a pass share it, so that the
 * guard is not the reason why a customer's other use of the same key is throttled. A 429 halves both, each answer adds a little
 * (AIMD), and when the API asks to wait, everybody waits. Until the first 429 nothing is held back but by `most`.
 */
export interface Pace {
  /** Sends once there is room, and nobody has to wait. What the answer was sets the pace of the next. */
  run<Answer>(send: () => Promise<Answer>): Promise<Answer>;
  /** Requests that may be on their way now. */
  readonly concurrency: number;
  /** Requests that may be sent in a second; infinite until there was a 429. */
  readonly perSecond: number;
  /** The API has asked to wait for longer than anybody here can: nothing more is to be sent. */
  readonly closed: boolean;
}

/** A 429 that does not say for how long: limits are mostly counted by the second, and others want to use it too. */
const UNASKED_WAIT_MS = 1_000;

/** As many as `carryOut` begins at once: more never wait. */
const MOST = 8;

export interface PaceOptions {
  /** Waits, in milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>;
  /** Whether there is time to wait for so long. */
  readonly canWait: (ms: number) => boolean;
  readonly most?: number;
  /** In milliseconds. */
  readonly now: () => number;
}

export function createPace(options: PaceOptions): Pace {
  const { wait, canWait, now, most = MOST } = options;
  const limit = pLimit(most);
  // Grows by fractions: one more place for a whole round of answers.
  let allowed = most;
  let perSecond = Number.POSITIVE_INFINITY;
  let nextAt = 0;
  let answeredAt: number[] = [];
  let held: Promise<unknown> | null = null;
  let closed = false;
  let sent = 0;
  /** Requests that were on their way when we slowed down last: their 429s tell nothing new. */
  let sentBeforeSlowing = 0;

  const allow = (next: number) => {
    allowed = Math.min(most, Math.max(1, next));
    limit.concurrency = Math.floor(allowed);
  };
  const hold = (ms: number) => {
    const until = Promise.all([held, wait(ms)]).then(() => {
      if (held === until) held = null;
    });
    held = until;
  };
  const inTheLastSecond = () => answeredAt.filter((at) => now() - at < 1_000);
  /** The next place in a row of requests that keeps to the rate. */
  const takeTurn = async () => {
    if (!Number.isFinite(perSecond)) return;
    const gap = 1_000 / perSecond;
    // Nobody has more than a full row before them, even if the clock was set back.
    const turn = Math.min(Math.max(now(), nextAt), now() + most * gap);
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
            if (asked === null) hold(UNASKED_WAIT_MS);
          }
          if (asked !== null && !canWait(asked)) closed = true;
          else if (asked !== null && asked > 0) hold(asked);
          throw error;
        }
      }),
  };
}
