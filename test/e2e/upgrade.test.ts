import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { paginateListStackResources, type StackResourceSummary } from '@aws-sdk/client-cloudformation';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { GetFunctionCommand, GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { DescribeSecretCommand, GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Entry } from '../../functions/guard/model/entry.ts';
import { PRODUCTION_KEY, TEST_KEY } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import { bundleFunctions } from '../../infra/bundle-functions.ts';
import { ACCOUNT, REGION } from './cloud.ts';
import { type Deployment, deploy, must, STACK, type Watched } from './deployment.ts';
import { checkOutVersionBefore } from './version-before.ts';

/**
 * Updates a stack of the previous version, with open circuits and interrupted passes, to this version. Then renames, removes and adds
 * projects, destroys the stack and deploys it again. No data is lost.
 * The passes use the sandbox's clock, which stands still until a step moves it. Each step continues from the previous one.
 */

const PROJECT_NAME = 'production';
const SECRET = 'qonversion/production';

/** The integrations, by their state after the previous version. */
const HEALTHY = 'healthy';
const PAUSED = 'paused-by-guard';
const WARNED = 'warned';
const OPERATORS = 'paused-by-operator';
/** Its pause never reached Qonversion. */
const UNREACHED = 'unreached';
/** The guard paused it, and SNS did not accept the alert. */
const UNANNOUNCED = 'unannounced';

/** Recovery is manual, except for the operator's integration: if the guard treated that pause as its own, a probe would be due at once. */
const ONE_PROJECT: Watched = {
  worlds: (startAt) => ({ production: new World({ startAt }) }),
  secrets: [],
  settings: ({ apiUrl }) => {
    const overrides = [{ match: { id: OPERATORS }, recovery: { mode: 'probe', cooldownMinutes: 1 } }];
    // Both versions support these settings. Neither waits for a failure span.
    const policy = { failingForMinutes: 0, recovery: { mode: 'manual' }, overrides };
    return { projects: { [PROJECT_NAME]: { secretName: SECRET, apiUrl, policy } } };
  },
};

interface Announced {
  readonly type: string;
  readonly id: string;
  /** The integration; undefined for the guard itself. */
  readonly subject?: string;
}

interface Item {
  readonly schema?: number;
  readonly version: number;
  readonly entry: unknown;
}

let deployment: Deployment;
let world: World;
let table: DynamoDBDocumentClient;
const announced: Announced[] = [];
const digests: string[] = [];
/** The IDs of the alerts that the previous version has not published, by integration. */
const owed = new Map<string, string>();

beforeAll(async () => {
  deployment = await deploy(ONE_PROJECT, checkOutVersionBefore);
  world = deployment.sandbox.production;
  table = DynamoDBDocumentClient.from(deployment.clients.dynamodb);
});

afterAll(async () => {
  await deployment?.stop();
});

async function listen(): Promise<void> {
  const { eventsQueue, digestsQueue, receive } = deployment;
  announced.push(...(await receive(eventsQueue)).map((body) => JSON.parse(body) as Announced));
  digests.push(...(await receive(digestsQueue)));
}

/** Alerts about an integration, in order of arrival. */
const alertsOf = (id: string) => announced.filter(({ subject }) => subject === id).map(({ type }) => type);

async function pass(): Promise<{ readonly error: string | undefined; readonly body: unknown }> {
  const answer = await deployment.invoke('PassFunctionName', { project: PROJECT_NAME });
  await listen();
  return answer;
}

/** A pass that must succeed. */
async function passOrThrow(): Promise<void> {
  const { error, body } = await pass();
  if (error !== undefined) throw new Error(`the pass failed: ${JSON.stringify(body)}`);
}

function failOverLimits(id: string): void {
  world.patch(id, {
    delivery_error_count: 61,
    last_delivery_at: new Date(world.now().getTime() - 20 * 60_000).toISOString(),
    last_error_at: world.now().toISOString(),
    last_error_message: 'HTTP 401',
  });
}

async function query(partition: string): Promise<readonly Record<string, unknown>[]> {
  const { Items = [] } = await table.send(
    new QueryCommand({
      TableName: (await deployment.outputs()).LedgerTableName,
      KeyConditionExpression: '#project = :project',
      ExpressionAttributeNames: { '#project': 'project' },
      ExpressionAttributeValues: { ':project': partition },
      ConsistentRead: true,
    }),
  );
  return Items;
}

async function itemOf(id: string): Promise<Item> {
  const item = (await query(PROJECT_NAME)).find((each) => each.item === `integration#${id}`);
  if (item === undefined) throw new Error(`the ledger has no item of ${id}`);
  return item as unknown as Item;
}

/** The history's events about integrations: "type integration", sorted. */
async function history(): Promise<readonly string[]> {
  const events = (await query(`${PROJECT_NAME}#history`)).map(
    ({ event }) => event as { readonly type: string; readonly record: { readonly id: string } | null },
  );
  return events.flatMap(({ type, record }) => (record === null ? [] : [`${type} ${record.id}`])).sort();
}

const writes = () =>
  deployment.cloud.calls.filter(({ action }) => /^dynamodb:(Put|BatchWrite|Update|Delete)/.test(action)).length;

async function resources(): Promise<readonly StackResourceSummary[]> {
  const found: StackResourceSummary[] = [];
  const { cloudformation: client } = deployment.clients;
  for await (const page of paginateListStackResources({ client }, { StackName: STACK })) {
    found.push(...(page.StackResourceSummaries ?? []));
  }
  return found;
}

/** Physical IDs of the resources that hold data or that other systems use, by type and logical ID. */
async function physicalIds(): Promise<Readonly<Record<string, string>>> {
  const types = /^AWS::(DynamoDB::Table|SNS::Topic|SecretsManager::Secret|KMS::Key|SQS::Queue|Lambda::Function)$/;
  const named = (await resources()).filter(({ ResourceType = '' }) => types.test(ResourceType));
  return Object.fromEntries(
    named.map(({ ResourceType, LogicalResourceId, PhysicalResourceId = '' }) => [
      `${ResourceType} ${LogicalResourceId}`,
      PhysicalResourceId,
    ]),
  );
}

const passCode = async () => {
  const { PassFunctionName: FunctionName } = await deployment.outputs();
  return (await deployment.clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))).CodeSha256;
};

