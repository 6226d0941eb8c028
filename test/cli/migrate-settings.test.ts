import { readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readSettingsFile } from '../../functions/local/settings-file.ts';
import { runCommandLine } from '../support/command-line.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-migrate-'));
  file = join(folder, 'settings.json');
});

const run = (words: string, variables: Record<string, string> = { GUARD_SETTINGS: file }) =>
  runCommandLine(words, variables);

const migrate = (words = '', variables?: Record<string, string>) => run(`settings migrate ${words}`, variables);

const read = () => readFileSync(file, 'utf8');

const V1 = `{
  // our only project
  "projects": {
    "production": {
      "secretName": "qonversion/production",
      "policy": {
        "unstable": "pause", // since May
        "remindEveryHours": 24,
        "failingForMinutes": 15,
      },
    },
  },
}
`;
const V2 = V1.replace('"unstable"', '"flapping"').replace('"remindEveryHours": 24', '"remindAt": "08:00"');

describe('integration-guard settings migrate', () => {
  it('changes the file that GUARD_SETTINGS names, and lists each change with its reason', async () => {
    await writeFile(file, V1);
    const { code, out, err } = await migrate();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(read()).toBe(V2);
    expect(out.replace(file, 'FILE')).toBe(`FILE: 2 settings changed.
  projects.production.policy.unstable: {"unstable":"pause"} → {"flapping":"pause"}: it is called "flapping" now
  projects.production.policy.remindEveryHours: {"remindEveryHours":24} → {"remindAt":"08:00"}: one summary a day, at this time (UTC), replaces the reminders

Left out; the default differs from version 0.1:
  ….policy.recovery: {"mode":"probe"} (in version 0.1: {"mode":"manual"}): the guard probes the integrations that it paused, first after 15 minutes
  ….policy.lowTraffic: {"errors":3,"warnAfterHours":12,"pauseAfterHours":120} (in version 0.1: "off"): an integration that fails for days without ever reaching errorThreshold is reported, and then paused
  ….policy.providerOutage: {"percent":60,"minimum":3,"holdHours":48,"except":["Webhooks"]} (in version 0.1: "off"): integrations of one provider that fail together cause one alert and are not paused
  ….personalData: "redact" (in version 0.1: "show"): email addresses, phone numbers and other personal data in error messages are redacted

Kept, but with another meaning than in version 0.1:
  projects.production.policy.failingForMinutes: it stays 15, but counts minutes with observed failures instead of minutes without a delivery; the default is 60, because most failures end within the hour
`);
    expect(readSettingsFile(file).projects.production?.policy.flapping).toBe('pause');
  });

  it('reports that there is nothing to migrate, and does not write', async () => {
    await writeFile(file, V2);
    const { ino, mtimeMs } = statSync(file);
    const { code, out } = await migrate();
    expect(code).toBe(0);
    expect(out).toContain(`${file}: nothing to migrate.\n`);
    expect(statSync(file)).toMatchObject({ ino, mtimeMs });
    expect(JSON.parse((await migrate('--json')).out)).toMatchObject({ file, changed: false, changes: [] });
  });

  it('lists the changes with --dry-run, and writes nothing', async () => {
    await writeFile(file, V1);
    const { code, out } = await migrate('--dry-run');
    expect(code).toBe(0);
    expect(out).toContain(`${file}: 2 settings would change; nothing was written.\n`);
    expect(out).toContain('{"unstable":"pause"} → {"flapping":"pause"}');
    expect(read()).toBe(V1);
    expect(JSON.parse((await migrate('--dry-run --json')).out)).toMatchObject({ changed: false, changes: [{}, {}] });
  });

  it('prints one JSON document', async () => {
    await writeFile(file, V1);
    expect(JSON.parse((await migrate('--json')).out)).toEqual({
      file,
      changed: true,
      changes: [
        {
          path: 'projects.production.policy.unstable',
          from: { unstable: 'pause' },
          to: { flapping: 'pause' },
          why: expect.any(String),
        },
        {
          path: 'projects.production.policy.remindEveryHours',
          from: { remindEveryHours: 24 },
          to: { remindAt: '08:00' },
          why: expect.any(String),
        },
      ],
      defaults: expect.arrayContaining([
        { path: '….policy.recovery', from: { mode: 'manual' }, to: { mode: 'probe' }, why: expect.any(String) },
      ]),
      reread: [{ path: 'projects.production.policy.failingForMinutes', why: expect.any(String) }],
    });
    expect(read()).toBe(V2);
  });

  it('removes settings without a successor', async () => {
    const overrides = [{ match: { id: 'a' }, remindEveryHours: 2 }];
    await writeFile(file, JSON.stringify({ projects: { p: { secretName: 'x', policy: { overrides } } } }));
    expect((await migrate('--json --dry-run')).out).toContain('"to": null');
    expect((await migrate()).out).toContain(
      'projects.p.policy.overrides.0: {"match":{"id":"a"},"remindEveryHours":2} is removed: ',
    );
    expect(JSON.parse(read()).projects.p.policy).toEqual({ overrides: [] });
  });

  it('changes only the settings inside cdk.json, and keeps its byte-order mark, line breaks and permissions', async () => {
    const cdk = join(folder, 'cdk.json');
    const text =
      `\ufeff{ "app": "x", "unstable": 1, "context": { "unstable": 1, "integration-guard": ${V1} } }`.replaceAll(
        '\n',
        '\r\n',
      );
    await writeFile(cdk, text);
    await chmod(cdk, 0o640);
    expect((await migrate(cdk, {})).code).toBe(0);
    expect(readFileSync(cdk, 'utf8')).toBe(
      text
        .replace('"unstable": "pause"', '"flapping": "pause"')
        .replace('"remindEveryHours": 24', '"remindAt": "08:00"'),
    );
    expect(statSync(cdk).mode & 0o777).toBe(0o640);
  });

  it('changes the file behind a link', async () => {
    await writeFile(file, V1);
    const link = join(folder, 'link.json');
    await symlink(file, link);
    expect((await migrate(link)).code).toBe(0);
    expect(read()).toBe(V2);
  });

  it.each([
    [
      'a fleet without a prefix',
      '"fleet": { "policy": { "unstable": "off" } }',
      'fleet.secretNamePrefix: expected the beginning of',
    ],
    [
      'both names',
      '"fleet": { "secretNamePrefix": "q/", "policy": { "unstable": "off", "flapping": "tell" } }',
      'fleet.policy: expected one of "unstable" and "flapping" (its name now), got both',
    ],
    [
      'another fault',
      '"fleet": { "secretNamePrefix": "q/", "policy": { "unstable": "of" } }',
      'fleet.policy.flapping: expected "tell", "pause" or "off", got "of"',
    ],
  ])('says what it cannot migrate, and writes nothing: %s', async (_, settings, fault) => {
    await writeFile(file, `{ ${settings} }`);
    const { code, out, err } = await migrate();
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.split('\n')).toEqual([
      expect.stringContaining(`integration-guard: ${file}: ${fault}`),
      'nothing was written; change this in the file, then run the command again',
      '',
    ]);
    expect(read()).toBe(`{ ${settings} }`);
    expect(JSON.parse((await migrate('--json')).out).error).toMatchObject({ name: 'SettingsError', exitCode: 2 });
  });

  it('shows no secret from the settings', async () => {
    await writeFile(file, V1.replace('qonversion/production', 'sk_fake_key_of_a_test_1'));
    const { code, err } = await migrate();
    expect(code).toBe(2);
    expect(err).toContain('projects.production.secretName: expected no secret');
    expect(err).not.toContain('sk_fake');
  });

  it.each([
    ['that is not there', () => undefined, 'cannot be read'],
    ['that is not JSON', () => writeFile(file, '{'), 'line 1, column 2: expected a name'],
    [
      'with an entry that stands twice',
      () => writeFile(file, '{ "fleet": {}, "fleet": {} }'),
      'expected one entry of this name, got two',
    ],
    ['without settings', () => writeFile(file, '{ "context": {} }'), "expected the guard's settings, got nothing"],
    [
      'that is nested too deep',
      () => writeFile(file, `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      'nested too deep',
    ],
    [
      'in another encoding',
      () => writeFile(file, Buffer.from(V1.replace('May', 'M\u00e4rz'), 'latin1')),
      'expected UTF-8',
    ],
  ])('refuses a file %s', async (_, write, complaint) => {
    await write();
    expect(await migrate()).toMatchObject({ code: 2, err: expect.stringContaining(complaint) });
  });

  it('exits with 1 when the file cannot be written, and leaves it and its folder unchanged', async () => {
    // The name of its temporary file is longer than the file system allows.
    const long = join(folder, `${'x'.repeat(250)}.json`.slice(-255));
    await writeFile(long, V1);
    const { code, err } = await migrate(long);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('ENAMETOOLONG') });
    expect(err).not.toContain('internal error');
    expect(readFileSync(long, 'utf8')).toBe(V1);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('is suggested by the error about settings of version 0.1', async () => {
    await writeFile(file, V1);
    const { code, err } = await run('plan');
    expect(code).toBe(2);
    expect(err).toContain(
      'projects.production.policy: unknown setting "unstable"; it is called "flapping" now (integration-guard settings migrate changes it for you)\n',
    );
  });

  it('is not suggested for settings that it would not change', async () => {
    await writeFile(file, '{ "unstable": "off", "projects": { "unstable": { "secretName": "x" } } }');
    expect((await run('plan')).err).toBe(
      `integration-guard: ${file}: (top level): unknown setting "unstable"; known settings: schedule, projects, fleet, alerts, dashboard, ledgerTableName, encryption, encryptionKeyArn\n`,
    );
  });

  it('has completions, and help with an example', async () => {
    expect((await run('complete -- settings m')).out).toMatch(/^migrate\t.*\n$/);
    expect((await run('complete -- settings migrate --d')).out).toMatch(/^--dry-run\t.*\n$/);
    expect((await run('settings migrate --help')).out).toContain('Example:\n  npx integration-guard settings migrate ');
  });

  it.each(['settings', 'settings move', 'settings migrate a b', 'settings migrate --project x'])(
    'is not what was meant by "%s"',
    async (words) => {
      expect(await run(words)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/./) });
    },
  );
});
