import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { App } from 'aws-cdk-lib';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sandbox, startSandbox } from '../../functions/sandbox/server.ts';
import { bundleFunctions } from '../../infra/bundle-functions.ts';
import { IntegrationGuardStack } from '../../infra/stack.ts';
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

/** The asset that CDK would upload, in a separate process, with real SDK clients against emulators on loopback. */

let sandbox: Sandbox;
let dynamo: DynamoEmulator;
let sns: FauxqsServer;
let secrets: SecretsEmulator;
let bundle: string;
let lambda: LambdaProcess;
let panel: LambdaProcess;
let act: LambdaProcess;

const ACT_FUNCTION_ARN = 'arn:aws:lambda:us-east-1:123456789012:function:act';

type Resources = Record<
  string,
  { readonly Type: string; readonly Properties: { Handler: string; Code: { S3Key: string } } }
>;

beforeAll(async () => {
  [sandbox, dynamo, sns, secrets] = await Promise.all([
    startSandbox(),
    startDynamo(),
    startSns(),
    startSecretsManager(),
  ]);
  sandbox.regenerateKey(runKey());
  for (const id of ['good-1', 'good-2', 'broken']) sandbox.production.add({ id, active: 1, eventsPerMinute: 10 });

  const settings = {
    dashboard: true,
    projects: {
      production: {
        secretName: 'qonversion/production',
        apiUrl: sandbox.url,
        // The guard uses the real clock here, and a test cannot wait for an hour.
        policy: { failingForMinutes: 0, recovery: { mode: 'manual' } },
      },
    },
    alerts: { subscriptions: [{ https: 'https://example.com/hooks/guard' }, { email: 'ops@example.com' }] },
  } as const;
  const app = new App({ outdir: await mkdtemp(join(tmpdir(), 'cdk-out-')) });
  new IntegrationGuardStack(app, 'IntegrationGuard', settings);
  const assembly = app.synth();
  const bundleOf = (name: string) => {
    const resources = Object.entries(assembly.getStackByName('IntegrationGuard').template.Resources as Resources);
    const [, found] = resources.find(([id, { Type }]) => Type === 'AWS::Lambda::Function' && id.startsWith(name)) ?? [];
    return join(
      assembly.directory,
      `asset.${found?.Properties.Code.S3Key.replace('.zip', '')}`,
      found?.Properties.Handler.replace('.handler', '.mjs') ?? '',
    );
  };
  bundle = bundleOf('GuardPass');

  const { topicArn } = sns.createTopic('alerts');
  for (const kind of ['event', 'digest']) {
    sns.createQueue(kind);
    sns.subscribe({
      topic: 'alerts',
      queue: kind,
      attributes: { RawMessageDelivery: 'true', FilterPolicy: JSON.stringify({ kind: [kind] }) },
    });
  }
  const environment = { ...environmentOver({ dynamo, sns, secrets }, topicArn), ACT_FUNCTION_ARN };
  lambda = startLambda(bundle, environment);
  panel = startLambda(bundleOf('GuardPanel'), environment);
  act = startLambda(bundleOf('GuardAct'), environment);
});

afterAll(async () => {
  await Promise.all([lambda?.stop(), panel?.stop(), act?.stop()]);
  await Promise.all([sandbox.close(), dynamo.stop(), sns.stop(), secrets.stop()]);
});

const messages = (queue: string) => (sns.inspectQueue(queue)?.messages.ready ?? []).map(({ body }) => body);
const events = () =>
  messages('event').map(
    (body) => JSON.parse((JSON.parse(body) as { default: string }).default) as { type: string; id: string },
  );
const pass = () => lambda.invoke({ project: 'production' });
const ledgerEntry = async (item: string) =>
  (await dynamo.client.send(new GetCommand({ TableName: LEDGER_TABLE, Key: { project: 'production', item } }))).Item;

/** Makes `broken` fail, relative to the real clock, which the guard uses here. */
function failSince(minutes: number): void {
  const lastDelivery = new Date(Date.now() - minutes * 60_000).toISOString();
  sandbox.production.patch('broken', {
    delivery_error_count: 61,
    last_delivery_at: lastDelivery,
    last_error_at: new Date().toISOString(),
    last_error_message: 'HTTP 401 Authorization: Bearer abc123def456',
  });
}