describe('the previous version', () => {
  it('pauses an integration, warns about another, and lets an operator pause a third', async () => {
    await deployment.clients.secrets.send(
      new PutSecretValueCommand({ SecretId: SECRET, SecretString: PRODUCTION_KEY }),
    );
    // The records changed long before their failures began, so no operator has just repaired them.
    const updated_at = new Date(world.now().getTime() - 60 * 60_000).toISOString();
    for (const id of [HEALTHY, PAUSED, WARNED, OPERATORS, UNREACHED, UNANNOUNCED]) {
      world.add({ id, active: 1 });
      world.patch(id, { updated_at });
    }
    // Enough integrations deliver that the provider is not down.
    for (let number = 0; number < 6; number += 1) {
      // Their deliveries also show that a list is newer than an interrupted attempt.
      const { id } = world.add({ id: `neighbour-${number}`, active: 1, eventsPerMinute: 1 });
      world.patch(id, { last_delivery_at: world.now().toISOString() });
    }
    world.advance(1);
    failOverLimits(PAUSED);
    world.patch(WARNED, { delivery_error_count: 30, last_delivery_at: world.now().toISOString() });
    await passOrThrow();
    const pause = ['pause', OPERATORS, '--stack', STACK, '--project', PROJECT_NAME];
    expect(await must(deployment.cloud.guard(pause, deployment.app))).toContain(`${OPERATORS} is paused`);

    expect(alertsOf(PAUSED)).toEqual(['integration.paused']);
    expect(alertsOf(WARNED)).toEqual(['integration.failing']);
    expect(await itemOf(PAUSED)).toMatchObject({ entry: { circuit: { state: 'open' }, intent: null } });
    expect(await itemOf(WARNED)).toMatchObject({
      entry: { told: { alerts: { 'integration.failing': { times: 1 } } } },
    });
    expect(await itemOf(OPERATORS)).toMatchObject({ entry: { pausedByOperator: true, intent: null } });
    for (const item of await query(PROJECT_NAME)) expect(item).not.toHaveProperty('schema');
  });

  it('dies before its request for another pause reaches Qonversion', async () => {
    world.advance(1);
    failOverLimits(UNREACHED);
    const isAsked = () =>
      deployment.sandbox.requests.some(({ method, path }) => method === 'POST' && path.includes(UNREACHED));
    deployment.sandbox.faults.add({ fault: { kind: 'reset' }, method: 'POST', path: UNREACHED });
    // From this request on the pass reaches neither Qonversion nor AWS, as if its process had died.
    deployment.cloud.cutOff(isAsked);
    expect(await pass()).toMatchObject({ error: 'Unhandled' });
    deployment.cloud.cutOff(null);
    deployment.sandbox.faults.clear();

    expect(isAsked()).toBe(true);
    expect(world.get(UNREACHED)?.active).toBe(1);
    owed.set(UNREACHED, await firstIntended(UNREACHED));
  });

  it('pauses one more, and SNS does not accept the alert', async () => {
    failOverLimits(UNANNOUNCED);
    deployment.cloud.cutOff(({ action }) => action.startsWith('sns:'));
    expect(await pass()).toMatchObject({ error: 'Unhandled' });
    deployment.cloud.cutOff(null);

    expect(world.get(UNANNOUNCED)?.active).toBe(0);
    owed.set(UNANNOUNCED, await firstIntended(UNANNOUNCED));
    expect([...alertsOf(UNREACHED), ...alertsOf(UNANNOUNCED)]).toEqual([]);
  });

  /** The ID of the alert in an intent of version 0.1 that no pass has settled. */
  async function firstIntended(id: string): Promise<string> {
    const item = await itemOf(id);
    expect(item).not.toHaveProperty('schema');
    expect(item).toMatchObject({
      entry: {
        circuit: { state: 'closed' },
        intent: { act: { status: 0 }, events: [{ type: 'integration.paused' }], failedAt: null },
      },
    });
    const { intent } = item.entry as { readonly intent: { readonly events: readonly [{ readonly id: string }] } };
    return intent.events[0].id;
  }
});

