import { type HalfOpenState, type OpenState, resetEntry } from '../model/entry.ts';
import { plural } from '../text/sanitize.ts';
import { describeMoment } from '../text/time.ts';
import { nextProbeAt, reopen, trip } from './circuit.ts';
import { assess, deliveredSince } from './figures.ts';
import { noticed } from './notices.ts';
import { eventOf, markNow, type Situation, type Verdict } from './situation.ts';
import { givenUpReason } from './when-half-open.ts';

/** `active` 2: Qonversion's worker suspended it. The guard announces each suspension once and never sets 0 (rule 7). */

/** Qonversion suspended it while its circuit was closed, or isolated by an operator. */
export function suspended(situation: Situation): Verdict {
  const { record, entry, policy, now } = situation;
  const { figures } = assess(record, entry, policy);
  // `failingSince` may name an episode that an operator's pause has ended, so an isolated circuit begins a new one.
  const episode = entry.state.name === 'isolated' ? now : figures.failingSince;
  return suspend(situation, trip('qonversion', episode, now, markNow(situation)));
}

/** Qonversion suspended it after the guard had paused it: the same outage, now opened by Qonversion. */
export function suspendedWhileOpen(situation: Situation, state: OpenState): Verdict {
  return suspend(situation, { ...state, by: 'qonversion', openedAt: situation.now, mark: markNow(situation) });
}

export function suspendedDuringProbe(situation: Situation, state: HalfOpenState): Verdict {
  const { record, policy, now } = situation;
  // A delivery ended the probe before any pass saw it, so this is another outage.
  if (deliveredSince(record, state.mark)) return suspended(situation);
  const next = reopen(state, 'qonversion', now, markNow(situation));
  // A second suspension is only a failed probe, and alerts no one.
  const type = state.by === 'qonversion' ? 'integration.probe-failed' : 'integration.suspended';
  const verdict = suspend(situation, next, type, `probe ${next.failedProbes} failed: `);
  if (policy.recovery.mode !== 'probe' || retryAt(situation, next) !== null) return verdict;
  const givenUp = eventOf(situation, {
    type: 'integration.recovery-abandoned',
    episode: next.episode,
    ordinal: next.failedProbes,
    reason: givenUpReason(next),
    ...(verdict.figures === undefined ? {} : { figures: verdict.figures }),
  });
  return { ...verdict, alerts: [...(verdict.alerts ?? []), givenUp] };
}

function suspend(
  situation: Situation,
  next: OpenState,
  type: 'integration.suspended' | 'integration.probe-failed' = 'integration.suspended',
  prefix = '',
): Verdict {
  const { record, entry, policy, now } = situation;
  const notice = entry.notices.stopped ?? noticed(undefined, next.episode, now);
  const { figures } = assess(record, entry, policy);
  const failures = `${plural(figures.freshErrors, 'failure')} since ${describeMoment(figures.failingSince, now)}`;
  const reason = `${prefix}Qonversion's delivery worker suspended it after ${failures}`;
  const seed = { episode: next.episode, ordinal: next.failedProbes, reason, figures };
  return {
    kind: 'suspended',
    reason,
    figures,
    alerts: [eventOf(situation, { ...seed, type, nextProbeAt: retryAt(situation, next) })],
    next: resetEntry(entry, next, { stopped: type === 'integration.suspended' ? { ...notice, lastAt: now } : notice }),
  };
}

function retryAt({ policy }: Situation, state: OpenState): string | null {
  return policy.mode === 'enforce' ? nextProbeAt(state, policy.recovery) : null;
}
