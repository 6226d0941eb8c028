import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROJECT } from './cloud.ts';

const run = promisify(execFile);

/** The last commit without `schema` in its ledger items (version 0.1). An update must be able to read the ledgers of its stacks. */
export const VERSION_BEFORE = '6abfc230965c487f4b58d76eae19041895f09535';

/**
 * Checks out the app of that commit into a folder, with this checkout's packages.
 * @returns the folder
 * @throws when this clone lacks the commit
 */
export async function checkOutVersionBefore(folder: string): Promise<string> {
  await mkdir(folder);
  const archive = join(folder, 'version-before.tar');
  try {
    await run('git', ['archive', '--format=tar', '--output', archive, VERSION_BEFORE], { cwd: PROJECT });
  } catch (error) {
    throw new Error(
      `the update test deploys commit ${VERSION_BEFORE}, but this clone lacks it; run \`git fetch --unshallow\``,
      { cause: error },
    );
  }
  await run('tar', ['-xf', archive, '-C', folder]);
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'), 'dir');
  return folder;
}
