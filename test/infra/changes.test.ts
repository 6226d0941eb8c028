import { fullDiff, ResourceImpact } from '@aws-cdk/cloudformation-diff';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { AttributeType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DeployedGuard } from '../../functions/deployed/deployed-guard.ts';
import { readTemplate } from '../../functions/deployed/read-deployed.ts';
import { SettingsError } from '../../functions/guard/errors.ts';
import { IntegrationGuard } from '../../infra/integration-guard.ts';
import type { IntegrationGuardProps } from '../../infra/props.ts';
import { readDeployedGuard } from '../../infra/read-deployed-guard.ts';

/**
 * Compares two deployments of a construct. The first template is parsed as by `readDeployedGuard`, and the second is
 * created with the result.
 */

const PROPS: IntegrationGuardProps = {
  projects: { a: { secretName: 'q/a' } },
  alerts: { subscriptions: [{ email: 'ops@example.com' }, { https: 'https://example.com/hook' }] },
};

interface Deployment {
  readonly props: IntegrationGuardProps | ((stack: Stack) => IntegrationGuardProps);
  readonly id?: string;
  readonly deployed?: DeployedGuard;
}

function deploy({ props, id = 'Guard', deployed }: Deployment): { readonly stack: Stack; readonly template: Template } {
  const stack = new Stack(
    new App({ context: { 'aws:cdk:bundling-stacks': [], 'aws:cdk:enable-path-metadata': true } }),
    'Payments',
  );
  const given = typeof props === 'function' ? props(stack) : props;
  new IntegrationGuard(stack, id, { ...given, deployed });
  return { stack, template: Template.fromStack(stack) };
}

function asDeployed(deployment: Deployment): DeployedGuard {
  const { template } = deploy(deployment);
  const { Outputs } = template.toJSON() as { readonly Outputs: Readonly<Record<string, object>> };
  const values = Object.keys(Outputs).map((OutputKey) => ({ OutputKey, OutputValue: 'Payments-GuardLedger-X' }));
  const found = readTemplate('Payments', JSON.stringify(template.toJSON()), [], values);
  const secrets = Object.entries(found.secrets).map(([name, secret]) => [
    name,
    { ...secret, otherStack: null, isDeleted: false, arn: null, keyArn: null, keyAlias: null },
  ]);
  const { guard, resources, subscriptions, chats } = found;
  return {
    stack: 'Payments',
    account: '123456789012',
    region: 'eu-west-1',
    guard,
    secrets: Object.fromEntries(secrets),
    resources,
    subscriptions,
    chats,
    leftLedgers: [],
  };
}

const errorsOf = ({ stack }: { readonly stack: Stack }): readonly string[] =>
  Annotations.fromStack(stack)
    .findError('*', Match.anyValue())
    .map(({ entry }) => String(entry.data));

const subscriptionIds = ({ template }: { readonly template: Template }) =>
  Object.keys(template.findResources('AWS::SNS::Subscription')).sort();

describe('a repeated deployment', () => {
  it('changes nothing', () => {
    expect(errorsOf(deploy({ props: PROPS, deployed: asDeployed({ props: PROPS }) }))).toEqual([]);
  });
});

describe('a subscription', () => {
  const changed: IntegrationGuardProps = {
    ...PROPS,
    alerts: {
      subscriptions: [
        { email: 'ops@example.com', minSeverity: 'critical', alarms: true },
        { https: 'https://example.com/hook', projects: ['a'] },
      ],
    },
  };

  it('keeps its ID if its filter changes: with another ID, CloudFormation would delete it', () => {
    expect(subscriptionIds(deploy({ props: changed }))).toEqual(subscriptionIds(deploy({ props: PROPS })));
  });

  it('keeps the ID of the deployed stack', () => {
    const deployed = asDeployed({ props: PROPS });
    const renamed = {
      ...deployed,
      subscriptions: deployed.subscriptions.map((each, index) => ({ ...each, logicalId: `Old${index}` })),
    };
    expect(subscriptionIds(deploy({ props: changed, deployed: renamed }))).toEqual(['Old0', 'Old1', 'Old2']);
  });
});

