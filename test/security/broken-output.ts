import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import type { Size } from '../faults/finding.ts';
import { A_KEY } from './hostile-api.ts';
import type { Attack, Kind } from './kind.ts';

/**
 * Output that cannot be written, and unexpected faults, in the real program in separate processes: full disks, readers
 * that go away or are slow, closed streams, exceptions and rejected promises during the work, an interruption.
 */

/** Signs of a stack trace, in any of Node's formats. */
const TRACE = /^\s+at \S|node:internal|file:\/\/\/|\.ts:\d+|Node\.js v\d|triggerUncaughtException/m;

interface Outcome {
  /** The exit code, or 128 plus the number of the signal that ended the process, as in a shell. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Trial {
  readonly what: string;
  /** For `sh`, with `guard` as the program and `$status`, which prints the exit code to file descriptor 9. */
  readonly script: string;
  readonly codes: readonly number[];
  /** The expected standard output; left out: anything. */
  readonly out?: 'one error document' | 'one document' | 'nothing';
  readonly preload?: string;
  /** Whether it is interrupted while it waits for an answer. */
  readonly isInterrupted?: true;
  /** Only at the full size. */
  readonly slow?: true;
}

/**
 * Faults that are injected into the process, because no real ones are known. All but the first occur while it waits for
 * an answer.
 */
const FAULTS = {
  // Every command works with dates.
  'a TypeError within': `setTimeout(() => { Date.prototype.toISOString = () => { throw new TypeError('x is not a function'); }; }, 0);`,
  'an exception in a timer': `setTimeout(() => { throw new TypeError('x is not a function'); }, 60);`,
  'a rejected promise': `setTimeout(() => { void Promise.reject(new RangeError('no such index')); }, 60);`,
  'a thrown string': `setTimeout(() => { throw 'oh no'; }, 60);`,
  'a thrown null': `setTimeout(() => { throw null; }, 60);`,
  'an error with a hostile message': `setTimeout(() => { throw new TypeError('\\u001b]52;c;eA==\\u0007\\n    at evil (file:///x.ts:1:1)'); }, 60);`,
} as const;

