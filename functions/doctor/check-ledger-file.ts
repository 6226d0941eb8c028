import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Finding, ok, problem } from './finding.ts';

/** Whether the ledger file, or the nearest folder above it that exists, can be written. */
export async function checkLedgerFile(file: string): Promise<Finding> {
  for (let folder = resolve(dirname(file)); ; folder = dirname(folder)) {
    try {
      await access(folder, constants.W_OK);
      return ok('ledger file', `${file} can be written`);
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (missing && dirname(folder) !== folder) continue;
      return problem(
        'ledger file',
        `${folder} cannot be written`,
        'name another file in GUARD_LEDGER, or give yourself the right',
      );
    }
  }
}
