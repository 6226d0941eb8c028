import { readFileSync } from 'node:fs';
import { Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { dashboardOf, PROJECTS_PER_DASHBOARD } from '../../functions/aws/console.ts';
import { METRIC } from '../../functions/aws/metric-names.ts';
import { figuresOf } from '../../functions/aws/pass-summary.ts';
import { MAX_PROJECTS } from '../../functions/guard/settings/schema.ts';
import { createHarness } from '../support/harness.ts';
import { createStack, RICH_SETTINGS } from './synthesize.ts';

const { stack } = createStack();
const template = Template.fromStack(stack);

/** All policy statements of the role whose logical ID begins with this. */
function statementsOf(role: string): readonly Record<string, unknown>[] {
  const attached = Object.values(template.findResources('AWS::IAM::Policy'))
    .filter(({ Properties }) => JSON.stringify(Properties.Roles).includes(`"${role}`))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
  const inline = Object.entries(template.findResources('AWS::IAM::Role'))
    .filter(([id]) => id.startsWith(role))
    .flatMap(([, { Properties }]) =>
      (Properties.Policies ?? []).flatMap(
        (policy: { PolicyDocument: { Statement: [] } }) => policy.PolicyDocument.Statement,
      ),
    );
  return [...attached, ...inline];
}

const actionsOf = (role: string) =>
  statementsOf(role)
    .flatMap(({ Action }) => [Action].flat())
    .sort();

describe('the stack', () => {
  it('starts a pass for each project on schedule, with its name as the only input', () => {
    for (const project of Object.keys(RICH_SETTINGS.projects)) {
      template.hasResourceProperties('AWS::Scheduler::Schedule', {
        ScheduleExpression: 'rate(5 minutes)',
        State: 'ENABLED',
        Target: Match.objectLike({
          Input: JSON.stringify({ project }),
          DeadLetterConfig: Match.anyValue(),
          RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 300 },
        }),
      });
    }
  });

  it('spreads the passes of several projects within a fifth of the interval, but starts a single project’s pass at once', () => {
    template.allResourcesProperties('AWS::Scheduler::Schedule', {
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 1 },
    });
    const windowOf = (document: object) =>
      Object.values(Template.fromStack(createStack(document).stack).findResources('AWS::Scheduler::Schedule'))[0]
        ?.Properties.FlexibleTimeWindow;
    expect(windowOf({ ...RICH_SETTINGS, schedule: 'rate(1 day)' })).toEqual({
      Mode: 'FLEXIBLE',
      MaximumWindowInMinutes: 60,
    });
    expect(windowOf({ ...RICH_SETTINGS, schedule: 'rate(1 minute)' })).toEqual({ Mode: 'OFF' });
    expect(windowOf({ projects: { only: { secretName: 'x' } } })).toEqual({ Mode: 'OFF' });
  });

  it('links every alarm to an existing section of the runbook', () => {
    const headings = readFileSync('docs/runbook.md', 'utf8').split('\n');
    const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm'));
    expect(alarms.length).toBeGreaterThan(4);
    for (const { Properties } of alarms) {
      const [, section] = /Runbook section ([\w-]+)\./.exec(JSON.stringify(Properties.AlarmDescription)) ?? [];
      expect(headings).toContain(`## ${section}`);
    }
  });

  it('writes a rate of one unit in AWS’s format', () => {
    const hourly = createStack({ ...RICH_SETTINGS, schedule: 'rate(1 hour)' });
    Template.fromStack(hourly.stack).hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'rate(1 hour)',
    });
  });

  it('runs the function on Node 24 and arm64, with a time limit and source maps', () => {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Timeout: 120,
      Environment: { Variables: Match.objectLike({ NODE_OPTIONS: '--enable-source-maps' }) },
    });
  });

  it('does not replay a failed pass', () => {
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', { MaximumRetryAttempts: 0 });
  });

  it('creates the secret empty, and uses an existing one by its ARN', () => {
    const secrets = Object.values(template.findResources('AWS::SecretsManager::Secret'));
    expect(secrets).toHaveLength(1);
    expect(secrets[0]?.Properties).toMatchObject({ Name: 'qonversion/production' });
    expect(secrets[0]?.Properties).not.toHaveProperty('SecretString');
    expect(secrets[0]?.Properties).not.toHaveProperty('GenerateSecretString');
  });

  it('keeps the ledger: point-in-time recovery, TTL, retained when the stack is deleted', () => {
    template.hasResource('AWS::DynamoDB::Table', {
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: {
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: 'expires_at', Enabled: true },
      },
    });
  });

  it('retains exactly the ledger, the key and the secrets when it is destroyed', () => {
    const kept = Object.values(
      template.toJSON().Resources as Record<string, { Type: string; DeletionPolicy?: string }>,
    ).filter(({ DeletionPolicy }) => DeletionPolicy?.startsWith('Retain'));
    expect(kept.map(({ Type }) => Type).sort()).toEqual([
      'AWS::DynamoDB::Table',
      'AWS::KMS::Key',
      'AWS::SecretsManager::Secret',
    ]);
  });

  it('sets retention and encryption of logs', () => {
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 90, KmsKeyId: Match.anyValue() });
  });

  it('lets CloudWatch Logs of this region use the key for the log groups of this account', () => {
    const statements = Object.values(template.findResources('AWS::KMS::Key')).flatMap(
      ({ Properties }) => Properties.KeyPolicy.Statement,
    );
    const logs = statements.find(({ Sid }: { Sid?: string }) => Sid === 'LogsOfTheGuard');
    expect(logs.Principal).toEqual({
      Service: { 'Fn::Join': ['', ['logs.', { Ref: 'AWS::Region' }, '.', { Ref: 'AWS::URLSuffix' }]] },
    });
    expect(Object.keys(logs.Condition.ArnLike)).toEqual(['kms:EncryptionContext:aws:logs:arn']);
  });

  it('encrypts all stored data, and keeps undelivered messages for two weeks', () => {
    template.allResourcesProperties('AWS::SQS::Queue', {
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 1_209_600,
    });
    template.allResourcesProperties('AWS::SecretsManager::Secret', { KmsKeyId: Match.anyValue() });
  });

  it('denies plain HTTP at the queue', () => {
    template.hasResourceProperties('AWS::SQS::QueuePolicy', {
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Action: 'sqs:*',
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ]),
      }),
    });
  });

  it('explains how to fill each secret', () => {
    template.hasOutput('FillSecretOfproduction', {
      Value: Match.stringLikeRegexp('put-secret-value --secret-id .qonversion/production.'),
    });
    template.hasOutput('AlertsTopicArn', {});
    template.hasOutput('LedgerTableName', {});
    template.hasOutput('PassFunctionName', {});
  });

  it('contains its settings for the command line', () => {
    expect(template.toJSON().Metadata.IntegrationGuard.Settings.projects).toHaveProperty('production');
  });
});

