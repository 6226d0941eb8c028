import { type Attempt, afresh, type Entry, type Mark } from '../model/entry.ts';
import { type EventSeed, type Figures, type GuardEvent, makeEvent } from '../model/event.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { CLOCK_TOLERANCE_MS, PASS_TIME_LIMIT_SECONDS } from '../model/lease.ts';
import { toOutbox } from '../model/outbox.ts';
import { safeText } from '../text/sanitize.ts';
import { isLater } from '../text/time.ts';
import type { EffectivePolicy } from './effective-policy.ts';
import { isDue, noticed, stretchNotice } from './notices.ts';
import type { DecisionKind } from './situation.ts';
import { ABANDONED_TO_OPERATOR } from './when-open.ts';

/** What is known of an attempt: the API's answer, or what a later pass finds in the list. */
export type Finding =
  | { readonly kind: 'set' | 'already' | 'listed'; readonly record: IntegrationRecord }
  | { readonly kind: 'refused' | 'unknown' }
  /** Its record is not in the list, or has been unreadable for long. */
  | { readonly kind: 'gone' };

/**
 * What became of an attempt (law 1): no alert is lost, none announces a pause that never happened without saying so, and no
 * pause stays unexplained. The pass that made the attempt and the pass that finds it in the ledger both call this.
 * @returns the entry with the outcome as its state, `attempt` null unless the outcome is still unknown
 */
export function resolve(entry: Entry, finding: Finding, { project, now }: { project: string; now: string }): Entry {
  const { attempt } = entry;
  if (attempt === null) return entry;
  switch (finding.kind) {
    case 'set':
      return tookEffect(entry, attempt, exactMark(attempt, finding.record, now), attempt.alerts);
    case 'already':
      // When nothing was changed since the list, the API does not move `updated_at` for a state: then it was ours.
      return isOperatorCommand(attempt) || !isLater(finding.record.updated_at, attempt.updatedAt)
        ? tookEffect(entry, attempt, exactMark(attempt, finding.record, now), attempt.alerts)
        : attributeToOperator(entry, attempt, finding.record);
    case 'refused':
      return withoutAttempt(entry);
    case 'unknown':
      return { ...entry, attempt: { ...attempt, failedAt: now } };
    case 'gone':
      // It stays written down: a list that has lost an integration may have it again.
      return attempt.alerts.length === 0
        ? entry
        : { ...withAlerts(entry, attempt.alerts.map(unseen)), attempt: { ...attempt, alerts: [] } };
    case 'listed':
      return compareWithList(entry, attempt, finding.record, { project, now });
  }
}

/** The next pass has no answer; `active` and `updated_at` say how far the attempt came. */
function compareWithList(
  entry: Entry,
  attempt: Attempt,
  record: IntegrationRecord,
  { project, now }: { project: string; now: string },
): Entry {
  const { status } = attempt;
  const { mark } = attempt.state;
  const changed = isLater(record.updated_at, attempt.updatedAt);
  const canBeOurs = !changed || isOperatorCommand(attempt) || changedWithinPass(attempt, record);
  if (record.active === status && canBeOurs) return tookEffect(entry, attempt, restamped(mark, record), attempt.alerts);
  if (!changed) return withoutAttempt(entry);
  // The record has changed since. Whether the attempt took effect before that cannot be known, so its alerts say so.
  const alerts = attempt.alerts.map(unconfirmed);
  switch (record.active) {
    case 0:
      return status === 0
        ? attributeToOperator(entry, attempt, record)
        : leaveToOperator(withAlerts(entry, alerts), attempt, record, { project, now });
    case 1:
      // The table finds an open circuit, and an operator who resumed it is not fought.
      return status === 0 ? tookEffect(entry, attempt, mark, alerts) : withoutAttempt(entry, alerts);
    case 2:
      // If there was a probe, the worker has ended it.
      return status === 1 ? tookEffect(entry, attempt, mark, alerts) : withoutAttempt(entry, alerts);
  }
}

function tookEffect(entry: Entry, attempt: Attempt, mark: Mark, alerts: readonly GuardEvent[]): Entry {
  return withoutAttempt(afresh(entry, { ...attempt.state, mark }, attempt.notices), alerts);
}

function withoutAttempt(entry: Entry, alerts: readonly GuardEvent[] = []): Entry {
  return { ...withAlerts(entry, alerts), attempt: null };
}

/** Paused while we may have been resuming it: an operator's pause always wins (rule 8). */
function leaveToOperator(
  entry: Entry,
  attempt: Attempt,
  record: IntegrationRecord,
  { project, now }: { project: string; now: string },
): Entry {
  const { state } = entry;
  if (isOperatorCommand(attempt)) return withoutAttempt(entry);
  const episode = state.name === 'open' || state.name === 'half-open' ? state.episode : attempt.at;
  const seed = { project, time: now, episode, ordinal: -1, reason: ABANDONED_TO_OPERATOR, record };
  const event = makeEvent({ ...seed, type: 'integration.recovery-abandoned' });
  return withoutAttempt(afresh(entry, { name: 'closed', mark: state.mark }), [event]);
}