describe('the update to this version', () => {
  it('keeps table, topics, keys, queues, secret and functions, and replaces the code', async () => {
    const before = { ids: await physicalIds(), outputs: await deployment.outputs(), code: await passCode() };
    expect(Object.keys(before.ids).length).toBeGreaterThanOrEqual(8);
    // The previous version always had the panel.
    const settings = JSON.parse(await readFile(deployment.settingsFile, 'utf8')) as object;
    await writeFile(deployment.settingsFile, JSON.stringify({ ...settings, dashboard: true }));
    await must(deployment.cloud.cdk(['deploy', '--require-approval', 'never'], deployment.settingsFile));

    expect(await physicalIds()).toEqual(before.ids);
    expect(await deployment.outputs()).toMatchObject(before.outputs);
    expect(await passCode()).not.toBe(before.code);
    const { SecretString } = await deployment.clients.secrets.send(new GetSecretValueCommand({ SecretId: SECRET }));
    expect(SecretString).toBe(PRODUCTION_KEY);
  });
});

describe('this version', () => {
  it('reads the previous ledger, and leaves interrupted work to a pass that may still be running', async () => {
    const before = announced.length;
    await passOrThrow();
    const plan = JSON.parse(
      await must(deployment.cloud.guard(['plan', '--json', '--stack', STACK, '--project', PROJECT_NAME])),
    ) as { readonly decisions: readonly { readonly id: string; readonly kind: string }[] };
    expect(Object.fromEntries(plan.decisions.map(({ id, kind }) => [id, kind]))).toMatchObject({
      [HEALTHY]: 'healthy',
      [PAUSED]: 'open',
      [WARNED]: 'watch',
      [OPERATORS]: 'operator-paused',
      [UNREACHED]: 'under-way',
      [UNANNOUNCED]: 'under-way',
    });
    expect(announced.length).toBe(before);
  });

  it('delivers the undelivered alert on schedule, and makes the pause that never reached Qonversion', async () => {
    // After the time limit of a pass, no pass of the previous version can still be running.
    world.advance(3);
    await deployment.untilScheduled('both pauses and their alerts, settled in the ledger', async () => {
      const items = await Promise.all([...owed.keys()].map(itemOf));
      return items.every(({ entry }) => {
        const { attempt, outbox, lease } = entry as Partial<Entry>;
        return attempt === null && outbox?.length === 0 && lease === null;
      });
    });
    await passOrThrow();

    for (const [id, eventId] of owed) {
      const alerts = announced.filter(({ subject, type }) => subject === id && type !== 'incident.closed');
      expect(alerts).toMatchObject([{ type: 'integration.paused', id: eventId }]);
      expect(world.get(id)?.active).toBe(0);
      expect(await itemOf(id)).toMatchObject({
        schema: 3,
        entry: { state: { name: 'open', by: 'guard' }, attempt: null, outbox: [], lease: null },
      });
    }
    for (const id of owed.keys()) expect(digests.filter((text) => text.includes(id))).toHaveLength(1);
  });

  it("announces nothing again, and leaves the operator's pause alone", async () => {
    expect(alertsOf(PAUSED)).toEqual(['integration.paused']);
    expect(alertsOf(WARNED)).toEqual(['integration.failing']);
    expect(alertsOf(OPERATORS)).toEqual([]);
    expect(Object.fromEntries(world.list().map(({ id, active }) => [id, active]))).toMatchObject({
      [HEALTHY]: 1,
      [PAUSED]: 0,
      [WARNED]: 1,
      [OPERATORS]: 0,
      [UNREACHED]: 0,
      [UNANNOUNCED]: 0,
    });
  });

  it('is quiet afterwards', async () => {
    const before = { writes: writes(), alerts: announced.length, digests: digests.length };
    await passOrThrow();
    await passOrThrow();
    expect({ writes: writes(), alerts: announced.length, digests: digests.length }).toEqual(before);
  });

  it('accepts that an operator resumes an integration that the previous version paused', async () => {
    world.advance(1);
    world.setStatus(PAUSED, 1);
    await passOrThrow();
    await passOrThrow();
    expect(alertsOf(PAUSED)).toEqual(['integration.paused', 'integration.reactivated']);
    expect(world.get(PAUSED)?.active).toBe(1);
    expect(await itemOf(PAUSED)).toMatchObject({ schema: 3, entry: { state: { name: 'closed' }, outbox: [] } });
  });

  it('has each event in the history once', async () => {
    expect(await history()).toEqual(
      [
        `integration.failing ${WARNED}`,
        `integration.operator-paused ${OPERATORS}`,
        `integration.paused ${PAUSED}`,
        `integration.paused ${UNANNOUNCED}`,
        `integration.paused ${UNREACHED}`,
        `integration.reactivated ${PAUSED}`,
        // The interrupted pass may have opened an incident before it died.
        `incident.closed ${UNREACHED}`,
      ].sort(),
    );
  });
});

