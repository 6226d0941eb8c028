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
  // The client retries faults that may pass, but not refusals. Here no fault passes.
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
  if (settings.fleet === undefined) throw new Error('the settings have no fleet');
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

  it('is read again after a while, so that a changed tag takes effect', async () => {
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
    ['has a name that is not allowed for a secret', 'a b'],
    ['has a listed project’s name', 'listed'],
    ['has the former name of a listed project, which the ledger keeps', 'former'],
    ['has the secret of a listed project, given by name', 'by-name'],
    ['has the secret of a listed project, given by ARN', 'by-arn'],
    ['has the secret of a listed project, given by ARN with its suffix', 'by-whole-arn'],
  ])('does not exist if it %s', async (_why, name) => {
    await expect(createDirectory().find(name)).rejects.toBeInstanceOf(NoSuchProjectError);
  });

  it('does not exist if IAM denies access, as it does for secrets without the tag', async () => {
    emulator.fail('q/payroll', 'AccessDeniedException');
    await expect(createDirectory().find('payroll')).rejects.toMatchObject({
      name: 'NoSuchProjectError',
      message: expect.stringContaining('its secret would be "q/payroll", with the tag integration-guard:project'),
    });
    await expect(createDirectory().find('payroll')).rejects.toThrow('Secrets Manager denies access to it');
  });

  it('still exists if Secrets Manager fails, or if its tag names an unknown policy', async () => {
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
  it('are all found, page by page, each with its project or the reason why it has none', async () => {
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

  it('are the same that passes find', async () => {
    const directory = createDirectory();
    for (const { secretName, project, policy } of await listTaggedSecrets(client, createSettings())) {
      const found = await directory.find(secretName.replace(/^q\//, '')).catch((error: Error) => error.name);
      const expected =
        project === null ? 'NoSuchProjectError' : policy === null ? 'GuardError' : expect.objectContaining({ policy });
      expect(found, secretName).toEqual(expected);
    }
  });
});
