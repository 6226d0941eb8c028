import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'jsonc-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLiveSandbox } from '../../functions/sandbox/live.ts';
import { PRODUCTION_KEY, type Sandbox, TEST_KEY } from '../../functions/sandbox/server.ts';
import { commandsAt, RUNS_IN, readCodeBlocks } from '../docs/code-blocks.ts';
import { ownEnvironment } from '../package/pack.ts';
import { runInShell } from '../support/printed-commands.ts';
import { ACCOUNT, type Cloud, PROJECT, REGION, startCloud } from './cloud.ts';
import { must } from './deployment.ts';

/**
 * The commands of the documents, as they are printed, in the order of a reader: the README's deployment from a checkout, the
 * deployment of docs/deploy.md, the commands for operation, and a fleet. AWS is an emulator, Qonversion is the sandbox.
 */

type Place = (typeof RUNS_IN.deployment)[number];

let cloud: Cloud;
let sandbox: Sandbox;
let nodeFolder: string;
const done = new Set<Place>();

beforeAll(async () => {
  cloud = await startCloud();
  sandbox = await startLiveSandbox({ clock: { now: Date.now, speed: 1 } });
  // The id that the documents use.
  sandbox.production.add({ id: 'gNl6hyM6', active: 1, eventsPerMinute: 5 });
  nodeFolder = join(cloud.folder, 'node');
  mkdirSync(nodeFolder);
  symlinkSync(join(PROJECT, 'node_modules', '.bin', 'node'), join(nodeFolder, 'node'));
  const settings = join(cloud.folder, 'settings.json');
  await writeFile(settings, '{ "projects": { "production": { "secretName": "qonversion/production" } } }');
  await must(cloud.cdk(['bootstrap', `aws://${ACCOUNT}/${REGION}`], settings));
});

afterAll(async () => {
  await sandbox?.close();
  await cloud?.stop();
});

/** A checkout with uncommitted changes and all packages, in a folder that has no `../guard` yet. */
function copyCheckout(name: string): string {
  const checkout = join(cloud.folder, name, 'integration-guard');
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: PROJECT });
  for (const file of files
    .toString()
    .split('\0')
    .filter((path) => path !== '' && path !== 'node_modules')) {
    mkdirSync(dirname(join(checkout, file)), { recursive: true });
    cpSync(join(PROJECT, file), join(checkout, file));
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(checkout, 'node_modules'));
  return checkout;
}

interface RunOptions {
  readonly folder: string;
  /** The reader types or pastes it. */
  readonly typed?: string;
  /** The reader's values for the placeholders of the document. */
  readonly instead?: Readonly<Record<string, string>>;
}

/** Runs each line of a block as a command, and returns their output. */
async function run(place: Place, { folder, typed = '', instead = {} }: RunOptions): Promise<string> {
  done.add(place);
  let commands = commandsAt(place).trim();
  for (const [placeholder, value] of Object.entries(instead)) {
    expect(commands, 'the document does not have this placeholder').toContain(placeholder);
    commands = commands.replaceAll(placeholder, value);
  }
  const lines = commands.split(/(?<!\\)\n/);
  const runs = await runInShell(lines, {
    folder,
    typed,
    path: nodeFolder,
    variables: {
      ...ownEnvironment(),
      ...cloud.environment,
      PATH: `${nodeFolder}:${cloud.programs}:${process.env.PATH?.replaceAll(join(PROJECT, 'node_modules', '.bin'), nodeFolder)}`,
      // A reader answers `y`.
      CDK_REQUIRE_APPROVAL: 'never',
    },
  });
  for (const { command, code, output } of runs) expect(code, `${command}\n${output}`).toBe(0);
  return runs.map(({ output }) => output).join('');
}

let app: string;

describe('the README', () => {
  it('deploys with three lines, and says how to store the Secret Key', { timeout: 240_000 }, async () => {
    const checkout = copyCheckout('readme');
    const output = await run('README.md § Deploy', { folder: checkout });
    expect(output).toContain('integration-guard-0.2.0.tgz');
    expect(output).toMatch(
      /IntegrationGuard\.\w* = .*aws secretsmanager put-secret-value --secret-id 'qonversion\/production'/,
    );
  });
});