describe('a chat channel', () => {
  const slack = { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' };
  const teams = {
    tenantId: '0f1e2d3c-0000-4000-8000-000000000001',
    teamId: '0f1e2d3c-0000-4000-8000-000000000002',
    channelId: '19%3aabc%40thread.tacv2',
  };
  const props = (rest: object): IntegrationGuardProps => ({
    ...PROPS,
    alerts: {
      subscriptions: [
        { slack, ...rest },
        { teams, ...rest },
      ],
    },
  });
  const idsOf = ({ template }: { readonly template: Template }) =>
    Object.entries(template.toJSON().Resources as Readonly<Record<string, { readonly Type: string }>>)
      .filter(([, { Type }]) => /^AWS::(?:Chatbot|SNS)::/.test(Type))
      .map(([id]) => id)
      .sort();

  it('keeps its resources if its filter changes: the chat service accepts a channel once', () => {
    expect(idsOf(deploy({ props: props({ minSeverity: 'critical' }) }))).toEqual(idsOf(deploy({ props: props({}) })));
  });

  it('keeps the name of the deployed stack', () => {
    const deployed = asDeployed({ props: props({}) });
    expect(deployed.chats).toHaveLength(2);
    const renamed = {
      ...deployed,
      chats: deployed.chats.map((each, index) => ({ ...each, name: `${each.name.slice(0, -1)}${index}` })),
    };
    const { template } = deploy({ props: props({ projects: ['a'] }), deployed: renamed });
    template.hasResourceProperties('AWS::Chatbot::SlackChannelConfiguration', {
      ConfigurationName: `Payments-${renamed.chats[0]?.name}`,
    });
    template.hasResourceProperties('AWS::Chatbot::MicrosoftTeamsChannelConfiguration', {
      ConfigurationName: `Payments-${renamed.chats[1]?.name}`,
    });
  });
});

describe('the ledger', () => {
  it('is not left behind by a construct with another ID', () => {
    const [says = ''] = errorsOf(deploy({ props: PROPS, id: 'Watch', deployed: asDeployed({ props: PROPS }) }));
    expect(says).toContain('Set "ledgerTableName" to Payments-GuardLedger-X');
  });

  const withTable = (stack: Stack): IntegrationGuardProps => ({
    ...PROPS,
    ledgerTable: new Table(stack, 'Own', {
      partitionKey: { name: 'project', type: AttributeType.STRING },
      sortKey: { name: 'item', type: AttributeType.STRING },
    }) as NonNullable<IntegrationGuardProps['ledgerTable']>,
  });

  it('is not left behind for a table of the app, or vice versa', () => {
    expect(errorsOf(deploy({ props: withTable, deployed: asDeployed({ props: PROPS }) }))).toHaveLength(1);
    expect(errorsOf(deploy({ props: PROPS, deployed: asDeployed({ props: withTable }) }))).toHaveLength(1);
    expect(errorsOf(deploy({ props: withTable, deployed: asDeployed({ props: withTable }) }))).toEqual([]);
  });

  it('is not deleted if its table leaves the stack without being retained', () => {
    const deployed = asDeployed({ props: { ...PROPS, removalPolicy: RemovalPolicy.DESTROY } });
    const next = { ...PROPS, ledgerTableName: 'Payments-GuardLedger-X' };
    const errors = errorsOf(deploy({ props: next, deployed }));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/would delete GuardLedger\w+ \(AWS::DynamoDB::Table\)/);
  });
});

describe('a key', () => {
  it('is not deleted if it leaves the stack without being retained', () => {
    const deployed = asDeployed({ props: { ...PROPS, removalPolicy: RemovalPolicy.DESTROY } });
    const encryptionKeyArn = 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000';
    const [says = ''] = errorsOf(deploy({ props: { ...PROPS, encryptionKeyArn }, deployed }));
    expect(says).toMatch(/would delete GuardKey\w+ \(AWS::KMS::Key\)/);
  });
});

