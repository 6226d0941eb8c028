import { afresh, type HalfOpenState, NO_MARK, type OpenState } from '../model/entry.ts';
import { isAuditOnly } from '../model/event.ts';
import { plural } from '../text/sanitize.ts';
import { describeMinutes, describeMoment, isLater, minutesBetween } from '../text/time.ts';
import { cooldownMinutes, nextProbeAt, reopen } from './circuit.ts';
import { assess, deliveredSince } from './figures.ts';
import { noticed } from './notices.ts';
import { changedSinceMark, eventOf, markNow, type Situation, type Verdict } from './situation.ts';
import { wouldPause } from './when-closed.ts';
import { reactivated } from './when-open.ts';

/** Probing (rule 8): deliveries that go on close the circuit, failures in a row open it again. */
export function whenHalfOpen(situation: Situation, state: HalfOpenState): Verdict {
  const { record, entry, policy, now } = situation;
  // An operator's choice during a probe wins, even if it came and went between two passes.
  if (changedSinceMark(situation)) return reactivated(situation, state);

  const { figures } = assess(record, entry, policy);
  const most = policy.recovery.mode === 'probe' ? policy.recovery.probeErrors : policy.errorThreshold;
  if (figures.freshErrors >= most) return failProbe(situation, state);

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
    reason: `probing since ${probedAt}; it has recovered once deliveries have gone on for ${needed}`,
    figures,
    next: state.delivering === null ? { ...entry, state: { ...state, delivering } } : entry,
  };
}

/** How long an integration with few events has to be calm after one delivery, when no second one comes. */
const QUIET_HOURS = 24;

/** One delivery is no recovery: they have to go on as long as the last cooldown took, and in a later pass than the first. */
function hasRecovered({ record, policy, now }: Situation, { delivering, ...state }: HalfOpenState): boolean {
  if (delivering === null || delivering.since === now) return false;
  const minutes = minutesBetween(delivering.since, now);
  const goesOn = isLater(record.last_delivery_at, delivering.lastDeliveryAt);
  return minutes >= cooldownMinutes(state, policy.recovery) && (goesOn || minutes >= QUIET_HOURS * 60);
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
    // The time of the last change stays: a list from before it says nothing new.
    next: afresh(entry, { name: 'closed', mark: { ...NO_MARK, changedAt: state.mark.changedAt } }),
  };
}

/** Half-open → open: for longer, and in the same outage. Only the end of all probes is news. */
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
    // With manual recovery nobody would hear that it is stopped for good.
    type: givenUp ? 'integration.recovery-abandoned' : due === null ? 'integration.paused' : 'integration.probe-failed',
    episode: next.episode,
    ordinal: next.failedProbes,
    reason,
    figures,
    nextProbeAt: due,
    record: { ...record, active: 0 },
  });
  const told = entry.notices.stopped ?? noticed(undefined, next.episode, now);
  const stopped = isAuditOnly(event) ? told : { ...told, lastAt: now };
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