describe('the topics', () => {
  it('are encrypted with the guard’s key', () => {
    template.allResourcesProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.anyValue() });
  });

  it('deny plain HTTP', () => {
    const policies = Object.values(template.findResources('AWS::SNS::TopicPolicy'));
    expect(policies).toHaveLength(4);
    for (const { Properties } of policies) {
      const deny = Properties.PolicyDocument.Statement.find(({ Effect }: { Effect: string }) => Effect === 'Deny');
      expect(deny).toMatchObject({ Condition: { Bool: { 'aws:SecureTransport': 'false' } }, Principal: '*' });
    }
  });

  it('allow CloudWatch alarms of this account only, in topic and key', () => {
    template.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Allow',
            Principal: { Service: 'cloudwatch.amazonaws.com' },
            Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          }),
        ]),
      }),
    });
    template.hasResourceProperties('AWS::KMS::Key', {
      EnableKeyRotation: true,
      KeyPolicy: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({
            Principal: { Service: 'cloudwatch.amazonaws.com' },
            Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
          }),
        ]),
      }),
    });
  });

  const subscription = (endpoint: string) =>
    Object.values(template.findResources('AWS::SNS::Subscription'))
      .map(({ Properties }) => Properties)
      .filter(({ Endpoint }) => Endpoint === endpoint);

  it('send people digests from their minimum severity, and the alarms unfiltered', () => {
    const [alerts, alarms] = subscription('ops@example.com');
    expect(alerts?.FilterPolicy).toEqual({ kind: ['digest'], severity: ['warning', 'critical'] });
    expect(alarms).toBeDefined();
    expect(alarms?.FilterPolicy).toBeUndefined();
    expect(alarms?.TopicArn).not.toEqual(alerts?.TopicArn);
  });

  it('send machines events, and alarms only on request', () => {
    expect(subscription('arn:aws:sqs:eu-west-1:123456789012:alerts')).toMatchObject([
      { FilterPolicy: { kind: ['event'], severity: ['info', 'warning', 'critical'] }, RawMessageDelivery: true },
    ]);
    expect(subscription('https://example.com/hooks/guard')).toHaveLength(2);
  });

  it('filter by project on request', () => {
    expect(subscription('+15551230000')[0]?.FilterPolicy).toEqual({
      kind: ['project-digest'],
      severity: ['critical'],
      project: ['production'],
    });
  });

  it('and no others may invoke a subscribed function', () => {
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'sns.amazonaws.com',
      FunctionName: 'arn:aws:lambda:eu-west-1:123456789012:function:on-alert',
      SourceArn: Match.anyValue(),
    });
  });

  it('of a chat channel carry only messages of the chat service’s schema: notifications and alarms', () => {
    const topicOf = (ref: string) => ({ Ref: Match.stringLikeRegexp(`^GuardAlerts${ref}`) });
    template.hasResourceProperties('AWS::Chatbot::SlackChannelConfiguration', {
      SlackWorkspaceId: 'T0ABCDEF1',
      SlackChannelId: 'C0ABCDEF1',
      SnsTopicArns: [topicOf('slack.*topic'), topicOf('AlarmsTopic')],
      GuardrailPolicies: [Match.anyValue()],
    });
    template.hasResourceProperties('AWS::Chatbot::MicrosoftTeamsChannelConfiguration', {
      TeamsChannelId: '19%3aabc%40thread.tacv2',
      SnsTopicArns: [topicOf('teams.*topic')],
    });
    expect(statementsOf('GuardAlertsChatRole')).toEqual([]);
    const chatTopics = JSON.stringify(template.toJSON().Outputs.ChatTopics.Value);
    expect(chatTopics).toContain('\\"minSeverity\\":\\"warning\\",\\"projects\\":null');
    expect(chatTopics).toContain('\\"projects\\":[\\"production\\"]');
  });

  it('keep undelivered messages', () => {
    template.allResourcesProperties('AWS::SNS::Subscription', { RedrivePolicy: Match.anyValue() });
  });
});

