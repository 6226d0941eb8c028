import { createHash } from 'node:crypto';
import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnPermission } from 'aws-cdk-lib/aws-lambda';
import { Subscription, SubscriptionFilter, SubscriptionProtocol, Topic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { severitiesFrom } from '../functions/guard/events.ts';
import type { EndpointKind, Subscription as SubscriptionSettings } from '../functions/guard/settings.ts';

export interface AlertsProps {
  /** Encrypts both topics. */
  readonly key: IKey;
  /** Takes what a subscription could not deliver. */
  readonly deadLetters: IQueue;
  readonly subscriptions: readonly SubscriptionSettings[];
}

/** People read digests; machines take events. */
const KIND: { readonly [kind in EndpointKind]: 'digest' | 'event' } = {
  email: 'digest',
  sms: 'digest',
  sqs: 'event',
  lambda: 'event',
  https: 'event',
};

const PROTOCOL: { readonly [kind in EndpointKind]: SubscriptionProtocol } = {
  email: SubscriptionProtocol.EMAIL,
  sms: SubscriptionProtocol.SMS,
  sqs: SubscriptionProtocol.SQS,
  lambda: SubscriptionProtocol.LAMBDA,
  https: SubscriptionProtocol.HTTPS,
};

/**
 * Two encrypted topics: the guard's alerts, filtered for each subscription, and CloudWatch's alarms about the guard.
 * Alarms carry no message attributes, and SNS drops such messages at any attribute filter (docs/decisions/0001), so on
 * one topic nobody with a filter would ever hear that the guard is dead.
 */
export class Alerts extends Construct {
  readonly topic: Topic;
  readonly alarmsTopic: Topic;

  constructor(scope: Construct, id: string, props: AlertsProps) {
    super(scope, id);
    const options = { masterKey: props.key, enforceSSL: true };
    this.topic = new Topic(this, 'Topic', { ...options, displayName: 'Integration Guard' });
    this.alarmsTopic = new Topic(this, 'AlarmsTopic', { ...options, displayName: 'Integration Guard alarms' });
    this.alarmsTopic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.alarmsTopic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    for (const subscription of props.subscriptions) this.subscribe(subscription, props.deadLetters);
  }

  private subscribe(settings: SubscriptionSettings, deadLetters: IQueue): void {
    const { kind, endpoint } = endpointOf(settings);
    const common = { protocol: PROTOCOL[kind], endpoint, deadLetterQueue: deadLetters };
    // A name that stays the same when other subscriptions come and go.
    const name = `${kind}-${createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 8)}`;
    new Subscription(this, name, {
      ...common,
      topic: this.topic,
      filterPolicy: filterPolicyOf(settings, kind),
      ...(kind === 'sqs' ? { rawMessageDelivery: true } : {}),
    });
    const alarms = settings.alarms ?? KIND[kind] === 'digest';
    if (alarms) new Subscription(this, `${name}-alarms`, { ...common, topic: this.alarmsTopic });
    if (kind === 'lambda') {
      const topics = alarms ? [this.topic, this.alarmsTopic] : [this.topic];
      topics.forEach((topic) => {
        new CfnPermission(this, `${name}-from-${topic.node.id}`, {
          action: 'lambda:InvokeFunction',
          functionName: endpoint,
          principal: 'sns.amazonaws.com',
          sourceArn: topic.topicArn,
        });
      });
    }
  }
}

/** The filter policy that fits a subscription; at most five keys, of which three are used. */
function filterPolicyOf(settings: SubscriptionSettings, kind: EndpointKind): Record<string, SubscriptionFilter> {
  const oneOf = (values: readonly string[]) => SubscriptionFilter.stringFilter({ allowlist: [...values] });
  return {
    kind: oneOf([KIND[kind]]),
    severity: oneOf(severitiesFrom(settings.minSeverity)),
    ...(settings.projects === undefined ? {} : { project: oneOf(settings.projects) }),
  };
}

function endpointOf(settings: SubscriptionSettings): { readonly kind: EndpointKind; readonly endpoint: string } {
  for (const kind of ['email', 'sms', 'sqs', 'lambda', 'https'] as const) {
    const endpoint = settings[kind];
    if (endpoint !== undefined) return { kind, endpoint };
  }
  throw new Error('checked settings give every subscription one endpoint');
}
