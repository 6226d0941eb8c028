import { readFile, writeFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { DescribeSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World } from '../../functions/sandbox/world.ts';
import { runInShell } from '../support/printed-commands.ts';
import { ACCOUNT, REGION } from './cloud.ts';
import { type Deployment, deploy, must, STACK, type Watched } from './deployment.ts';
import { readPolicies } from './permissions.ts';

/**
 * Two projects that share a secret, and a stack that drops its KMS key and gets a new one. The emulator does not check permissions for
 * keys and does not encrypt, so the test reads the roles' policies. Each step continues from the previous one.
 */

const KEYS = { production: 'sk_fake_of_ios_0123456789', staging: 'sk_fake_of_android_987654' } as const;
const PROJECTS = Object.keys(KEYS) as (keyof typeof KEYS)[];
const SECRET = 'qonversion/keys';

const SHARED: Watched = {
  worlds: (startAt) => ({ others: new Map(Object.values(KEYS).map((key) => [key, new World({ startAt })])) }),
  secrets: [],
  settings: ({ apiUrl }) => ({
    projects: Object.fromEntries(PROJECTS.map((name) => [name, { secretName: SECRET, secretField: name, apiUrl }])),
  }),
};

let deployment: Deployment;

beforeAll(async () => {
  deployment = await deploy(SHARED);
});

afterAll(async () => {
  await deployment?.stop();
});

/** Runs the command of an output, and types the key. */
async function fill(project: keyof typeof KEYS): Promise<string> {
  const { environment, programs, folder } = deployment.cloud;
  const command = (await deployment.outputs())[`FillSecretOf${project}`] ?? '';
  const variables = { ...environment, HOME: folder, PATH: [programs, environment.PATH].join(delimiter) };
  const [run] = await runInShell([command], { typed: `${KEYS[project]}\n`, variables });
  expect(run?.code, run?.output).toBe(0);
  return run?.output ?? '';
}

async function configure(more: Readonly<Record<string, unknown>>): Promise<void> {
  const { encryption: _, ...settings } = JSON.parse(await readFile(deployment.settingsFile, 'utf8')) as Record<
    string,
    unknown
  >;
  await writeFile(deployment.settingsFile, JSON.stringify({ ...settings, ...more }));
}

const deployNow = () =>
  must(deployment.cloud.cdk(['deploy', '--require-approval', 'never'], deployment.settingsFile, deployment.app));

async function passes(): Promise<void> {
  for (const project of PROJECTS) {
    const { error, body } = await deployment.invoke('PassFunctionName', { project });
    expect(error, JSON.stringify(body)).toBeUndefined();
  }
}

/** The permissions of the pass function for keys: "ACTION on RESOURCE". */
async function keyGrants(): Promise<readonly string[]> {
  const { clients, outputs } = deployment;
  const FunctionName = (await outputs()).PassFunctionName;
  const { Role = '' } = await clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const { policies } = await readPolicies(clients.iam, Role);
  return policies
    .flatMap(({ policy }) => policy.Statement)
    .flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((on) => `${action} on ${on}`)),
    )
    .filter((grant) => grant.startsWith('kms:'));
}

const keyOfSecret = async () =>
  (await deployment.clients.secrets.send(new DescribeSecretCommand({ SecretId: SECRET }))).KmsKeyId ?? null;

async function typesInTemplate(): Promise<readonly string[]> {
  const { TemplateBody = '' } = await deployment.clients.cloudformation.send(
    new GetTemplateCommand({ StackName: STACK }),
  );
  const { Resources } = JSON.parse(TemplateBody) as { Resources: Record<string, { Type: string }> };
  return Object.values(Resources).map(({ Type }) => Type);
}

describe('two projects with one secret', () => {
  it('get one secret, which the printed commands fill field by field', async () => {
    expect((await typesInTemplate()).filter((type) => type === 'AWS::SecretsManager::Secret')).toHaveLength(1);
    for (const project of PROJECTS) expect(await fill(project)).not.toContain('sk_fake');
    const { SecretString = '' } = await deployment.clients.secrets.send(
      new GetSecretValueCommand({ SecretId: SECRET }),
    );
    expect(JSON.parse(SecretString)).toEqual(KEYS);
  });

  it('each send their own key', async () => {
    const before = deployment.sandbox.requests.length;
    await passes();
    const sent = deployment.sandbox.requests.slice(before).map(({ authorization }) => authorization);
    expect([...new Set(sent)].sort()).toEqual(
      Object.values(KEYS)
        .map((key) => `Bearer ${key}`)
        .sort(),
    );
  });

  it('are listed with their fields', async () => {
    const { projects } = JSON.parse(await must(deployment.cloud.guard(['projects', '--stack', STACK, '--json']))) as {
      projects: readonly { readonly secretName: string; readonly secretField: string }[];
    };
    expect(projects.map(({ secretName, secretField }) => [secretName, secretField])).toEqual(
      PROJECTS.map((name) => [SECRET, name]),
    );
  });
});

describe('a stack that drops its KMS key', () => {
  let former: string;

  it('keeps working, and may decrypt with the former key until the deployment after', async () => {
    const key = (await keyOfSecret()) ?? '';
    former = key.startsWith('arn:') ? key : `arn:aws:kms:${REGION}:${ACCOUNT}:key/${key}`;
    expect((await keyGrants()).length).toBeGreaterThan(1);
    await configure({ encryption: 'aws-owned' });
    expect(await deployNow()).toContain('this deployment encrypts topics, new logs and secrets with keys of AWS');
    expect(await typesInTemplate()).not.toContain('AWS::KMS::Key');
    expect(await keyGrants()).toEqual([`kms:Decrypt on ${former}`]);
    await passes();
  });

  it('has no permission for keys after the next deployment', async () => {
    expect(await keyOfSecret()).toMatch(/alias\/aws\/secretsmanager$/);
    await deployNow();
    expect(await keyGrants()).toEqual([]);
    await passes();
  });

  it('gets a new key when it wants one again', async () => {
    await configure({});
    await deployNow();
    expect(await typesInTemplate()).toContain('AWS::KMS::Key');
    expect(await keyOfSecret()).not.toMatch(/alias\/aws/);
    expect((await keyGrants()).join()).not.toContain(former);
    await passes();
  });
});
