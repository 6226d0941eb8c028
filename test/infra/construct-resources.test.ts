import { CfnParameter, Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AttributeType, type ITable, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { Role, User } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import { METRICS_SERVICE } from '../../functions/aws/metric-names.ts';
import { IntegrationGuard } from '../../infra/integration-guard.ts';
import type { AlertsProps, SubscriptionProps } from '../../infra/props.ts';
import {
  addGuard,
  createApp,
  createUserStack,
  grantsOf,
  ONE_PROJECT,
  type Resource,
  resourcesOf,
  type Statement,
  show,
  statementsOf,
  templateOf,
  type UserTemplate,
} from './user-app.ts';

const ACCOUNT = { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } };

/** The statements about a service, in the policies of resources of a type. */
function statementsFor(template: UserTemplate, type: string, service: string): readonly Statement[] {
  return resourcesOf(template, type).flatMap(([, { Properties }]) => {
    const policy = (Properties.PolicyDocument ?? Properties.KeyPolicy) as { readonly Statement: readonly Statement[] };
    return policy.Statement.filter(
      ({ Principal }) => JSON.stringify(Principal) === JSON.stringify({ Service: service }),
    );
  });
}

function subscriptionsOf(template: UserTemplate): readonly Readonly<Record<string, unknown>>[] {
  return resourcesOf(template, 'AWS::SNS::Subscription').map(([, { Properties }]) => Properties);
}

const subscribe = (...subscriptions: NonNullable<AlertsProps['subscriptions']>) => ({ alerts: { subscriptions } });

const aFunction = (stack: Stack) => {
  const code = Code.fromInline('exports.handler = async () => {}');
  return new LambdaFunction(stack, 'Fn', { runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code });
};

describe('a subscribed queue', () => {
  it('allows the topic to send, and so does its key', () => {
    const stack = createUserStack();
    const encryptionMasterKey = new Key(stack, 'QueueKey');
    const sqs = new Queue(stack, 'Queue', { encryption: QueueEncryption.KMS, encryptionMasterKey });
    addGuard(stack, subscribe({ sqs, minSeverity: 'critical', projects: ['production'] }));
    const template = templateOf(stack);
    expect(subscriptionsOf(template)).toMatchObject([
      {
        Protocol: 'sqs',
        Endpoint: { 'Fn::GetAtt': [expect.stringMatching(/^Queue/), 'Arn'] },
        RawMessageDelivery: true,
        FilterPolicy: { kind: ['event'], severity: ['critical'], project: ['production'] },
        RedrivePolicy: { deadLetterTargetArn: expect.anything() },
      },
    ]);
    const send = statementsFor(template, 'AWS::SQS::QueuePolicy', 'sns.amazonaws.com');
    expect(send.map(({ Action, Resource }) => `${String(Action)} on ${show(Resource)}`)).toContain(
      'sqs:SendMessage on <Queue>',
    );
    expect(statementsFor(template, 'AWS::KMS::Key', 'sns.amazonaws.com')).toHaveLength(1);
  });

  it('may be in another stack', () => {
    const app = createApp();
    const sqs = new Queue(new Stack(app, 'Queues'), 'Queue');
    const stack = new Stack(app, 'UserStack');
    addGuard(stack, subscribe({ sqs, alarms: true }));
    app.synth();
    expect(subscriptionsOf(templateOf(Stack.of(sqs)))).toHaveLength(2);
  });

  it('may be given by a token, with the same ID in every synthesis', () => {
    const synthesize = () => {
      const stack = createUserStack();
      addGuard(stack, subscribe({ sqs: new CfnParameter(stack, 'QueueArn').valueAsString }));
      return templateOf(stack);
    };
    expect(subscriptionsOf(synthesize())).toMatchObject([{ Protocol: 'sqs', Endpoint: { Ref: 'QueueArn' } }]);
    expect(Object.keys(synthesize().Resources)).toEqual(Object.keys(synthesize().Resources));
  });
});

