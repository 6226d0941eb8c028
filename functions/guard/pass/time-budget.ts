import type { Ports } from '../ports.ts';
import { plusMs } from '../text/time.ts';

/** The time that a pass has, and the clock it uses. */

/** With less time left than this, the pass starts no new work (law 6). Half of it is for the request … */
export const RESERVE_MS = 20_000;

/** … and this much is for publishing alerts and writing outcomes. Requests to the API must end before. */
export const ALERT_RESERVE_MS = 10_000;

/** The API's clock, because a pass compares with times of the API. This machine's clock may be minutes off. */
export interface PassTime {
  /** When the pass requested the list. */
  readonly startedAt: string;
  readonly now: () => string;
}

/** Clocks that are further apart have not drifted: one of them is wrong, or the answer came from a cache. */
const MAX_SKEW_MS = 30 * 60 * 1_000;

/** The API's clock is ignored when it is behind by more than this. */
const MAX_BEHIND_MS = 24 * 60 * 60 * 1_000;

export function isImplausible(clockAheadMs: number | null): clockAheadMs is number {
  return clockAheadMs !== null && Math.abs(clockAheadMs) > MAX_SKEW_MS;
}

/** The skew that the pass applies. If it is implausible, the clock that is behind counts, so that nothing is paused too early. */
function trustedSkew(clockAheadMs: number | null): number {
  if (clockAheadMs === null || clockAheadMs > MAX_SKEW_MS || clockAheadMs < -MAX_BEHIND_MS) return 0;
  return clockAheadMs;
}

export function createPassTime(ports: Pick<Ports, 'clock'>, startedAt: Date, clockAheadMs: number | null): PassTime {
  const aheadMs = trustedSkew(clockAheadMs);
  return { startedAt: plusMs(startedAt, aheadMs), now: () => plusMs(ports.clock.now(), aheadMs) };
}
