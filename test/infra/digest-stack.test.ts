import { Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { createStack } from './synthesize.ts';

/** The resources for quiet hours, "only" and the digests of a fleet. */

const MAIL = { email: 'ops@example.com' };
const NIGHT = { from: '22:00', to: '07:30', timeZone: 'Europe/Berlin' };

function templateOf(subscriptions: readonly object[], more: object = {}): Template {
  const projects = { production: { secretName: 'qonversion/production' } };
  return Template.fromStack(createStack({ projects, alerts: { subscriptions }, ...more }).stack);
}

/** The subscriptions of an endpoint: filter policy by topic. */
function filtersOf(template: Template, endpoint: string): readonly (readonly [topic: string, filter: unknown])[] {
  return Object.values(template.findResources('AWS::SNS::Subscription', { Properties: { Endpoint: endpoint } })).map(
    ({ Properties }) => [
      /Alarms/.test(JSON.stringify(Properties.TopicArn)) ? 'alarms' : 'alerts',
      Properties.FilterPolicy,
    ],
  );
}

const ALL = ['info', 'warning', 'critical'];

describe('a subscription', () => {
  it('to alarms only gets nothing else, also for machines', () => {
    const template = templateOf([
      { ...MAIL, only: 'alarms' },
      { https: 'https://example.com/alarms', only: 'alarms' },
    ]);
    expect(filtersOf(template, MAIL.email)).toEqual([['alarms', undefined]]);
    expect(filtersOf(template, 'https://example.com/alarms')).toEqual([['alarms', undefined]]);
  });

  it('to the daily summary gets no alarms unless the settings say so', () => {
    const summary = { kind: ['daily-summary'], severity: ALL };
    expect(filtersOf(templateOf([{ ...MAIL, only: 'daily-summary' }]), MAIL.email)).toEqual([['alerts', summary]]);
    const both = filtersOf(templateOf([{ ...MAIL, only: 'daily-summary', alarms: true }]), MAIL.email);
    expect(both).toEqual([
      ['alerts', summary],
      ['alarms', undefined],
    ]);
  });

  it('with quiet hours still gets alarms at any time', () => {
    expect(filtersOf(templateOf([{ ...MAIL, quietHours: NIGHT }]), MAIL.email)).toEqual([
      ['alerts', { kind: ['digest 22:00-07:30 Europe/Berlin'], severity: ALL }],
      ['alarms', undefined],
    ]);
  });

  it('of a chat channel to alarms only has no topic of its own', () => {
    const slack = { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' };
    const template = templateOf([{ slack, only: 'alarms' }]);
    template.resourceCountIs('AWS::SNS::Topic', 2);
    template.hasResourceProperties('AWS::Chatbot::SlackChannelConfiguration', {
      SnsTopicArns: [{ Ref: Match.stringLikeRegexp('AlarmsTopic') }],
    });
  });
});

describe('the digest function', () => {
  const ofDigest = Match.objectLike({ Handler: 'digest.handler', Timeout: 120 });

  it('exists only if something waits for it', () => {
    expect(templateOf([MAIL]).findResources('AWS::Lambda::Function', { Properties: ofDigest })).toEqual({});
  });

  it('is started every hour for each kind of quiet hours, by their clock', () => {
    const template = templateOf([
      { ...MAIL, quietHours: NIGHT },
      { sms: '+15551230000', quietHours: NIGHT },
    ]);
    template.hasResourceProperties('AWS::Lambda::Function', ofDigest);
    template.resourcePropertiesCountIs(
      'AWS::Scheduler::Schedule',
      {
        ScheduleExpression: 'cron(30 * * * ? *)',
        ScheduleExpressionTimezone: 'Europe/Berlin',
        Target: Match.objectLike({
          Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^GuardDigest'), 'Arn'] },
          Input: JSON.stringify({ release: '22:00-07:30 Europe/Berlin' }),
          DeadLetterConfig: Match.anyValue(),
        }),
      },
      1,
    );
  });

  it('may send alerts and use the ledger’s table, and cannot read a Secret Key', () => {
    const template = templateOf([{ ...MAIL, quietHours: NIGHT }]);
    const statements = Object.values(template.findResources('AWS::IAM::Policy'))
      .filter(({ Properties }) => JSON.stringify(Properties.Roles).includes('GuardDigestRole'))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as readonly { Action: string | string[] }[]);
    expect([...new Set(statements.flatMap(({ Action }) => [Action].flat()))].sort()).toEqual([
      'dynamodb:BatchWriteItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      'kms:Decrypt',
      'kms:GenerateDataKey',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
      'sns:Publish',
    ]);
  });

  it('has an alarm if quiet hours need it; a run over the fleet fails without it', () => {
    const alarms = (template: Template) =>
      Object.keys(template.findResources('AWS::CloudWatch::Alarm')).filter((id) => id.includes('DigestErrors'));
    expect(alarms(templateOf([{ ...MAIL, quietHours: NIGHT }]))).toHaveLength(1);
    expect(alarms(templateOf([MAIL], { fleet: { secretNamePrefix: 'qonversion/' } }))).toEqual([]);
  });

  it('is the one that a run over the fleet starts', () => {
    const template = templateOf([MAIL], { projects: {}, fleet: { secretNamePrefix: 'qonversion/' } });
    template.hasResourceProperties('AWS::Lambda::Function', ofDigest);
    const [machine] = Object.values(template.findResources('AWS::StepFunctions::StateMachine'));
    expect(JSON.stringify(machine?.Properties.DefinitionString)).toMatch(/"Fn::GetAtt":\["GuardDigest\w+","Arn"\]/);
  });
});

describe('the environment of a function', () => {
  const names = Array.from({ length: 60 }, (_, index) => `customer-${index}`);
  const channels = (projects: readonly string[]) =>
    Array.from({ length: 8 }, (_, index) => ({
      slack: { workspaceId: 'T0ABCDEF1', channelId: `C0ABCDEF${index}` },
      projects,
    }));

  it('holds the channels and tools of a stack', () => {
    const projects = Object.fromEntries(names.map((name) => [name, { secretName: name }]));
    expect(() => templateOf(channels(names.slice(0, 10)), { projects })).not.toThrow();
  });

  it('that would be too large for Lambda is an error at synthesis', () => {
    const projects = Object.fromEntries(names.map((name) => [name, { secretName: name }]));
    expect(() => templateOf(channels(names), { projects })).toThrow(
      /alerts\.subscriptions: expected chat channels and incident tools whose projects fit into 4096 bytes .*name fewer projects/,
    );
  });
});
