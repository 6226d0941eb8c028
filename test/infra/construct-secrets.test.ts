import { readFileSync } from 'node:fs';
import { CfnOutput, Fn, Stack } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { type ISecret, Secret, type SecretProps } from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { fillSecretCommand } from '../../functions/aws/secret.ts';
import type { DeployedGuard, DeployedSecret } from '../../functions/deployed/deployed-guard.ts';
import type { IntegrationGuardProps } from '../../infra/props.ts';
import { addGuard, createApp, createUserStack, grantsOf, resourcesOf, show, templateOf } from './user-app.ts';

const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:qonversion/other';
const KEY_ARN = 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000';

const READERS = ['GuardPassRole', 'GuardActRole', 'GuardPanelRole'] as const;

/** CDK's own types disagree about a property that may be undefined. */
const ownSecret = (stack: Stack, id: string, props: SecretProps = {}) => new Secret(stack, id, props) as ISecret;

/** The functions' permissions to read secrets, which are the same for all three. */
function readGrants(stack: Stack): readonly string[] {
  const template = templateOf(stack);
  const [pass = [], ...others] = READERS.map((role) =>
    grantsOf(template, role).filter((grant) => /secretsmanager:GetSecretValue|kms:Decrypt/.test(grant)),
  );
  for (const other of others) expect(other).toEqual(pass);
  return pass.filter((grant) => grant !== 'kms:Decrypt on <GuardKey>');
}

/** ARNs by project, as the functions receive them. */
function secretArnsOf(stack: Stack): readonly string[] {
  const functions = resourcesOf(templateOf(stack), 'AWS::Lambda::Function');
  expect(functions).toHaveLength(3);
  const values = functions.map(([, { Properties }]) => {
    const { Variables } = Properties.Environment as { readonly Variables: Readonly<Record<string, unknown>> };
    return Variables.SECRET_ARNS === undefined ? 'none' : show(Variables.SECRET_ARNS);
  });
  expect(new Set(values).size).toBe(1);
  return values;
}

function settingsOf(stack: Stack): string {
  return JSON.stringify(templateOf(stack).Metadata.IntegrationGuard.Settings);
}

/** A guard with one project, whose secret these properties define. */
function withSecret(stack: Stack, props: IntegrationGuardProps): Stack {
  addGuard(stack, { projects: { production: {} }, ...props });
  return stack;
}

describe('a secret of the same stack', () => {
  it('is read by its ARN, which the functions and the command line get from the stack', () => {
    const stack = createUserStack();
    withSecret(stack, { secrets: { production: ownSecret(stack, 'Own') } });
    expect(readGrants(stack)).toEqual(['secretsmanager:GetSecretValue on <Own>']);
    expect(secretArnsOf(stack)[0]).toBe('{"production":"<Own>"}');
    const template = templateOf(stack);
    const output = template.Metadata.IntegrationGuard.Outputs['SecretArnOf-production'] ?? '';
    expect(show(template.Outputs[output]?.Value)).toBe('<Own>');
    expect(JSON.stringify(template)).not.toContain('${Token[');
    expect(settingsOf(stack)).toContain('"secret":"in-stack"');
  });

  it('is decrypted with its own key', () => {
    const stack = createUserStack();
    const encryptionKey = new Key(stack, 'SecretKey');
    withSecret(stack, { secrets: { production: ownSecret(stack, 'Own', { encryptionKey }) } });
    expect(readGrants(stack)).toEqual(['kms:Decrypt on <SecretKey>', 'secretsmanager:GetSecretValue on <Own>']);
  });

  it('may be given by a token, and so may its key', () => {
    const stack = createUserStack();
    const [secret, key] = [new Secret(stack, 'Own'), new Key(stack, 'SecretKey')];
    withSecret(stack, { projects: { production: { secretArn: secret.secretArn, secretKeyArn: key.keyArn } } });
    expect(readGrants(stack)).toEqual(['kms:Decrypt on <SecretKey>', 'secretsmanager:GetSecretValue on <Own>']);
    expect(secretArnsOf(stack)[0]).toBe('{"production":"<Own>"}');
    expect(settingsOf(stack)).not.toContain('Token');
  });
});

