import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  CustomWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  LegendPosition,
  LogQueryVisualizationType,
  LogQueryWidget,
  type Metric,
  PeriodOverride,
  TextWidget,
  TextWidgetBackground,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { dashboardOf, PROJECTS_PER_DASHBOARD } from '../functions/aws/console.ts';
import { FLEET_DIMENSION } from '../functions/aws/metric-names.ts';
import type { Alerts } from './alerts.ts';
import type { Fleet } from './fleet.ts';
import type { Monitoring } from './monitoring.ts';
import type { PanelFunctions } from './panel-functions.ts';

export interface GuardDashboardProps extends PanelFunctions {
  /** Name of the first; with many projects there are more (`dashboardOf`). */
  readonly dashboardName: string;
  readonly projects: readonly string[];
  readonly intervalMinutes: number;
  /** Null: no project is listed. */
  readonly passFunction: LambdaFunction | null;
  readonly fleet: Fleet | null;
  readonly alerts: Alerts;
  readonly deadLetters: IQueue;
  readonly monitoring: Monitoring;
  readonly metricStopped: (project: string) => Metric;
  /** Address of the runbook; null: there is none. */
  readonly runbook: string | null;
}

/** CloudWatch divides a dashboard's width into this many. */
const FULL = 24;
const HALF = 12;
const THIRD = 8;

/**
 * Alarms come first, then the control panel of each project, then the passes that did something, and the health of the
 * functions and messages. The figures of passes come from their log lines, because metrics for them would cost more
 * than everything else.
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
    const fleet = isFirst ? props.fleet : null;
    const [project = ''] = projects;
    const dashboardName = dashboardOf(props.dashboardName, props.projects, project);
    const dashboard = new Dashboard(this, isFirst ? 'Dashboard' : `DashboardFrom-${project}`, {
      dashboardName,
      defaultInterval: Duration.days(1),
      periodOverride: PeriodOverride.AUTO,
    });
    dashboard.addWidgets(
      new AlarmStatusWidget({
        title: 'Alarms',
        alarms: [...props.monitoring.shared, ...projects.flatMap((name) => props.monitoring.alarmsOf(name))],
        width: FULL,
        height: 3,
      }),
    );
    for (const name of projects) {
      dashboard.addWidgets(panel(props, `${name}: control panel`, { project: name }));
    }
    if (fleet !== null) dashboard.addWidgets(panel(props, 'Fleet: control panel of any project', { fleet: true }));
    const shown = [...projects, ...(fleet === null ? [] : [FLEET_DIMENSION])];
    dashboard.addWidgets(
      this.graph('Stopped, and not by an operator', fleet === null ? FULL : HALF, {
        left: shown.map((name) => props.metricStopped(name).with({ period: this.#period, label: name })),
      }),
      ...(fleet === null ? [] : [this.runs(fleet)]),
    );
    dashboard.addWidgets(this.busyPasses(props, projects, fleet), this.requests(props, projects, fleet));
    dashboard.addWidgets(
      new TextWidget({
        markdown: `### Guard health\nIf an alarm is red, read what to do in ${linkTo(props.runbook)}.`,
        background: TextWidgetBackground.TRANSPARENT,
        width: FULL,
        height: 2,
      }),
    );
    dashboard.addWidgets(...this.health(props));
  }

  private runs({ stateMachine }: Fleet): GraphWidget {
    const sum = { period: this.#period, statistic: 'Sum' };
    return this.graph('Fleet: runs', HALF, {
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

  private busyPasses(props: GuardDashboardProps, projects: readonly string[], fleet: Fleet | null): LogQueryWidget {
    return new LogQueryWidget({
      title: 'Passes that failed or did something',
      logGroupNames: logsOf(props, projects, fleet),
      view: LogQueryVisualizationType.TABLE,
      queryLines: [
        'fields @timestamp, project, trips, probes, recoveries, held, alertsDelivered, failure',
        ...ofPasses(projects, fleet),
        'filter ispresent(failure) or trips + probes + recoveries + alertsDelivered > 0',
        'sort @timestamp desc',
        'limit 50',
      ],
      width: HALF,
      height: 6,
    });
  }

  private requests(props: GuardDashboardProps, projects: readonly string[], fleet: Fleet | null): LogQueryWidget {
    return new LogQueryWidget({
      title: 'Qonversion API: requests, retries and mean latency (ms)',
      logGroupNames: logsOf(props, projects, fleet),
      view: LogQueryVisualizationType.LINE,
      queryLines: [
        ...ofPasses(projects, fleet),
        'stats sum(apiRequests) as requests, sum(apiRetries) as retries, avg(apiLatencyMs) as latency by bin(15m)',
      ],
      width: HALF,
      height: 6,
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

  private graph(
    title: string,
    width: number,
    options: {
      readonly left: IMetric[];
      readonly right?: IMetric[];
      readonly leftLabel?: string;
      readonly rightLabel?: string;
    },
  ): GraphWidget {
    const { left, right = [], leftLabel, rightLabel } = options;
    return new GraphWidget({
      title,
      left,
      right,
      width,
      height: 6,
      legendPosition: LegendPosition.BOTTOM,
      leftYAxis: { min: 0, showUnits: false, ...(leftLabel === undefined ? {} : { label: leftLabel }) },
      rightYAxis: { min: 0, showUnits: false, ...(rightLabel === undefined ? {} : { label: rightLabel }) },
    });
  }
}

type Named = readonly (readonly [string, LambdaFunction])[];

function passFunctionsOf({ passFunction, fleet }: Pick<GuardDashboardProps, 'passFunction' | 'fleet'>): Named {
  return [
    ...(passFunction === null ? [] : ([['pass', passFunction]] as const)),
    ...(fleet === null ? [] : ([['fleet pass', fleet.passFunction]] as const)),
  ];
}

function functionsOf(props: GuardDashboardProps): Named {
  return [...passFunctionsOf(props), ['panel', props.panelFunction], ['buttons', props.actFunction]];
}

/** The logs of the passes over these projects and the fleet. */
function logsOf({ passFunction }: GuardDashboardProps, projects: readonly string[], fleet: Fleet | null): string[] {
  const functions = passFunctionsOf({ passFunction: projects.length === 0 ? null : passFunction, fleet });
  return functions.map(([, { logGroup }]) => logGroup.logGroupName);
}

/** Selects the line that ends a pass, over these projects and the fleet. */
function ofPasses(projects: readonly string[], fleet: Fleet | null): string[] {
  const names = projects.map((name) => `"${name}"`).join(', ');
  return ['filter ispresent(apiRequests)', ...(fleet === null ? [`filter project in [${names}]`] : [])];
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
