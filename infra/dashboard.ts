import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  CustomWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  LegendPosition,
  MathExpression,
  Metric,
  PeriodOverride,
  SingleValueWidget,
  TextWidget,
  TextWidgetBackground,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { dashboardOf, PROJECTS_PER_DASHBOARD } from '../functions/aws/console.ts';
import { METRIC, METRICS_NAMESPACE, METRICS_SERVICE, PROJECT_DIMENSION } from '../functions/aws/metrics.ts';
import type { Alerts } from './alerts.ts';
import { MEMORY_MB } from './guard-function.ts';
import type { Monitoring } from './monitoring.ts';

export interface GuardDashboardProps {
  /** Name of the first; with many projects there are more (`dashboardOf`). */
  readonly dashboardName: string;
  readonly projects: readonly string[];
  readonly intervalMinutes: number;
  readonly passFunction: LambdaFunction;
  readonly panelFunction: LambdaFunction;
  readonly actFunction: LambdaFunction;
  readonly ledger: Table;
  readonly alerts: Alerts;
  readonly deadLetters: Queue;
  readonly monitoring: Monitoring;
  readonly runbook: string;
}

/** CloudWatch divides a dashboard's width into this many. */
const FULL = 24;
const HALF = 12;
const THIRD = 8;

/**
 * One look says whether all is well: alarms and numbers first, then the control panel of each project, then what one looks
 * into when something is not: passes, states, trips, the API, alerts, the functions, and what costs money.
 */
export class GuardDashboard extends Construct {
  readonly #period: Duration;

  constructor(scope: Construct, id: string, props: GuardDashboardProps) {
    super(scope, id);
    this.#period = Duration.minutes(Math.max(5, props.intervalMinutes));
    const { projects } = props;
    for (let first = 0; first < projects.length; first += PROJECTS_PER_DASHBOARD) {
      this.addDashboard(props, projects.slice(first, first + PROJECTS_PER_DASHBOARD), first === 0);
    }
  }

  /** A dashboard of some of the projects; what they share stands on each, so that one look at any is enough. */
  private addDashboard(props: GuardDashboardProps, projects: readonly string[], isFirst: boolean): void {
    const [project = ''] = projects;
    const dashboardName = dashboardOf(props.dashboardName, props.projects, project);
    const dashboard = new Dashboard(this, isFirst ? 'Dashboard' : `DashboardFrom-${project}`, {
      dashboardName,
      defaultInterval: Duration.days(1),
      periodOverride: PeriodOverride.AUTO,
    });
    dashboard.addWidgets(
      new AlarmStatusWidget({
        title: 'Is the guard itself well? All green: it is',
        alarms: [...props.monitoring.shared, ...projects.flatMap((name) => props.monitoring.alarmsOf(name))],
        width: FULL,
        height: 3,
      }),
    );
    for (const name of projects) {
      dashboard.addWidgets(this.numbers(name));
      dashboard.addWidgets(
        new CustomWidget({
          title: `${name}: control panel`,
          functionArn: props.panelFunction.functionArn,
          params: { project: name },
          updateOnRefresh: true,
          // Neither says anything that is not in the ledger and the list already.
          updateOnResize: false,
          updateOnTimeRangeChange: false,
          width: FULL,
          height: 14,
        }),
      );
      dashboard.addWidgets(this.passes(name), this.states(name));
      dashboard.addWidgets(this.circuits(name), this.api(name), this.alertsOf(name));
    }
    dashboard.addWidgets(
      new TextWidget({
        markdown: `### The guard's own health and cost\nAn alarm is red? What it means and what to do: ${linkTo(props.runbook)}.`,
        background: TextWidgetBackground.TRANSPARENT,
        width: FULL,
        height: 2,
      }),
    );
    dashboard.addWidgets(...this.health(props));
    dashboard.addWidgets(...this.costs(props));
  }

  private metric(project: string, metricName: string, label: string, statistic: string): Metric {
    return new Metric({
      namespace: METRICS_NAMESPACE,
      metricName,
      dimensionsMap: { service: METRICS_SERVICE, [PROJECT_DIMENSION]: project },
      statistic,
      label,
      period: this.#period,
    });
  }

