import { makeEvent } from './events.ts';
import type { GuardEvent, IntegrationRecord, Intent, LedgerEntry, SettledEntry } from './model.ts';
import { isLater } from './time.ts';

/**
 * The longest a pass may run. The function's timeout, and the age up to which an unsettled intent belongs to a pass that
 * may still be at work (law 2).
 */
export const PASS_TIME_LIMIT_SECONDS = 120;

/** The entry a decision starts from, once an interrupted pass's intent has been compared with the record. */
export interface TakenUp {
  readonly before: SettledEntry;
  /** Events of the interrupted pass that nobody may have heard of. */
  readonly owed: readonly GuardEvent[];
  /** There was an intent, so the ledger must be written even when nothing else is to do. */
  readonly interrupted: boolean;
}

/** Whether another pass may still be working on this. An act that failed for certain is nobody's work any more. */
export function isUnderWay(
  intent: { readonly decidedAt: string; readonly failedAt?: string | null },
  now: string,
): boolean {
  if (intent.failedAt !== undefined && intent.failedAt !== null) return false;
  return Date.parse(now) - Date.parse(intent.decidedAt) < PASS_TIME_LIMIT_SECONDS * 1_000;
}

/**
 * Law 1, the second half: finds out from the record how far an interrupted pass came, so that no alert is lost, none
 * tells of a pause that never happened, and no pause stays unexplained.
 *
 * `updated_at` moves when somebody changes an integration and not with deliveries (the reference's own example has
 * deliveries long after it), so it tells "our act never arrived" from "it arrived, and somebody has undone it since".
 */
export function takeUp(entry: LedgerEntry, record: IntegrationRecord, project: string, now: string): TakenUp {
  const { intent, ...before } = entry;
  if (intent === null) return { before, owed: [], interrupted: false };

  const everything = [...intent.owed, ...intent.events];
  if (intent.act === null || record.active === intent.act.status) {
    return { before: intent.settled, owed: everything, interrupted: true };
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
  return leftToOperator(intent, before, record, project, now);
}

/** Paused and changed by somebody while we were re-activating it: an operator's pause always wins (rule 7). */
function leftToOperator(
  intent: Intent,
  before: SettledEntry,
  record: IntegrationRecord,
  project: string,
  now: string,
): TakenUp {
  const episode = before.circuit.state === 'closed' ? intent.decidedAt : before.circuit.episode;
  const event = makeEvent({
    type: 'integration.recovery-abandoned',
    project,
    time: now,
    episode,
    ordinal: -1,
    reason:
      'somebody changed it while the guard was re-activating it, so it stays paused until a person re-activates it',
    record,
  });
  return {
    before: { ...before, circuit: { state: 'closed' }, told: null },
    owed: [...intent.owed, event],
    interrupted: true,
  };
}
