import { readFileSync } from 'node:fs';
import { Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { FLEET_DIMENSION, METRIC } from '../../functions/aws/metric-names.ts';
import { PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { createStack, RICH_SETTINGS } from './synthesize.ts';

const KMS_KEY = 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000001';
const FLEET = { secretNamePrefix: 'qonversion/', secretKeyArn: KMS_KEY, concurrency: 30 };

const alone = Template.fromStack(createStack({ fleet: FLEET, dashboard: true }).stack);
const beside = Template.fromStack(createStack({ ...RICH_SETTINGS, fleet: FLEET }).stack);

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** All policy statements of the role whose logical ID begins with this. */
function statementsOf(template: Template, role: string): readonly Statement[] {
  const attached = Object.values(template.findResources('AWS::IAM::Policy'))
    .filter(({ Properties }) => JSON.stringify(Properties.Roles).includes(`"${role}`))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
  const inline = Object.entries(template.findResources('AWS::IAM::Role'))
    .filter(([id]) => id.startsWith(role))
    .flatMap(([, { Properties }]) =>
      ((Properties.Policies ?? []) as { PolicyDocument: { Statement: Statement[] } }[]).flatMap(
        ({ PolicyDocument }) => PolicyDocument.Statement,
      ),
    );
  return [...attached, ...inline];
}

const actionsOf = (template: Template, role: string) =>
  statementsOf(template, role)
    .flatMap(({ Action }) => [Action].flat())
    .sort();

describe('a stack with only a fleet', () => {
  it('has one schedule, which starts the state machine within a fifth of the interval', () => {
    alone.resourceCountIs('AWS::Scheduler::Schedule', 1);
    alone.hasResource('AWS::Scheduler::Schedule', {
      Properties: {
        ScheduleExpression: 'rate(5 minutes)',
        FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 1 },
        Target: Match.objectLike({
          Arn: { Ref: Match.stringLikeRegexp('^GuardFleetRuns') },
          Input: '{}',
          DeadLetterConfig: Match.anyValue(),
        }),
      },
      // The first run must not start before its permission exists.
      DependsOn: Match.arrayWith([Match.stringLikeRegexp('^GuardFleetMayRunMaps')]),
    });
  });

  it('creates no secret, and no function for listed projects', () => {
    alone.resourceCountIs('AWS::SecretsManager::Secret', 0);
    alone.resourceCountIs('AWS::Lambda::Function', 4);
    expect(alone.findOutputs('PassFunctionName')).toEqual({});
    alone.hasOutput('FleetPassFunctionName', {});
    alone.hasOutput('FleetStateMachineArn', {});
  });

  it('runs a pass per project in a distributed map', () => {
    const [machine] = Object.values(alone.findResources('AWS::StepFunctions::StateMachine'));
    const definition = JSON.stringify(machine?.Properties.DefinitionString);
    expect(definition).toContain('\\"Mode\\":\\"DISTRIBUTED\\"');
    expect(definition).toContain('\\"MaxConcurrency\\":30');
    expect(machine?.Properties.StateMachineType ?? 'STANDARD').toBe('STANDARD');
  });
});

describe('least privilege of a fleet', () => {
  const secrets = (template: Template, role: string) =>
    statementsOf(template, role).filter(({ Action }) => JSON.stringify(Action).includes('secretsmanager:'));

  it('lets functions describe and read only secrets with the tag and the name prefix', () => {
    for (const role of ['GuardFleetPassRole', 'GuardActRole', 'GuardPanelRole']) {
      const [statement, ...others] = secrets(alone, role);
      expect(others).toEqual([]);
      expect(statement?.Action).toEqual(['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue']);
      expect(statement?.Condition).toEqual({ Null: { [`aws:ResourceTag/${PROJECT_TAG}`]: 'false' } });
      expect(JSON.stringify(statement?.Resource)).toMatch(/:secret:qonversion\/\*"/);
    }
  });

  it('keeps listed and tagged secrets apart: each pass function reads only its own kind', () => {
    expect(JSON.stringify(secrets(beside, 'GuardPassRole'))).not.toContain('ResourceTag');
    const ofFleet = secrets(beside, 'GuardFleetPassRole');
    expect(ofFleet).toHaveLength(1);
    expect(JSON.stringify(ofFleet)).toContain('ResourceTag');
  });

  it('gives the fleet’s pass function the permissions of a pass, the tagged secrets and their key', () => {
    expect(actionsOf(alone, 'GuardFleetPassRole')).toEqual(
      [
        'dynamodb:BatchWriteItem',
        'dynamodb:PutItem',
        'dynamodb:Query',
        'kms:Decrypt',
        'kms:Decrypt',
        'kms:GenerateDataKey',
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        'secretsmanager:DescribeSecret',
        'secretsmanager:GetSecretValue',
        'sns:Publish',
      ].sort(),
    );
  });

  it('lets the state machine list secrets, invoke the one function and run its own maps', () => {
    const statements = statementsOf(alone, 'GuardFleetRole');
    expect(statements.flatMap(({ Action }) => [Action].flat()).sort()).toEqual([
      'lambda:InvokeFunction',
      'secretsmanager:ListSecrets',
      'states:DescribeExecution',
      'states:StartExecution',
      'states:StopExecution',
    ]);
    // ListSecrets cannot be limited to resources.
    const wild = statements.filter(({ Resource }) => Resource === '*');
    expect(wild.map(({ Action }) => Action)).toEqual(['secretsmanager:ListSecrets']);
    const others = statements.filter((statement) => !wild.includes(statement));
    expect(JSON.stringify(others)).not.toContain('"secretsmanager');
    expect(JSON.stringify(others.filter(({ Action }) => Action === 'lambda:InvokeFunction'))).not.toContain('*');
  });

  it('lets Scheduler only start runs', () => {
    expect(actionsOf(alone, 'GuardFleetSchedulerRole')).toEqual(['sqs:SendMessage', 'states:StartExecution']);
  });

  it('attaches no AWS-managed policy', () => {
    for (const { Properties } of Object.values(alone.findResources('AWS::IAM::Role'))) {
      expect(Properties.ManagedPolicyArns).toBeUndefined();
    }
  });
});

describe('the alarms of a fleet', () => {
  const alarm = (name: string) => {
    const alarms = Object.entries(beside.findResources('AWS::CloudWatch::Alarm'));
    return alarms.find(([id]) => id.startsWith(`GuardMonitoring${name}`))?.[1].Properties;
  };

  it('cover the whole fleet, and link to the runbook', () => {
    const headings = readFileSync('docs/runbook.md', 'utf8').split('\n');
    const names = [
      'PassErrors',
      'PassThrottles',
      'RunsFailed',
      'RunsTimedOut',
      'NoRun',
      'RunLong',
      'MostlyFailing',
      'Stopped',
    ];
    for (const name of names) {
      const { AlarmDescription, AlarmActions } = alarm(`Fleet${name}`) ?? {};
      expect(AlarmActions).toHaveLength(1);
      const [, section] = /Runbook section ([\w-]+)\./.exec(JSON.stringify(AlarmDescription)) ?? [];
      expect(headings).toContain(`## ${section}`);
    }
  });

  it('fire if no run was completed for three intervals, even without data', () => {
    expect(alarm('FleetNoRun')).toMatchObject({
      MetricName: 'ExecutionsSucceeded',
      Period: 300,
      EvaluationPeriods: 3,
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    });
  });

  it('fire if a run takes longer than the interval, or an hour', () => {
    expect(alarm('FleetRunLong')).toMatchObject({ MetricName: 'ExecutionTime', Threshold: 300_000 });
    expect(alarm('FleetRunsTimedOut')).toMatchObject({ MetricName: 'ExecutionsTimedOut', Threshold: 1 });
  });

  it('fire if half of the passes fail, but not for one customer who always fails', () => {
    expect(alarm('FleetMostlyFailing')).toMatchObject({
      MetricName: METRIC.passesFailed,
      Dimensions: expect.arrayContaining([{ Name: 'project', Value: FLEET_DIMENSION }]),
      Statistic: 'Average',
      Threshold: 0.5,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    });
  });

  it('do not change those of listed projects', () => {
    expect(alarm('PassErrors')).toBeDefined();
    expect(alarm('NoPassproduction')).toBeDefined();
    expect(
      Object.keys(alone.findResources('AWS::CloudWatch::Alarm')).filter((id) =>
        /NoPass|Stopped(?<!FleetStopped)/.test(id),
      ),
    ).toEqual([]);
  });
});

describe('the dashboard of a fleet', () => {
  const bodyOf = (template: Template) =>
    JSON.stringify(
      Object.values(template.findResources('AWS::CloudWatch::Dashboard')).map(({ Properties }) => Properties),
    );

  it('has one panel for every project of the fleet, and the fleet’s metrics', () => {
    for (const template of [alone, beside]) {
      const body = bodyOf(template);
      expect(body.match(/\\"params\\":\{\\"fleet\\":true\}/g)).toHaveLength(1);
      expect(body).toContain('Fleet: runs');
      expect(body).toContain(FLEET_DIMENSION);
    }
    expect(bodyOf(beside)).toContain('\\"params\\":{\\"project\\":\\"production\\"}');
  });
});

it('cdk-nag reports no finding of three rule packs without a documented reason', () => {
  const { app } = createStack({ ...RICH_SETTINGS, fleet: FLEET });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new NIST80053R5Checks(app), new ServerlessChecks(app));
  expect(() => app.synth()).not.toThrow();
});
