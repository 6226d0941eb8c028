import { GuardError } from '../errors.ts';
import { SECRET_NAME } from './formats.ts';
import { matchesGlob } from './glob.ts';
import type { FleetSettings, Policy } from './schema.ts';

/** Projects that the settings do not list: every secret with a tag is one. */

/** Makes a secret a project. The tag's value has no meaning. */
export const PROJECT_TAG = 'integration-guard:project';

/** Its value names one of the fleet's policies. */
export const POLICY_TAG = 'integration-guard:policy';

/** The tags of a secret, by key. */
export type Tags = ReadonlyMap<string, string>;

/**
 * The name of a project's secret. Secret names are unique in an account and region, so project names are too.
 * @returns null when that is not a valid secret name
 */
export function secretNameOf({ secretNamePrefix }: FleetSettings, project: string): string | null {
  const name = `${secretNamePrefix}${project}`;
  return project !== '' && SECRET_NAME.test(name) ? name : null;
}

/** The project of a secret; null when the secret's name does not begin with the fleet's prefix. */
export function projectOf({ secretNamePrefix }: FleetSettings, secretName: string): string | null {
  const project = secretName.slice(secretNamePrefix.length);
  return secretName.startsWith(secretNamePrefix) && project !== '' ? project : null;
}

/** The policy of a project, with the reason: the one that the secret's tag names, else the first whose glob matches its name. */
export interface ChosenPolicy {
  readonly policy: Policy;
  readonly because: string;
}

/** @throws GuardError when the tag names an unknown policy: falling back to another could pause wrongly */
export function choosePolicy({ policy, policies }: FleetSettings, project: string, tags: Tags): ChosenPolicy {
  const wanted = tags.get(POLICY_TAG);
  if (wanted !== undefined) {
    const tagged = policies.find(({ tag }) => tag === wanted);
    if (tagged !== undefined) return { policy: tagged.policy, because: `tag ${wanted}` };
    const known = policies.flatMap(({ tag }) => tag ?? []).join(', ') || 'none';
    throw new GuardError(
      `the secret's tag ${POLICY_TAG} names a policy that fleet.policies does not have (it has: ${known}); fix the tag, or add the policy and deploy`,
    );
  }
  const named = policies.find(({ match }) => match !== undefined && matchesGlob(match, project));
  return named === undefined
    ? { policy, because: 'default' }
    : { policy: named.policy, because: `name like ${named.match}` };
}
