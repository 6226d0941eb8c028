import type { Circuit, OpenedBy, Outage } from '../model/entry.ts';
import type { Recovery } from '../settings/types.ts';
import { plusMinutes } from '../text/time.ts';

/** The breaker over one integration: closed (delivering), open (stopped), half-open (delivering on trial). */

export type OpenCircuit = Extract<Circuit, { state: 'open' }>;
export type HalfOpenCircuit = Extract<Circuit, { state: 'half-open' }>;

/** Closed → open. `episode` names the outage in every event that follows. */
export function trip(by: OpenedBy, episode: string, now: string): OpenCircuit {
  return { state: 'open', by, episode, openedAt: now, failedProbes: 0, alertedAt: now, reminders: 0 };
}

/** Open → half-open. */
export function probe(circuit: OpenCircuit, now: string): HalfOpenCircuit {
  return { ...outage(circuit), state: 'half-open', probedAt: now };
}

/** Half-open → open: the trial failed, and the next cooldown is longer. */
export function reopen(circuit: HalfOpenCircuit, by: OpenedBy, now: string): OpenCircuit {
  return {
    ...outage(circuit),
    state: 'open',
    by,
    openedAt: now,
    alertedAt: now,
    failedProbes: circuit.failedProbes + 1,
  };
}

/** The worker suspended what we had paused: the same outage, but Qonversion holds it now. */
export function takenOver(circuit: OpenCircuit, now: string): OpenCircuit {
  return { ...circuit, by: 'qonversion', openedAt: now, alertedAt: now };
}

export function reminded(circuit: OpenCircuit, now: string): OpenCircuit {
  return { ...circuit, alertedAt: now, reminders: circuit.reminders + 1 };
}

/** When an open circuit is due for a trial; null when it stays open until somebody acts (manual recovery, or given up). */
export function nextProbeAt(circuit: OpenCircuit, recovery: Recovery): string | null {
  if (recovery.mode === 'manual' || circuit.failedProbes >= recovery.maxAttempts) return null;
  const cooldown = recovery.cooldownMinutes * recovery.backoff ** circuit.failedProbes;
  return plusMinutes(circuit.openedAt, Math.min(cooldown, recovery.maxCooldownMinutes));
}

function outage(circuit: OpenCircuit | HalfOpenCircuit): Outage {
  const { by, episode, openedAt, failedProbes, alertedAt, reminders } = circuit;
  return { by, episode, openedAt, failedProbes, alertedAt, reminders };
}
