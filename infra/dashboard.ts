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
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { dashboardOf, PROJECTS_PER_DASHBOARD } from '../functions/aws/console.ts';
import {
  FLEET_DIMENSION,
  METRIC,
  METRICS_NAMESPACE,
  METRICS_SERVICE,
  PROJECT_DIMENSION,
} from '../functions/aws/metric-names.ts';
import type { Alerts } from './alerts.ts';
import type { Fleet } from './fleet.ts';
import { MEMORY_MB } from './guard-function.ts';
import type { Monitoring } from './monitoring.ts';

export interface GuardDashboardProps {
  /** Name of the first; with many projects there are more (`dashboardOf`). */
  readonly dashboardName: string;
  readonly projects: readonly string[];
  readonly intervalMinutes: number;
  /** Null: no project is listed. */
  readonly passFunction: LambdaFunction | null;
  readonly fleet: Fleet | null;
  readonly panelFunction: LambdaFunction;
  readonly actFunction: LambdaFunction;
  readonly ledger: ITable;
  readonly alerts: Alerts;
  readonly deadLetters: IQueue;
  readonly monitoring: Monitoring;
  /** Address of the runbook; null: there is none. */
  readonly runbook: string | null;
}

/** CloudWatch divides a dashboard's width into this many. */
const FULL = 24;
const HALF = 12;
const THIRD = 8;

/** The project or fleet whose metrics a widget shows. */
interface Shown {
  readonly title: string;
  readonly dimension: string;
  /** Of the fleet: completed runs, in each of which its projects' numbers add up. Null: one project, whose passes repeat them. */
  readonly runs: IMetric | null;
}

/**
 * Alarms and numbers come first, then the control panel of each project, then the details: passes, states, trips, the API, alerts,
 * the functions and their cost.
 */
export class GuardDashboard extends Construct {
  readonly #period: Duration;

  constructor(scope: Construct, id: string, props: GuardDashboardProps) {
    super(scope, id);
    this.#period = Duration.minutes(Math.max(5, props.intervalMinutes));
    const { projects } = props;
    // Without listed projects there is one too, for the fleet.
    for (let first = 0; first === 0 || first < projects.length; first += PROJECTS_PER_DASHBOARD) {
      this.addDashboard(props, projects.slice(first, first + PROJECTS_PER_DASHBOARD), first === 0);
    }
  }

