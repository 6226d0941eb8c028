import type { State, Stretch } from '../model/entry.ts';
import type { Figures } from '../model/event.ts';
import { plural } from '../text/sanitize.ts';
import { describeMoment, isLater, plusMinutes } from '../text/time.ts';
import { nextProbeAt } from './circuit.ts';
import type { Decision } from './decide.ts';
import type { EffectivePolicy } from './effective-policy.ts';
import { isFlapping } from './flapping.ts';

/** The guard's next action on an integration if nothing changes. `text` follows "The guard …". */
export interface NextAction {
  readonly text: string;
  /** When; null: unknown. */
  readonly at: string | null;
}

export const NOTHING_TO_DO: NextAction = { text: 'has nothing to do', at: null };

export function nextAction(decision: Decision, policy: EffectivePolicy, now: string): NextAction {
  const { current, next, figures } = decision;
  switch (decision.kind) {
    case 'healthy':
    case 'gone':
    case 'unread':
      return NOTHING_TO_DO;
    case 'watch':
    case 'warn':
      return isFlapping(next.flapping)
        ? { text: 'reports it, and does not pause it', at: null }
        : whileFailing(figures, next.stretch, policy, now);
    case 'pause':
      return { text: 'pauses it in the next pass', at: now };
    case 'would-pause':
      return { text: 'would pause it, but only observes', at: null };
    case 'held':
      return { text: 'holds back its pause: too many at once', at: null };
    case 'shared-outage':
      return { text: 'waits: it fails together with others', at: null };
    case 'open':
    case 'remind':
    case 'suspended':
      return whileStopped(next.state, policy, now);
    case 'probe':
      return { text: 'probes it in the next pass', at: now };
    case 'probing':
      return whileProbing(current.state, figures, policy);
    case 'recovered':
      return { text: 'reports that it has recovered', at: now };
    case 'reactivated':
    case 'operator-resume':
      return { text: 'leaves it active and counts failures from now on', at: null };
    case 'operator-paused':
    case 'operator-pause':
      return { text: 'leaves it paused', at: null };
    case 'ignored':
    case 'operator-ignore': {
      const { ignoredUntil } = next;
      if (!isLater(ignoredUntil, now)) return { text: 'leaves it alone, as the settings say', at: null };
      return { text: `leaves it alone until ${describeMoment(ignoredUntil, now)}`, at: ignoredUntil };
    }
    case 'operator-unignore':
      return { text: 'watches it again from the next pass on', at: now };
    case 'under-way':
      return { text: 'is working on it in another pass', at: now };
  }
}

function whileFailing(
  figures: Figures | null,
  stretch: Stretch | null,
  policy: EffectivePolicy,
  now: string,
): NextAction {
  if (figures === null) return NOTHING_TO_DO;
  const pauses = policy.mode === 'observe' ? 'would pause it' : 'pauses it';
  const missing = policy.errorThreshold - figures.freshErrors;
  const earliest = plusMinutes(stretch?.since ?? now, policy.failingForMinutes);
  const waits = isLater(earliest, now);
  const unless = 'unless a delivery succeeds';
  if (missing <= 0 && waits) return { text: `${pauses} at ${describeMoment(earliest, now)} ${unless}`, at: earliest };
  // The span ends with the last failure, so the guard pauses only after another failure.
  if (missing <= 0) return { text: `${pauses} at the next failure ${unless}`, at: null };
  const after = `${pauses} after ${plural(missing, 'more failure')}`;
  return waits
    ? { text: `${after}, at ${describeMoment(earliest, now)} at the earliest, ${unless}`, at: earliest }
    : { text: `${after} ${unless}`, at: null };
}

function whileStopped(state: State, policy: EffectivePolicy, now: string): NextAction {
  const due = state.name === 'open' && policy.mode === 'enforce' ? nextProbeAt(state, policy.recovery) : null;
  return due === null
    ? { text: 'leaves it stopped until an operator resumes it', at: null }
    : { text: `probes it at ${describeMoment(due, now)}`, at: due };
}

function whileProbing(state: State, figures: Figures | null, policy: EffectivePolicy): NextAction {
  const limit = policy.recovery.mode === 'probe' ? policy.recovery.probeErrors : policy.errorThreshold;
  const left = Math.max(1, limit - (figures?.freshErrors ?? 0));
  const probe = state.name === 'half-open' ? state.failedProbes + 1 : 1;
  const text = `ends probe ${probe} when deliveries continue, or pauses it again after ${plural(left, 'more failure')}`;
  return { text, at: null };
}
