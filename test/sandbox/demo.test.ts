import { spawn } from 'node:child_process';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../../functions/cli/failure.ts';
import { type DemoOptions, runDemo } from '../../functions/sandbox/demo.ts';
import type { Sandbox } from '../../functions/sandbox/server.ts';

/** The demo shows what the guard did. If the guard or the world departs from the story, the demo must fail. */

async function play(prepare: (sandbox: Sandbox) => void, options: Partial<DemoOptions> = {}): Promise<string> {
  let shown = '';
  const out = (text: string) => {
    shown += text;
  };
  await runDemo({ json: false, keep: false, pace: 0, columns: 120, gone: () => false, out, prepare, ...options });
  return shown;
}

const refuseAll = (sandbox: Sandbox) => sandbox.faults.add({ fault: { kind: 'status', status: 401 } });

describe('the demo', () => {
  it('shows the story when everything happens as promised', async () => {
    const shown = await play(() => undefined);
    expect(shown).toContain('13:08   Amplitude goes down, for both platforms.');
    expect(shown).toContain('Summary');
  });

  it('stops at the first pass that fails', async () => {
    let shown = '';
    const out = (text: string) => {
      shown += text;
    };
    await expect(play(refuseAll, { out })).rejects.toThrow(
      /^The demo stopped at 13:05, because the guard's pass failed: .*401/,
    );
    expect(shown).not.toContain('Summary');
  });

  it('stops when a pass fails in the middle of the story', async () => {
    const breakLater = (sandbox: Sandbox) => {
      const { breakDown } = sandbox.production;
      sandbox.production.breakDown = (...args) => {
        breakDown.apply(sandbox.production, args);
        refuseAll(sandbox);
      };
    };
    await expect(play(breakLater)).rejects.toThrow(/^The demo stopped at 13:10, because the guard's pass failed/);
  });

  it('stops when a promised alert does not come', async () => {
    const quiet = ({ production }: Sandbox) => {
      production.breakDown = () => undefined;
    };
    await expect(play(quiet)).rejects.toThrow(
      'The demo stopped at 13:10, because the guard did not send the promised alert "Amplitude down" (provider.down).',
    );
  });

  it('stops when an alert comes that the story does not have', async () => {
    const another = ({ production }: Sandbox) => production.planOutage('seg-stripe', 'HTTP 500', 60, 300);
    await expect(play(another)).rejects.toThrow(
      /^The demo stopped at 14:\d\d, because the guard sent an alert that the story does not have: "seg-stripe failing" /,
    );
  });

  it('stops before a sentence that is not true', async () => {
    const pausedBefore = ({ production }: Sandbox) => {
      production.setStatus('amp-ios', 0);
      production.add({ id: 'amp-stripe', provider: 'amplitude', platform: 'Stripe', active: 1, eventsPerMinute: 5 });
      production.planOutage('amp-stripe', 'HTTP 503', 8, 45);
    };
    await expect(play(pausedBefore)).rejects.toThrow(
      'The demo stopped at 13:53, because this is not so: "Amplitude works again. The guard paused neither platform, so no event was withheld."',
    );
  });

  it('ends the command with this one sentence and exit code 1', async () => {
    const failed = await play(refuseAll).catch((error: unknown) => error);
    expect(failureOf(failed)).toEqual({
      name: 'DemoFailedError',
      message: expect.stringMatching(/^The demo stopped at 13:05, [^\n]*$/),
      exitCode: 1,
    });
  });
});

describe('the folder of the demo', { timeout: 120_000 }, () => {
  const start = async (args: readonly string[]) => {
    const folder = await mkdtemp(join(tmpdir(), 'demo-'));
    const child = spawn(process.execPath, ['functions/cli/main.ts', 'demo', ...args], {
      env: { PATH: process.env.PATH, TMPDIR: folder, NO_COLOR: '1' },
    });
    let shown = '';
    const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const until = (text: string) =>
      new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          shown += chunk.toString();
          if (shown.includes(text)) resolve();
        });
      });
    return { child, folder, ended, until, shown: () => shown };
  };

  it('is removed when the story ends', async () => {
    const { folder, ended, until } = await start(['--pace', '0']);
    await until('Summary');
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('is removed when %s ends the story', async (signal) => {
    const { child, folder, ended, until } = await start(['--pace', '10000']);
    await until('Every active integration delivers.');
    expect(await readdir(folder)).toHaveLength(1);
    child.kill(signal);
    expect(await ended).toEqual({ code: null, signal });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('stays with --keep until %s, which is the ordinary end', async (signal) => {
    const { child, folder, ended, until } = await start(['--keep', '--pace', '0']);
    await until('Ctrl-C ends it.');
    expect(await readdir(folder)).toHaveLength(1);
    child.kill(signal);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(await readdir(folder)).toEqual([]);
  });

  it('is removed when the demo fails', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'demo-'));
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder;
    try {
      await expect(play(refuseAll)).rejects.toThrow('The demo stopped');
    } finally {
      process.env.TMPDIR = before;
    }
    expect(await readdir(folder)).toEqual([]);
  });
});
