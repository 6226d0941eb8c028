import { type HalfOpenState, type OpenState, resetEntry } from '../model/entry.ts';
import { describeMinutes, describeMoment, isLater, minutesBetween } from '../text/time.ts';
import { beginProbe, nextProbeAt } from './circuit.ts';
import { assess } from './figures.ts';
import { isDue, noticed } from './notices.ts';
import { isolatedEntry } from './operator.ts';
import { changedSinceMark, eventOf, markNow, type Situation, type Verdict } from './situation.ts';

/** An open circuit: the guard probes it after its cooldown (rule 8), and reminds people of it until then. */
export function whenOpen(situation: Situation, state: OpenState): Verdict {
  const { record, entry, policy, endedOutages, now } = situation;
  const planned = policy.mode === 'enforce' ? nextProbeAt(state, policy.recovery) : null;
  // The shared outage in which it was paused is over, so the guard probes it at once.
  const isOver = endedOutages.some(
    ({ since, endedAt }) => isLater(state.openedAt, since) && !isLater(state.openedAt, endedAt),
  );
  const due = planned !== null && isOver ? now : planned;
  if (due !== null && Date.parse(now) >= Date.parse(due)) return probe(situation, state);

  const stopped = state.by === 'guard' ? 'paused by the guard' : "suspended by Qonversion's worker";
  const down = describeMinutes(minutesBetween(state.stoppedAt, now));
  const retry =
    due === null ? 'it stays stopped until an operator resumes it' : `next probe ${describeMoment(due, now)}`;
  const reason = `${stopped} for ${down}; ${retry}`;
  const { stopped: notice } = entry.notices;
  if (!isDue(notice, now, policy.remindAt, state.openedAt)) return { kind: 'open', reason, next: entry };
  const next = noticed(notice, state.episode, now);
  const { figures } = assess(record, entry, policy);
  const seed = { episode: state.episode, ordinal: next.times - 1, reason, figures, nextProbeAt: due };
  return {
    kind: 'remind',
    reason,
    alerts: [eventOf(situation, { ...seed, type: 'integration.still-down' })],
    next: { ...entry, notices: { ...entry.notices, stopped: next } },
  };
}

/** Open → half-open. */
function probe(situation: Situation, state: OpenState): Verdict {
  const { record, entry, policy, now } = situation;
  // An operator resumed and paused it between two passes, so the guard leaves it to them.
  if (state.by === 'guard' && changedSinceMark(situation)) return leaveToOperator(situation, state);
  const attempt = state.failedProbes + 1;
  const most = policy.recovery.mode === 'probe' ? policy.recovery.maxAttempts : attempt;
  const stopped = describeMinutes(minutesBetween(state.stoppedAt, now));
  const reason = `stopped for ${stopped}; resumed as probe ${attempt} of ${most}`;
  const event = eventOf(situation, {
    type: 'integration.probing',
    episode: state.episode,
    ordinal: attempt,
    reason,
    record: { ...record, active: 1 },
  });
  return {
    kind: 'probe',
    reason,
    next: entry,
    request: {
      status: 1,
      state: beginProbe(state, now, markNow(situation, true)),
      notices: entry.notices.stopped === undefined ? {} : { stopped: entry.notices.stopped },
      alerts: [event],
    },
  };
}

function leaveToOperator(situation: Situation, state: OpenState): Verdict {
  const event = eventOf(situation, {
    type: 'integration.recovery-abandoned',
    episode: state.episode,
    ordinal: -1,
    reason: ABANDONED_TO_OPERATOR,
  });
  return { kind: 'operator-paused', reason: event.reason, alerts: [event], next: isolatedEntry(situation) };
}

/** The reason why the guard ends its probes: an operator has changed the integration, so the pause may be theirs now. */
export const ABANDONED_TO_OPERATOR =
  'an operator changed it while it was paused, so it stays paused until an operator resumes it';

/** Rule 5: an operator resumed it, so the guard closes the circuit at any count of failures. */
export function reactivated(situation: Situation, state: OpenState | HalfOpenState): Verdict {
  const { record, entry, now } = situation;
  const what =
    state.name === 'half-open'
      ? `an operator changed it during the probe that began at ${describeMoment(state.probedAt, now)}`
      : `an operator resumed it; it had been stopped since ${describeMoment(state.stoppedAt, now)}`;
  const reason = `${what}; failures count from ${record.delivery_error_count.toLocaleString('en-US')} on`;
  const seed = { episode: state.episode, ordinal: state.failedProbes, reason };
  return {
    kind: 'reactivated',
    reason,
    alerts: [eventOf(situation, { ...seed, type: 'integration.reactivated' })],
    next: resetEntry(entry, { name: 'closed', mark: markNow(situation, true) }),
  };
}
