import { plusMs } from '../text/time.ts';
import type { Entry, State } from './entry.ts';

/** Leases: how long a pass may work on an entry, and how exactly its times can be compared. */

/** The time limit of a pass. Also the function's timeout and the length of a lease (law 2). */
export const PASS_TIME_LIMIT_SECONDS = 120;

/** The time limit of the function that sends digests. Those of a fleet of 10,000 projects need far less. */
export const DIGEST_TIME_LIMIT_SECONDS = 120;

/** Moments that are closer than this count as the same: the API's times are whole seconds, and answers take time. */
export const CLOCK_TOLERANCE_MS = 5_000;

/** The end of a lease that begins now. */
export function leaseFrom(now: string): string {
  return plusMs(new Date(now), PASS_TIME_LIMIT_SECONDS * 1_000);
}

/**
 * Whether another pass may still be working on the entry. Clocks may differ a little, but a lease that ends more than two time
 * limits from now comes from a wrong clock, not from a running pass.
 */
export function isLeased(lease: string | null, now: string): boolean {
  if (lease === null) return false;
  const leftMs = Date.parse(lease) - Date.parse(now);
  return leftMs > 0 && leftMs < 2 * PASS_TIME_LIMIT_SECONDS * 1_000;
}

/**
 * The entry with moments in the future replaced by `now`. They come from a wrong clock and would delay pauses and probes. Returns
 * the same object when there are none.
 */
export function withoutFuture(entry: Entry, now: string): Entry {
  const { state } = entry;
  const moments = [
    state.mark.activatedAt,
    'openedAt' in state ? state.openedAt : null,
    'probedAt' in state ? state.probedAt : null,
    'delivering' in state ? (state.delivering?.since ?? null) : null,
  ];
  if (!moments.some((moment) => isAhead(moment, now))) return entry;
  const bound = <T extends string | null>(moment: T): T | string => (isAhead(moment, now) ? now : moment);
  return { ...entry, state: boundState(state, bound) };
}

function boundState(state: State, bound: <T extends string | null>(moment: T) => T | string): State {
  const mark = { ...state.mark, activatedAt: bound(state.mark.activatedAt) };
  if (state.name === 'closed' || state.name === 'isolated') return { ...state, mark };
  const outage = { stoppedAt: bound(state.stoppedAt), openedAt: bound(state.openedAt), mark };
  if (state.name === 'open') return { ...state, ...outage };
  const { delivering } = state;
  return {
    ...state,
    ...outage,
    probedAt: bound(state.probedAt),
    delivering: delivering === null ? null : { ...delivering, since: bound(delivering.since) },
  };
}

/** Whether a moment is so far in the future that it comes from a wrong clock. */
export function isAhead(moment: string | null, now: string): boolean {
  return moment !== null && Date.parse(moment) - Date.parse(now) >= 2 * PASS_TIME_LIMIT_SECONDS * 1_000;
}
