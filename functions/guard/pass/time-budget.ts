import type { Ports } from '../ports.ts';
import { plusMs } from '../text/time.ts';

/** How a pass's time is spent, and what its times mean. */

/** No new work is begun when less time than this is left (law 6): half of it for the request itself … */
export const RESERVE_MS = 20_000;

/** … and this much for publishing and writing: requests to the API must have ended by then. */
export const ALERT_RESERVE_MS = 10_000;

/** Time as a pass counts it: the API's, since the moments it compares with are the API's. Ours may be minutes off. */
export interface PassTime {
  /** When the list was asked for. */
  readonly startedAt: string;
  readonly now: () => string;
}

/** Further apart than this is no clock that drifts: one of the two is wrong, or the answer came from a cache. */
const MAX_SKEW_MS = 30 * 60 * 1_000;

/** A clock that is behind by more than this is no clock. */
const MAX_BEHIND_MS = 24 * 60 * 60 * 1_000;

export function isBeyondBelief(clockAheadMs: number | null): clockAheadMs is number {
  return clockAheadMs !== null && Math.abs(clockAheadMs) > MAX_SKEW_MS;
}

/** Where the clocks disagree beyond belief, the one counts that makes less time pass: nothing is paused too early. */
function believed(clockAheadMs: number | null): number {
  if (clockAheadMs === null || clockAheadMs > MAX_SKEW_MS || clockAheadMs < -MAX_BEHIND_MS) return 0;
  return clockAheadMs;
}

export function createPassTime(ports: Pick<Ports, 'clock'>, startedAt: Date, clockAheadMs: number | null): PassTime {
  const aheadMs = believed(clockAheadMs);
  return { startedAt: plusMs(startedAt, aheadMs), now: () => plusMs(ports.clock.now(), aheadMs) };
}