describe('the bundle that CDK creates', () => {
  it('contains code, a source map for each file, the settings, and nothing else', () => {
    const files = readdirSync(join(bundle, '..'));
    const code = files.filter((name) => name.endsWith('.mjs'));
    expect(files.sort()).toEqual([...code, ...code.map((name) => `${name}.map`), 'settings.json'].sort());
    expect(readFileSync(bundle, 'utf8')).toMatch(/^import \{ createRequire \}/);
    // The subscriptions' addresses stay out of the bundle.
    expect(readFileSync(join(bundle, '..', 'settings.json'), 'utf8')).not.toMatch(/example\.com/);
    expect(JSON.parse(readFileSync(`${bundle}.map`, 'utf8'))).not.toHaveProperty('sourcesContent');
  });

  it('has a budget for the code of a cold start, which fails the build', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'budget-'));
    expect(() => bundleFunctions(folder, 400_000)).toThrow(/^pass loads \d+ bytes at its start; the limit is 400000/);
  });

  it('loads the code for alerts only when there is an alert', () => {
    const eager = new Map<string, string>();
    const load = (file: string) => {
      if (eager.has(file)) return;
      const code = readFileSync(join(bundle, '..', file), 'utf8');
      eager.set(file, code);
      for (const [, chunk = ''] of code.matchAll(/\b(?:from|import)"\.\/([^"]+)"/g)) load(chunk);
    };
    load(basename(bundle));
    const code = [...eager.values()].join('\n');
    expect(eager.size).toBeGreaterThan(3);
    expect(code).not.toMatch(/PublishBatch|SendMessageBatch/);
    expect(code).toContain('import("./alerts-');
    // A guard without incident tools does not load the client of SQS with its alerts either.
    for (const start of [/^alerts-\w+\.mjs$/, /^alert-options-\w+\.mjs$/])
      load(readdirSync(join(bundle, '..')).find((file) => start.test(file)) ?? '');
    const withAlerts = [...eager.values()].join('\n');
    expect(withAlerts).toContain('import("./incident-queue-');
    expect(withAlerts).not.toContain('SendMessageBatch');
  });

  it('sends one alert that explains how to fill an empty secret, and fails the invocation', async () => {
    secrets.set('qonversion/production', undefined);
    await expect(pass()).rejects.toMatchObject({
      name: 'PassFailedError',
      message: expect.stringContaining('the secret "qonversion/production" is empty'),
    });
    await expect(pass()).rejects.toThrow('is empty');
    expect(events().map(({ type }) => type)).toEqual(['guard.failing']);
    expect(messages('digest')).toHaveLength(1);
    expect(messages('digest')[0]).toContain("aws secretsmanager put-secret-value --secret-id 'qonversion/production'");
  });

  it('runs once the secret is filled, and reports it', async () => {
    secrets.set('qonversion/production', runKey());
    expect(await pass()).toMatchObject({ project: 'production', decisions: 3, failed: 0 });
    expect(events().map(({ type }) => type)).toEqual(['guard.failing', 'guard.recovered']);
  });

  it('pauses the failing integration, alerts machines and people, and writes the ledger', async () => {
    failSince(20);
    expect(await pass()).toMatchObject({ done: 1, delivered: 1 });
    expect(sandbox.production.get('broken')?.active).toBe(0);
    expect(events().at(-1)).toMatchObject({ type: 'integration.paused' });
    expect(messages('digest').at(-1)).toContain(
      'npx integration-guard resume broken --project production --stack IntegrationGuard',
    );
    expect(await ledgerEntry('integration#broken')).toMatchObject({
      entry: { state: { name: 'open' }, attempt: null, outbox: [] },
    });
  });

  it('changes and publishes nothing the second time, with one list and the cached key', async () => {
    const before = { events: events().length, requests: sandbox.requests.length, reads: secrets.reads() };
    expect(await pass()).toMatchObject({ done: 0, delivered: 0 });
    expect({ events: events().length, requests: sandbox.requests.length, reads: secrets.reads() }).toEqual({
      ...before,
      requests: before.requests + 1,
    });
  });

  it('respects an operator who resumes it', async () => {
    sandbox.production.setStatus('broken', 1);
    await pass();
    await pass();
    expect(sandbox.production.get('broken')?.active).toBe(1);
    expect(events().at(-1)).toMatchObject({ type: 'integration.reactivated' });
  });

  it('draws the panel, with the buttons of the act function', async () => {
    const before = events().length;
    const page = String(await panel.invoke({ project: 'production', widgetContext: { theme: 'dark' } }));
    expect(page).toContain('Everything works: 3 delivering');
    expect(page).toContain('ig-dark');
    expect(page).toContain(`endpoint="${ACT_FUNCTION_ARN}" confirmation=`);
    expect(page).toContain('resumed');
    expect(await panel.invoke({ describe: true })).toMatch(/^## Integration Guard/);
    expect(events()).toHaveLength(before);
  });

  it.each([
    { project: 'production', action: 'pause', id: 'broken' },
    { project: 'production', action: 'run' },
    { project: 'other' },
    { project: 'production', apiUrl: 'https://evil.example' },
    null,
    'production',
  ])('explains the panel function’s input instead of %j, and does nothing', async (input) => {
    const before = sandbox.requests.length;
    expect(await panel.invoke(input)).toContain('This widget takes {&quot;project&quot;: NAME}');
    expect(sandbox.requests.length).toBe(before);
  });

  it('pauses and resumes when a person presses a button, and shows the new state', async () => {
    const pressed = (action: string) => act.invoke({ project: 'production', action, id: 'good-2' });
    const paused = String(await pressed('pause'));
    expect(paused).toContain('good-2 is paused. The guard will not resume it.');
    expect(paused).toContain('paused by an operator');
    expect(sandbox.production.get('good-2')?.active).toBe(0);
    await pass();
    expect(sandbox.production.get('good-2')?.active).toBe(0);
    expect(await pressed('resume')).toContain('good-2 is active again');
    expect(sandbox.production.get('good-2')?.active).toBe(1);
    expect(await ledgerEntry('integration#good-2')).toMatchObject({ entry: { attempt: null, outbox: [] } });
  });

  it('runs a pass when a person presses that button, with its figures in the log', async () => {
    expect(await act.invoke({ project: 'production', action: 'run' })).toContain('The pass is done: nothing changed');
    expect(act.output()).toMatch(/"message":"pass done".*"apiRequests":1/);
  });

  it('reads a regenerated key without a new deployment', async () => {
    const rotated = `${runKey()}00`;
    sandbox.regenerateKey(rotated);
    secrets.set('qonversion/production', rotated);
    expect(await pass()).toMatchObject({ failed: 0 });
  });

  it.each([
    null,
    {},
    'production',
    { project: 'other' },
    { project: '__proto__' },
    { project: 'production', apiUrl: 'https://evil.example' },
    { project: 'production', policy: { errorThreshold: 1 } },
    { project: 'production', secretName: 'another' },
  ])('refuses the input %j in one sentence and changes nothing', async (input) => {
    const before = sandbox.requests.length;
    await expect(lambda.invoke(input)).rejects.toThrow(
      'this function takes {"project": NAME} and nothing else, with NAME one of: production',
    );
    expect(sandbox.requests.length).toBe(before);
  });

  it('stops in time: with little time left it starts nothing, and reports it', async () => {
    sandbox.production.patch('good-1', { delivery_error_count: 500, last_delivery_at: '2026-01-01T00:00:00Z' });
    expect(await lambda.invoke({ project: 'production' }, 15_000)).toMatchObject({ done: 0 });
    expect(sandbox.production.get('good-1')?.active).toBe(1);
  });

  it('writes structured logs and EMF metrics', () => {
    const lines = lambda
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const metrics = lines.filter((line) => '_aws' in line);
    expect(metrics.at(-1)).toMatchObject({ service: 'integration-guard', project: 'production', Stopped: 1 });
    const ends = lines.filter((line) => line.message === 'pass done' && line.project === 'production');
    expect(ends.at(-1)).toMatchObject({ ok: true, notStarted: 1, active: 3, paused: 0, apiRequests: 2 });
    expect(ends.some((line) => line.trips === 1 && line.stopped === 1)).toBe(true);
    expect(metrics).not.toHaveLength(0);
    expect(lines.some((line) => line.message === 'paused' && line.id === 'broken')).toBe(true);
  });

  it('leaves no key and no credential of a provider anywhere: log, alerts, ledger', async () => {
    const items = await dynamo.client.send(new ScanCommand({ TableName: LEDGER_TABLE }));
    const outputs = [lambda, panel, act].map((each) => each.output());
    const everything = [...outputs, ...messages('event'), ...messages('digest'), JSON.stringify(items.Items)].join(
      '\n',
    );
    const secret = runKey().replace('sk_fake_', '');
    for (let at = 0; at + 8 <= secret.length; at += 1)
      expect(everything.includes(secret.slice(at, at + 8))).toBe(false);
    expect(everything).not.toContain('abc123def456');
    expect(everything).toContain('[redacted]');
  });
});
