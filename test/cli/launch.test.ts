import { execFile } from 'node:child_process';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

it('a Node without TypeScript support prints the build command', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'launch-'));
  await cp(join(ROOT, 'functions'), join(copy, 'functions'), { recursive: true });
  const guard = (...args: readonly string[]) =>
    run(process.execPath, ['--no-experimental-strip-types', join(copy, 'functions/cli/launch.cjs'), ...args], {
      cwd: copy,
    });
  await expect(guard('--help')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^integration-guard: Node [\d.]+ does not run the TypeScript sources\. Build them first: npm run build\n$/,
    ),
  });
  await expect(guard('list', '--json')).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /^\{\s+"error": \{\s+"name": "GuardError",\s+"message": "Node [\d.]+ does not run[^"]+",\s+"exitCode": 1\s+\}\s+\}\n$/,
    ),
    stderr: '',
  });
});
