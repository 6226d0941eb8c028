import type { Circuit, Figures } from '../model/entry.ts';
import { plural } from '../text/sanitize.ts';
import { describeMoment, isLater, plusMinutes } from '../text/time.ts';
import { nextProbeAt } from './circuit.ts';
import type { Decision } from './decide.ts';
import type { EffectivePolicy } from './figures.ts';
import { isUnstable } from './flapping.ts';

/** What the policy does with an integration next if nothing changes, in words that follow "The guard …". */
export interface Outlook {
  readonly text: string;
  /** When, if that can be told. */
  readonly at: string | null;
}

export const NOTHING_TO_DO: Outlook = { text: 'has nothing to do', at: null };

export function outlook(decision: Decision, policy: EffectivePolicy, now: string): Outlook {
  const { circuit } = decision.before;
  switch (decision.kind) {
    case 'healthy':
    case 'gone':
      return NOTHING_TO_DO;
    case 'watch':
    case 'warn':
      return isUnstable(decision.settled.flaps)
        ? { text: 'tells of it, and does not pause it', at: null }
        : whileFailing(decision.figures, policy, now);
    case 'pause':
      return { text: 'pauses it in the next pass', at: now };
    case 'would-pause':
      return { text: 'would pause it, but only observes', at: null };
    case 'held':
      return { text: 'holds its pause back: too many at once', at: null };
    case 'open':
    case 'remind':
    case 'suspended':
      return whileStopped(decision.settled.circuit, policy, now);
    case 'probe':
      return { text: 're-activates it on trial in the next pass', at: now };
    case 'trial':
      return whileOnTrial(circuit, decision.figures, policy);
    case 'recovered':
      return { text: 'tells that it has recovered', at: now };
    case 'reactivated':
    case 'operator-resume':
      return { text: 'leaves it on, and counts failures from here', at: null };
    case 'operator-paused':
    case 'operator-pause':
      return { text: 'leaves it paused', at: null };
    case 'ignored':
    case 'operator-ignore': {
      const { ignoredUntil } = decision.settled;
      if (!isLater(ignoredUntil, now)) return { text: 'leaves it alone, as the settings say', at: null };
      return { text: `leaves it alone until ${describeMoment(ignoredUntil, now)}`, at: ignoredUntil };
    }
    case 'operator-heed':
      return { text: 'guards it again from the next pass on', at: now };
    case 'under-way':
      return { text: 'is at work on it in another pass', at: now };
  }
}

function whileFailing(figures: Figures | null, policy: EffectivePolicy, now: string): Outlook {
  if (figures === null) return NOTHING_TO_DO;
  const pauses = policy.mode === 'observe' ? 'would pause it' : 'pauses it';
  const missing = policy.errorThreshold - figures.freshErrors;
  const earliest = plusMinutes(figures.failingSince, policy.failingForMinutes);
  const waits = isLater(earliest, now);
  const unless = 'unless a delivery succeeds';
  if (missing <= 0) return { text: `${pauses} at ${describeMoment(earliest, now)} ${unless}`, at: earliest };
  const after = `${pauses} after ${plural(missing, 'more failure')}`;
  return waits
    ? { text: `${after}, at ${describeMoment(earliest, now)} at the earliest, ${unless}`, at: earliest }
    : { text: `${after} ${unless}`, at: null };
}

function whileStopped(circuit: Circuit, policy: EffectivePolicy, now: string): Outlook {
  const due = circuit.state === 'open' && policy.mode === 'enforce' ? nextProbeAt(circuit, policy.recovery) : null;
  return due === null
    ? { text: 'leaves it stopped until a person resumes it', at: null }
    : { text: `tries it again at ${describeMoment(due, now)}`, at: due };
}

function whileOnTrial(circuit: Circuit, figures: Figures | null, policy: EffectivePolicy): Outlook {
  const limit = policy.recovery.mode === 'probe' ? policy.recovery.probeErrors : policy.errorThreshold;
  const left = Math.max(1, limit - (figures?.freshErrors ?? 0));
  const attempt = circuit.state === 'half-open' ? circuit.failedProbes + 1 : 1;
  return {
    text: `ends trial ${attempt} at the first delivery, or pauses it again after ${plural(left, 'more failure')}`,
    at: null,
  };
}