function trials(silent: string): readonly Trial[] {
  const commands = [
    'plan',
    'list --json',
    'history',
    'doctor',
    'projects --json',
    '--help',
    'complete bash',
    'complete -- ""',
  ];
  const status = (line: string) => `${line}; echo $? >&9`;
  return [
    ...commands.map((command, index): Trial => {
      const trial = { what: `guard ${command} >/dev/full`, script: status(`guard ${command} >/dev/full`), codes: [1] };
      return index < 1 ? trial : { ...trial, slow: true };
    }),
    ...commands.map((command, index): Trial => {
      // The reader exits before anything is written.
      const script = `mkfifo "$dir/p"; : <"$dir/p" & { ${status(`guard ${command}`)}; } >"$dir/p"; rm "$dir/p"; wait`;
      const trial = { what: `guard ${command} | true`, script, codes: [141] };
      return index < 1 ? trial : { ...trial, slow: true };
    }),
    {
      what: 'guard list --json | head -c 1',
      script: `{ ${status('guard list --json')}; } | head -c 1`,
      codes: [0, 141],
    },
    {
      what: 'errors to /dev/full',
      script: status('guard plan --project none 2>/dev/full'),
      codes: [2],
      out: 'nothing',
    },
    { what: 'errors to a closed stream', script: status('guard plan --project none 2>&-'), codes: [2], slow: true },
    { what: 'both to /dev/full', script: status('guard plan >/dev/full 2>&1'), codes: [1], slow: true },
    {
      what: 'a log to /dev/full',
      script: status('guard plan --verbose --json 2>/dev/full'),
      codes: [0],
      out: 'one document',
      slow: true,
    },
    {
      what: 'an error document to /dev/full',
      script: status('guard plan --project none --json >/dev/full'),
      codes: [2],
      slow: true,
    },
    { what: 'standard output closed', script: status('guard plan >&-'), codes: [0, 1], slow: true },
    {
      what: 'standard input closed',
      script: status('guard plan --json <&-'),
      codes: [0],
      out: 'one document',
      slow: true,
    },
    {
      what: 'a slow reader',
      script: `{ ${status('guard list --json')}; } | dd bs=64 2>/dev/null`,
      codes: [0],
      out: 'one document',
    },
    {
      what: 'a ledger on a full disk',
      script: status('GUARD_LEDGER=/dev/full/x guard run --json'),
      codes: [1, 2],
      slow: true,
    },
    {
      what: 'demo without a reader',
      script: `{ ${status('guard demo --pace 0')}; } | head -1`,
      codes: [141],
      slow: true,
    },
    {
      what: 'demo --keep without a reader',
      script: `{ ${status('guard demo --keep --pace 0')}; } | head -1`,
      codes: [141],
      slow: true,
    },
    ...[
      ['an unknown option', 'plan --json --nope', 2],
      ['an unknown option before', '--json --nope', 2],
      ['an unknown command', 'nope --json', 2],
      ['no command', '--json', 2],
      ['a faulty id', 'pause "a b" --json', 2],
      ['no id', 'pause --json', 2],
      ['a faulty number', 'simulate --json --days x', 2],
      ['an unknown project', 'plan --json --project none', 2],
      ['no settings', 'plan --json', 2, 'GUARD_SETTINGS=/none '],
      ['a broken ledger', 'history --json', 1, 'GUARD_LEDGER=/dev/null/x '],
      ['no key', 'plan --json', 2, 'QONVERSION_SECRET_KEY= '],
      ['a stack of no name', 'plan --json --stack ../x', 2],
      ['options that exclude each other', 'gaps --json --csv', 2],
    ].map(([what, words, code, variables = ''], index): Trial => {
      const script = status(`${variables}guard ${words}`);
      const trial = { what: `--json and ${what}`, script, codes: [Number(code)], out: 'one error document' as const };
      return index % 4 === 0 ? trial : { ...trial, slow: true };
    }),
    {
      what: '--json and help',
      script: status('guard plan --json --help'),
      codes: [0],
      out: 'one document',
      slow: true,
    },
    ...Object.entries(FAULTS).flatMap(([fault, preload], index): readonly Trial[] => {
      const guard = index === 0 ? 'guard' : `GUARD_SETTINGS='${silent}' guard`;
      return [
        {
          what: `${fault}, as text`,
          script: status(`${guard} plan`),
          codes: [1],
          out: 'nothing',
          preload,
          ...(index === 1 ? {} : { slow: true }),
        },
        {
          what: `${fault}, as JSON`,
          script: status(`${guard} plan --json`),
          codes: [1],
          out: 'one error document',
          preload,
          ...(index === 2 ? {} : { slow: true }),
        },
      ];
    }),
    {
      what: 'an interruption',
      script: `GUARD_SETTINGS='${silent}' exec guard plan`,
      codes: [130],
      out: 'nothing',
      isInterrupted: true,
      slow: true,
    },
  ];
}

