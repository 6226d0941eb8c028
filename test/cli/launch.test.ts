import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

it('a Node that does not read TypeScript says how to build, and runs what is built', { timeout: 60_000 }, async () => {
  const copy = await mkdtemp(join(tmpdir(), 'launch-'));
  for (const part of ['functions', 'package.json', 'cdk.json', 'tsconfig.json', 'tsconfig.build.json'])
    await cp(join(ROOT, part), join(copy, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const guard = (...args: readonly string[]) =>
    run(process.execPath, ['--no-experimental-strip-types', join(copy, 'functions/cli/launch.cjs'), ...args], {
      cwd: copy,
    });
  await expect(guard('--help')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /^integration-guard: Node [\d.]+ does not run the TypeScript sources\. Build them first: npm run build\n$/,
    ),
  });

  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: { build: string } };
  const [program = '', ...args] = scripts.build.split(' ');
  await run(join(ROOT, 'node_modules', '.bin', program), args, { cwd: copy });
  expect((await guard('--help')).stdout).toContain('Usage: integration-guard');
  // It works in threads of its own, which have to be found as well.
  expect((await guard('simulate', '--days', '1', '--integrations', '5')).stdout).toContain('mails a day');
});
