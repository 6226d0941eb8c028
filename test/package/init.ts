import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * Runs `init` of the built package on apps of several kinds, type-checks each app that has types, and synthesises it with the CDK CLI. The
 * apps find the package as after `npm install`.
 */

const run = promisify(execFile);

const NODE_MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url));

/** Installed in the apps besides the package: its dependencies, the compiler and the types of Node. */
const INSTALLED = [
  'aws-cdk-lib',
  'constructs',
  'aws-cdk',
  'zod',
  'jsonc-parser',
  'typescript',
  '@types/node',
  'undici-types',
];

/** Writes an app like `cdk init`, from the CDK CLI's own template. */
function writeTemplate(folder: string, language: 'typescript' | 'javascript'): void {
  const template = join(NODE_MODULES, 'aws-cdk', 'lib', 'init-templates', 'app', language);
  const fill = (text: string) =>
    text
      .replaceAll('%name.PascalCased%', 'My')
      .replaceAll('%stackname%', 'MyStack')
      .replace(/%[\w-]+%/g, 'my');
  const extension = language === 'typescript' ? 'ts' : 'js';
  const copy = (from: string, to: string) => {
    mkdirSync(dirname(join(folder, to)), { recursive: true });
    writeFileSync(join(folder, to), fill(readFileSync(join(template, from), 'utf8')));
  };
  copy('cdk.template.json', 'cdk.json');
  copy('package.json', 'package.json');
  copy(`bin/%name%.template.${extension}`, `bin/my.${extension}`);
  copy(`lib/%name%-stack.template.${extension}`, `lib/my-stack.${extension}`);
  if (language === 'typescript') copy('tsconfig.json', 'tsconfig.json');
}

function put(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

const MODULE_ENTRY = `import { App, Stack } from 'aws-cdk-lib';

const app = new App();
new Stack(app, 'MyStack');
app.synth();
`;

interface App {
  readonly name: string;
  /** Writes the app before `init`. */
  readonly write: (folder: string) => void;
  /** Arguments of Node before the synthesis: the compiler, at least to check types. */
  readonly compile?: readonly string[];
  /** The command of the synthesis, in place of the one in `cdk.json`. */
  readonly command?: string;
  readonly stacks: readonly string[];
}

const TSC = 'node_modules/typescript/bin/tsc';

const APPS: readonly App[] = [
  {
    name: 'no app',
    write: () => undefined,
    compile: [
      TSC,
      '--noEmit',
      '--allowJs',
      '--module',
      'nodenext',
      '--strict',
      '--skipLibCheck',
      '--types',
      'node',
      'app.mjs',
    ],
    stacks: ['Guard'],
  },
  {
    name: 'TypeScript as CommonJS',
    // The types of Jest are not installed here.
    write: (folder) => {
      writeTemplate(folder, 'typescript');
      const tsconfig = readFileSync(join(folder, 'tsconfig.json'), 'utf8');
      put(folder, { 'tsconfig.json': tsconfig.replace(/"jest",\s*/, '') });
    },
    compile: [TSC, '--noEmit', 'false', '--outDir', 'built'],
    command: 'node built/bin/my.js',
    stacks: ['Guard', 'MyStack'],
  },
  {
    name: 'TypeScript that Node runs',
    write: (folder) =>
      put(folder, {
        'cdk.json': '{\n  "app": "node bin/my.ts"\n}\n',
        'package.json': '{ "type": "module" }',
        'bin/my.ts': MODULE_ENTRY,
      }),
    compile: [
      TSC,
      '--noEmit',
      '--module',
      'nodenext',
      '--strict',
      '--skipLibCheck',
      '--allowImportingTsExtensions',
      '--types',
      'node',
      'bin/my.ts',
    ],
    stacks: ['Guard', 'MyStack'],
  },
  {
    name: 'JavaScript as CommonJS',
    write: (folder) => writeTemplate(folder, 'javascript'),
    stacks: ['Guard', 'MyStack'],
  },
  {
    name: 'JavaScript modules',
    write: (folder) =>
      put(folder, {
        'cdk.json': '{ "app": "node bin/my.js", "context": {} }',
        'package.json': '{ "type": "module" }',
        'bin/my.js': MODULE_ENTRY,
      }),
    stacks: ['Guard', 'MyStack'],
  },
];

/**
 * @param packageFolder the built package, unpacked or as a checkout
 * @throws Error with the name of the app and the failed assertion, or the output of the command that failed
 */
export async function checkInit(packageFolder: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'guard-apps-'));
  try {
    install(packageFolder, join(root, 'node_modules'));
    for (const app of APPS) {
      const folder = join(root, app.name.replaceAll(' ', '-'));
      mkdirSync(folder);
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
      app.write(folder);
      try {
        await checkApp(folder, app);
      } catch (error) {
        throw new Error(`init does not work with ${app.name}: ${outputOf(error)}`, { cause: error });
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Copies the package instead of linking it, so that it finds the app's libraries, as after an installation. */
function install(packageFolder: string, nodeModules: string): void {
  for (const file of ['package.json', 'dist', join('functions', 'cli', 'launch.cjs')])
    cpSync(join(packageFolder, file), join(nodeModules, 'integration-guard', file), { recursive: true });
  for (const name of INSTALLED) {
    mkdirSync(dirname(join(nodeModules, name)), { recursive: true });
    symlinkSync(join(NODE_MODULES, name), join(nodeModules, name));
  }
}

async function checkApp(folder: string, { compile, command, stacks }: App): Promise<void> {
  // Without credentials the app does not look for a deployed stack.
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
  };
  const node = (...args: readonly string[]) => run(process.execPath, args, { cwd: folder, env });
  const guard = 'node_modules/integration-guard/functions/cli/launch.cjs';
  const { stdout } = await node(guard, 'init', '--yes', '--json', '--stack', 'Guard', '--email', 'team@example.com');
  assert.equal(JSON.parse(stdout).addByHand, null);
  if (compile !== undefined) await node(...compile);
  const app = command === undefined ? [] : ['--app', command];
  await node('node_modules/aws-cdk/bin/cdk', 'synth', '--quiet', '--no-notices', ...app);

  const assembly = JSON.parse(readFileSync(join(folder, 'cdk.out', 'manifest.json'), 'utf8'));
  const types: Readonly<Record<string, { readonly type: string }>> = assembly.artifacts;
  const found = Object.entries(types).flatMap(([name, { type }]) => (type === 'aws:cloudformation:stack' ? name : []));
  assert.deepEqual(found.sort(), stacks);
  const template = readFileSync(join(folder, 'cdk.out', 'Guard.template.json'), 'utf8');
  const resources: readonly { readonly Type: string }[] = Object.values(JSON.parse(template).Resources);
  for (const type of [
    'AWS::Lambda::Function',
    'AWS::Scheduler::Schedule',
    'AWS::DynamoDB::Table',
    'AWS::SecretsManager::Secret',
  ])
    assert.ok(
      resources.some(({ Type }) => Type === type),
      `the template has no ${type}`,
    );
  assert.match(template, /team@example\.com/);
}

/** The message and the output of a failed command. */
function outputOf(error: unknown): string {
  const { stdout = '', stderr = '', message } = error as { stdout?: string; stderr?: string; message: string };
  return [message, stdout, stderr].join('\n').trim();
}
