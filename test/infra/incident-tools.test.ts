import { Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { INCIDENT_FIELDS } from '../../functions/messages/incident.ts';
import { createStack } from './synthesize.ts';

/** The resources between the guard and an incident tool. No emulator runs connections, API destinations and pipes. */

const PAGERDUTY = { pagerduty: { routingKeySecret: 'pagerduty/guard' }, minSeverity: 'critical' };
const WEBHOOK = {
  webhook: { url: 'https://api.example.com/alerts', headerSecret: 'oncall/header' },
  projects: ['production'],
};

function templateOf(...subscriptions: readonly object[]): Template {
  return templateWith({}, ...subscriptions);
}

function templateWith(settings: object, ...subscriptions: readonly object[]): Template {
  const { stack } = createStack({
    ...settings,
    projects: { production: { secretName: 'qonversion/production' } },
    alerts: { subscriptions: [{ email: 'ops@example.com' }, ...subscriptions] },
  });
  return Template.fromStack(stack);
}

const both = templateOf(PAGERDUTY, WEBHOOK);

/** The logical ID of the only resource of a type whose ID matches. */
function idOf(template: Template, type: string, pattern: RegExp): string {
  const ids = Object.keys(template.findResources(type)).filter((id) => pattern.test(id));
  expect(ids).toHaveLength(1);
  return ids[0] ?? '';
}

const secretValue = (id: string) => `{{resolve:secretsmanager:${id}:SecretString:::}}`;

describe.each([
  ['pagerduty', /^GuardIncidentspagerduty/],
  ['webhook', /^GuardIncidentswebhook/],
] as const)('the way to %s', (tool, pattern) => {
  const queue = idOf(both, 'AWS::SQS::Queue', pattern);
  const destination = idOf(both, 'AWS::Events::ApiDestination', pattern);
  const role = idOf(both, 'AWS::IAM::Role', pattern);

  it('begins with a FIFO queue: ten hours of tries, a minute apart, then the dead-letter queue', () => {
    const deadLetters = idOf(both, 'AWS::SQS::Queue', /^GuardIncidentsDeadLetters/);
    expect(both.findResources('AWS::SQS::Queue')[queue]?.Properties).toEqual({
      FifoQueue: true,
      MessageRetentionPeriod: 14 * 24 * 60 * 60,
      RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [deadLetters, 'Arn'] }, maxReceiveCount: 600 },
      SqsManagedSseEnabled: true,
      VisibilityTimeout: 60,
    });
    expect(both.findResources('AWS::SQS::Queue')[deadLetters]?.Properties).toMatchObject({ FifoQueue: true });
  });

  it('continues with a pipe, which posts one message at a time and copies each of its fields', () => {
    const pipes = both.findResources('AWS::Pipes::Pipe');
    const pipe = pipes[idOf(both, 'AWS::Pipes::Pipe', pattern)];
    expect(pipe?.Properties).toMatchObject({
      RoleArn: { 'Fn::GetAtt': [role, 'Arn'] },
      Source: { 'Fn::GetAtt': [queue, 'Arn'] },
      SourceParameters: { SqsQueueParameters: { BatchSize: 1 } },
      Target: { 'Fn::GetAtt': [destination, 'Arn'] },
    });
    expect(pipe?.Properties).not.toHaveProperty('DesiredState');
    const inputTemplate = String(pipe?.Properties.TargetParameters.InputTemplate);
    const withValues = inputTemplate.replace(/<\$\.body\.(\w+)>/g, '"$1"');
    expect(JSON.parse(withValues)).toEqual(Object.fromEntries(INCIDENT_FIELDS[tool].map((field) => [field, field])));
    // The role's policy exists before the pipe starts to poll.
    expect(pipe?.DependsOn).toEqual(expect.arrayContaining([role, idOf(both, 'AWS::IAM::Policy', pattern)]));
  });

  it('has a role that reads this queue, posts to this destination, and nothing else', () => {
    const policies = Object.values(both.findResources('AWS::IAM::Policy', { Properties: { Roles: [{ Ref: role }] } }));
    expect(policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement)).toEqual([
      {
        Action: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
        Effect: 'Allow',
        Resource: { 'Fn::GetAtt': [queue, 'Arn'] },
      },
      {
        Action: 'events:InvokeApiDestination',
        Effect: 'Allow',
        Resource: { 'Fn::GetAtt': [destination, 'Arn'] },
      },
    ]);
    expect(both.findResources('AWS::IAM::Role')[role]?.Properties.AssumeRolePolicyDocument.Statement).toEqual([
      {
        Action: 'sts:AssumeRole',
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
        Effect: 'Allow',
        Principal: { Service: 'pipes.amazonaws.com' },
      },
    ]);
  });

  it('raises an alarm after a quarter of an hour', () => {
    both.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ApproximateAgeOfOldestMessage',
      Namespace: 'AWS/SQS',
      Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [queue, 'QueueName'] } }],
      Statistic: 'Maximum',
      Threshold: 900,
      TreatMissingData: 'notBreaching',
      AlarmDescription: Match.stringLikeRegexp('has not accepted an incident for 15 minutes'),
    });
  });
});