describe('the encryption', () => {
  const withKeysOfAws: IntegrationGuardProps = { ...PROPS, encryption: 'aws-owned' };
  const warningsOf = ({ stack }: { readonly stack: Stack }) =>
    Annotations.fromStack(stack)
      .findWarning('*', Match.stringLikeRegexp('this deployment encrypts'))
      .map(({ entry }) => String(entry.data));

  it('may change to the keys of AWS: the former key stays, and no resource is replaced', () => {
    const before = deploy({ props: PROPS });
    const after = deploy({ props: withKeysOfAws, deployed: asDeployed({ props: PROPS }) });
    expect(errorsOf(after)).toEqual([]);
    expect(warningsOf(after)).toEqual([expect.stringMatching(/The former key GuardKey\w+ stays/)]);
    const impacts = impactOf(before.template, after.template);
    expect(impacts).toEqual(['WILL_ORPHAN AWS::KMS::Key']);
  });

  it('may change back: the new key is the only new resource', () => {
    const before = deploy({ props: withKeysOfAws });
    const after = deploy({ props: PROPS, deployed: asDeployed({ props: withKeysOfAws }) });
    expect(errorsOf(after)).toEqual([]);
    expect(impactOf(before.template, after.template)).toEqual(['WILL_CREATE AWS::KMS::Key']);
  });

  it('does not delete a key that is not retained', () => {
    const deployed = asDeployed({ props: { ...PROPS, removalPolicy: RemovalPolicy.DESTROY } });
    expect(errorsOf(deploy({ props: withKeysOfAws, deployed }))).toEqual([
      expect.stringMatching(/would delete GuardKey\w+ \(AWS::KMS::Key\)/),
    ]);
  });
});

/** "IMPACT TYPE" of every resource that an update does not change in place. */
function impactOf(before: Template, after: Template): readonly string[] {
  const found: string[] = [];
  fullDiff(before.toJSON(), after.toJSON()).resources.forEachDifference((_id, change) => {
    const { changeImpact, oldResourceType, newResourceType } = change;
    if (changeImpact === ResourceImpact.NO_CHANGE || changeImpact === ResourceImpact.WILL_UPDATE) return;
    found.push(`${changeImpact} ${oldResourceType ?? newResourceType}`);
  });
  return found.sort();
}

describe('the state of another stack', () => {
  it.each([['stack', { stack: 'Others' }, 'expected the stack Payments, got Others']])(
    'is refused: %s',
    (_what, other, says) => {
      const deployed = { ...asDeployed({ props: PROPS }), ...other };
      expect(() => deploy({ props: PROPS, deployed })).toThrow(says);
      expect(() => deploy({ props: PROPS, deployed })).toThrow(SettingsError);
    },
  );
});

describe('reading the deployed state', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is skipped without credentials, and on request', async () => {
    vi.stubEnv('CDK_DEFAULT_ACCOUNT', undefined);
    expect(await readDeployedGuard({ stackName: 'Payments' })).toBeUndefined();
    vi.stubEnv('CDK_DEFAULT_ACCOUNT', '123456789012');
    vi.stubEnv('CDK_DEFAULT_REGION', 'eu-west-1');
    vi.stubEnv('GUARD_UNCHECKED', '1');
    expect(await readDeployedGuard({ stackName: 'Payments' })).toBeUndefined();
  });

  it('stops the synthesis with one sentence if it fails', async () => {
    vi.stubEnv('CDK_DEFAULT_ACCOUNT', '123456789012');
    vi.stubEnv('CDK_DEFAULT_REGION', 'eu-west-1');
    // No server listens at this address.
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
    vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
    const projects = { a: { secretName: '--stack=Others' }, b: { secretName: '-b' } };
    await expect(readDeployedGuard({ stackName: 'Payments', projects })).rejects.toThrow(
      /^stack Payments: the deployed stack cannot be checked \(stack "Payments" cannot be read .* set GUARD_UNCHECKED=1$/,
    );
    await expect(readDeployedGuard({ stackName: 'Payments', env: { account: '999999999999' } })).rejects.toThrow(
      'it is in account 999999999999, but the CDK CLI has credentials for account 123456789012',
    );
  });
});
