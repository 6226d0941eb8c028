import { plusMs } from '../text/time.ts';
import type { Entry, State } from './entry.ts';

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

/**
 * The entry with nothing in it that counts from a moment still to come: such a moment is from a clock that was wrong, and
 * would put off pauses and probes until then. The very same object when there is none.
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

/** Whether a moment lies so far ahead that no pass with a right clock can have noted it. */
export function isAhead(moment: string | null, now: string): boolean {
  return moment !== null && Date.parse(moment) - Date.parse(now) >= 2 * PASS_TIME_LIMIT_SECONDS * 1_000;
}