  private numbers(project: string): SingleValueWidget {
    return new SingleValueWidget({
      title: `${project}: now`,
      metrics: [
        this.metric(project, METRIC.active, 'active', 'Maximum'),
        this.metric(project, METRIC.paused, 'paused', 'Maximum'),
        this.metric(project, METRIC.suspended, 'suspended by Qonversion', 'Maximum'),
        this.metric(project, METRIC.held, 'pauses held back', 'Maximum'),
        this.metric(project, METRIC.invalidRecords, 'unreadable', 'Maximum'),
        this.metric(project, METRIC.alertsUntold, 'alerts not accepted', 'Sum'),
      ],
      width: FULL,
      height: 3,
    });
  }

  private passes(project: string): GraphWidget {
    return this.graph(`${project}: passes`, HALF, {
      left: [
        this.metric(project, METRIC.passesSucceeded, 'succeeded', 'Sum').with({ color: '#2ca02c' }),
        this.metric(project, METRIC.passesFailed, 'failed', 'Sum').with({ color: '#d62728' }),
        this.metric(project, METRIC.notStarted, 'decisions left for the next pass', 'Sum').with({ color: '#9467bd' }),
      ],
      right: [this.metric(project, METRIC.passDuration, 'duration (p95)', 'p95').with({ color: '#7f7f7f' })],
      rightLabel: 'ms',
    });
  }

  private states(project: string): GraphWidget {
    return this.graph(`${project}: integrations by state`, HALF, {
      left: [
        this.metric(project, METRIC.active, 'active', 'Maximum').with({ color: '#2ca02c' }),
        this.metric(project, METRIC.paused, 'paused', 'Maximum').with({ color: '#7f7f7f' }),
        this.metric(project, METRIC.suspended, 'suspended by Qonversion', 'Maximum').with({ color: '#d62728' }),
        this.metric(project, METRIC.invalidRecords, 'unreadable', 'Maximum').with({ color: '#9467bd' }),
      ],
      stacked: true,
    });
  }

  private circuits(project: string): GraphWidget {
    return this.graph(`${project}: trips, trials, recoveries`, THIRD, {
      left: [
        this.metric(project, METRIC.trips, 'trips', 'Sum').with({ color: '#d62728' }),
        this.metric(project, METRIC.probes, 'trials', 'Sum').with({ color: '#1f77b4' }),
        this.metric(project, METRIC.recoveries, 'recoveries', 'Sum').with({ color: '#2ca02c' }),
        this.metric(project, METRIC.held, 'held back', 'Maximum').with({ color: '#ff7f0e' }),
        this.metric(project, METRIC.actsFailed, 'refused by Qonversion', 'Sum').with({ color: '#9467bd' }),
      ],
    });
  }

  private api(project: string): GraphWidget {
    return this.graph(`${project}: Qonversion API`, THIRD, {
      left: [
        this.metric(project, METRIC.apiRequests, 'requests', 'Sum').with({ color: '#1f77b4' }),
        this.metric(project, METRIC.apiRetries, 'retries', 'Sum').with({ color: '#ff7f0e' }),
      ],
      right: [
        this.metric(project, METRIC.apiLatency, 'mean latency', 'Average').with({ color: '#7f7f7f' }),
        this.metric(project, METRIC.apiLatency, 'slowest pass', 'Maximum').with({ color: '#c7c7c7' }),
      ],
      rightLabel: 'ms',
    });
  }

  private alertsOf(project: string): GraphWidget {
    return this.graph(`${project}: alerts`, THIRD, {
      left: [
        this.metric(project, METRIC.alertsTold, 'sent', 'Sum').with({ color: '#1f77b4' }),
        this.metric(project, METRIC.alertsUntold, 'not accepted', 'Sum').with({ color: '#d62728' }),
      ],
    });
  }

