import { CloudWatchClient, paginateDescribeAlarms, paginateGetMetricData } from '@aws-sdk/client-cloudwatch';
import { GetScheduleCommand, paginateListSchedules, SchedulerClient } from '@aws-sdk/client-scheduler';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DescribeMapRunCommand, ListExecutionsCommand, paginateListMapRuns, SFNClient } from '@aws-sdk/client-sfn';
import { paginateListSubscriptionsByTopic, SNSClient, type Subscription } from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { parseChatTopics, parseIncidentTools } from '../aws/environment.ts';
import {
  DEFAULT_SCHEDULE_GROUP,
  SCHEDULER_GROUP_DIMENSION,
  SCHEDULER_NAMESPACE,
  SCHEDULER_STARTS,
} from '../aws/metric-names.ts';
import { listTaggedSecrets, type TaggedSecret } from '../aws/tagged-secrets.ts';
import type { Clock } from '../guard/ports.ts';
import type { FleetSettings, Settings } from '../guard/settings/schema.ts';
import { MINUTE_MS, plusMs } from '../guard/text/time.ts';

/** Facts about a deployed stack, for `integration-guard doctor`. Each query may fail on its own. */
export interface StackFacts {
  /** The version of the package that the stack was deployed with; null: before 0.2.0, which did not record it. */
  readonly version: string | null;
  /** When the stack was created or last updated; null: unknown. */
  readonly deployedAt: string | null;
  /** In the words of CloudFormation. */
  readonly status: string;
  /** How far AWS's clock is ahead of ours, in milliseconds; 0 when that is less than five minutes. */
  readonly clockAheadMs: number;
  /** The schedules that start passes of a listed project. */
  schedules(project: string): Promise<readonly StackSchedule[]>;
  /** When a schedule of the group last started a pass; null: not within that many minutes. */
  lastPass(scheduleGroup: string, withinMinutes: number): Promise<string | null>;
  subscriptions(): Promise<readonly StackSubscription[]>;
  /** Failed deliveries of SNS within the last day, by topic. Each HTTPS retry counts. Topics without failures are left out. */
  failedNotifications(): Promise<readonly FailedNotifications[]>;
  /** Messages in the dead-letter queue. */
  deadLetters(): Promise<number>;
  /** The queues of the incident tools; null: the stack has no incident tool. */
  incidents(): Promise<IncidentQueues | null>;
  /** Names of the stack's alarms that are in alarm. */
  alarms(): Promise<readonly string[]>;
  /** Null: the stack has no fleet. */
  readonly fleet: FleetFacts | null;
}

export interface IncidentQueues {
  /** Messages that a tool has not accepted yet, by tool. */
  readonly waiting: readonly { readonly tool: string; readonly count: number }[];
  /** Messages in the dead-letter queue that the tools share. */
  readonly deadLetters: number;
}

export interface StackSchedule {
  readonly enabled: boolean;
  readonly expression: string;
  readonly group: string;
  /** Null: unknown. */
  readonly createdAt: string | null;
}

export interface FailedNotifications {
  /** The name of the topic. */
  readonly topic: string;
  readonly count: number;
}

export interface FleetFacts {
  /** The schedules that start runs over the fleet. */
  schedules(): Promise<readonly StackSchedule[]>;
  secrets(): Promise<readonly TaggedSecret[]>;
  /** The latest runs, newest first. */
  runs(): Promise<readonly FleetRun[]>;
  /** The number of passes in a run, and the number that could not run. */
  passesOf(run: FleetRun): Promise<{ readonly total: number; readonly failed: number }>;
}

/** One execution of the fleet's state machine. */
export interface FleetRun {
  readonly id: string;
  /** In the words of Step Functions. */
  readonly status: string;
  /** Null while it runs. */
  readonly endedAt: string | null;
}

