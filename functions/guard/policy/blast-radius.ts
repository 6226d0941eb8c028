import type { Policy } from '../settings/schema.ts';
import { type Decision, weigh } from './decide.ts';

/** The last resort (rule 11): too many trips at once have a common cause, so none takes place. */

/**
 * The most integrations one pass may trip.
 * @param activeCount how many integrations of the project are active (1) now
 */
export function blastRadius(policy: Policy, activeCount: number): number {
  return Math.max(policy.blastRadius.floor, Math.floor((policy.blastRadius.percent * activeCount) / 100));
}

/** A pause of what was delivering. The end of a failed probe stops no more than was stopped before, so it does not count. */
export function isTrip({ kind, current }: Decision): boolean {
  return kind === 'pause' && current.state.name !== 'half-open';
}

/** The same decision without its trip. */
export function holdBack(decision: Decision, now: string): Decision {
  const reason = `${decision.reason}; held back by the blast radius`;
  return weigh({ ...decision, kind: 'held', reason, next: { ...decision.next, attempt: null } }, now);
}

/** As many fingerprints as an item has room for; far more than any blast radius lets trip. */
export const MAX_HELD = 5_000;
