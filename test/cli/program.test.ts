import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatProjects } from '../../functions/cli/format.ts';
import { main } from '../../functions/cli/program.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { type Sandbox, startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import { runCommandLine } from '../support/command-line.ts';
import { runKey } from '../support/run-key.ts';

let sandbox: Sandbox;
let folder: string;
let settingsFile: string;
let ledgerFile: string;

beforeEach(async () => {
  // The guard's clock is real here.
  sandbox = await startSandbox({ production: new World({ startAt: new Date().toISOString() }) });
  sandbox.regenerateKey(runKey());
  for (const id of ['good-1', 'good-2', 'broken']) sandbox.production.add({ id, active: 1, eventsPerMinute: 10 });
  folder = await mkdtemp(join(tmpdir(), 'guard-cli-'));
  settingsFile = join(folder, 'settings.json');
  ledgerFile = join(folder, 'ledger.json');
  await writeSettings({});
});

afterEach(() => sandbox.close());

async function writeSettings(policy: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<void> {
  await writeFile(
    settingsFile,
    JSON.stringify({ projects: { production: { secretName: 'x', apiUrl: sandbox.url, policy }, ...more } }),
  );
}

function breakDown(errors = 61, minutes = 90): void {
  const lastDelivery = new Date(Date.now() - minutes * 60_000).toISOString();
  sandbox.production.patch('broken', {
    delivery_error_count: errors,
    last_delivery_at: lastDelivery,
    last_error_at: new Date().toISOString(),
    last_error_message: 'HTTP 503',
  });
}

const guard = (args: string, variables: Record<string, string | undefined> = {}) =>
  runCommandLine(args, {
    QONVERSION_SECRET_KEY: runKey(),
    GUARD_SETTINGS: settingsFile,
    GUARD_LEDGER: ledgerFile,
    ...variables,
  });

const states = () => Object.fromEntries(sandbox.production.list().map(({ id, active }) => [id, active]));

describe('integration-guard plan', () => {
  it('prints the decisions of a pass, and changes nothing', async () => {
    breakDown();
    const { code, out } = await guard('plan');
    expect(code).toBe(0);
    expect(out).toMatch(/broken\s+Amplitude iOS\s+pause it\s+61 failures and/);
    expect(out).toContain('production: 3 active, 0 paused, 0 suspended.');
    expect(states().broken).toBe(1);
    expect(existsSync(ledgerFile)).toBe(false);
  });

  it('says so when there is nothing to do', async () => {
    expect((await guard('plan')).out).toBe('Nothing to do.\nproduction: 3 active, 0 paused, 0 suspended.\n');
  });

  it('prints one JSON document with the decisions that run then carries out', async () => {
    breakDown();
    const plan = JSON.parse((await guard('plan --json')).out);
    const run = JSON.parse((await guard('run --json')).out);
    const bare = ({ id, kind, act }: { id: string; kind: string; act: unknown }) => ({ id, kind, act });
    expect(run.decisions.map(bare)).toEqual(plan.decisions.map(bare));
    expect(run.events.map(({ id }: { id: string }) => id)).toEqual(plan.events.map(({ id }: { id: string }) => id));
  });
});

describe('settings without effect', () => {
  const policy = {
    blastRadius: { percent: 0, floor: 0 },
    overrides: [{ match: { integration: 'amplitude' }, errorThreshold: 500 }],
  };
  const radius = 'policy.blastRadius lets no pass pause an integration by the limits';
  const override = 'policy.overrides.0 matches no integration (the list has 3): none is of the provider "amplitude".';
  const words = (text: string) => text.replace(/\s+/g, ' ');

  it('are below the plan, and in its document', async () => {
    await writeSettings(policy);
    const { code, out } = await guard('plan');
    expect(code).toBe(0);
    expect(words(out)).toContain(`Without effect: ${radius}`);
    expect(words(out)).toContain(`Without effect: ${override} Did you mean "Amplitude"?`);
    const { withoutEffect } = JSON.parse((await guard('plan --json')).out);
    expect(withoutEffect).toMatchObject([
      { kind: 'never-pauses', path: 'policy.blastRadius' },
      { kind: 'override-matches-nothing', path: 'policy.overrides.0' },
    ]);
  });

  it('are warnings of the doctor', async () => {
    await writeSettings(policy);
    const { code, out } = await guard('doctor');
    expect(code).toBe(0);
    expect(words(out)).toContain(override);
    expect(out).toContain('No problems; 2 findings to review.');
  });
});

describe('integration-guard run', () => {
  it('pauses, shows the mail and the outcomes, and updates the ledger', async () => {
    breakDown();
    const { code, out } = await guard('run');
    expect(code).toBe(0);
    expect(states()).toEqual({ 'good-1': 1, 'good-2': 1, broken: 0 });
    expect(out).toContain('│ Subject: [production] Amplitude iOS paused, 61 failures');
    expect(out).toContain('npx integration-guard resume broken --project production');
    expect(out).toMatch(/broken\s+Amplitude iOS\s+pause it\s+done/);
    expect(JSON.parse(readFileSync(ledgerFile, 'utf8')).items).toContainEqual(
      expect.objectContaining({
        project: 'production',
        integration: 'broken',
        entry: expect.objectContaining({ state: expect.objectContaining({ name: 'open' }) }),
      }),
    );
  });

  it('prints one JSON document: decisions with reasons, outcomes, events, counts, duration', async () => {
    breakDown();
    const report = JSON.parse((await guard('run --json')).out);
    expect(report).toMatchObject({
      project: 'production',
      ok: true,
      failure: null,
      durationMs: expect.any(Number),
      events: [{ specversion: '1.0', type: 'integration.paused' }],
      counts: {
        active: 2,
        paused: 1,
        suspended: 0,
        decisions: { pause: 1, healthy: 2 },
        outcomes: { done: 1, quiet: 2 },
      },
      traffic: { requests: 3, retries: 0 },
    });
    expect(report.decisions).toContainEqual(
      expect.objectContaining({
        id: 'broken',
        kind: 'pause',
        outcome: 'done',
        reason: expect.stringContaining('61 failures and'),
      }),
    );
  });

  it('shows the states and integrations after the pass', async () => {
    breakDown();
    expect((await guard('plan')).out).toContain('production: 3 active, 0 paused, 0 suspended.');
    expect((await guard('run')).out).toContain('production: 2 active, 1 paused, 0 suspended.');
    await guard('resume broken');
    breakDown(200);
    const { decisions, counts } = JSON.parse((await guard('run --json')).out);
    const shown = decisions.map(({ id, active }: { id: string; active: number }) => [id, active]);
    expect(Object.fromEntries(shown)).toEqual(states());
    expect(counts.active + counts.paused).toBe(3);
  });

  it('holds back too many pauses at once, unless forced', async () => {
    await writeSettings({ blastRadius: { percent: 0, floor: 0 } });
    breakDown();
    expect((await guard('run')).out).toContain('PAUSES HELD BACK');
    expect(states().broken).toBe(1);
    expect((await guard('run --force')).code).toBe(0);
    expect(states().broken).toBe(0);
  });

  it('exits with 1 when Qonversion refuses, and says why', async () => {
    breakDown();
    sandbox.faults.add({ fault: { kind: 'status', status: 403 }, method: 'POST' });
    const { code, out } = await guard('run');
    expect(code).toBe(1);
    expect(out).toContain('does not permit this key to use integration broken (403)');
    expect(states().broken).toBe(1);
  });
});

describe('integration-guard list', () => {
  it('shows every integration, its state, its errors against the threshold and the next action', async () => {
    breakDown(30, 45);
    const { out } = await guard('list');
    expect(out).toMatch(/ID\s+INTEGRATION\s+TITLE\s+STATE\s+FRESH ERRORS\s+LAST DELIVERY\s+NEXT/);
    expect(out).toMatch(/broken\s+Amplitude iOS\s+Amplitude iOS\s+active\s+30 of 50\s+.*warn that it fails/);
  });

  it('fits the terminal', async () => {
    sandbox.production.patch('broken', { title: 'long title '.repeat(20) });
    for (const line of (await guard('list')).out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('shows no terminal escapes from untrusted text', async () => {
    sandbox.production.patch('broken', { title: '\u001b[2Jevil\u0007' });
    expect((await guard('list')).out).not.toContain('\u001b[2J');
  });
});

describe('integration-guard pause and resume', () => {
  it('change the status, record the operator, and print the undo command', async () => {
    const paused = await guard('pause good-1');
    expect(paused).toMatchObject({
      code: 0,
      out: 'good-1 is paused. The guard will not resume it.\nUndo: npx integration-guard resume good-1 --project production\n',
    });
    expect(states()['good-1']).toBe(0);
    const resumed = await guard('resume good-1');
    expect(resumed.out).toContain(
      'good-1 is active again. Its failures count from now on.\nUndo: npx integration-guard pause good-1 --project production',
    );
    expect(states()['good-1']).toBe(1);
  });

  it.each([
    ['resume good-1', 'good-1 was already active. Its failures count from now on.\n'],
    ['pause off', 'off was already paused. The guard will not resume it.\n'],
    ['ignore good-1 --off', 'good-1 was already guarded.\n'],
  ])('print no undo command when the integration was already in that state: %s', async (words, sentence) => {
    sandbox.production.add({ id: 'off', active: 0 });
    for (const _ of ['first', 'again']) expect(await guard(words)).toMatchObject({ code: 0, out: sentence });
  });

  it('print the undo command when an operator pauses what the guard had paused', async () => {
    await writeSettings({ failingForMinutes: 0 });
    breakDown();
    await guard('run');
    expect((await guard('pause broken')).out).toContain('broken is paused. The guard will not resume it.\nUndo: ');
    expect((await guard('pause broken')).out).toBe('broken was already paused. The guard will not resume it.\n');
  });

  it.each([
    ['pause', 'good-1', 0],
    ['resume', 'off', 1],
    ['ignore', 'good-1', 1],
    ['ignore --off', 'good-1', 1],
  ])('show the state after the act in JSON: %s', async (words, id, active) => {
    sandbox.production.add({ id: 'off', active: 0 });
    const [command, ...options] = words.split(' ');
    const { code, out } = await guard([command, id, ...options, '--json'].join(' '));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ id, outcome: 'done', active });
    expect(states()[id]).toBe(active);
  });

  it('refuse an id the project does not have', async () => {
    expect(await guard('pause nope')).toMatchObject({
      code: 2,
      err: 'integration-guard: project "production" has no integration "nope"; `integration-guard list` shows the IDs it has\n',
    });
  });

  it('refuse an invalid id', async () => {
    const { code, err } = await guard('pause ../x');
    expect(code).toBe(2);
    expect(err).toContain('An id is 1 to 256 letters, digits, ".", "_" or "-".');
    expect(sandbox.requests).toEqual([]);
  });
});

describe('bad input gets one clear sentence and leaves everything as it was', () => {
  it.each([
    ['an unknown command', 'dance', /unknown command 'dance'/],
    ['an unknown flag', 'plan --fast', /unknown option '--fast'/],
    ['a missing id', 'pause', /missing required argument 'id'/],
    ['an unknown project', 'plan --project nope', /has no project "nope"; it has: production/],
    ['a name that every object has', 'plan --project constructor', /has no project "constructor"; it has: production/],
    ['a name that no object lacks', 'plan --project __proto__', /has no project "__proto__"; it has: production/],
  ])('%s', async (_name, args, sentence) => {
    const { code, err } = await guard(args);
    expect(code).toBe(2);
    expect(err).toMatch(sentence);
    expect(err).not.toMatch(/\n\s+at /);
    expect(sandbox.requests).toEqual([]);
  });

  it('excess words are counted and not repeated: one of them may be a key', async () => {
    const sentence = "too many arguments for 'run'. Expected 0 arguments but got 2.";
    const { code, err } = await guard('run hunter2. hunter3.');
    expect(code).toBe(2);
    expect(err.split('\n')[0]).toBe(`error: ${sentence}`);
    expect(JSON.parse((await guard('run hunter2. hunter3. --json')).out)).toEqual({
      error: { name: 'UsageError', message: sentence, exitCode: 2 },
    });
  });

  it.each([
    ['no key', undefined, 'QONVERSION_SECRET_KEY is empty'],
    ['an empty key', '', 'QONVERSION_SECRET_KEY is empty'],
    ['a placeholder', 'sk_xxxxxxxx', 'QONVERSION_SECRET_KEY holds a placeholder'],
    ['something that is no key', 'hello world', 'is not a Secret Key (sk_… or test_sk_…)'],
  ])('%s', async (_name, key, sentence) => {
    breakDown();
    const { code, err } = await guard('run', { QONVERSION_SECRET_KEY: key });
    expect(code).toBe(2);
    expect(err).toContain(sentence);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(states().broken).toBe(1);
    expect(existsSync(ledgerFile)).toBe(false);
  });

  it('several projects, without --project', async () => {
    await writeSettings({}, { staging: { secretName: 'y' } });
    expect((await guard('plan')).err).toContain('has several projects; name one with --project: production, staging');
  });

  it('a fleet, whose projects need a deployed stack', async () => {
    const elsewhere = "the fleet's projects need a deployed stack: name it with --stack";
    await writeFile(settingsFile, JSON.stringify({ fleet: { secretNamePrefix: 'q/' } }));
    expect(await guard('plan')).toMatchObject({
      code: 2,
      err: `integration-guard: ${settingsFile} lists no project; ${elsewhere}\n`,
    });
    expect((await guard('plan --project acme')).err).toContain(
      `has no project "acme"; it lists no project; ${elsewhere}`,
    );
    await writeFile(
      settingsFile,
      JSON.stringify({ projects: { production: { secretName: 'x' } }, fleet: { secretNamePrefix: 'q/' } }),
    );
    expect((await guard('plan --project acme')).err).toContain(`it has: production; ${elsewhere}`);
  });

  it('settings with faults: one line for each', async () => {
    await writeSettings({ errorThreshold: 'fifty', shout: true });
    const { code, err } = await guard('plan');
    expect(code).toBe(2);
    expect(err).toContain('projects.production.policy.errorThreshold: expected a positive integer, got "fifty"');
    expect(err).toContain('projects.production.policy: unknown setting "shout"');
  });

  it('settings that are not JSON, with the line', async () => {
    await writeFile(settingsFile, '{\n  "projects": {\n    oops\n');
    expect(await guard('plan')).toMatchObject({
      code: 2,
      err: `integration-guard: ${settingsFile}: line 3, column 5: expected a name in double quotes or "}", got oops\n`,
    });
  });

  it('settings with a duplicate project', async () => {
    await writeFile(settingsFile, '{"projects":{"a":{"secretName":"x"},"a":{"secretName":"y"}}}');
    expect((await guard('plan')).err).toContain('projects.a: expected one entry of this name, got two');
  });

  it('a missing settings file', async () => {
    expect((await guard('plan', { GUARD_SETTINGS: join(folder, 'nowhere.json') })).err).toContain('cannot be read');
  });

  it('a key that is refused', async () => {
    sandbox.regenerateKey('sk_fake_another_one');
    const { code, err } = await guard('plan');
    expect(code).toBe(1);
    expect(err).toContain("Qonversion refused the Secret Key (401): put the project's current key into its secret");
  });

  it.each([
    ['HTML', { kind: 'body', body: '<html></html>' }],
    ['another shape', { kind: 'body', body: '{"data":{}}' }],
    ['a redirect', { kind: 'status', status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
    ['a 404', { kind: 'status', status: 404 }],
  ] as const)('a list that is %s', async (_name, fault) => {
    breakDown();
    sandbox.faults.add({ fault, method: 'GET' });
    const { code, out } = await guard('run');
    expect(code).toBe(1);
    expect(out).toContain('The pass could not run: Qonversion');
    expect(states().broken).toBe(1);
  });

  it('a file that is not a ledger: refused and left unchanged', async () => {
    await writeFile(ledgerFile, 'precious');
    breakDown();
    const { code, err } = await guard('run');
    expect(code).toBe(1);
    expect(err).toContain('is not a ledger of this guard, or a part of it is missing; restore it from a backup');
    expect(readFileSync(ledgerFile, 'utf8')).toBe('precious');
    expect(states().broken).toBe(1);
  });
});

describe('integration-guard ignore', () => {
  it('ignores an integration for a while, and prints the undo command', async () => {
    await writeSettings({ failingForMinutes: 0 });
    breakDown();
    const { code, out } = await guard('ignore broken --for 12h');
    expect(code).toBe(0);
    expect(out).toContain(
      'broken is ignored for 12 hours. The guard neither pauses it nor alerts you about it.\nUndo: npx integration-guard ignore broken --off',
    );
    await guard('run');
    expect(states().broken).toBe(1);
    expect((await guard('list')).out).toMatch(/broken .* active +– .* nothing, it is ignored/);
    expect((await guard('ignore broken --off')).out).toContain('broken is guarded again');
    await guard('run');
    expect(states().broken).toBe(0);
  });
});

describe('integration-guard gaps', () => {
  it('shows the gaps and who stopped the integration, also as CSV and JSON', async () => {
    expect((await guard('gaps')).out).toContain('No integration was stopped in this time.');
    breakDown();
    await guard('run');
    await guard('pause good-1');
    const { code, out } = await guard('gaps');
    expect(code).toBe(0);
    expect(out).toMatch(/broken +\d\d:\d\d UTC +still stopped +0 min +guard/);
    expect(out).toMatch(/good-1 +\d\d:\d\d UTC +still stopped +0 min +operator/);
    expect(out).toContain('Fill them in from an export');
    await guard('resume good-1');
    const lines = (await guard('gaps good-1 --csv')).out.trim().split('\n');
    expect(lines).toEqual(['id,from,to,by', expect.stringMatching(/^good-1,\d{4}-[^,]+Z,\d{4}-[^,]+Z,operator$/)]);
    const { gaps, project } = JSON.parse((await guard('gaps broken --json')).out);
    expect(project).toBe('production');
    expect(gaps).toEqual([{ id: 'broken', from: expect.any(String), to: null, by: 'guard' }]);
  });

  it('refuses --csv together with --json', async () => {
    const { code, out, err } = await guard('gaps --csv --json');
    expect({ code, err }).toEqual({ code: 2, err: '' });
    expect(JSON.parse(out)).toEqual({
      error: { name: 'UsageError', message: expect.stringContaining('cannot be used'), exitCode: 2 },
    });
  });
});

describe('integration-guard history', () => {
  it('shows the actions, the actor and the reason', async () => {
    breakDown();
    await guard('run');
    await guard('pause good-1');
    const { out } = await guard('history');
    expect(out).toMatch(/guard +broken +paused +\d+ failures and/);
    expect(out).toMatch(/operator +good-1 +paused by an operator +an operator paused/);
    const one = JSON.parse((await guard('history good-1 --since 1h --json')).out);
    expect(one.events).toMatchObject([{ by: 'operator', type: 'integration.operator-paused', subject: 'good-1' }]);
  });

  it('reports an empty history, also for an integration that has never failed', async () => {
    expect((await guard('history')).out).toContain('Nothing has happened in this time.');
    expect(await guard('history good-1')).toMatchObject({ code: 0, out: 'Nothing has happened in this time.\n' });
  });

  it.each(['history', 'gaps'])('%s refuses an unknown id, and suggests a similar one', async (command) => {
    await guard('pause good-1');
    expect(await guard(`${command} zzz`)).toEqual({
      code: 2,
      out: '',
      err: 'integration-guard: project "production" has no integration "zzz"; `integration-guard list` shows the IDs it has\n',
    });
    expect((await guard(`${command} God-1`)).err).toContain('no integration "God-1"; did you mean "good-1"?');
    sandbox.faults.add({ fault: { kind: 'status', status: 404 }, method: 'GET' });
    // Only Qonversion could know the id.
    expect((await guard(`${command} zzz`)).code).toBe(1);
    expect((await guard(`${command} good-1`)).code).toBe(0);
  });

  it.each(['soon', '7', '-1d', '91d', '10s', '1e9d'])('refuses --since %s', async (since) => {
    expect(await guard(`history --since ${since}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('Give a time such as 30m'),
    });
  });
});

describe('integration-guard --help', () => {
  it('shows examples, variables and exit codes', async () => {
    const { code, out } = await guard('--help');
    expect(code).toBe(0);
    for (const word of [
      'demo',
      'plan',
      'run',
      'list',
      'pause',
      'resume',
      'history',
      'gaps',
      'simulate',
      'ignore',
      'QONVERSION_SECRET_KEY',
      'GUARD_SETTINGS',
      'GUARD_LEDGER',
      'Exit codes',
    ])
      expect(out).toContain(word);
  });
});

describe('the help', () => {
  it.each([60, 80, 120])('fits a terminal of %i columns', async (columns) => {
    for (const words of ['--help', 'plan --help', 'init --help', 'settings migrate --help']) {
      const { out } = await runCommandLine(words, {}, columns);
      // People copy the commands, so they must not wrap.
      const wide = out.split('\n').filter((line) => line.length > columns && !line.includes('integration-guard '));
      expect(wide).toEqual([]);
    }
  });

  it('begins each description with a verb and ends it with a full stop', async () => {
    const { out } = await runCommandLine(['complete', '--', ''], {});
    const lines = out.trim().split('\n');
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines)
      expect(line).toMatch(/^[a-z]+\t(?:[A-Z][a-z]+ [^.]*\.(?: .*\.)?|display help for command)$/);
  });
});

describe('integration-guard demo', () => {
  it('prints the story as one JSON document', async () => {
    const { code, out } = await guard('demo --json --pace 0');
    const story = JSON.parse(out);
    expect(code).toBe(0);
    expect(story.passes).toBe(80);
    const types = new Set(story.events.map(({ type }: { type: string }) => type));
    for (const type of ['failing', 'flapping', 'paused', 'suspended', 'reactivated', 'recovered'])
      expect(types).toContain(`integration.${type}`);
    for (const type of ['provider.down', 'provider.recovered', 'guard.common-cause', 'guard.common-cause-ended'])
      expect(types).toContain(type);
    expect(story.mails.length).toBeGreaterThan(5);
    // In the end everything is active, and the blip caused no pause.
    expect(
      story.integrations.filter(({ active }: { active: number }) => active !== 1).map(({ id }: { id: string }) => id),
    ).toEqual(['ph-staging']);
    const touched = story.events
      .filter(({ type }: { type: string }) => type === 'integration.paused')
      .map(({ subject }: { subject: string }) => subject);
    expect(new Set(touched)).toEqual(new Set(['hook-crm', 'af-android']));
  });

  it('prints it on the terminal: events, mails, and a closing table', async () => {
    const { out } = await guard('demo --pace 0');
    expect(out).toContain('13:08   Amplitude goes down, for both platforms.');
    expect(out).toContain('Guard: Amplitude down.');
    expect(out).toContain('│ Subject: [demo] Amplitude down');
    expect(out).toContain('Summary');
  });
});

describe('the program itself', () => {
  it('runs as a separate process, and reports faults in its exit code', async () => {
    const child = spawn(process.execPath, ['functions/cli/main.ts', 'plan', '--project', 'nope'], {
      env: { PATH: process.env.PATH ?? '', GUARD_SETTINGS: settingsFile },
    });
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString('utf8');
    });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).toBe(2);
    expect(err).toContain('has no project "nope"');
  });
});

describe('integration-guard projects', () => {
  it('shows the projects of the settings with their policies', async () => {
    await writeSettings({ mode: 'observe', errorThreshold: 20 }, { staging: { secretName: 'y' } });
    const { code, out } = await guard('projects');
    expect(code).toBe(0);
    expect(out).toMatch(/production\s+x\s+observe, 20 failures, 1 h\s+listed/);
    expect(out).toMatch(/staging\s+y\s+enforce, 50 failures/);
    expect(out.trim().split('\n').at(-1)).toBe('2 projects.');
  });

  it('prints one JSON document, with complete policies', async () => {
    await writeSettings({ errorThreshold: 20 });
    const { projects } = JSON.parse((await guard('projects --json')).out) as { projects: unknown[] };
    expect(projects).toEqual([
      {
        project: 'production',
        secretName: 'x',
        policy: expect.objectContaining({ errorThreshold: 20, mode: 'enforce' }),
        because: 'listed',
        ofFleet: false,
        secretField: null,
      },
    ]);
  });

  it('reports that the settings of a fleet list no projects', async () => {
    await writeFile(settingsFile, JSON.stringify({ fleet: { secretNamePrefix: 'q/' } }));
    expect((await guard('projects')).out).toBe(
      "The settings list no projects. Use --stack NAME to show the fleet's projects.\n",
    );
  });

  it('distinguishes listed projects, the fleet and secrets that are not projects', async () => {
    const policy = parseSettings({ projects: { a: { secretName: 'x' } } }).projects.a?.policy ?? null;
    const projects = [
      { project: 'a', secretName: 'x', policy, because: 'listed', ofFleet: false, secretField: 'acme' },
      { project: 'acme', secretName: 'q/acme', policy, because: 'tag gentle', ofFleet: true, secretField: null },
      {
        project: 'lost',
        secretName: 'q/lost',
        policy: null,
        because: 'its tag names no policy',
        ofFleet: true,
        secretField: null,
      },
      {
        project: null,
        secretName: 'payroll',
        policy: null,
        because: 'it is no project',
        ofFleet: true,
        secretField: null,
      },
    ];
    const text = formatProjects({ projects, fleet: 'looked at' }, 120);
    expect(formatProjects({ projects: [], fleet: 'looked at' }, 120)).toBe('No projects: no secret has the tag.');
    expect(text).toMatch(/a\s+x \(acme\)\s/);
    expect(text).toMatch(/acme\s+q\/acme\s+enforce, 50 failures, 1 h\s+tag gentle/);
    expect(text).toMatch(/lost\s+q\/lost\s+none\s+its tag names no policy/);
    expect(text).toMatch(/none\s+payroll\s+none\s+it is no project/);
    expect(text.split('\n').at(-1)).toBe('3 projects (1 listed, 2 of the fleet). 2 secrets to review.');
  });
});

describe('integration-guard doctor', () => {
  it('reports that it found no problems', async () => {
    const { code, out } = await guard('doctor');
    expect(code).toBe(0);
    expect(out).toMatch(/ok\s+Qonversion API\s+http:\/\/127\.0\.0\.1:\d+\S* answers: 3 integrations/);
    expect(out).toMatch(/No problems found\.\n$/);
    expect(existsSync(ledgerFile)).toBe(false);
  });

  it('names the problem and the remedy, and fails', async () => {
    sandbox.regenerateKey(`${runKey()}x`);
    const { code, out } = await guard('doctor --json');
    expect(code).toBe(1);
    const { findings } = JSON.parse(out);
    expect(findings).toContainEqual({
      check: 'Qonversion API',
      level: 'problem',
      message: expect.stringContaining('401'),
      action: "Copy the project's Secret Key from Qonversion's settings, and set QONVERSION_SECRET_KEY to it.",
    });
  });

  it('warns about a project in observe mode', async () => {
    await writeSettings({ mode: 'observe' });
    const { code, out } = await guard('doctor');
    expect(code).toBe(0);
    expect(out).toContain('No problems; 1 finding to review.');
  });

  it.each([
    ['damaged', '{"format":2,"items":[', 'Restore it from a backup'],
    ['of a newer version', '{"format":7}', 'Use that version of the guard'],
  ])('names a ledger file that is %s once, and does not speak of AWS', async (_, text, action) => {
    await writeFile(ledgerFile, text);
    const { code, out } = await guard('doctor');
    expect(code).toBe(1);
    expect(out).not.toContain('AWS');
    expect(out.replace(/\s+/g, ' ')).toContain(`To do: ${action}`);
    expect(out).toContain('1 problem to fix.');
    expect(readFileSync(ledgerFile, 'utf8')).toBe(text);
  });

  it('shows the faults of the settings unchanged', async () => {
    await writeSettings({ errorThreshold: 'fifty' });
    const { code, out } = await guard('doctor');
    expect(code).toBe(1);
    expect(out.replace(/\s+/g, ' ')).toContain(
      `${settingsFile}: projects.production.policy.errorThreshold: expected a positive integer, got "fifty"`,
    );
  });
});

describe('the program as it is started', () => {
  const start = (...args: string[]) =>
    new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) => {
      const child = spawn(process.execPath, ['functions/cli/main.ts', ...args], {
        env: { PATH: process.env.PATH, GUARD_SETTINGS: settingsFile, GUARD_LEDGER: ledgerFile },
      });
      let out = '';
      let err = '';
      child.stdout.on('data', (chunk) => {
        out += chunk;
      });
      child.stderr.on('data', (chunk) => {
        err += chunk;
      });
      child.on('close', (code) => resolve({ code, out, err }));
    });

  it('completes commands, options and the names of projects', async () => {
    expect((await start('complete', '--', 'do')).out).toContain('doctor\t');
    expect((await start('complete', '--', 'list', '--pro')).out).toContain('--project\t');
    expect((await start('complete', '--', 'list', '--project', '')).out).toContain('production');
  });

  it.each(['bash', 'zsh', 'fish', 'powershell'])('prints completions for %s', async (shell) => {
    const { code, out } = await start('complete', shell);
    expect(code).toBe(0);
    expect(out).toContain('guard');
  });

  it('refuses a shell it does not know', async () => {
    expect(await start('complete', 'tcsh')).toMatchObject({ code: 2, err: expect.stringContaining('tcsh') });
  });
});

describe('a project that is renamed', () => {
  const rename = (more: Record<string, unknown>) =>
    writeFile(settingsFile, JSON.stringify({ projects: { prod: { secretName: 'x', apiUrl: sandbox.url, ...more } } }));
  const shown = async (project: string) => ({
    plan: await guard(`plan --json --project ${project}`),
    history: await guard(`history --json --project ${project}`),
    gaps: await guard(`gaps --csv --project ${project}`),
  });

  it('keeps its circuits and its history through renamedFrom, in every command', async () => {
    breakDown();
    await guard('run --project production');
    const before = await shown('production');
    expect(before.plan.out).toContain('"kind": "open"');
    await rename({ renamedFrom: 'production' });
    const after = await shown('prod');
    const asBefore = (out: string) =>
      out.replaceAll('"project": "prod"', '"project": "production"').replace(/"(?:at|plannedAt)": .*/g, '');
    expect(asBefore(after.plan.out)).toBe(asBefore(before.plan.out));
    expect(asBefore(after.history.out)).toBe(asBefore(before.history.out));
    expect(after.gaps.out).toBe(before.gaps.out);
    await guard('resume broken --project prod');
    expect((await guard('history --json --project prod')).out).toContain('"by": "operator"');
    await rename({});
    expect((await shown('prod')).plan.out).not.toContain('"kind": "open"');
  });
});

describe('the help', () => {
  it.each(['plan', 'list', 'run', 'pause', 'resume', 'ignore', 'history', 'gaps', 'simulate', 'doctor'])(
    'of %s has an example',
    async (name) => {
      const { code, out } = await guard(`${name} --help`);
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`Example:\\n  npx integration-guard ${name} `));
    },
  );
});

describe('the progress text', () => {
  it('is shown during the work, and removed before the output', async () => {
    breakDown();
    const steps: string[] = [];
    const code = await main(['run'], {
      out: (text) => void steps.push(text.includes('Subject:') ? 'mail' : 'report'),
      err: () => undefined,
      columns: 120,
      variables: { QONVERSION_SECRET_KEY: runKey(), GUARD_SETTINGS: settingsFile, GUARD_LEDGER: ledgerFile },
      progress: (text) => {
        steps.push(text);
        return () => void steps.push('end');
      },
    });
    expect(code).toBe(0);
    expect(steps).toEqual(['running a pass', 'end', 'mail', 'end', 'report']);
  });
});
