import { paginateListSecrets, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { describeError } from '../guard/errors.ts';
import { choosePolicy, PROJECT_TAG, projectOf } from '../guard/settings/fleet.ts';
import type { FleetSettings, Policy, Settings } from '../guard/settings/schema.ts';
import { secretIdOf } from '../guard/settings/types.ts';
import { isListed, isTaken, tagsOf } from './fleet.ts';

/** A tagged secret, and the project that it defines. */
export interface TaggedSecret {
  readonly secretName: string;
  /** Null if the secret defines no project despite its tag. */
  readonly project: string | null;
  /** The project's policy; null if it cannot be determined. */
  readonly policy: Policy | null;
  /** Why the project has this policy, or why there is no project or no policy. */
  readonly because: string;
}

/**
 * Lists all tagged secrets, by name. Needs the permission to list secrets, which shows names and tags but no values.
 */
export async function listTaggedSecrets(
  client: SecretsManagerClient,
  { fleet, projects }: Settings & { readonly fleet: FleetSettings },
): Promise<readonly TaggedSecret[]> {
  const listed = new Set(Object.values(projects).map(secretIdOf));
  const found: TaggedSecret[] = [];
  const query = { Filters: [{ Key: 'tag-key' as const, Values: [PROJECT_TAG] }] };
  for await (const { SecretList = [] } of paginateListSecrets({ client, pageSize: 100 }, query)) {
    for (const { Name: secretName = '', ARN = '', Tags } of SecretList) {
      const tags = tagsOf(Tags);
      // The filter matches by prefix, so it also finds longer tags.
      if (!tags.has(PROJECT_TAG)) continue;
      const none = (because: string) => ({ secretName, project: null, policy: null, because });
      const project = projectOf(fleet, secretName);
      if (project === null) found.push(none(`its name does not begin with "${fleet.secretNamePrefix}"`));
      else if (isTaken(projects, project))
        found.push(none(`a project "${project}" is listed in the settings, or was before it was renamed`));
      else if (isListed(listed, secretName, ARN)) found.push(none('it is the secret of a project that is listed'));
      else found.push({ secretName, project, ...tryPolicy(() => choosePolicy(fleet, project, tags)) });
    }
  }
  return found.sort((a, b) => (a.secretName < b.secretName ? -1 : 1));
}

function tryPolicy(choose: () => { readonly policy: Policy; readonly because: string }) {
  try {
    return choose();
  } catch (error) {
    return { policy: null, because: describeError(error) };
  }
}
