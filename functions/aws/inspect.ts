import { CloudWatchClient, paginateDescribeAlarms, paginateGetMetricData } from '@aws-sdk/client-cloudwatch';
import { GetScheduleCommand, paginateListSchedules, SchedulerClient } from '@aws-sdk/client-scheduler';
import { paginateListSubscriptionsByTopic, SNSClient } from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../guard/ports.ts';
import { plusMs } from '../guard/time.ts';
import { METRIC, METRICS_NAMESPACE, METRICS_SERVICE, PROJECT_DIMENSION } from './metrics.ts';

/** What a deployed stack tells of itself when asked, for `guard doctor`. Every question may fail by itself. */
export interface StackFacts {
  /** The schedules that start passes of a project. */
  schedules(project: string): Promise<readonly { readonly enabled: boolean; readonly expression: string }[]>;
  /** When a pass last succeeded within the last day; null when none did. */
  lastPass(project: string): Promise<string | null>;
  subscriptions(): Promise<readonly StackSubscription[]>;
  /** Messages in the dead-letter queue. */
  deadLetters(): Promise<number>;
  /** Names of the stack's alarms that are in alarm. */
  alarms(): Promise<readonly string[]>;
}

export interface StackSubscription {
  readonly topic: 'alerts' | 'alarms';
  readonly protocol: string;
  readonly endpoint: string;
  /** SNS delivers nothing before the endpoint's owner has confirmed. */
  readonly confirmed: boolean;
}

/**
 * @param output the value of one of the stack's outputs
 * @param stackName alarms are named after the stack
 */
export function inspectStack(stackName: string, output: (name: string) => string, clock: Clock): StackFacts {
  return {
    async schedules(project) {
      const client = new SchedulerClient();
      const target = `:function:${output('PassFunctionName')}`;
      const found: { enabled: boolean; expression: string }[] = [];
      for await (const { Schedules = [] } of paginateListSchedules({ client }, {})) {
        for (const { Name, GroupName, Target, State } of Schedules) {
          if (Target?.Arn?.endsWith(target) !== true) continue;
          // Only the schedule itself tells its input, which names the project.
          const schedule = await client.send(new GetScheduleCommand({ Name, GroupName }));
          if (schedule.Target?.Input !== JSON.stringify({ project })) continue;
          found.push({ enabled: State === 'ENABLED', expression: schedule.ScheduleExpression ?? '' });
        }
      }
      return found;
    },

    async lastPass(project) {
      const client = new CloudWatchClient();
      const now = clock.now();
      const Metric = {
        Namespace: METRICS_NAMESPACE,
        MetricName: METRIC.passesSucceeded,
        Dimensions: [
          { Name: 'service', Value: METRICS_SERVICE },
          { Name: PROJECT_DIMENSION, Value: project },
        ],
      };
      const query = {
        StartTime: new Date(plusMs(now, -DAY_MS)),
        EndTime: now,
        MetricDataQueries: [{ Id: 'passes', MetricStat: { Metric, Period: 60, Stat: 'Sum' } }],
      };
      let last: string | null = null;
      for await (const { MetricDataResults = [] } of paginateGetMetricData({ client }, query)) {
        for (const { Timestamps = [], Values = [] } of MetricDataResults) {
          Timestamps.forEach((at, index) => {
            const moment = at.toISOString();
            if ((Values[index] ?? 0) > 0 && (last === null || moment > last)) last = moment;
          });
        }
      }
      return last;
    },

    async subscriptions() {
      const client = new SNSClient();
      const found: StackSubscription[] = [];
      for (const [topic, name] of [
        ['alerts', 'AlertsTopicArn'],
        ['alarms', 'AlarmsTopicArn'],
      ] as const) {
        const pages = paginateListSubscriptionsByTopic({ client }, { TopicArn: output(name) });
        for await (const { Subscriptions = [] } of pages) {
          for (const { Protocol = '', Endpoint = '', SubscriptionArn = '' } of Subscriptions) {
            found.push({
              topic,
              protocol: Protocol,
              endpoint: Endpoint,
              confirmed: SubscriptionArn.startsWith('arn:'),
            });
          }
        }
      }
      return found;
    },

    async deadLetters() {
      // The queue is where the endpoint is, whatever host its URL names.
      const answer = await new SQSClient({ useQueueUrlAsEndpoint: false }).send(
        new GetQueueAttributesCommand({
          QueueUrl: output('DeadLetterQueueUrl'),
          AttributeNames: ['ApproximateNumberOfMessages'],
        }),
      );
      return Number(answer.Attributes?.ApproximateNumberOfMessages ?? 0);
    },

    async alarms() {
      const query = { AlarmNamePrefix: `${stackName}-`, StateValue: 'ALARM' } as const;
      const names: string[] = [];
      for await (const page of paginateDescribeAlarms({ client: new CloudWatchClient() }, query)) {
        names.push(...(page.MetricAlarms ?? []).flatMap(({ AlarmName }) => AlarmName ?? []));
      }
      return names;
    },
  };
}

const DAY_MS = 24 * 60 * 60 * 1_000;
