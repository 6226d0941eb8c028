import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSecretKeySource, KEY_LIFETIME_MS } from '../../functions/aws/secret.ts';
import { SecretUnusableError } from '../../functions/guard/errors.ts';
import { CREDENTIALS, type SecretsEmulator, startSecretsManager } from '../support/aws-emulators.ts';
import { NOON } from '../support/builders.ts';
import { createTestClock } from '../support/memory-ports.ts';

let emulator: SecretsEmulator;
let client: SecretsManagerClient;
const clock = createTestClock();

const place = (id: string, field: string | null = null) => ({ id, field });

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
    const source = createSecretKeySource(client, place('a'), clock);
    const before = emulator.reads();
    await source.get();
    clock.advance(14);
    expect((await source.get()).reveal()).toBe('sk_fake_0123456789');
    expect(emulator.reads() - before).toBe(1);
  });

  it('is read again after a while, so that a rotation is picked up', async () => {
    emulator.set('b', 'sk_fake_0123456789');
    const source = createSecretKeySource(client, place('b'), clock);
    await source.get();
    emulator.set('b', 'sk_fake_rotated_key');
    clock.advance(KEY_LIFETIME_MS / 60_000);
    expect((await source.get()).reveal()).toBe('sk_fake_rotated_key');
  });

  it('is read again on request, as after a 401', async () => {
    emulator.set('c', 'sk_fake_0123456789');
    const source = createSecretKeySource(client, place('c'), clock);
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
    const source = createSecretKeySource(client, place(name), clock);
    await expect(source.get()).rejects.toThrow(
      `the secret "${name}" is empty; fill it with: (read -rs key && printf %s "$key" | aws secretsmanager put-secret-value --secret-id '${name}' --secret-string file:///dev/stdin)`,
    );
  });

  it('is read again after a failure: once an empty secret is filled, the next pass works', async () => {
    emulator.set('d', undefined);
    const source = createSecretKeySource(client, place('d'), clock);
    await expect(source.get()).rejects.toThrow();
    emulator.set('d', 'sk_fake_0123456789');
    await expect(source.get()).resolves.toBeDefined();
  });
});

describe('a secret that projects share', () => {
  const KEYS = { ios: 'sk_fake_key_of_ios_1', android: 'sk_fake_key_of_android_2' };

  const refusalOf = async (value: string | undefined, field = 'ios') => {
    emulator.set('q/shared', value);
    const error: unknown = await createSecretKeySource(client, place('q/shared', field), clock)
      .get()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SecretUnusableError);
    return (error as Error).message;
  };

  it('gives each project its own key', async () => {
    emulator.set('q/shared', JSON.stringify({ ...KEYS, note: 'not a key', nested: { ios: 'x' } }));
    for (const [field, key] of Object.entries(KEYS)) {
      const source = createSecretKeySource(client, place('q/shared', field), clock);
      expect((await source.get()).reveal()).toBe(key);
    }
  });

  it.each([
    ['no value', undefined, 'the secret "q/shared" is empty'],
    ['a key in place of an object', KEYS.android, 'the secret "q/shared" is not a JSON object'],
    ['a list', JSON.stringify([KEYS.android]), 'the secret "q/shared" is not a JSON object'],
    ['broken JSON', `{"android":"${KEYS.android}","ios":"sk_fake_`, 'the secret "q/shared" is not a JSON object'],
    ['no such field', JSON.stringify({ android: KEYS.android }), 'the secret "q/shared" has no field "ios"'],
    ['an empty field', JSON.stringify({ ...KEYS, ios: ' ' }), 'the field "ios" of the secret "q/shared" is empty'],
    ['a number', JSON.stringify({ ...KEYS, ios: 5 }), 'the field "ios" of the secret "q/shared" holds a placeholder'],
    [
      'the object of another project',
      JSON.stringify({ ios: JSON.stringify({ key: KEYS.android }) }),
      'the field "ios" of the secret "q/shared" holds',
    ],
  ])('with %s gets one sentence with the next step and no value', async (_what, value, problem) => {
    const message = await refusalOf(value);
    expect(message.startsWith(problem)).toBe(true);
    expect(message).toMatch(
      /; store the Secret Key with the command FillSecretOf… for this project in the outputs of the stack$/,
    );
    expect(message).not.toMatch(/sk_fake|key_of|\n/);
  });

  it('has no field with the name of an inherited property', async () => {
    expect(await refusalOf('{}', 'constructor')).toContain('has no field "constructor"');
  });
});