describe('a subscribed function', () => {
  it('may be invoked by the topic, and by other topics of the same ID', () => {
    const stack = createUserStack();
    const lambda = aFunction(stack);
    new Topic(stack, 'Topic').addSubscription(new LambdaSubscription(lambda));
    new Topic(stack, 'AlarmsTopic').addSubscription(new LambdaSubscription(lambda));
    addGuard(stack, subscribe({ lambda, alarms: true }));
    const template = templateOf(stack);
    expect(subscriptionsOf(template)).toHaveLength(4);
    const permissions = resourcesOf(template, 'AWS::Lambda::Permission').map(([, { Properties }]) => Properties);
    expect(permissions.map(({ SourceArn }) => show(SourceArn)).sort()).toEqual([
      '<AlarmsTopic>',
      '<GuardAlertsAlarmsTopic>',
      '<GuardAlertsTopic>',
      '<Topic>',
    ]);
  });

  it('and a queue are subscribed once, as objects or by their ARNs', () => {
    const queue = (stack: Stack) => new Queue(stack, 'Machines');
    const arn = 'arn:aws:sqs:eu-west-1:123456789012:machines';
    const pairs: readonly ((stack: Stack) => SubscriptionProps[])[] = [
      (stack) => {
        const sqs = queue(stack);
        return [{ sqs }, { sqs: sqs.queueArn, minSeverity: 'critical' }];
      },
      (stack) => [{ sqs: Queue.fromQueueArn(stack, 'A', arn) }, { sqs: arn }],
      (stack) => [{ sqs: Queue.fromQueueArn(stack, 'A', arn) }, { sqs: Queue.fromQueueArn(stack, 'B', arn) }],
    ];
    for (const subscriptions of pairs) {
      const stack = createUserStack();
      expect(() => addGuard(stack, { alerts: { subscriptions: subscriptions(stack) } })).toThrow(
        /alerts\.subscriptions\.1.*already subscribed/,
      );
    }
  });

  it('may be given by a token, and topics may have the same ID', () => {
    const stack = createUserStack();
    const [topic, alarmsTopic] = [new Topic(stack, 'Topic'), new Topic(new Stack(stack, 'Nested'), 'Topic')];
    const subscriptions = [{ lambda: Fn.importValue('Arn'), alarms: true }];
    addGuard(stack, { alerts: { subscriptions, topic, alarmsTopic } });
    expect(resourcesOf(templateOf(stack), 'AWS::Lambda::Permission')).toHaveLength(2);
  });

  it('may be given by a token', () => {
    const stack = createUserStack();
    const lambda = new CfnParameter(stack, 'Arn').valueAsString;
    addGuard(stack, subscribe({ lambda, alarms: true }));
    const permissions = resourcesOf(templateOf(stack), 'AWS::Lambda::Permission').map(
      ([, { Properties }]) => Properties,
    );
    expect(permissions.map(({ FunctionName, SourceArn }) => `${show(FunctionName)} ${show(SourceArn)}`)).toEqual([
      '<Arn> <GuardAlertsTopic>',
      '<Arn> <GuardAlertsAlarmsTopic>',
    ]);
  });
});

