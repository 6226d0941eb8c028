import {
  BLANK_ENTRY,
  BLANK_SETTLED,
  type GuardEvent,
  type IntegrationRecord,
  type Intent,
  type LedgerEntry,
  type SettledEntry,
} from '../model/entry.ts';
import { abandonedToPeople } from '../model/event.ts';
import { safeText } from '../text/sanitize.ts';
import { isLater } from '../text/time.ts';
import { baselineOf, restamped } from './figures.ts';

/**
 * The longest a pass may run. The function's timeout, and the age up to which an unsettled intent belongs to a pass that
 * may still be at work (law 2).
 */
export const PASS_TIME_LIMIT_SECONDS = 120;

/** Moments closer together than this are not told apart: the API's times are whole seconds, and answers take time. */
export const SAME_MOMENT_MS = 5_000;

interface TakeUpContext {
  readonly project: string;
  readonly now: string;
  /** `updated_at` moves when somebody changes an integration, and only then. */
  readonly stampsTell: boolean;
}

/** The entry a decision starts from, once an interrupted pass's intent has been compared with the record. */
export interface TakenUp {
  readonly before: SettledEntry;
  /** Events of the interrupted pass that nobody may have heard of. */
  readonly owed: readonly GuardEvent[];
  /** There was an intent, so the ledger must be written even when nothing else is to do. */
  readonly interrupted: boolean;
}

/**
 * Whether another pass may still be working on this. An act that failed for certain is nobody's work any more. An intent
 * far in the future is from a clock that was wrong, not from a pass that runs.
 */
export function isUnderWay(
  intent: { readonly decidedAt: string; readonly failedAt?: string | null },
  now: string,
): boolean {
  if (intent.failedAt !== undefined && intent.failedAt !== null) return false;
  return Math.abs(Date.parse(now) - Date.parse(intent.decidedAt)) < PASS_TIME_LIMIT_SECONDS * 1_000;
}

/**
 * Law 1, the second half: finds out from the record how far an interrupted pass came, so that no alert is lost, none
 * tells of a pause that never happened, and no pause stays unexplained.
 *
 * `updated_at` moves when somebody changes an integration and not with deliveries (the reference's own example has
 * deliveries long after it), so it tells "our act never arrived" from "it arrived, and somebody has undone it since", and,
 * by the time that the pass had, our act from somebody else's.
 */
export function takeUp(entry: LedgerEntry, record: IntegrationRecord, context: TakeUpContext): TakenUp {
  if (entry === BLANK_ENTRY) return { before: BLANK_SETTLED, owed: [], interrupted: false };
  const { intent, ...before } = entry;
  if (intent === null) return { before, owed: [], interrupted: false };

  const everything = [...intent.owed, ...intent.events];
  if (intent.act === null) return { before: intent.settled, owed: everything, interrupted: true };
  if (record.active === intent.act.status) {
    const ours = { ...intent.settled, baseline: restamped(intent.settled.baseline, record) };
    return isOurDoing(intent, intent.act, record)
      ? { before: ours, owed: everything, interrupted: true }
      : takeForTheirs(intent, before, record, context);
  }
  const changedSince = isLater(record.updated_at, intent.act.updatedAt);
  if (!changedSince) return { before, owed: intent.owed, interrupted: true };

  if (intent.act.status === 0) {
    // Active although we were pausing it, and changed since: taken for a re-activation, which is never fought (rule 4).
    // Suspended: the worker's verdict stands on what was before.
    return { before: record.active === 1 ? intent.settled : before, owed: intent.owed, interrupted: true };
  }
  // We were activating it. Suspended again: the trial took place and failed.
  if (record.active === 2) return { before: intent.settled, owed: everything, interrupted: true };
  return leftToOperator(intent, before, record, context);
}

/**
 * The state we were going to ask for is there, and somebody else may have set it: an operator's choice, which is never
 * undone (rules 4 and 5). A pause is told all the same, for ours may have come before theirs.
 */
export function takeForTheirs(
  intent: Intent,
  before: SettledEntry,
  record: IntegrationRecord,
  context: Pick<TakeUpContext, 'stampsTell'>,
): TakenUp {
  // An operator's own pause or resume through the guard: whoever was faster, it is what people want.
  if (intent.settled.circuit.state === 'closed') {
    return { before: intent.settled, owed: [...intent.owed, ...intent.events], interrupted: true };
  }
  // The rules find it active with the circuit open: re-activated by somebody.
  if (intent.act?.status === 1) return { before, owed: intent.owed, interrupted: true };
  return {
    before: {
      ...BLANK_SETTLED,
      pausedByOperator: true,
      baseline: baselineOf(record, before.baseline, context.stampsTell),
    },
    owed: [...intent.owed, ...intent.events.map(withoutRetry)],
    interrupted: true,
  };
}

/** Whether the state can be the doing of the pass that wrote the intent: changed while it ran, or not stamped at all. */
function isOurDoing(intent: Intent, act: NonNullable<Intent['act']>, record: IntegrationRecord): boolean {
  if (!isLater(record.updated_at, act.updatedAt)) return true;
  const changedAt = Date.parse(record.updated_at);
  const until = intent.failedAt ?? plusSeconds(intent.decidedAt, PASS_TIME_LIMIT_SECONDS);
  return changedAt >= Date.parse(intent.decidedAt) - SAME_MOMENT_MS && changedAt <= Date.parse(until) + SAME_MOMENT_MS;
}

/** The alert of a pause that the guard leaves to people: the same episode, and no trial to come. */
function withoutRetry(event: GuardEvent): GuardEvent {
  if (event.record?.active !== 0) return event;
  const reason = `${event.reason}; somebody changed it at the same time, so it is left to people`;
  return { ...event, reason: safeText(reason, 500), nextProbeAt: null };
}

/** Paused and changed by somebody while we were re-activating it: an operator's pause always wins (rule 7). */
function leftToOperator(
  intent: Intent,
  before: SettledEntry,
  record: IntegrationRecord,
  { project, now }: TakeUpContext,
): TakenUp {
  const episode = before.circuit.state === 'closed' ? intent.decidedAt : before.circuit.episode;
  const event = abandonedToPeople(record, { project, time: now, episode });
  return {
    before: { ...before, circuit: { state: 'closed' }, told: null },
    owed: [...intent.owed, event],
    interrupted: true,
  };
}

function plusSeconds(moment: string, seconds: number): string {
  return new Date(Date.parse(moment) + seconds * 1_000).toISOString();
}
