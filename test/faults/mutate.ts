import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finding } from './finding.ts';
import type { Mutation } from './mutations.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The sources of the guard and its harnesses. */
const PARTS = ['functions', 'infra', 'test', 'package.json'] as const;

/**
 * Runs a harness over a copy of the guard with one broken law.
 * @returns the harness's violations
 * @throws when the mutation no longer fits the code, or the harness fails
 */
export async function runMutant({ file, edits, harness }: Mutation): Promise<readonly string[]> {
  const copy = await mkdtemp(join(tmpdir(), 'mutant-'));
  try {
    for (const part of PARTS) await cp(join(ROOT, part), join(copy, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    await writeFile(join(copy, file), await mutated({ file, edits }));
    const findings = await runHarness(copy, harness);
    return findings.flatMap(({ violations }) => violations);
  } finally {
    await rm(copy, { recursive: true });
  }
}

/** The text of the file with the broken law. @throws when the mutation no longer fits the code */
export async function mutated({ file, edits }: Pick<Mutation, 'file' | 'edits'>): Promise<string> {
  return edits.reduce(edit, await readFile(join(ROOT, file), 'utf8'));
}

function edit(text: string, [from, to]: readonly [string, string]): string {
  const times = text.split(from).length - 1;
  if (times !== 1) throw new Error(`the mutation fits ${times} places instead of one: ${from}`);
  return text.replace(from, () => to);
}

function runHarness(folder: string, harness: string): Promise<readonly Finding[]> {
  const args = ['test/faults/main.ts', '--size', 'quick', '--only', harness, '--first', '--json'];
  const options = { cwd: folder, timeout: 120_000, maxBuffer: 256 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, options, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as readonly Finding[]);
      } catch {
        reject(new Error(`the harness failed: ${stderr.slice(0, 2_000)}`));
      }
    });
  });
}
