import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createFleetDirectory, NoSuchProjectError } from '../../functions/aws/fleet.ts';
import { KEY_LIFETIME_MS } from '../../functions/aws/secret.ts';
import { listTaggedSecrets } from '../../functions/aws/tagged-secrets.ts';
import { SecretUnusableError } from '../../functions/guard/errors.ts';
import { POLICY_TAG, PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { CREDENTIALS, type SecretsEmulator, startSecretsManager } from '../support/aws-emulators.ts';
import { NOON } from '../support/builders.ts';
import { createTestClock } from '../support/memory-ports.ts';

let emulator: SecretsEmulator;
let client: SecretsManagerClient;
const clock = createTestClock();

beforeAll(async () => {
  emulator = await startSecretsManager();
  // What is refused for good is not retried; what may pass is, and here it does not.
  client = new SecretsManagerClient({ ...CREDENTIALS, endpoint: emulator.endpoint, maxAttempts: 1 });
});

afterAll(async () => {
  client.destroy();
  await emulator.stop();
});

beforeEach(() => {
  clock.set(NOON);
  emulator.set('q/acme', 'sk_fake_0123456789', { [PROJECT_TAG]: 'whatever', team: 'x' });
  emulator.set('q/gentle', 'sk_fake_0123456789', { [PROJECT_TAG]: '', [POLICY_TAG]: 'gentle' });
  emulator.set('q/lost', 'sk_fake_0123456789', { [PROJECT_TAG]: '', [POLICY_TAG]: 'nowhere' });
  emulator.set('q/untagged', 'sk_fake_0123456789', { [`${PROJECT_TAG}-not`]: '' });
  for (const name of ['q/by-name', 'q/by-arn', 'q/by-whole-arn', 'q/listed', 'q/former']) {
    emulator.set(name, 'sk_fake_0123456789', { [PROJECT_TAG]: '' });
  }
});

const arn = (name: string) => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}`;

function createSettings() {
  const settings = parseSettings({
    projects: {
      listed: { secretName: 'elsewhere' },
      renamed: { secretName: 'elsewhere-too', renamedFrom: 'former' },
      one: { secretName: 'q/by-name' },
      two: { secretArn: arn('q/by-arn') },
      three: { secretArn: arn('q/by-whole-arn-AbCdEf') },
    },
    fleet: { secretNamePrefix: 'q/', policies: [{ tag: 'gentle', policy: { errorThreshold: 500 } }] },
  });
  if (settings.fleet === undefined) throw new Error('there is a fleet');
  return { ...settings, fleet: settings.fleet };
}

const createDirectory = () => createFleetDirectory(client, createSettings(), clock);

describe('a project of the fleet', () => {
  it('is found by the tag of its secret, with its policy', async () => {
    const directory = createDirectory();
    expect(await directory.find('acme')).toMatchObject({ secretName: 'q/acme', because: 'default' });
    expect(await directory.find('gentle')).toMatchObject({
      secretName: 'q/gentle',
      because: 'tag gentle',
      policy: { errorThreshold: 500 },
    });
  });

  it('is looked up once in a while, so that a tag that was changed is heeded', async () => {
    const directory = createDirectory();
    const before = emulator.looks();
    await directory.find('acme');
    clock.advance(14);
    await directory.find('acme');
    expect(emulator.looks() - before).toBe(1);
    emulator.set('q/acme', 'sk_fake_0123456789', { [PROJECT_TAG]: '', [POLICY_TAG]: 'gentle' });
    clock.advance(KEY_LIFETIME_MS / 60_000);
    expect(await directory.find('acme')).toMatchObject({ because: 'tag gentle' });
  });

  it.each([
    ['has no secret', 'nobody'],
    ['has a secret without the tag', 'untagged'],
    ['has a name that no secret can have', 'a b'],
    ['has a listed project’s name', 'listed'],
    ['has the name that a listed project had: the ledger goes on under it', 'former'],
    ['has the secret of a project that is listed by its secret’s name', 'by-name'],
    ['has the secret of a project that is listed by its secret’s ARN', 'by-arn'],
    ['has the secret of a project that is listed by the ARN with its suffix', 'by-whole-arn'],
  ])('is none when it %s', async (_why, name) => {
    await expect(createDirectory().find(name)).rejects.toBeInstanceOf(NoSuchProjectError);
  });

  it('is none when IAM does not let the guard look, which is how it keeps secrets without the tag apart', async () => {
    emulator.fail('q/payroll', 'AccessDeniedException');
    await expect(createDirectory().find('payroll')).rejects.toMatchObject({
      name: 'NoSuchProjectError',
      message: expect.stringContaining('its secret would be "q/payroll", with the tag integration-guard:project'),
    });
    await expect(createDirectory().find('payroll')).rejects.toThrow('Secrets Manager refuses to show it');
  });

  it('is one still when Secrets Manager has trouble, or when its tag names no policy', async () => {
    emulator.fail('q/acme', 'InternalServiceError');
    await expect(createDirectory().find('acme')).rejects.toBeInstanceOf(SecretUnusableError);
    emulator.fail('q/acme', null);
    await expect(createDirectory().find('lost')).rejects.toMatchObject({
      name: 'GuardError',
      message: expect.stringContaining('fleet.policies does not have'),
    });
  });
});

describe('the tagged secrets', () => {
  it('are all found, page by page, with what each is or why it is none', async () => {
    emulator.set('payroll', 'x', { [PROJECT_TAG]: '' });
    const secrets = await listTaggedSecrets(client, createSettings());
    const LISTED = 'it is the secret of a project that is listed';
    expect(
      secrets.map(({ secretName, project, policy, because }) => [secretName, project, policy?.errorThreshold, because]),
    ).toEqual([
      ['payroll', null, undefined, 'its name does not begin with "q/"'],
      ['q/acme', 'acme', 50, 'default'],
      ['q/by-arn', null, undefined, LISTED],
      ['q/by-name', null, undefined, LISTED],
      ['q/by-whole-arn', null, undefined, LISTED],
      ['q/former', null, undefined, 'a project "former" is listed in the settings, or was before it was renamed'],
      ['q/gentle', 'gentle', 500, 'tag gentle'],
      ['q/listed', null, undefined, 'a project "listed" is listed in the settings, or was before it was renamed'],
      ['q/lost', 'lost', undefined, expect.stringContaining('names a policy that fleet.policies does not have')],
    ]);
  });

  it('are those that passes find, and no others', async () => {
    const directory = createDirectory();
    for (const { secretName, project, policy } of await listTaggedSecrets(client, createSettings())) {
      const found = await directory.find(secretName.replace(/^q\//, '')).catch((error: Error) => error.name);
      const expected =
        project === null ? 'NoSuchProjectError' : policy === null ? 'GuardError' : expect.objectContaining({ policy });
      expect(found, secretName).toEqual(expected);
    }
  });
});
