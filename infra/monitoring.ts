import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import {
  FLEET_DIMENSION,
  METRIC,
  METRICS_NAMESPACE,
  METRICS_SERVICE,
  PROJECT_DIMENSION,
} from '../functions/aws/metric-names.ts';
import type { Fleet } from './fleet.ts';
import type { IncidentTools } from './incident-tools.ts';

export interface MonitoringProps {
  /** Null: no project is listed. */
  readonly passFunction: LambdaFunction | null;
  readonly fleet: Fleet | null;
  /** Sends the alerts of quiet hours; null without any. A run over the fleet fails if its alerts cannot be sent. */
  readonly digestFunction: LambdaFunction | null;
  readonly deadLetters: IQueue;
  readonly incidents: IncidentTools;
  readonly alarmsTopic: ITopic;
  readonly projects: readonly string[];
  readonly intervalMinutes: number;
  /** Address of the runbook; null: there is only the control panel. */
  readonly runbook: string | null;
  /** Address of the dashboard with the control panel; null: there is none. */
  readonly panel: string | null;
  readonly metricStopped: (project: string) => Metric;
  readonly metricPasses: (project: string) => Metric;
}

/**
 * Alarms about the guard itself, which alert people when the guard cannot, and alarms that say that integrations are
 * stopped, which every incident tool accepts.
 */
export class Monitoring extends Construct {
  /** Alarms about what all projects share. */
  readonly shared: readonly Alarm[];
  readonly #ofProjects = new Map<string, readonly Alarm[]>();
  readonly #action: SnsAction;
  readonly #help: (section: string) => string;

  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    this.#action = new SnsAction(props.alarmsTopic);
    const { runbook, panel } = props;
    this.#help = (section) =>
      runbook !== null
        ? `Help: ${runbook}#${section}`
        : `Runbook section ${section}.${panel === null ? '' : ` Dashboard: ${panel}`}`;
    const interval = Duration.minutes(props.intervalMinutes);
    const period = Duration.minutes(Math.max(5, props.intervalMinutes));

