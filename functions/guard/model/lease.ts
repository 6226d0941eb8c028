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
  const isAhead = (moment: string | null) =>
    moment !== null && Date.parse(moment) - Date.parse(now) >= 2 * PASS_TIME_LIMIT_SECONDS * 1_000;
  const moments = [
    state.mark.activatedAt,
    'openedAt' in state ? state.openedAt : null,
    'probedAt' in state ? state.probedAt : null,
  ];
  if (!moments.some(isAhead)) return entry;
  const bound = <T extends string | null>(moment: T): T | string => (isAhead(moment) ? now : moment);
  const mark = { ...state.mark, activatedAt: bound(state.mark.activatedAt) };
  const next: State =
    state.name === 'open'
      ? { ...state, openedAt: bound(state.openedAt), mark }
      : state.name === 'half-open'
        ? { ...state, openedAt: bound(state.openedAt), probedAt: bound(state.probedAt), mark }
        : { ...state, mark };
  return { ...entry, state: next };
}
