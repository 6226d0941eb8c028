import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { formatInit, init as initialise } from '../../functions/cli/init.ts';
import { main } from '../../functions/cli/program.ts';
import { AbortedError, type Prompt } from '../../functions/cli/prompt.ts';
import { VERSION } from '../../functions/guard/version.ts';
import { readSettingsFile } from '../../functions/local/settings-file.ts';
import { runKey } from '../support/run-key.ts';

let folder: string;

beforeEach(async () => {
  folder = await newFolder();
});

const newFolder = () => mkdtemp(join(tmpdir(), 'guard-init-'));

/** Every file in the folder, with its text. */
function files(): Readonly<Record<string, string>> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const isFile = (name: string) => statSync(join(folder, name)).isFile();
  return Object.fromEntries(
    names
      .filter(isFile)
      .sort()
      .map((name) => [name, read(name)]),
  );
}

const read = (name: string) => readFileSync(join(folder, name), 'utf8');

function put(texts: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** A person who gives these answers and then presses Ctrl-C. */
function answering(...answers: readonly string[]): Prompt & { readonly shown: readonly string[] } {
  const left = [...answers];
  const shown: string[] = [];
  return {
    shown,
    ask: async (question) => {
      shown.push(question);
      const answer = left.shift();
      if (answer === undefined) throw new AbortedError();
      return answer;
    },
    say: (text) => {
      shown.push(text);
    },
    close: () => undefined,
  };
}

async function init(args: readonly string[], prompt: Prompt | null = null) {
  let out = '';
  let err = '';
  const code = await main(['init', folder, ...args], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    columns: 100,
    progress: () => () => undefined,
    variables: {},
    prompt: () => prompt,
  });
  return { code, out, err };
}

const guardOf = (name = 'cdk.json') => JSON.parse(read(name)).context['integration-guard'];

/** This file runs from a checkout, in its folder. */
const PACK = 'npm run build && npm pack --pack-destination';
const PACKED = `integration-guard-${VERSION}.tgz`;

const FILL =
  '(read -rs key && printf %s "$key" | aws secretsmanager put-secret-value --secret-id \'qonversion/production\' --secret-string file:///dev/stdin)';

