import { isAhead } from '../model/lease.ts';
import type { Policy } from '../settings/schema.ts';
import { minutesBetween } from '../text/time.ts';
import { type Decision, finalizeDecision } from './decide.ts';

/** The blast radius (rule 11): when a pass would trip too many integrations, they share a cause, so the guard trips none. */

/**
 * How many integrations one pass may trip.
 * @param activeCount the project's integrations that are active (1) now
 */
export function blastRadius(policy: Policy, activeCount: number): number {
  return Math.max(policy.blastRadius.floor, Math.floor((policy.blastRadius.percent * activeCount) / 100));
}

/** Whether the decision pauses an active integration. The end of a failed probe does not count: it was stopped before. */
export function isTrip({ kind, current }: Decision): boolean {
  return kind === 'pause' && current.state.name !== 'half-open';
}

/**
 * The same decision without its trip.
 * @param restart whether failures count from `now`: the hold is over, so an integration that still fails is not tripped at once
 */
export function holdBack(decision: Decision, now: string, restart = false): Decision {
  const { next } = decision;
  const stretch = restart && next.stretch !== null ? { ...next.stretch, since: now } : next.stretch;
  const reason = `${decision.reason}; ${restart ? 'the blast radius held it back until now, so its failures count from now on' : 'held back by the blast radius'}`;
  return finalizeDecision({ ...decision, kind: 'held', reason, next: { ...next, stretch, attempt: null } }, now);
}

/** A hold ends when no more trips than allowed were due for this long, so that single deliveries do not end it. */
const CALM_MINUTES = 60;

/** The result of the blast radius in one pass. */
export interface Hold {
  /** Whether trips are held back. 'last': for the last time, and the failures count from this pass. */
  readonly held: boolean | 'last';
  /** The next `heldCalmSince` of the project. */
  readonly calmSince: string | null;
}

/**
 * @param lasting whether an earlier pass began a hold that has not ended
 * @param wanted how many integrations are over the limits, including held ones that Qonversion has suspended since
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
    : { held: 'last', calmSince: null };
}

/** How many fingerprints the project's item of the ledger holds. Every blast radius is far below it. */
export const MAX_HELD = 5_000;
