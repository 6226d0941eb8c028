import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { PassReport } from '../guard/pass/run-pass.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { FLEET_DIMENSION, METRIC, METRICS_NAMESPACE, METRICS_SERVICE, PROJECT_DIMENSION } from './metric-names.ts';

/** Writes the metrics of a pass to the log, as one EMF document. */
export function publishPass(report: PassReport, { projects }: Settings): void {
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: METRICS_SERVICE });
  const isListed = Object.hasOwn(projects, report.project);
  metrics.addDimension(PROJECT_DIMENSION, isListed ? report.project : FLEET_DIMENSION);
  if (!isListed) metrics.addMetadata('fleetProject', report.project);
  recordPass(metrics, report);
  metrics.publishStoredMetrics();
}

/**
 * CloudWatch bills a metric for each hour with a value, and zero is a value. Rare metrics are therefore written only
 * when they are above zero. Metrics that an alarm or an hourly graph needs are always written.
 */
function recordPass(metrics: Metrics, report: PassReport): void {
  const always = (name: string, value: number) => metrics.addMetric(name, MetricUnit.Count, value);
  const rarely = (name: string, value: number) => {
    if (value > 0) always(name, value);
  };
  always(METRIC.passesSucceeded, report.ok ? 1 : 0);
  rarely(METRIC.passesFailed, report.ok ? 0 : 1);
  metrics.addMetric(METRIC.passDuration, MetricUnit.Milliseconds, report.durationMs);
  const { requests, retries, waitedMs } = report.traffic;
  always(METRIC.apiRequests, requests);
  rarely(METRIC.apiRetries, retries);
  // A mean needs a request: a 0 would pull the average down.
  if (requests > 0) metrics.addMetric(METRIC.apiLatency, MetricUnit.Milliseconds, waitedMs / requests);
  rarely(METRIC.alertsDelivered, report.delivered.length);
  rarely(METRIC.alertsUndelivered, report.undelivered.length);
  const { plan, states } = report;
  if (plan === null || states === null) return;

  const done = report.results.filter(({ outcome }) => outcome === 'done' || outcome === 'unsettled');
  const kinds = (kind: string) => done.filter(({ decision }) => decision.kind === kind).length;
  always(METRIC.active, states.active);
  always(METRIC.paused, states.paused);
  always(METRIC.suspended, states.suspended);
  rarely(METRIC.trips, kinds('pause'));
  rarely(METRIC.probes, kinds('probe'));
  rarely(METRIC.recoveries, kinds('recovered'));
  rarely(METRIC.held, plan.blastRadius.held ? plan.blastRadius.wanted : 0);
  rarely(METRIC.sharedOutages, plan.outages.length);
  rarely(METRIC.actsFailed, report.results.filter(({ outcome }) => outcome === 'failed').length);
  rarely(METRIC.notStarted, report.results.filter(({ outcome }) => outcome === 'not-started').length);
  rarely(METRIC.invalidRecords, plan.invalid.length);
}
