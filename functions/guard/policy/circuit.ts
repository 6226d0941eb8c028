import type { HalfOpenState, Mark, OpenedBy, OpenState } from '../model/entry.ts';
import type { Recovery } from '../settings/schema.ts';
import { plusMinutes } from '../text/time.ts';

/** The state changes of an open circuit. Each keeps the fields of the outage. */

/** Closed → open. `episode` names the outage in every event that follows. */
export function trip(by: OpenedBy, episode: string, now: string, mark: Mark): OpenState {
  return { name: 'open', by, episode, stoppedAt: now, openedAt: now, failedProbes: 0, mark };
}

/** Open → half-open. */
export function beginProbe(state: OpenState, now: string, mark: Mark): HalfOpenState {
  return { ...state, name: 'half-open', probedAt: now, delivering: null, mark };
}

/** Half-open → open: the probe failed, and the next cooldown is longer. */
export function reopen(
  { probedAt: _1, delivering: _2, ...state }: HalfOpenState,
  by: OpenedBy,
  now: string,
  mark: Mark,
): OpenState {
  return { ...state, name: 'open', by, openedAt: now, failedProbes: state.failedProbes + 1, mark };
}

/** When the guard probes an open circuit. Null: never, because recovery is manual or the guard has given up. */
export function nextProbeAt(state: OpenState, recovery: Recovery): string | null {
  if (recovery.mode === 'manual' || state.failedProbes >= recovery.maxAttempts) return null;
  return plusMinutes(state.openedAt, cooldownMinutes(state, recovery));
}

/** Minutes from opening a circuit to its probe. Deliveries must continue for as long to close it. 0 with manual recovery. */
export function cooldownMinutes({ failedProbes }: Pick<OpenState, 'failedProbes'>, recovery: Recovery): number {
  if (recovery.mode === 'manual') return 0;
  return Math.min(recovery.cooldownMinutes * recovery.backoff ** failedProbes, recovery.maxCooldownMinutes);
}
