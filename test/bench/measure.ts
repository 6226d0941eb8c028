import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { buildSync } from 'esbuild';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { BUNDLING, bundleFunctions, type FunctionName, loadedBytes } from '../../infra/bundle-functions.ts';
import { writeCode } from '../../infra/guard-function.ts';
import type { Measured } from './cost.ts';
import { createSubject, type Subject } from './guard.ts';
import { createScript } from './script.ts';
import type { Counts, Scene } from './server.ts';
import type { Services } from './services.ts';

/**
 * Each measurement is compared with its lower bound in the same run: shared machines differ, but ratios within a run do
 * not.
 */

const run = promisify(execFile);

/** A figure and its aim. */
export interface Figure {
  readonly part: 'quiet pass' | 'busy pass' | 'rate limit' | 'cold start' | 'memory' | 'growth' | 'fleet';
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  /** An upper or lower limit; null: reported without an aim. */
  readonly aim: { readonly atMost: number } | { readonly atLeast: number } | null;
}

export function meets({ value, aim }: Figure): boolean | null {
  if (aim === null) return null;
  return 'atMost' in aim ? value <= aim.atMost : value >= aim.atLeast;
}

const QUIET: Scene = { integrations: 0, failing: 0, latencyMs: 20, perSecond: null };

/** A quiet pass: one list and one ledger query, in parallel, and nothing else. */
export async function measureQuiet(services: Services, sizes: readonly number[], rounds: number): Promise<Figure[]> {
  const subject = createSubject(services.origin);
  const figures: Figure[] = [];
  for (const integrations of sizes) {
    await services.set({ ...QUIET, integrations });
    const of = (what: string) => `${integrations.toLocaleString('en-US')} integrations: ${what}`;
    const bound = createBound(services.origin);
    for (let warm = 0; warm < 5; warm += 1) await Promise.all([bound.slower(), subject.pass()]);
    await services.set({ ...QUIET, integrations });
    const bounds: number[] = [];
    const passes: number[] = [];
    const cpu = { bound: 0, pass: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const before = process.cpuUsage();
      bounds.push(await bound.slower());
      const between = process.cpuUsage();
      passes.push(await timed(() => subject.pass()));
      const after = process.cpuUsage();
      cpu.bound += between.user + between.system - before.user - before.system;
      cpu.pass += after.user + after.system - between.user - between.system;
    }
    const counts = await services.set(QUIET);
    bound.destroy();
    const aim = integrations === 1_000 ? { atMost: 1.25 } : null;
    figures.push(
      figure(
        'quiet pass',
        of('wall time over the slower of list and query'),
        '×',
        median(passes) / median(bounds),
        aim,
      ),
      figure('quiet pass', of('CPU over that of fetching and parsing'), '×', cpu.pass / cpu.bound, null),
      figure('quiet pass', of('CPU per integration'), 'µs', cpu.pass / rounds / integrations, null),
      // Half of the lists and queries belong to the bound.
      figure('quiet pass', of('requests'), '', (counts.lists + counts.queries) / 2 / rounds, { atMost: 2 }),
      figure('quiet pass', of('writes and messages'), '', counts.writes + counts.publishes + counts.statuses, {
        atMost: 0,
      }),
    );
  }
  subject.destroy();
  return figures;
}