/** Changes the settings in the app's cdk.json. */
async function editSettings(
  edit: (settings: { projects?: Record<string, object>; fleet?: object }) => void,
): Promise<void> {
  const file = join(app, 'cdk.json');
  const cdk = JSON.parse(await readFile(file, 'utf8'));
  edit(cdk.context['integration-guard']);
  await writeFile(file, JSON.stringify(cdk, null, 2));
}

describe('docs/deploy.md', () => {
  it('makes the app', { timeout: 240_000 }, async () => {
    const checkout = copyCheckout('deploy');
    await run('docs/deploy.md § First deployment', { folder: checkout });
    app = join(checkout, '..', 'guard');
    expect(await readFile(join(app, 'cdk.json'), 'utf8')).toContain('ops@example.com');
    // A reader's Qonversion is the real one.
    await editSettings((settings) => {
      Object.assign(settings.projects?.production ?? {}, { apiUrl: sandbox.url });
    });
  });

  it('deploys it', { timeout: 240_000 }, async () => {
    expect(await run('docs/deploy.md § First deployment (2)', { folder: app })).toContain('✅');
  });

  it('stores the Secret Key', async () => {
    await run('docs/deploy.md § First deployment (3)', { folder: app, typed: `${PRODUCTION_KEY}\n` });
  });

  it('shows what a pass would do', async () => {
    const output = await run('docs/deploy.md § First deployment (4)', { folder: app });
    expect(output).toMatch(/hook-crm +Webhooks iOS +report it/);
  });

  it('checks everything', async () => {
    // The reader has waited for the first pass. CloudWatch derives its metric from the function's log; the emulator does not.
    const dimensions = 'service=integration-guard,project=production';
    const metric = ['--namespace', 'IntegrationGuard', '--metric-name', 'PassesSucceeded', '--dimensions', dimensions];
    await must(cloud.python('aws', ['cloudwatch', 'put-metric-data', ...metric, '--value', '1']));
    const output = await run('docs/deploy.md § First deployment (5)', { folder: app });
    expect(output).toMatch(/ok +Qonversion API +\S+ answers: 13 integrations/);
    expect(output).not.toMatch(/^problem /m);
  });

  it('says what a deployment would change: nothing', async () => {
    const output = await run('docs/deploy.md § Changing projects', { folder: app });
    expect(output).toMatch(/nothing/i);
  });
});

describe('the README again', () => {
  it('operates the guard', async () => {
    const output = await run('README.md § Operate', { folder: app });
    expect(output).toContain('gNl6hyM6 is paused');
    expect(output).toContain('gNl6hyM6 is active again');
    expect(output).toContain('resumed by an operator');
    expect(sandbox.production.get('gNl6hyM6')?.active).toBe(1);
  });
});

describe('docs/fleet.md', () => {
  it('deploys a fleet beside the listed project, as docs/deploy.md updates', { timeout: 240_000 }, async () => {
    const fragment = readCodeBlocks().find(({ file, language }) => file === 'docs/fleet.md' && language === 'jsonc');
    const { fleet } = parse(`{${fragment?.text}}`) as { fleet: object };
    await editSettings((settings) => {
      settings.fleet = { ...fleet, apiUrl: sandbox.url };
    });
    const output = await run('docs/deploy.md § Updating', { folder: app });
    expect(output).toContain('AWS::StepFunctions::StateMachine');
    expect(output).toContain('✅');
  });

  it('adds a customer with a secret', async () => {
    await run('docs/fleet.md § A fleet: many projects without listing them', { folder: app, typed: `${TEST_KEY}\n` });
    const output = await run('docs/fleet.md § A fleet: many projects without listing them (2)', { folder: app });
    expect(output).toMatch(/acme +qonversion\/acme +enforce, 50 failures, 30 min +.*gold/);
    expect(output).toMatch(/production +qonversion\/production +observe/);
  });
});

describe('every block of these documents', () => {
  it('has run', () => {
    expect([...done].sort()).toEqual([...RUNS_IN.deployment].sort());
  });
});
