import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { planPass, runPass } from '../../functions/guard/pass/run-pass.ts';
import { alertsOf } from '../../functions/guard/policy/decide.ts';
import type { Ports } from '../../functions/guard/ports.ts';
import { createTerminalAlertSink } from '../../functions/local/alerts.ts';
import { createQonversionClient } from '../../functions/qonversion/client.ts';
import { SecretKey } from '../../functions/qonversion/secret-key.ts';
import { startLiveSandbox } from '../../functions/sandbox/live.ts';
import { PRODUCTION_KEY, type Sandbox } from '../../functions/sandbox/server.ts';
import { aPolicy } from '../support/builders.ts';
import { createMemoryLedger, silentLog } from '../support/memory-ports.ts';
import { runPrinted } from '../support/printed-commands.ts';

/** `npm run sandbox`, and a guard with the defaults beside it. */

const NOON = Date.parse('2026-11-23T12:00:20.500Z');

let sandbox: Sandbox | undefined;

afterEach(() => sandbox?.close());

/** A live sandbox and a guard that share one clock, which the test moves. */
async function startBeside() {
  let now = NOON;
  sandbox = await startLiveSandbox({ clock: { now: () => now, speed: 1 } });
  const clock = { now: () => new Date(now) };
  const key = new SecretKey(PRODUCTION_KEY);
  const source = { get: async () => key, renew: async () => key };
  const remainingMs = () => 60_000;
  const mails: string[] = [];
  const ports: Ports = {
    api: createQonversionClient({ apiUrl: sandbox.url, key: source, clock, remainingMs }),
    ledger: createMemoryLedger(clock),
    alerts: createTerminalAlertSink((mail) => mails.push(mail)),
    clock,
    log: silentLog,
    remainingMs,
  };
  const project = { name: 'sandbox', policy: aPolicy() };
  return {
    mails,
    plan: () => planPass(ports, project),
    pass: () => runPass(ports, project),
    wait: (minutes: number) => {
      now += minutes * 60_000;
    },
  };
}

describe('a guard beside a live sandbox', () => {
  it('plans something in its first look', async () => {
    const { plan } = await startBeside();
    const { decisions } = await plan();
    const planned = new Map(
      decisions.map((decision) => [decision.id, [decision.kind, ...alertsOf(decision).map(({ type }) => type)]]),
    );
    expect(planned.get('hook-crm')).toEqual(['pause', 'integration.paused']);
    expect(planned.get('af-android')).toContain('integration.failing');
    expect(planned.get('braze-ios')).toContain('integration.suspended');
    expect(planned.get('amp-ios')).toEqual(['healthy']);
  });

  it('pauses in its first pass, warns, and pauses what it warned of after an hour; every mail has the time of its pass', async () => {
    const { mails, pass, wait } = await startBeside();
    const paused = new Map<string, number>();
    for (let minute = 0; minute <= 40; minute += 5) {
      const report = await pass();
      expect(report).toMatchObject({ ok: true });
      for (const { type, record } of report.delivered)
        if (type === 'integration.paused' && record !== null) paused.set(record.id, minute);
      wait(5);
    }
    expect(paused).toEqual(
      new Map([
        ['hook-crm', 0],
        ['af-android', 25],
      ]),
    );
    expect(mails[0]).toContain('2026-11-23 12:00 UTC');
    expect(mails[0]).toContain('FAILING: AppsFlyer Android');
    expect(mails.find((mail) => mail.includes('PAUSED: AppsFlyer Android'))).toContain('2026-11-23 12:25 UTC');
  });

  it('sees one clock in the Date header and in the records', async () => {
    const { wait } = await startBeside();
    const list = async () => {
      const response = await fetch(`${sandbox?.url}/integrations`, {
        headers: { authorization: `Bearer ${PRODUCTION_KEY}` },
      });
      const { data } = (await response.json()) as { data: readonly { id: string; last_error_at: string | null }[] };
      return {
        date: response.headers.get('date'),
        failedAt: data.find(({ id }) => id === 'af-android')?.last_error_at,
      };
    };
    expect(await list()).toEqual({ date: 'Mon, 23 Nov 2026 12:00:20 GMT', failedAt: '2026-11-23T12:00:20Z' });
    wait(90);
    expect(await list()).toEqual({ date: 'Mon, 23 Nov 2026 13:30:20 GMT', failedAt: '2026-11-23T13:30:20Z' });
  });

  it('is in the state that the sandbox prints', async () => {
    await startBeside();
    const ago = (time: string | null | undefined) => Math.round((NOON - Date.parse(time ?? '')) / 60_000);
    const record = (id: string) => sandbox?.production.get(id);
    expect(ago(record('hook-crm')?.last_delivery_at)).toBe(180);
    expect(ago(record('af-android')?.last_delivery_at)).toBe(35);
    expect(record('braze-ios')?.active).toBe(2);
    expect(record('slack-wins')?.active).toBe(0);
    expect(ago(record('slack-wins')?.updated_at)).toBe(300);
    const delivering = sandbox?.production
      .list()
      .filter(({ active, delivery_error_count }) => active === 1 && delivery_error_count === 0);
    expect(delivering).toHaveLength(7);
  });
});

