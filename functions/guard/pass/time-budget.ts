import type { Ports } from '../ports.ts';
import { plusMs } from '../text/time.ts';

/** How a pass's time is spent, and what its times mean. */

/** The longest a pass may run: the function's timeout, and the length of a lease (law 2). */
export const PASS_TIME_LIMIT_SECONDS = 120;

/** No new work is begun when less time than this is left (law 6): half of it for the request itself … */
export const RESERVE_MS = 20_000;

/** … and this much for publishing and writing: requests to the API must have ended by then. */
export const ALERT_RESERVE_MS = 10_000;

/** Moments closer together than this are not told apart: the API's times are whole seconds, and answers take time. */
export const CLOCK_TOLERANCE_MS = 5_000;

/** Time as a pass counts it: the API's, since the moments it compares with are the API's. Ours may be minutes off. */
export interface PassTime {
  /** When the list was asked for. */
  readonly startedAt: string;
  readonly now: () => string;
}

export function createPassTime(ports: Pick<Ports, 'clock'>, startedAt: Date, clockAheadMs: number): PassTime {
  return { startedAt: plusMs(startedAt, clockAheadMs), now: () => plusMs(ports.clock.now(), clockAheadMs) };
}

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
