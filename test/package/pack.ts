import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder of this checkout. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Lambda's Node, the only program of this checkout on the PATH. */
const NODE = join(PROJECT, 'node_modules', '.bin', 'node');

const FOREIGN =
  /^(?:AWS_|CDK_|GUARD_|QONVERSION_|NODE_OPTIONS|VITEST|npm_(?!config_(?:globalconfig|userconfig|cafile|registry)$))/;

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder outside the checkout, with the environment of a user who installed the package. */
export interface Folder {
  readonly path: string;
  /** Runs a program from the folder's `node_modules/.bin` or from the machine. */
  run(program: string, args: readonly string[], variables?: Readonly<Record<string, string>>): Promise<ProgramResult>;
  /** @returns standard output. @throws with all output when the program fails */
  must(program: string, args: readonly string[], variables?: Readonly<Record<string, string>>): Promise<string>;
  write(name: string, content: string | object): Promise<void>;
  read(name: string): Promise<string>;
}

/** The machine's environment: how npm reaches its registry, and nothing else of the developer's own that could change a test. */
export function ownEnvironment(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !FOREIGN.test(key)));
}

/** Builds the package and packs it. @returns the path of the tarball */
export async function pack(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'guard-pack-'));
  await run(NODE, ['infra/build.ts'], { cwd: PROJECT });
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: PROJECT });
  return join(folder, stdout.trim());
}

export async function createFolder(name: string): Promise<Folder> {
  const path = join(await mkdtemp(join(tmpdir(), 'guard-app-')), name);
  const nodeFolder = await mkdtemp(join(tmpdir(), 'guard-node-'));
  await run('mkdir', ['-p', path]);
  await run('ln', ['-s', NODE, join(nodeFolder, 'node')]);
  const environment = {
    ...ownEnvironment(),
    PATH: [
      join(path, 'node_modules', '.bin'),
      nodeFolder,
      process.env.PATH?.replaceAll(join(PROJECT, 'node_modules', '.bin'), nodeFolder),
    ].join(delimiter),
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    NO_COLOR: '1',
    // No package runs code when it is installed.
    npm_config_ignore_scripts: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
  const start: Folder['run'] = (program, args, variables = {}) =>
    run(program, args, { cwd: path, env: { ...environment, ...variables }, maxBuffer: 64 * 1_024 * 1_024 }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code?: number; stdout?: string; stderr?: string; message: string }) => ({
        code: typeof error.code === 'number' ? error.code : 1,
        stdout: error.stdout ?? '',
        stderr: error.stderr ?? error.message,
      }),
    );
  return {
    path,
    run: start,
    async must(program, args, variables) {
      const { code, stdout, stderr } = await start(program, args, variables);
      if (code !== 0) throw new Error(`${program} ${args.join(' ')}: exit code ${code}\n${stdout}\n${stderr}`);
      return stdout;
    },
    write: (name, content) =>
      writeFile(join(path, name), typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`),
    read: (name) => readFile(join(path, name), 'utf8'),
  };
}
