import {
  App,
  Aspects,
  CfnOutput,
  type Environment,
  NestedStack,
  RemovalPolicies,
  Stack,
  Stage,
  Tags,
  Validations,
} from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { ManagedPolicy, PermissionsBoundary } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks } from 'cdk-nag';
import type { IConstruct } from 'constructs';
import { describe, expect, it } from 'vitest';
import { IntegrationGuard } from '../../infra/integration-guard.ts';
import { RICH_SETTINGS } from './synthesize.ts';
import { addGuard, createApp, createUserStack, ONE_PROJECT, resourcesOf, show, templateOf } from './user-app.ts';

describe('in a user’s stack', () => {
  it('coexists with outputs, alarms and a ledger of the same names', () => {
    const stack = createUserStack();
    const topic = new Topic(stack, 'AlertsTopic');
    for (const name of ['AlertsTopicArn', 'AlarmsTopicArn', 'LedgerTableName', 'DashboardName', 'ChatTopics'])
      new CfnOutput(stack, name, { value: topic.topicName });
    const ledger = new Table(stack, 'Ledger', { partitionKey: { name: 'id', type: AttributeType.STRING } });
    new Alarm(stack, 'DeadLetters', {
      metric: ledger.metricConsumedReadCapacityUnits(),
      threshold: 1,
      evaluationPeriods: 1,
    });
    const guard = addGuard(stack);
    const template = templateOf(stack);
    expect(resourcesOf(template, 'AWS::DynamoDB::Table')).toHaveLength(2);
    const { Outputs } = template.Metadata.IntegrationGuard;
    for (const [name, output] of guard.outputs) {
      expect(Outputs[name]).toBe(stack.resolve(output.logicalId));
      expect(template.Outputs).toHaveProperty(Outputs[name] ?? '');
    }
    expect(template.Outputs.AlertsTopicArn?.Value).toEqual(stack.resolve(topic.topicName));
    expect(Outputs.AlertsTopicArn).not.toBe('AlertsTopicArn');
  });

  it('does not affect other resources: the rest of the template is the same as without it', () => {
    const without = createUserStack();
    new Topic(without, 'Own');
    const stack = createUserStack();
    new Topic(stack, 'Own');
    addGuard(stack);
    expect(templateOf(stack).Resources).toMatchObject(templateOf(without).Resources);
  });

  it('is allowed once per stack; a second is refused in one sentence', () => {
    const stack = createUserStack();
    addGuard(stack);
    expect(() => new IntegrationGuard(stack, 'Other', ONE_PROJECT)).toThrow(
      'stack UserStack already has an IntegrationGuard (UserStack/Guard). Put UserStack/Other into another stack: "--stack" identifies a guard by its stack',
    );
  });

  it('is allowed in several stacks of an app, in stages and in nested stacks', () => {
    const app = createApp();
    const stage = new Stage(app, 'Prod');
    const parent = new Stack(app, 'Parent');
    const stacks = [
      new Stack(app, 'One'),
      new Stack(app, 'Two'),
      new Stack(stage, 'One'),
      new Stack(stage, 'Two'),
      parent,
      new NestedStack(parent, 'Nested'),
    ];
    const guards = stacks.map((stack) => addGuard(stack));
    app.synth();
    expect(stacks.slice(0, 4).map(({ stackName }) => stackName)).toEqual(['One', 'Two', 'Prod-One', 'Prod-Two']);
    for (const [index, stack] of stacks.entries()) {
      const { IntegrationGuard: metadata } = templateOf(stack).Metadata;
      expect(metadata.Outputs.AlertsTopicArn).toBe(
        stack.resolve(guards[index]?.outputs.get('AlertsTopicArn')?.logicalId),
      );
    }
  });
});

describe('in an app that changes all its constructs', () => {
  it('accepts tags, and keeps the tag that the console needs', () => {
    const stack = createUserStack();
    addGuard(stack);
    Tags.of(stack.node.root).add('team', 'payments');
    const template = templateOf(stack);
    const functions = resourcesOf(template, 'AWS::Lambda::Function');
    for (const [, { Properties }] of functions)
      expect(Properties.Tags).toContainEqual({ Key: 'team', Value: 'payments' });
    const tags = functions.map(([, { Properties }]) => JSON.stringify(Properties.Tags));
    expect(tags.filter((each) => each.includes('cw-custom-widget'))).toHaveLength(1);
  });

  it('accepts a permissions boundary on every role', () => {
    const stack = createUserStack();
    addGuard(stack, { fleet: { secretNamePrefix: 'q/' } });
    PermissionsBoundary.of(stack.node.root).apply(ManagedPolicy.fromAwsManagedPolicyName('ReadOnlyAccess'));
    const roles = resourcesOf(templateOf(stack), 'AWS::IAM::Role');
    expect(roles.length).toBeGreaterThan(3);
    for (const [, { Properties }] of roles) expect(Properties.PermissionsBoundary).toBeDefined();
  });

  it('accepts an aspect that deletes everything with the stack', () => {
    const stack = createUserStack();
    addGuard(stack);
    RemovalPolicies.of(stack).destroy();
    const kept = Object.values(templateOf(stack).Resources).filter(({ DeletionPolicy }) => DeletionPolicy === 'Retain');
    expect(kept).toEqual([]);
  });

  it('accepts an aspect that reads every construct', () => {
    const stack = createUserStack();
    addGuard(stack);
    const seen: IConstruct[] = [];
    Aspects.of(stack).add({ visit: (node) => void seen.push(node) });
    templateOf(stack);
    expect(seen.length).toBeGreaterThan(50);
  });
});

