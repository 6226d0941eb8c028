/** CloudWatch metrics of a pass, in the namespace and under the names that alarms and dashboard look for. */
export const METRICS_NAMESPACE = 'IntegrationGuard';

/** The dimension every metric carries besides Powertools' own `service`. */
export const PROJECT_DIMENSION = 'project';
export const METRICS_SERVICE = 'integration-guard';

export const METRIC = {
  passesSucceeded: 'PassesSucceeded',
  passesFailed: 'PassesFailed',
  passDuration: 'PassDuration',
  active: 'IntegrationsActive',
  paused: 'IntegrationsPaused',
  suspended: 'IntegrationsSuspended',
  trips: 'Trips',
  probes: 'Probes',
  recoveries: 'Recoveries',
  held: 'TripsHeld',
  sharedOutages: 'SharedOutages',
  actsFailed: 'ActsFailed',
  invalidRecords: 'InvalidRecords',
  notStarted: 'DecisionsNotStarted',
  alertsDelivered: 'AlertsDelivered',
  alertsUndelivered: 'AlertsUndelivered',
  apiRequests: 'ApiRequests',
  apiRetries: 'ApiRetries',
  apiLatency: 'ApiLatency',
} as const;

/**
 * In place of a project's name for all projects of the fleet: CloudWatch bills each value of a dimension, and nobody looks at
 * the graphs of a thousand projects. No project can have this name.
 */
export const FLEET_DIMENSION = '(fleet)';
