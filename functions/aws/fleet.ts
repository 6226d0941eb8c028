import {
  DescribeSecretCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
  type Tag,
} from '@aws-sdk/client-secrets-manager';
import { describeError, GuardError, SecretUnreadableError } from '../guard/errors.ts';
import type { Clock } from '../guard/ports.ts';
import { type ChosenPolicy, choosePolicy, PROJECT_TAG, secretNameOf, type Tags } from '../guard/settings/fleet.ts';
import type { FleetSettings, Settings } from '../guard/settings/schema.ts';
import { secretIdOf } from '../guard/settings/types.ts';
import { KEY_LIFETIME_MS } from './secret.ts';

/** Finds projects of the fleet by the tags of their secrets. */

/** There is no such project: nobody tagged a secret of that name, or somebody took the tag off. */
export class NoSuchProjectError extends GuardError {
  override readonly name = 'NoSuchProjectError';
}

export interface FleetProject extends ChosenPolicy {
  /** Name of its secret. */
  readonly secretName: string;
}

export interface FleetDirectory {
  /**
   * Looks a project up by its secret's tags, once in KEY_LIFETIME_MS.
   * @throws NoSuchProjectError; SecretUnreadableError when the secret cannot be looked at; GuardError when its policy is unknown
   */
  find(project: string): Promise<FleetProject>;
}

export function createFleetDirectory(
  client: SecretsManagerClient,
  { fleet, projects }: Settings & { readonly fleet: FleetSettings },
  clock: Clock,
): FleetDirectory {
  const listed = new Set(Object.values(projects).map(secretIdOf));
  const found = new Map<string, { readonly tags: Tags; readonly at: number }>();

  /** IAM lets the guard look at secrets with the tag only, and tells of all others no more than that it may not. */
  const lookAt = async (secretName: string, missing: (detail?: string) => Error): Promise<Tags> => {
    try {
      const { ARN = '', Tags } = await client.send(new DescribeSecretCommand({ SecretId: secretName }));
      if (isListed(listed, secretName, ARN)) throw missing();
      return tagsOf(Tags);
    } catch (error) {
      if (error instanceof GuardError) throw error;
      if (error instanceof ResourceNotFoundException) throw missing();
      if (isDenied(error)) throw missing(' (Secrets Manager refuses to show it)');
      throw new SecretUnreadableError(`the secret "${secretName}" cannot be looked at (${describeError(error)})`, {
        cause: error,
      });
    }
  };

  return {
    async find(project) {
      const secretName = secretNameOf(fleet, project);
      const missing = (detail = '') =>
        new NoSuchProjectError(
          `no project "${project}": its secret would be ${
            secretName === null
              ? 'of a name that Secrets Manager does not take'
              : `"${secretName}", with the tag ${PROJECT_TAG}`
          }, and not the secret of a listed project${detail}`,
        );
      if (secretName === null || isTaken(projects, project)) throw missing();
      const now = clock.now().getTime();
      const known = found.get(project);
      const tags =
        known !== undefined && now - known.at < KEY_LIFETIME_MS ? known.tags : await lookAt(secretName, missing);
      if (!tags.has(PROJECT_TAG)) throw missing();
      if (tags !== known?.tags) found.set(project, { tags, at: now });
      return { secretName, ...choosePolicy(fleet, project, tags) };
    },
  };
}

/** Whether a listed project has the name, or had it: the ledger goes on under the first. */
export function isTaken(projects: Settings['projects'], name: string): boolean {
  return Object.hasOwn(projects, name) || Object.values(projects).some(({ renamedFrom }) => renamedFrom === name);
}

/** A listed project's secret would be guarded twice, by two ledgers. It may be listed by its name, or its ARN with or without suffix. */
export function isListed(listed: ReadonlySet<string>, secretName: string, arn: string): boolean {
  return [secretName, arn, arn.replace(/-[A-Za-z0-9]{6}$/, '')].some((id) => listed.has(id));
}

export function tagsOf(tags: readonly Tag[] | undefined): Tags {
  return new Map(tags?.map(({ Key = '', Value = '' }) => [Key, Value]));
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && error.name === 'AccessDeniedException';
}
