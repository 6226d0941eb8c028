import { plusMs } from '../text/time.ts';

/** How long a pass may be at work, and how exactly its times can be compared. */

/** The longest a pass may run: the function's timeout, and the length of a lease (law 2). */
export const PASS_TIME_LIMIT_SECONDS = 120;

/** Moments closer together than this count as the same: the API's times are whole seconds, and answers take time. */
export const CLOCK_TOLERANCE_MS = 5_000;

/** The lease of a pass that begins its work now. */
export function leaseFrom(now: string): string {
  return plusMs(new Date(now), PASS_TIME_LIMIT_SECONDS * 1_000);
}

/**
 * Whether another pass may still be at work. Two clocks may differ, but a lease that ends later than twice the time of a pass
 * from now is from a clock that was wrong, not from a pass that runs.
 */
export function isLeased(lease: string | null, now: string): boolean {
  if (lease === null) return false;
  const leftMs = Date.parse(lease) - Date.parse(now);
  return leftMs > 0 && leftMs < 2 * PASS_TIME_LIMIT_SECONDS * 1_000;
}
