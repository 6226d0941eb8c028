import { type Stack, Validations } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import type { DeployedGuard } from '../../functions/deployed/deployed-guard.ts';
import type { IntegrationGuardProps } from '../../infra/props.ts';
import { createStack, RICH_SETTINGS } from './synthesize.ts';
import { addGuard, createUserStack, grantsOf, ONE_PROJECT, resourcesOf, templateOf } from './user-app.ts';

const FORMER_KEY = 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000';
const ROLES = ['GuardPassRole', 'GuardActRole', 'GuardPanelRole', 'GuardFleetPassRole'] as const;

/** Every permission of the functions that is about a key. */
const keyGrantsOf = (stack: Stack) =>
  ROLES.flatMap((role) => grantsOf(templateOf(stack), role).filter((grant) => grant.startsWith('kms:')));

const withKeysOfAws = (props: IntegrationGuardProps = {}, stack = createUserStack()) => {
  const guard = addGuard(stack, { encryption: 'aws-owned', ...props });
  return { stack, guard };
};

/** Topics, logs, queues, tables and secrets, each with the properties of its encryption. */
function encryptionOf(stack: Stack): readonly string[] {
  const { Resources } = templateOf(stack);
  const stored = /^AWS::(?:SNS::Topic|Logs::LogGroup|SQS::Queue|DynamoDB::Table|SecretsManager::Secret)$/;
  return [
    ...new Set(
      Object.values(Resources).flatMap(({ Type, Properties }) => {
        const found = Object.entries(Properties ?? {}).filter(([name]) => /Kms|SSESpecification|Sse/.test(name));
        return stored.test(Type) ? [`${Type} ${JSON.stringify(Object.fromEntries(found))}`] : [];
      }),
    ),
  ].sort();
}

describe('the encryption aws-owned', () => {
  it('creates no key, and leaves every store to the keys of AWS', () => {
    const { stack, guard } = withKeysOfAws({ fleet: { secretNamePrefix: 'q/' } });
    expect(guard.key).toBeNull();
    expect(resourcesOf(templateOf(stack), 'AWS::KMS::Key')).toEqual([]);
    expect(encryptionOf(stack)).toEqual([
      'AWS::DynamoDB::Table {}',
      'AWS::Logs::LogGroup {}',
      'AWS::SNS::Topic {}',
      'AWS::SQS::Queue {"SqsManagedSseEnabled":true}',
      'AWS::SecretsManager::Secret {"KmsKeyId":"alias/aws/secretsmanager"}',
    ]);
  });

  it('gives no function a permission to use a key', () => {
    expect(keyGrantsOf(withKeysOfAws({ fleet: { secretNamePrefix: 'q/' } }).stack)).toEqual([]);
  });

  it('lets functions use the key of a given topic', () => {
    const stack = createUserStack();
    const topic = new Topic(stack, 'Mine', { masterKey: new Key(stack, 'TopicKey') });
    withKeysOfAws({ alerts: { topic } }, stack);
    expect(grantsOf(templateOf(stack), 'GuardPassRole')).toContain('kms:GenerateDataKey on <TopicKey>');
  });

  it('has a documented reason for each finding of three rule packs', () => {
    const { app } = createStack({ ...RICH_SETTINGS, fleet: { secretNamePrefix: 'q/' }, encryption: 'aws-owned' });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new NIST80053R5Checks(app), new ServerlessChecks(app));
    expect(() => app.synth()).not.toThrow();
  });

  it('acknowledges findings about keys only in a stack without one', () => {
    const acknowledged = (document: object) =>
      JSON.stringify(
        createStack(document)
          .stack.node.findAll()
          .flatMap(({ node }) => node.metadata),
      );
    expect(acknowledged(RICH_SETTINGS)).not.toContain('SNSEncryptedKMS');
    expect(acknowledged({ ...RICH_SETTINGS, encryption: 'aws-owned' })).toContain('SNSEncryptedKMS');
  });
});

/** A deployed stack whose secret is encrypted with this key. */
function deployedWith(keyArn: string | null): DeployedGuard {
  const secret = { isRetained: true, otherStack: null, arn: null, isDeleted: false, keyAlias: null };
  return {
    stack: 'UserStack',
    account: '123456789012',
    region: 'eu-west-1',
    guard: null,
    resources: [],
    subscriptions: [],
    chats: [],
    leftLedgers: [],
    secrets: { 'qonversion/production': { logicalId: 'Former', keyArn, ...secret } },
  };
}

describe('a switch to aws-owned', () => {
  it('lets the functions decrypt with the former key while a secret is encrypted with it', () => {
    const { stack } = withKeysOfAws({ ...ONE_PROJECT, deployed: deployedWith(FORMER_KEY) });
    expect(keyGrantsOf(stack)).toEqual(Array.from({ length: 3 }, () => `kms:Decrypt on ${FORMER_KEY}`));
    expect(encryptionOf(stack)).toContain('AWS::SecretsManager::Secret {"KmsKeyId":"alias/aws/secretsmanager"}');
  });

  it('takes that permission away in the deployment after it', () => {
    const { stack } = withKeysOfAws({ ...ONE_PROJECT, deployed: deployedWith(null) });
    expect(keyGrantsOf(stack)).toEqual([]);
  });
});

describe('the encryption customer-key', () => {
  it('is the default, with no permission for another key that a secret has', () => {
    const stack = createUserStack();
    const guard = addGuard(stack, { deployed: deployedWith(FORMER_KEY) });
    expect(guard.key).not.toBeNull();
    expect(keyGrantsOf(stack).filter((grant) => grant.includes(FORMER_KEY))).toEqual([]);
    const named = createUserStack();
    addGuard(named, { deployed: deployedWith(FORMER_KEY), encryption: 'customer-key' });
    expect(templateOf(named)).toEqual(templateOf(stack));
  });
});
