import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Sandbox, startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import { runCommandLine } from '../support/command-line.ts';
import { runKey } from '../support/run-key.ts';

/** The exit code and the `--json` document of every command, with valid and invalid words. */

let sandbox: Sandbox;
let folder: string;
let settingsFile: string;

beforeAll(async () => {
  // No server listens there, and the machine's own role is not available.
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
  sandbox = await startSandbox({ production: new World({ startAt: new Date().toISOString() }) });
  sandbox.regenerateKey(runKey());
  sandbox.production.add({ id: 'good-1', active: 1, eventsPerMinute: 10 });
  folder = await mkdtemp(join(tmpdir(), 'guard-exit-codes-'));
  settingsFile = join(folder, 'settings.json');
  await writeFile(settingsFile, JSON.stringify({ projects: { production: { secretName: 'x', apiUrl: sandbox.url } } }));
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await sandbox.close();
});

const guard = (words: string | readonly string[], variables: Record<string, string | undefined> = {}) =>
  runCommandLine(words, {
    QONVERSION_SECRET_KEY: runKey(),
    GUARD_SETTINGS: settingsFile,
    GUARD_LEDGER: join(folder, 'ledger.json'),
    ...variables,
  });

const OF_A_STACK = [
  'plan',
  'list',
  'run',
  'pause x',
  'resume x',
  'ignore x',
  'history',
  'gaps',
  'simulate',
  'projects',
  'changes',
];

describe('a failed command', () => {
  it.each(OF_A_STACK)('exits with 1 when AWS cannot be reached: %s', async (words) => {
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
    const { code, err } = await guard(`${words} --stack Nowhere`);
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(/ECONNREFUSED.*; check .*AWS_PROFILE and AWS_REGION\n$/),
    });
  });

  it.each([
    ['a region', { AWS_REGION: undefined, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }],
    ['credentials', { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }],
  ])('exits with 1 without %s', async (_, variables) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    for (const words of ['list', 'projects', 'changes']) {
      const { code, err } = await guard(`${words} --stack Nowhere`);
      expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('AWS_REGION') });
      expect(err).not.toContain('internal error');
    }
  });

  it.each(['plan', 'list', 'pause good-1', 'history zzz'])(
    'exits with 1 when Qonversion cannot be reached: %s',
    async (words) => {
      const closed = join(folder, 'closed.json');
      await writeFile(closed, JSON.stringify({ projects: { a: { secretName: 'x', apiUrl: 'http://127.0.0.1:9' } } }));
      const { code, err } = await guard(words, { GUARD_SETTINGS: closed });
      expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('Qonversion') });
    },
    30_000,
  );

  it('exits with 1 when the ledger cannot be written', async () => {
    expect(await guard('pause good-1', { GUARD_LEDGER: '/dev/null/ledger.json' })).toMatchObject({ code: 1, out: '' });
  });
});

describe('a usage error', () => {
  it.each([
    ['a stack that cannot be named so', 'list --stack a_b', {}],
    ['the same in a variable', 'list', { GUARD_STACK: 'a_b' }],
    ['a project that is not there', 'list --project other', {}],
    ['settings that are not there', 'list', { GUARD_SETTINGS: '/nowhere.json' }],
    ['a key that is none', 'list', { QONVERSION_SECRET_KEY: 'x' }],
    ['an id that is not there', 'resume zzz', {}],
    ['no command', '', {}],
  ])('exits with 2: %s', async (_, words, variables) => {
    expect(await guard(words, variables)).toMatchObject({ code: 2, out: '' });
  });
});

describe('a usage error in one sentence', () => {
  it.each([
    ["unknown command 'foo'", 'help foo'],
    ['name a subcommand: settings migrate', 'settings'],
    ["unknown command 'foo'", 'settings foo'],
    ["option '--off' cannot be used with option '--for <time>'", 'ignore good-1 --off --for 2h'],
  ])('%s: %s', async (message, words) => {
    const { code, out, err } = await guard(words);
    expect({ code, out, err }).toEqual({
      code: 2,
      out: '',
      err: `error: ${message}\n(integration-guard --help shows every command)\n`,
    });
  });

  it.each([
    ['help foo --json', "unknown command 'foo'"],
    ['help --json foo', "unknown command 'foo'"],
  ])('as one JSON document: %s', async (words, message) => {
    const { code, out, err } = await guard(words);
    expect({ code, err }).toEqual({ code: 2, err: '' });
    expect(JSON.parse(out)).toEqual({ error: { name: 'UsageError', message, exitCode: 2 } });
  });

  it.each(['help', 'help init', 'help settings'])('is not: %s', async (words) => {
    expect(await guard(words)).toMatchObject({ code: 0, err: '' });
  });

  it.each(['list', 'doctor'])('several projects without --project: %s', async (words) => {
    const several = join(folder, 'several.json');
    await writeFile(several, JSON.stringify({ projects: { a: { secretName: 'x' }, b: { secretName: 'y' } } }));
    expect(await guard(words, { GUARD_SETTINGS: several })).toEqual({
      code: 2,
      out: '',
      err: `integration-guard: ${several} has several projects; name one with --project: a, b\n`,
    });
  });
});

