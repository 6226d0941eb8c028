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

  it('are those of GUARD_SETTINGS rather than cdk.json, even from a file shaped like cdk.json', () => {
    const app = new App({ context: { [CONTEXT_KEY]: document('from-cdk-json') } });
    expect(nameOf(app, { GUARD_SETTINGS: join(folder, 'environment.json') })).toBe('from-environment');
  });

  it('are those of -c settings=FILE rather than all others', () => {
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

  it('that are missing are reported in one sentence', () => {
    expect(() => loadSettings(new App(), {})).toThrow(
      `cdk.json: context.${CONTEXT_KEY}: expected the guard's settings, got nothing`,
    );
  });

  it.each(['setings', 'Settings', 'setting', 'settigns'])('are not those of cdk.json after -c %s=FILE', (key) => {
    const app = new App({ context: { [CONTEXT_KEY]: document('from-cdk-json'), [key]: 'production.json' } });
    expect(() => loadSettings(app, {})).toThrow(
      `-c ${key}=…: unknown context key "${key}"; did you mean -c settings=…? (put your own keys into cdk.json)`,
    );
  });

  it('leave the keys of the app and of CDK alone', () => {
    const own = {
      'app-settings': 'a.json',
      stage: 'eu',
      'aws:cdk:setings': 'x',
      setings: { an: 'object' },
      strings: 'x',
    };
    expect(nameOf(new App({ context: { [CONTEXT_KEY]: document('from-cdk-json'), ...own } }))).toBe('from-cdk-json');
  });

  it('are those of GUARD_SETTINGS when the app keeps something else under "settings"', () => {
    const app = new App({ context: { settings: { of: 'the app' } } });
    expect(nameOf(app, { GUARD_SETTINGS: join(folder, 'environment.json') })).toBe('from-environment');
  });

  it('are not those of cdk.json after an empty -c settings=', () => {
    const app = new App({ context: { [CONTEXT_KEY]: document('from-cdk-json'), settings: '' } });
    expect(() => loadSettings(app, {})).toThrow('-c settings=FILE: expected a file, got nothing');
  });

  it.each([
    [
      { stackname: 'Other' },
      '-c stackname=…: unknown context key "stackname"; did you mean -c stackName=…? (put your own keys into cdk.json)',
    ],
    [
      { stackName: 'a_b' },
      'the stack’s name (-c stackName=NAME): expected letters, digits and "-" that begin with a letter, got "a_b"',
    ],
    [
      { stackName: '' },
      'the stack’s name (-c stackName=NAME): expected letters, digits and "-" that begin with a letter, got ""',
    ],
    [
      { settings: 'nowhere.json' },
      'nowhere.json: cannot be read: there is no such file; name the settings file with -c settings=FILE',
    ],
  ])('stop the app in one sentence: %j', (context, sentence) => {
    const { status, stderr } = spawnSync(process.execPath, ['infra/app.ts'], {
      env: { PATH: process.env.PATH, CDK_CONTEXT_JSON: JSON.stringify(context) },
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 1, stderr: `${sentence}\n` });
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
