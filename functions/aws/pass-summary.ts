import type { PassReport } from '../guard/pass/run-pass.ts';
import type { Log } from '../guard/ports.ts';

/** The answer of a pass function. The log and the alerts have the details. */
export interface PassSummary {
  readonly project: string;
  readonly decisions: number;
  readonly done: number;
  readonly failed: number;
  readonly delivered: number;
  readonly durationMs: number;
}

export function summarize(report: PassReport): PassSummary {
  const outcomes = report.results.map(({ outcome }) => outcome);
  return {
    project: report.project,
    decisions: report.results.length,
    done: outcomes.filter((outcome) => outcome === 'done').length,
    failed: outcomes.filter((outcome) => outcome === 'failed').length,
    delivered: report.delivered.length,
    durationMs: report.durationMs,
  };
}

/** The figures of a pass, for its log line. Logs Insights can plot each of them. Null: the pass did not find it out. */
export interface PassFigures {
  readonly ok: boolean;
  readonly durationMs: number;
  readonly decisions: number;
  /** Integrations by state after the pass. */
  readonly active: number | null;
  readonly paused: number | null;
  readonly suspended: number | null;
  /** Those that are stopped, and not by an operator. */
  readonly stopped: number;
  /** Pauses, probes and recoveries of this pass. */
  readonly trips: number;
  readonly probes: number;
  readonly recoveries: number;
  /** Pauses that the blast radius held back. */
  readonly held: number | null;
  readonly sharedOutages: number | null;
  /** Requests that Qonversion refused. */
  readonly actsFailed: number;
  /** Decisions that were left for the next pass. */
  readonly notStarted: number;
  /** Records that could not be read. */
  readonly invalid: number | null;
  readonly alertsDelivered: number;
  readonly alertsUndelivered: number;
  readonly apiRequests: number;
  readonly apiRetries: number;
  /** Mean time of a request; null without a request. */
  readonly apiLatencyMs: number | null;
}

export function figuresOf(report: PassReport): PassFigures {
  const { plan, states, results, traffic } = report;
  const done = results.filter(({ outcome }) => outcome === 'done' || outcome === 'unsettled');
  const kinds = (kind: string) => done.filter(({ decision }) => decision.kind === kind).length;
  const outcomes = (wanted: string) => results.filter(({ outcome }) => outcome === wanted).length;
  return {
    ok: report.ok,
    durationMs: report.durationMs,
    decisions: results.length,
    active: states?.active ?? null,
    paused: states?.paused ?? null,
    suspended: states?.suspended ?? null,
    stopped: report.stopped,
    trips: kinds('pause'),
    probes: kinds('probe'),
    recoveries: kinds('recovered'),
    held: plan === null ? null : plan.blastRadius.held ? plan.blastRadius.wanted : 0,
    sharedOutages: plan?.outages.length ?? null,
    actsFailed: outcomes('failed'),
    notStarted: outcomes('not-started'),
    invalid: plan?.invalid.length ?? null,
    alertsDelivered: report.delivered.length,
    alertsUndelivered: report.undelivered.length,
    apiRequests: traffic.requests,
    apiRetries: traffic.retries,
    apiLatencyMs: traffic.requests === 0 ? null : Math.round(traffic.waitedMs / traffic.requests),
  };
}

/** Writes the line that ends a pass, with its figures. */
export function logPass(log: Log, report: PassReport): void {
  const figures = { project: report.project, ...figuresOf(report) };
  if (report.ok) log.info('pass done', figures);
  else log.error('pass failed', { ...figures, failure: describeFailure(report) });
}

/** Why a pass is not `ok`. */
export function describeFailure(report: PassReport): string {
  if (report.failure !== null) return report.failure;
  const problem = report.results.find(({ outcome }) => outcome === 'unsettled' || outcome === 'ledger-failed')?.problem;
  return problem ?? 'not every alert was accepted; the next pass publishes the rest';
}
