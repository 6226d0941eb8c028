import { type Change, findChanges } from '../deployed/deployed-guard.ts';
import { readDeployed } from '../deployed/read-deployed.ts';
import { readSettingsFile } from '../local/settings-file.ts';

/** What deploying this machine's settings would change in a stack. */
export interface Changes {
  readonly stack: string;
  readonly settings: string;
  readonly changes: readonly Change[];
}

/**
 * @param file the settings to deploy
 * @throws SettingsError, GuardError
 */
export async function readChanges(stack: string, file: string): Promise<Changes> {
  const next = readSettingsFile(file);
  const names = Object.values(next.projects).flatMap(({ secretName }) => secretName ?? []);
  return { stack, settings: file, changes: findChanges(await readDeployed(stack, names, null), next) };
}
