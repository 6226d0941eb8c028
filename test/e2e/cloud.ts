import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { preparePython } from './python.ts';
import { type Recorder, startRecorder } from './recorder.ts';

const run = promisify(execFile);

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';

/** The folder of this checkout. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

const NODE_PROGRAMS = join(PROJECT, 'node_modules', '.bin');
const SUPERVISOR = fileURLToPath(new URL('./supervise.ts', import.meta.url));

/** An AWS emulator (ministack) on a free loopback port. Its functions run on this checkout's Node. */
export interface Cloud {
  readonly endpoint: string;
  /** A temporary folder. It is removed when the cloud stops. */
  readonly folder: string;
  /** The folder of the Python programs: the AWS CLI and the linters. */
  readonly programs: string;
  /** Environment variables for programs that use the emulator. */
  readonly environment: Readonly<Record<string, string>>;
  /** AWS calls of the deployed functions so far. */
  readonly calls: Recorder['calls'];
  /** Cuts off some calls of the deployed functions. */
  readonly cutOff: Recorder['cutOff'];
  /** The emulator's log. A mail or an SMS leaves no other trace. */
  log(): Promise<string>;
  /**
   * Runs the project's own CDK, like `npx cdk …`.
   * @param app the folder of the app, @default this checkout
   */
  cdk(args: readonly string[], settingsFile: string, app?: string): Promise<ProgramResult>;
  /**
   * Runs the project's own `integration-guard …`.
   * @param app the folder of the app, @default this checkout
   */
  guard(args: readonly string[], app?: string): Promise<ProgramResult>;
  /** The template that the last `cdk` call synthesized. */
  template(stack: string): string;
  /** A Python program of the virtual environment. */
  python(program: string, args: readonly string[]): Promise<ProgramResult>;
  stop(): Promise<void>;
}

export interface ProgramResult {
  readonly code: number;
  /** Standard output, then standard error. */
  readonly output: string;
}

export async function startCloud(): Promise<Cloud> {
  const programs = await preparePython();
  const folder = await mkdtemp(join(tmpdir(), 'guard-cloud-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const recorder = await startRecorder(new URL(endpoint));
  const emulator = startEmulator(programs, folder, port, recorder.url);
  const lines: Buffer[] = [];
  for (const stream of [emulator.stdout, emulator.stderr]) stream?.on('data', (chunk: Buffer) => lines.push(chunk));

  const stop = async () => {
    await end(emulator);
    await recorder.close();
  };
  try {
    await untilReady(endpoint, emulator, lines);
  } catch (error) {
    await stop();
    throw error;
  }

  const environment: Readonly<Record<string, string>> = {
    PATH: `${NODE_PROGRAMS}${delimiter}${process.env.PATH ?? ''}`,
    HOME: folder,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    NO_COLOR: '1',
  };
  const program = (file: string, args: readonly string[], cwd = PROJECT, more: Readonly<Record<string, string>> = {}) =>
    run(file, args, { cwd, env: { ...environment, ...more }, maxBuffer: 64 * 1024 * 1024 }).then(
      ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
      (error: { code?: number; stdout?: string; stderr?: string }) => ({
        code: typeof error.code === 'number' ? error.code : 1,
        output: `${error.stdout ?? ''}${error.stderr ?? ''}`,
      }),
    );
  return {
    endpoint,
    folder,
    programs,
    environment,
    calls: recorder.calls,
    cutOff: recorder.cutOff,
    log: async () => Buffer.concat(lines).toString('utf8'),
    cdk: (args, settingsFile, app) =>
      program(join(NODE_PROGRAMS, 'cdk'), [...args, '--output', join(folder, 'cdk.out')], app, {
        GUARD_SETTINGS: settingsFile,
      }),
    guard: (args, app = PROJECT) => {
      const [file] = ['main.ts', 'guard.ts']
        .map((name) => join('functions', 'cli', name))
        .filter((each) => existsSync(join(app, each)));
      return program(join(NODE_PROGRAMS, 'node'), [file ?? '', ...args], app);
    },
    template: (stack) => join(folder, 'cdk.out', `${stack}.template.json`),
    python: (name, args) => program(join(programs, name), args),
    stop,
  };
}

function startEmulator(programs: string, folder: string, port: number, functionsEndpoint: string): ChildProcess {
  return spawn(join(NODE_PROGRAMS, 'node'), [SUPERVISOR, folder, join(programs, 'ministack')], {
    env: {
      // Functions run with the first `node` on this PATH.
      PATH: `${NODE_PROGRAMS}${delimiter}${programs}${delimiter}${process.env.PATH ?? ''}`,
      HOME: folder,
      TMPDIR: folder,
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
      // The emulator passes this on to the functions, so the recorder sees their calls.
      AWS_ENDPOINT_URL: functionsEndpoint,
      AWS_DEFAULT_REGION: REGION,
    },
    // When this pipe closes, even if this process is killed, the supervisor ends the emulator and removes its folder.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

async function untilReady(endpoint: string, emulator: ChildProcess, lines: readonly Buffer[]): Promise<void> {
  for (let attempt = 0; attempt < 240; attempt += 1) {
    if (emulator.exitCode !== null) break;
    const ready = await fetch(`${endpoint}/_ministack/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return;
    await sleep(250);
  }
  throw new Error(`the AWS emulator did not start:\n${Buffer.concat(lines).toString('utf8').slice(-2_000)}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
