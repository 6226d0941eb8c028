import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSecretKeySource, KEY_LIFETIME_MS } from '../../functions/aws/secret.ts';
import { CREDENTIALS, type SecretsEmulator, startSecretsManager } from '../support/aws-emulators.ts';
import { NOON } from '../support/builders.ts';
import { createTestClock } from '../support/memory-ports.ts';

let emulator: SecretsEmulator;
let client: SecretsManagerClient;
const clock = createTestClock();

beforeAll(async () => {
  emulator = await startSecretsManager();
  client = new SecretsManagerClient({ ...CREDENTIALS, endpoint: emulator.endpoint });
});

afterAll(async () => {
  client.destroy();
  await emulator.stop();
});

beforeEach(() => clock.set(NOON));

describe('law 4: the Secret Key from Secrets Manager', () => {
  it('is read once per warm environment', async () => {
    emulator.set('a', 'sk_fake_0123456789');
    const source = createSecretKeySource(client, 'a', clock);
    const before = emulator.reads();
    await source.get();
    clock.advance(14);
    expect((await source.get()).reveal()).toBe('sk_fake_0123456789');
    expect(emulator.reads() - before).toBe(1);
  });

  it('is read again after a while, so that a rotation is picked up', async () => {
    emulator.set('b', 'sk_fake_0123456789');
    const source = createSecretKeySource(client, 'b', clock);
    await source.get();
    emulator.set('b', 'sk_fake_rotated_key');
    clock.advance(KEY_LIFETIME_MS / 60_000);
    expect((await source.get()).reveal()).toBe('sk_fake_rotated_key');
  });

  it('is read again on request, as after a 401', async () => {
    emulator.set('c', 'sk_fake_0123456789');
    const source = createSecretKeySource(client, 'c', clock);
    await source.get();
    emulator.set('c', 'sk_fake_rotated_key');
    expect((await source.renew()).reveal()).toBe('sk_fake_rotated_key');
    expect((await source.get()).reveal()).toBe('sk_fake_rotated_key');
  });

  it.each([
    ['not there', undefined],
    ['without a value', 'empty'],
  ])('explains how to fill a secret that is %s', async (_name, kind) => {
    const name = kind === undefined ? 'qonversion/nowhere' : 'qonversion/empty';
    if (kind !== undefined) emulator.set(name, undefined);
    const source = createSecretKeySource(client, name, clock);
    await expect(source.get()).rejects.toThrow(
      `the secret "${name}" is empty; fill it with: (read -rs key && printf %s "$key" | aws secretsmanager put-secret-value --secret-id '${name}' --secret-string file:///dev/stdin)`,
    );
  });

  it('is read again after a failure: once an empty secret is filled, the next pass works', async () => {
    emulator.set('d', undefined);
    const source = createSecretKeySource(client, 'd', clock);
    await expect(source.get()).rejects.toThrow();
    emulator.set('d', 'sk_fake_0123456789');
    await expect(source.get()).resolves.toBeDefined();
  });
});
