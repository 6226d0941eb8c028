import { SettingsError } from '../errors.ts';
import type { Policy, ProjectSettings, Settings } from './schema.ts';

/** A project as the core sees it: the rest of its settings is for the doors. */
export interface GuardedProject {
  readonly name: string;
  readonly policy: Policy;
}

/** Name or ARN of the project's secret. */
export function secretIdOf(entry: ProjectSettings): string {
  const id = entry.secretArn ?? entry.secretName;
  if (id === undefined) throw new SettingsError(['expected exactly one of secretName and secretArn, got none']);
  return id;
}

/** The name under which the ledger keeps a project: its first. */
export function ledgerNameOf(settings: Settings, project: string): string {
  return (Object.hasOwn(settings.projects, project) ? settings.projects[project]?.renamedFrom : undefined) ?? project;
}

/** The stack's output with the ARN of a project's secret that only the deployment knows. */
export function secretArnOutput(project: string): string {
  return `SecretArnOf-${project}`;
}

/**
 * Settings of a deployed stack with the ARNs that are known since its deployment.
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