/** Other tests cover the commands that wait, ask questions or take seconds. */
const COMMANDS = [
  ...['plan', 'list', 'run', 'pause', 'resume', 'ignore', 'history', 'gaps', 'doctor', 'projects', 'changes'],
  ...['init', 'settings', 'settings migrate', 'complete', 'help', 'nonsense', ''],
];

const WORDS = [
  ...[
    'good-1',
    'zzz',
    '../x',
    '-1',
    '',
    '--',
    '--project',
    '--project=production',
    '--project=nope',
    '--verbose',
    '--help',
  ],
  ...[
    '--force',
    '--off',
    '--for=2h',
    '--for',
    '--since=1h',
    '--since=soon',
    '--csv',
    '--stack=a_b',
    '--version',
    '-V',
    '-h',
  ],
  ...[
    'zsh',
    'tcsh',
    '--yes',
    '--mode=loud',
    '--email=nobody',
    '--dry-run',
    'migrate',
    '--fast',
    '--json=yes',
    '\u001b[2J',
    'plan',
  ],
];

const SETTINGS = ['', '{', '{}', '{"projects":{"a":{"secretName":"x","policy":{"unstable":"off"}}}}'];

describe('--json', () => {
  it('prints one document to standard output and nothing to standard error, for any words', async () => {
    let number = 0;
    const codes = new Set<number>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...COMMANDS),
        fc.array(fc.constantFrom(...WORDS), { maxLength: 3 }),
        fc.option(fc.constantFrom(...SETTINGS)),
        fc.boolean(),
        async (command, words, settings, first) => {
          const given = [...command.split(' ').filter((word) => word !== '')];
          // Words after "--" are not options.
          const end = words.indexOf('--');
          const at = first || end !== -1 ? 0 : words.length;
          const options = [...words.slice(0, at), '--json', ...words.slice(at)];
          number += 1;
          const own = join(folder, `settings-${number}.json`);
          if (settings !== null) await writeFile(own, settings);
          const args =
            given[0] === 'init' ? [...given, join(folder, `app-${number}`), ...options] : [...given, ...options];
          const { code, out, err } = await guard(args, settings === null ? {} : { GUARD_SETTINGS: own });
          const document = JSON.parse(out) as { readonly error?: unknown };
          codes.add(code);
          const isLogged = words.includes('--verbose');
          if (!isLogged) expect(err).toBe('');
          expect(typeof document === 'object' && document !== null).toBe(true);
          if (document.error !== undefined)
            expect(document.error).toEqual({
              name: expect.any(String),
              message: expect.stringMatching(/./),
              exitCode: code,
            });
          if (code === 2) expect(document).toHaveProperty('error');
        },
      ),
      { numRuns: 300, seed: 26_11 },
    );
    expect([...codes].sort()).toEqual([0, 1, 2]);
  }, 60_000);

  it.each([
    ['--version --json', { version: expect.any(String) }],
    ['--json --version', { version: expect.any(String) }],
    ['plan --help --json', { help: expect.stringContaining('integration-guard plan') }],
    ['complete zsh --json', { shell: 'zsh', script: expect.stringContaining('#compdef integration-guard') }],
    ['complete tcsh --json', { error: { name: 'UsageError', message: expect.stringContaining('tcsh'), exitCode: 2 } }],
    [
      '--json',
      { error: { name: 'UsageError', message: expect.stringContaining("unknown option '--json'"), exitCode: 2 } },
    ],
  ])('of "%s" is the document for it', async (words, document) => {
    expect(JSON.parse((await guard(words)).out)).toEqual(document);
  });
});