describe('least privilege', () => {
  it('gives the pass function exactly the actions it uses', () => {
    expect(actionsOf('GuardPassRole')).toEqual(
      [
        'dynamodb:BatchWriteItem',
        'dynamodb:PutItem',
        'dynamodb:Query',
        'kms:Decrypt',
        'kms:Decrypt',
        'kms:GenerateDataKey',
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        'secretsmanager:GetSecretValue',
        'sns:Publish',
        'sqs:SendMessage',
      ].sort(),
    );
  });

  it('lets the panel function only read', () => {
    expect([...new Set(actionsOf('GuardPanelRole'))]).toEqual([
      'dynamodb:Query',
      'kms:Decrypt',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
      'secretsmanager:GetSecretValue',
    ]);
  });

  it('gives the act function the permissions of a pass', () => {
    expect(actionsOf('GuardActRole')).toEqual(actionsOf('GuardPassRole'));
  });

  it('gives the scheduler exactly the actions it uses', () => {
    expect(actionsOf('GuardSchedulerRole')).toEqual(['lambda:InvokeFunction', 'sqs:SendMessage']);
  });

  it('names every resource: no role has a wildcard', () => {
    for (const role of ['GuardPassRole', 'GuardActRole', 'GuardPanelRole', 'GuardSchedulerRole']) {
      for (const statement of statementsOf(role)) expect(JSON.stringify(statement.Resource)).not.toContain('*');
    }
    for (const { Properties } of Object.values(template.findResources('AWS::IAM::Role'))) {
      expect(Properties.ManagedPolicyArns).toBeUndefined();
    }
  });
});