describe('a secret of another stack', () => {
  it('is imported by its ARN', () => {
    const app = createApp();
    const other = new Stack(app, 'Secrets');
    const stack = new Stack(app, 'UserStack');
    const encryptionKey = new Key(other, 'SecretKey');
    withSecret(stack, { secrets: { production: ownSecret(other, 'Theirs', { encryptionKey }) } });
    app.synth();
    const exported = '{"Fn::ImportValue":"Secrets:ExportsOutputRef';
    expect(secretArnsOf(stack)[0]).toContain(`{"production":"${exported}Theirs`);
    expect(readGrants(stack).filter((grant) => grant.includes('GetSecretValue'))).toEqual([
      expect.stringContaining(`on ${exported}Theirs`),
    ]);
    expect(readGrants(stack)).toContainEqual(expect.stringMatching(/^kms:Decrypt on .*SecretKey/));
  });
});

describe('an existing secret', () => {
  it.each([
    [
      'by its name',
      (stack: Stack) => Secret.fromSecretNameV2(stack, 'Found', 'qonversion/other'),
      'arn:<Partition>:secretsmanager:<Region>:<AccountId>:secret:qonversion/other-??????',
    ],
    [
      'by its whole ARN',
      (stack: Stack) => Secret.fromSecretCompleteArn(stack, 'Found', `${ARN}-AbCdEf`),
      `${ARN}-AbCdEf`,
    ],
    [
      'by an ARN without its suffix',
      (stack: Stack) => Secret.fromSecretPartialArn(stack, 'Found', ARN),
      `${ARN}-??????`,
    ],
  ])('is found %s, and no other is read', (_how, find, resource) => {
    const stack = createUserStack();
    withSecret(stack, { secrets: { production: find(stack) } });
    const [grant = '', ...others] = readGrants(stack);
    expect(others).toEqual([]);
    expect(grant).toBe(`secretsmanager:GetSecretValue on ${resource}`);
    const isPlain = settingsOf(stack).includes(`"secretArn":"${ARN}`);
    expect(secretArnsOf(stack)[0]).toMatch(
      isPlain ? /^none$/ : /^\{"production":"arn:<Partition>:.*:secret:qonversion\/other"\}$/,
    );
  });

  it.each<readonly [string, (stack: Stack) => string, string]>([
    ['a plain ARN', () => KEY_ARN, KEY_ARN],
    ['a token', (stack) => new Key(stack, 'SecretKey').keyArn, '<SecretKey>'],
  ])('is decrypted with the key that the project names: %s', (_what, keyOf, resource) => {
    const stack = createUserStack();
    const secrets = { production: Secret.fromSecretNameV2(stack, 'Found', 'qonversion/other') };
    withSecret(stack, { secrets, projects: { production: { secretKeyArn: keyOf(stack) } } });
    expect(readGrants(stack)).toContain(`kms:Decrypt on ${resource}`);
  });

  it('is decrypted with its own imported key', () => {
    const stack = createUserStack();
    const encryptionKey = Key.fromKeyArn(stack, 'Imported', KEY_ARN);
    const attributes = { secretCompleteArn: `${ARN}-AbCdEf`, encryptionKey };
    withSecret(stack, { secrets: { production: Secret.fromSecretAttributes(stack, 'Found', attributes) } });
    expect(readGrants(stack)).toEqual([`kms:Decrypt on ${KEY_ARN}`, `secretsmanager:GetSecretValue on ${ARN}-AbCdEf`]);
  });

  it('is in the settings if its ARN is known, even with a key that only the deployment knows', () => {
    const stack = createUserStack();
    const secretKeyArn = new Key(stack, 'SecretKey').keyArn;
    withSecret(stack, { projects: { production: { secretArn: `${ARN}-AbCdEf`, secretKeyArn } } });
    expect(readGrants(stack)).toEqual(['kms:Decrypt on <SecretKey>', `secretsmanager:GetSecretValue on ${ARN}-AbCdEf`]);
    expect(secretArnsOf(stack)[0]).toBe('none');
  });
});

