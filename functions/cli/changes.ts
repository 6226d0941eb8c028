import type { Change } from '../deployed/deployed-guard.ts';
import { findChanges } from '../deployed/find-changes.ts';
import { readDeployed } from '../deployed/read-deployed.ts';
import { readSettingsFile } from '../local/settings-file.ts';

/** The changes to a stack if this machine's settings were deployed. */
export interface Changes {
  readonly stack: string;
  readonly settings: string;
  /** The account where the stack was searched. */
  readonly account: string;
  readonly region: string;
  /** Whether the stack exists and has a guard. */
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