describe('integration-guard init in a folder without a CDK app', () => {
  it('writes one, and prints the next steps', async () => {
    const { code, out, err } = await init(['--yes', '--email', 'team@example.com']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(Object.keys(files())).toEqual(['.gitignore', 'app.mjs', 'cdk.json', 'package.json']);
    expect(read('.gitignore')).toBe('node_modules\ncdk.out\n');
    expect(JSON.parse(read('cdk.json'))).toEqual({
      app: 'node app.mjs',
      context: {
        'integration-guard': {
          projects: { production: { secretName: 'qonversion/production', policy: { mode: 'observe' } } },
          alerts: { subscriptions: [{ email: 'team@example.com' }] },
        },
      },
    });
    expect(read('app.mjs')).toMatch(/^\/\/ @ts-check\n/);
    expect(read('app.mjs')).toContain("const stackName = 'IntegrationGuard';");
    expect(out).toContain('Wrote package.json, app.mjs, cdk.json and .gitignore.\n');
    expect(out).toContain(
      `Next:\n  ${PACK} ${folder}\n  cd ${folder}\n  npm install ${PACKED}\n  npx cdk deploy\n  ${FILL}\n`,
    );
    expect(out).toContain('npx cdk bootstrap');
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      'AWS sends two mails to confirm the subscriptions: one for alerts, one for alarms about the guard itself.',
    );
  });

  it('writes a package.json with the scripts, this version and what the package needs beside it', async () => {
    await init(['--yes']);
    const own = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(JSON.parse(read('package.json'))).toEqual({
      name: 'qonversion-guard',
      private: true,
      scripts: { synth: 'cdk synth --quiet', diff: 'cdk diff', deploy: 'cdk deploy' },
      dependencies: {
        'aws-cdk-lib': own.devDependencies['aws-cdk-lib'],
        constructs: own.devDependencies.constructs,
        'integration-guard': `^${VERSION}`,
      },
      devDependencies: { 'aws-cdk': own.devDependencies['aws-cdk'].replace('~', '^') },
      engines: own.engines,
    });
  });

  it('creates the folder, and prints the cd command', async () => {
    folder = join(folder, 'a', 'my guard');
    const { code, out } = await init(['--yes']);
    expect(code).toBe(0);
    expect(existsSync(join(folder, 'cdk.json'))).toBe(true);
    expect(out).toContain(`  ${PACK} '${folder}'\n  cd '${folder}'\n  npm install ${PACKED}\n`);
  });

  it('prints the cd command to the checkout when it runs from another folder', async () => {
    const outcome = await initialise(folder, { yes: true }, null, '/checkout');
    expect(formatInit(outcome, 100)).toContain(`Next:\n  cd /checkout\n  ${PACK} ${folder}\n  cd ${folder}\n`);
  });

  it('packs nothing when it runs from the installed package', async () => {
    const outcome = await initialise(folder, { yes: true }, null, null);
    expect(outcome.result).toMatchObject({ pack: null, next: ['npm install', 'npx cdk deploy', FILL] });
    expect(formatInit(outcome, 100)).toContain(`Next:\n  cd ${folder}\n  npm install\n  npx cdk deploy\n`);
  });

  it('accepts every answer as a flag', async () => {
    const flags = ['--project', 'app', '--secret-name', 'keys/app', '--email', 'a@example.com'];
    expect((await init([...flags, '--mode', 'enforce', '--stack', 'Guard-2'])).code).toBe(0);
    expect(guardOf()).toEqual({
      projects: { app: { secretName: 'keys/app', policy: { mode: 'enforce' } } },
      alerts: { subscriptions: [{ email: 'a@example.com' }] },
    });
    expect(read('app.mjs')).toContain("const stackName = 'Guard-2';");
  });

  it('prints one JSON document', async () => {
    expect(JSON.parse((await init(['--yes', '--json'])).out)).toEqual({
      folder,
      written: ['package.json', 'app.mjs', 'cdk.json', '.gitignore'],
      edited: [],
      addByHand: null,
      pack: { checkout: process.cwd(), command: `${PACK} ${folder}` },
      next: [`npm install ${PACKED}`, 'npx cdk deploy', FILL],
    });
  });

  it('says that no one gets alerts without a mail address', async () => {
    expect((await init(['--yes'])).out).toContain('No one gets alerts yet');
    expect(guardOf().alerts).toEqual({ subscriptions: [] });
  });

  it.each(['package.json', 'app.mjs', '.gitignore'])('does not overwrite %s', async (name) => {
    put({ [name]: 'precious' });
    const { code, err } = await init(['--yes']);
    expect(code).toBe(2);
    expect(err).toBe(
      `integration-guard: ${folder} already has ${name}; nothing was written; give another folder: integration-guard init FOLDER\n`,
    );
    expect(files()).toEqual({ [name]: 'precious' });
  });

  it('does not overwrite a broken link', async () => {
    symlinkSync('nowhere', join(folder, 'app.mjs'));
    expect(await init(['--yes'])).toMatchObject({ code: 2, err: expect.stringContaining('already has app.mjs') });
    expect(readdirSync(folder)).toEqual(['app.mjs']);
  });

  it('refuses a folder that is a file', async () => {
    put({ file: '' });
    folder = join(folder, 'file');
    expect(await init(['--yes'])).toMatchObject({ code: 2, err: expect.stringMatching(/is not a folder.*\n$/) });
  });
});