type Projects = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Changes the settings for the next deployment. */
async function configure(
  change: (projects: Projects) => Projects,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { settingsFile } = deployment;
  const settings = JSON.parse(await readFile(settingsFile, 'utf8')) as { readonly projects: Projects };
  const projects = change(settings.projects);
  const alerts = { subscriptions: [{ sqs: `arn:aws:sqs:${REGION}:${ACCOUNT}:guard-events` }] };
  await writeFile(settingsFile, JSON.stringify({ ...settings, projects, alerts, ...more }));
}

const deployNow = () =>
  deployment.cloud.cdk(['deploy', '--require-approval', 'never', '--no-color'], deployment.settingsFile);

const keyIn = async (SecretId: string) =>
  (await deployment.clients.secrets.send(new GetSecretValueCommand({ SecretId }))).SecretString;

async function secretResources(): Promise<readonly string[]> {
  return Object.keys(await physicalIds()).filter((name) => name.startsWith('AWS::SecretsManager::Secret'));
}

/** The decision about each integration by ID, from `integration-guard plan`. */
async function kinds(project: string): Promise<Readonly<Record<string, string>>> {
  const plan = JSON.parse(
    await must(deployment.cloud.guard(['plan', '--json', '--stack', STACK, '--project', project])),
  ) as { readonly decisions: readonly { readonly id: string; readonly kind: string }[] };
  return Object.fromEntries(plan.decisions.map(({ id, kind }) => [id, kind]));
}

