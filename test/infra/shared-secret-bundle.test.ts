import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { type Sandbox, startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
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

/** The deployed function, in a separate process, for two projects that share a secret. */

const KEYS = { ios: `${runKey()}ios`, android: `${runKey()}android` };

let sandbox: Sandbox;
let dynamo: DynamoEmulator;
let sns: FauxqsServer;
let secrets: SecretsEmulator;
let pass: LambdaProcess;

beforeAll(async () => {
  const others = new Map(Object.values(KEYS).map((key) => [key, createWorld()]));
  [sandbox, dynamo, sns, secrets] = await Promise.all([
    startSandbox({ others }),
    startDynamo(),
    startSns(),
    startSecretsManager(),
  ]);
  const project = (secretField: string) => ({ secretName: 'q/keys', secretField, apiUrl: sandbox.url });
  const settings = parseSettings({ projects: { ios: project('ios'), android: project('android') } });
  const { topicArn } = sns.createTopic('alerts');
  sns.createQueue('all');
  sns.subscribe({ topic: 'alerts', queue: 'all', attributes: { RawMessageDelivery: 'true' } });
  const folder = await mkdtemp(join(tmpdir(), 'shared-secret-'));
  writeCode(folder, settings);
  pass = startLambda(join(folder, 'pass.mjs'), environmentOver({ dynamo, sns, secrets }, topicArn));
});

afterAll(async () => {
  await pass?.stop();
  await Promise.all([sandbox.close(), dynamo.stop(), sns.stop(), secrets.stop()]);
});

function createWorld(): World {
  const world = new World({ startAt: new Date().toISOString() });
  world.add({ id: 'good', active: 1, eventsPerMinute: 10 });
  return world;
}

const alerts = () => (sns.inspectQueue('all')?.messages.ready ?? []).map(({ body }) => body);

const NEXT_STEP = 'store the Secret Key with the command FillSecretOf… for this project in the outputs of the stack';

describe('two projects that share a secret', () => {
  it('get one alert each while the secret is empty, with the next step', async () => {
    secrets.set('q/keys', undefined);
    for (const project of ['ios', 'android'])
      await expect(pass.invoke({ project })).rejects.toThrow(`the secret "q/keys" is empty; ${NEXT_STEP}`);
    expect(alerts().filter((body) => body.includes('is empty; store the Secret Key'))).not.toEqual([]);
  });

  it('depend only on their own fields', async () => {
    secrets.set('q/keys', JSON.stringify({ ios: KEYS.ios }));
    expect(await pass.invoke({ project: 'ios' })).toMatchObject({ project: 'ios', failed: 0 });
    await expect(pass.invoke({ project: 'android' })).rejects.toThrow('the secret "q/keys" has no field "android"');
  });

  it('each send their own key, and no other', async () => {
    secrets.set('q/keys', JSON.stringify(KEYS));
    for (const [project, key] of Object.entries(KEYS)) {
      const before = sandbox.requests.length;
      expect(await pass.invoke({ project })).toMatchObject({ project, failed: 0 });
      const sent = sandbox.requests.slice(before).map(({ authorization }) => authorization);
      expect(new Set(sent)).toEqual(new Set([`Bearer ${key}`]));
    }
  });

  it('leave no part of any key in logs, alerts and the ledger, even if the JSON breaks', async () => {
    secrets.set('q/keys', `{"ios":"${KEYS.ios}","android":"${KEYS.android}`);
    // After a refusal, the pass reads the secret again.
    sandbox.faults.add({ fault: { kind: 'status', status: 401 }, times: 1 });
    await expect(pass.invoke({ project: 'ios' })).rejects.toThrow('the secret "q/keys" is not a JSON object');
    const { Items } = await dynamo.client.send(new ScanCommand({ TableName: LEDGER_TABLE }));
    const everything = [pass.output(), ...alerts(), JSON.stringify(Items)].join('\n');
    const secret = runKey().replace('sk_fake_', '');
    for (let at = 0; at + 8 <= secret.length; at += 1)
      expect(everything.includes(secret.slice(at, at + 8))).toBe(false);
  });
});
