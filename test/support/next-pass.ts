import type { Entry } from '../../functions/guard/model/entry.ts';
import type { GuardEvent } from '../../functions/guard/model/event.ts';
import type { IntegrationRecord } from '../../functions/guard/model/integration.ts';
import { alertsOf, type Decision, decide, statusAsked } from '../../functions/guard/policy/decide.ts';
import { effectivePolicy } from '../../functions/guard/policy/effective-policy.ts';
import { resolve } from '../../functions/guard/policy/resolve.ts';
import type { HoldingOutage } from '../../functions/guard/policy/situation.ts';
import type { Versioned } from '../../functions/guard/ports.ts';
import { aPolicy, aRecord, NOON } from './builders.ts';

/**
 * Helpers for tests of the rules: records in, decisions out, one pass after another. Tests do not read the entries, so they stay valid
 * when the ledger's contents change.
 */
export interface PassConditions {
  readonly policy?: Record<string, unknown>;
  /** The time of the pass. */
  readonly at?: string;
  /** Whether `updated_at` is the time of the last change. */
  readonly changeTimesShown?: boolean;
  /** Whether this is the first pass over the project. */
  readonly isFirstPass?: boolean;
  /** The shared outage that holds pauses back. */
  readonly outage?: HoldingOutage;
}

/** The decision of the first pass over the project. */
export function firstPass(record: IntegrationRecord, conditions: PassConditions = {}): Decision {
  return decideWith(record, null, { isFirstPass: true, ...conditions });
}

/** The decision of the next pass, after `decision` was executed without errors. */
export function nextPass(decision: Decision, record: IntegrationRecord, conditions: PassConditions = {}): Decision {
  const known = executed(decision);
  return decideWith(listed(record, decision, known, conditions.at ?? NOON), known, conditions);
}

/** The record as the API lists it: `updated_at` follows a change of the state, unless the test sets it. */
function listed(
  record: IntegrationRecord,
  decision: Decision,
  known: Versioned<Entry> | null,
  at: string,
): IntegrationRecord {
  if (record.updated_at !== aRecord().updated_at) return record;
  const active = statusAsked(decision) ?? decision.record?.active;
  const updated_at = active === record.active ? (known?.entry.state.mark.changedAt ?? record.updated_at) : at;
  return { ...record, updated_at };
}

/** The request of a decision to Qonversion, in one word. */
export function asks(decision: Decision): 'pause' | 'resume' | 'nothing' {
  const status = statusAsked(decision);
  return status === null ? 'nothing' : status === 0 ? 'pause' : 'resume';
}

/** The events that a decision publishes, including audit-only ones. */
export function alerts(decision: Decision): readonly GuardEvent[] {
  return alertsOf(decision);
}

export function types(decision: Decision): readonly string[] {
  return alertsOf(decision).map(({ type }) => type);
}

function decideWith(
  record: IntegrationRecord,
  known: Versioned<Entry> | null,
  { policy = {}, at = NOON, changeTimesShown = true, isFirstPass = false, outage }: PassConditions,
): Decision {
  const holding = () => outage ?? null;
  const context = { project: 'production', now: at, changeTimesShown, isFirstPass, holding };
  return decide(record, known, effectivePolicy(aPolicy(policy), record), context);
}

function executed(decision: Decision): Versioned<Entry> | null {
  const { record, next, known, expiresAt, changed } = decision;
  if (!changed && known === null) return null;
  const status = statusAsked(decision);
  const at = next.attempt?.at ?? NOON;
  const context = { project: 'production', now: at };
  const entry =
    status === null || record === null
      ? next
      : resolve(next, { kind: 'set', record: { ...record, active: status, updated_at: at } }, context);
  return { entry: { ...entry, outbox: [], lease: null }, version: (known?.version ?? 0) + 1, expiresAt };
}
