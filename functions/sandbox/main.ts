import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { describeError } from '../guard/errors.ts';
import { createGuardFolder, type GuardFolder } from './guard-folder.ts';
import { STATE_AT_START, startLiveSandbox } from './live.ts';
import { PRODUCTION_KEY, type Sandbox, TEST_KEY } from './server.ts';
import { listenForInterruption } from './until-interrupted.ts';

/** `npm run sandbox`: the local Qonversion API alone, until Ctrl-C. */

interface Options {
  readonly port: number;
  readonly speed: number;
  readonly pageSize?: number;
  readonly json?: boolean;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  const interruption = listenForInterruption();
  const folder = createGuardFolder();
  try {
    const sandbox = await startLiveSandbox({ ...options, clock: { now: Date.now, speed: options.speed } });
    folder.writeSettings({ projects: { sandbox: { secretName: 'qonversion/sandbox', apiUrl: sandbox.url } } });
    console.log(options.json === true ? describeAsJson(sandbox, folder, options) : describe(sandbox, folder, options));
    await interruption.interrupted;
    await sandbox.close();
    return 0;
  } catch (error) {
    console.error(`The sandbox could not start on port ${options.port}: ${describeError(error)}`);
    return 1;
  } finally {
    folder.remove();
  }
}

/** @throws CommanderError after it has printed one sentence, or the help */
function readOptions(args: readonly string[]): Options {
  return new Command('npm run sandbox --')
    .description('A local copy of the Qonversion integrations API, to run the guard or your own program on.')
    .option('--port <number>', 'the port to listen on (default: any free one)', parsePort, 0)
    .option('--speed <number>', 'how many times as fast as real time its clock runs', parseSpeed, 1)
    .option('--page-size <number>', 'records in a page of the list (default: all in one)', parsePageSize)
    .option('--json', 'print one JSON document')
    .allowExcessArguments(false)
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<Options>();
}

function parsePort(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
    throw new InvalidArgumentError('Give a whole number from 0 to 65535.');
  return Number(value);
}

function parseSpeed(value: string): number {
  const speed = /^\d{1,4}(?:\.\d+)?$/.test(value) ? Number(value) : 0;
  if (speed <= 0 || speed > 1_000) throw new InvalidArgumentError('Give a number above 0, up to 1000.');
  return speed;
}

function parsePageSize(value: string): number {
  if (!/^[1-9]\d{0,5}$/.test(value)) throw new InvalidArgumentError('Give a whole number from 1 to 999999.');
  return Number(value);
}

/** For a person: the state, and commands to copy. A test runs the commands as they are printed. */
function describe({ url, controlUrl }: Sandbox, { exportLine }: GuardFolder, { speed }: Options): string {
  const pace = speed === 1 ? 'in real time' : `${speed} times as fast as real time`;
  const warning =
    speed === 1
      ? []
      : ['', 'The guard counts real minutes. To run it on a sandbox, start the sandbox without --speed.'];
  return [
    `A local copy of the Qonversion API runs at ${url}, ${pace}. Ctrl-C ends it.`,
    ...warning,
    '',
    ...STATE_AT_START.map((sentence) => `- ${sentence}`),
    '',
    'Run the guard on it: in another terminal, in this folder.',
    '',
    `  ${exportLine}`,
    '  npx integration-guard plan',
    '  npx integration-guard run',
    '  npx integration-guard list',
    '',
    'The first pass pauses hook-crm and warns about af-android. A later pass pauses af-android, when it has failed for an hour.',
    'Repeat the pass every five minutes to see it:',
    '',
    '  while npx integration-guard run; do sleep 300; done',
    '',
    'Repair a provider, or let another one fail:',
    '',
    `  curl -s ${controlUrl}/repair -d '{"id":"hook-crm"}'`,
    `  curl -s ${controlUrl}/break -d '{"id":"mix-ios","message":"HTTP 500"}'`,
  ].join('\n');
}

function describeAsJson(sandbox: Sandbox, folder: GuardFolder, { speed }: Options): string {
  const { url, controlUrl } = sandbox;
  const { settingsFile, ledgerFile } = folder;
  const keys = { production: PRODUCTION_KEY, testing: TEST_KEY };
  return JSON.stringify({ url, controlUrl, speed, keys, settingsFile, ledgerFile }, null, 2);
}
