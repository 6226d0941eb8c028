import { type Attempt, type Entry, type Mark, resetEntry } from '../model/entry.ts';
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

/** The evidence about an attempt: the API's answer, or the record that a later pass finds in the list. */
export type Finding =
  | { readonly kind: 'set' | 'already' | 'listed'; readonly record: IntegrationRecord }
  | { readonly kind: 'refused' | 'unknown' }
  /** Its record is not in the list, or has been unreadable for an hour. */
  | { readonly kind: 'gone' };

/**
 * Finds the outcome of an attempt (law 1). No alert is lost, every pause is explained, and an alert about a pause that may not have
 * happened says so. The pass that made the attempt calls this, and so does a later pass that finds the attempt in the ledger.
 * @returns the entry with the outcome as its state; `attempt` is null unless the outcome is still unknown
 */
export function resolve(entry: Entry, finding: Finding, { project, now }: { project: string; now: string }): Entry {
  const { attempt } = entry;
  if (attempt === null) return entry;
  switch (finding.kind) {
    case 'set':
      return tookEffect(entry, attempt, exactMark(attempt, finding.record, now), attempt.alerts);
    case 'already':
      // `updated_at` has not moved since the list, so no operator changed the integration: the guard did.
      return isOperatorCommand(attempt) || !isLater(finding.record.updated_at, attempt.updatedAt)
        ? tookEffect(entry, attempt, exactMark(attempt, finding.record, now), attempt.alerts)
        : attributeToOperator(entry, attempt, finding.record);
    case 'refused':
      return withoutAttempt(entry);
    case 'unknown':
      return { ...entry, attempt: { ...attempt, failedAt: now } };
    case 'gone':
      // The attempt stays in the ledger, because the integration may be in the next list again.
      return attempt.alerts.length === 0
        ? entry
        : { ...withAlerts(entry, attempt.alerts.map(unseen)), attempt: { ...attempt, alerts: [] } };
    case 'listed':
      return compareWithList(entry, attempt, finding.record, { project, now });
  }
}

/** The outcome that `active` and `updated_at` in the list show. */
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
  if (record.active === status && canBeOurs)
    return tookEffect(entry, attempt, withChangedAt(mark, record), attempt.alerts);
  if (!changed) return withoutAttempt(entry);
  // The record has changed since, so the attempt may or may not have taken effect. The alerts say so.
  const alerts = attempt.alerts.map(unconfirmed);
  switch (record.active) {
    case 0:
      return status === 0
        ? attributeToOperator(entry, attempt, record)
        : leaveToOperator(withAlerts(entry, alerts), attempt, record, { project, now });
    case 1:
      // The circuit opens, and the transition table then finds that an operator resumed the integration.
      return status === 0 ? tookEffect(entry, attempt, mark, alerts) : withoutAttempt(entry, alerts);
    case 2:
      // If there was a probe, Qonversion's worker ended it.
      return status === 1 ? tookEffect(entry, attempt, mark, alerts) : withoutAttempt(entry, alerts);
  }
}

function tookEffect(entry: Entry, attempt: Attempt, mark: Mark, alerts: readonly GuardEvent[]): Entry {
  return withoutAttempt(resetEntry(entry, { ...attempt.state, mark }, attempt.notices), alerts);
}

function withoutAttempt(entry: Entry, alerts: readonly GuardEvent[] = []): Entry {
  return { ...withAlerts(entry, alerts), attempt: null };
}

/** An operator may have paused it while the guard resumed it. The operator's pause wins (rule 8). */
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
  return withoutAttempt(resetEntry(entry, { name: 'closed', mark: state.mark }), [event]);
}

/**
 * The integration has the requested state, and an operator may have set it. The guard never undoes an operator's choice (rules 5
 * and 6). It still announces a pause, because its own request may have come first.
 */
function attributeToOperator(entry: Entry, attempt: Attempt, record: IntegrationRecord): Entry {
  // The circuit stays open, and the transition table then finds that an operator resumed the integration.
  if (attempt.status === 1) return withoutAttempt(entry);
  const mark = withChangedAt({ ...attempt.state.mark, count: record.delivery_error_count }, record);
  const isolated = resetEntry(entry, { name: 'isolated', mark: { ...mark, activatedAt: null } });
  return withoutAttempt(isolated, attempt.alerts.map(leftToOperator));
}

/** Whether an operator gave the command through the guard. Then the state is the one they want, no matter who set it. */
function isOperatorCommand({ state }: Attempt): boolean {
  return state.name === 'closed' || state.name === 'isolated';
}

/** Whether the record changed while the pass that made the attempt was running, so that the pass may have changed it. */
function changedWithinPass(attempt: Attempt, record: IntegrationRecord): boolean {
  const changedAt = Date.parse(record.updated_at);
  const from = Date.parse(attempt.at);
  const until = attempt.failedAt === null ? from + PASS_TIME_LIMIT_SECONDS * 1_000 : Date.parse(attempt.failedAt);
  return changedAt >= from - CLOCK_TOLERANCE_MS && changedAt <= until + CLOCK_TOLERANCE_MS;
}

/** A mark from the moment the state was set, not from the decision. Failures count from there. */
function exactMark({ state: { mark } }: Attempt, record: IntegrationRecord, now: string): Mark {
  return {
    ...withChangedAt(mark, record),
    count: record.delivery_error_count,
    lastDeliveryAt: record.last_delivery_at,
    activatedAt: mark.activatedAt === null ? null : now,
  };
}

/** The mark with the time of the guard's own change. A later change is an operator's. */
function withChangedAt(mark: Mark, record: IntegrationRecord): Mark {
  return { ...mark, changedAt: mark.changedAt === null ? null : record.updated_at };
}

function withAlerts(entry: Entry, alerts: readonly GuardEvent[]): Entry {
  return { ...entry, outbox: [...entry.outbox, ...toOutbox(alerts)] };
}

/** The alert about a pause or a probe that may not have happened. */
function unconfirmed(event: GuardEvent): GuardEvent {
  return qualified(
    event,
    'the pass was interrupted and the integration has changed since, so this may not have taken effect',
  );
}

/** The alert about an attempt on an integration whose record is missing or unreadable. */
function unseen(event: GuardEvent): GuardEvent {
  return qualified(event, 'the pass was interrupted and the record cannot be seen, so this may not have taken effect');
}

/** The alert about a pause that the guard leaves to an operator: the same episode, and no probe follows. */
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
 * Adds the alert about a failed request, once per episode and as a reminder. An operator sees the failure of their own command, so it
 * needs no alert.
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
  // A pause or a probe that succeeds ends the notice but not the outage, so the next failure needs an ID of its own.
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
