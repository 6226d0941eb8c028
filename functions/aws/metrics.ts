import type { PassReport } from '../guard/pass/run-pass.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { FLEET_DIMENSION, METRIC, METRICS_NAMESPACE, METRICS_SERVICE, PROJECT_DIMENSION } from './metric-names.ts';

/**
 * Writes the metrics of a pass to the log, as one EMF document. A listed project with nothing stopped has none, so its
 * passes do not load the library.
 */
export async function publishPass(report: PassReport, { projects }: Settings): Promise<void> {
  const isListed = Object.hasOwn(projects, report.project);
  if (isListed && report.stopped === 0) return;
  const { Metrics, MetricUnit } = await import('@aws-lambda-powertools/metrics');
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: METRICS_SERVICE });
  metrics.addDimension(PROJECT_DIMENSION, isListed ? report.project : FLEET_DIMENSION);
  if (!isListed) {
    metrics.addMetadata('fleetProject', report.project);
    metrics.addMetric(METRIC.passesFailed, MetricUnit.Count, report.ok ? 0 : 1);
  }
  if (report.stopped > 0) metrics.addMetric(METRIC.stopped, MetricUnit.Count, report.stopped);
  metrics.publishStoredMetrics();
}
