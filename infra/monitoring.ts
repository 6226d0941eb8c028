import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { METRIC, METRICS_NAMESPACE, METRICS_SERVICE, PROJECT_DIMENSION } from '../functions/aws/metrics.ts';

export interface MonitoringProps {
  readonly passFunction: LambdaFunction;
  readonly deadLetters: IQueue;
  readonly alarmsTopic: ITopic;
  readonly projects: readonly string[];
  readonly intervalMinutes: number;
  /** Where the runbook is. */
  readonly runbook: string;
}

/** Alarms about the guard itself: they speak when it cannot. */
export class Monitoring extends Construct {
  /** About what all projects share. */
  readonly shared: readonly Alarm[];
  readonly #ofProjects = new Map<string, readonly Alarm[]>();
  readonly #action: SnsAction;
  readonly #runbook: string;

  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    this.#action = new SnsAction(props.alarmsTopic);
    this.#runbook = props.runbook;
    const interval = Duration.minutes(props.intervalMinutes);
    const period = Duration.minutes(Math.max(5, props.intervalMinutes));

    this.shared = [
      this.alarmAtOne(
        'PassErrors',
        'alarm-pass-errors',
        'A pass failed or crashed: its integrations may not be guarded. See the log of the pass function.',
        props.passFunction.metricErrors({ period }),
      ),
      this.alarmAtOne(
        'PassThrottles',
        'alarm-pass-throttles',
        'Lambda throttled a pass: the account runs out of concurrency.',
        props.passFunction.metricThrottles({ period }),
      ),
      this.alarmAtOne(
        'DeadLetters',
        'alarm-dead-letters',
        'A schedule or an alert could not be delivered; the message is in the dead-letter queue.',
        props.deadLetters.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(5) }),
      ),
    ];

    for (const project of props.projects) {
      const metric = (metricName: string, options: { readonly period: Duration }) =>
        new Metric({
          namespace: METRICS_NAMESPACE,
          metricName,
          dimensionsMap: { service: METRICS_SERVICE, [PROJECT_DIMENSION]: project },
          statistic: 'Sum',
          ...options,
        });
      const pausesFailed = this.alarmAtOne(
        `PausesFailed-${project}`,
        'alarm-pauses-failed',
        `Project ${project}: Qonversion did not do what the guard asked for. See the alerts and the log.`,
        metric(METRIC.actsFailed, { period }),
      );
      const noPass = this.add(`NoPass-${project}`, 'alarm-no-pass', {
        alarmDescription: `Project ${project}: no successful pass for three intervals, so nothing is guarded.`,
        metric: metric(METRIC.passesSucceeded, { period: interval }),
        threshold: 1,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: 3,
        // Silence is the worst state of all.
        treatMissingData: TreatMissingData.BREACHING,
      });
      this.#ofProjects.set(project, [pausesFailed, noPass]);
    }
  }

  /** Those about one project. */
  alarmsOf(project: string): readonly Alarm[] {
    return this.#ofProjects.get(project) ?? [];
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
    const alarmDescription = `${props.alarmDescription} Help: ${this.#runbook}#${section}`;
    const alarm = new Alarm(this, id, { ...props, alarmDescription });
    alarm.addAlarmAction(this.#action);
    alarm.addOkAction(this.#action);
    return alarm;
  }
}
