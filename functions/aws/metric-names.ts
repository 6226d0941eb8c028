/** The CloudWatch metrics of a pass: namespace and names, for the alarms and the dashboard. */
export const METRICS_NAMESPACE = 'IntegrationGuard';

/** The dimension of every metric, besides Powertools' own `service`. */
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
 * Replaces the project's name for all projects of the fleet. CloudWatch bills each value of a dimension, and no one
 * reads the graphs of a thousand projects. No project can have this name.
 */
export const FLEET_DIMENSION = '(fleet)';
