import { createServer } from 'node:http';
import { describeError } from '../../functions/guard/errors.ts';
import { BLANK_ENTRY, isSettled } from '../../functions/guard/model/entry.ts';
import { type GuardEvent, isAuditOnly } from '../../functions/guard/model/event.ts';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { ALERT_RESERVE_MS } from '../../functions/guard/pass/time-budget.ts';
import { statusAsked } from '../../functions/guard/policy/decide.ts';
import type { Log, Ports } from '../../functions/guard/ports.ts';
import { createQonversionClient } from '../../functions/qonversion/client.ts';
import { SecretKey } from '../../functions/qonversion/secret-key.ts';
import { PRODUCTION_KEY, startSandbox } from '../../functions/sandbox/server.ts';
import { type SandboxRecord, World } from '../../functions/sandbox/world.ts';
import { aPolicy, PROBE_RECOVERY } from '../support/builders.ts';
import { close, listen } from '../support/loopback.ts';
import { createMemoryAlerts, createMemoryLedger } from '../support/memory-ports.ts';
import type { Finding, Size } from './finding.ts';
import { MISCHIEF_COUNT, spoil, startProxy } from './proxy.ts';
import { createRandom, type Random } from './random.ts';

/** Runs passes against an API that gives every kind of bad answer, and checks the limits and promises of a pass. */

const NAME = 'production';
const LIMIT_MS = 120_000;
const TRY_MS = 10_000;
/** Small, so that a large body costs the test little. The client's own tests check its default. */
const MAX_BODY_BYTES = 1024 * 1024;
const RETRIES = 4;

/** A host that must never get a request. */
async function startThief(): Promise<{
  readonly url: string;
  readonly requests: () => number;
  close(): Promise<void>;
}> {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    response.end('{}');
  });
  const origin = await listen(server);
  return {
    url: `${origin}/steal`,
    requests: () => requests,
    close: () => close(server),
  };
}

/** A world that records each change of a state, with the failures at that time. */
class WatchedWorld extends World {
  readonly switches: { readonly id: string; readonly to: 0 | 1; readonly failed: number; readonly minutes: number }[] =
    [];

  override setStatus(id: string, status: 0 | 1): SandboxRecord | undefined {
    const before = this.get(id);
    const after = super.setStatus(id, status);
    if (before !== undefined && after !== undefined && before.active !== after.active) {
      const since = Date.parse(before.last_delivery_at ?? before.created_at);
      const minutes = (this.now().getTime() - since) / 60_000;
      this.switches.push({ id, to: status, failed: before.delivery_error_count, minutes });
    }
    return after;
  }
}

/** A log that keeps its lines, to search them for the key. */
function createKeepingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep: Log['info'] = (message, fields) => void lines.push(JSON.stringify({ message, ...fields }));
  return { lines, info: keep, warn: keep, error: keep };
}

const BROKEN = ['broken-1', 'broken-2', 'broken-3'] as const;
const HEALTHY = ['well-1', 'well-2', 'well-3', 'well-4'] as const;
const DRAFTS = ['draft-1'] as const;

