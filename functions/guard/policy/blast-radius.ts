import { isAhead } from '../model/lease.ts';
import type { Policy } from '../settings/schema.ts';
import { minutesBetween } from '../text/time.ts';
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

/**
 * The same decision without its trip.
 * @param anew whether its failures count from now on: the hold is over, and what is left is judged anew, not tripped at once
 */
export function holdBack(decision: Decision, now: string, anew = false): Decision {
  const { next } = decision;
  const stretch = anew && next.stretch !== null ? { ...next.stretch, since: now } : next.stretch;
  const reason = `${decision.reason}; ${anew ? 'the blast radius held it back until now, so it is judged anew' : 'held back by the blast radius'}`;
  return weigh({ ...decision, kind: 'held', reason, next: { ...next, stretch, attempt: null } }, now);
}

/** A hold ends when no more are over the limits than may be paused, for so long: not because some of them delivered once. */
const CALM_MINUTES = 60;

/** What the blast radius says in one pass. */
export interface Hold {
  /** Held back; 'anew': for the last time, and the failures of what is left count from now on. */
  readonly held: boolean | 'anew';
  /** `heldCalmSince` of the project from here on. */
  readonly calmSince: string | null;
}

/**
 * @param lasting whether a hold lasts from an earlier pass
 * @param wanted how many are over the limits, what Qonversion has suspended of the held ones included
 */
export function nextHold(
  { lasting, calmSince }: { readonly lasting: boolean; readonly calmSince: string | null },
  { wanted, allowed }: { readonly wanted: number; readonly allowed: number },
  now: string,
): Hold {
  if (wanted > allowed) return { held: true, calmSince: null };
  if (!lasting) return { held: false, calmSince: null };
  const since = calmSince === null || isAhead(calmSince, now) ? now : calmSince;
  return minutesBetween(since, now) < CALM_MINUTES
    ? { held: true, calmSince: since }
    : { held: 'anew', calmSince: null };
}

/** As many fingerprints as an item has room for; far more than any blast radius lets trip. */
export const MAX_HELD = 5_000;
