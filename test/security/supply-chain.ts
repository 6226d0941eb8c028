import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Kind } from './kind.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  /** Part of another package, and covered by its hash. */
  readonly inBundle?: boolean;
  /** A folder of this checkout. */
  readonly link?: boolean;
}

/** Every installed package, and its hash. */
function judgeLockfile(): { readonly tried: number; readonly violations: readonly string[] } {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockedPackage> };
  const installed = Object.entries(packages).filter(
    ([path, { link }]) => path.startsWith('node_modules/') && link !== true,
  );
  const violations = installed.flatMap(([path, { integrity, resolved, inBundle }]) => [
    ...(inBundle === true || /^sha512-/.test(integrity ?? '') ? [] : [`${path} has no SHA-512 in the lockfile`]),
    ...(resolved === undefined ? [] : [`${path} has a download address in the lockfile`]),
  ]);
  const scripts = installed.some(([, { hasInstallScript }]) => hasInstallScript === true);
  if (scripts && !/^ignore-scripts=true$/m.test(read('.npmrc'))) violations.push('packages run code when installed');
  return { tried: installed.length, violations };
}

/** Each action has a commit, each Python package a hash. */
function judgePins(): { readonly tried: number; readonly violations: readonly string[] } {
  const workflows = readdirSync(new URL('.github/workflows/', ROOT)).map((name) => `.github/workflows/${name}`);
  const uses = workflows.flatMap((path) => [...read(path).matchAll(/uses:\s*(\S+)/g)].map(([, action = '']) => action));
  const requirements = read('test/e2e/requirements.txt')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => /^[a-z]/i.test(line));
  return {
    tried: uses.length + requirements.length,
    violations: [
      ...uses.filter((action) => !/@[0-9a-f]{40}$/.test(action)).map((action) => `${action} is not pinned by commit`),
      ...requirements
        .filter((line) => !/^[\w.[\]-]+==\S+.*--hash=sha256:[0-9a-f]{64}/.test(line))
        .map((line) => `${line.slice(0, 40)} has no hash`),
    ],
  };
}

const OLD = ['0.12.18', '4.9.1', '8.17.0', '12.22.12', '14.21.3', '16.20.2', '18.20.8', '20.20.2', '21.7.3'];

/** The error of `guard` on a Node version that cannot run it. */
async function judgeOldNode(version: string): Promise<readonly string[]> {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`;
  const launcher = fileURLToPath(new URL('functions/cli/launch.cjs', ROOT));
  const args = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, launcher, 'plan'];
  const { code, stderr } = await promisify(execFile)(process.execPath, args).then(
    () => ({ code: 0, stderr: '' }),
    (error: { readonly code?: number; readonly stderr?: string }) => ({ code: error.code, stderr: error.stderr ?? '' }),
  );
  const isSentence =
    /^integration-guard: Integration Guard needs Node \d+ or newer, and this is Node [\d.]+\. .+\n$/.test(stderr);
  return code === 1 && isSentence
    ? []
    : [`Node ${version}: exit code ${code}, ${JSON.stringify(stderr.slice(0, 200))}`];
}

export const supplyChain: Kind = {
  name: 'supply-chain',
  promise:
    'An installation contains only reviewed code: every package has a hash, none runs code, every action is a commit.',
  attack: async (size) => {
    const [lockfile, pins] = [judgeLockfile(), judgePins()];
    const versions = size === 'quick' ? OLD.slice(-3) : OLD;
    const old = await Promise.all(versions.map(judgeOldNode));
    return {
      tried: lockfile.tried + pins.tried + versions.length,
      violations: [...lockfile.violations, ...pins.violations, ...old.flat()],
    };
  },
};