describe('the dashboard', () => {
  interface Widget {
    readonly type: string;
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly properties: {
      readonly title?: string;
      readonly endpoint?: string;
      readonly params?: unknown;
      readonly updateOn?: unknown;
      readonly metrics?: readonly (readonly unknown[])[];
      readonly alarms?: readonly unknown[];
      readonly query?: string;
    };
  }
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const { widgets } = JSON.parse(asText(dashboard?.Properties.DashboardBody)) as { widgets: readonly Widget[] };

  it('begins with the alarms, so that a glance shows the guard’s health', () => {
    expect(widgets[0]).toMatchObject({ type: 'alarm', x: 0, y: 0, width: 24 });
    expect(widgets[0]?.properties.alarms).toHaveLength(
      Object.keys(template.findResources('AWS::CloudWatch::Alarm')).length,
    );
  });

  it('has the control panel of each project, drawn by the read-only function', () => {
    const panels = widgets.filter(({ type }) => type === 'custom');
    expect(panels.map(({ properties }) => properties.params)).toEqual(
      Object.keys(RICH_SETTINGS.projects).map((project) => ({ project })),
    );
    for (const { properties } of panels) expect(properties.endpoint).toMatch(/^<GuardPanel/);
  });

  it('shows the stopped integrations of each project, and the passes that did something', () => {
    const shown = JSON.stringify(widgets);
    for (const project of Object.keys(RICH_SETTINGS.projects))
      expect(shown).toContain(`"IntegrationGuard","${METRIC.stopped}","project","${project}"`);
    const logs = widgets.filter(({ type }) => type === 'log').map(({ properties }) => properties.query);
    expect(logs).toHaveLength(2);
    for (const query of logs) {
      expect(query).toMatch(/^SOURCE '<GuardPassLogs/);
      expect(query).toContain('filter project in ["production", "other"]');
    }
  });

  it('asks the log for nothing but fields that a pass writes', async () => {
    const harness = createHarness();
    const known = new Set(['@timestamp', 'project', 'failure', ...Object.keys(figuresOf(await harness.pass()))]);
    const words = widgets
      .filter(({ type }) => type === 'log')
      .flatMap(({ properties }) =>
        (properties.query ?? '').split('\n').flatMap((line) => [
          ...(/^\| fields (.*)$|fields (.*)$/
            .exec(line)
            ?.at(0)
            ?.replace(/^.*fields /, '')
            .split(', ') ?? []),
          ...[...line.matchAll(/(?:sum|avg|ispresent)\((\w+)\)/g)].map(([, name = '']) => name),
        ]),
      );
    expect(words.length).toBeGreaterThan(8);
    for (const word of words) expect(known).toContain(word);
  });

  it('places its widgets without overlap, within CloudWatch’s width', () => {
    widgets.forEach((one, index) => {
      expect(one.x + one.width).toBeLessThanOrEqual(24);
      for (const other of widgets.slice(index + 1)) {
        const apart =
          one.x + one.width <= other.x ||
          other.x + other.width <= one.x ||
          one.y + one.height <= other.y ||
          other.y + other.height <= one.y;
        expect(apart).toBe(true);
      }
    });
  });

  it('marks the function that describes itself to the console', () => {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Description: Match.stringLikeRegexp('^Draws the control panel'),
      Tags: [{ Key: 'cw-custom-widget', Value: 'describe' }],
    });
  });

  it('has the name in the links of alerts', () => {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ DASHBOARD_NAME: dashboard?.Properties.DashboardName }) },
    });
  });
});

/** A joined value as text, with `<Name>` for parts that only the deployment knows. */
function asText(value: { readonly 'Fn::Join': [string, (string | Record<string, unknown>)[]] }): string {
  const [separator, parts] = value['Fn::Join'];
  return parts
    .map((part) => (typeof part === 'string' ? part : `<${[Object.values(part)[0]].flat().join('.')}>`))
    .join(separator);
}

describe('the alarms', () => {
  it('watch errors, throttles, dead letters, missing passes and stopped integrations, and notify when they return to OK', () => {
    const alarms = Object.entries(template.findResources('AWS::CloudWatch::Alarm'));
    const names = alarms.map(([id]) => id.replace(/^GuardMonitoring/, '').replace(/[0-9A-F]{8}$/, ''));
    expect(names.sort()).toEqual(
      [
        'DeadLetters',
        'IncidentDeadLetters',
        'IncidentsDelayedpagerduty8a458e32',
        'IncidentsDelayedwebhookcbd75363',
        'NoPassother',
        'NoPassproduction',
        'PassErrors',
        'PassThrottles',
        'Stoppedother',
        'Stoppedproduction',
      ].sort(),
    );
    template.allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [Match.anyValue()],
      OKActions: [Match.anyValue()],
      AlarmDescription: Match.anyValue(),
    });
  });

  it('treat three intervals without data as a failure', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'InvocationAttemptCount',
      Namespace: 'AWS/Scheduler',
      Dimensions: [
        { Name: 'ScheduleGroup', Value: { Ref: Match.stringLikeRegexp('^GuardScheduleGroupOfproduction') } },
      ],
      Period: 300,
      EvaluationPeriods: 3,
      TreatMissingData: 'breaching',
      ComparisonOperator: 'LessThanThreshold',
    });
  });

  it('say that an integration is stopped, until three intervals without one', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'Stopped',
      Namespace: 'IntegrationGuard',
      Dimensions: Match.arrayWith([{ Name: 'project', Value: 'production' }]),
      Statistic: 'Maximum',
      Threshold: 1,
      Period: 300,
      EvaluationPeriods: 3,
      DatapointsToAlarm: 1,
      TreatMissingData: 'notBreaching',
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    });
  });
});

