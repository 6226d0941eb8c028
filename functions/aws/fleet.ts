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

/** The project does not exist: no secret of that name has the tag, or the tag was removed. */
export class NoSuchProjectError extends GuardError {
  override readonly name = 'NoSuchProjectError';
}

export interface FleetProject extends ChosenPolicy {
  /** Name of the project's secret. */
  readonly secretName: string;
}

export interface FleetDirectory {
  /**
   * Reads the tags of a project's secret, once in KEY_LIFETIME_MS.
   * @throws NoSuchProjectError
   * @throws SecretUnreadableError if the secret cannot be read
   * @throws GuardError if the project's policy is unknown
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

  /** IAM lets the guard describe tagged secrets only. Of any other secret AWS reports nothing but "access denied". */
  const readTags = async (secretName: string, missing: (detail?: string) => Error): Promise<Tags> => {
    try {
      const { ARN = '', Tags } = await client.send(new DescribeSecretCommand({ SecretId: secretName }));
      if (isListed(listed, secretName, ARN)) throw missing();
      return tagsOf(Tags);
    } catch (error) {
      if (error instanceof GuardError) throw error;
      if (error instanceof ResourceNotFoundException) throw missing();
      if (isDenied(error)) throw missing(' (Secrets Manager denies access to it)');
      throw new SecretUnreadableError(
        `the tags of the secret "${secretName}" cannot be read (${describeError(error)})`,
        {
          cause: error,
        },
      );
    }
  };

  return {
    async find(project) {
      const secretName = secretNameOf(fleet, project);
      const missing = (detail = '') =>
        new NoSuchProjectError(
          `no project "${project}": its secret would be ${
            secretName === null
              ? 'of a name that Secrets Manager does not allow'
              : `"${secretName}", with the tag ${PROJECT_TAG}`
          }, and not the secret of a listed project${detail}`,
        );
      if (secretName === null || isTaken(projects, project)) throw missing();
      const now = clock.now().getTime();
      const known = found.get(project);
      const tags =
        known !== undefined && now - known.at < KEY_LIFETIME_MS ? known.tags : await readTags(secretName, missing);
      if (!tags.has(PROJECT_TAG)) throw missing();
      if (tags !== known?.tags) found.set(project, { tags, at: now });
      return { secretName, ...choosePolicy(fleet, project, tags) };
    },
  };
}

/** Whether a listed project has or had the name. After a rename, the ledger keeps the first name. */
export function isTaken(projects: Settings['projects'], name: string): boolean {
  return Object.hasOwn(projects, name) || Object.values(projects).some(({ renamedFrom }) => renamedFrom === name);
}

/**
 * Whether the secret belongs to a listed project, which would otherwise be guarded twice, by two ledgers. The settings
 * list it by name, or by ARN with or without the suffix.
 */
export function isListed(listed: ReadonlySet<string>, secretName: string, arn: string): boolean {
  return [secretName, arn, arn.replace(/-[A-Za-z0-9]{6}$/, '')].some((id) => listed.has(id));
}

export function tagsOf(tags: readonly Tag[] | undefined): Tags {
  return new Map(tags?.map(({ Key = '', Value = '' }) => [Key, Value]));
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && error.name === 'AccessDeniedException';
}