/** The same list and query without the guard: fetch and parse, and one call of the SDK. */
function createBound(origin: string): { slower(): Promise<number>; destroy(): void } {
  const dynamo = new DynamoDBClient({
    endpoint: origin,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
  const list = async () => (await fetch(`${origin}/v4/integrations`)).json();
  const query = () =>
    dynamo.send(
      new QueryCommand({
        TableName: 'ledger',
        KeyConditionExpression: '#p = :p',
        ExpressionAttributeNames: { '#p': 'project' },
        ExpressionAttributeValues: { ':p': { S: 'production' } },
      }),
    );
  return {
    slower: () => timed(() => Promise.all([list(), query()])),
    destroy: () => dynamo.destroy(),
  };
}

/** Measures one quiet pass of the real bundle beyond its waits, for the cost estimate. */
export async function measurePass(services: Services): Promise<Pick<Measured, 'ownMs' | 'logBytes' | 'fleetLogBytes'>> {
  const subject = createSubject(services.origin);
  const bound = createBound(services.origin);
  await services.set({ ...QUIET, integrations: 100 });
  const own: number[] = [];
  for (let round = 0; round < 15; round += 1) {
    const waited = await bound.slower();
    own.push((await timed(() => subject.pass())) - waited);
  }
  subject.destroy();
  bound.destroy();
  const fleet = { secretNamePrefix: 'qonversion/', apiUrl: `${services.origin}/v4` };
  const names = JSON.stringify(Array.from({ length: PASSES }, (_, index) => `customer-${index}`));
  const ofFleet = await runBundle(services, { entry: 'fleet-pass', settings: { fleet }, names, integrations: 100 }, []);
  return {
    ownMs: Math.max(1, Math.round(median(own))),
    logBytes: logBytesOf(await runListed(services, 100, [])),
    fleetLogBytes: logBytesOf(ofFleet),
  };
}

function logBytesOf({ stdout }: { readonly stdout: string }): number {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0) / PASSES;
  return Math.round(bytes + LAMBDA_LINES_BYTES);
}

/** Size of Lambda's own START, END and REPORT lines of an invocation. */
const LAMBDA_LINES_BYTES = 320;

const BUSY = { integrations: 1_000, failing: 100 } as const;
/** Requests and ledger writes that `execute` runs at once, and entries of one PublishBatch. */
const AT_ONCE = 8;
const BATCH = 10;

/** The sequential round trips that law 1 requires of any code: list, attempts, requests, alerts, outcomes. */
const BUSY_ROUNDS =
  1 + 2 * Math.ceil(BUSY.failing / AT_ONCE) + Math.ceil(BUSY.failing / BATCH) + 1 + Math.ceil(BUSY.failing / AT_ONCE);

export async function measureBusy(services: Services, latencies: readonly number[], rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const latencyMs of latencies) {
    const scene: Scene = { ...BUSY, latencyMs, perSecond: null };
    const subject = createSubject(services.origin);
    const script = createScript(services.origin);
    await services.set(scene);
    await subject.pass();
    const passes: number[] = [];
    const scripts: number[] = [];
    const trips: number[] = [];
    let counts: Counts | null = null;
    for (let round = 0; round < rounds; round += 1) {
      await services.set(scene);
      trips.push(await roundTrip(services.origin));
      await services.set(scene);
      passes.push(await timed(() => subject.pass()));
      counts = await services.set(scene);
      scripts.push(await timed(() => script.run()));
    }
    const of = (what: string) => `100 of 1,000 to pause at ${latencyMs} ms: ${what}`;
    const bound = BUSY_ROUNDS * median(trips);
    figures.push(
      figure('busy pass', of(`wall time over ${BUSY_ROUNDS} round trips`), '×', median(passes) / bound, {
        atMost: 1.3,
      }),
      figure('busy pass', of('speed relative to the obvious script'), '×', median(scripts) / median(passes), {
        atLeast: 5,
      }),
    );
    if (counts !== null && latencyMs === latencies[0]) {
      figures.push(
        figure('busy pass', '100 of 1,000 to pause: requests to Qonversion', '', counts.lists + counts.statuses, {
          atMost: 102,
        }),
        figure('busy pass', '100 of 1,000 to pause: ledger requests', '', counts.queries + counts.writes, {
          atMost: 205,
        }),
        figure('busy pass', '100 of 1,000 to pause: SNS requests', '', counts.publishes, { atMost: 11 }),
      );
    }
    subject.destroy();
    script.destroy();
  }
  return figures;
}

/** Duration of an empty request and its answer, including the injected latency. */
async function roundTrip(origin: string): Promise<number> {
  const times: number[] = [];
  for (let tries = 0; tries < 15; tries += 1) {
    times.push(
      await timed(async () => {
        const body = '{"status":0}';
        const answer = await fetch(`${origin}/v4/integrations/integration-000999/status`, { method: 'POST', body });
        await answer.text();
      }),
    );
  }
  return median(times);
}

/**
 * Another client of the key sends two requests per second, while a pass pauses 100 integrations under a limit of 20 per
 * second.
 */
