import { createHash } from 'node:crypto';
import { Names, Stack } from 'aws-cdk-lib';
import { CfnMicrosoftTeamsChannelConfiguration, CfnSlackChannelConfiguration } from 'aws-cdk-lib/aws-chatbot';
import { type Conditions, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnPermission, type IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  type ITopic,
  type ITopicSubscription,
  Subscription,
  SubscriptionFilter,
  SubscriptionProtocol,
  Topic,
} from 'aws-cdk-lib/aws-sns';
import { LambdaSubscription, type LambdaSubscriptionProps, SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ChatTopic } from '../functions/aws/environment.ts';
import { SettingsError } from '../functions/guard/errors.ts';
import { severitiesFrom } from '../functions/guard/model/event.ts';
import { isChat, isIncidentTool } from '../functions/guard/settings/formats.ts';
import { kindOf } from '../functions/guard/settings/people.ts';
import type { Subscription as SubscriptionSettings } from '../functions/guard/settings/schema.ts';
import type { GivenEndpoint } from './read-props.ts';

export interface AlertsProps {
  /** Encrypts all topics; null: SNS encrypts its disks only. */
  readonly key: IKey | null;
  /** Receives messages that a subscription could not deliver. */
  readonly deadLetters: IQueue;
  readonly subscriptions: readonly SubscriptionSettings[];
  /** Queues and functions of the CDK app, by the position of their subscription. */
  readonly endpoints: ReadonlyMap<number, GivenEndpoint>;
  /** An existing topic; undefined: the construct creates one. */
  readonly topic: ITopic | undefined;
  readonly alarmsTopic: ITopic | undefined;
  /** Names of the deployed chat channels, by their IDs as JSON. */
  readonly chatNames: ReadonlyMap<string, string>;
}

/** The endpoints that SNS delivers to. Another service delivers to chat channels. */
const SNS_KINDS = ['email', 'sms', 'sqs', 'lambda', 'https'] as const;

type SnsKind = (typeof SNS_KINDS)[number];

/** People get digests; machines get events. */
const KIND: { readonly [kind in SnsKind]: 'digest' | 'event' } = {
  email: 'digest',
  sms: 'digest',
  sqs: 'event',
  lambda: 'event',
  https: 'event',
};

const PROTOCOL: { readonly [kind in SnsKind]: SubscriptionProtocol } = {
  email: SubscriptionProtocol.EMAIL,
  sms: SubscriptionProtocol.SMS,
  sqs: SubscriptionProtocol.SQS,
  lambda: SubscriptionProtocol.LAMBDA,
  https: SubscriptionProtocol.HTTPS,
};

/**
 * Encrypted topics: one for the guard's alerts, filtered for each subscription; one for CloudWatch's alarms about the
 * guard; and one for each chat channel. Alarms have no message attributes, and every attribute filter drops such
 * messages (docs/decisions/0001). On a shared topic, a filtered subscription would never get an alarm.
 */
export class Alerts extends Construct {
  readonly topic: ITopic;
  readonly alarmsTopic: ITopic;
  readonly chatTopics: readonly ChatTopic[];

  readonly #props: AlertsProps;