    this.shared = [
      ...(props.passFunction === null ? [] : this.alarmsOfPasses(props.passFunction, period)),
      this.alarmAtOne(
        'DeadLetters',
        'alarm-dead-letters',
        'A schedule could not start a pass, or an alert could not be delivered. Read the message in the dead-letter queue.',
        props.deadLetters.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(5) }),
      ),
      ...this.alarmsOfIncidents(props.incidents),
      ...(props.digestFunction === null
        ? []
        : [
            this.alarmAtOne(
              'DigestErrors',
              'alarm-digest-errors',
              'Alerts of quiet hours could not be sent when these ended. The guard tries again every hour. Read the log of the digest function.',
              props.digestFunction.metricErrors({ period: Duration.hours(1) }),
            ),
          ]),
      ...(props.fleet === null ? [] : this.alarmsOfFleet(props.fleet, props.metricStopped, interval, period)),
    ];

    for (const project of props.projects) {
      const stopped = this.alarmOnStopped(
        `Stopped-${project}`,
        `Project ${project}: an integration is stopped, a provider is down, or the guard cannot or may not pause integrations that fail. Events do not arrive. \`npx integration-guard list --project ${project}\` shows which.`,
        props.metricStopped(project),
        interval,
      );
      const noPass = this.add(`NoPass-${project}`, 'alarm-no-pass', {
        alarmDescription: `Project ${project}: its schedule has started no pass for three intervals, so nothing is guarded. Check that the schedule is enabled.`,
        metric: props.metricPasses(project).with({ period: interval }),
        threshold: 1,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: 3,
        // A schedule that does not run sends no data.
        treatMissingData: TreatMissingData.BREACHING,
      });
      this.#ofProjects.set(project, [stopped, noPass]);
    }
  }

  private alarmsOfPasses(passFunction: LambdaFunction, period: Duration): readonly Alarm[] {
    return [
      this.alarmAtOne(
        'PassErrors',
        'alarm-pass-errors',
        'A pass failed, so its integrations may not be guarded. Read the log of the pass function.',
        passFunction.metricErrors({ period }),
      ),
      this.alarmAtOne(
        'PassThrottles',
        'alarm-pass-throttles',
        'Lambda did not start a pass, because the account has no concurrency left. Raise its limit.',
        passFunction.metricThrottles({ period }),
      ),
    ];
  }

  /** Two kinds: a tool has been refusing for a quarter of an hour, or for so long that its messages were given up. */
  private alarmsOfIncidents({ queues, deadLetters }: IncidentTools): readonly Alarm[] {
    if (deadLetters === null) return [];
    const period = Duration.minutes(5);
    return [
      this.alarmAtOne(
        'IncidentDeadLetters',
        'alarm-incident-dead-letters',
        'An incident tool has not accepted an incident for hours, so it has not opened or closed it. Read the message in the dead-letter queue of incidents.',
        deadLetters.metricApproximateNumberOfMessagesVisible({ period }),
      ),
      ...queues.map(({ name, queue }) =>
        this.add(`IncidentsDelayed-${name}`, 'alarm-incidents-delayed', {
          alarmDescription: `Incidents: ${name} has not accepted an incident for 15 minutes. Check its address, its credential and the state of its pipe.`,
          metric: queue.metricApproximateAgeOfOldestMessage({ period, statistic: 'Maximum' }),
          threshold: Duration.minutes(15).toSeconds(),
          comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
          evaluationPeriods: 1,
          treatMissingData: TreatMissingData.NOT_BREACHING,
        }),
      ),
    ];
  }

  /**
   * Alarms about the fleet as a whole. A project that cannot be guarded has an alert of its own. In a large fleet there is always
   * one, and an alarm about it would never end.
   */
  private alarmsOfFleet(
    fleet: Fleet,
    metricStopped: (project: string) => Metric,
    interval: Duration,
    period: Duration,
  ): readonly Alarm[] {
    const { passFunction, stateMachine } = fleet;
    const each = { period, statistic: 'Sum' };
    return [
      this.alarmAtOne(
        'FleetPassErrors',
        'alarm-pass-errors',
        'Fleet: a pass failed, or could not report what it did. Read the log of the fleet’s pass function.',
        passFunction.metricErrors({ period }),
      ),
      this.alarmAtOne(
        'FleetPassThrottles',
        'alarm-pass-throttles',
        'Fleet: Lambda did not start a pass, because the account has no concurrency left. Raise its limit.',
        passFunction.metricThrottles({ period }),
      ),
      this.alarmAtOne(
        'FleetRunsFailed',
        'alarm-fleet-run-broken',
        'Fleet: a run failed or found no project, or could not send its alerts. Some projects may have had no pass. Read the last execution of the state machine.',
        stateMachine.metricFailed(each),
      ),
      this.alarmAtOne(
        'FleetRunsTimedOut',
        'alarm-fleet-run-broken',
        'Fleet: a run was stopped after an hour, so some projects had no pass. Read the last execution of the state machine.',
        stateMachine.metricTimedOut(each),
      ),
      this.add('FleetNoRun', 'alarm-fleet-no-run', {
        alarmDescription:
          'Fleet: no run has completed for three intervals, so projects may not be guarded. Check that the schedule is enabled, and read the last execution of the state machine.',
        metric: stateMachine.metricSucceeded({ period: interval, statistic: 'Sum' }),
        threshold: 1,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: 3,
        treatMissingData: TreatMissingData.BREACHING,
      }),
      this.add('FleetRunLong', 'alarm-fleet-run-long', {
        alarmDescription:
          'Fleet: a run takes longer than the interval, so projects are checked less often than the schedule says. Raise fleet.concurrency.',
        metric: stateMachine.metricTime({ period, statistic: 'Maximum' }),
        threshold: interval.toMilliseconds(),
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }),
      this.alarmOnStopped(
        'FleetStopped',
        'Fleet: in at least one project integrations are stopped, a provider is down, or the guard cannot or may not pause integrations that fail. The alerts name the projects.',
        metricStopped(FLEET_DIMENSION),
        interval,
      ),
      this.add('FleetMostlyFailing', 'alarm-fleet-mostly-failing', {
        alarmDescription:
          'Fleet: half of the passes, or more, cannot run, so they have one cause in common. Compare the reasons in the alerts.',
        // Each pass gives 1 or 0. The share needs both, so this is the one metric that is always written.
        metric: new Metric({
          namespace: METRICS_NAMESPACE,
          metricName: METRIC.passesFailed,
          dimensionsMap: { service: METRICS_SERVICE, [PROJECT_DIMENSION]: FLEET_DIMENSION },
          statistic: 'Average',
          period,
        }),
        threshold: 0.5,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }),
    ];
  }

  /** Alarms about one project. */
  alarmsOf(project: string): readonly Alarm[] {
    return this.#ofProjects.get(project) ?? [];
  }

  /** One of three intervals is enough: a pass may start late, into the next interval, and the alarm should not end for that. */
  private alarmOnStopped(id: string, alarmDescription: string, metric: Metric, period: Duration): Alarm {
    return this.add(id, 'alarm-stopped', {
      alarmDescription,
      metric: metric.with({ period, statistic: 'Maximum' }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 3,
      datapointsToAlarm: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }

  private alarmAtOne(id: string, section: string, alarmDescription: string, metric: Metric): Alarm {
    return this.add(id, section, {
      alarmDescription,
      metric,
      threshold: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }

  /** Adds an alarm whose description ends with its section of the runbook. */
  private add(id: string, section: string, props: ConstructorParameters<typeof Alarm>[2]): Alarm {
    const alarmDescription = `${props.alarmDescription} ${this.#help(section)}`;
    const alarm = new Alarm(this, id, { ...props, alarmDescription });
    alarm.addAlarmAction(this.#action);
    alarm.addOkAction(this.#action);
    return alarm;
  }
}