  private health({
    passFunction,
    panelFunction,
    actFunction,
    alerts,
    deadLetters,
  }: GuardDashboardProps): GraphWidget[] {
    const functions = [
      ['pass', passFunction],
      ['panel', panelFunction],
      ['buttons', actFunction],
    ] as const;
    const of = (name: 'metricErrors' | 'metricThrottles', what: string) =>
      functions.map(([label, each]) => each[name]({ period: this.#period, label: `${label} ${what}` }));
    const failed = (topic: ITopic, label: string) =>
      topic.metricNumberOfNotificationsFailed({ period: this.#period, statistic: 'Sum', label });
    return [
      this.graph('Functions: errors and throttles', THIRD, {
        left: [...of('metricErrors', 'errors'), ...of('metricThrottles', 'throttles')],
      }),
      this.graph('Functions: duration (p95)', THIRD, {
        left: functions.map(([label, each]) => each.metricDuration({ period: this.#period, statistic: 'p95', label })),
        leftLabel: 'ms',
      }),
      this.graph('What could not be delivered', THIRD, {
        left: [
          failed(alerts.topic, 'alerts'),
          failed(alerts.alarmsTopic, 'alarms'),
          deadLetters.metricApproximateNumberOfMessagesVisible({
            period: this.#period,
            statistic: 'Maximum',
            label: 'dead letters waiting',
          }),
        ],
      }),
    ];
  }

  private costs({ passFunction, panelFunction, actFunction, ledger, alerts }: GuardDashboardProps): GraphWidget[] {
    const gigabytes = MEMORY_MB / 1_024;
    const sum = { period: this.#period, statistic: 'Sum' };
    const using = Object.fromEntries(
      [passFunction, panelFunction, actFunction].map((each, index) => [`d${index}`, each.metricDuration(sum)]),
    );
    return [
      this.graph('Cost: Lambda', THIRD, {
        left: [
          new MathExpression({
            expression: `(${Object.keys(using)
              .map((name) => `FILL(${name}, 0)`)
              .join(' + ')}) / 1000 * ${gigabytes}`,
            usingMetrics: using,
            label: 'GB-seconds',
            period: this.#period,
          }),
        ],
        right: [passFunction.metricInvocations({ ...sum, label: 'passes started' })],
      }),
      this.graph('Cost: ledger', THIRD, {
        left: [
          ledger.metricConsumedReadCapacityUnits({ ...sum, label: 'read units' }),
          ledger.metricConsumedWriteCapacityUnits({ ...sum, label: 'write units' }),
        ],
      }),
      this.graph('Cost: messages and logs', THIRD, {
        left: [
          alerts.topic.metricNumberOfMessagesPublished({ ...sum, label: 'messages published' }),
          alerts.topic.metricNumberOfNotificationsDelivered({ ...sum, label: 'notifications delivered' }),
        ],
        right: [
          new Metric({
            namespace: 'AWS/Logs',
            metricName: 'IncomingBytes',
            dimensionsMap: { LogGroupName: passFunction.logGroup.logGroupName },
            ...sum,
            label: 'log bytes of passes',
          }),
        ],
      }),
    ];
  }

  private graph(
    title: string,
    width: number,
    options: {
      readonly left: IMetric[];
      readonly right?: IMetric[];
      readonly leftLabel?: string;
      readonly rightLabel?: string;
      readonly stacked?: boolean;
    },
  ): GraphWidget {
    const { left, right = [], leftLabel, rightLabel, stacked = false } = options;
    return new GraphWidget({
      title,
      left,
      right,
      stacked,
      width,
      height: 6,
      legendPosition: LegendPosition.BOTTOM,
      leftYAxis: { min: 0, showUnits: false, ...(leftLabel === undefined ? {} : { label: leftLabel }) },
      rightYAxis: { min: 0, showUnits: false, ...(rightLabel === undefined ? {} : { label: rightLabel }) },
    });
  }
}

/** A link on a dashboard has to be absolute; the page as it lies beside the code is named. */
function linkTo(runbook: string): string {
  return runbook.startsWith('https://') ? `[the runbook](${runbook})` : `the runbook, \`${runbook}\``;
}
