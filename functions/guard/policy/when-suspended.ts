import { afresh, type HalfOpenState, type OpenState } from '../model/entry.ts';
import { plural } from '../text/sanitize.ts';
import { describeMoment } from '../text/time.ts';
import { nextProbeAt, reopen, trip } from './circuit.ts';
import { assess, deliveredSince } from './figures.ts';
import { noticed } from './notices.ts';
import { eventOf, markNow, type Situation, type Verdict } from './situation.ts';
import { givenUpReason } from './when-half-open.ts';

/** `active` 2: the worker's verdict, announced once per suspension and never covered up with a 0 (rule 7). */

/** Suspended while it delivered, or while an operator held it off. */
export function suspended(situation: Situation): Verdict {
  const { record, entry, policy, now } = situation;
  const { figures } = assess(record, entry, policy);
  // The last delivery may name an episode already that an operator's pause has ended.
  const episode = entry.state.name === 'isolated' ? now : figures.failingSince;
  return suspend(situation, trip('qonversion', episode, now, markNow(situation)));
}

/** Suspended although we had paused it: the same outage, but Qonversion holds it now. */
export function suspendedWhileOpen(situation: Situation, state: OpenState): Verdict {
  return suspend(situation, { ...state, by: 'qonversion', openedAt: situation.now, mark: markNow(situation) });
}

export function suspendedDuringProbe(situation: Situation, state: HalfOpenState): Verdict {
  const { record, policy, now } = situation;
  // A delivery has ended the probe since, though no pass saw it: this is another outage.
  if (deliveredSince(record, state.mark)) return suspended(situation);
  const next = reopen(state, 'qonversion', now, markNow(situation));
  // Suspended again: the failure of a probe, and no news.
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
  const told = entry.notices.stopped ?? noticed(undefined, next.episode, now);
  const { figures } = assess(record, entry, policy);
  const failures = `${plural(figures.freshErrors, 'failure')} since ${describeMoment(figures.failingSince, now)}`;
  const reason = `${prefix}Qonversion's delivery worker suspended it after ${failures}`;
  const seed = { episode: next.episode, ordinal: next.failedProbes, reason, figures };
  return {
    kind: 'suspended',
    reason,
    figures,
    alerts: [eventOf(situation, { ...seed, type, nextProbeAt: retryAt(situation, next) })],
    next: afresh(entry, next, { stopped: type === 'integration.suspended' ? { ...told, lastAt: now } : told }),
  };
}

function retryAt({ policy }: Situation, state: OpenState): string | null {
  return policy.mode === 'enforce' ? nextProbeAt(state, policy.recovery) : null;
}
