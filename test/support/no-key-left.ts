import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEY_VARIABLE } from './run-key.ts';

/**
 * Checks law 4 over the whole run. The setup makes a random key, and sends everything that tests write into one folder: temporary
 * files, consoles, and the output of child processes. At the end it searches the folder for any part of the key. A planted file with
 * another secret proves that the search works.
 */
export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'guard-test-run-'));
  const secret = randomBytes(24).toString('hex');
  const planted = randomBytes(24).toString('hex');
  await writeFile(join(folder, 'planted.log'), `a line with a part of a key: ${planted.slice(11, 19)}\n`);
  process.env[KEY_VARIABLE] = `sk_fake_${secret}`;
  process.env.TMPDIR = folder;

  return async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    if ((await filesWithPartOf(planted, files)).length !== 1)
      throw new Error('law 4: the search for the key does not find the planted secret');
    const found = await filesWithPartOf(secret, files);
    if (found.length > 0) throw new Error(`law 4: a part of the Secret Key was written to ${found.join(', ')}`);
    await rm(folder, { recursive: true });
    console.log(`law 4: no part of the Secret Key in the ${files.length - 1} files that this run wrote`);
  };
}

/** The files that have a part of the secret: any eight consecutive characters. */
async function filesWithPartOf(secret: string, files: readonly string[]): Promise<readonly string[]> {
  const parts = Array.from({ length: secret.length - 7 }, (_, at) => secret.slice(at, at + 8));
  const found: string[] = [];
  for (const file of files) {
    const text = await readFile(file, 'latin1');
    if (parts.some((part) => text.includes(part))) found.push(file);
  }
  return found;
}