/**
 * The state we asked for is there, and an operator may have set it: their choice, which is never undone (rules 5 and 6). A
 * pause is announced all the same, for ours may have come before theirs.
 */
function attributeToOperator(entry: Entry, attempt: Attempt, record: IntegrationRecord): Entry {
  // It was active when we asked. The table finds the circuit open: resumed by an operator.
  if (attempt.status === 1) return withoutAttempt(entry);
  const mark = restamped({ ...attempt.state.mark, count: record.delivery_error_count }, record);
  const isolated = afresh(entry, { name: 'isolated', mark: { ...mark, activatedAt: null } });
  return withoutAttempt(isolated, attempt.alerts.map(leftToOperator));
}

/** An operator's own command through the guard: no matter who was faster, it is what they want. */
function isOperatorCommand({ state }: Attempt): boolean {
  return state.name === 'closed' || state.name === 'isolated';
}

/** Whether the change can be that of the pass that made the attempt: it falls into the time which that pass had. */
function changedWithinPass(attempt: Attempt, record: IntegrationRecord): boolean {
  const changedAt = Date.parse(record.updated_at);
  const from = Date.parse(attempt.at);
  const until = attempt.failedAt === null ? from + PASS_TIME_LIMIT_SECONDS * 1_000 : Date.parse(attempt.failedAt);
  return changedAt >= from - CLOCK_TOLERANCE_MS && changedAt <= until + CLOCK_TOLERANCE_MS;
}

/** Failures count from the moment the state was set, not from when it was decided. */
function exactMark({ state: { mark } }: Attempt, record: IntegrationRecord, now: string): Mark {
  return {
    ...restamped(mark, record),
    count: record.delivery_error_count,
    lastDeliveryAt: record.last_delivery_at,
    activatedAt: mark.activatedAt === null ? null : now,
  };
}

/** With the time of our own change: only a later one is an operator's. */
function restamped(mark: Mark, record: IntegrationRecord): Mark {
  return { ...mark, changedAt: mark.changedAt === null ? null : record.updated_at };
}

function withAlerts(entry: Entry, alerts: readonly GuardEvent[]): Entry {
  return { ...entry, outbox: [...entry.outbox, ...toOutbox(alerts)] };
}

/** The alert of a pause or a probe that may not have taken place. */
function unconfirmed(event: GuardEvent): GuardEvent {
  return qualified(
    event,
    'the pass was interrupted and the integration has changed since, so this may not have taken effect',
  );
}

/** The alert of an attempt on a record that cannot be seen. */
function unseen(event: GuardEvent): GuardEvent {
  return qualified(event, 'the pass was interrupted and the record cannot be seen, so this may not have taken effect');
}

/** The alert of a pause that the guard leaves to an operator: the same episode, and no probe to come. */
function leftToOperator(event: GuardEvent): GuardEvent {
  return qualified(event, 'an operator changed it at the same time, so it is left to the operator');
}

function qualified(event: GuardEvent, remark: string): GuardEvent {
  return { ...event, reason: safeText(`${event.reason}; ${remark}`, 500), nextProbeAt: null };
}

interface FailedDecision {
  readonly record: IntegrationRecord | null;
  readonly figures: Figures | null;
  readonly kind: DecisionKind;
  readonly reason: string;
}

/**
 * The alert about a request that failed, once per episode and as a reminder. An operator's own command fails before their
 * eyes, so it needs none.
 */
export function announceFailure(
  entry: Entry,
  { record, figures, kind, reason }: FailedDecision,
  problem: string,
  policy: Pick<EffectivePolicy, 'remindAt'>,
  { project, now }: { readonly project: string; readonly now: string },
): Entry {
  if (record === null || kind === 'operator-pause' || kind === 'operator-resume') return entry;
  const topic = record.active === 1 ? 'pause-failed' : 'activation-failed';
  const known = entry.notices[topic];
  if (!isDue(known, now, policy.remindAt)) return entry;
  const { state } = entry;
  // A stop or a probe that succeeds ends the notice, and the outage goes on: the next failure in it is another one.
  const opened = state.name === 'open' || state.name === 'half-open' ? `${state.openedAt} ` : '';
  const began = state.name === 'open' || state.name === 'half-open' ? state.episode : (figures?.failingSince ?? now);
  const since = stretchNotice(entry.notices)?.since ?? began;
  const notice = noticed(known, since, now, record.delivery_error_count);
  const seed: EventSeed = {
    type: `integration.${topic}`,
    project,
    time: now,
    episode: notice.since,
    ordinal: opened === '' ? notice.times - 1 : `${opened}${notice.times - 1}`,
    reason: `${problem}; ${reason}`,
    record,
    ...(figures === null ? {} : { figures }),
  };
  return { ...withAlerts(entry, [makeEvent(seed)]), notices: { ...entry.notices, [topic]: notice } };
}