describe('the secrets of a fleet', () => {
  it('may have a key that only the deployment knows', () => {
    const stack = createUserStack();
    const secretKeyArn = new Key(stack, 'SecretKey').keyArn;
    addGuard(stack, { fleet: { secretNamePrefix: 'q/', secretKeyArn } });
    expect(grantsOf(templateOf(stack), 'GuardFleetPassRole')).toContain('kms:Decrypt on <SecretKey>');
    expect(settingsOf(stack)).not.toContain('Token');
  });
});

describe('a secret that projects share', () => {
  const SHARED = {
    ios: { secretName: 'q/shared', secretField: 'ios' },
    android: { secretName: 'q/shared', secretField: 'android' },
  };
  const fillCommandOf = (stack: Stack, project: string) =>
    show(
      Object.entries(templateOf(stack).Outputs).find(([id]) => id.startsWith(`GuardFillSecretOf${project}`))?.[1].Value,
    );

  it('is created once, empty, and granted once', () => {
    const stack = createUserStack();
    addGuard(stack, { projects: { ...SHARED, alone: { secretName: 'q/alone' } } });
    const secrets = resourcesOf(templateOf(stack), 'AWS::SecretsManager::Secret').map(
      ([, { Properties }]) => Properties,
    );
    expect(secrets.map(({ Name, Description }) => [Name, Description])).toEqual([
      ['q/shared', 'Qonversion Secret Keys, as JSON with a field for each project, for Integration Guard'],
      ['q/alone', 'Qonversion Secret Key of project alone, for Integration Guard'],
    ]);
    for (const secret of secrets) expect(Object.keys(secret)).not.toContain('SecretString');
    expect(readGrants(stack)).toEqual([
      expect.stringMatching(/^secretsmanager:GetSecretValue on <GuardSecretqalone/),
      expect.stringMatching(/^secretsmanager:GetSecretValue on <GuardSecretqshared/),
    ]);
  });

  it('has an output for each project, with the command that fills its field', () => {
    const stack = createUserStack();
    addGuard(stack, { projects: SHARED });
    for (const field of ['ios', 'android'])
      expect(fillCommandOf(stack, field)).toBe(fillSecretCommand({ id: 'q/shared', field }));
  });

  it('may be an existing secret of the app', () => {
    const stack = createUserStack();
    const own = ownSecret(stack, 'Own');
    const projects = { ios: { secretField: 'ios' }, android: { secretField: 'android' } };
    addGuard(stack, { projects, secrets: { ios: own, android: own } });
    expect(readGrants(stack)).toEqual(['secretsmanager:GetSecretValue on <Own>']);
    expect(secretArnsOf(stack)[0]).toBe('{"ios":"<Own>","android":"<Own>"}');
    expect(settingsOf(stack)).toContain('"secretField":"android","secret":"in-stack"');
    expect(fillCommandOf(stack, 'ios')).toBe(fillSecretCommand({ id: '<Own>', field: 'ios' }));
  });

  it('is adopted once, with its key', () => {
    const stack = createUserStack();
    const found = { ...OUTSIDE, arn: `${ARN}-AbCdEf`, keyArn: KEY_ARN };
    addGuard(stack, { projects: SHARED, deployed: deployedWith({ 'q/shared': found }) });
    expect(readGrants(stack)).toEqual([`kms:Decrypt on ${KEY_ARN}`, `secretsmanager:GetSecretValue on ${ARN}-AbCdEf`]);
  });
});

describe('tokens instead of ARNs', () => {
  const projectsOf = (stack: Stack, count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        `p${index}`,
        { secretArn: new Secret(stack, `S${index}`).secretArn },
      ]),
    );

  it('are accepted for 20 projects; 21 are refused in one sentence', () => {
    const stack = createUserStack();
    addGuard(stack, { projects: projectsOf(stack, 20) });
    expect(readGrants(stack)).toHaveLength(20);
    expect(JSON.stringify(templateOf(stack))).not.toContain('Token[');
    const another = createUserStack();
    expect(() => addGuard(another, { projects: projectsOf(another, 21) })).toThrow(
      'UserStack/Guard: secrets: expected at most 20 secrets whose ARN is known only at deployment, got 21; name the others with secretName',
    );
  });

  it('are not in the files beside the code', () => {
    const stack = createUserStack();
    const { assets } = withBundledSettings(stack);
    for (const settings of assets) expect(settings).not.toMatch(/Token|\$\{/);
    expect(assets.length).toBe(1);
  });

  it('may come from a parameter or another stack’s export', () => {
    const stack = createUserStack();
    withSecret(stack, { projects: { production: { secretArn: Fn.importValue('SecretArn') } } });
    expect(readGrants(stack)).toEqual(['secretsmanager:GetSecretValue on {"Fn::ImportValue":"SecretArn"}']);
  });
});