describe('topics', () => {
  it('of the app receive alerts and alarms, and their keys allow the guard', () => {
    const stack = createUserStack();
    const masterKey = new Key(stack, 'TopicKey');
    const topic = new Topic(stack, 'Mine', { masterKey });
    const alarmsTopic = new Topic(stack, 'MyAlarms', { masterKey });
    const guard = addGuard(stack, { alerts: { topic, alarmsTopic, subscriptions: [{ email: 'ops@example.com' }] } });
    const template = templateOf(stack);
    expect(resourcesOf(template, 'AWS::SNS::Topic')).toHaveLength(2);
    expect(guard.alertsTopic).toBe(topic);
    expect(grantsOf(template, 'GuardPassRole')).toEqual(
      expect.arrayContaining([
        'kms:Decrypt on <TopicKey>',
        'kms:GenerateDataKey on <TopicKey>',
        'sns:Publish on <Mine>',
      ]),
    );
    const publish = statementsFor(template, 'AWS::SNS::TopicPolicy', 'cloudwatch.amazonaws.com');
    expect(publish).toMatchObject([{ Action: 'sns:Publish', Condition: ACCOUNT }]);
    const use = resourcesOf(template, 'AWS::KMS::Key')
      .filter(([id]) => id.startsWith('TopicKey'))
      .map(([, { Properties }]) => JSON.stringify(Properties.KeyPolicy));
    expect(use[0]).toContain('"cloudwatch.amazonaws.com"');
    expect(subscriptionsOf(template).map(({ TopicArn }) => show(TopicArn))).toEqual(['<Mine>', '<MyAlarms>']);
  });

  it('that are imported stay unchanged', () => {
    const stack = createUserStack();
    const arn = 'arn:aws:sns:eu-west-1:123456789012:';
    addGuard(stack, {
      alerts: {
        topic: Topic.fromTopicArn(stack, 'Mine', `${arn}alerts`),
        alarmsTopic: Topic.fromTopicArn(stack, 'MyAlarms', `${arn}alarms`),
      },
    });
    const template = templateOf(stack);
    expect(resourcesOf(template, 'AWS::SNS::Topic')).toEqual([]);
    expect(resourcesOf(template, 'AWS::SNS::TopicPolicy')).toEqual([]);
    expect(grantsOf(template, 'GuardPassRole')).toContain(`sns:Publish on ${arn}alerts`);
    for (const [, { Properties }] of resourcesOf(template, 'AWS::CloudWatch::Alarm'))
      expect(Properties.AlarmActions).toEqual([`${arn}alarms`]);
  });

  it('are created for the missing one if only one is given', () => {
    const stack = createUserStack();
    addGuard(stack, { alerts: { alarmsTopic: new Topic(stack, 'MyAlarms') } });
    expect(resourcesOf(templateOf(stack), 'AWS::SNS::Topic')).toHaveLength(2);
  });
});

describe('a key', () => {
  const uses = (template: UserTemplate) =>
    resourcesOf(template, 'AWS::KMS::Key').map(([id, { Properties }]) => {
      const { Statement } = Properties.KeyPolicy as { readonly Statement: readonly Statement[] };
      return [id.replace(/[0-9A-F]{8}$/, ''), Statement.flatMap(({ Sid }) => Sid ?? [])];
    });

  it('of the app is used for everything, and allows alarms and logs', () => {
    const stack = createUserStack();
    addGuard(stack, { encryptionKey: new Key(stack, 'Mine') });
    const template = templateOf(stack);
    expect(uses(template)).toEqual([['Mine', ['AlarmsPublishToEncryptedTopic', 'LogsOfTheGuard']]]);
    for (const [, { Properties }] of resourcesOf(template, 'AWS::Logs::LogGroup'))
      expect(show(Properties.KmsKeyId)).toBe('<Mine>');
    expect(grantsOf(template, 'GuardPassRole')).toContain('kms:Decrypt on <Mine>');
  });

  it('of the app is shared by two guards without repeated statements', () => {
    const app = createApp();
    const encryptionKey = new Key(new Stack(app, 'Keys'), 'Mine');
    for (const name of ['One', 'Two']) addGuard(new Stack(app, name), { encryptionKey });
    app.synth();
    expect(uses(templateOf(Stack.of(encryptionKey)))).toEqual([
      ['Mine', ['AlarmsPublishToEncryptedTopic', 'LogsOfTheGuard']],
    ]);
  });

  it('that is imported stays unchanged', () => {
    const stack = createUserStack();
    const arn = 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000';
    addGuard(stack, { encryptionKey: Key.fromKeyArn(stack, 'Mine', arn) });
    const template = templateOf(stack);
    expect(uses(template)).toEqual([]);
    expect(grantsOf(template, 'GuardPanelRole')).toContain(`kms:Decrypt on ${arn}`);
    const byArn = createUserStack();
    addGuard(byArn, { encryptionKeyArn: arn });
    expect(uses(templateOf(byArn))).toEqual([]);
  });
});