describe('PagerDuty', () => {
  it('gets the routing key as a secret parameter of the body, which the template does not contain', () => {
    const connection = idOf(both, 'AWS::Events::Connection', /pagerduty/);
    expect(both.findResources('AWS::Events::Connection')[connection]?.Properties).toMatchObject({
      AuthorizationType: 'API_KEY',
      AuthParameters: {
        ApiKeyAuthParameters: { ApiKeyName: 'X-Client', ApiKeyValue: 'integration-guard' },
        InvocationHttpParameters: {
          BodyParameters: [{ IsValueSecret: true, Key: 'routing_key', Value: secretValue('pagerduty/guard') }],
        },
      },
    });
    both.hasResourceProperties('AWS::Events::ApiDestination', {
      ConnectionArn: { 'Fn::GetAtt': [connection, 'Arn'] },
      HttpMethod: 'POST',
      InvocationEndpoint: 'https://events.pagerduty.com/v2/enqueue',
    });
  });

  it('has an endpoint in the EU', () => {
    const pagerduty = { routingKeySecret: 'pagerduty/guard', region: 'eu' };
    templateOf({ pagerduty }).hasResourceProperties('AWS::Events::ApiDestination', {
      InvocationEndpoint: 'https://events.eu.pagerduty.com/v2/enqueue',
    });
  });
});

describe('a webhook', () => {
  it('gets CloudEvents in structured mode, and the header from the secret', () => {
    both.hasResourceProperties('AWS::Events::Connection', {
      AuthorizationType: 'API_KEY',
      AuthParameters: {
        ApiKeyAuthParameters: { ApiKeyName: 'Authorization', ApiKeyValue: secretValue('oncall/header') },
        InvocationHttpParameters: {
          HeaderParameters: [
            { IsValueSecret: false, Key: 'Content-Type', Value: 'application/cloudevents+json; charset=UTF-8' },
          ],
        },
      },
    });
    both.hasResourceProperties('AWS::Events::ApiDestination', { InvocationEndpoint: 'https://api.example.com/alerts' });
  });

  it('may have another header and media type, and a secret of any account by its ARN', () => {
    const headerSecret = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:datadog/key-AbCdEf';
    const contentType = 'plain';
    const webhook = { url: 'https://example.com/', header: 'DD-API-KEY', headerSecret, contentType };
    templateOf({ webhook }).hasResourceProperties('AWS::Events::Connection', {
      AuthParameters: {
        ApiKeyAuthParameters: { ApiKeyName: 'DD-API-KEY', ApiKeyValue: secretValue(headerSecret) },
        InvocationHttpParameters: {
          HeaderParameters: [{ IsValueSecret: false, Key: 'Content-Type', Value: 'application/json; charset=UTF-8' }],
        },
      },
    });
  });
});

describe('incident tools', () => {
  it('keep their IDs when others come and go, and when their filters change', () => {
    const idsOf = (template: Template) =>
      Object.keys(template.toJSON().Resources)
        .filter((id) => /^GuardIncidentswebhook/.test(id))
        .sort();
    const alone = idsOf(templateOf(WEBHOOK));
    expect(alone).toHaveLength(7);
    expect(idsOf(both)).toEqual(alone);
    const changed = { ...WEBHOOK, minSeverity: 'critical', webhook: { ...WEBHOOK.webhook, headerSecret: 'new' } };
    expect(idsOf(templateOf(PAGERDUTY, changed))).toEqual(alone);
  });

  it('share one dead-letter queue with an alarm', () => {
    const deadLetters = idOf(both, 'AWS::SQS::Queue', /^GuardIncidentsDeadLetters/);
    both.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [deadLetters, 'QueueName'] } }],
      Threshold: 1,
      AlarmActions: [{ Ref: idOf(both, 'AWS::SNS::Topic', /AlarmsTopic/) }],
      OKActions: [{ Ref: idOf(both, 'AWS::SNS::Topic', /AlarmsTopic/) }],
    });
  });

  it('are known to the functions and to the command line, with their filters', () => {
    const queue = idOf(both, 'AWS::SQS::Queue', /^GuardIncidentswebhook/);
    const environment = both.findResources('AWS::Lambda::Function', {
      Properties: { Handler: 'pass.handler' },
    });
    const tools = Object.values(environment)[0]?.Properties.Environment.Variables.INCIDENT_TOOLS;
    expect(tools).toEqual(both.toJSON().Outputs.IncidentTools.Value);
    const text = (tools['Fn::Join'][1] as unknown[])
      .map((part) => (typeof part === 'string' ? part : Object.values(part as object)[0]))
      .join('');
    expect(JSON.parse(text)).toEqual([
      { queueUrl: expect.any(String), tool: 'pagerduty', minSeverity: 'critical', projects: null },
      { queueUrl: queue, tool: 'webhook', minSeverity: 'info', projects: ['production'] },
    ]);
  });

  it('are sent to by passes and by the panel’s buttons, and not by the panel', () => {
    const sendersIn = (template: Template) =>
      Object.entries(template.findResources('AWS::IAM::Policy'))
        .filter(([, { Properties }]) => JSON.stringify(Properties).includes('"sqs:SendMessage"'))
        .map(([id]) => id.replace(/RoleDefaultPolicy\w+$/, ''))
        .filter((id) => !/Scheduler/.test(id))
        .sort();
    const withPanel = templateWith({ dashboard: true }, PAGERDUTY, WEBHOOK);
    expect(sendersIn(withPanel)).toEqual(['GuardAct', 'GuardPass']);
    expect(sendersIn(templateOf())).toEqual([]);
  });

  it('add nothing to a stack without them', () => {
    const template = templateOf();
    for (const type of ['AWS::Pipes::Pipe', 'AWS::Events::Connection', 'AWS::Events::ApiDestination'])
      template.resourceCountIs(type, 0);
    expect(template.toJSON().Outputs.IncidentTools.Value).toBe('[]');
    expect(template.toJSON().Outputs).not.toHaveProperty('IncidentDeadLetterQueueUrl');
  });
});
