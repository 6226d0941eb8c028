import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PRODUCTION_KEY, startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import { checkInit } from './init.ts';
import { createFolder, type Folder, PROJECT, pack } from './pack.ts';

/**
 * Installs the packed tarball outside the checkout: into the CDK CLI's own template (CommonJS), into an ESM app with the oldest CDK that the
 * package supports, and into an empty folder.
 */

const SETTINGS = {
  projects: { production: { secretName: 'qonversion/production', policy: { mode: 'observe' } } },
  fleet: { secretNamePrefix: 'customers/' },
  alerts: { subscriptions: [{ email: 'ops@example.com' }] },
};
const STACK = 'IntegrationGuard';
const SYNTH = ['synth', '--quiet', '--no-version-reporting', '--output', 'cdk.out'];

interface Manifest {
  readonly version: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

let tarball: string;
let manifest: Manifest;
/** CDK's own template, in CommonJS, with the newest CDK. */
let template: Folder;
/** ESM, with the oldest CDK. */
let esm: Folder;

beforeAll(async () => {
  manifest = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Manifest;
  tarball = await pack();
  template = await createFolder('shop');
  await template.must(join(PROJECT, 'node_modules', '.bin', 'cdk'), [
    'init',
    'app',
    '--language',
    'typescript',
    '--generate-only',
  ]);
  esm = await createFolder('esm');
  await esm.write('package.json', { private: true, type: 'module' });
  const oldest = Object.entries(manifest.peerDependencies).map(([name, range]) => `${name}@${range.replace('^', '')}`);
  const common = [tarball, 'typescript59@npm:typescript@~5.9.0'];
  await template.must('npm', ['install', '--save', ...common]);
  await esm.must('npm', ['install', ...oldest, ...common, 'aws-cdk@2.1148.1', 'typescript@~7.0.2', '@types/node@24']);
});

describe('the tarball', () => {
  it('holds the built files, without sources and tests, and the licences of bundled packages', async () => {
    const files = (await template.must('tar', ['-tzf', tarball]))
      .split('\n')
      .map((name) => name.replace(/^package\//, ''));
    expect(files).toEqual(
      expect.arrayContaining([
        'dist/index.cjs',
        'dist/cli/main.mjs',
        'dist/lambda/pass.mjs',
        'dist/types/infra/index.d.ts',
        'dist/THIRD-PARTY-LICENSES.txt',
        'functions/cli/launch.cjs',
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'docs/runbook.md',
      ]),
    );
    expect(files.filter((name) => /^(?:infra|functions|test)\/|\.ts$/.test(name) && !name.endsWith('.d.ts'))).toEqual([
      'functions/cli/launch.cjs',
    ]);
    const licences = await readFile(join(PROJECT, 'dist', 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const name of ['commander', '@aws-sdk/client-dynamodb', 'write-file-atomic'])
      expect(licences).toContain(`\n${name} `);
  });

  it('depends on CDK and two small libraries, and installs no bundler', async () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['jsonc-parser', 'zod']);
    expect(Object.keys(manifest.peerDependencies).sort()).toEqual(['aws-cdk-lib', 'constructs']);
    const installed = await readdir(join(esm.path, 'node_modules'));
    expect(installed).toContain('integration-guard');
    expect(installed).not.toContain('esbuild');
  });
});

describe("in CDK's own template (CommonJS)", () => {
  beforeAll(async () => {
    const { context } = JSON.parse(await readFile(join(PROJECT, 'cdk.json'), 'utf8')) as { context: object };
    const own = JSON.parse(await template.read('cdk.json')) as { app: string };
    await template.write('cdk.json', { ...own, context: { ...context, 'integration-guard': SETTINGS } });
    await template.write(
      'bin/shop.ts',
      `import * as cdk from 'aws-cdk-lib/core';
import { IntegrationGuardStack, loadSettings, readDeployedGuard } from 'integration-guard';
import { ShopStack } from '../lib/shop-stack';

async function main(): Promise<void> {
  const app = new cdk.App();
  new ShopStack(app, 'ShopStack');
  const settings = loadSettings(app);
  const deployed = await readDeployedGuard({ stackName: '${STACK}', projects: settings.projects });
  new IntegrationGuardStack(app, '${STACK}', { ...settings, deployed });
}

void main();
`,
    );
    await template.write(
      'lib/shop-stack.ts',
      `import * as cdk from 'aws-cdk-lib/core';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { IntegrationGuard, type IntegrationGuardProps } from 'integration-guard';

export class ShopStack extends cdk.Stack {
  readonly guard: IntegrationGuard;

  constructor(scope: Construct, id: string, props?: cdk.StackProps) {
    super(scope, id, props);
    const alerts: IntegrationGuardProps['alerts'] = {
      subscriptions: [{ email: 'ops@example.com' }, { sqs: new Queue(this, 'Alerts') }],
    };
    this.guard = new IntegrationGuard(this, 'Guard', {
      schedule: cdk.Duration.minutes(10),
      projects: { shop: {} },
      secrets: { shop: new Secret(this, 'Key') },
      alerts,
    });
  }
}
`,
    );
    await template.write(
      'test/shop.test.ts',
      `import * as cdk from 'aws-cdk-lib/core';
import { Template } from 'aws-cdk-lib/assertions';
import { ShopStack } from '../lib/shop-stack';

test('the guard is deployed', () => {
  const template = Template.fromStack(new ShopStack(new cdk.App(), 'MyTestStack'));
  template.resourceCountIs('AWS::Scheduler::Schedule', 1);
  template.hasResourceProperties('AWS::Scheduler::Schedule', { ScheduleExpression: 'rate(10 minutes)' });
});

test('a mistake is one sentence', () => {
  const stack = new cdk.Stack(new cdk.App(), 'Faulty');
  const { IntegrationGuard } = require('integration-guard');
  expect(() => new IntegrationGuard(stack, 'Guard', { projects: { shop: { secretName: 1 } } })).toThrow(
    /projects\\.shop\\.secretName: expected a Secrets Manager name/,
  );
});
`,
    );
  });

  it('tsc 7 and 5.9 pass and read every declaration', async () => {
    await template.must('tsc', ['--noEmit']);
    await template.must('node', ['node_modules/typescript59/bin/tsc', '--noEmit']);
    // Only our declarations: CDK's have errors.
    const ours = [
      '--noEmit',
      '--skipLibCheck',
      'false',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      'node',
    ];
    const { stdout } = await template.run('tsc', [
      ...ours,
      'node_modules/integration-guard/dist/types/infra/index.d.ts',
      '--ignoreConfig',
    ]);
    expect(stdout.split('\n').filter((line) => line.includes('integration-guard/'))).toEqual([]);
  });

  it('tsc reads our declarations without those of our libraries, with the settings of older templates', async () => {
    await template.write(
      'old.ts',
      "import { IntegrationGuard } from 'integration-guard';\nexport const guard: typeof IntegrationGuard = IntegrationGuard;\n",
    );
    const settings = ['--module', 'commonjs', '--moduleResolution', 'node10', '--target', 'es2020', '--types', 'node'];
    const { stdout } = await template.run('node', [
      'node_modules/typescript59/bin/tsc',
      ...['--noEmit', '--strict', '--skipLibCheck', 'false', ...settings, 'old.ts'],
    ]);
    expect(stdout.split('\n').filter((line) => /^(?:old\.ts|.*(?:integration-guard|zod)\/)/.test(line))).toEqual([]);
  });

  it('its own Jest passes', async () => {
    await template.must('jest', []);
  });

  it('cdk synth gives the same template as this checkout, and the functions have the package’s bundle', async () => {
    await template.must('cdk', [...SYNTH]);
    const checkout = await createFolder('checkout');
    await checkout.write('settings.json', SETTINGS);
    const settings = ['-c', `settings=${join(checkout.path, 'settings.json')}`];
    const out = join(checkout.path, 'cdk.out');
    const { PATH = '' } = process.env;
    const cdk = join(PROJECT, 'node_modules', '.bin', 'cdk');
    await checkout.must(
      'sh',
      [
        '-c',
        `cd "${PROJECT}" && "${cdk}" synth --quiet --no-version-reporting --output "${out}" ${settings.join(' ')}`,
      ],
      {
        PATH: `${join(PROJECT, 'node_modules', '.bin')}:${PATH}`,
      },
    );
    const read = async (folder: string) =>
      JSON.parse(await readFile(join(folder, `${STACK}.template.json`), 'utf8')) as Template;
    const ours = await read(join(template.path, 'cdk.out'));
    expect(ours).toEqual(await read(out));

    const assets = new Set(
      Object.values(ours.Resources).flatMap(({ Type, Properties }) =>
        Type === 'AWS::Lambda::Function' ? [Properties.Code?.S3Key ?? ''] : [],
      ),
    );
    expect(assets.size).toBe(1);
    const [asset = ''] = assets;
    const deployed = await hashes(join(template.path, 'cdk.out', `asset.${asset.replace('.zip', '')}`));
    const packed = await hashes(join(template.path, 'node_modules', 'integration-guard', 'dist', 'lambda'));
    expect([...deployed.keys()].filter((name) => !packed.has(name))).toEqual(['settings.json']);
    for (const [name, hash] of packed) expect(deployed.get(name), name).toBe(hash);
  });
});

describe('in an ESM app, with the oldest supported CDK', () => {
  beforeAll(async () => {
    await esm.write('cdk.json', { app: 'node app.js', context: { 'integration-guard': SETTINGS } });
    await esm.write('tsconfig.json', {
      compilerOptions: { target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: true, types: ['node'] },
      files: ['app.ts'],
    });
    await esm.write(
      'app.ts',
      `import { App, Stack } from 'aws-cdk-lib';
import { IntegrationGuard, IntegrationGuardStack, loadSettings, SettingsError, VERSION } from 'integration-guard';

const app = new App();
try {
  new IntegrationGuardStack(app, '${STACK}', loadSettings(app));
  new IntegrationGuard(new Stack(app, 'Other'), 'Guard', { projects: { other: { secretName: 'x' } } });
  console.error(VERSION);
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
`,
    );
  });

  it('tsc 5.9 and 7 pass', async () => {
    await esm.must('node', ['node_modules/typescript59/bin/tsc']);
    await esm.must('tsc', []);
  });

  it('cdk synth passes', async () => {
    await esm.must('cdk', [...SYNTH]);
    const { Resources } = JSON.parse(await esm.read(`cdk.out/${STACK}.template.json`)) as Template;
    expect(Object.values(Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function')).toHaveLength(3);
  });

  it('a wrong setting is one sentence at synthesis', async () => {
    const { code, stderr } = await esm.run('node', ['app.js'], {
      CDK_CONTEXT_JSON: JSON.stringify({ 'integration-guard': { projects: { production: { secretNme: 'x' } } } }),
    });
    expect(code).toBe(1);
    expect(stderr).toContain('projects.production: unknown setting "secretNme"');
    expect(stderr).not.toContain('    at ');
  });
});

describe('the command line of the package', () => {
  it('writes new apps and changes existing ones so that they synthesise', async () => {
    await checkInit(join(template.path, 'node_modules', 'integration-guard'));
  });

  it('runs the demo in an empty folder', async () => {
    const empty = await createFolder('empty');
    const story = await empty.must('npm', [
      'exec',
      '--yes',
      `--package=${tarball}`,
      '--',
      'integration-guard',
      'demo',
      '--pace',
      '0',
    ]);
    expect(story).toContain('No more events are sent to');
    expect(await readdir(empty.path)).toEqual([]);
  });

  it('prints its version', async () => {
    expect((await template.must('integration-guard', ['--version'])).trim()).toBe(manifest.version);
  });

  it('plans and runs against the sandbox, and keeps a ledger', async () => {
    const world = new World({ startAt: new Date().toISOString() });
    world.add({ id: 'broken', active: 1 });
    const hour = 60 * 60_000;
    world.patch('broken', {
      delivery_error_count: 61,
      last_delivery_at: new Date(Date.now() - 2 * hour).toISOString(),
      last_error_at: new Date().toISOString(),
    });
    const sandbox = await startSandbox({ production: world });
    try {
      const folder = await createFolder('local');
      await folder.write('settings.json', { projects: { production: { secretName: 'x', apiUrl: sandbox.url } } });
      const variables = { QONVERSION_SECRET_KEY: PRODUCTION_KEY, GUARD_SETTINGS: 'settings.json' };
      const program = join(template.path, 'node_modules', '.bin', 'integration-guard');
      const plan = JSON.parse(await folder.must(program, ['plan', '--json'], variables)) as {
        decisions: { kind: string }[];
      };
      expect(plan.decisions.map(({ kind }) => kind)).toEqual(['pause']);
      await folder.must(program, ['run', '--json'], variables);
      expect(sandbox.production.get('broken')?.active).toBe(0);
      expect(await folder.read('.guard/ledger.json')).toContain('broken');
      // The simulation starts worker threads from a separate file.
      expect(await folder.must(program, ['simulate', '--days', '1', '--integrations', '5'], variables)).toContain(
        'mails a day',
      );
      expect(await folder.must(program, ['complete', 'bash'], variables)).toContain('/dist/cli/main.mjs');
    } finally {
      await sandbox.close();
    }
  });
});

interface Template {
  readonly Resources: Readonly<
    Record<string, { readonly Type: string; readonly Properties: { readonly Code?: { readonly S3Key: string } } }>
  >;
}

async function hashes(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder);
  const entries = await Promise.all(
    names.map(
      async (name) =>
        [
          name,
          createHash('sha256')
            .update(await readFile(join(folder, name)))
            .digest('hex'),
        ] as const,
    ),
  );
  return new Map(entries.sort(([left], [right]) => left.localeCompare(right)));
}
