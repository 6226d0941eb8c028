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
import { isChat } from '../functions/guard/settings/formats.ts';
import type { Subscription as SubscriptionSettings } from '../functions/guard/settings/schema.ts';
import type { GivenEndpoint } from './read-props.ts';

export interface AlertsProps {
  /** Encrypts all topics. */
  readonly key: IKey;
  /** Takes what a subscription could not deliver. */
  readonly deadLetters: IQueue;
  readonly subscriptions: readonly SubscriptionSettings[];
  /** Queues and functions that are no plain ARN, by position of their subscription. */
  readonly endpoints: ReadonlyMap<number, GivenEndpoint>;
  /** Topics that exist; undefined: they are created. */
  readonly topic: ITopic | undefined;
  readonly alarmsTopic: ITopic | undefined;
  /** Names of chat channels that are deployed, by their ids as JSON. */
  readonly chatNames: ReadonlyMap<string, string>;
}

/** What SNS delivers to itself; chat channels are another service's business. */
const SNS_KINDS = ['email', 'sms', 'sqs', 'lambda', 'https'] as const;

type SnsKind = (typeof SNS_KINDS)[number];

/** People read digests; machines take events. */
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
 * Encrypted topics: one for the guard's alerts, filtered for each subscription, one for CloudWatch's alarms about the guard,
 * and one for each chat channel. Alarms carry no message attributes, and SNS drops such messages at any attribute filter
 * (docs/decisions/0001), so on one topic nobody with a filter would ever hear that the guard is dead.
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
    // Topics and a queue that were given may have keys of their own.
    if (this.alarmsTopic.masterKey !== props.key)
      letUse(this.alarmsTopic.masterKey, 'cloudwatch.amazonaws.com', 'AlarmsPublishToEncryptedTopic', account);
    letUse(props.deadLetters.encryptionMasterKey, 'sns.amazonaws.com', 'AlertsThatCouldNotBeDelivered', account);
    const chats = props.subscriptions.filter(isChat);
    const role = chats.length === 0 ? null : this.createChatRole();
    this.chatTopics = role === null ? [] : chats.map((settings) => this.addChat(settings, role));
    this.refuseDuplicates();
    props.subscriptions.forEach((settings, index) => {
      const given = props.endpoints.get(index);
      if (given !== undefined && typeof given.target !== 'string') this.subscribeConstruct(settings, given);
      else if (!isChat(settings)) this.subscribe(settings, given);
    });
  }

  /** Objects of CDK and texts may mean the same endpoint, which SNS takes once for a topic. */
  private refuseDuplicates(): void {
    const faults: string[] = [];
    // The same token has the same text.
    if (this.topic.topicArn === this.alarmsTopic.topicArn)
      faults.push('alerts.alarmsTopic: expected another topic than alerts.topic');
    const seen = new Set<string>();
    this.#props.subscriptions.forEach((settings, index) => {
      if (isChat(settings)) return;
      const given = this.#props.endpoints.get(index);
      const { kind, endpoint } =
        given === undefined ? endpointOf(settings) : { kind: given.kind, endpoint: arnOf(given) };
      const identity = JSON.stringify([kind, endpoint]);
      if (seen.has(identity))
        faults.push(
          `alerts.subscriptions.${index}: expected another ${kind} endpoint, got one that is subscribed already`,
        );
      seen.add(identity);
    });
    if (faults.length > 0) throw new SettingsError(faults, this.node.path);
  }

  private createTopic(id: string, displayName: string): Topic {
    return new Topic(this, id, { masterKey: this.#props.key, enforceSSL: true, displayName });
  }

  /** A queue or function of a CDK app, which then lets the topics in. */
  private subscribeConstruct(settings: SubscriptionSettings, { kind, target }: GivenEndpoint): void {
    if (typeof target === 'string') return;
    const { deadLetters: deadLetterQueue } = this.#props;
    const alerts = { deadLetterQueue, filterPolicy: filterPolicyOf(settings, kind) };
    this.topic.addSubscription(
      kind === 'sqs'
        ? new SqsSubscription(target, { ...alerts, rawMessageDelivery: true })
        : subscriptionOf(target, alerts),
    );
    if (settings.alarms !== true) return;
    this.alarmsTopic.addSubscription(
      kind === 'sqs' ? new SqsSubscription(target, { deadLetterQueue }) : subscriptionOf(target, { deadLetterQueue }),
    );
  }

  /** @param given its endpoint when that is a token */
  private subscribe(settings: SubscriptionSettings, given: GivenEndpoint | undefined): void {
    const { kind, endpoint } =
      given !== undefined && typeof given.target === 'string'
        ? { kind: given.kind, endpoint: given.target }
        : endpointOf(settings);
    const common = { protocol: PROTOCOL[kind], endpoint, deadLetterQueue: this.#props.deadLetters };
    // SNS knows a subscription by its endpoint, so nothing else is in the id: another filter is no other subscription. A token's text
    // differs from one synthesis to the next; what it resolves to does not.
    const name = stableName(kind, Stack.of(this).resolve(endpoint));
    new Subscription(this, name, {
      ...common,
      topic: this.topic,
      filterPolicy: filterPolicyOf(settings, kind),
      ...(kind === 'sqs' ? { rawMessageDelivery: true } : {}),
    });
    const alarms = settings.alarms ?? KIND[kind] === 'digest';
    if (alarms) new Subscription(this, `${name}-alarms`, { ...common, topic: this.alarmsTopic });
    if (kind === 'lambda') {
      // By these names, since topics that were given may have the same id.
      const topics = { Topic: this.topic, ...(alarms ? { AlarmsTopic: this.alarmsTopic } : {}) };
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
   * A channel of Amazon Q Developer in chat applications. The service subscribes itself to the topics it is given, without a
   * filter, and drops what is not in its schema; so a channel has a topic of its own. Alarms it understands as they are.
   */
  private addChat(settings: SubscriptionSettings, role: Role): ChatTopic {
    const { slack, teams } = settings;
    // The service takes a channel once, so nothing else is in the name, and a channel that is deployed keeps the name it has.
    const ids = JSON.stringify(Object.values(slackOrTeams(settings)));
    const name = this.#props.chatNames.get(ids) ?? stableName(slack === undefined ? 'teams' : 'slack', ids);
    const topic = this.createTopic(`${name}-topic`, 'Integration Guard chat');
    const common = {
      configurationName: `${Stack.of(this).stackName}-${name}`,
      iamRoleArn: role.roleArn,
      snsTopicArns: [topic, ...(settings.alarms === false ? [] : [this.alarmsTopic])].map(({ topicArn }) => topicArn),
      // Without one the service takes AdministratorAccess for the most that a channel may be allowed.
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
    return {
      topicArn: topic.topicArn,
      minSeverity: settings.minSeverity,
      projects: settings.projects ?? null,
    };
  }

  /** The service asks for a role; showing notifications takes no permission, so it has none. */
  private createChatRole(): Role {
    return new Role(this, 'ChatRole', {
      description: 'Channels of Integration Guard show notifications and may do nothing',
      // Only for channels of this account, though it may do nothing: a channel of another account has no business with it.
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

/** CDK would name it by the topic's id alone, so that a function could not also subscribe to another topic of that id. */
function subscriptionOf(target: IFunction, props: LambdaSubscriptionProps): ITopicSubscription {
  const subscription = new LambdaSubscription(target, props);
  return { bind: (topic) => ({ ...subscription.bind(topic), subscriberId: Names.nodeUniqueId(topic.node) }) };
}

/** The ids of a channel, in the order in which CloudFormation names them. */
function slackOrTeams({ slack, teams }: SubscriptionSettings): Readonly<Record<string, string>> {
  if (slack !== undefined) return { workspaceId: slack.workspaceId, channelId: slack.channelId };
  return { tenantId: teams?.tenantId ?? '', teamId: teams?.teamId ?? '', channelId: teams?.channelId ?? '' };
}

/** Lets a service of AWS use a key. The policy of an imported key is its owner's business. */
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

/** A name that stays the same when other subscriptions come and go. */
function stableName(kind: string, endpoint: unknown): string {
  return `${kind}-${createHash('sha256').update(JSON.stringify(endpoint)).digest('hex').slice(0, 8)}`;
}

/** The filter policy that fits a subscription; at most five keys, of which three are used. */
function filterPolicyOf(settings: SubscriptionSettings, kind: SnsKind): Record<string, SubscriptionFilter> {
  const oneOf = (values: readonly string[]) => SubscriptionFilter.stringFilter({ allowlist: [...values] });
  return {
    kind: oneOf([KIND[kind]]),
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
