import { isDeepStrictEqual } from 'node:util';
import { BLANK_ENTRY, type Entry } from '../model/entry.ts';
import type { Figures, GuardEvent } from '../model/event.ts';
import type { IntegrationRecord, Status } from '../model/integration.ts';
import { CLOCK_TOLERANCE_MS, isLeased, withoutFuture } from '../model/lease.ts';
import { toOutbox } from '../model/outbox.ts';
import type { Versioned } from '../ports.ts';
import { isLater, latest, minutesBetween, plusMinutes } from '../text/time.ts';
import type { EffectivePolicy } from './effective-policy.ts';
import { type Attention, withIncident } from './incidents.ts';
import { commanded, type OperatorCommand } from './operator.ts';
import { type Finding, resolve } from './resolve.ts';
import type { DecisionKind, EndedOutage, HoldingOutage, Situation, Verdict } from './situation.ts';
import { transition } from './transitions.ts';

/** The decision about one ledger entry, of an integration or of the project, and everything needed to write it. */
export interface Decided<E> {
  /** The entry after the outcome of an interrupted attempt was resolved. */
  readonly current: E;
  /** The entry to write: `current` plus the changes of this pass. The pass makes the `attempt` in it. */
  readonly next: E;
  /** The entry as the ledger has it; null when it has none. */
  readonly known: Versioned<E> | null;
  /** When the ledger may forget the entry once its outbox is empty; null: never. */
  readonly expiresAt: string | null;
  /** Whether `next` differs from what the ledger has. */
  readonly changed: boolean;
  /** Whether there is nothing to write, request or deliver (law 3). */
  readonly quiet: boolean;
}

/** A decision as data. The pass computes all decisions before it changes anything, and then executes them. */
export interface Decision extends Decided<Entry> {
  readonly id: string;
  /** Null for `gone` and `unread`, and for `under-way` when the integration was not read. */
  readonly record: IntegrationRecord | null;
  readonly kind: DecisionKind;
  /** One sentence a person understands. */
  readonly reason: string;
  readonly figures: Figures | null;
}

/** The status that the decision requests from Qonversion; null: none. */
export function statusAsked({ record, next }: Decision): Status | null {
  return record === null || next.attempt === null ? null : next.attempt.status;
}

/** Everything the decision publishes once its request has taken effect, including alerts of earlier passes. */
export function alertsOf(decision: Decision): readonly GuardEvent[] {
  const { next } = decision;
  const conditional = statusAsked(decision) === null ? [] : (next.attempt?.alerts ?? []);
  return [...next.outbox.map(({ event }) => event), ...conditional];
}

export interface DecisionContext {
  readonly project: string;
  readonly now: string;
  /** Whether `updated_at` is the time of the last change (`showsChangeTimes`). */
  readonly changeTimesShown: boolean;
  /** The latest moment in the list, so the list is not older. Left out: unknown. */
  readonly listedUntil?: string | null;
  /** Whether this is the first pass over the project (rule 2). Left out: no. */
  readonly isFirstPass?: boolean;
  /** The shared outage during which the guard neither pauses nor reports an integration (rule 10). Left out: none. */
  readonly holding?: (record: IntegrationRecord) => HoldingOutage | null;
  /** The shared outages of an integration that have ended. Left out: none. */
  readonly ended?: (record: IntegrationRecord) => readonly EndedOutage[];
}

/** The latest moment in the records; null without records. */
export function latestMomentOf(records: readonly IntegrationRecord[]): string | null {
  return records.reduce<string | null>(
    (last, { updated_at, last_delivery_at, last_error_at }) =>
      latest(last ?? updated_at, updated_at, last_delivery_at, last_error_at),
    null,
  );
}

type Known = Versioned<Entry> | null;

/** Applies the numbered rules to one record. Pure: the same input always gives the same decision. */
export function decide(
  record: IntegrationRecord,
  known: Known,
  policy: EffectivePolicy,
  context: DecisionContext,
): Decision {
  if (known !== null && (isStale(record, known.entry, context) || isOlderThanAttempt(record, known.entry, context)))
    return decideUnread(record.id, known, context, 'its record may be older than what the ledger knows of it');
  return decideBy(transition, record, known, policy, context, 'watched');
}

