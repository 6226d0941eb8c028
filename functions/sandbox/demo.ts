import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toJsonText } from '../cli/failure.ts';
import { paint, table } from '../cli/format.ts';
import { shellWord } from '../guard/model/command-line.ts';
import { bySeverity, type GuardEvent } from '../guard/model/event.ts';
import { describeType } from '../guard/model/event-catalogue.ts';
import { type PassReport, runPass } from '../guard/pass/run-pass.ts';
import type { AlertSink, Ports } from '../guard/ports.ts';
import { parseSettings } from '../guard/settings/schema.ts';
import type { GuardedProject } from '../guard/settings/types.ts';
import { plural } from '../guard/text/sanitize.ts';
import { createTerminalAlertSink } from '../local/alerts.ts';
import { createFileLedger } from '../local/ledger.ts';
import { toCloudEvent } from '../messages/cloud-event.ts';
import { createQonversionClient } from '../qonversion/client.ts';
import { parseSecretKey } from '../qonversion/secret-key.ts';
import { type CastId, populate } from './scenario.ts';
import { PRODUCTION_KEY, type Sandbox, startSandbox } from './server.ts';
import { World } from './world.ts';

/**
 * An afternoon in the life of the guard: the real pass over HTTP against the sandbox, every virtual five minutes, while
 * providers break and recover, and people step in.
 */
export interface DemoOptions {
  readonly json: boolean;
  readonly keep: boolean;
  /** Milliseconds of real time per pass. */
  readonly pace: number;
  readonly out: (text: string) => void;
  readonly columns: number;
  /** Whether nobody reads the output any more, so that there is no point in going on. */
  readonly gone: () => boolean;
}

const PROJECT = 'demo';
const MINUTES_PER_PASS = 5;
const AFTERNOON_MINUTES = 400;

const SETTINGS = {
  projects: {
    [PROJECT]: {
      secretName: 'qonversion/demo',
      policy: {
        // The project has two integrations of each provider.
        providerOutage: { minimum: 2 },
        // A long leash, so that Qonversion's own worker gets there first.
        overrides: [{ match: { integration: 'Braze' }, errorThreshold: 1_000 }],
      },
    },
  },
};

interface Beat {
  /** Minutes after one o'clock. */
  readonly minute: number;
  readonly says: string;
  readonly does: (world: World) => void;
}

const COMMON_OUTAGE = [
  'af-ios',
  'af-android',
  'hook-crm',
  'hook-billing',
  'mix-ios',
  'slack-wins',
  'bq-export',
] as const;

function breaks(ids: readonly CastId[], message: string): Beat['does'] {
  return (world) => {
    for (const id of ids) world.breakDown(id, message);
  };
}

function mends(ids: readonly CastId[]): Beat['does'] {
  return (world) => {
    for (const id of ids) world.mend(id);
  };
}

const STORY: readonly Beat[] = [
  {
    minute: 8,
    says: 'Amplitude goes down, for both platforms.',
    does: breaks(['amp-ios', 'amp-android'], 'HTTP 503 Service Unavailable'),
  },
  {
    minute: 31,
    says: 'The billing webhook begins to drop four of five events.',
    does: (world) => world.setFlaky('hook-billing', 0.8, 'HTTP 502 Bad Gateway'),
  },
  { minute: 53, says: 'Amplitude is back. No event was withheld.', does: mends(['amp-ios', 'amp-android']) },
  {
    minute: 61,
    says: 'The CRM webhook begins to refuse its token.',
    does: breaks(['hook-crm'], 'HTTP 401: {"error":"token expired","authorization":"Bearer crm-3f9a61c0d2"}'),
  },
  {
    minute: 76,
    says: 'Mixpanel answers with time-outs; just a blip.',
    does: breaks(['mix-ios'], 'timeout after 10 s'),
  },
  { minute: 84, says: 'Mixpanel is back. The guard has alerted nobody.', does: mends(['mix-ios']) },
  {
    minute: 92,
    says: "Braze's endpoint moves away; the settings give Braze a long leash.",
    does: breaks(['braze-ios'], 'HTTP 410 Gone'),
  },
  {
    minute: 113,
    says: 'The billing webhook is repaired.',
    does: (world) => world.setFlaky('hook-billing', 0),
  },
  {
    minute: 152,
    says: 'An operator renews the CRM token and re-activates the webhook in the Qonversion dashboard. Its error count stays where it was.',
    does: (world) => {
      world.mend('hook-crm');
      world.setTraffic('hook-crm', 0);
      world.setStatus('hook-crm', 1);
    },
  },
  {
    minute: 171,
    says: 'The CRM webhook gets its first event since, and delivers it.',
    does: (world) => world.setTraffic('hook-crm', 3),
  },
  { minute: 206, says: 'Braze has its new endpoint.', does: mends(['braze-ios']) },
  {
    minute: 213,
    says: 'AppsFlyer refuses the events of the Android app.',
    does: breaks(['af-android'], 'HTTP 403 Forbidden'),
  },
  { minute: 288, says: 'AppsFlyer accepts them again.', does: mends(['af-android']) },
  {
    minute: 316,
    says: 'DNS fails somewhere on the way: seven integrations fail at once.',
    does: breaks(COMMON_OUTAGE, 'getaddrinfo EAI_AGAIN'),
  },
  { minute: 347, says: 'DNS is back, and so are all seven.', does: mends(COMMON_OUTAGE) },
];

