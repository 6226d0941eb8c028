import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { selectDeployedProject } from '../../functions/cli/select-project.ts';
import { PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { CREDENTIALS, type SecretsEmulator, startSecretsManager } from '../support/aws-emulators.ts';
import { createTestClock } from '../support/memory-ports.ts';

/** The project of a command for a deployed stack. */

const LISTED = { production: { secretName: 'listed/production', apiUrl: 'https://one.example/v4' } };
const FLEET = { secretNamePrefix: 'q/', apiUrl: 'https://many.example/v4', policy: { errorThreshold: 70 } };

let emulator: SecretsEmulator;
let client: SecretsManagerClient;

beforeAll(async () => {
  emulator = await startSecretsManager();
  client = new SecretsManagerClient({ ...CREDENTIALS, endpoint: emulator.endpoint });
  for (const name of ['q/acme', 'q/production']) emulator.set(name, 'sk_fake_0123456789', { [PROJECT_TAG]: '' });
  emulator.set('q/untagged', 'sk_fake_0123456789');
});

afterAll(async () => {
  client.destroy();
  await emulator.stop();
});

const choose = (settings: object, wanted?: string) =>
  selectDeployedProject({ name: 'Guard', settings: parseSettings(settings) }, wanted, client, createTestClock());

it('is one of the fleet, found through its secret', async () => {
  expect(await choose({ fleet: FLEET }, 'acme')).toMatchObject({
    name: 'acme',
    secret: { id: 'q/acme', field: null },
    apiUrl: 'https://many.example/v4',
    policy: { errorThreshold: 70 },
    ofFleet: true,
  });
});

it('is the listed one if a secret of the fleet has the same name', async () => {
  expect(await choose({ projects: LISTED, fleet: FLEET }, 'production')).toMatchObject({
    secret: { id: 'listed/production', field: null },
    apiUrl: 'https://one.example/v4',
    policy: { errorThreshold: 50 },
    ofFleet: false,
  });
});

it('is the only one by default, unless there is a fleet', async () => {
  expect(await choose({ projects: LISTED })).toMatchObject({ name: 'production', ofFleet: false });
  for (const settings of [{ fleet: FLEET }, { projects: LISTED, fleet: FLEET }]) {
    await expect(choose(settings)).rejects.toThrow(
      'stack Guard has a fleet; name a project with --project (npx integration-guard projects --stack Guard shows them)',
    );
  }
});

it.each(['untagged', 'nobody'])('must exist in the fleet: %s', async (name) => {
  await expect(choose({ fleet: FLEET }, name)).rejects.toMatchObject({
    name: 'NoSuchProjectError',
    message: expect.stringContaining(`its secret would be "q/${name}", with the tag ${PROJECT_TAG}`),
  });
  await expect(choose({ projects: LISTED }, name)).rejects.toThrow(`no project "${name}"; it has: production`);
});
