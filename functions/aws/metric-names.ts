/** The CloudWatch metrics of a pass: namespace and names, for the alarms and the dashboard. */
export const METRICS_NAMESPACE = 'IntegrationGuard';

/** The dimension of every metric, besides Powertools' own `service`. */
export const PROJECT_DIMENSION = 'project';
export const METRICS_SERVICE = 'integration-guard';

/** Each has an alarm. CloudWatch bills a metric for each hour with a value, so every other figure of a pass is in its log line. */
export const METRIC = {
  /** Integrations that are stopped, and not by an operator. Only written above zero. */
  stopped: 'Stopped',
  /** 1 for a pass of the fleet that could not run, otherwise 0, so that its average is a share. */
  passesFailed: 'PassesFailed',
} as const;

/**
 * Replaces the project's name for all projects of the fleet. CloudWatch bills each value of a dimension, and no one
 * reads the graphs of a thousand projects. No project can have this name.
 */
export const FLEET_DIMENSION = '(fleet)';

/** Metrics of EventBridge Scheduler, by schedule group. Each listed project has a group of its own. */
export const SCHEDULER_NAMESPACE = 'AWS/Scheduler';
export const SCHEDULER_STARTS = 'InvocationAttemptCount';
export const SCHEDULER_GROUP_DIMENSION = 'ScheduleGroup';

/** Before version 0.3, all schedules were in this group, with those of others. */
export const DEFAULT_SCHEDULE_GROUP = 'default';
