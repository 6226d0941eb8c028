import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createFleetDirectory } from '../aws/fleet.ts';
import { UsageError } from '../guard/errors.ts';
import { commandLine } from '../guard/model/command-line.ts';
import type { Clock } from '../guard/ports.ts';
import type { PersonalData, Policy, ProjectSettings, Settings } from '../guard/settings/schema.ts';
import { type SecretPlace, secretPlaceOf } from '../guard/settings/types.ts';
import type { DeployedStack } from './stack.ts';

/** The project of a command. */
export interface SelectedProject {
  readonly name: string;
  readonly policy: Policy;
  readonly apiUrl: string;
  readonly personalData: PersonalData;
}

export interface DeployedProject extends SelectedProject {
  readonly secret: SecretPlace;
  /** Whether it is one of the fleet's projects, not one that the settings list. */
  readonly ofFleet: boolean;
}

/** @param wanted the project's name; optional when there is only one */
export function selectLocalProject(settings: Settings, wanted: string | undefined, file: string): SelectedProject {
  const elsewhere =
    settings.fleet === undefined ? '' : "; the fleet's projects need a deployed stack: name it with --stack";
  const { name, project } = selectListedProject(settings, wanted, file, elsewhere);
  const { policy, apiUrl, personalData } = project;
  return { name, policy, apiUrl, personalData };
}

/**
 * Selects a listed project of a deployed stack, or one of its fleet.
 * @param wanted the project's name; optional when there is only one project and no fleet
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
    return { name, policy, apiUrl, personalData, secret: secretPlaceOf(project), ofFleet: false };
  }
  if (wanted === undefined)
    throw new UsageError(
      `${place} has a fleet; name a project with --project (${commandLine('projects', { project: null, stack: stack.name })} shows them)`,
    );
  const { policy, secretName } = await createFleetDirectory(secrets, { ...settings, fleet }, clock).find(wanted);
  const { apiUrl, personalData } = fleet;
  return { name: wanted, policy, apiUrl, personalData, secret: { id: secretName, field: null }, ofFleet: true };
}

/** @param elsewhere the end of a message: where to find more projects */
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