/** The text of each settings.json after a synthesis with bundling. */
function withBundledSettings(_: Stack): { readonly assets: readonly string[] } {
  const app = createApp({ bundling: true });
  const stack = new Stack(app, 'UserStack');
  withSecret(stack, {
    secrets: { production: ownSecret(stack, 'Own') },
    alerts: { subscriptions: [] },
  });
  const { directory, artifacts } = app.synth();
  expect(artifacts.length).toBeGreaterThan(0);
  const manifest = JSON.parse(readFileSync(`${directory}/UserStack.assets.json`, 'utf8')) as {
    readonly files: Readonly<
      Record<string, { readonly source: { readonly path: string; readonly packaging: string } }>
    >;
  };
  const folders = Object.values(manifest.files).filter(({ source }) => source.packaging === 'zip');
  return { assets: folders.map(({ source }) => readFileSync(`${directory}/${source.path}/settings.json`, 'utf8')) };
}

const OUTSIDE: DeployedSecret = {
  logicalId: null,
  isRetained: true,
  otherStack: null,
  arn: null,
  isDeleted: false,
  keyArn: null,
  keyAlias: null,
};

function deployedWith(secrets: Readonly<Record<string, Partial<DeployedSecret>>>): DeployedGuard {
  return {
    stack: 'UserStack',
    account: '123456789012',
    region: 'eu-west-1',
    guard: null,
    resources: [],
    subscriptions: [],
    chats: [],
    leftLedgers: [],
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, { ...OUTSIDE, ...secret }])),
  };
}

describe('the deployed state', () => {
  const NAME = 'qonversion/production';

  it('includes other secrets, which are adopted with their keys', () => {
    const stack = createUserStack();
    addGuard(stack, { deployed: deployedWith({ [NAME]: { arn: `${ARN}-AbCdEf`, keyArn: KEY_ARN } }) });
    expect(resourcesOf(templateOf(stack), 'AWS::SecretsManager::Secret')).toEqual([]);
    expect(readGrants(stack)).toEqual([`kms:Decrypt on ${KEY_ARN}`, `secretsmanager:GetSecretValue on ${ARN}-AbCdEf`]);
    expect(settingsOf(stack)).toContain(`"secretName":"${NAME}"`);
  });

  it('includes secrets of the stack, which keep their logical IDs', () => {
    const stack = createUserStack();
    addGuard(stack, { deployed: deployedWith({ [NAME]: { logicalId: 'GuardSecretOfproduction1A2B3C4D' } }) });
    const secrets = resourcesOf(templateOf(stack), 'AWS::SecretsManager::Secret');
    expect(secrets.map(([id]) => id)).toEqual(['GuardSecretOfproduction1A2B3C4D']);
    expect(readGrants(stack)).toEqual(['secretsmanager:GetSecretValue on <GuardSecretOfproduction>']);
    for (const [, { Type }] of Object.entries(templateOf(stack).Resources)) expect(Type).toBeDefined();
  });

  it('causes an error at synthesis if a secret would be lost', () => {
    const stack = createUserStack();
    new CfnOutput(stack, 'Other', { value: 'x' });
    addGuard(stack, { deployed: deployedWith({ old: { logicalId: 'Old', isRetained: false } }) });
    const says = stack.node.findChild('Guard').node.metadata.filter(({ type }) => type === 'aws:cdk:error');
    expect(says.map(({ data }) => data)).toEqual([
      'this deployment would delete the secret "old" and its Secret Key. First deploy its project once as it was in stack UserStack: after that the secret stays',
    ]);
  });
});