  constructor(scope: Construct, id: string, props: AlertsProps) {
    super(scope, id);
    this.#props = props;
    this.topic = props.topic ?? this.createTopic('Topic', 'Integration Guard');
    this.alarmsTopic = props.alarmsTopic ?? this.createTopic('AlarmsTopic', 'Integration Guard alarms');
    this.alarmsTopic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.alarmsTopic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    const account = { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } };
    // Given topics and queues may have their own keys.
    if (this.alarmsTopic.masterKey !== props.key)
      letUse(this.alarmsTopic.masterKey, 'cloudwatch.amazonaws.com', 'AlarmsPublishToEncryptedTopic', account);
    letUse(props.deadLetters.encryptionMasterKey, 'sns.amazonaws.com', 'AlertsThatCouldNotBeDelivered', account);
    const chats = props.subscriptions.filter(isChat);
    const role = chats.length === 0 ? null : this.createChatRole();
    this.chatTopics = role === null ? [] : chats.flatMap((settings) => this.addChat(settings, role) ?? []);
    this.refuseDuplicates();
    props.subscriptions.forEach((settings, index) => {
      const given = props.endpoints.get(index);
      if (given !== undefined && typeof given.target !== 'string') this.subscribeConstruct(settings, given);
      else if (!isChat(settings) && !isIncidentTool(settings)) this.subscribe(settings, given);
    });
  }

  /** SNS accepts an endpoint once per topic. CDK objects and texts may name the same endpoint. */
  private refuseDuplicates(): void {
    const faults: string[] = [];
    // Equal tokens have equal text.
    if (this.topic.topicArn === this.alarmsTopic.topicArn)
      faults.push('alerts.alarmsTopic: expected another topic than alerts.topic');
    const seen = new Set<string>();
    this.#props.subscriptions.forEach((settings, index) => {
      if (isChat(settings) || isIncidentTool(settings)) return;
      const given = this.#props.endpoints.get(index);
      const { kind, endpoint } =
        given === undefined ? endpointOf(settings) : { kind: given.kind, endpoint: arnOf(given) };
      const identity = JSON.stringify([kind, endpoint]);
      if (seen.has(identity))
        faults.push(
          `alerts.subscriptions.${index}: expected another ${kind} endpoint, got one that is already subscribed`,
        );
      seen.add(identity);
    });
    if (faults.length > 0) throw new SettingsError(faults, this.node.path);
  }

  private createTopic(id: string, displayName: string): Topic {
    const { key } = this.#props;
    return new Topic(this, id, { ...(key === null ? {} : { masterKey: key }), enforceSSL: true, displayName });
  }

  /** Subscribes a queue or function of a CDK app, which then allows the topics. */
  private subscribeConstruct(settings: SubscriptionSettings, { kind, target }: GivenEndpoint): void {
    if (typeof target === 'string') return;
    const { deadLetters: deadLetterQueue } = this.#props;
    const alerts = { deadLetterQueue, filterPolicy: filterPolicyOf(settings, kind) };
    if (settings.only !== 'alarms') {
      this.topic.addSubscription(
        kind === 'sqs'
          ? new SqsSubscription(target, { ...alerts, rawMessageDelivery: true })
          : subscriptionOf(target, alerts),
      );
    }
    if (!getsAlarms(settings, kind)) return;
    this.alarmsTopic.addSubscription(
      kind === 'sqs' ? new SqsSubscription(target, { deadLetterQueue }) : subscriptionOf(target, { deadLetterQueue }),
    );
  }

  /** @param given the endpoint, if it is a token */
  private subscribe(settings: SubscriptionSettings, given: GivenEndpoint | undefined): void {
    const { kind, endpoint } =
      given !== undefined && typeof given.target === 'string'
        ? { kind: given.kind, endpoint: given.target }
        : endpointOf(settings);
    const common = { protocol: PROTOCOL[kind], endpoint, deadLetterQueue: this.#props.deadLetters };
    // The ID consists of the endpoint alone, by which SNS identifies a subscription: a new filter is no new
    // subscription. A token's text differs between syntheses; its resolved value does not.
    const name = stableName(kind, Stack.of(this).resolve(endpoint));
    const alerts = settings.only !== 'alarms';
    if (alerts) {
      new Subscription(this, name, {
        ...common,
        topic: this.topic,
        filterPolicy: filterPolicyOf(settings, kind),
        ...(kind === 'sqs' ? { rawMessageDelivery: true } : {}),
      });
    }
    const alarms = getsAlarms(settings, kind);
    if (alarms) new Subscription(this, `${name}-alarms`, { ...common, topic: this.alarmsTopic });
    if (kind === 'lambda') {
      // The names distinguish the topics: two given topics may have the same ID.
      const topics = {
        ...(alerts ? { Topic: this.topic } : {}),
        ...(alarms ? { AlarmsTopic: this.alarmsTopic } : {}),
      };
      Object.entries(topics).forEach(([from, topic]) => {
        new CfnPermission(this, `${name}-from-${from}`, {
          action: 'lambda:InvokeFunction',
          functionName: endpoint,
          principal: 'sns.amazonaws.com',
          sourceArn: topic.topicArn,
        });
      });
    }
  }

  /**
   * A channel of Amazon Q Developer in chat applications. The service subscribes to its topics without a filter and
   * drops messages outside its schema. Each channel therefore has its own topic. The service renders alarms without
   * help.
   */
  private addChat(settings: SubscriptionSettings, role: Role): ChatTopic | null {
    const { slack, teams } = settings;
    // The service accepts a channel once, so the name consists of the channel's IDs. A deployed channel keeps its name.
    const ids = JSON.stringify(Object.values(slackOrTeams(settings)));
    const name = this.#props.chatNames.get(ids) ?? stableName(slack === undefined ? 'teams' : 'slack', ids);
    const topic = settings.only === 'alarms' ? null : this.createTopic(`${name}-topic`, 'Integration Guard chat');
    const common = {
      configurationName: `${Stack.of(this).stackName}-${name}`,
      iamRoleArn: role.roleArn,
      snsTopicArns: [
        ...(topic === null ? [] : [topic]),
        ...(getsAlarms(settings, 'chat') ? [this.alarmsTopic] : []),
      ].map(({ topicArn }) => topicArn),
      // Without a guardrail policy, the service would allow AdministratorAccess.
      guardrailPolicies: [`arn:${Stack.of(this).partition}:iam::aws:policy/ReadOnlyAccess`],
      loggingLevel: 'ERROR',
    };
    if (slack !== undefined) {
      const ids = { slackWorkspaceId: slack.workspaceId, slackChannelId: slack.channelId };
      new CfnSlackChannelConfiguration(this, name, { ...common, ...ids });
    } else if (teams !== undefined) {
      const ids = { teamsTenantId: teams.tenantId, teamId: teams.teamId, teamsChannelId: teams.channelId };
      new CfnMicrosoftTeamsChannelConfiguration(this, name, { ...common, ...ids });
    }
    if (topic === null) return null;
    return {
      topicArn: topic.topicArn,
      minSeverity: settings.minSeverity,
      projects: settings.projects ?? null,
      ...(settings.only === 'daily-summary' ? { only: settings.only } : {}),
      ...(settings.quietHours === undefined ? {} : { quietHours: settings.quietHours }),
    };
  }

  /** The service requires a role. Showing notifications takes no permission, so the role has none. */
  private createChatRole(): Role {
    return new Role(this, 'ChatRole', {
      description: 'Chat channels of Integration Guard show notifications; the role has no permissions',
      // Only for channels of this account, even though the role has no permissions.
      assumedBy: new ServicePrincipal('chatbot.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    });
  }
}

function arnOf({ kind, target }: GivenEndpoint): string {
  if (typeof target === 'string') return target;
  return kind === 'sqs' ? target.queueArn : target.functionArn;
}

/** CDK would derive the subscription's ID from the topic's ID alone, so two topics with equal IDs would collide. */
function subscriptionOf(target: IFunction, props: LambdaSubscriptionProps): ITopicSubscription {
  const subscription = new LambdaSubscription(target, props);
  return { bind: (topic) => ({ ...subscription.bind(topic), subscriberId: Names.nodeUniqueId(topic.node) }) };
}

/** The IDs of a channel, under CloudFormation's names. */
function slackOrTeams({ slack, teams }: SubscriptionSettings): Readonly<Record<string, string>> {
  if (slack !== undefined) return { workspaceId: slack.workspaceId, channelId: slack.channelId };
  return { tenantId: teams?.tenantId ?? '', teamId: teams?.teamId ?? '', channelId: teams?.channelId ?? '' };
}

/** Lets an AWS service use a key. The owner of an imported key maintains its policy. */
function letUse(key: IKey | undefined, service: string, sid: string, conditions: Conditions): void {
  key?.addToResourcePolicy(
    new PolicyStatement({
      sid,
      principals: [new ServicePrincipal(service)],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
      conditions,
    }),
  );
}

/** A name that does not change when other subscriptions are added or removed. */
function stableName(kind: string, endpoint: unknown): string {
  return `${kind}-${createHash('sha256').update(JSON.stringify(endpoint)).digest('hex').slice(0, 8)}`;
}

/** People get alarms unless the settings say otherwise; machines and readers of the daily summary only if the settings say so. */
function getsAlarms({ alarms, only }: SubscriptionSettings, kind: SnsKind | 'chat'): boolean {
  if (only === 'alarms') return true;
  return alarms ?? ((kind === 'chat' || KIND[kind] === 'digest') && only === undefined);
}

/** The filter policy of a subscription. SNS allows five keys; three are used. */
function filterPolicyOf(settings: SubscriptionSettings, kind: SnsKind): Record<string, SubscriptionFilter> {
  const oneOf = (values: readonly string[]) => SubscriptionFilter.stringFilter({ allowlist: [...values] });
  return {
    kind: oneOf([KIND[kind] === 'digest' ? kindOf(settings) : KIND[kind]]),
    severity: oneOf(severitiesFrom(settings.minSeverity)),
    ...(settings.projects === undefined ? {} : { project: oneOf(settings.projects) }),
  };
}

function endpointOf(settings: SubscriptionSettings): { readonly kind: SnsKind; readonly endpoint: string } {
  for (const kind of SNS_KINDS) {
    const endpoint = settings[kind];
    if (endpoint !== undefined) return { kind, endpoint };
  }
  throw new Error('checked settings give every subscription one endpoint');
}