const eventsIn = async (project: string) =>
  (
    JSON.parse(
      await must(
        deployment.cloud.guard(['history', '--json', '--since', '30d', '--stack', STACK, '--project', project]),
      ),
    ) as { readonly events: readonly { readonly type: string }[] }
  ).events.length;

const RENAMED = 'prod';
const SECOND = 'second';
const SECOND_SECRET = 'qonversion/second';

describe('the code of the deployed functions', () => {
  it('has the same hashes as the package', async () => {
    const { PassFunctionName: FunctionName } = await deployment.outputs();
    const { Code } = await deployment.clients.lambda.send(new GetFunctionCommand({ FunctionName }));
    const archive = join(deployment.cloud.folder, 'deployed.zip');
    const answer = await fetch(Code?.Location ?? '');
    await writeFile(archive, Buffer.from(await answer.arrayBuffer()));
    const unpacked = join(deployment.cloud.folder, 'deployed');
    await must(deployment.cloud.python('python', ['-m', 'zipfile', '-e', archive, unpacked]));
    const built = join(deployment.cloud.folder, 'built');
    bundleFunctions(built);
    const hashesOf = async (folder: string) =>
      Object.fromEntries(
        await Promise.all(
          (await readdir(folder))
            .filter((name) => name !== 'settings.json')
            .map(async (name) => [
              name,
              createHash('sha256')
                .update(await readFile(join(folder, name)))
                .digest('hex'),
            ]),
        ),
      ) as Readonly<Record<string, string>>;
    expect(await hashesOf(unpacked)).toEqual(await hashesOf(built));
  });
});

describe('a renamed project', () => {
  it('stops the deployment if its ledger would be left behind', async () => {
    const before = { ids: await physicalIds(), key: await keyIn(SECRET), kinds: await kinds(PROJECT_NAME) };
    await configure(({ [PROJECT_NAME]: project = {}, ...others }) => ({ ...others, [RENAMED]: project }));
    const { code, output } = await deployNow();
    expect(code).not.toBe(0);
    expect(output).toContain(`project ${PROJECT_NAME} seems to have been renamed to ${RENAMED}`);
    expect(output).toContain(`Set "renamedFrom" of projects.${RENAMED} to "${PROJECT_NAME}"`);
    expect({ ids: await physicalIds(), key: await keyIn(SECRET), kinds: await kinds(PROJECT_NAME) }).toEqual(before);
  });

  it('keeps key, circuits and history with renamedFrom, without an alert', async () => {
    const before = { kinds: await kinds(PROJECT_NAME), events: await eventsIn(PROJECT_NAME) };
    expect(before.kinds).toMatchObject({ [UNREACHED]: 'open', [UNANNOUNCED]: 'open', [OPERATORS]: 'operator-paused' });
    await configure(({ [RENAMED]: project = {} }) => ({
      [RENAMED]: { ...project, renamedFrom: PROJECT_NAME },
      [SECOND]: { ...project, secretName: SECOND_SECRET, policy: { mode: 'observe' } },
    }));
    await must(deployNow());
    await deployment.clients.secrets.send(
      new PutSecretValueCommand({ SecretId: SECOND_SECRET, SecretString: TEST_KEY }),
    );
    expect(await keyIn(SECRET)).toBe(PRODUCTION_KEY);
    await listen();
    const alerts = announced.length;
    const { error, body } = await deployment.invoke('PassFunctionName', { project: RENAMED });
    expect(error, JSON.stringify(body)).toBeUndefined();
    await listen();
    expect({ kinds: await kinds(RENAMED), events: await eventsIn(RENAMED) }).toEqual(before);
    expect(announced.slice(alerts).filter(({ subject }) => subject !== undefined)).toEqual([]);
  });
});