export async function measureLimit(services: Services): Promise<Figure[]> {
  const perSecond = 20;
  const scene: Scene = { ...BUSY, latencyMs: 5, perSecond };
  const subject = createSubject(services.origin);
  await services.set(scene);
  let done = false;
  const others = (async () => {
    while (!done) {
      const answer = await fetch(`${services.origin}/v4/integrations/integration-000999/status`, {
        method: 'POST',
        body: '{"status":1}',
      });
      await answer.text();
      await sleep(500);
    }
  })();
  const wall = await timed(() => subject.pass());
  done = true;
  await others;
  const counts = await services.set(scene);
  subject.destroy();
  return [
    figure(
      'rate limit',
      `100 pauses at ${perSecond} per second: wall time over the limit's own`,
      '×',
      wall / ((1_000 * BUSY.failing) / perSecond),
      null,
    ),
    figure('rate limit', '429s per successful request', '', counts.refused / counts.statuses, {
      atMost: 0.5,
    }),
    figure(
      'rate limit',
      'refused requests of other clients of the key',
      '%',
      (100 * counts.othersRefused) / Math.max(1, counts.others),
      { atMost: 10 },
    ),
  ];
}

const TWO_CLIENTS = `
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
export const handler = async () => [new DynamoDBClient(), new SecretsManagerClient()];
`;

const FUNCTIONS = ['pass', 'fleet-pass', 'panel', 'panel-actions'] as const satisfies readonly FunctionName[];

/** Loads the code of each function in a new process, and code with only the two clients that every pass needs. */
export async function measureColdStart(
  rounds: number,
): Promise<Pick<Measured, 'loadMs' | 'leastLoadMs'> & { readonly figures: readonly Figure[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'guard-bench-'));
  const real = join(folder, 'real');
  const least = join(folder, 'least');
  const { pass: loaded } = bundleFunctions(real).loadedBytes;
  const stdin = {
    contents: TWO_CLIENTS,
    resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
    loader: 'ts',
  } as const;
  const { metafile } = buildSync({ ...BUNDLING, stdin: { ...stdin, sourcefile: 'index.ts' }, outdir: least });
  const times = new Map<FunctionName, number[]>(FUNCTIONS.map((name) => [name, []]));
  const bounds: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bounds.push(await load(join(least, entryOf(metafile))));
    for (const [name, measured] of times) measured.push(await load(join(real, `${name}.mjs`)));
  }
  await rm(folder, { recursive: true });
  const bytes = loadedBytes(metafile, entryOf(metafile));
  const loadMs = Object.fromEntries([...times].map(([name, measured]) => [name, Math.round(Math.min(...measured))]));
  // The least time: what is more comes from other programs on the machine.
  const leastLoadMs = Math.round(Math.min(...bounds));
  return {
    loadMs,
    leastLoadMs,
    figures: [
      figure(
        'cold start',
        'processor time of loading over that of the two SDK clients alone',
        '×',
        (loadMs.pass ?? 0) / leastLoadMs,
        null,
      ),
      figure('cold start', 'code loaded at the start', 'kB', loaded / 1_024, { atMost: 460 }),
      figure('cold start', 'beyond the two clients', 'kB', (loaded - bytes) / 1_024, null),
    ],
  };
}

function entryOf({
  outputs,
}: {
  readonly outputs: Readonly<Record<string, { readonly entryPoint?: string }>>;
}): string {
  const entry = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint?.includes('index.ts') === true);
  return entry?.[0].split('/').at(-1) ?? 'index.mjs';
}

