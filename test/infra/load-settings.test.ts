import { spawnSync } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { beforeAll, describe, expect, it } from 'vitest';
import { CONTEXT_KEY } from '../../functions/local/settings-file.ts';
import { loadSettings } from '../../infra/load-settings.ts';

let folder: string;
const document = (secretName: string) => ({ projects: { production: { secretName } } });
const nameOf = (app: App, environment: Record<string, string> = {}) =>
  loadSettings(app, environment).projects.production?.secretName;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-settings-'));
  await writeFile(join(folder, 'flag.json'), `// comments are welcome\n${JSON.stringify(document('from-flag'))}`);
  await writeFile(
    join(folder, 'environment.json'),
    JSON.stringify({ context: { [CONTEXT_KEY]: document('from-environment') } }),
  );
});

describe('the settings to deploy', () => {
  it('are cdk.json’s own', () => {
    expect(nameOf(new App({ context: { [CONTEXT_KEY]: document('from-cdk-json') } }))).toBe('from-cdk-json');
  });

  it('are those of GUARD_SETTINGS before, a file of cdk.json’s shape included', () => {
    const app = new App({ context: { [CONTEXT_KEY]: document('from-cdk-json') } });
    expect(nameOf(app, { GUARD_SETTINGS: join(folder, 'environment.json') })).toBe('from-environment');
  });

  it('are those of -c settings=FILE before all', () => {
    const app = new App({ context: { settings: join(folder, 'flag.json') } });
    expect(nameOf(app, { GUARD_SETTINGS: join(folder, 'environment.json') })).toBe('from-flag');
  });

  it('refuse a project named __proto__, which a parser could lose', async () => {
    const file = join(folder, 'proto.json');
    await writeFile(
      file,
      '{ "projects": { "production": { "secretName": "x" }, "__proto__": { "secretName": "y" } } }',
    );
    expect(() => loadSettings(new App({ context: { settings: file } }), {})).toThrow(
      `${file}: projects.__proto__: expected another name`,
    );
  });

  it('are missed with one sentence', () => {
    expect(() => loadSettings(new App(), {})).toThrow(
      `cdk.json: context.${CONTEXT_KEY}: expected the guard's settings, got nothing`,
    );
  });

  it('stop the app with the faults and without a stack trace', async () => {
    const file = join(folder, 'faulty.json');
    await writeFile(
      file,
      JSON.stringify({ projects: { production: { secretName: 'x', policy: { errorThreshold: 'fifty' } } } }),
    );
    const { status, stderr } = spawnSync(process.execPath, ['infra/app.ts'], {
      env: { ...process.env, GUARD_SETTINGS: file },
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toBe(
      `${file}: projects.production.policy.errorThreshold: expected a positive integer, got "fifty"\n`,
    );
  });
});
