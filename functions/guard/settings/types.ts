import { SettingsError } from '../errors.ts';
import type { Policy, ProjectSettings } from './schema.ts';

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
