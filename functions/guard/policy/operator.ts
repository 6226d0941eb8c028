import { type Entry, NO_MARK, resetEntry } from '../model/entry.ts';
import { type GuardEvent, makeEvent } from '../model/event.ts';
import { describeMoment, plusMinutes } from '../text/time.ts';
import { deliveredSince } from './figures.ts';
import { eventOf, markNow, type Situation, type Verdict } from './situation.ts';
import { judgeClosed } from './when-closed.ts';

/** Actions of operators, at Qonversion (rules 5 and 6) or through the guard. */

/** A command of an operator for one integration. An exemption ends when its time is over, or with `unignore`. */
export type OperatorCommand = 'pause' | 'resume' | 'unignore' | { readonly ignoreForMinutes: number };

/** An operator paused it, so the guard never resumes it. The count becomes the baseline when an operator resumes it. */
export function isolate(situation: Situation): Verdict {
  const reason = 'an operator paused it, or it was never started; left alone';
  return {
    kind: 'operator-paused',
    reason,
    alerts: [auditEvent(situation, 'integration.operator-paused', reason)],
    next: isolatedEntry(situation),
  };
}

export function whenIsolated(situation: Situation): Verdict {
  const { alerts: _, ...verdict } = isolate(situation);
  return verdict;
}

export function isolatedEntry(situation: Situation): Entry {
  return resetEntry(situation.entry, { name: 'isolated', mark: markNow(situation) });
}

/** An operator ended their own pause. The history records it, and no one is alerted. */
export function operatorResumed(situation: Situation): Verdict {
  const { record, entry, changedAt, now } = situation;
  const { mark } = entry.state;
  // The count at the pause is the baseline now, unless a delivery has succeeded since.
  const count = deliveredSince(record, mark) ? NO_MARK : mark;
  const closed = resetEntry(entry, { name: 'closed', mark: { ...count, changedAt, activatedAt: now } });
  const verdict = judgeClosed({ ...situation, entry: closed });
  const event = auditEvent(situation, 'integration.operator-resumed', 'an operator resumed or started it');
  return { ...verdict, alerts: [event, ...(verdict.alerts ?? [])] };
}

/**
 * The guard neither acts on it nor alerts. It still records an operator's actions in the history and remembers activations, so that
 * failures count from zero when the guard watches it again. Then it also judges a running probe.
 */
export function whenIgnored(situation: Situation, reason: string): Verdict {
  const { record, entry } = situation;
  const { state } = entry;
  const verdict = { kind: 'ignored', reason } as const;
  if (record.active === 1 && (state.name === 'open' || state.name === 'isolated')) {
    const mark = state.name === 'isolated' ? { ...state.mark, activatedAt: situation.now } : markNow(situation, true);
    const event = auditEvent(situation, 'integration.operator-resumed', `an operator resumed it; ${reason}`);
    return { ...verdict, alerts: [event], next: resetEntry(entry, { name: 'closed', mark }) };
  }
  if (record.active === 0 && (state.name === 'closed' || state.name === 'half-open')) {
    const event = auditEvent(situation, 'integration.operator-paused', `an operator paused it; ${reason}`);
    return { ...verdict, alerts: [event], next: isolatedEntry(situation) };
  }
  // Failures from before the exemption say nothing about the integration after it.
  const isForgotten = entry.flapping === null && entry.stretch === null;
  return { ...verdict, next: isForgotten ? entry : { ...entry, stretch: null, flapping: null } };
}

/** A command that an operator gave to the guard. The ledger records that it was the operator's choice. */
export function commanded(situation: Situation, command: OperatorCommand): Verdict {
  if (command === 'pause' || command === 'resume') return switched(situation, command);
  const { project, now, record, entry } = situation;
  const ignoredUntil = command === 'unignore' ? null : plusMinutes(now, command.ignoreForMinutes);
  const reason =
    ignoredUntil === null
      ? 'an operator has the guard watch it again'
      : `an operator has the guard ignore it until ${describeMoment(ignoredUntil, now)}`;
  const event = makeEvent({ type: 'integration.exemption', project, time: now, episode: now, reason, record });
  return {
    kind: ignoredUntil === null ? 'operator-unignore' : 'operator-ignore',
    reason,
    alerts: [event],
    next: { ...entry, ignoredUntil },
  };
}

function switched(situation: Situation, command: 'pause' | 'resume'): Verdict {
  const { record, entry, now } = situation;
  const { state } = entry;
  const pause = command === 'pause';
  const status = pause ? 0 : 1;
  const stopped =
    state.name === 'open' || state.name === 'half-open'
      ? `; it had been stopped since ${describeMoment(state.stoppedAt, now)}`
      : '';
  const reason = `an operator ${pause ? 'paused' : 'resumed'} it on the control panel or the command line${stopped}`;
  // A pause may come more than once in an outage; each is an episode of its own.
  const episode = !pause && (state.name === 'open' || state.name === 'half-open') ? state.episode : now;
  const wasStopped = state.name === 'open' || state.name === 'half-open' || record.active === 2;
  const event = eventOf(situation, {
    type: pause
      ? 'integration.operator-paused'
      : wasStopped
        ? 'integration.reactivated'
        : 'integration.operator-resumed',
    episode,
    // Failures count from now on, so `now` may name the next outage as well.
    ordinal: `command ${now}`,
    reason,
    record: { ...record, active: status },
  });
  return {
    kind: pause ? 'operator-pause' : 'operator-resume',
    reason,
    next: entry,
    request: {
      status,
      state: { name: pause ? 'isolated' : 'closed', mark: markNow(situation, !pause) },
      notices: {},
      // Resuming an integration that is active changes nothing.
      alerts: !pause && record.active === 1 && state.name === 'closed' ? [] : [event],
    },
  };
}

/** An event for the history only. Its time is the record's last change, if that is known. */
function auditEvent(
  { record, changedAt, project, now }: Situation,
  type: 'integration.operator-paused' | 'integration.operator-resumed',
  reason: string,
): GuardEvent {
  const time = changedAt === null ? now : new Date(changedAt).toISOString();
  return makeEvent({ type, project, time, episode: changedAt ?? now, reason, record });
}