/** A replica or cache of the API lags by less than this. */
const LAG_MINUTES = 60;

/** Whether the record is older than a change that the ledger has. Such a record says nothing new. */
function isStale({ updated_at }: IntegrationRecord, { state: { mark } }: Entry, context: DecisionContext): boolean {
  if (!context.changeTimesShown || mark.changedAt === null || !isLater(mark.changedAt, updated_at)) return false;
  return minutesBetween(mark.changedAt, context.now) < LAG_MINUTES;
}

/** The same for a command that an operator gave to the guard. */
export function decideForOperator(
  record: IntegrationRecord,
  known: Known,
  policy: EffectivePolicy,
  command: OperatorCommand,
  context: DecisionContext,
): Decision {
  // The ledger may be older than the integration, so the next pass judges what the command does not change.
  return decideBy((situation) => commanded(situation, command), record, known, policy, context, 'unseen');
}

/**
 * Whether the record is unchanged in a list that may be older than the attempt. Such a list cannot show whether the API received
 * the request.
 */
function isOlderThanAttempt(
  { active, updated_at }: IntegrationRecord,
  { attempt }: Entry,
  { listedUntil, now }: DecisionContext,
): boolean {
  if (attempt === null || !listedUntil) return false;
  if (active === attempt.status || isLater(updated_at, attempt.updatedAt)) return false;
  const endedAt = Date.parse(attempt.failedAt ?? attempt.at);
  return Date.parse(listedUntil) <= endedAt + CLOCK_TOLERANCE_MS && minutesBetween(attempt.at, now) < LAG_MINUTES;
}

function decideBy(
  rule: (situation: Situation) => Verdict,
  record: IntegrationRecord,
  known: Known,
  policy: EffectivePolicy,
  context: DecisionContext,
  attention: Attention,
): Decision {
  const { project, now, isFirstPass = false, holding, ended } = context;
  const stored = withoutFuture(known?.entry ?? BLANK_ENTRY, now);
  if (isLeased(stored.lease, now)) return underWay(record.id, record, known);

  const current = resolveAttempt(record.id, stored, { kind: 'listed', record }, context);
  const changedAt = context.changeTimesShown ? record.updated_at : null;
  const outage = holding?.(record) ?? null;
  const endedOutages = ended?.(record) ?? [];
  const verdict = rule({ record, changedAt, entry: current, policy, outage, endedOutages, isFirstPass, project, now });
  const isIgnored = policy.mode === 'ignore' || isLater(verdict.next.ignoredUntil, now);
  return conclude(record.id, record, known, current, verdict, context, isIgnored ? 'ended' : attention);
}

/**
 * Decides about a ledger entry whose integration is not in the list: its outbox is delivered, and the ledger forgets the entry when
 * it expires. Its incident ends with the second pass that does not find it, because one list may lack a record by mistake.
 */
export function decideGone(id: string, known: Versioned<Entry>, context: DecisionContext): Decision {
  if (isLeased(known.entry.lease, context.now)) return underWay(id, null, known);
  const current = resolveAttempt(id, known.entry, { kind: 'gone' }, context);
  const verdict: Verdict = { kind: 'gone', reason: 'no longer in the project', next: current };
  return conclude(id, null, known, current, verdict, context, known.expiresAt === null ? 'unseen' : 'ended');
}

/** After this time the guard announces an attempt even if it cannot read the outcome. */
const UNSEEN_MINUTES = 60;

/**
 * Decides about a ledger entry whose integration cannot be read now: the guard concludes nothing, and delivers its outbox. It
 * announces an interrupted attempt after an hour.
 */
