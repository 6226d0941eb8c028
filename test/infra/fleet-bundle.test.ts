import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POLICY_TAG, PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { type Sandbox, startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import type { FunctionName } from '../../infra/bundle-functions.ts';
import { writeCode } from '../../infra/guard-function.ts';
import {
  type DynamoEmulator,
  environmentOver,
  LEDGER_TABLE,
  type SecretsEmulator,
  startDynamo,
  startSecretsManager,
  startSns,
} from '../support/aws-emulators.ts';
import { type LambdaProcess, startLambda } from '../support/lambda-process.ts';
import { runKey } from '../support/run-key.ts';

/** The bundles of a fleet, each in a separate process: two customers, and projects with faults. */

const KEYS = { acme: `${runKey()}acme`, globex: `${runKey()}globex` };
const START = new Date().toISOString();

let worlds: Readonly<Record<keyof typeof KEYS, World>>;
let sandbox: Sandbox;
let dynamo: DynamoEmulator;
let sns: FauxqsServer;
let secrets: SecretsEmulator;
let pass: LambdaProcess;
let mute: LambdaProcess;
let panel: LambdaProcess;
let act: LambdaProcess;

beforeAll(async () => {
  worlds = { acme: createWorld(), globex: createWorld() };
  const others = new Map(Object.entries(KEYS).map(([name, key]) => [key, worlds[name as keyof typeof KEYS]]));
  [sandbox, dynamo, sns, secrets] = await Promise.all([
    startSandbox({ others }),
    startDynamo(),
    startSns(),
    startSecretsManager(),
  ]);
  const settings = parseSettings({
    projects: { production: { secretName: 'qonversion/production', apiUrl: sandbox.url } },
    fleet: {
      secretNamePrefix: 'customers/',
      apiUrl: sandbox.url,
      policies: [{ tag: 'careful', policy: { mode: 'observe' } }],
    },
  });
  const tag = { [PROJECT_TAG]: 'yes' };
  secrets.set('customers/acme', KEYS.acme, tag);
  secrets.set('customers/globex', KEYS.globex, { ...tag, [POLICY_TAG]: 'careful' });
  secrets.set('customers/revoked', 'sk_fake_of_nobody_at_all', tag);
  secrets.set('customers/empty', undefined, tag);
  secrets.set('customers/lost', KEYS.acme, { ...tag, [POLICY_TAG]: 'nowhere' });
  secrets.set('customers/untagged', KEYS.acme);
  secrets.set('qonversion/production', KEYS.acme);

  const { topicArn } = sns.createTopic('alerts');
  sns.createQueue('event');
  const attributes = { RawMessageDelivery: 'true', FilterPolicy: JSON.stringify({ kind: ['event'] }) };
  sns.subscribe({ topic: 'alerts', queue: 'event', attributes });
  const environment = {
    ...environmentOver({ dynamo, sns, secrets }, topicArn),
    ACT_FUNCTION_ARN: 'arn:aws:lambda:us-east-1:123456789012:function:act',
  };
  const folder = await mkdtemp(join(tmpdir(), 'fleet-'));
  writeCode(folder, settings);
  const start = (entry: FunctionName, more: Readonly<Record<string, string>> = {}) =>
    startLambda(join(folder, `${entry}.mjs`), { ...environment, ...more });
  pass = start('fleet-pass');
  mute = start('fleet-pass', { ALERTS_TOPIC_ARN: `${topicArn}-that-is-not-there` });
  panel = start('panel');
  act = start('panel-actions');
});

afterAll(async () => {
  await Promise.all([pass, mute, panel, act].map((each) => each?.stop()));
  await Promise.all([sandbox.close(), dynamo.stop(), sns.stop(), secrets.stop()]);
});

function createWorld(): World {
  const world = new World({ startAt: START });
  for (const id of ['good', 'broken']) world.add({ id, active: 1, eventsPerMinute: 10 });
  world.patch('broken', {
    delivery_error_count: 61,
    last_delivery_at: new Date(Date.parse(START) - 2 * 60 * 60_000).toISOString(),
    last_error_at: START,
  });
  return world;
}

interface Told {
  readonly type: string;
  readonly data: { readonly project: string; readonly reason: string };
}

const events = (project: string): readonly Told[] =>
  (sns.inspectQueue('event')?.messages.ready ?? [])
    .map(({ body }) => JSON.parse((JSON.parse(body) as { default: string }).default) as Told)
    .filter(({ data }) => data.project === project);

const typesOf = (project: string) => events(project).map(({ type }) => type);

describe('a pass over a project of the fleet', () => {
  it('pauses failing integrations with that project’s key, and alerts under its name', async () => {
    expect(await pass.invoke({ project: 'acme' })).toMatchObject({ project: 'acme', done: 1, failure: null });
    expect(worlds.acme.get('broken')?.active).toBe(0);
    expect(worlds.globex.get('broken')?.active).toBe(1);
    expect(typesOf('acme')).toEqual(['integration.paused']);
    expect(new Set(sandbox.requests.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${KEYS.acme}`]),
    );
  });

  it('applies the policy in the secret’s tag', async () => {
    expect(await pass.invoke({ project: 'globex' })).toMatchObject({ failure: null });
    expect(worlds.globex.get('broken')?.active).toBe(1);
    expect(typesOf('globex')).toEqual(['integration.would-pause']);
  });

  it('reads only the list and the ledger if all integrations deliver and the key is cached', async () => {
    const before = { requests: sandbox.requests.length, reads: secrets.reads(), looks: secrets.looks() };
    expect(await pass.invoke({ project: 'acme' })).toMatchObject({ done: 0, delivered: 0, failure: null });
    expect({ requests: sandbox.requests.length, reads: secrets.reads(), looks: secrets.looks() }).toEqual({
      ...before,
      requests: before.requests + 1,
    });
  });

  it.each([
    ['revoked', 'Qonversion refused the Secret Key (401)'],
    ['empty', "aws secretsmanager put-secret-value --secret-id 'customers/empty'"],
    ['lost', 'names a policy that fleet.policies does not have (it has: careful)'],
  ])('reports the problem of project %s once, without an error of the function', async (project, reason) => {
    for (const _ of ['first', 'second']) {
      expect(await pass.invoke({ project })).toMatchObject({ project, failure: expect.stringContaining(reason) });
    }
    expect(typesOf(project)).toEqual(['guard.failing']);
    expect(events(project)[0]?.data.reason).toContain(reason);
  });

  it('reports when it is fixed', async () => {
    secrets.set('customers/empty', KEYS.acme, { [PROJECT_TAG]: 'yes' });
    expect(await pass.invoke({ project: 'empty' })).toMatchObject({ failure: null });
    expect(typesOf('empty')).toEqual(expect.arrayContaining(['guard.failing', 'guard.recovered']));
  });

  it('is an error of the function if no one could be alerted', async () => {
    secrets.set('customers/silent', 'sk_fake_of_nobody_at_all', { [PROJECT_TAG]: 'yes' });
    await expect(mute.invoke({ project: 'silent' })).rejects.toMatchObject({
      name: 'PassUndeliveredError',
      message: expect.stringContaining('not every alert was delivered: Qonversion refused the Secret Key'),
    });
  });

  it.each([
    [null, 'takes {"project": NAME}'],
    [{}, 'takes {"project": NAME}'],
    [{ project: 'acme', apiUrl: 'https://evil.example' }, 'takes {"project": NAME}'],
    [{ project: 'acme', policy: { mode: 'observe' } }, 'takes {"project": NAME}'],
    [{ project: 'production' }, 'listed in the settings'],
    [{ project: 'untagged' }, 'with the tag integration-guard:project'],
    [{ project: '../qonversion/production' }, 'with the tag integration-guard:project'],
    [{ project: '__proto__' }, 'with the tag integration-guard:project'],
    [{ project: 'arn:aws:secretsmanager:us-east-1:1:secret:x' }, 'does not allow'],
  ])('refuses the input %j in one sentence, without a request to Qonversion', async (input, says) => {
    const before = sandbox.requests.length;
    await expect(pass.invoke(input)).rejects.toThrow(says);
    expect(sandbox.requests.length).toBe(before);
  });

  it('has metrics of all projects under one name, and each project’s name in the log', () => {
    const lines = pass
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const metrics = lines.filter((line) => '_aws' in line);
    expect(new Set(metrics.map(({ project }) => project))).toEqual(new Set(['(fleet)']));
    expect(metrics.some((line) => line.Stopped === 1 && line.fleetProject === 'acme')).toBe(true);
    expect(metrics.some((line) => line.PassesFailed === 1 && line.fleetProject === 'revoked')).toBe(true);
    expect(lines.some((line) => line.message === 'paused' && line.project === 'acme')).toBe(true);
  });
});

describe('the panel of the fleet', () => {
  const look = async (payload: unknown) => String(await panel.invoke(payload));
  const named = (fleetProject: string, more: Record<string, unknown> = {}) => ({
    fleet: true,
    widgetContext: { forms: { all: { fleetProject } } },
    ...more,
  });

  it('asks for a project, shows the named one, and keeps the field', async () => {
    const asks = await look({ fleet: true });
    expect(asks).toContain('<input name="fleetProject" value=""');
    expect(asks).not.toContain('role="table"');
    const page = await look(named(' acme '));
    expect(page).toContain('aria-label="Integrations of project acme"');
    expect(page).toContain('<input name="fleetProject" value="acme"');
  });

  it('shows the project in the field, even after another one', async () => {
    expect(await look(named('globex', { project: 'acme' }))).toContain('aria-label="Integrations of project globex"');
  });

  it('reports a project that does not exist, and why a project cannot be shown', async () => {
    const page = await look(named('nobody'));
    expect(page).toContain('no project &quot;nobody&quot;');
    expect(page).toContain('<input name="fleetProject" value="nobody"');
    expect(await look(named('lost'))).toContain('names a policy that fleet.policies does not have');
    expect(await look(named('a b'))).toContain('This widget takes');
    expect(await look({ fleet: true, action: 'pause', project: 'acme', id: 'good' })).toContain('This widget takes');
  });

  it('pauses and resumes in the buttons’ project, even with another one in the field', async () => {
    const press = (action: string) => act.invoke(named('globex', { project: 'acme', action, id: 'good' }));
    const page = String(await press('pause'));
    expect(page).toContain('good is paused');
    expect(page).toContain('<input name="fleetProject" value="acme"');
    expect(page).toContain(
      '{&quot;project&quot;:&quot;acme&quot;,&quot;fleet&quot;:true,&quot;action&quot;:&quot;resume&quot;',
    );
    expect(worlds.acme.get('good')?.active).toBe(0);
    expect(worlds.globex.get('good')?.active).toBe(1);
    expect(await press('resume')).toContain('good is active again');
    expect(await act.invoke({ project: 'nobody', action: 'run' })).toContain('no project');
  });

  it('shows listed projects as before', async () => {
    expect(await look({ project: 'production' })).toMatch(/aria-label="Integrations of project production"/);
    expect(await look({ project: 'production' })).not.toContain('fleetProject');
  });
});

it('leaves no key anywhere: log, alerts, ledger', async () => {
  const items = await dynamo.client.send(new ScanCommand({ TableName: LEDGER_TABLE }));
  const bodies = (sns.inspectQueue('event')?.messages.ready ?? []).map(({ body }) => body);
  const outputs = [pass, mute, panel, act].map((each) => each.output());
  const everything = [...outputs, ...bodies, JSON.stringify(items.Items)].join('\n');
  const secret = runKey().replace('sk_fake_', '');
  for (let at = 0; at + 8 <= secret.length; at += 1) expect(everything.includes(secret.slice(at, at + 8))).toBe(false);
});
