import { type HalfOpenState, NO_MARK, type OpenState, resetEntry } from '../model/entry.ts';
import { isAuditOnly } from '../model/event.ts';
import { plural } from '../text/sanitize.ts';
import { describeMinutes, describeMoment, isLater, minutesBetween } from '../text/time.ts';
import { cooldownMinutes, nextProbeAt, reopen } from './circuit.ts';
import { assess, deliveredSince } from './figures.ts';
import { noticed } from './notices.ts';
import { changedSinceMark, eventOf, markNow, type Situation, type Verdict } from './situation.ts';
import { wouldPause } from './when-closed.ts';
import { reactivated } from './when-open.ts';

/** A half-open circuit (rule 8): continued deliveries close it, failures in a row open it again. */
export function whenHalfOpen(situation: Situation, state: HalfOpenState): Verdict {
  const { record, entry, policy, now } = situation;
  // An operator's change during a probe wins, even if no pass saw it.
  if (changedSinceMark(situation)) return reactivated(situation, state);

  const { figures } = assess(record, entry, policy);
  const limit = policy.recovery.mode === 'probe' ? policy.recovery.probeErrors : policy.errorThreshold;
  if (figures.freshErrors >= limit) return failProbe(situation, state);

  const probedAt = describeMoment(state.probedAt, now);
  if (!deliveredSince(record, state.mark)) {
    const reason = `probing since ${probedAt}; ${plural(figures.freshErrors, 'failure')} and no delivery yet`;
    return { kind: 'probing', reason, figures, next: entry };
  }
  const delivering = state.delivering ?? { since: now, lastDeliveryAt: record.last_delivery_at };
  if (hasRecovered(situation, { ...state, delivering })) return recovered(situation, state);
  const needed = describeMinutes(cooldownMinutes(state, policy.recovery));
  return {
    kind: 'probing',
    reason: `probing since ${probedAt}; it has recovered once deliveries have continued for ${needed}`,
    figures,
    next: state.delivering === null ? { ...entry, state: { ...state, delivering } } : entry,
  };
}

/** With few events: the time after one delivery that counts as a recovery, if nothing fails. */
const QUIET_HOURS = 24;

/** One delivery is no recovery: deliveries must continue for as long as the last cooldown, and over more than one pass. */
function hasRecovered({ record, policy, now }: Situation, { delivering, ...state }: HalfOpenState): boolean {
  if (delivering === null || delivering.since === now) return false;
  const minutes = minutesBetween(delivering.since, now);
  const continues = isLater(record.last_delivery_at, delivering.lastDeliveryAt);
  return minutes >= cooldownMinutes(state, policy.recovery) && (continues || minutes >= QUIET_HOURS * 60);
}

function recovered(situation: Situation, state: HalfOpenState): Verdict {
  const { entry, now } = situation;
  const from = describeMoment(state.stoppedAt, now);
  const until = describeMoment(state.probedAt, now);
  const probes = state.failedProbes === 0 ? '' : ' except during probes';
  const reason = `deliveries have succeeded since the probe at ${until}; it was stopped from ${from} to ${until}${probes}`;
  const seed = { episode: state.episode, ordinal: state.failedProbes, reason };
  return {
    kind: 'recovered',
    reason,
    alerts: [eventOf(situation, { ...seed, type: 'integration.recovered' })],
    // The time of the last change stays, so that an older list is recognised.
    next: resetEntry(entry, { name: 'closed', mark: { ...NO_MARK, changedAt: state.mark.changedAt } }),
  };
}

/** Half-open → open, with a longer cooldown and in the same outage. People are alerted only when no probe follows. */
function failProbe(situation: Situation, state: HalfOpenState): Verdict {
  const { record, entry, policy, now } = situation;
  const { figures } = assess(record, entry, policy);
  const next = reopen(state, 'guard', now, markNow(situation));
  const due = nextProbeAt(next, policy.recovery);
  const failures = plural(figures.freshErrors, 'failure');
  const outcome = `probe ${next.failedProbes} failed: ${failures} in a row since ${describeMoment(state.probedAt, now)}`;
  if (policy.mode === 'observe') return wouldPause(situation, entry, figures, outcome);
  const givenUp = policy.recovery.mode === 'probe' && due === null;
  const after = givenUp ? givenUpReason(next) : due === null ? null : `next probe ${describeMoment(due, now)}`;
  const reason = after === null ? outcome : `${outcome}; ${after}`;
  const event = eventOf(situation, {
    // With manual recovery no probe follows, so people must learn that it stays paused.
    type: givenUp ? 'integration.recovery-abandoned' : due === null ? 'integration.paused' : 'integration.probe-failed',
    episode: next.episode,
    ordinal: next.failedProbes,
    reason,
    figures,
    nextProbeAt: due,
    record: { ...record, active: 0 },
  });
  const notice = entry.notices.stopped ?? noticed(undefined, next.episode, now);
  const stopped = isAuditOnly(event) ? notice : { ...notice, lastAt: now };
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