describe('the answers', () => {
  it('are asked for at a terminal, each with its default', async () => {
    const prompt = answering('app', '', 'a@example.com', 'enforce', '');
    expect((await init([], prompt)).code).toBe(0);
    expect(guardOf()).toEqual({
      projects: { app: { secretName: 'qonversion/app', policy: { mode: 'enforce' } } },
      alerts: { subscriptions: [{ email: 'a@example.com' }] },
    });
    expect(prompt.shown).toEqual([
      'Name of the Qonversion project [production]:',
      'Name of the secret for its Secret Key [qonversion/app]:',
      'Mail address for alerts [none]:',
      'Mode, observe (report) or enforce (pause too) [observe]:',
      'Name of the stack [IntegrationGuard]:',
    ]);
  });

  it('are not asked for when a flag gives them', async () => {
    const prompt = answering('', '');
    await init(['--project', 'app', '--email', '', '--mode', 'observe'], prompt);
    expect(prompt.shown).toHaveLength(2);
    expect(guardOf().alerts.subscriptions).toEqual([]);
  });

  it('are asked for again after a fault', async () => {
    const prompt = answering('my project', 'app', '', 'no address', '', 'maybe', 'observe', '1', 'Guard');
    expect((await init([], prompt)).code).toBe(0);
    expect(prompt.shown.filter((text) => text.startsWith('expected'))).toEqual([
      'expected a project name of letters, digits, "-" and "_" (64 at most), got "my project"',
      'expected a mail address, got "no address"',
      'expected "enforce" or "observe", got "maybe"',
      'expected the name of a stack (letters, digits and "-", beginning with a letter), got "1"',
    ]);
  });

  it('are named in one sentence when some are missing and there is no terminal', async () => {
    expect(await init(['--project', 'app', '--mode', 'observe'])).toEqual({
      code: 2,
      out: '',
      err: 'integration-guard: there is no terminal for questions: give --secret-name, --email and --stack too, or --yes for their defaults\n',
    });
    expect(files()).toEqual({});
  });

  it('leave nothing behind after Ctrl-C', async () => {
    const target = join(folder, 'new');
    folder = target;
    const result = await init([], answering('app', ''));
    expect(result).toEqual({ code: 1, out: '', err: 'integration-guard: stopped; nothing was written\n' });
    expect(existsSync(target)).toBe(false);
  });

  it.each([
    ['--project', 'a b', 'expected a project name of letters, digits, "-" and "_" (64 at most), got "a b"'],
    ['--project', '', 'expected a project name of letters, digits, "-" and "_" (64 at most), got ""'],
    ['--project', '__proto__', 'expected another name'],
    ['--secret-name', 'a b', 'expected a Secrets Manager name (letters, digits and /_+=.@-), got "a b"'],
    ['--email', 'nobody', 'expected a mail address, got "nobody"'],
    ['--mode', 'on', 'expected "enforce" or "observe", got "on"'],
    ['--stack', 'a_b', 'expected the name of a stack (letters, digits and "-", beginning with a letter), got "a_b"'],
  ])('are refused in one sentence: %s "%s"', async (flag, answer, fault) => {
    expect(await init([`${flag}=${answer}`, '--yes'])).toEqual({
      code: 2,
      out: '',
      err: `integration-guard: init: ${flag}: ${fault}\n`,
    });
    expect(files()).toEqual({});
  });

  it('get one line for each fault', async () => {
    const { err } = await init(['--project=a b', '--email=c d', '--yes']);
    expect(err.split('\n')).toHaveLength(3);
  });

  it.each(['--project', '--secret-name', '--email', '--mode', '--stack'])(
    'that are a Secret Key are refused, and never shown: %s',
    async (flag) => {
      for (const key of [runKey(), 'sk_live_abcdefgh12345678']) {
        const { code, out, err } = await init([`${flag}=${key}`, '--yes']);
        expect({ code, out }).toEqual({ code: 2, out: '' });
        expect(err).toContain('expected no secret, but this looks like');
        expect(err).not.toContain(key);
        expect(err.trim().split('\n')).toHaveLength(1);
        expect(JSON.stringify(await init([`${flag}=${key}`, '--yes', '--json']))).not.toContain(key);
      }
      expect(files()).toEqual({});
    },
  );

  it('are not repeated at a terminal when they are a Secret Key', async () => {
    const prompt = answering(runKey());
    expect((await init([], prompt)).code).toBe(1);
    expect(prompt.shown.join()).toContain('expected no secret');
    expect(prompt.shown.join()).not.toContain(runKey());
  });

  it('either become settings that parse, or are refused with a sentence for each fault and nothing written', async () => {
    const answer = fc.oneof(
      fc.constantFrom(
        'production',
        'qonversion/x',
        'a@example.com',
        'enforce',
        'observe',
        'Guard',
        '',
        'sk_fake_key_1',
      ),
      fc.string({ unit: 'binary', maxLength: 70 }),
      fc.string({ maxLength: 20 }),
    );
    const flags = fc.record(
      { project: answer, 'secret-name': answer, email: answer, mode: answer, stack: answer },
      { requiredKeys: [] },
    );
    const before = fc.constantFrom({}, { 'cdk.json': '{}', 'package.json': '{}' });
    await fc.assert(
      fc.asyncProperty(flags, before, async (given, texts) => {
        folder = await newFolder();
        put(texts);
        const { code, err } = await init([
          ...Object.entries(given).map(([name, value]) => `--${name}=${value}`),
          '--yes',
        ]);
        if (code === 0) {
          const { projects } = readSettingsFile(join(folder, 'cdk.json'));
          expect(Object.keys(projects)).toEqual([given.project ?? 'production']);
          return;
        }
        expect(code).toBe(2);
        expect(files()).toEqual(texts);
        const lines = err.replace('integration-guard: init: ', '').trimEnd().split('\n');
        const named = lines.map((line) => /^--([a-z-]+): expected [^\n]+$/.exec(line)?.[1]);
        expect(new Set(named).size).toBe(lines.length);
        expect(Object.keys(given)).toEqual(expect.arrayContaining(named));
      }),
      { numRuns: 150 },
    );
  });
});