const TABLE = {
  partitionKey: { name: 'project', type: AttributeType.STRING },
  sortKey: { name: 'item', type: AttributeType.STRING },
};

describe('a ledger', () => {
  it('of the app is used, with its key', () => {
    const stack = createUserStack();
    const encryptionKey = new Key(stack, 'TableKey');
    const encryption = TableEncryption.CUSTOMER_MANAGED;
    const ledgerTable = new Table(stack, 'Mine', { ...TABLE, encryption, encryptionKey }) as ITable;
    addGuard(stack, { ledgerTable });
    const template = templateOf(stack);
    expect(resourcesOf(template, 'AWS::DynamoDB::Table')).toHaveLength(1);
    for (const role of ['GuardPassRole', 'GuardActRole', 'GuardPanelRole']) {
      expect(grantsOf(template, role)).toContain('dynamodb:Query on <Mine>');
      expect(grantsOf(template, role)).toContain('kms:Decrypt on <TableKey>');
    }
    expect(grantsOf(template, 'GuardPanelRole')).not.toContain('dynamodb:PutItem on <Mine>');
  });

  it('of an earlier deployment is found by its name', () => {
    const stack = createUserStack();
    addGuard(stack, { ledgerTableName: 'guard-ledger' });
    const template = templateOf(stack);
    expect(resourcesOf(template, 'AWS::DynamoDB::Table')).toEqual([]);
    const arn = 'arn:<Partition>:dynamodb:<Region>:<AccountId>:table/guard-ledger';
    expect(grantsOf(template, 'GuardPassRole')).toContain(`dynamodb:PutItem on ${arn}`);
  });
});

describe('a dead-letter queue', () => {
  it('of the app receives undelivered messages of schedules and topics, and its key allows them', () => {
    const stack = createUserStack();
    const encryptionMasterKey = new Key(stack, 'QueueKey');
    const deadLetterQueue = new Queue(stack, 'Dead', { encryption: QueueEncryption.KMS, encryptionMasterKey });
    addGuard(stack, { deadLetterQueue, ...subscribe({ email: 'ops@example.com' }) });
    const template = templateOf(stack);
    expect(resourcesOf(template, 'AWS::SQS::Queue')).toHaveLength(1);
    expect(statementsFor(template, 'AWS::KMS::Key', 'sns.amazonaws.com')).toMatchObject([{ Condition: ACCOUNT }]);
    const [, scheduler] =
      resourcesOf(template, 'AWS::IAM::Role').find(([id]) => id.startsWith('GuardSchedulerRole')) ?? [];
    expect(JSON.stringify(scheduler?.Properties.Policies)).toMatch(/"kms:GenerateDataKey".*QueueKey/);
  });

  it('that is imported stays unchanged', () => {
    const stack = createUserStack();
    const arn = 'arn:aws:sqs:eu-west-1:123456789012:dead';
    addGuard(stack, { deadLetterQueue: Queue.fromQueueArn(stack, 'Dead', arn) });
    const template = templateOf(stack);
    expect(resourcesOf(template, 'AWS::SQS::Queue')).toEqual([]);
    for (const [, { Properties }] of resourcesOf(template, 'AWS::Scheduler::Schedule'))
      expect(Properties.Target).toMatchObject({ DeadLetterConfig: { Arn: arn } });
  });
});

describe('the removal policy', () => {
  it.each([
    [RemovalPolicy.RETAIN, 'Retain'],
    [RemovalPolicy.DESTROY, 'Delete'],
    [RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, 'RetainExceptOnCreate'],
  ])('%s applies to the ledger, the key and the secrets', (removalPolicy, deletion) => {
    const stack = createUserStack();
    addGuard(stack, { removalPolicy });
    const template = templateOf(stack);
    for (const type of ['AWS::DynamoDB::Table', 'AWS::KMS::Key', 'AWS::SecretsManager::Secret'])
      expect(resourcesOf(template, type).map(([, { DeletionPolicy }]) => DeletionPolicy)).toEqual([deletion]);
  });
});