/** One afternoon: two hours of bad answers while three integrations fail, then good answers. */
async function liveThrough(
  seed: number,
): Promise<{ readonly answers: ReadonlyMap<string, number>; readonly wrong: readonly string[] }> {
  const random = createRandom(seed);
  const wrong: string[] = [];
  const probing = random.oneIn(2);
  const policy = aPolicy({
    blastRadius: { percent: 100, floor: 100 },
    failingForMinutes: 15,
    providerOutage: 'off',
    remindAt: 'never',
    recovery: probing
      ? { ...PROBE_RECOVERY, cooldownMinutes: 20, maxCooldownMinutes: 20, maxAttempts: 99 }
      : { mode: 'manual' },
  });
  const world = new WatchedWorld({ startAt: '2026-11-23T12:00:00Z', suspendAfterMinutes: 100_000 });
  for (const id of [...BROKEN, ...HEALTHY]) world.add({ id, active: 1, eventsPerMinute: 10 });
  for (const id of DRAFTS) world.add({ id, active: 0 });
  world.advance(10);
  for (const id of BROKEN) world.breakDown(id, 'HTTP 503');

  const sandbox = await startSandbox({ production: world });
  const thief = await startThief();
  let elapsed = 0;
  let calm = false;
  // The API's time must pass too, so that an act after a wait does not seem older than its attempt.
  const passes = (ms: number) => {
    elapsed += ms;
    world.advance(ms / 60_000);
  };
  const proxy = await startProxy({
    target: sandbox.url,
    thief: thief.url,
    random,
    passes,
    tryMs: TRY_MS,
    maxBodyBytes: MAX_BODY_BYTES,
    bad: ([{ all: 'GET' }, { all: 'POST' }] as const)[seed % 6] ?? { oneIn: 1 + random.below(3) },
  });
  const clock = { now: () => world.now() };
  const ledger = createMemoryLedger(clock);
  const alerts = createMemoryAlerts();
  const log = createKeepingLog();
  const key = new SecretKey(PRODUCTION_KEY);

  const pass = async () => {
    elapsed = 0;
    const remainingMs = () => LIMIT_MS - elapsed;
    const api = createQonversionClient({
      apiUrl: proxy.url,
      key: { get: async () => key, renew: async () => key },
      clock,
      remainingMs: () => remainingMs() - ALERT_RESERVE_MS,
      retries: RETRIES,
      // Timeouts are short in real time and long on the virtual clock. In the calm part they are long, so that a slow machine does not matter.
      timeoutMs: calm ? 5_000 : 60,
      firstWaitMs: 1,
      sleep: async (ms) => passes(ms),
      maxBodyBytes: MAX_BODY_BYTES,
    });
    const ports: Ports = { api, ledger, alerts, clock, log, remainingMs };
    const report = await runPass(ports, { name: NAME, policy });
    if (elapsed > LIMIT_MS)
      wrong.push(`a pass took ${Math.round(elapsed / 1_000)} s, the maximum is ${LIMIT_MS / 1_000} s`);
    const acts = report.results.filter(({ decision }) => statusAsked(decision) !== null).length;
    // If a list says that it has more, the client requests a second page.
    const maximum = (2 * 2 + acts) * (RETRIES + 1);
    if (report.traffic.requests > maximum)
      wrong.push(`a pass sent ${report.traffic.requests} requests, the maximum is ${maximum}`);
    return report;
  };

  try {
    for (let minutes = 0; minutes < 120; minutes += 5) {
      world.advance(5);
      await pass();
    }
    proxy.calm();
    calm = true;
    // Long enough to pause an integration whose failures no pass has seen before.
    for (let minutes = 0; minutes < 30; minutes += 5) {
      world.advance(5);
      await pass();
    }
    const last = await pass();
    if (!last.ok || last.results.some(({ outcome }) => outcome !== 'quiet')) wrong.push('the last pass was not quiet');
  } catch (error) {
    wrong.push(`a pass threw: ${describeError(error)}`);
  }
  const recorded = (await ledger.history(NAME, '2026-01-01T00:00:00Z')).filter(isAuditOnly);
  wrong.push(...judge(world, ledger, [...alerts.events(), ...recorded], probing));
  if (thief.requests() > 0) wrong.push(`another host got ${thief.requests()} requests`);
  const view = await ledger.read(NAME);
  const written = [
    ...log.lines,
    JSON.stringify(alerts.published),
    JSON.stringify([...view.integrations]),
    JSON.stringify(view.project),
  ];
  if (written.some((text) => text.includes(PRODUCTION_KEY.slice(3)))) wrong.push('the key was written somewhere');
  await proxy.close();
  await sandbox.close();
  await thief.close();
  return { answers: proxy.done, wrong };
}