export function decideUnread(
  id: string,
  known: Versioned<Entry>,
  context: DecisionContext,
  reason = 'its record could not be read',
): Decision {
  const { now } = context;
  const { entry } = known;
  if (isLeased(entry.lease, now)) return underWay(id, null, known);
  const unseen = entry.attempt !== null && minutesBetween(entry.attempt.at, now) >= UNSEEN_MINUTES;
  const current = unseen ? resolveAttempt(id, entry, { kind: 'gone' }, context) : entry;
  const verdict: Verdict = { kind: 'unread', reason, next: current };
  return conclude(id, null, known, current, verdict, context, 'unseen');
}

/** The entry after the attempt of an interrupted pass. Its alerts are delivered even if this pass cannot write its own decision. */
function resolveAttempt(id: string, entry: Entry, finding: Finding, { project, now }: DecisionContext): Entry {
  if (entry.attempt === null) return entry;
  const record = finding.kind === 'listed' ? finding.record : null;
  const reason = 'the pass was interrupted, and the integration is not stopped';
  const about = { id, record, reason, attention: 'unseen', isResumed: true } as const;
  return withIncident(entry, resolve(entry, finding, { project, now }), about, { project, now });
}

function underWay(id: string, record: IntegrationRecord | null, known: Known): Decision {
  const reason = 'another pass is at work on it; left to that pass';
  return { ...untouched(id, record, known), kind: 'under-way', reason };
}

function untouched(id: string, record: IntegrationRecord | null, known: Known): Omit<Decision, 'kind' | 'reason'> {
  const entry = known?.entry ?? BLANK_ENTRY;
  const expiresAt = known?.expiresAt ?? null;
  return { id, record, figures: null, known, current: entry, next: entry, expiresAt, changed: false, quiet: true };
}

function conclude(
  id: string,
  record: IntegrationRecord | null,
  known: Known,
  current: Entry,
  verdict: Verdict,
  { project, now }: DecisionContext,
  attention: Attention,
): Decision {
  const { kind, reason, figures = null, alerts = [], request } = verdict;
  const attempt =
    request === undefined || record === null
      ? verdict.next.attempt
      : { ...request, at: now, updatedAt: record.updated_at, failedAt: null };
  // Healthy integrations keep the same object, so that comparing them costs nothing.
  const asBefore = alerts.length === 0 && request === undefined && verdict.next.lease === null;
  const outbox = [...current.outbox, ...toOutbox(alerts)];
  const changed = asBefore ? verdict.next : { ...verdict.next, attempt, lease: null, outbox };
  const next = withIncident(current, changed, { id, record, reason, attention, isResumed: false }, { project, now });
  return finalizeDecision({ id, record, kind, reason, figures, known, current, next }, now);
}

/** How long the ledger keeps the entry of an integration that is gone from the list. */
const KEEP_GONE_DAYS = 30;
/** How long the ledger keeps a blank entry. */
const KEEP_BLANK_DAYS = 7;

/** Adds to a decision whether there is anything to write, and when the entry expires. */
export function finalizeDecision(draft: Omit<Decision, 'expiresAt' | 'changed' | 'quiet'>, now: string): Decision {
  const { kind, known, current, next } = draft;
  const differs = !same(next, known?.entry ?? BLANK_ENTRY);
  if (known === null && !differs) return { ...draft, expiresAt: null, changed: false, quiet: true };
  const days = kind === 'gone' ? KEEP_GONE_DAYS : same(withoutOutbox(next), BLANK_ENTRY) ? KEEP_BLANK_DAYS : null;
  const expires = known?.expiresAt ?? null;
  // The guard could not read the integration, so the expiry stays as it is.
  const expiresAt = kind === 'unread' ? expires : days === null ? null : (expires ?? plusMinutes(now, days * 24 * 60));
  const expiryMoves = known !== null && next.outbox.length === 0 && (expiresAt === null) !== (expires === null);
  const changed = differs || expiryMoves;
  return { ...draft, expiresAt, changed, quiet: !changed && current.outbox.length === 0 };
}

function withoutOutbox(entry: Entry): Entry {
  return entry.outbox.length === 0 ? entry : { ...entry, outbox: [] };
}

/** Most entries stay the same object, and need no comparison. */
function same(left: Entry, right: Entry): boolean {
  return left === right || isDeepStrictEqual(left, right);
}