  /** A dashboard of some of the projects. Each dashboard also has what the projects share. */
  private addDashboard(props: GuardDashboardProps, projects: readonly string[], isFirst: boolean): void {
    const { fleet } = props;
    const [project = ''] = projects;
    const dashboardName = dashboardOf(props.dashboardName, props.projects, project);
    const dashboard = new Dashboard(this, isFirst ? 'Dashboard' : `DashboardFrom-${project}`, {
      dashboardName,
      defaultInterval: Duration.days(1),
      periodOverride: PeriodOverride.AUTO,
    });
    dashboard.addWidgets(
      new AlarmStatusWidget({
        title: 'Guard health',
        alarms: [...props.monitoring.shared, ...projects.flatMap((name) => props.monitoring.alarmsOf(name))],
        width: FULL,
        height: 3,
      }),
    );
    for (const name of projects) {
      const ofProject: Shown = { title: name, dimension: name, runs: null };
      dashboard.addWidgets(this.numbers(ofProject));
      dashboard.addWidgets(panel(props, `${name}: control panel`, { project: name }));
      dashboard.addWidgets(this.passes(ofProject, HALF), this.states(ofProject));
      dashboard.addWidgets(this.circuits(ofProject), this.api(ofProject), this.alertsOf(ofProject));
    }
    if (fleet !== null && isFirst) {
      const runs = fleet.stateMachine.metricSucceeded({ period: this.#period, statistic: 'Sum' });
      const ofFleet: Shown = { title: 'Fleet', dimension: FLEET_DIMENSION, runs };
      dashboard.addWidgets(this.numbers(ofFleet));
      dashboard.addWidgets(panel(props, 'Fleet: control panel of any project', { fleet: true }));
      dashboard.addWidgets(this.passes(ofFleet, THIRD), this.runs(fleet), this.states(ofFleet, THIRD));
      dashboard.addWidgets(this.circuits(ofFleet), this.api(ofFleet), this.alertsOf(ofFleet));
    }
    dashboard.addWidgets(
      new TextWidget({
        markdown: `### Guard health and cost\nIf an alarm is red, read what to do in ${linkTo(props.runbook)}.`,
        background: TextWidgetBackground.TRANSPARENT,
        width: FULL,
        height: 2,
      }),
    );
    dashboard.addWidgets(...this.health(props));
    dashboard.addWidgets(...this.costs(props));
  }

  private metric({ dimension }: Shown, metricName: string, label: string, statistic: string): Metric {
    return new Metric({
      namespace: METRICS_NAMESPACE,
      metricName,
      dimensionsMap: { service: METRICS_SERVICE, [PROJECT_DIMENSION]: dimension },
      statistic,
      label,
      period: this.#period,
    });
  }

  /** A number that has a value at every moment, such as how many are paused. */
  private level(shown: Shown, metricName: string, label: string, color?: string): IMetric {
    const look = color === undefined ? { label } : { label, color };
    if (shown.runs === null) return this.metric(shown, metricName, label, 'Maximum').with(look);
    const sum = `all${metricName}`;
    return new MathExpression({
      expression: `FILL(${sum}, 0) / runs`,
      usingMetrics: { [sum]: this.metric(shown, metricName, label, 'Sum'), runs: shown.runs },
      period: this.#period,
      ...look,
    });
  }

  private numbers(shown: Shown): SingleValueWidget {
    return new SingleValueWidget({
      title: `${shown.title}: now`,
      metrics: [
        this.level(shown, METRIC.active, 'active'),
        this.level(shown, METRIC.paused, 'paused'),
        this.level(shown, METRIC.suspended, 'suspended by Qonversion'),
        this.level(shown, METRIC.held, 'pauses held back'),
        this.level(shown, METRIC.sharedOutages, 'shared outages'),
        this.level(shown, METRIC.invalidRecords, 'unreadable'),
        this.metric(shown, METRIC.alertsUndelivered, 'alerts not accepted', 'Sum'),
      ],
      width: FULL,
      height: 3,
    });
  }

  private passes(shown: Shown, width: number): GraphWidget {
    return this.graph(`${shown.title}: passes`, width, {
      left: [
        this.metric(shown, METRIC.passesSucceeded, 'succeeded', 'Sum').with({ color: '#2ca02c' }),
        this.metric(shown, METRIC.passesFailed, 'failed', 'Sum').with({ color: '#d62728' }),
        this.metric(shown, METRIC.notStarted, 'left for the next pass', 'Sum').with({ color: '#9467bd' }),
      ],
      right: [this.metric(shown, METRIC.passDuration, 'duration (p95)', 'p95').with({ color: '#7f7f7f' })],
      rightLabel: 'ms',
    });
  }

  private states(shown: Shown, width = HALF): GraphWidget {
    return this.graph(`${shown.title}: integrations by state`, width, {
      left: [
        this.level(shown, METRIC.active, 'active', '#2ca02c'),
        this.level(shown, METRIC.paused, 'paused', '#7f7f7f'),
        this.level(shown, METRIC.suspended, 'suspended by Qonversion', '#d62728'),
        this.level(shown, METRIC.invalidRecords, 'unreadable', '#9467bd'),
      ],
      stacked: true,
    });
  }

  private runs({ stateMachine }: Fleet): GraphWidget {
    const sum = { period: this.#period, statistic: 'Sum' };
    return this.graph('Fleet: runs', THIRD, {
      left: [
        stateMachine.metricSucceeded({ ...sum, label: 'completed', color: '#2ca02c' }),
        stateMachine.metricFailed({ ...sum, label: 'failed', color: '#d62728' }),
        stateMachine.metricTimedOut({ ...sum, label: 'timed out', color: '#ff7f0e' }),
      ],
      right: [
        stateMachine.metricTime({ period: this.#period, statistic: 'Maximum', label: 'longest', color: '#7f7f7f' }),
      ],
      rightLabel: 'ms',
    });
  }

  private circuits(shown: Shown): GraphWidget {
    return this.graph(`${shown.title}: trips, probes, recoveries`, THIRD, {
      left: [
        this.metric(shown, METRIC.trips, 'trips', 'Sum').with({ color: '#d62728' }),
        this.metric(shown, METRIC.probes, 'probes', 'Sum').with({ color: '#1f77b4' }),
        this.metric(shown, METRIC.recoveries, 'recoveries', 'Sum').with({ color: '#2ca02c' }),
        this.level(shown, METRIC.held, 'held back', '#ff7f0e'),
        this.metric(shown, METRIC.actsFailed, 'refused by Qonversion', 'Sum').with({ color: '#9467bd' }),
      ],
    });
  }

  private api(shown: Shown): GraphWidget {
    return this.graph(`${shown.title}: Qonversion API`, THIRD, {
      left: [
        this.metric(shown, METRIC.apiRequests, 'requests', 'Sum').with({ color: '#1f77b4' }),
        this.metric(shown, METRIC.apiRetries, 'retries', 'Sum').with({ color: '#ff7f0e' }),
      ],
      right: [
        this.metric(shown, METRIC.apiLatency, 'mean latency', 'Average').with({ color: '#7f7f7f' }),
        this.metric(shown, METRIC.apiLatency, 'slowest pass', 'Maximum').with({ color: '#c7c7c7' }),
      ],
      rightLabel: 'ms',
    });
  }

  private alertsOf(shown: Shown): GraphWidget {
    return this.graph(`${shown.title}: alerts`, THIRD, {
      left: [
        this.metric(shown, METRIC.alertsDelivered, 'sent', 'Sum').with({ color: '#1f77b4' }),
        this.metric(shown, METRIC.alertsUndelivered, 'not accepted', 'Sum').with({ color: '#d62728' }),
      ],
    });
  }

  private health(props: GuardDashboardProps): GraphWidget[] {
    const { alerts, deadLetters } = props;
    const functions = functionsOf(props);
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
      this.graph('Messages not delivered', THIRD, {
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

  private costs(props: GuardDashboardProps): GraphWidget[] {
    const { ledger, alerts } = props;
    const passFunctions = passFunctionsOf(props);
    const gigabytes = MEMORY_MB / 1_024;
    const sum = { period: this.#period, statistic: 'Sum' };
    const using = Object.fromEntries(
      functionsOf(props).map(([, each], index) => [`d${index}`, each.metricDuration(sum)]),
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
        right: passFunctions.map(([label, each]) => each.metricInvocations({ ...sum, label: `${label}: started` })),
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
        right: passFunctions.map(
          ([label, each]) =>
            new Metric({
              namespace: 'AWS/Logs',
              metricName: 'IncomingBytes',
              dimensionsMap: { LogGroupName: each.logGroup.logGroupName },
              ...sum,
              label: `log bytes of ${label}`,
            }),
        ),
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

type Named = readonly (readonly [string, LambdaFunction])[];

function passFunctionsOf({ passFunction, fleet }: GuardDashboardProps): Named {
  return [
    ...(passFunction === null ? [] : ([['pass', passFunction]] as const)),
    ...(fleet === null ? [] : ([['fleet pass', fleet.passFunction]] as const)),
  ];
}

function functionsOf(props: GuardDashboardProps): Named {
  return [...passFunctionsOf(props), ['panel', props.panelFunction], ['buttons', props.actFunction]];
}

function panel(
  { panelFunction }: GuardDashboardProps,
  title: string,
  params: Readonly<Record<string, string | boolean>>,
): CustomWidget {
  return new CustomWidget({
    title,
    functionArn: panelFunction.functionArn,
    params,
    updateOnRefresh: true,
    // Neither changes the ledger or the list.
    updateOnResize: false,
    updateOnTimeRangeChange: false,
    width: FULL,
    height: 14,
  });
}

function linkTo(runbook: string | null): string {
  return runbook === null ? "the alarm's description" : `[the runbook](${runbook})`;
}
