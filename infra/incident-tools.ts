import { createHash } from 'node:crypto';
import { Duration, SecretValue, Stack } from 'aws-cdk-lib';
import { CfnApiDestination, CfnConnection } from 'aws-cdk-lib/aws-events';
import { type IGrantable, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnPipe } from 'aws-cdk-lib/aws-pipes';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { IncidentTool } from '../functions/aws/environment.ts';
import { isIncidentTool } from '../functions/guard/settings/formats.ts';
import type { Subscription } from '../functions/guard/settings/schema.ts';
import { INCIDENT_FIELDS, type IncidentToolKind } from '../functions/messages/incident.ts';

/**
 * A tool may be out of order for ten hours: the pipe sends each message once a minute, and SQS gives it up after 600 tries.
 * The wait between two tries is constant.
 */
const RETRY_MINUTES = 1;
const TRIES = 600;

/** The endpoints of PagerDuty's Events API v2, by service region. */
const PAGERDUTY = {
  us: 'https://events.pagerduty.com/v2/enqueue',
  eu: 'https://events.eu.pagerduty.com/v2/enqueue',
} as const;

/** Structured mode of CloudEvents' HTTP binding, and the type that some tools require. */
const CONTENT_TYPES = {
  cloudevents: 'application/cloudevents+json; charset=UTF-8',
  plain: 'application/json; charset=UTF-8',
} as const;

/** One tool, as EventBridge calls it. */
interface Endpoint {
  readonly tool: IncidentToolKind;
  /** Identifies the tool in the stack. */
  readonly id: string;
  readonly url: string;
  readonly authParameters: CfnConnection.AuthParametersProperty;
}

/** The queue of one tool, for alarms and commands. */
export interface IncidentQueue {
  readonly name: string;
  readonly queue: Queue;
}

/**
 * PagerDuty and webhooks. For each, a FIFO queue keeps the order of the messages of an incident, a pipe reads it, and an API
 * destination posts each message with the credential of its connection (docs/decisions/0014). No code of the guard runs
 * between the queue and the tool.
 */
export class IncidentTools extends Construct {
  readonly tools: readonly IncidentTool[];
  readonly queues: readonly IncidentQueue[];
  /** Receives messages that a tool has not accepted; null without tools. */
  readonly deadLetters: Queue | null;

  constructor(scope: Construct, id: string, subscriptions: readonly Subscription[]) {
    super(scope, id);
    const wanted = subscriptions.filter(isIncidentTool);
    this.deadLetters = wanted.length === 0 ? null : this.createQueue('DeadLetters');
    const added = wanted.map((settings) => this.addTool(settings, endpointOf(settings)));
    this.tools = added.map(({ tool }) => tool);
    this.queues = added.map(({ queue }) => queue);
  }

  /** Lets a role send incidents. */
  grantSend(grantee: IGrantable): void {
    allow(
      grantee,
      ['sqs:SendMessage'],
      this.queues.map(({ queue }) => queue.queueArn),
    );
  }

  /** Lets a role count the waiting messages. */
  grantCount(grantee: IGrantable): void {
    const { deadLetters } = this;
    const queues = [...this.queues.map(({ queue }) => queue), ...(deadLetters === null ? [] : [deadLetters])];
    allow(
      grantee,
      ['sqs:GetQueueAttributes'],
      queues.map(({ queueArn }) => queueArn),
    );
  }

  private createQueue(id: string): Queue {
    const { deadLetters } = this;
    return new Queue(this, id, {
      fifo: true,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // The maximum, because EventBridge can disable a pipe whose destination keeps refusing.
      retentionPeriod: Duration.days(14),
      // An API destination answers within 5 seconds. After a failure the message is sent again when this time is over.
      visibilityTimeout: Duration.minutes(RETRY_MINUTES),
      ...(deadLetters === undefined || deadLetters === null
        ? {}
        : { deadLetterQueue: { queue: deadLetters, maxReceiveCount: TRIES } }),
    });
  }

  private addTool(settings: Subscription, { tool, id, url, authParameters }: Endpoint) {
    const queue = this.createQueue(`${id}-queue`);
    const connection = new CfnConnection(this, `${id}-connection`, {
      description: `Integration Guard: the credential of ${id}`,
      authorizationType: 'API_KEY',
      authParameters,
    });
    const destination = new CfnApiDestination(this, `${id}-destination`, {
      description: `Integration Guard: opens and closes incidents of ${id}`,
      connectionArn: connection.attrArn,
      httpMethod: 'POST',
      invocationEndpoint: url,
    });
    const role = new Role(this, `${id}-role`, {
      description: 'Reads one queue of incidents and posts to one API destination',
      assumedBy: new ServicePrincipal('pipes.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    });
    allow(role, ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], [queue.queueArn]);
    allow(role, ['events:InvokeApiDestination'], [destination.attrArn]);
    const pipe = new CfnPipe(this, `${id}-pipe`, {
      description: `Integration Guard: sends incidents to ${id}`,
      roleArn: role.roleArn,
      source: queue.queueArn,
      sourceParameters: { sqsQueueParameters: { batchSize: 1 } },
      target: destination.attrArn,
      targetParameters: { inputTemplate: inputTemplate(tool) },
    });
    // CloudFormation would otherwise start the pipe before the role may read the queue, and the pipe would fail.
    pipe.node.addDependency(role);
    return {
      tool: { queueUrl: queue.queueUrl, tool, minSeverity: settings.minSeverity, projects: settings.projects ?? null },
      queue: { name: id, queue },
    };
  }
}

function allow(grantee: IGrantable, actions: string[], resources: string[]): void {
  if (resources.length === 0) return;
  grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }));
}

/**
 * The template names each field of the message. A template of `<$.body>` alone would lose the quotes of the JSON
 * ("Implicit body data parsing" of the EventBridge user guide).
 */
function inputTemplate(tool: IncidentToolKind): string {
  return `{${INCIDENT_FIELDS[tool].map((field) => `"${field}":<$.body.${field}>`).join(',')}}`;
}

function endpointOf({ pagerduty, webhook }: Subscription): Endpoint {
  if (pagerduty !== undefined) {
    const { routingKeySecret, region } = pagerduty;
    return {
      tool: 'pagerduty',
      id: stableId('pagerduty', [routingKeySecret, region]),
      url: PAGERDUTY[region],
      authParameters: {
        // A connection must have a header. PagerDuty reads its key from the body.
        apiKeyAuthParameters: { apiKeyName: 'X-Client', apiKeyValue: 'integration-guard' },
        invocationHttpParameters: {
          bodyParameters: [{ key: 'routing_key', value: secretValue(routingKeySecret), isValueSecret: true }],
        },
      },
    };
  }
  if (webhook === undefined) throw new Error('checked settings give every incident tool one endpoint');
  const { url, header, headerSecret, contentType } = webhook;
  return {
    tool: 'webhook',
    // A new header or a new secret keeps the queue.
    id: stableId('webhook', url),
    url,
    authParameters: {
      apiKeyAuthParameters: { apiKeyName: header, apiKeyValue: secretValue(headerSecret) },
      invocationHttpParameters: {
        headerParameters: [{ key: 'Content-Type', value: CONTENT_TYPES[contentType], isValueSecret: false }],
      },
    },
  };
}

/** A dynamic reference: CloudFormation reads the value at deployment, and the template does not contain it. */
function secretValue(secretId: string): string {
  return SecretValue.secretsManager(secretId).unsafeUnwrap();
}

/** An ID that does not change when other subscriptions are added or removed. */
function stableId(tool: IncidentToolKind, identity: unknown): string {
  return `${tool}-${createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 8)}`;
}