const CDK = `{
  // how to run it
  "app": "APP", // here
  "context": {
    "@aws-cdk/core:checkSecretUsage": true // kept
  }
}
`;

const TS_ENTRY = `#!/usr/bin/env node
import * as cdk from 'aws-cdk-lib/core';
import { MyStack } from '../lib/my-stack';

const app = new cdk.App();
new MyStack(app, 'MyStack', {
  /* new App() */
});
`;

const JS_ENTRY = `#!/usr/bin/env node

const cdk = require('aws-cdk-lib/core');
const { MyStack } = require('../lib/my-stack');

const app = new cdk.App();
new MyStack(app, 'MyStack', {});
`;

function putApp(app: string, entry: string, text: string, more: Readonly<Record<string, string>> = {}): void {
  put({ 'cdk.json': CDK.replace('APP', app), 'package.json': '{}', [entry]: text, ...more });
}

describe('integration-guard init in a folder with a CDK app', () => {
  it('adds the guard to an app in TypeScript from the CDK template', async () => {
    putApp('npx tsc && npx tsx bin/my.ts', 'bin/my.ts', TS_ENTRY, { 'tsconfig.json': '{}' });
    const { code, out, err } = await init(['--yes']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(read('bin/my.ts')).toBe(
      TS_ENTRY.replace(
        "my-stack';\n",
        "my-stack';\nimport { addIntegrationGuard } from '../lib/integration-guard-stack';\n",
      ).replace('cdk.App();\n', 'cdk.App();\nvoid addIntegrationGuard(app);\n'),
    );
    expect(read('cdk.json')).toBe(
      CDK.replace('APP', 'npx tsc && npx tsx bin/my.ts').replace(
        '"context": {\n',
        `"context": {
    "integration-guard": {
      "projects": {
        "production": {
          "secretName": "qonversion/production",
          "policy": {
            "mode": "observe"
          }
        }
      },
      "alerts": {
        "subscriptions": []
      }
    },
`,
      ),
    );
    expect(read('lib/integration-guard-stack.ts')).toContain(
      'export async function addIntegrationGuard(app: App): Promise<void> {',
    );
    expect(out).toContain('Wrote lib/integration-guard-stack.ts.\nEdited cdk.json and bin/my.ts.\n');
    expect(out).toContain(`  npm install ${PACKED}\n  npx cdk deploy IntegrationGuard\n  ${FILL}\n`);
  });

  it('prints one JSON document', async () => {
    putApp('npx tsx bin/my.ts', 'bin/my.ts', TS_ENTRY);
    expect(JSON.parse((await init(['--yes', '--json', '--stack', 'Guard'])).out)).toEqual({
      folder,
      written: ['lib/integration-guard-stack.ts'],
      edited: ['cdk.json', 'bin/my.ts'],
      addByHand: null,
      pack: { checkout: process.cwd(), command: `${PACK} ${folder}` },
      next: [`npm install ${PACKED}`, 'npx cdk deploy Guard', FILL],
    });
  });

  it.each([
    ['CommonJS', 'node bin/my.js', 'bin/my.js', JS_ENTRY, '{}', 'lib/integration-guard-stack.js', REQUIRE('..', '')],
    [
      'CommonJS by extension',
      'node my.cjs',
      'my.cjs',
      JS_ENTRY,
      '{"type":"module"}',
      'lib/integration-guard-stack.cjs',
      REQUIRE('./lib', '.cjs'),
    ],
    [
      'modules by type',
      'node bin/my.js',
      'bin/my.js',
      TS_ENTRY,
      '{"type":"module"}',
      'lib/integration-guard-stack.js',
      IMPORT('../lib', '.js'),
    ],
    [
      'modules by extension',
      'node my.mjs',
      'my.mjs',
      TS_ENTRY,
      '{}',
      'lib/integration-guard-stack.mjs',
      IMPORT('./lib', '.mjs'),
    ],
    [
      'modules by syntax',
      'node bin/my.js',
      'bin/my.js',
      TS_ENTRY,
      '{}',
      'lib/integration-guard-stack.js',
      IMPORT('../lib', '.js'),
    ],
    [
      'TypeScript that Node runs',
      'node bin/my.ts',
      'bin/my.ts',
      TS_ENTRY.replace('my-stack', 'my-stack.ts'),
      '{}',
      'lib/integration-guard-stack.ts',
      IMPORT('../lib', '.ts'),
    ],
    [
      'TypeScript of modules',
      'npx tsx bin/my.ts',
      'bin/my.ts',
      TS_ENTRY.replace('my-stack', 'my-stack.js'),
      '{"type":"module"}',
      'lib/integration-guard-stack.ts',
      IMPORT('../lib', '.js'),
    ],
    [
      'TypeScript elsewhere',
      'npx ts-node -P tsconfig.json src/main.ts',
      'src/main.ts',
      TS_ENTRY,
      '{}',
      'src/integration-guard-stack.ts',
      "import { addIntegrationGuard } from './integration-guard-stack';",
    ],
  ])('speaks the language of the app: %s', async (_, app, entry, text, manifest, written, line) => {
    putApp(app, entry, text, { 'package.json': manifest });
    const { code, err } = await init(['--yes']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(read(entry)).toContain(`\n${line}\n`);
    const isModule = line.startsWith('import') && !app.includes('ts-node');
    expect(read(entry)).toContain(`cdk.App();\n${isModule ? 'await' : 'void'} addIntegrationGuard(app);\n`);
    expect(existsSync(join(folder, written))).toBe(true);
    const isCommonJs = line.startsWith('const');
    expect(read(written).includes("require('integration-guard')")).toBe(isCommonJs);
  });

  it('keeps quotes, line breaks, a byte-order mark and missing semicolons of the entry file', async () => {
    const entry =
      '\ufeffimport { App } from "aws-cdk-lib"\r\nconst app = new App({\r\n  context: {},\r\n}) // here\r\napp.synth()';
    putApp('node app.mjs', 'app.mjs', entry);
    await init(['--yes']);
    expect(read('app.mjs')).toBe(
      entry
        .replace('lib"\r\n', 'lib"\r\nimport { addIntegrationGuard } from "./lib/integration-guard-stack.mjs"\r\n')
        .replace('// here\r\n', '// here\r\nawait addIntegrationGuard(app)\r\n'),
    );
  });

  it.each([
    ['without a context', '{ "app": "x" }', '{ "app": "x", "context": {"integration-guard":'],
    [
      'with an empty context',
      '{\n\t"context": {}\n}\n',
      '{\n\t"context": {\n\t\t"integration-guard": {\n\t\t\t"projects"',
    ],
    [
      'with trailing commas',
      '{\r\n  "app": "x", // x\r\n}\r\n',
      '{\r\n  "app": "x", // x\r\n  "context": {\r\n    "integration-guard": {',
    ],
    ['with a byte-order mark', '\ufeff{}', '\ufeff{"context": {"integration-guard":'],
  ])('puts the settings into a cdk.json %s', async (_, before, after) => {
    put({ 'cdk.json': before, 'package.json': '{}' });
    expect((await init(['--yes'])).err).toBe('');
    expect(read('cdk.json').slice(0, after.length)).toBe(after);
    expect(readSettingsFile(join(folder, 'cdk.json')).projects).toHaveProperty('production');
  });

  it.each([
    ['two apps', 'node my.mjs', 'my.mjs', `${TS_ENTRY}const other = new cdk.App();\n`],
    [
      'an app in a function',
      'node my.mjs',
      'my.mjs',
      "import { App } from 'aws-cdk-lib';\nfunction go() {\nconst app = new App();\n}\n",
    ],
    ['an app without a name', 'node my.mjs', 'my.mjs', "import { App } from 'aws-cdk-lib';\nmake(new App());\n"],
    [
      'more on its line',
      'node my.mjs',
      'my.mjs',
      "import { App } from 'aws-cdk-lib';\nconst app = new App(); go(app);\n",
    ],
    ['a chain', 'node my.mjs', 'my.mjs', "import { App } from 'aws-cdk-lib';\nconst app = new App().node;\n"],
    ['an app of another package', 'node my.mjs', 'my.mjs', "import { App } from 'express';\nconst app = new App();\n"],
    [
      'an app in a comment',
      'node my.mjs',
      'my.mjs',
      "import { App } from 'aws-cdk-lib';\n/*\nconst app = new App();\n*/\n",
    ],
    ['an entry that is not there', 'node my.mjs', 'other.mjs', TS_ENTRY],
    ['an entry outside', 'node ../my.mjs', 'other.mjs', TS_ENTRY],
    ['what a compiler makes of it', 'node my.js', 'my.js', TS_ENTRY],
  ])('edits no entry file with %s, and says what to add', async (_, app, entry, text) => {
    putApp(app, entry, text, entry === 'my.js' ? { 'tsconfig.json': '{ "compilerOptions": { "outDir": "." } }' } : {});
    const { code, out } = await init(['--yes']);
    expect(code).toBe(0);
    expect(read(entry)).toBe(text);
    expect(out.replace(/\s+/g, ' ')).toMatch(/Add these two lines .* after the statement that creates the App:/);
    expect(out).toMatch(
      /\n {2}(?:import|const) \{ addIntegrationGuard \} .*\n {2}(?:await|void) addIntegrationGuard\(app\);\n/,
    );
    expect(out).toContain('Edited cdk.json.\n');
  });

  it('adds no call to CommonJS after app.synth()', async () => {
    const text = `${JS_ENTRY}app.synth();\n`;
    putApp('node bin/my.js', 'bin/my.js', text);
    const { addByHand, edited } = JSON.parse((await init(['--yes', '--json'])).out);
    expect(read('bin/my.js')).toBe(text);
    expect(edited).toEqual(['cdk.json']);
    expect(addByHand).toEqual({
      file: 'bin/my.js',
      lines: [REQUIRE('..', ''), 'addIntegrationGuard(app).then(() => app.synth());'],
      where: 'the first at the top, the second in place of app.synth()',
    });
  });

  it.each([
    ['yarn.lock', 'yarn add'],
    ['pnpm-lock.yaml', 'pnpm add'],
    ['bun.lock', 'bun add'],
    ['package-lock.json', 'npm install'],
  ])('names the package manager of %s', async (lock, command) => {
    putApp('node my.mjs', 'my.mjs', TS_ENTRY, { [lock]: '' });
    const { result } = await initialise(folder, { yes: true }, null, null);
    expect(result.next[0]).toBe(`${command} integration-guard`);
  });

  it('gives the packed file as a path to the other package managers', async () => {
    putApp('node my.mjs', 'my.mjs', TS_ENTRY, { 'yarn.lock': '' });
    expect(JSON.parse((await init(['--yes', '--json'])).out).next[0]).toBe(`yarn add ./${PACKED}`);
  });

  it.each([
    [
      'has the settings already',
      { 'cdk.json': '{"context":{"integration-guard":{}}}' },
      'already has settings of the guard',
    ],
    ['has the file already', { 'lib/integration-guard-stack.mjs': '' }, 'already has lib/integration-guard-stack.mjs'],
    [
      'has the guard already',
      { 'my.mjs': `${TS_ENTRY}addIntegrationGuard(app);` },
      'my.mjs already uses addIntegrationGuard',
    ],
    ['has a file in place of the folder', { lib: '' }, 'lib is not a folder'],
    ['is not JSON', { 'cdk.json': '{' }, 'line 1, column 2: expected a name'],
    ['is no object', { 'cdk.json': '[]' }, 'expected an object'],
    ['has a context that is none', { 'cdk.json': '{"context":1}' }, 'context: expected an object'],
    ['has an entry twice', { 'cdk.json': '{"app":"a","app":"b"}' }, 'expected one entry of this name, got two'],
    ['has a package.json that is not JSON', { 'package.json': 'x' }, 'expected JSON that begins with "{"'],
    ['is managed by projen', { '.projenrc.ts': '' }, 'projen'],
  ])('writes nothing when the app %s', async (_, texts, complaint) => {
    putApp('node my.mjs', 'my.mjs', TS_ENTRY);
    put(texts);
    const before = files();
    const { code, out, err } = await init(['--yes']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(complaint);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(files()).toEqual(before);
  });

  it('writes nothing into an app in another language', async () => {
    put({ 'cdk.json': '{"app":"python3 app.py"}' });
    expect(await init(['--yes'])).toMatchObject({ code: 2, err: expect.stringContaining('TypeScript or JavaScript') });
    expect(Object.keys(files())).toEqual(['cdk.json']);
  });

  it('writes nothing into text in another encoding', async () => {
    putApp('node my.mjs', 'my.mjs', TS_ENTRY);
    writeFileSync(join(folder, 'my.mjs'), Buffer.from(`${TS_ENTRY}// M\u00e4rz\n`, 'latin1'));
    expect(await init(['--yes'])).toMatchObject({ code: 2, err: expect.stringContaining('expected UTF-8') });
    expect(existsSync(join(folder, 'lib'))).toBe(false);
  });

  it.each(['typescript', 'javascript'])('supports the output of cdk init in %s', async (language) => {
    cpSync(`node_modules/aws-cdk/lib/init-templates/app/${language}`, folder, { recursive: true });
    const extension = language === 'typescript' ? 'ts' : 'js';
    const fill = (text: string) => text.replace(/%name\.PascalCased%/g, 'My').replace(/%\w[\w-]*%/g, 'my');
    put({
      'cdk.json': fill(read('cdk.template.json')),
      [`bin/my.${extension}`]: fill(
        readFileSync(join(folder, 'bin', readdirSync(join(folder, 'bin'))[0] ?? ''), 'utf8'),
      ),
    });
    const { edited, addByHand } = JSON.parse((await init(['--yes', '--json'])).out);
    expect(addByHand).toBeNull();
    expect(edited).toEqual(['cdk.json', `bin/my.${extension}`]);
  });
});

function IMPORT(folder: string, extension: string): string {
  return `import { addIntegrationGuard } from '${folder}/integration-guard-stack${extension}';`;
}

function REQUIRE(from: string, extension: string): string {
  const path = from === '..' ? '../lib' : from;
  return `const { addIntegrationGuard } = require('${path}/integration-guard-stack${extension}');`;
}

describe('integration-guard init --help', () => {
  it('has an example', async () => {
    expect((await init(['--help'])).out).toContain('Example:\n  npx integration-guard init ');
  });
});