export interface StackSubscription {
  readonly topic: 'alerts' | 'alarms';
  /** "chat" for a channel of Slack or Microsoft Teams. */
  readonly protocol: string;
  readonly endpoint: string;
  /** SNS delivers nothing until the endpoint's owner has confirmed. */
  readonly confirmed: boolean;
}

/** The facts about a stack from its outputs and settings. */
interface InspectedStack extends Pick<StackFacts, 'version' | 'status' | 'deployedAt' | 'clockAheadMs'> {
  readonly settings: Settings;
  /** The value of a stack output. */
  readonly output: (name: string) => string;
}

/**
 * @param stack its settings, the values of its outputs, and what CloudFormation says of it
 */
export function inspectStack(stack: InspectedStack, clock: Clock): StackFacts {
  const { settings, output } = stack;
  const { fleet } = settings;
  const chatTopics = () => parseChatTopics(output('ChatTopics')).map(({ topicArn }) => topicArn);
  return {
    version: stack.version,
    status: stack.status,
    deployedAt: stack.deployedAt,
    clockAheadMs: stack.clockAheadMs,
    fleet: fleet === undefined ? null : inspectFleet({ ...settings, fleet }, output),

    schedules: (project) => findSchedules(`:function:${output('PassFunctionName')}`, { project }),

    async lastPass(scheduleGroup, withinMinutes) {
      const client = new CloudWatchClient();
      const now = clock.now();
      const Metric = {
        Namespace: SCHEDULER_NAMESPACE,
        MetricName: SCHEDULER_STARTS,
        Dimensions: [{ Name: SCHEDULER_GROUP_DIMENSION, Value: scheduleGroup }],
      };
      const query = {
        StartTime: new Date(plusMs(now, -withinMinutes * MINUTE_MS)),
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
      const list = async (topicArn: string) => {
        const found: Subscription[] = [];
        for await (const { Subscriptions = [] } of paginateListSubscriptionsByTopic({ client }, { TopicArn: topicArn }))
          found.push(...Subscriptions);
        return found;
      };
      const isConfirmed = ({ SubscriptionArn = '' }: Subscription) => SubscriptionArn.startsWith('arn:');
      const found: StackSubscription[] = [];
      for (const [topic, name] of [
        ['alerts', 'AlertsTopicArn'],
        ['alarms', 'AlarmsTopicArn'],
      ] as const) {
        for (const each of await list(output(name))) {
          const { Protocol: protocol = '', Endpoint: endpoint = '' } = each;
          found.push({ topic, protocol, endpoint, confirmed: isConfirmed(each) });
        }
      }
      // The chat service subscribes itself.
      for (const topicArn of chatTopics()) {
        const confirmed = (await list(topicArn)).some(isConfirmed);
        found.push({ topic: 'alerts', protocol: 'chat', endpoint: nameOfTopic(topicArn), confirmed });
      }
      return found;
    },

    async failedNotifications() {
      const topics = [output('AlertsTopicArn'), output('AlarmsTopicArn'), ...chatTopics()].map(nameOfTopic);
      const now = clock.now();
      const query = {
        StartTime: new Date(plusMs(now, -DAY_MS)),
        EndTime: now,
        MetricDataQueries: topics.map((topic, index) => ({
          Id: `topic${index}`,
          MetricStat: {
            Metric: {
              Namespace: 'AWS/SNS',
              MetricName: 'NumberOfNotificationsFailed',
              Dimensions: [{ Name: 'TopicName', Value: topic }],
            },
            Period: DAY_MS / 1_000,
            Stat: 'Sum',
          },
        })),
      };
      const counts = new Map<string, number>();
      for await (const { MetricDataResults = [] } of paginateGetMetricData({ client: new CloudWatchClient() }, query)) {
        for (const { Id = '', Values = [] } of MetricDataResults)
          counts.set(
            Id,
            Values.reduce((sum, each) => sum + each, counts.get(Id) ?? 0),
          );
      }
      return topics
        .map((topic, index) => ({ topic, count: counts.get(`topic${index}`) ?? 0 }))
        .filter(({ count }) => count > 0);
    },

    deadLetters: () => countMessages(output('DeadLetterQueueUrl')),

    async incidents() {
      const tools = parseIncidentTools(output('IncidentTools'));
      if (tools.length === 0) return null;
      const deadLetters = await countMessages(output('IncidentDeadLetterQueueUrl'));
      const waiting = tools.map(async ({ tool, queueUrl }) => ({ tool, count: await countMessages(queueUrl) }));
      return { waiting: await Promise.all(waiting), deadLetters };
    },

    async alarms() {
      // The stack may have other alarms. Those of the guard send to its topic.
      const topic = output('AlarmsTopicArn');
      const names: string[] = [];
      for await (const page of paginateDescribeAlarms({ client: new CloudWatchClient() }, { StateValue: 'ALARM' })) {
        const own = (page.MetricAlarms ?? []).filter(({ AlarmActions }) => AlarmActions?.includes(topic) === true);
        names.push(...own.flatMap(({ AlarmName }) => AlarmName ?? []));
      }
      return names;
    },
  };
}

/** Newest first. */
const RUNS_LOOKED_AT = 20;

function inspectFleet(
  settings: Settings & { readonly fleet: FleetSettings },
  output: (name: string) => string,
): FleetFacts {
  return {
    schedules: () => findSchedules(output('FleetStateMachineArn'), {}),
    secrets: () => listTaggedSecrets(new SecretsManagerClient(), settings),

    async runs() {
      const { executions = [] } = await new SFNClient().send(
        new ListExecutionsCommand({ stateMachineArn: output('FleetStateMachineArn'), maxResults: RUNS_LOOKED_AT }),
      );
      return executions.map(({ executionArn: id = '', status = '', stopDate }) => ({
        id,
        status,
        endedAt: stopDate?.toISOString() ?? null,
      }));
    },

    async passesOf(run) {
      const client = new SFNClient();
      let [total, failed] = [0, 0];
      for await (const { mapRuns = [] } of paginateListMapRuns({ client }, { executionArn: run.id })) {
        for (const { mapRunArn } of mapRuns) {
          const { itemCounts } = await client.send(new DescribeMapRunCommand({ mapRunArn }));
          total += itemCounts?.total ?? 0;
          failed += itemCounts?.failed ?? 0;
        }
      }
      return { total, failed };
    },
  };
}

/**
 * @param target how the target's ARN ends
 * @param input what they start it with
 */
async function findSchedules(target: string, input: object): Promise<readonly StackSchedule[]> {
  const client = new SchedulerClient();
  const found: StackSchedule[] = [];
  for await (const { Schedules = [] } of paginateListSchedules({ client }, {})) {
    for (const { Name, GroupName, Target, State } of Schedules) {
      if (Target?.Arn?.endsWith(target) !== true) continue;
      // The list of schedules does not include the input.
      const schedule = await client.send(new GetScheduleCommand({ Name, GroupName }));
      if (schedule.Target?.Input !== JSON.stringify(input)) continue;
      found.push({
        enabled: State === 'ENABLED',
        expression: schedule.ScheduleExpression ?? '',
        group: GroupName ?? DEFAULT_SCHEDULE_GROUP,
        createdAt: schedule.CreationDate?.toISOString() ?? null,
      });
    }
  }
  return found;
}

/** Messages in a queue, those that a consumer is processing included. */
async function countMessages(QueueUrl: string): Promise<number> {
  // The request goes to the configured endpoint, not to the host in the URL of the queue.
  const { Attributes } = await new SQSClient({ useQueueUrlAsEndpoint: false }).send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
    }),
  );
  return Object.values(Attributes ?? {}).reduce((sum, count) => sum + Number(count), 0);
}

function nameOfTopic(topicArn: string): string {
  return topicArn.slice(topicArn.lastIndexOf(':') + 1);
}

const DAY_MS = 24 * 60 * 60 * 1_000;
