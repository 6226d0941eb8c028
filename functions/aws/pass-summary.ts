import type { PassReport } from '../guard/pass/run-pass.ts';

/** The answer of a pass function. The log, the metrics and the alerts have the details. */
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

/** Why a pass is not `ok`. */
export function describeFailure(report: PassReport): string {
  if (report.failure !== null) return report.failure;
  const problem = report.results.find(({ outcome }) => outcome === 'unsettled' || outcome === 'ledger-failed')?.problem;
  return problem ?? 'not every alert was accepted; the next pass publishes the rest';
}
