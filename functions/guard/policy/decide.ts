import { isDeepStrictEqual } from 'node:util';
import {
  BLANK_SETTLED,
  completed,
  type Figures,
  type GuardEvent,
  type IntegrationRecord,
  type Intent,
  type LedgerEntry,
  type SettledEntry,
  type Status,
} from '../model/entry.ts';
import { type EventSeed, makeEvent } from '../model/event.ts';
import { describeMoment, plusMinutes } from '../text/time.ts';
import { baselineOf, type EffectivePolicy } from './figures.ts';
import { isUnderWay, takeUp } from './resolve.ts';
import { type DecisionContext, type DecisionKind, type Ruling, rule } from './transitions.ts';

/** A decision as data: computed before anything is touched, carried out by the pass. */
export interface Decision {
  readonly id: string;
  /** Null only for `gone`. */
  readonly record: IntegrationRecord | null;
  readonly kind: DecisionKind;
  /** One sentence a person understands. */
  readonly reason: string;
  readonly figures: Figures | null;
  /** What to ask of Qonversion. */
  readonly act: { readonly status: Status } | null;
  /** What to tell once the act is done, or at once when there is none. */
  readonly events: readonly GuardEvent[];
  /** What an interrupted pass still owed. Told in any case. */
  readonly owed: readonly GuardEvent[];
  /** The ledger before, without any intent. */
  readonly before: SettledEntry;
  /** The ledger after. */
  readonly settled: SettledEntry;
  /** The intent that stays, since nothing can be found out about its act now; null for none. */
  readonly leaves: Intent | null;
  /** Whether anything has to be written, done or told at all (law 3). */
  readonly quiet: boolean;
}

/** Applies the numbered rules to one record. Pure: the same input always gives the same decision. */
export function decide(
  record: IntegrationRecord,
  entry: LedgerEntry | null,
  policy: EffectivePolicy,
  context: DecisionContext,
): Decision {
  const known = completed(entry);
  if (known.intent !== null && isUnderWay(known.intent, context.now)) return underWay(record, known);

  const { before, owed, interrupted } = takeUp(known, record, context);
  const ruling = rule({ record, before, policy, context });
  return toDecision(record, ruling, before, owed, interrupted);
}

/** What an operator can ask of the guard for one integration: an exemption ends by itself, or by `heed`. */
export type Order = 'pause' | 'resume' | 'heed' | { readonly ignoreForMinutes: number };

/** What an operator asked for through the guard, as a decision, so that the ledger knows whose choice it was. */
export function decideForOperator(
  record: IntegrationRecord,
  entry: LedgerEntry | null,
  order: Order,
  context: DecisionContext,
): Decision {
  const known = completed(entry);
  if (known.intent !== null && isUnderWay(known.intent, context.now)) return underWay(record, known);

  const { before, owed, interrupted } = takeUp(known, record, context);
  const ruling =
    order === 'pause' || order === 'resume'
      ? ruleSwitch(record, before, order, context)
      : ruleExemption(record, before, order, context);
  return toDecision(record, ruling, before, owed, interrupted);
}

function ruleSwitch(
  record: IntegrationRecord,
  before: SettledEntry,
  order: 'pause' | 'resume',
  context: DecisionContext,
): Ruling {
  const paused = order === 'pause';
  const status: Status = paused ? 0 : 1;
  const settled: SettledEntry = {
    ...BLANK_SETTLED,
    pausedByOperator: paused,
    baseline: baselineOf(record, before.baseline, context.stampsTell),
    activatedAt: paused ? null : context.now,
    ignoredUntil: before.ignoredUntil,
  };
  const reason = paused ? 'an operator paused it through the guard' : 'an operator re-activated it through the guard';
  // A pause may come more than once in an outage; each is a thing of its own.
  const episode = paused || before.circuit.state === 'closed' ? context.now : before.circuit.episode;
  const event: EventSeed = {
    type: paused ? 'integration.operator-paused' : 'integration.reactivated',
    project: context.project,
    time: context.now,
    episode,
    reason,
    record: { ...record, active: status },
  };
  return {
    kind: paused ? 'operator-pause' : 'operator-resume',
    reason,
    act: { status },
    events: !paused && record.active === 1 ? [] : [makeEvent(event)],
    settled,
  };
}

function ruleExemption(
  record: IntegrationRecord,
  before: SettledEntry,
  order: Exclude<Order, 'pause' | 'resume'>,
  { project, now }: DecisionContext,
): Ruling {
  const ignoredUntil = order === 'heed' ? null : plusMinutes(now, order.ignoreForMinutes);
  const reason =
    ignoredUntil === null
      ? 'an operator has the guard heed it again'
      : `an operator has the guard ignore it until ${describeMoment(ignoredUntil, now)}`;
  const event = makeEvent({ type: 'integration.exemption', project, time: now, episode: now, reason, record });
  return {
    kind: ignoredUntil === null ? 'operator-heed' : 'operator-ignore',
    reason,
    events: [event],
    settled: { ...before, ignoredUntil },
  };
}

/**
 * A ledger entry whose integration is not listed: what is owed is told, the rest ends with the entry's expiry. An act whose
 * outcome is unknown stays written down until then: a list that has lost a record may have it again.
 */
export function decideGone(id: string, entry: LedgerEntry, now: string): Decision {
  const { intent, ...before } = completed(entry);
  const underWayStill = intent !== null && isUnderWay(intent, now);
  const owed = intent === null || underWayStill ? [] : [...intent.owed, ...(intent.act === null ? intent.events : [])];
  const leaves = intent === null || intent.act === null || underWayStill ? null : { ...intent, owed: [] };
  return {
    id,
    record: null,
    kind: underWayStill ? 'under-way' : 'gone',
    reason: 'no longer in the project',
    figures: null,
    act: null,
    events: [],
    owed,
    before,
    settled: before,
    leaves,
    quiet: intent === null || underWayStill || (leaves !== null && owed.length === 0),
  };
}

function underWay(record: IntegrationRecord, entry: LedgerEntry): Decision {
  const { intent: _, ...before } = entry;
  return {
    id: record.id,
    record,
    kind: 'under-way',
    reason: 'another pass is at work on it; left to that pass',
    figures: null,
    act: null,
    events: [],
    owed: [],
    before,
    settled: before,
    leaves: null,
    quiet: true,
  };
}

/** Most entries stay the very object they were; only the others have to be compared. */
function isSame(before: SettledEntry, settled: SettledEntry): boolean {
  return before === settled || isDeepStrictEqual(before, settled);
}

function toDecision(
  record: IntegrationRecord,
  ruling: Ruling,
  before: SettledEntry,
  owed: readonly GuardEvent[],
  interrupted: boolean,
): Decision {
  const events = ruling.events ?? [];
  const quiet = !interrupted && ruling.act === undefined && events.length === 0 && isSame(before, ruling.settled);
  return {
    id: record.id,
    record,
    kind: ruling.kind,
    reason: ruling.reason,
    figures: ruling.figures ?? null,
    act: ruling.act ?? null,
    events,
    owed,
    before,
    settled: ruling.settled,
    leaves: null,
    quiet,
  };
}
