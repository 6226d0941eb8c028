import type { HalfOpenState, Mark, OpenedBy, OpenState } from '../model/entry.ts';
import type { Recovery } from '../settings/schema.ts';
import { plusMinutes } from '../text/time.ts';

/** The moves of an open circuit. What belongs to the outage stays through all of them. */

/** Closed → open. `episode` names the outage in every event that follows. */
export function trip(by: OpenedBy, episode: string, now: string, mark: Mark): OpenState {
  return { name: 'open', by, episode, openedAt: now, failedProbes: 0, mark };
}

/** Open → half-open. */
export function beginProbe(state: OpenState, now: string, mark: Mark): HalfOpenState {
  return { ...state, name: 'half-open', probedAt: now, mark };
}

/** Half-open → open: the probe failed, and the next cooldown is longer. */
export function reopen({ probedAt: _, ...state }: HalfOpenState, by: OpenedBy, now: string, mark: Mark): OpenState {
  return { ...state, name: 'open', by, openedAt: now, failedProbes: state.failedProbes + 1, mark };
}

/** When an open circuit is due for a probe; null when it stays open until an operator acts (manual recovery, or given up). */
export function nextProbeAt(state: OpenState, recovery: Recovery): string | null {
  if (recovery.mode === 'manual' || state.failedProbes >= recovery.maxAttempts) return null;
  const cooldown = recovery.cooldownMinutes * recovery.backoff ** state.failedProbes;
  return plusMinutes(state.openedAt, Math.min(cooldown, recovery.maxCooldownMinutes));
}
