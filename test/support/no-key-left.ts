import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEY_VARIABLE } from './run-key.ts';

/**
 * Law 4 over the whole run: makes a key that exists in no source file, sends everything that tests write (temporary
 * files, consoles, what their child processes print) into one folder, and looks at the end whether any part of the key is
 * in there.
 */
export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'guard-test-run-'));
  const secret = randomBytes(24).toString('hex');
  process.env[KEY_VARIABLE] = `sk_fake_${secret}`;
  process.env.TMPDIR = folder;

  return async () => {
    const found: string[] = [];
    let files = 0;
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      files += 1;
      const text = await readFile(join(entry.parentPath, entry.name), 'latin1');
      // Any eight characters of the key would be a part of it.
      for (let at = 0; at + 8 <= secret.length; at += 1) {
        if (!text.includes(secret.slice(at, at + 8))) continue;
        found.push(join(entry.parentPath, entry.name));
        break;
      }
    }
    if (found.length > 0) throw new Error(`law 4: a part of the Secret Key was written to ${found.join(', ')}`);
    if (files === 0) throw new Error('law 4: the run wrote nothing that could be looked at');
    await rm(folder, { recursive: true });
    console.log(`law 4: no part of the Secret Key in the ${files} files that this run wrote`);
  };
}