const EVERYTHING = {
  fleet: { secretNamePrefix: 'q/', secretKeyArn: RICH_SETTINGS.projects.other.secretKeyArn },
  alerts: {
    subscriptions: RICH_SETTINGS.alerts.subscriptions.filter((each) => !('lambda' in each) && !('sqs' in each)),
  },
} as const;

const account = '123456789012';

describe.each<readonly [name: string, env: Environment | undefined, console: string]>([
  ['of no region', undefined, 'https://{"Fn::FindInMap":["GuardConsoles","<Partition>","host"]}/'],
  ['of eu-west-1', { account, region: 'eu-west-1' }, 'https://eu-west-1.console.aws.amazon.com/'],
  ['of China', { account, region: 'cn-north-1' }, 'https://console.amazonaws.cn/'],
  ['of GovCloud', { account, region: 'us-gov-west-1' }, 'https://console.amazonaws-us-gov.com/'],
])('in a stack %s', (_name, env, console) => {
  const stack = createUserStack(env);
  const nested = new NestedStack(stack, 'Nested');
  addGuard(stack, EVERYTHING);
  addGuard(nested, EVERYTHING);

  it('names only the partition of the stack', () => {
    for (const each of [stack, nested]) {
      const text = JSON.stringify(templateOf(each)).replaceAll(RICH_SETTINGS.projects.other.secretKeyArn, 'GIVEN');
      const partitions = [...text.matchAll(/arn:(aws[a-z-]*):/g)].map(([, partition]) => partition);
      const { region = '' } = env ?? {};
      expect(new Set(partitions).has('aws')).toBe(false);
      expect(region.startsWith('cn-') || !text.includes('amazonaws.com.cn')).toBe(true);
    }
  });

  it('links from alarms to the dashboard in the console of its partition', () => {
    for (const each of [stack, nested]) {
      const template = templateOf(each);
      const dashboards = resourcesOf(template, 'AWS::CloudWatch::Dashboard');
      const name = show(dashboards[0]?.[1].Properties.DashboardName);
      for (const [, { Properties }] of resourcesOf(template, 'AWS::CloudWatch::Alarm')) {
        const text = show(Properties.AlarmDescription);
        expect(
          text
            .replace(/GuardConsoles[0-9A-F]{8}/, 'GuardConsoles')
            .replace('{"Ref":"AWS::Partition"}', '"<Partition>"'),
        ).toContain(console);
        // Mail programs would treat text right after the link as a part of the link.
        expect(text.endsWith(`#dashboards/dashboard/${name}`)).toBe(true);
      }
    }
  });

  it('trusts the services of its partition', () => {
    const services = JSON.stringify(templateOf(stack)).match(/"Service":("[^"]*"|\{.*?\}\])/g) ?? [];
    expect(services.length).toBeGreaterThan(5);
    for (const service of services) expect(service).toMatch(/"[a-z]+\.amazonaws\.com"|URLSuffix|"logs\./);
  });

  it('causes no findings of cdk-nag', () => {
    const app = createApp();
    const bare = new Stack(app, 'Bare', env === undefined ? {} : { env });
    new IntegrationGuard(bare, 'Guard', { ...ONE_PROJECT, ...EVERYTHING });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new NIST80053R5Checks(app), new ServerlessChecks(app));
    expect(() => app.synth()).not.toThrow();
  });
});

describe('with every feature flag of a new app', () => {
  it('differs only in the subjects of the flags', () => {
    const app = new App({ context: { 'aws:cdk:bundling-stacks': [], '@aws-cdk/core:enablePartitionLiterals': true } });
    const stack = new Stack(app, 'UserStack', { env: { account, region: 'cn-north-1' } });
    addGuard(stack, EVERYTHING);
    const text = JSON.stringify(Template.fromStack(stack).toJSON());
    expect(text.replaceAll(RICH_SETTINGS.projects.other.secretKeyArn, 'GIVEN')).not.toContain('arn:aws:');
    expect(text).toContain('arn:aws-cn:');
  });
});
