import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROJECT } from './cloud.ts';

const run = promisify(execFile);

/** The last commit whose ledger items have no `schema` (version 0.1). Stacks deployed from it hold what an update has to read. */
export const VERSION_BEFORE = '6abfc230965c487f4b58d76eae19041895f09535';

/**
 * Puts the app of that commit into a folder, with this checkout's packages.
 * @returns the folder
 * @throws one sentence when the commit is not in this clone
 */
export async function checkOutVersionBefore(folder: string): Promise<string> {
  await mkdir(folder);
  const archive = join(folder, 'version-before.tar');
  try {
    await run('git', ['archive', '--format=tar', '--output', archive, VERSION_BEFORE], { cwd: PROJECT });
  } catch (error) {
    throw new Error(
      `the update test deploys commit ${VERSION_BEFORE}, which this clone does not have; run \`git fetch --unshallow\``,
      { cause: error },
    );
  }
  await run('tar', ['-xf', archive, '-C', folder]);
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'), 'dir');
  return folder;
}