function judge(
  world: WatchedWorld,
  ledger: ReturnType<typeof createMemoryLedger>,
  events: readonly GuardEvent[],
  probing: boolean,
): readonly string[] {
  const wrong: string[] = [];
  const count = (id: string, ...types: string[]) =>
    new Set(events.filter(({ record, type }) => record?.id === id && types.includes(type)).map((event) => event.id))
      .size;
  for (const id of [...BROKEN, ...HEALTHY, ...DRAFTS]) {
    const switches = world.switches.filter((item) => item.id === id);
    const pauses = switches.filter(({ to }) => to === 0);
    const first = pauses[0];
    if (first !== undefined && (first.failed < 50 || first.minutes < 15)) {
      wrong.push(`${id} was paused after ${first.failed} failures in ${first.minutes} min`);
    }
    const stops = count(id, 'integration.paused', 'integration.probe-failed');
    if (stops !== pauses.length) wrong.push(`${id}: ${pauses.length} pauses, but ${stops} alerts of them`);
    const probes = switches.length - pauses.length;
    if (count(id, 'integration.probing') !== probes)
      wrong.push(`${id}: ${probes} probes, but another number of events`);
    if (!isSettled(ledger.entry(NAME, id) ?? BLANK_ENTRY))
      wrong.push(`${id}: an attempt or an undelivered alert is left`);
  }
  for (const id of HEALTHY) if (world.get(id)?.active !== 1) wrong.push(`${id} is paused`);
  for (const id of DRAFTS) if (world.get(id)?.active !== 0) wrong.push(`${id} was activated`);
  for (const id of BROKEN) {
    const state = ledger.entry(NAME, id)?.state.name;
    if (state === undefined || state === 'closed')
      wrong.push(`${id} has failed for hours, but its circuit is ${state ?? 'unknown'}`);
    if (!probing && world.get(id)?.active !== 0) wrong.push(`${id} was not paused`);
  }
  if (
    events.filter(({ type }) => type === 'guard.failing').length > 0 &&
    !events.some(({ type }) => type === 'guard.recovered')
  ) {
    wrong.push('passes run again, but no alert says so');
  }
  return wrong;
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

export async function faceHostility(size: Size): Promise<readonly Finding[]> {
  const seeds = upTo({ quick: 7, full: 120, soak: 1_000 }[size]);
  const violations: string[] = [];
  const kinds = new Map<string, number>();
  for (const seed of seeds) {
    const { answers, wrong } = await liveThrough(seed);
    for (const [name, times] of answers) kinds.set(name, (kinds.get(name) ?? 0) + times);
    for (const sentence of wrong) violations.push(`hostile afternoon, seed ${seed}: ${sentence}`);
  }
  const tried = [...kinds.values()].reduce((sum, times) => sum + times, 0);
  if (size !== 'quick' && kinds.size < MISCHIEF_COUNT)
    violations.push(`only ${kinds.size} of ${MISCHIEF_COUNT} kinds of bad answers were given`);
  return [
    { harness: 'a hostile API', unit: 'hostile answers', tried, violations, figures: { kinds: kinds.size } },
    await readWithoutEnd(),
    await fuzzLists({ quick: 1_000, full: 10_000, soak: 100_000 }[size]),
  ];
}

/** An endless body: the client must stop reading it. */
async function readWithoutEnd(): Promise<Finding> {
  const maxSent = 64 * 1024 * 1024;
  let sent = 0;
  const server = createServer(async (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024, ' ');
    response.writeHead(200, { 'content-type': 'application/json' });
    for (; sent < maxSent && !response.destroyed; sent += chunk.length) {
      await new Promise<void>((resolve) => response.write(chunk, () => resolve()));
    }
    response.end();
  });
  const apiUrl = `${await listen(server)}/v4`;
  const key = new SecretKey(PRODUCTION_KEY);
  const api = createQonversionClient({
    apiUrl,
    key: { get: async () => key, renew: async () => key },
    clock: { now: () => new Date() },
    remainingMs: () => LIMIT_MS,
    maxBodyBytes: MAX_BODY_BYTES,
  });
  const answer = await api.list().catch(describeError);
  await close(server);
  const refused = typeof answer === 'string' && answer.includes('was not read to its end');
  const violations =
    sent < maxSent && refused ? [] : [`the client read ${sent} bytes of an endless body: ${JSON.stringify(answer)}`];
  return { harness: 'an endless body', unit: 'hostile answers', tried: 1, violations };
}

