import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createFleetDirectory } from '../aws/fleet.ts';
import { UsageError } from '../guard/errors.ts';
import { commandLine } from '../guard/model/command-line.ts';
import type { Clock } from '../guard/ports.ts';
import type { PersonalData, Policy, ProjectSettings, Settings } from '../guard/settings/schema.ts';
import { secretIdOf } from '../guard/settings/types.ts';
import type { DeployedStack } from './stack.ts';

/** Which project a command is about. */
export interface SelectedProject {
  readonly name: string;
  readonly policy: Policy;
  readonly apiUrl: string;
  readonly personalData: PersonalData;
}

export interface DeployedProject extends SelectedProject {
  /** Name or ARN of its secret. */
  readonly secretId: string;
  /** Whether a secret's tag makes it a project, and not the settings. */
  readonly ofFleet: boolean;
}

/** @param wanted may be left out when there is one */
export function selectLocalProject(settings: Settings, wanted: string | undefined, file: string): SelectedProject {
  const elsewhere =
    settings.fleet === undefined ? '' : '; projects of its fleet are those of a deployed stack: name it with --stack';
  const { name, project } = selectListedProject(settings, wanted, file, elsewhere);
  const { policy, apiUrl, personalData } = project;
  return { name, policy, apiUrl, personalData };
}

/**
 * A listed project of a deployed stack, or one of its fleet.
 * @param wanted may be left out when there is one project and no fleet
 */
export async function selectDeployedProject(
  stack: Pick<DeployedStack, 'name' | 'settings'>,
  wanted: string | undefined,
  secrets: SecretsManagerClient,
  clock: Clock,
): Promise<DeployedProject> {
  const { settings } = stack;
  const { fleet, projects } = settings;
  const place = `stack ${stack.name}`;
  if (fleet === undefined || (wanted !== undefined && Object.hasOwn(projects, wanted))) {
    const { name, project } = selectListedProject(settings, wanted, place, '');
    const { policy, apiUrl, personalData } = project;
    return { name, policy, apiUrl, personalData, secretId: secretIdOf(project), ofFleet: false };
  }
  if (wanted === undefined)
    throw new UsageError(
      `${place} has a fleet; name a project with --project (${commandLine('projects', { project: null, stack: stack.name })} shows them)`,
    );
  const { policy, secretName } = await createFleetDirectory(secrets, { ...settings, fleet }, clock).find(wanted);
  const { apiUrl, personalData } = fleet;
  return { name: wanted, policy, apiUrl, personalData, secretId: secretName, ofFleet: true };
}

/** @param elsewhere where there are more projects, to end a sentence with */
function selectListedProject(
  { projects }: Settings,
  wanted: string | undefined,
  place: string,
  elsewhere: string,
): { readonly name: string; readonly project: ProjectSettings } {
  const names = Object.keys(projects);
  const lists = names.length === 0 ? 'lists no project' : `has: ${names.join(', ')}`;
  const name = wanted ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) {
    throw new UsageError(
      names.length === 0
        ? `${place} ${lists}${elsewhere}`
        : `${place} has several projects; name one with --project: ${names.join(', ')}${elsewhere}`,
    );
  }
  const project = Object.hasOwn(projects, name) ? projects[name] : undefined;
  if (project === undefined) throw new UsageError(`${place} has no project "${name}"; it ${lists}${elsewhere}`);
  return { name, project };
}
