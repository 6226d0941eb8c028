import { afresh, type HalfOpenState, NO_MARK, type OpenState } from '../model/entry.ts';
import { plural } from '../text/sanitize.ts';
import { describeMoment } from '../text/time.ts';
import { nextProbeAt, reopen } from './circuit.ts';
import { assess, deliveredSince } from './figures.ts';
import { noticed } from './notices.ts';
import { changedSinceMark, eventOf, markNow, type Situation, type Verdict } from './situation.ts';
import { wouldPause } from './when-closed.ts';
import { reactivated } from './when-open.ts';

/** Probing (rule 8): a delivery closes the circuit, a few failures open it again. */
export function whenHalfOpen(situation: Situation, state: HalfOpenState): Verdict {
  const { record, entry, policy, now } = situation;
  const probedAt = describeMoment(state.probedAt, now);
  if (deliveredSince(record, state.mark)) {
    const reason = `a delivery succeeded in the probe that began at ${probedAt}`;
    const seed = { episode: state.episode, ordinal: state.failedProbes, reason };
    return {
      kind: 'recovered',
      reason,
      alerts: [eventOf(situation, { ...seed, type: 'integration.recovered' })],
      next: afresh(entry, { name: 'closed', mark: NO_MARK }),
    };
  }
  // An operator's choice during a probe wins, even if it came and went between two passes.
  if (changedSinceMark(situation)) return reactivated(situation, state);

  const { figures, overLimits } = assess(record, state.mark, policy, now);
  const { recovery } = policy;
  const failures = plural(figures.freshErrors, 'failure');
  const failed = recovery.mode === 'probe' ? figures.freshErrors >= recovery.probeErrors : overLimits;
  if (!failed) {
    return {
      kind: 'probing',
      reason: `probing since ${probedAt}; ${failures} and no delivery yet`,
      figures,
      next: entry,
    };
  }
  const next = reopen(state, 'guard', now, markNow(situation));
  const due = nextProbeAt(next, recovery);
  const outcome = `probe ${next.failedProbes} failed: ${failures} since ${probedAt}`;
  if (policy.mode === 'observe') return wouldPause(situation, entry, figures, outcome);
  const givenUp = recovery.mode === 'probe' && due === null;
  const after = givenUp ? givenUpReason(next) : due === null ? null : `next probe ${describeMoment(due, now)}`;
  const reason = after === null ? outcome : `${outcome}; ${after}`;
  const stopped = { ...noticed(undefined, next.episode, now), times: entry.notices.stopped?.times ?? 1 };
  const event = eventOf(situation, {
    type: givenUp ? 'integration.recovery-abandoned' : 'integration.paused',
    episode: next.episode,
    ordinal: next.failedProbes,
    reason,
    figures,
    nextProbeAt: due,
    record: { ...record, active: 0 },
  });
  return {
    kind: 'pause',
    reason,
    figures,
    next: entry,
    request: { status: 0, state: next, notices: { stopped }, alerts: [event] },
  };
}

export function givenUpReason({ failedProbes }: OpenState): string {
  return `the guard has probed it ${plural(failedProbes, 'time')} and gives up; an operator has to resume it`;
}
