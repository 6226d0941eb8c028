import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const REQUIREMENTS = fileURLToPath(new URL('./requirements.txt', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/integration-guard', import.meta.url));

/**
 * A virtual environment with the pinned Python tools. It is created once for each version of requirements.txt.
 * @returns the folder of its programs
 * @throws when no usable Python is installed
 */
export async function preparePython(): Promise<string> {
  const pinned = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const environment = join(CACHE, `python-${pinned}`);
  const programs = join(environment, 'bin');
  const complete = join(environment, 'complete');
  if (existsSync(complete)) return programs;

  const python = await findPython();
  await mkdir(CACHE, { recursive: true });
  await rm(environment, { recursive: true, force: true });
  await run(python, ['-m', 'venv', environment]);
  await run(join(programs, 'pip'), [
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--require-hashes',
    '-r',
    REQUIREMENTS,
  ]);
  await writeFile(complete, '');
  return programs;
}

async function findPython(): Promise<string> {
  for (const name of ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python']) {
    const usable = await run(name, ['-c', 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))']).then(
      () => true,
      () => false,
    );
    if (usable) return name;
  }
  throw new Error(
    'the end-to-end tests need Python 3.10 or newer with its venv module (on Debian: python3 and python3-venv)',
  );
}