describe('a removed project', () => {
  it('leaves its secret, and the deployment reports that', async () => {
    await configure(({ [RENAMED]: project = {} }) => ({ [RENAMED]: project }));
    const output = await must(deployNow());
    expect(output).toContain(`project ${SECOND} will no longer be guarded`);
    expect(output).toContain(`Its secret "${SECOND_SECRET}" stays`);
    expect(await keyIn(SECOND_SECRET)).toBe(TEST_KEY);
    expect(await secretResources()).toHaveLength(1);
  });

  it('uses the same secret when it comes back', async () => {
    await configure(({ [RENAMED]: project = {} }) => ({
      [RENAMED]: project,
      [SECOND]: { ...project, secretName: SECOND_SECRET, renamedFrom: undefined },
    }));
    expect(await must(deployNow())).toContain(`the secret "${SECOND_SECRET}" exists`);
    expect(await keyIn(SECOND_SECRET)).toBe(TEST_KEY);
    const { error, body } = await deployment.invoke('PassFunctionName', { project: SECOND });
    expect(error, JSON.stringify(body)).toBeUndefined();
  });
});

describe('a destroyed stack', () => {
  let ledger: string;
  let before: { readonly kinds: Readonly<Record<string, string>>; readonly events: number };

  it('leaves ledger, keys and secrets', async () => {
    before = { kinds: await kinds(RENAMED), events: await eventsIn(RENAMED) };
    ledger = (await deployment.outputs()).LedgerTableName ?? '';
    await must(deployment.cloud.cdk(['destroy', '--force'], deployment.settingsFile));
    expect([await keyIn(SECRET), await keyIn(SECOND_SECRET)]).toEqual([PRODUCTION_KEY, TEST_KEY]);
    await deployment.clients.dynamodb.send(new DescribeTableCommand({ TableName: ledger }));
  });

  it('is reported at the next deployment, with the resources it left', async () => {
    const { output } = await deployment.cloud.cdk(['synth', '--quiet'], deployment.settingsFile);
    expect(output).toContain(`Set "ledgerTableName" to "${ledger}" to continue with it`);
  });

  it('continues with its ledger, its key and its secrets when it is deployed again', async () => {
    const { KmsKeyId = '' } = await deployment.clients.secrets.send(new DescribeSecretCommand({ SecretId: SECRET }));
    const encryptionKeyArn = KmsKeyId.startsWith('arn:')
      ? KmsKeyId
      : `arn:aws:kms:${REGION}:${ACCOUNT}:key/${KmsKeyId}`;
    await configure((projects) => projects, { ledgerTableName: ledger, encryptionKeyArn });
    expect(await must(deployNow())).toContain(`the secret "${SECRET}" exists`);
    expect((await deployment.outputs()).LedgerTableName).toBe(ledger);
    expect([await keyIn(SECRET), await keyIn(SECOND_SECRET)]).toEqual([PRODUCTION_KEY, TEST_KEY]);
    expect(Object.keys(await physicalIds()).filter((name) => /Secret |Table |Key /.test(name))).toEqual([]);
    const { error, body } = await deployment.invoke('PassFunctionName', { project: RENAMED });
    expect(error, JSON.stringify(body)).toBeUndefined();
    expect({ kinds: await kinds(RENAMED), events: await eventsIn(RENAMED) }).toEqual(before);
  });

  it('refuses to leave that ledger behind', async () => {
    const { ledgerTableName: _, ...settings } = JSON.parse(await readFile(deployment.settingsFile, 'utf8')) as {
      readonly ledgerTableName: string;
    };
    await writeFile(deployment.settingsFile, JSON.stringify(settings));
    const { code, output } = await deployNow();
    expect(code).not.toBe(0);
    expect(output).toContain(`uses the ledger table ${ledger}`);
  });
});
