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

export function createPassTime(ports: Pick<Ports, 'clock'>, startedAt: Date, clockAheadMs: number): PassTime {
  return { startedAt: plusMs(startedAt, clockAheadMs), now: () => plusMs(ports.clock.now(), clockAheadMs) };
}
