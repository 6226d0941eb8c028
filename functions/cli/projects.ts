import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { listTaggedSecrets, type TaggedSecret } from '../aws/tagged-secrets.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { secretPlaceOf } from '../guard/settings/types.ts';
import { readSettingsFile } from '../local/settings-file.ts';
import type { CliEnvironment } from './open-project.ts';
import { findStack } from './stack.ts';

/** A project as `integration-guard projects` shows it. */
export interface KnownProject extends TaggedSecret {
  readonly ofFleet: boolean;
  /** The field of the secret that holds the key; null: the secret holds this key only. */
  readonly secretField: string | null;
}

export interface ProjectList {
  readonly projects: readonly KnownProject[];
  /** Whether the list includes the fleet's projects. Only a deployed stack's secrets are read. */
  readonly fleet: 'none' | 'looked at' | 'not looked at';
}

/** Every project in the settings. For a deployed stack also its fleet's projects, and tagged secrets that are not projects. */
export async function listProjects(
  environment: CliEnvironment,
  options: { readonly stack?: string },
): Promise<ProjectList> {
  const stackName = options.stack ?? environment.stack;
  const settings =
    stackName === undefined ? readSettingsFile(environment.settingsFile) : (await findStack(stackName)).settings;
  const { fleet } = settings;
  if (fleet === undefined) return { projects: listed(settings), fleet: 'none' };
  if (stackName === undefined) return { projects: listed(settings), fleet: 'not looked at' };
  const secrets = await listTaggedSecrets(new SecretsManagerClient(), { ...settings, fleet });
  const projects = [...listed(settings), ...secrets.map((secret) => ({ ...secret, ofFleet: true, secretField: null }))];
  return { projects, fleet: 'looked at' };
}

function listed({ projects }: Settings): readonly KnownProject[] {
  return Object.entries(projects).map(([project, settings]) => {
    const { id: secretName, field: secretField } = secretPlaceOf(settings);
    return { secretName, secretField, project, policy: settings.policy, because: 'listed', ofFleet: false };
  });
}
