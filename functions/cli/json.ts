import { type GuardEvent, isAuditOnly } from '../guard/model/event.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import type { Result } from '../guard/pass/execute.ts';
import type { Plan } from '../guard/pass/plan.ts';
import type { PassReport } from '../guard/pass/run-pass.ts';
import { alertsOf, type Decision, statusAsked } from '../guard/policy/decide.ts';
import type { WithoutEffect } from '../guard/policy/without-effect.ts';
import { safeText } from '../guard/text/sanitize.ts';
import { toCloudEvent } from '../messages/cloud-event.ts';

/** The documents that `--json` prints. Field names of records are the API's own. */

const isAlert = (event: GuardEvent) => !isAuditOnly(event);

/** @param record the integration before or after the action */
export function decisionToJson(decision: Decision, record = decision.record) {
  const status = statusAsked(decision);
  return {
    id: decision.id,
    ...(record === null ? {} : recordToJson(record)),
    kind: decision.kind,
    reason: safeText(decision.reason, 500),
    figures: decision.figures,
    act: status === null ? null : { status },
    events: alertsOf(decision)
      .filter(isAlert)
      .map(({ type, id }) => ({ type, id })),
  };
}

/** A decision with its outcome, and the integration after the action. */
export function resultToJson({ decision, record, outcome, problem }: Result) {
  return { ...decisionToJson(decision, record), outcome, problem };
}

export function recordToJson(record: IntegrationRecord) {
  const { last_error_message: message } = record;
  return {
    title: safeText(record.title, 255),
    integration: safeText(record.integration, 120),
    target_platform: record.target_platform,
    active: record.active,
    last_delivery_at: record.last_delivery_at,
    last_error_at: record.last_error_at,
    last_error_message: message === null ? null : safeText(message, 300),
    delivery_error_count: record.delivery_error_count,
  };
}

/** @param withoutEffect the settings that have no effect */
export function planToJson(plan: Plan, withoutEffect: readonly WithoutEffect[] = []) {
  return {
    project: plan.project,
    plannedAt: plan.now,
    decisions: plan.decisions.map((decision) => decisionToJson(decision)),
    events: [...plan.projectDecision.next.outbox.map(({ event }) => event), ...plan.decisions.flatMap(alertsOf)]
      .filter(isAlert)
      .map(toCloudEvent),
    counts: { ...plan.states, ...countKinds(plan.decisions), invalid: plan.invalid.length },
    blastRadius: plan.blastRadius,
    outages: plan.outages,
    invalid: plan.invalid,
    /** Each with its kind, its path in the project's settings, the problem and the remedy. */
    withoutEffect,
  };
}

export function reportToJson(report: PassReport) {
  return {
    project: report.project,
    startedAt: report.startedAt,
    durationMs: report.durationMs,
    ok: report.ok,
    failure: report.failure,
    decisions: report.results.map(resultToJson),
    events: report.delivered.map(toCloudEvent),
    undelivered: report.undelivered.map(toCloudEvent),
    counts: {
      ...report.states,
      ...countKinds(report.results.map(({ decision }) => decision)),
      ...countOutcomes(report.results),
      invalid: report.plan?.invalid.length ?? 0,
    },
    blastRadius: report.plan?.blastRadius ?? null,
    outages: report.plan?.outages ?? [],
    invalid: report.plan?.invalid ?? [],
    traffic: report.traffic,
  };
}

function countKinds(decisions: readonly Decision[]) {
  return { decisions: tally(decisions.map(({ kind }) => kind)) };
}

function countOutcomes(results: readonly Result[]) {
  return { outcomes: tally(results.map(({ outcome }) => outcome)) };
}

function tally(words: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries(counts);
}