describe('cdk-nag', () => {
  it('reports no finding of three rule packs without a documented reason', () => {
    const { app } = createStack();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new NIST80053R5Checks(app), new ServerlessChecks(app));
    expect(() => app.synth()).not.toThrow();
  });

  it('would report a queue without TLS', async () => {
    const { app, stack: nagged } = createStack();
    const { Queue } = await import('aws-cdk-lib/aws-sqs');
    new Queue(nagged, 'Careless');
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).toThrow(/does not require requests to use SSL/);
  });
});

describe('the template', () => {
  it('is the one that was reviewed', () => {
    const scrubbed = JSON.stringify(template.toJSON(), null, 2).replace(/[a-f0-9]{64}/g, 'ASSET-HASH');
    expect(scrubbed).toMatchSnapshot();
  });
});

describe('a stack of projects with unusual names', () => {
  it.each([
    ['names that every object has a property of', ['constructor', 'toString', 'valueOf', 'hasOwnProperty']],
    ['names of letters and digits that differ in nothing but marks', ['a-b', 'ab', 'a--b']],
    ['names like those of the stack’s own parts', ['Pass', 'Fleet', 'Key', 'Default', '0']],
  ])('accepts %s', (_what, names) => {
    const projects = Object.fromEntries(names.map((name) => [name, { secretName: `q/${name}` }]));
    const template = Template.fromStack(createStack({ projects }).stack);
    template.resourceCountIs('AWS::Scheduler::Schedule', names.length);
    template.resourceCountIs('AWS::SecretsManager::Secret', names.length);
  });
});

describe('a stack with the most projects that the settings allow', () => {
  const names = Array.from({ length: MAX_PROJECTS }, (_, index) => `project-with-a-long-name-${index}`);
  const many = createStack({
    projects: Object.fromEntries(names.map((name) => [name, { secretName: `qonversion/${name}` }])),
    alerts: { subscriptions: [] },
    dashboard: true,
  });
  const resources = Template.fromStack(many.stack).toJSON().Resources as Readonly<
    Record<string, { readonly Type: string; readonly Properties: Record<string, unknown> }>
  >;

  it('stays below CloudFormation’s limits', () => {
    expect(Object.keys(resources).length).toBeLessThan(490);
    const template = JSON.stringify(Template.fromStack(many.stack).toJSON());
    expect(Buffer.byteLength(template)).toBeLessThan(600_000);
  });

  it('stays below IAM’s limit for the inline policies of a role', () => {
    // A reference becomes the ARN of a secret, which is at most this long.
    const arn =
      'arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:qonversion/project-with-a-long-name-79-AbCdEf';
    const sizes = Object.values(resources)
      .filter(({ Type }) => Type === 'AWS::IAM::Policy')
      .map(
        ({ Properties }) => JSON.stringify(Properties.PolicyDocument).replace(/\{"Ref":"[^"]*"\}/g, `"${arn}"`).length,
      );
    expect(Math.max(...sizes)).toBeLessThan(10_240);
  });

  it('has dashboards within CloudWatch’s limits, with every panel on the one that alerts link to', () => {
    const dashboards = Object.values(resources).filter(({ Type }) => Type === 'AWS::CloudWatch::Dashboard');
    const bodies = dashboards.map(({ Properties }) => ({
      name: asText(Properties.DashboardName as Parameters<typeof asText>[0]),
      body: asText(Properties.DashboardBody as Parameters<typeof asText>[0]),
    }));
    expect(bodies.length).toBe(Math.ceil(MAX_PROJECTS / PROJECTS_PER_DASHBOARD));
    for (const { body } of bodies) {
      const { widgets } = JSON.parse(body) as { widgets: readonly { properties: { alarms?: readonly unknown[] } }[] };
      expect(widgets.length).toBeLessThanOrEqual(500);
      expect(widgets[0]?.properties.alarms?.length).toBeLessThanOrEqual(100);
    }
    const [first] = bodies;
    for (const name of names) {
      const linked = bodies.find((dashboard) => dashboard.name === dashboardOf(first?.name ?? '', names, name));
      expect(linked?.body).toContain(`"params":{"project":"${name}"}`);
    }
  });

  it('refuses one more project in one sentence', () => {
    const projects = Object.fromEntries([...names, 'one-more'].map((name) => [name, { secretName: name }]));
    expect(() => createStack({ projects })).toThrow(
      /projects: expected at most 80 listed projects \(.*"fleet" finds any number by a tag.*\), got 81$/,
    );
  });
});
