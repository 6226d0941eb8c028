import { Aws, CfnParameter, Duration, Lazy, RemovalPolicy, type Stack, Token } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SettingsError } from '../../functions/guard/errors.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { IntegrationGuard } from '../../infra/integration-guard.ts';
import type { IntegrationGuardProps } from '../../infra/props.ts';
import { readProps } from '../../infra/read-props.ts';
import { IntegrationGuardStack } from '../../infra/stack.ts';
import { createApp, createUserStack, ONE_PROJECT, resourcesOf, templateOf } from './user-app.ts';

/** Properties that TypeScript would reject. */
const untyped = (props: unknown) => props as IntegrationGuardProps;

function faultsOf(props: unknown): readonly string[] {
  try {
    readProps(untyped(props), 'UserStack/Guard');
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
}

describe('faults of properties', () => {
  it('have the same messages as in a settings file, all at once, with the construct instead of the file', () => {
    const document = {
      schedule: 'rate(5 minute)',
      projects: { 'not a name': { secretName: 'x' }, b: { secretName: 'x', policy: { errorThreshold: 0, mood: 1 } } },
      alerts: { subscriptions: [{ email: 'nobody' }, { sqs: 'q', lambda: 'f' }] },
      colour: 'red',
    };
    const ofFile = (() => {
      try {
        parseSettings(document);
      } catch (error) {
        return (error as SettingsError).faults;
      }
      return [];
    })();
    expect(ofFile.length).toBeGreaterThan(5);
    expect(faultsOf(document)).toEqual(ofFile);
    const stack = createUserStack();
    expect(() => new IntegrationGuard(stack, 'Guard', untyped(document))).toThrow(
      /^UserStack\/Guard: schedule: expected/,
    );
  });

  it('of CDK objects are reported together with those of plain values', () => {
    const stack = createUserStack();
    const faults = faultsOf({
      ...ONE_PROJECT,
      schedule: 5,
      encryptionKey: 'alias/guard',
      ledgerTable: null,
      deadLetterQueue: new Topic(stack, 'Topic'),
      removalPolicy: 'delete',
      deployed: {},
      alerts: { topic: new Queue(stack, 'Queue'), runbookUrl: 'ftp://x' },
      secrets: { production: 'qonversion/production', other: {} },
    });
    expect(faults.map((fault) => fault.replace(/: expected .*, got /, ' → '))).toEqual([
      'secrets.production → "qonversion/production"',
      'secrets.other → {}',
      'projects.production: secretName and secretArn are not allowed together with its entry in "secrets"',
      'alerts.topic → a CDK construct',
      'encryptionKey → "alias/guard"',
      'ledgerTable → null',
      'deadLetterQueue → a CDK construct',
      'removalPolicy → "delete"',
      'deployed → {}',
      'schedule → 5',
      'alerts.runbookUrl → "ftp://x"',
    ]);
  });

  it.each<readonly [string, (stack: Stack) => unknown, readonly string[]]>([
    ['nothing at all', () => undefined, ['(top level): expected an object, got nothing']],
    ['a list', () => [], ['(top level): expected an object, got []']],
    ['no project', () => ({}), ['projects: expected at least one project (or "fleet"), got none']],
    [
      'a construct in place of properties',
      (stack) => stack,
      ['(top level): expected a plain value, got a CDK construct'],
    ],
    [
      'a project that is undefined',
      () => ({ projects: { production: undefined } }),
      ['projects.production: expected an object, got nothing'],
    ],
    [
      'a secret that is undefined',
      () => ({ projects: { production: {} }, secrets: { production: undefined } }),
      ['projects.production: expected exactly one of secretName and secretArn, got neither'],
    ],
    [
      'secrets of no project',
      (stack) => ({ ...ONE_PROJECT, secrets: { other: new Secret(stack, 'Other') } }),
      ['secrets.other: expected the name of a listed project'],
    ],
    [
      'a secret where only its name belongs',
      (stack) => ({ projects: { production: { secretName: new Secret(stack, 'Other') } } }),
      ['projects.production.secretName: expected a plain value, got a CDK construct'],
    ],
    [
      'a secret in its project',
      (stack) => ({ projects: { production: { secret: new Secret(stack, 'Other') } } }),
      [
        'projects.production: unknown setting "secret"; use the construct’s "secrets" instead',
        'projects.production: expected exactly one of secretName and secretArn, got neither',
      ].slice(0, 1),
    ],
    [
      'a key without a secret of its own',
      (stack) => ({ projects: { production: { secretName: 'x', secretKeyArn: new Key(stack, 'K').keyArn } } }),
      ['projects.production.secretKeyArn: only allowed together with secretArn'],
    ],
    [
      'one secret for two projects',
      (stack) => {
        const secret = new Secret(stack, 'Other');
        return { projects: { a: {}, b: {} }, secrets: { a: secret, b: secret } };
      },
      [
        'projects.b: expected a secret or a secretField of its own (projects.a has this one, and each project has one Secret Key)',
      ],
    ],
    [
      'one field of one secret for two projects',
      (stack) => {
        const secret = new Secret(stack, 'Other');
        const projects = { a: { secretField: 'x' }, b: { secretField: 'x' }, c: {} };
        return { projects, secrets: { a: secret, b: secret, c: secret } };
      },
      [
        'projects.b.secretField: expected a field of its own (projects.a has this one, and each project has one Secret Key)',
        'projects.c.secretField: expected a field of the secret, because projects.a has the same secret',
      ],
    ],
    [
      'a key without a use',
      (stack) => ({ ...ONE_PROJECT, encryption: 'aws-owned', encryptionKey: new Key(stack, 'K') }),
      ['encryptionKey: only allowed together with "encryption": "customer-key"'],
    ],
    [
      'an address that is a token',
      () => ({ ...ONE_PROJECT, alerts: { subscriptions: [{ email: Token.asString({ Ref: 'Mail' }) }] } }),
      ['alerts.subscriptions.0.email: expected a plain value, got a CDK token (a value known only at deployment)'],
    ],
    [
      'a list that is a token',
      (stack) => {
        const names = new CfnParameter(stack, 'Names', { type: 'CommaDelimitedList' }).valueAsList;
        const subscriptions = [{ email: 'ops@example.com', projects: names }];
        return { ...ONE_PROJECT, fleet: { secretNamePrefix: 'q/' }, alerts: { subscriptions } };
      },
      ['alerts.subscriptions.0.projects: expected a plain value, got a CDK token (a value known only at deployment)'],
    ],
    [
      'a number that is a token',
      () => ({
        projects: { production: { secretName: 'x', policy: { errorThreshold: Lazy.number({ produce: () => 5 }) } } },
      }),
      [
        'projects.production.policy.errorThreshold: expected a plain value, got a CDK token (a value known only at deployment)',
      ],
    ],
    [
      'a Duration in place of minutes',
      () => ({ projects: { production: { secretName: 'x', policy: { failingForMinutes: Duration.hours(1) } } } }),
      ['projects.production.policy.failingForMinutes: expected a plain value, got an object of class Duration'],
    ],
    [
      'a topic in place of a queue',
      (stack) => ({ ...ONE_PROJECT, alerts: { subscriptions: [{ sqs: new Topic(stack, 'T') }] } }),
      ['alerts.subscriptions.0.sqs: expected an SQS queue (IQueue), got a CDK construct'],
    ],
    [
      'a queue and a function in one subscription',
      (stack) => ({
        ...ONE_PROJECT,
        alerts: { subscriptions: [{ sqs: new Queue(stack, 'Q'), lambda: aFunction(stack) }] },
      }),
      [
        'alerts.subscriptions.0: expected exactly one of email, sms, sqs, lambda, https, slack, teams, pagerduty, webhook, got sqs and lambda',
      ],
    ],
    [
      'one queue for two subscriptions',
      (stack) => {
        const sqs = new Queue(stack, 'Q');
        return { ...ONE_PROJECT, alerts: { subscriptions: [{ sqs }, { sqs, minSeverity: 'critical' }] } };
      },
      [
        'alerts.subscriptions.1.sqs: expected an endpoint of its own (AWS allows one subscription for each, and alerts.subscriptions.0 has this one)',
      ],
    ],
    [
      'one address for two subscriptions',
      () => {
        const email = 'ops@example.com';
        return { ...ONE_PROJECT, alerts: { subscriptions: [{ email }, { email, minSeverity: 'critical' }] } };
      },
      [
        'alerts.subscriptions.1.email: expected an endpoint of its own (AWS allows one subscription for each, and alerts.subscriptions.0 has this one), got "ops@example.com"',
      ],
    ],
    [
      'one topic for alerts and alarms',
      (stack) => {
        const topic = new Topic(stack, 'T');
        return { ...ONE_PROJECT, alerts: { topic, alarmsTopic: topic } };
      },
      ['alerts.alarmsTopic: expected a topic other than alerts.topic: the filters of subscriptions would drop alarms'],
    ],
    [
      'criteria that are all undefined',
      () => ({
        projects: {
          production: { secretName: 'x', policy: { overrides: [{ match: { id: undefined }, mode: 'ignore' }] } },
        },
      }),
      [
        'projects.production.policy.overrides.0.match: expected at least one of id, integration, target_platform and title, got {}',
      ],
    ],
    [
      'a snapshot, which no table and no key has',
      () => ({ ...ONE_PROJECT, removalPolicy: RemovalPolicy.SNAPSHOT }),
      ['removalPolicy: expected RemovalPolicy.RETAIN or DESTROY, got "snapshot"'],
    ],
    [
      'a number without end',
      () => ({ projects: { production: { secretName: 'x', policy: { errorThreshold: 10n } } } }),
      ['projects.production.policy.errorThreshold: expected a positive integer, got 10n'],
    ],
    [
      'an object that contains itself',
      () => {
        const policy: Record<string, unknown> = {};
        policy.recovery = policy;
        return { projects: { production: { secretName: 'x', policy } } };
      },
      ['expected at most 100 levels of { and [, got something that is nested too deep'],
    ],
  ])('name the expected value instead of %s', (_what, propsOf, faults) => {
    const stack = createUserStack();
    expect(faultsOf(propsOf(stack))).toEqual(faults);
  });

  it('of a stack’s properties have the same messages as the construct’s', () => {
    const app = createApp();
    const props = untyped({ ...ONE_PROJECT, terminationProtection: true, terminationProtecton: true });
    expect(() => new IntegrationGuardStack(app, 'A', props as never)).toThrow(
      'A/Guard: (top level): unknown setting "terminationProtecton"',
    );
    expect(() => new IntegrationGuardStack(app, 'B', undefined as never)).toThrow(
      /^B\/Guard: \(top level\): expected an object, got nothing$/,
    );
  });
});

const KEY_ARN = 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000';

function aFunction(stack: Stack, id = 'Fn'): LambdaFunction {
  const code = Code.fromInline('exports.handler = async () => {}');
  return new LambdaFunction(stack, id, { runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code });
}

describe('a schedule', () => {
  const expressionOf = (schedule: Duration) => {
    const stack = createUserStack();
    new IntegrationGuard(stack, 'Guard', { ...ONE_PROJECT, schedule });
    return resourcesOf(templateOf(stack), 'AWS::Scheduler::Schedule')[0]?.[1].Properties.ScheduleExpression;
  };

  it.each([
    [Duration.minutes(1), 'rate(1 minute)'],
    [Duration.seconds(120), 'rate(2 minutes)'],
    [Duration.minutes(60), 'rate(1 hour)'],
    [Duration.minutes(90), 'rate(90 minutes)'],
    [Duration.hours(24), 'rate(1 day)'],
  ])('of %s is %s', (schedule, expression) => {
    expect(expressionOf(schedule)).toBe(expression);
  });

  const RULE =
    'schedule: expected rate(1 minute), rate(N minutes), rate(1 hour), rate(N hours) or rate(1 day), up to 1 day';
  it.each([
    [Duration.seconds(30), `${RULE}, got "rate(0.5 minutes)"`],
    [Duration.millis(5), `${RULE}, got "rate(0.00008333333333333333 minutes)"`],
    [Duration.seconds(90), `${RULE}, got "rate(1.5 minutes)"`],
    [Duration.minutes(0), `${RULE}, got "rate(0 minutes)"`],
    [Duration.days(2), `${RULE}, got "rate(2880 minutes)"`],
    [
      Duration.minutes(Token.asNumber({ Ref: 'Minutes' })),
      'schedule: expected a plain value, got a CDK token (a value known only at deployment)',
    ],
  ])('of %s is refused', (schedule, fault) => {
    expect(faultsOf({ ...ONE_PROJECT, schedule })).toEqual([fault]);
  });
});

describe('any properties', () => {
  const shared = createUserStack();
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const odd = fc.constantFrom<unknown>(
    null,
    undefined,
    0,
    -1,
    Number.NaN,
    1n,
    '',
    'in-stack',
    'rate(5 minutes)',
    true,
    [],
    {},
    [null],
    circular,
    Symbol('odd'),
    () => undefined,
    new Map([['a', 1]]),
    new Date(Number.NaN),
    Object.create(null),
    Duration.minutes(5),
    Duration.minutes(Token.asNumber({ Ref: 'Minutes' })),
    Aws.REGION,
    Token.asList({ Ref: 'List' }),
    Token.asNumber({ Ref: 'Number' }),
    Lazy.any({ produce: () => 1 }),
    shared,
    new Secret(shared, 'Secret'),
    Secret.fromSecretNameV2(shared, 'Found', 'x'),
    new Queue(shared, 'Queue'),
    new Topic(shared, 'Topic'),
    new Key(shared, 'Key'),
    new Key(shared, 'Other').keyArn,
    aFunction(shared),
    RemovalPolicy.DESTROY,
    'x@example.com',
    'arn:aws:sqs:eu-west-1:123456789012:alerts',
  );
  const within = (...keys: readonly string[]) =>
    fc.dictionary(
      fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...keys) }, fc.constantFrom('__proto__', 'odd')),
      odd,
      {
        maxKeys: 3,
      },
    );
  const policy = within('mode', 'errorThreshold', 'lowTraffic', 'blastRadius', 'recovery', 'overrides', 'remindAt');
  const project = fc.oneof(
    odd,
    within('secretName', 'secretArn', 'secretKeyArn', 'secret', 'renamedFrom', 'policy'),
    fc.record({ secretName: fc.constant('x'), policy: fc.oneof(odd, policy) }),
  );
  const either = <T>(good: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary: good }, odd);
  const names = fc.constantFrom('a', 'b', '__proto__', 'not a name');
  const anyProps = fc.record(
    {
      schedule: odd,
      projects: either(fc.dictionary(names, project, { maxKeys: 3 })),
      secrets: either(fc.dictionary(names, odd, { maxKeys: 3 })),
      fleet: either(within('secretNamePrefix', 'secretKeyArn', 'concurrency', 'policy', 'policies')),
      alerts: either(
        fc.record(
          {
            subscriptions: either(
              fc.array(either(within('email', 'sqs', 'lambda', 'https', 'slack', 'projects')), { maxLength: 3 }),
            ),
            topic: odd,
            alarmsTopic: odd,
            runbookUrl: odd,
          },
          { requiredKeys: [] },
        ),
      ),
      encryptionKey: odd,
      encryptionKeyArn: odd,
      ledgerTable: odd,
      ledgerTableName: odd,
      deadLetterQueue: odd,
      removalPolicy: odd,
      deployed: either(within('stack', 'guard', 'secrets', 'leftLedgers')),
      colour: odd,
    },
    { requiredKeys: [] },
  );

  it('create a guard, or a SettingsError with one line per fault that shows no token', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof({ weight: 30, arbitrary: anyProps }, odd), (props) => {
        const faults = faultsOf(props);
        if (faults.length === 0) accepted += 1;
        for (const fault of faults) {
          expect(fault).toMatch(/^[^\n]+$/);
          expect(fault).not.toMatch(/Token\[/);
        }
      }),
      { numRuns: 1_000, examples: [[ONE_PROJECT]] },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  type Make = (stack: Stack) => unknown;
  const mostly = (...values: readonly Make[]) =>
    fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom<Make>(() => undefined, ...values) },
      // CDK itself rejects constructs of another app, such as those of `shared`.
      odd.filter((value) => !Construct.isConstruct(value)).map((value) => () => value),
    );
  const aToken = () => Token.asString({ Ref: 'Arn' });
  const good = fc.record({
    encryptionKey: mostly(
      (stack) => new Key(stack, 'Key'),
      (stack) => Key.fromKeyArn(stack, 'Key', KEY_ARN),
    ),
    ledgerTableName: mostly(() => 'guard-ledger'),
    deadLetterQueue: mostly((stack) => Queue.fromQueueArn(stack, 'Dead', 'arn:aws:sqs:eu-west-1:123456789012:dead')),
    removalPolicy: mostly(() => RemovalPolicy.DESTROY),
    schedule: mostly(() => Duration.minutes(90)),
    topic: mostly((stack) => Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:eu-west-1:123456789012:alerts')),
    alarmsTopic: mostly((stack) => new Topic(stack, 'AlarmsTopic')),
    sqs: mostly((stack) => new Queue(stack, 'Queue'), aToken),
    lambda: mostly((stack) => aFunction(stack), aToken),
    alarms: fc.boolean().map((alarms) => () => alarms),
  });

  it('that are accepted create a construct', () => {
    let accepted = 0;
    fc.assert(
      fc.property(good, (makers) => {
        const stack = createUserStack();
        const made = Object.fromEntries(Object.entries(makers).map(([name, make]) => [name, make(stack)]));
        const { topic, alarmsTopic, sqs, lambda, alarms, ...props } = made;
        const subscriptions = [
          sqs === undefined ? {} : { sqs, alarms },
          lambda === undefined ? {} : { lambda, alarms },
        ];
        const given = untyped({
          ...ONE_PROJECT,
          ...props,
          alerts: { topic, alarmsTopic, subscriptions: subscriptions.filter((each) => 'alarms' in each) },
        });
        if (faultsOf(given).length > 0) return;
        accepted += 1;
        expect(() => new IntegrationGuard(stack, 'Guard', given)).not.toThrow();
      }),
      { numRuns: 100 },
    );
    expect(accepted).toBeGreaterThan(25);
  });
});