/** Everything that happened, for `--json` and the closing table. */
interface Happening {
  readonly at: string;
  readonly who: 'world' | 'guard';
  readonly what: string;
}

export async function runDemo(options: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'integration-guard-'));
  // When the sandbox stays up, the afternoon ends now, so that the commands to try see today's times.
  const startAt = options.keep
    ? new Date(Date.now() - AFTERNOON_MINUTES * 60_000).toISOString()
    : '2026-11-23T13:00:00Z';
  const world = new World({ startAt, suspendAfterErrors: 200, suspendAfterMinutes: 90 });
  populate(world);
  const sandbox = await startSandbox({ production: world });
  try {
    const played = await play(sandbox, folder, options);
    if (options.json) options.out(toJsonText(played));
    if (options.keep && !options.gone()) await keepUp(sandbox, folder, options);
  } finally {
    await sandbox.close();
    await rm(folder, { recursive: true });
  }
}

async function play(sandbox: Sandbox, folder: string, options: DemoOptions) {
  const world = sandbox.production;
  const say = (text: string) => {
    if (!options.json) options.out(`${text}\n`);
  };
  const settings = parseSettings({
    ...SETTINGS,
    projects: { [PROJECT]: { ...SETTINGS.projects[PROJECT], apiUrl: sandbox.url } },
  });
  const project: GuardedProject = { name: PROJECT, policy: settings.projects[PROJECT]?.policy ?? fail() };
  const happenings: Happening[] = [];
  const told: GuardEvent[] = [];
  const mails: string[] = [];
  const alerts = createTerminalAlertSink((mail) => mails.push(mail));
  const ports = createPorts(sandbox, folder, alerts);

  // Time for the first deliveries, so that the story opens on a healthy afternoon.
  world.advance(1);
  const opening = world.now().getTime() - 60_000;
  say(introduction(world));
  const passes: PassReport[] = [];
  let elapsed = 1;
  while (elapsed < AFTERNOON_MINUTES && !options.gone()) {
    const next = Math.min(elapsed - (elapsed % MINUTES_PER_PASS) + MINUTES_PER_PASS, AFTERNOON_MINUTES);
    for (const beat of STORY.filter(({ minute }) => minute > elapsed && minute <= next)) {
      world.advance(beat.minute - elapsed);
      elapsed = beat.minute;
      beat.does(world);
      happenings.push({ at: clockTime(world), who: 'world', what: beat.says });
      say(`${clockTime(world)}   ${paint('bold', beat.says)}`);
    }
    world.advance(next - elapsed);
    elapsed = next;
    const mailsBefore = mails.length;
    const report = await runPass(ports, project);
    passes.push(report);
    for (const { type, where, severity } of groupEvents(report.delivered)) {
      const what = `Guard: ${where}${describeType(type).label}.`;
      happenings.push({ at: clockTime(world), who: 'guard', what });
      say(`${clockTime(world)}   ${paint(STYLE[severity], what)}`);
    }
    for (const mail of mails.slice(mailsBefore)) say(mail.trimEnd().replace(/^/gm, '        '));
    told.push(...report.delivered);
    if (options.pace > 0) await sleep(options.pace);
  }
  say(closing(world, told, passes, opening, options.columns));
  return {
    passes: passes.length,
    happenings,
    mails,
    events: told.map(toCloudEvent),
    integrations: world.list().map(({ id, title, active }) => ({ id, title, active, ...world.tally(id) })),
  };
}

function createPorts(sandbox: Sandbox, folder: string, alerts: AlertSink): Ports {
  const key = parseSecretKey(PRODUCTION_KEY, "the sandbox's key", 'restart the demo');
  const clock = { now: () => sandbox.production.now() };
  const remainingMs = () => 60_000;
  const source = { get: async () => key, renew: async () => key };
  return {
    api: createQonversionClient({ apiUrl: sandbox.url, key: source, clock, remainingMs }),
    ledger: createFileLedger(join(folder, 'ledger.json'), clock),
    alerts,
    clock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    remainingMs,
  };
}