const IN_REGION = '<Region>:<AccountId>';
const VIEW = [
  `cloudwatch:GetDashboard on arn:<Partition>:cloudwatch::<AccountId>:dashboard/UserStack-<Region>*`,
  'lambda:InvokeFunction on <GuardPanel>',
  'lambda:InvokeFunction on <GuardPanel>:*',
];
const FLEET_ARN = `arn:<Partition>:secretsmanager:${IN_REGION}:secret:q/*`;
const GRANTS: Readonly<Record<'grantView' | 'grantOperate' | 'grantCommandLine' | 'grantRun', readonly string[]>> = {
  grantView: VIEW,
  grantOperate: [...VIEW, 'lambda:InvokeFunction on <GuardAct>', 'lambda:InvokeFunction on <GuardAct>:*'],
  grantCommandLine: [
    `cloudformation:DescribeStacks on arn:<Partition>:cloudformation:${IN_REGION}:stack/UserStack/*`,
    `cloudformation:GetTemplate on arn:<Partition>:cloudformation:${IN_REGION}:stack/UserStack/*`,
    'dynamodb:BatchWriteItem on <GuardLedger>',
    'dynamodb:PutItem on <GuardLedger>',
    'dynamodb:Query on <GuardLedger>',
    'kms:Decrypt on <GuardKey>',
    'kms:GenerateDataKey on <GuardKey>',
    `secretsmanager:DescribeSecret on ${FLEET_ARN}`,
    `secretsmanager:GetSecretValue on ${FLEET_ARN}`,
    'secretsmanager:GetSecretValue on <GuardSecretqonversionproduction>',
    'secretsmanager:ListSecrets on *',
    'sns:Publish on <GuardAlertsTopic>',
    // Of the doctor alone:
    'cloudwatch:DescribeAlarms on *',
    'cloudwatch:GetMetricData on *',
    'scheduler:ListSchedules on *',
    `scheduler:GetSchedule on arn:<Partition>:scheduler:${IN_REGION}:schedule/*`,
    'sns:ListSubscriptionsByTopic on <GuardAlertsTopic>',
    'sns:ListSubscriptionsByTopic on <GuardAlertsAlarmsTopic>',
    'sqs:GetQueueAttributes on <GuardDeadLetters>',
    'states:ListExecutions on <GuardFleetRuns>',
    `states:ListMapRuns on arn:<Partition>:states:${IN_REGION}:execution:<GuardFleetRuns>:*`,
    `states:DescribeMapRun on arn:<Partition>:states:${IN_REGION}:mapRun:<GuardFleetRuns>/*`,
  ],
  grantRun: [
    'lambda:InvokeFunction on <GuardFleetPass>',
    'lambda:InvokeFunction on <GuardFleetPass>:*',
    'lambda:InvokeFunction on <GuardPass>',
    'lambda:InvokeFunction on <GuardPass>:*',
  ],
};

describe.each(Object.entries(GRANTS) as readonly (readonly [keyof typeof GRANTS, readonly string[]])[])(
  '%s',
  (grant, expected) => {
    it.each([
      ['an imported role', (stack: Stack) => Role.fromRoleName(stack, 'Grantee', 'operators'), 'operators'],
      ['a user', (stack: Stack) => new User(stack, 'Grantee'), 'Grantee'],
    ])('gives %s exactly these actions on these resources', (_who, granteeOf, principal) => {
      const stack = createUserStack();
      const guard = addGuard(stack, { fleet: { secretNamePrefix: 'q/' } });
      guard[grant](granteeOf(stack));
      const template = templateOf(stack);
      const grants = grantsOf(template, principal).map((each) =>
        each.replace(/Secretqonversionproduction[0-9a-f]+>/, 'Secretqonversionproduction>'),
      );
      expect(grants).toEqual([...expected].sort());
      // The guard must not read secrets without the tag.
      for (const { Action, Condition } of statementsOf(template, principal))
        if (String(Action).includes('DescribeSecret'))
          expect(Condition).toEqual({ Null: { 'aws:ResourceTag/integration-guard:project': 'false' } });
    });
  },
);