/** Fuzzed lists, one pass each, over one ledger. The guard may only pause integrations whose record is valid and over the limits. */
async function fuzzLists(lists: number): Promise<Finding> {
  const random = createRandom(1);
  const violations: string[] = [];
  let body = '';
  let asked: string[] = [];
  const server = createServer((request, response) => {
    response.sendDate = false;
    response.setHeader('content-type', 'application/json');
    if (request.method === 'GET') return void response.end(body);
    const id = decodeURIComponent(request.url?.split('/').at(-2) ?? '');
    asked.push(id);
    request.resume().once('end', () => response.end('{}'));
  });
  const apiUrl = `${await listen(server)}/v4`;
  const world = new World({ startAt: '2026-11-23T12:00:00Z' });
  const clock = { now: () => world.now() };
  const ledger = createMemoryLedger(clock);
  const alerts = createMemoryAlerts();
  const log = createKeepingLog();
  const key = new SecretKey(PRODUCTION_KEY);
  // A single list is enough to pause, because no two lists have the same failures.
  const policy = aPolicy({
    failingForMinutes: 0,
    lowTraffic: 'off',
    providerOutage: 'off',
    recovery: { mode: 'manual' },
    blastRadius: { percent: 100, floor: 1_000 },
  });

  for (let number = 0; number < lists; number += 1) {
    world.advance(1);
    const records = aFuzzedList(random, world.now());
    body = JSON.stringify(
      random.oneIn(20)
        ? random.pick([records, null, {}, { data: records }])
        : { object: 'list', data: records, has_more: false },
    );
    asked = [];
    const source = { get: async () => key, renew: async () => key };
    const api = createQonversionClient({ apiUrl, key: source, clock, remainingMs: () => LIMIT_MS, retries: 0 });
    try {
      await runPass({ api, ledger, alerts, clock, log, remainingMs: () => LIMIT_MS }, { name: NAME, policy });
    } catch (error) {
      violations.push(`fuzzed list ${number}: a pass threw: ${describeError(error)}`);
    }
    const due = new Set(records.filter(isDue).map(({ id }) => id));
    for (const id of asked)
      if (!due.has(id)) violations.push(`fuzzed list ${number}: ${id} was paused without a reason`);
  }
  await close(server);
  return { harness: 'fuzzed lists', unit: 'hostile answers', tried: lists, violations };
}

/** Whether a record is valid and over the limits. Written from the API reference and the policy, not from the guard's schema. */
function isDue({ id, active, delivery_error_count: count }: Readonly<Record<string, unknown>>): boolean {
  const sound =
    typeof id === 'string' && /^[a-zA-Z0-9._-]{1,256}$/.test(id) && !/^\.+$/.test(id) && Number.isInteger(count);
  return sound && active === 1 && Number(count) >= 50;
}

function aFuzzedList(random: Random, now: Date): readonly Readonly<Record<string, unknown>>[] {
  const moment = (most: number) => new Date(now.getTime() - random.below(most) * 60_000).toISOString();
  return Array.from({ length: random.below(12) }, () => {
    const id = random.pick([
      'a',
      'b',
      'c',
      'd',
      'e',
      'constructor',
      '__proto__',
      'toString',
      '.',
      '..',
      '-',
      'x'.repeat(256),
    ]);
    const record = {
      object: 'integration',
      id,
      url: `/v4/integrations/${id}`,
      title: random.pick(['Amplitude', '', '\u0000\u001b[2J', 'x'.repeat(5_000), '{{7*7}}', '</script>']),
      integration: 'Amplitude',
      target_platform: random.pick(['iOS', 'Android', 'Stripe']),
      active: random.below(3),
      created_at: moment(100_000),
      updated_at: moment(10_000),
      last_delivery_at: random.oneIn(4) ? null : moment(60),
      last_error_at: random.oneIn(4) ? null : moment(60),
      last_error_message: random.oneIn(2) ? null : 'HTTP 500 <b>\u202e',
      delivery_error_count: random.pick([0, 1, 49, 50, 51, 500, Number.MAX_SAFE_INTEGER]),
    };
    return random.oneIn(2) ? spoil(record, random) : record;
  });
}
