import type { Change } from '../deployed/deployed-guard.ts';
import { findChanges } from '../deployed/find-changes.ts';
import { readDeployed } from '../deployed/read-deployed.ts';
import { readSettingsFile } from '../local/settings-file.ts';

/** What deploying this machine's settings would change in a stack. */
export interface Changes {
  readonly stack: string;
  readonly settings: string;
  /** Where the stack was looked for. */
  readonly account: string;
  readonly region: string;
  /** Whether there is such a stack, with a guard. */
  readonly isDeployed: boolean;
  readonly changes: readonly Change[];
}

/**
 * @param file the settings to deploy
 * @throws SettingsError, GuardError
 */
export async function readChanges(stack: string, file: string): Promise<Changes> {
  const next = readSettingsFile(file);
  const names = Object.values(next.projects).flatMap(({ secretName }) => secretName ?? []);
  const deployed = await readDeployed(stack, names, null);
  const { account, region, guard } = deployed;
  return { stack, settings: file, account, region, isDeployed: guard !== null, changes: findChanges(deployed, next) };
}