async function attack(size: Size): Promise<Attack> {
  const folder = mkdtempSync(join(tmpdir(), 'guard-broken-output-'));
  const sandbox = await startSandbox({ production: new World({ startAt: new Date().toISOString() }) });
  sandbox.regenerateKey(A_KEY);
  for (let index = 0; index < 400; index += 1)
    sandbox.production.add({ id: `integration-${index}`, active: 1, eventsPerMinute: 1, title: 'x'.repeat(200) });
  // An API that accepts the request but does not answer.
  const silent = createServer(() => undefined);
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
  const settingsFor = (name: string, apiUrl: string) => {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify({ projects: { production: { secretName: 'x', apiUrl } } }));
    return file;
  };
  const settings = settingsFor('settings.json', sandbox.url);
  const never = settingsFor('silent.json', `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  const violations: string[] = [];
  let tried = 0;
  try {
    const chosen = trials(never).filter(({ slow }) => size !== 'quick' || slow === undefined);
    const run = async (trial: Trial): Promise<void> => {
      tried += 1;
      violations.push(...judge(trial, await outcomeOf(trial, folder, settings, silent)));
    };
    // Two at once: each keeps a core busy for a second.
    const waiting = [...chosen];
    const takeTurns = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next);
    };
    await Promise.all([takeTurns(), takeTurns()]);
  } finally {
    silent.closeAllConnections();
    silent.close();
    await sandbox.close();
    rmSync(folder, { recursive: true });
  }
  return { tried, violations };
}

function judge({ what, codes, out: wanted }: Trial, { code, out, err }: Outcome): readonly string[] {
  const faults = [
    ...(codes.includes(code) ? [] : [`ends with ${code} instead of ${codes.join(' or ')}`]),
    ...(TRACE.test(err) || TRACE.test(out) ? ['shows a stack trace'] : []),
    ...(/[^\n\P{Cc}]/u.test(err) ? ['shows control characters'] : []),
    ...(wanted === 'nothing' && out !== '' ? ['prints something'] : []),
    ...(wanted === 'one document' && typeof parse(out) !== 'object' ? ['prints no document'] : []),
    ...(wanted === 'one error document' && !isErrorDocument(parse(out), codes) ? ['prints no error document'] : []),
    ...(wanted === 'one error document' && err !== '' ? ['repeats the error'] : []),
  ];
  return faults.map((fault) => `${what}: ${fault}: ${(err || out).slice(0, 300)}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isErrorDocument(document: unknown, codes: readonly number[]): boolean {
  const { error } = (document ?? {}) as { readonly error?: Readonly<Record<string, unknown>> };
  return (
    typeof error?.name === 'string' &&
    typeof error.message === 'string' &&
    error.message.length > 5 &&
    codes.includes(Number(error.exitCode))
  );
}

let count = 0;

function outcomeOf(
  { script, preload, isInterrupted }: Trial,
  folder: string,
  settings: string,
  silent: ReturnType<typeof createServer>,
): Promise<Outcome> {
  count += 1;
  const ownFolder = join(folder, `${count}`);
  const preloaded = join(folder, `preload-${count}.mjs`);
  writeFileSync(preloaded, preload ?? '');
  const program = `'${process.execPath}' ${preload === undefined ? '' : `--import '${preloaded}' `}'${resolve('functions/cli/main.ts')}'`;
  // `exec` accepts no function.
  const line = script.replace('exec guard', `exec ${program}`);
  const child = spawn('sh', ['-c', `mkdir "$dir"; guard() { ${program} "$@"; }\n${line}`], {
    env: {
      PATH: process.env.PATH,
      dir: ownFolder,
      GUARD_SETTINGS: settings,
      GUARD_LEDGER: join(ownFolder, 'ledger.json'),
      QONVERSION_SECRET_KEY: A_KEY,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'pipe'],
  });
  const asked = () => {
    if (isInterrupted === true) child.kill('SIGINT');
  };
  silent.on('request', asked);
  const read = (stream: NodeJS.ReadableStream | null | undefined) => {
    const chunks: Buffer[] = [];
    stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString();
  };
  const [out, err, code] = [read(child.stdout), read(child.stderr), read(child.stdio.at(9) as Readable | null)];
  return new Promise((done) => {
    child.on('close', (own, signal) => {
      silent.off('request', asked);
      const ended = signal === null ? own : 128 + constants.signals[signal];
      done({ code: Number(code() === '' ? ended : code().trim()), out: out(), err: err() });
    });
  });
}

export const brokenOutput: Kind = {
  name: 'broken-output',
  promise:
    'Despite broken output or an internal fault, the command line ends with the right exit code, one document or one sentence, and no stack trace.',
  attack,
};
