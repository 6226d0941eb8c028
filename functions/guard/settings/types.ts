import { SettingsError } from '../errors.ts';
import type { Policy, ProjectSettings, Settings } from './schema.ts';

/** The part of a project's settings that the core uses. */
export interface GuardedProject {
  readonly name: string;
  readonly policy: Policy;
}

/** The place of a project's Secret Key in Secrets Manager. */
export interface SecretPlace {
  /** Name or ARN of the secret. */
  readonly id: string;
  /** The field of the secret's JSON object that is the key; null: the secret holds this key only. */
  readonly field: string | null;
}

export function secretPlaceOf(entry: ProjectSettings): SecretPlace {
  return { id: secretIdOf(entry), field: entry.secretField ?? null };
}

/** The name or ARN of the project's secret. */
export function secretIdOf(entry: ProjectSettings): string {
  const id = entry.secretArn ?? entry.secretName;
  if (id === undefined) throw new SettingsError(['expected exactly one of secretName and secretArn, got none']);
  return id;
}

/** The project's name in the ledger: its first name. */
export function ledgerNameOf(settings: Settings, project: string): string {
  return (Object.hasOwn(settings.projects, project) ? settings.projects[project]?.renamedFrom : undefined) ?? project;
}

/** The name of the stack's output with the ARN of a project's secret. */
export function secretArnOutput(project: string): string {
  return `SecretArnOf-${project}`;
}

/**
 * Fills the ARNs of secrets into a deployed stack's settings.
 * @param arns ARNs of secrets, by project
 * @throws SettingsError when one is missing
 */
export function withSecretArns(settings: Settings, arns: Readonly<Record<string, string>>): Settings {
  const projects = Object.entries(settings.projects).map(([name, { secret, ...project }]) => {
    if (secret === undefined) return [name, project] as const;
    const secretArn = Object.hasOwn(arns, name) ? arns[name] : undefined;
    if (secretArn === undefined)
      throw new SettingsError([`projects.${name}: expected the ARN of its secret from the stack, got nothing`]);
    return [name, { ...project, secretArn }] as const;
  });
  return { ...settings, projects: Object.fromEntries(projects) };
}