describe('grants without a fleet', () => {
  it('list no secrets', () => {
    const stack = createUserStack();
    addGuard(stack).grantCommandLine(Role.fromRoleName(stack, 'Grantee', 'operators'));
    const grants = grantsOf(templateOf(stack), 'operators');
    expect(grants.filter((each) => each.includes('ListSecrets') || each.includes('DescribeSecret'))).toEqual([]);
  });
});

describe('metrics', () => {
  const of = (make: (guard: IntegrationGuard) => object) => {
    const stack = createUserStack();
    return make(addGuard(stack));
  };
  it('metricStopped is the number of a project’s stopped integrations', () => {
    expect(of((guard) => guard.metricStopped('production'))).toMatchObject({
      namespace: 'IntegrationGuard',
      metricName: 'Stopped',
      statistic: 'Maximum',
    });
    const options = { period: Duration.hours(1), statistic: 'Average' };
    expect(of((guard) => guard.metricStopped('production', options))).toMatchObject(options);
  });

  it('metricPasses is what EventBridge Scheduler counts for the group of the project’s schedule', () => {
    const stack = createUserStack();
    const { dimensions, ...metric } = addGuard(stack).metricPasses('production');
    expect(metric).toMatchObject({
      namespace: 'AWS/Scheduler',
      metricName: 'InvocationAttemptCount',
      statistic: 'Sum',
    });
    const [[, schedule]] = resourcesOf(templateOf(stack), 'AWS::Scheduler::Schedule') as [readonly [string, Resource]];
    expect(stack.resolve(dimensions)).toEqual({ ScheduleGroup: schedule.Properties.GroupName });
    expect(() => addGuard(createUserStack()).metricPasses('prodution')).toThrow(/name of a project in "projects"/);
  });

  it('have the dimensions that the guard writes', () => {
    expect(of((guard) => guard.metric('stopped', 'production'))).toMatchObject({
      metricName: 'Stopped',
      dimensions: { service: METRICS_SERVICE, project: 'production' },
    });
  });
});

describe('without a dashboard', () => {
  const stack = createUserStack();
  const guard = addGuard(stack, { dashboard: false, fleet: { secretNamePrefix: 'q/' } });
  const template = templateOf(stack);

  it('there is no dashboard, and no function of the panel', () => {
    expect(resourcesOf(template, 'AWS::CloudWatch::Dashboard')).toEqual([]);
    expect(resourcesOf(template, 'AWS::Lambda::Function').map(([id]) => id.replace(/[0-9A-F]{8}$/, ''))).toEqual([
      'GuardPass',
      'GuardDigest',
      'GuardFleetPass',
    ]);
    expect(guard).toMatchObject({ panelFunction: null, actFunction: null, dashboardName: null });
    for (const name of ['DashboardName', 'PanelFunctionName', 'ActFunctionName'])
      expect(guard.outputs.has(name)).toBe(false);
  });

  it('nothing links to one', () => {
    expect(JSON.stringify(template)).not.toMatch(/DASHBOARD_NAME|#dashboards|Dashboard:/);
  });

  it('the grants of the panel say how to get it', () => {
    const role = Role.fromRoleName(stack, 'Grantee', 'operators');
    for (const grant of ['grantView', 'grantOperate'] as const)
      expect(() => guard[grant](role)).toThrow(`${grant}: this guard has no control panel. Set "dashboard": true`);
  });

  it('is the default', () => {
    const plain = createUserStack();
    new IntegrationGuard(plain, 'Guard', ONE_PROJECT);
    expect(resourcesOf(templateOf(plain), 'AWS::CloudWatch::Dashboard')).toEqual([]);
  });
});