async function load(file: string): Promise<number> {
  // Processor time, which other programs on the machine hardly change.
  const code = `const start = process.cpuUsage(); await import(${JSON.stringify(pathToFileURL(file).href)}); const { user, system } = process.cpuUsage(start); console.log((user + system) / 1_000);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], {
    env: { AWS_REGION: 'eu-west-1' },
  });
  return Number(stdout);
}

const PASSES = 3;

/**
 * A script that does what Lambda does: it loads the bundle, runs a pass for each name, and prints the peak memory in
 * megabytes. Plain JavaScript, because Node's TypeScript loader uses memory of its own.
 */
function passesOf(bundle: string, names: string): string {
  return `
    import { existsSync, readFileSync } from 'node:fs';
    const { handler } = await import(${JSON.stringify(pathToFileURL(bundle).href)});
    const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => 120_000 };
    for (const project of ${names}) await handler({ project }, context);
    // On Linux, getrusage of a child starts with the parent's peak; this value does not.
    const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
    const kilobytes = Number(/VmHWM:\\s+(\\d+) kB/.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
    process.stderr.write(String(Math.round(kilobytes / 1_024)));
  `;
}

/** Three passes of the real bundle over the listed project, in a separate process. */
export function runListed(services: Services, integrations: number, flags: readonly string[]) {
  const projects = { production: { secretName: 'x', apiUrl: `${services.origin}/v4` } };
  const names = JSON.stringify(Array.from({ length: PASSES }, () => 'production'));
  return runBundle(services, { entry: 'pass', settings: { projects }, names, integrations }, flags);
}

/**
 * Runs passes of a real bundle in a separate process, over the services.
 * @param work.names a JavaScript expression
 */
export async function runBundle(
  services: Services,
  work: {
    readonly entry: FunctionName;
    readonly settings: object;
    readonly names: string;
    readonly integrations: number;
  },
  flags: readonly string[],
) {
  const folder = await mkdtemp(join(tmpdir(), 'guard-bench-'));
  writeCode(folder, parseSettings(work.settings));
  await services.set({ ...QUIET, integrations: work.integrations, latencyMs: 1 });
  const args = [...flags, '--input-type=module', '-e', passesOf(join(folder, `${work.entry}.mjs`), work.names)];
  const answer = await run(process.execPath, args, {
    maxBuffer: 64 * 1_024 * 1_024,
    env: {
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      AWS_ENDPOINT_URL: services.origin,
      LEDGER_TABLE: 'ledger',
      ALERTS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:123456789012:alerts',
      CHAT_TOPICS: '[]',
      INCIDENT_TOOLS: '[]',
      STACK_NAME: 'x',
    },
  });
  await rm(folder, { recursive: true });
  return answer;
}

/**
 * Peak memory of a process that does what the function does, by number of integrations, for quiet passes of the real
 * bundle.
 */
export async function measureMemory(services: Services, sizes: readonly number[]): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const integrations of sizes) {
    const megabytes = integrations > 1_000 ? 256 : 128;
    const { stderr } = await runListed(services, integrations, heapOf(megabytes));
    const what = `${integrations.toLocaleString('en-US')} integrations: peak of three passes`;
    figures.push(figure('memory', what, 'MB', memoryIn(stderr), { atMost: megabytes }));
  }
  return figures;
}

/** Lambda's heap flags for Node: 90 % of the memory for the old generation, 5 % for each half of the young one. */
export function heapOf(megabytes: number): readonly string[] {
  return [
    `--max-old-space-size=${Math.floor(megabytes * 0.9)}`,
    `--max-semi-space-size=${Math.floor(megabytes * 0.05)}`,
  ];
}

/** Parses the output of `passesOf`, in megabytes. */
export function memoryIn(stderr: string): number {
  return Number(stderr.trim().split('\n').at(-1));
}

export interface Growth {
  readonly points: readonly { readonly integrations: number; readonly ms: number }[];
  readonly figures: readonly Figure[];
}

/** The slope of time over integrations on logarithmic scales, for sizes that dominate the time: 1 is linear. */
export async function measureGrowth(services: Services, sizes: readonly number[], rounds: number): Promise<Growth> {
  const subject: Subject = createSubject(services.origin, 128 * 1_024 * 1_024);
  const points: { integrations: number; ms: number }[] = [];
  for (const integrations of sizes) {
    await services.set({ ...QUIET, integrations, latencyMs: 0 });
    for (let warm = 0; warm < 2; warm += 1) await subject.pass();
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) times.push(await timed(() => subject.pass()));
    points.push({ integrations, ms: median(times) });
  }
  subject.destroy();
  const large = points.filter(({ integrations }) => integrations >= 1_000);
  const slope = slopeOf(large.map(({ integrations, ms }) => [Math.log(integrations), Math.log(ms)] as const));
  const from = large[0]?.integrations.toLocaleString('en-US');
  const to = large.at(-1)?.integrations.toLocaleString('en-US');
  return {
    points,
    figures: [figure('growth', `exponent of the time from ${from} to ${to} integrations`, '', slope, { atMost: 1.1 })],
  };
}

/** The slope of the least-squares line. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([each]) => each)), mean(points.map(([, each]) => each))];
  const over = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0);
  return over / points.reduce((sum, [px]) => sum + (px - x) ** 2, 0);
}

export function figure(part: Figure['part'], what: string, unit: string, value: number, aim: Figure['aim']): Figure {
  return { part, what, unit, value, aim };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}