describe('npm run sandbox', { timeout: 120_000 }, () => {
  const start = async (args: readonly string[]) => {
    const folder = await mkdtemp(join(tmpdir(), 'sandbox-'));
    const child = spawn(process.execPath, ['functions/sandbox/main.ts', ...args], {
      env: { PATH: process.env.PATH, TMPDIR: folder, NO_COLOR: '1' },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    const ended = once(child, 'close').then(([code]) => ({ code, out, err }));
    return { child, folder, ended, out: () => out };
  };
  const printed = async ({ child, out }: Awaited<ReturnType<typeof start>>, text: string) => {
    while (!out().includes(text)) await once(child.stdout, 'data');
    return out();
  };

  it.each([
    [['--speed', 'abc'], /--speed <number>' argument 'abc' is invalid. Give a number above 0, up to 1000\./],
    [['--speed', '0'], /Give a number above 0/],
    [['--port', '70000'], /Give a whole number from 0 to 65535/],
    [['--page-size', '-1'], /Give a whole number from 1/],
    [['--nope'], /unknown option '--nope'/],
    [['nope'], /too many arguments/],
  ])('answers %j with one sentence and exit code 2', async (args, sentence) => {
    const { ended, folder } = await start(args);
    const { code, out, err } = await ended;
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(sentence);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('explains its options', async () => {
    const { ended } = await start(['--help']);
    expect(await ended).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringMatching(/--speed <number> +how many times/),
    });
  });

  it('says in one sentence that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { ended } = await start(['--port', String(port)]);
    expect(await ended).toMatchObject({
      code: 1,
      err: expect.stringMatching(new RegExp(`^The sandbox could not start on port ${port}: .*EADDRINUSE.*\n$`)),
    });
    other.close();
  });

  it('prints one JSON document with --json', async () => {
    const started = await start(['--json', '--speed', '60']);
    const document = JSON.parse(await printed(started, '\n}\n'));
    expect(document).toMatchObject({
      speed: 60,
      url: expect.stringMatching(/\/v4$/),
      keys: { production: PRODUCTION_KEY },
    });
    started.child.kill('SIGTERM');
    expect(await started.ended).toMatchObject({ code: 0 });
  });

  it('says that it is faster than real time, and that a guard needs real time', async () => {
    const started = await start(['--speed', '60']);
    const text = await printed(started, '/break');
    expect(text).toContain('60 times as fast as real time');
    expect(text).toContain('start the sandbox without --speed');
    started.child.kill('SIGINT');
    await started.ended;
  });

  it('prints commands that work as they are printed, and removes its folder at Ctrl-C', async () => {
    const started = await start([]);
    const text = await printed(started, '/break');
    expect(text).toContain('in real time');
    // The loop runs until it is interrupted; its body is the command before.
    const [setUp, ...commands] = await runPrinted(text.replace(/^ {2}while .*\n/m, ''));
    expect(setUp).toMatchObject({ command: expect.stringContaining('export QONVERSION_SECRET_KEY='), code: 0 });
    expect(commands.map(({ command, code }) => [command.split(' ').slice(0, 3).join(' '), code])).toEqual([
      ['npx integration-guard plan', 0],
      ['npx integration-guard run', 0],
      ['npx integration-guard list', 0],
      [expect.stringMatching(/^curl -s http\S+repair$/), 0],
      [expect.stringMatching(/^curl -s http\S+break$/), 0],
    ]);
    const [plan, run, list] = commands;
    expect(plan?.output).toMatch(/hook-crm +Webhooks iOS +pause /);
    expect(run?.output).toMatch(/PAUSED: Webhooks iOS\n.*"CRM webhook" \(hook-crm\)/);
    expect(run?.output).toContain('FAILING: AppsFlyer Android');
    expect(list?.output).toMatch(/hook-crm .* paused/);
    started.child.kill('SIGINT');
    expect(await started.ended).toMatchObject({ code: 0 });
    expect(await readdir(started.folder)).toEqual([]);
  });
});
