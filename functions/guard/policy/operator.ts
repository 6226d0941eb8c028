import { afresh, type Entry, NO_MARK } from '../model/entry.ts';
import { type GuardEvent, makeEvent } from '../model/event.ts';
import { describeMoment, plusMinutes } from '../text/time.ts';
import { deliveredSince } from './figures.ts';
import { eventOf, markNow, type Situation, type Verdict } from './situation.ts';
import { judgeClosed } from './when-closed.ts';

/** What operators do, behind our back (rules 5 and 6) or through the guard. */

/** What an operator can ask of the guard for one integration. An exemption ends when its time is over, or by `unignore`. */
export type OperatorCommand = 'pause' | 'resume' | 'unignore' | { readonly ignoreForMinutes: number };

/** Paused, and not by us: theirs. The count is remembered as the coming baseline, and the guard never resumes it. */
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
  return afresh(situation.entry, { name: 'isolated', mark: markNow(situation) });
}

/** The end of an operator's pause is theirs as well: recorded in the history, and no news to anybody. */
export function operatorResumed(situation: Situation): Verdict {
  const { record, entry, changedAt, now } = situation;
  const { mark } = entry.state;
  // The count remembered while it was paused is the baseline from here on, unless a delivery has succeeded since.
  const count = deliveredSince(record, mark) ? NO_MARK : mark;
  const closed = afresh(entry, { name: 'closed', mark: { ...count, changedAt, activatedAt: now } });
  const verdict = judgeClosed({ ...situation, entry: closed });
  const event = auditEvent(situation, 'integration.operator-resumed', 'an operator resumed or started it');
  return { ...verdict, alerts: [event, ...(verdict.alerts ?? [])] };
}

/**
 * Never acted on, no alerts; but what operators do stands in the history, and activations are remembered, so that failures
 * count anew on the day it is guarded again. A probe is judged then.
 */
export function whenIgnored(situation: Situation, reason: string): Verdict {
  const { record, entry } = situation;
  const { state } = entry;
  const verdict = { kind: 'ignored', reason } as const;
  if (record.active === 1 && (state.name === 'open' || state.name === 'isolated')) {
    const mark = state.name === 'isolated' ? { ...state.mark, activatedAt: situation.now } : markNow(situation, true);
    const event = auditEvent(situation, 'integration.operator-resumed', `an operator resumed it; ${reason}`);
    return { ...verdict, alerts: [event], next: afresh(entry, { name: 'closed', mark }) };
  }
  if (record.active === 0 && (state.name === 'closed' || state.name === 'half-open')) {
    const event = auditEvent(situation, 'integration.operator-paused', `an operator paused it; ${reason}`);
    return { ...verdict, alerts: [event], next: isolatedEntry(situation) };
  }
  // What its passes saw before says nothing about how it is afterwards.
  const isForgotten = entry.flapping === null && entry.stretch === null;
  return { ...verdict, next: isForgotten ? entry : { ...entry, stretch: null, flapping: null } };
}

/** What an operator asked for through the guard, so that the ledger knows whose choice it was. */
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
  const event = eventOf(situation, {
    type: pause ? 'integration.operator-paused' : 'integration.reactivated',
    episode,
    // Failures count from here on, so this moment may name the next outage as well.
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
      // Resuming what is known to be active changes nothing.
      alerts: !pause && record.active === 1 && state.name === 'closed' ? [] : [event],
    },
  };
}

/** For the history alone. It happened when the record was last changed, if that is known. */
function auditEvent(
  { record, changedAt, project, now }: Situation,
  type: 'integration.operator-paused' | 'integration.operator-resumed',
  reason: string,
): GuardEvent {
  const time = changedAt === null ? now : new Date(changedAt).toISOString();
  return makeEvent({ type, project, time, episode: changedAt ?? now, reason, record });
}