/** Events of one type and moment as one line: seven that fail together are one piece of news. */
function groupEvents(told: readonly GuardEvent[]) {
  const groups = new Map<string, GuardEvent[]>();
  for (const event of [...told].sort(bySeverity)) {
    const key = `${event.time} ${event.type}`;
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return [...groups.values()].flatMap((events) => {
    const [first] = events;
    if (first === undefined) return [];
    const ids = events.flatMap(({ record }) => (record === null ? [] : [record.id]));
    const where = ids.length === 0 ? `${first.provider ?? ''} `.trimStart() : `${ids.join(', ')} `;
    const others = events.length === 1 ? '' : ` + ${events.length - 1} more`;
    const short = `${first.record?.id ?? first.provider ?? 'the project'}${others}`;
    return [{ time: first.time, type: first.type, severity: first.severity, where, short, why: first.reason }];
  });
}

const STYLE = { info: 'green', warning: 'yellow', critical: 'red' } as const;

function introduction(world: World): string {
  const active = world.list().filter((record) => record.active === 1).length;
  return [
    paint('bold', 'Integration Guard: an afternoon on this machine'),
    `A sandbox of the Qonversion API with ${plural(world.list().length, 'integration')} (${active} active), and the real guard, looking every five minutes.`,
    'It pauses what has 50 failures over an hour and no delivery, and probes whether it works again.',
    '',
    `${clockTime(world)}   All is well.`,
  ].join('\n');
}

function closing(
  world: World,
  told: readonly GuardEvent[],
  passes: readonly PassReport[],
  opening: number,
  columns: number,
): string {
  const rows = groupEvents(told).map(({ time, type, short, why }) => [
    time.slice(11, 16),
    short,
    describeType(type).label,
    why,
  ]);
  rows.sort(([left = ''], [right = '']) => left.localeCompare(right));
  const tallies = world.list().map(({ id }) => world.tally(id));
  const sum = (field: 'delivered' | 'failed' | 'withheld') => tallies.reduce((total, tally) => total + tally[field], 0);
  const requests = passes.at(-1)?.traffic.requests ?? 0;
  const hours = Math.round((world.now().getTime() - opening) / 3_600_000);
  return [
    '',
    paint('bold', 'What happened, and why'),
    table(['TIME', 'INTEGRATION', 'WHAT', 'WHY'], rows, columns, 3),
    '',
    `${hours} hours, ${plural(passes.length, 'pass', 'passes')}, ${plural(requests, 'request')} to the API. ` +
      `Events: ${sum('delivered').toLocaleString('en-US')} delivered, ${sum('failed').toLocaleString('en-US')} failed, ` +
      `${sum('withheld').toLocaleString('en-US')} not sent while stopped.`,
    'Next: `npx integration-guard demo --keep` leaves the sandbox up to play with; the README says how to deploy.',
  ].join('\n');
}

/** Leaves the sandbox up until it is interrupted, its clock going on in real time. */
async function keepUp(sandbox: Sandbox, folder: string, options: DemoOptions): Promise<void> {
  const settingsFile = join(folder, 'settings.json');
  const settings = { ...SETTINGS, projects: { [PROJECT]: { ...SETTINGS.projects[PROJECT], apiUrl: sandbox.url } } };
  await writeFile(settingsFile, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  const text = [
    '',
    `The sandbox stays up at ${sandbox.url}. In another terminal, in this folder:`,
    '',
    `  export QONVERSION_SECRET_KEY=${PRODUCTION_KEY} GUARD_SETTINGS=${shellWord(settingsFile)} GUARD_LEDGER=${shellWord(join(folder, 'ledger.json'))}`,
    '  npx integration-guard list',
    '  npx integration-guard pause slack-wins && npx integration-guard resume slack-wins',
    `  curl -s ${sandbox.controlUrl}/break -d '{"id":"af-ios","message":"HTTP 500"}'   # a provider goes down`,
    `  curl -s ${sandbox.controlUrl}/patch -d '{"id":"af-ios","fields":{"delivery_error_count":80,"last_delivery_at":"2026-01-01T00:00:00Z"}}'`,
    '  npx integration-guard plan && npx integration-guard run',
    '',
    'Ctrl-C ends it.',
  ].join('\n');
  if (!options.json) options.out(`${text}\n`);
  let ticking: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
    ticking = setInterval(() => {
      sandbox.production.advance(1 / 60);
      if (options.gone()) resolve();
    }, 1_000);
  });
  clearInterval(ticking);
}

function clockTime(world: World): string {
  return world.now().toISOString().slice(11, 16);
}

function fail(): never {
  throw new Error('the demo has its project');
}
