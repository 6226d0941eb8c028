import { setTimeout as sleep } from 'node:timers/promises';
import { toJsonText } from '../cli/failure.ts';
import { paint, table } from '../cli/format.ts';
import { GuardError } from '../guard/errors.ts';
import { shellWord } from '../guard/model/command-line.ts';
import { bySeverity, type GuardEvent } from '../guard/model/event.ts';
import { describeType, type EventType } from '../guard/model/event-catalogue.ts';
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
import { createGuardFolder, type GuardFolder } from './guard-folder.ts';
import { type CastId, populate } from './scenario.ts';
import { PRODUCTION_KEY, type Sandbox, startSandbox } from './server.ts';
import { listenForInterruption } from './until-interrupted.ts';
import { World } from './world.ts';

/**
 * An afternoon of the guard: the real pass runs over HTTP against the sandbox every five virtual minutes, while providers fail and
 * recover, and operators act. The demo compares each pass with what the story promises.
 */
export interface DemoOptions {
  readonly json: boolean;
  readonly keep: boolean;
  /** Milliseconds of real time per pass. */
  readonly pace: number;
  readonly out: (text: string) => void;
  readonly columns: number;
  /** Whether the reader of the output is gone, so that the demo can end. */
  readonly gone: () => boolean;
  /** Changes the sandbox before the story begins: a test breaks the story here. */
  readonly prepare?: (sandbox: Sandbox) => void;
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
        // A kept sandbox plays its afternoon at any time of the day.
        remindAt: 'never',
        // With this high limit Qonversion's own worker suspends Braze first.
        overrides: [{ match: { integration: 'Braze' }, errorThreshold: 1_000 }],
      },
    },
  },
};

interface ScriptStep {
  /** Minutes after the story began, at one o'clock. */
  readonly minute: number;
  readonly says: string;
  readonly does: (world: World) => void;
  /** Whether the sentence is true, if it is about the guard or a record. */
  readonly holds?: (world: World, alerts: readonly GuardEvent[]) => boolean;
}

const AMPLITUDE = ['amp-ios', 'amp-android'] as const;

const COMMON_OUTAGE = [
  'af-ios',
  'af-android',
  'hook-crm',
  'hook-billing',
  'mix-ios',
  'slack-wins',
  'bq-export',
] as const;

function breaks(ids: readonly CastId[], message: string): ScriptStep['does'] {
  return (world) => {
    for (const id of ids) world.breakDown(id, message);
  };
}

function repairs(ids: readonly CastId[]): ScriptStep['does'] {
  return (world) => {
    for (const id of ids) world.repair(id);
  };
}

function areActive(world: World, ids: readonly CastId[]): boolean {
  return ids.every((id) => world.get(id)?.active === 1);
}

const SCRIPT: readonly ScriptStep[] = [
  {
    minute: 8,
    says: 'Amplitude goes down, for both platforms.',
    does: breaks(AMPLITUDE, 'HTTP 503 Service Unavailable'),
  },
  {
    minute: 31,
    says: 'The billing webhook begins to reject four of five events.',
    does: (world) => world.setFlaky('hook-billing', 0.8, 'HTTP 502 Bad Gateway'),
  },
  {
    minute: 53,
    says: 'Amplitude works again. The guard paused neither platform, so no event was withheld.',
    does: repairs(AMPLITUDE),
    holds: (world) => areActive(world, AMPLITUDE) && AMPLITUDE.every((id) => world.tally(id).withheld === 0),
  },
  {
    minute: 61,
    says: 'The token of the CRM webhook expires: it rejects every event.',
    does: breaks(['hook-crm'], 'HTTP 401: {"error":"token expired","authorization":"Bearer crm-3f9a61c0d2"}'),
  },
  {
    minute: 76,
    says: 'Mixpanel does not answer for a few minutes.',
    does: breaks(['mix-ios'], 'timeout after 10 s'),
  },
  {
    minute: 84,
    says: 'Mixpanel works again. The guard sent no alert about it.',
    does: repairs(['mix-ios']),
    holds: (_, alerts) => alerts.every(({ record, provider }) => record?.id !== 'mix-ios' && provider !== 'Mixpanel'),
  },
  {
    minute: 92,
    says: "Braze's endpoint moves. In these settings the guard pauses Braze only after 1,000 failures.",
    does: breaks(['braze-ios'], 'HTTP 410 Gone'),
  },
  {
    minute: 113,
    says: 'The billing webhook accepts every event again.',
    does: (world) => world.setFlaky('hook-billing', 0),
  },
  {
    minute: 152,
    says: 'An operator renews the CRM token, and resumes the webhook in the Qonversion dashboard. Its error count stays where it was.',
    does: (world) => {
      world.repair('hook-crm');
      world.setTraffic('hook-crm', 0);
      world.setStatus('hook-crm', 1);
    },
    holds: (world) => areActive(world, ['hook-crm']) && (world.get('hook-crm')?.delivery_error_count ?? 0) > 50,
  },
  {
    minute: 171,
    says: 'The guard has left the CRM webhook on. New events arrive for it.',
    does: (world) => world.setTraffic('hook-crm', 3),
    holds: (world) => areActive(world, ['hook-crm']),
  },
  { minute: 206, says: 'Braze has its new endpoint.', does: repairs(['braze-ios']) },
  {
    minute: 213,
    says: 'AppsFlyer rejects the events of the Android app.',
    does: breaks(['af-android'], 'HTTP 403 Forbidden'),
  },
  { minute: 288, says: 'AppsFlyer accepts them again.', does: repairs(['af-android']) },
  {
    minute: 316,
    says: 'DNS fails: seven integrations of five providers fail at once.',
    does: breaks(COMMON_OUTAGE, 'getaddrinfo EAI_AGAIN'),
  },
  {
    minute: 347,
    says: 'DNS works again. The guard paused none of the seven.',
    does: repairs(COMMON_OUTAGE),
    holds: (world) => areActive(world, COMMON_OUTAGE),
  },
];

/** An alert that the story promises, with its subject and its latest minute. */
interface PromisedAlert {
  readonly by: number;
  readonly type: EventType;
  /** The ID of an integration, a provider, or null for the project. */
  readonly about: CastId | 'Amplitude' | null;
}

const PROMISED_ALERTS: readonly PromisedAlert[] = [
  { by: 10, type: 'provider.down', about: 'Amplitude' },
  { by: 80, type: 'provider.recovered', about: 'Amplitude' },
  { by: 85, type: 'integration.flapping', about: 'hook-billing' },
  { by: 95, type: 'integration.failing', about: 'hook-crm' },
  { by: 125, type: 'integration.paused', about: 'hook-crm' },
  { by: 155, type: 'integration.reactivated', about: 'hook-crm' },
  { by: 180, type: 'integration.recovered', about: 'hook-billing' },
  { by: 185, type: 'integration.suspended', about: 'braze-ios' },
  { by: 245, type: 'integration.failing', about: 'af-android' },
  { by: 270, type: 'integration.recovered', about: 'braze-ios' },
  { by: 275, type: 'integration.paused', about: 'af-android' },
  { by: 310, type: 'integration.recovered', about: 'af-android' },
  { by: 320, type: 'guard.common-cause', about: null },
  { by: 375, type: 'guard.common-cause-ended', about: null },
];

/** The guard, or the sandbox, did not do what the story promises. The message is one sentence. */
export class DemoFailedError extends GuardError {
  override readonly name = 'DemoFailedError';

  constructor(time: string, reason: string) {
    super(`The demo stopped at ${time}, because ${reason}`);
  }
}

/**
 * Compares what the guard did with what the story promises, after each pass.
 * @throws DemoFailedError at the first difference
 */
function createStoryCheck(world: World) {
  const awaited = [...PROMISED_ALERTS];
  const stop = (reason: string): never => {
    throw new DemoFailedError(clockTime(world), reason);
  };
  return {
    atBeginning(): void {
      for (const { id, active, last_delivery_at } of world.list())
        if (active === 1 && last_delivery_at === null) stop(`${id} does not deliver at the beginning.`);
    },
    before({ says, holds }: ScriptStep, alerts: readonly GuardEvent[]): void {
      if (holds?.(world, alerts) === false) stop(`this is not so: "${says}"`);
    },
    after(minute: number, { failure, ok, results, delivered }: PassReport): void {
      if (failure !== null) stop(`the guard's pass failed: ${failure}.`);
      for (const { decision, outcome, problem } of results)
        if (outcome === 'failed')
          stop(`the guard could not ${decision.kind} ${decision.id}: ${problem ?? 'no reason'}.`);
      if (!ok) stop('the guard could not settle all that it did in its pass.');
      for (const event of delivered) {
        const found = awaited.findIndex(({ type, about }) => type === event.type && about === subjectOf(event));
        if (found < 0)
          stop(`the guard sent an alert that the story does not have: ${nameAlert(event.type, subjectOf(event))}.`);
        awaited.splice(found, 1);
      }
      const missing = awaited.find(({ by }) => by <= minute);
      if (missing !== undefined)
        stop(`the guard did not send the promised alert ${nameAlert(missing.type, missing.about)}.`);
    },
    atEnd(): void {
      const stopped = world.list().filter(({ id, active }) => active !== 1 && id !== 'ph-staging');
      for (const { id } of stopped) stop(`${id} is not active at the end.`);
    },
  };
}

function subjectOf({ record, provider }: GuardEvent): string | null {
  return record?.id ?? provider;
}

function nameAlert(type: EventType, about: string | null): string {
  return `"${about === null ? '' : `${about} `}${describeType(type).label}" (${type})`;
}

/** All passes and their results, for `--json` and the closing table. */
interface Happening {
  readonly at: string;
  readonly who: 'world' | 'guard';
  readonly what: string;
}

/**
 * Plays the afternoon. Removes its files when it ends, fails or is interrupted.
 * @throws DemoFailedError when a pass fails, or when the story does not happen as it promises
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const interruption = listenForInterruption();
  const folder = createGuardFolder();
  // When the sandbox stays up, the afternoon ends now, so that the commands to try see today's times. The story counts whole minutes.
  const startAt = options.keep
    ? new Date(Math.floor(Date.now() / 60_000 - AFTERNOON_MINUTES) * 60_000).toISOString()
    : '2026-11-23T13:00:00Z';
  const world = new World({ startAt, suspendAfterErrors: 200, suspendAfterMinutes: 90 });
  populate(world);
  const clock = { now: () => Date.now(), speed: 0 };
  let kept = false;
  try {
    const sandbox = await startSandbox({ production: world, clock });
    try {
      options.prepare?.(sandbox);
      const played = await play(sandbox, folder, options, interruption.signal);
      if (interruption.signal.aborted) return;
      if (options.json) options.out(toJsonText(played));
      if (options.keep && !options.gone()) {
        kept = true;
        world.advance((clock.now() - world.now().getTime()) / 60_000);
        clock.speed = 1;
        await keepUp(sandbox, folder, options, interruption.interrupted);
      }
    } finally {
      await sandbox.close();
    }
  } finally {
    folder.remove();
    await interruption.end(kept);
  }
}

async function play(sandbox: Sandbox, folder: GuardFolder, options: DemoOptions, interrupted: AbortSignal) {
  const world = sandbox.production;
  const say = (text: string) => {
    if (!options.json) options.out(`${text}\n`);
  };
  const settings = parseSettings(settingsFor(sandbox));
  const project: GuardedProject = { name: PROJECT, policy: settings.projects[PROJECT]?.policy ?? fail() };
  const happenings: Happening[] = [];
  const alerted: GuardEvent[] = [];
  const mails: string[] = [];
  const alerts = createTerminalAlertSink((mail) => mails.push(mail));
  const ports = createPorts(sandbox, folder, alerts);
  const check = createStoryCheck(world);

  // Time for the first deliveries, so that the story opens on a healthy afternoon.
  world.advance(1);
  const opening = world.now().getTime() - 60_000;
  check.atBeginning();
  say(introduction(world));
  const passes: PassReport[] = [];
  let elapsed = 1;
  while (elapsed < AFTERNOON_MINUTES && !options.gone() && !interrupted.aborted) {
    const next = Math.min(elapsed - (elapsed % MINUTES_PER_PASS) + MINUTES_PER_PASS, AFTERNOON_MINUTES);
    for (const step of SCRIPT.filter(({ minute }) => minute > elapsed && minute <= next)) {
      world.advance(step.minute - elapsed);
      elapsed = step.minute;
      step.does(world);
      check.before(step, alerted);
      happenings.push({ at: clockTime(world), who: 'world', what: step.says });
      say(`${clockTime(world)}   ${paint('bold', step.says)}`);
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
    alerted.push(...report.delivered);
    check.after(elapsed, report);
    if (options.pace > 0) await sleep(options.pace, undefined, { signal: interrupted }).catch(() => undefined);
  }
  if (elapsed === AFTERNOON_MINUTES) {
    check.atEnd();
    say(closing(world, alerted, passes, opening, options.columns));
  }
  return {
    passes: passes.length,
    happenings,
    mails,
    events: alerted.map(toCloudEvent),
    integrations: world.list().map(({ id, title, active }) => ({ id, title, active, ...world.tally(id) })),
  };
}

function createPorts(sandbox: Sandbox, { ledgerFile }: GuardFolder, alerts: AlertSink): Ports {
  const key = parseSecretKey(PRODUCTION_KEY, "the sandbox's key", 'restart the demo');
  const clock = { now: () => sandbox.production.now() };
  const remainingMs = () => 60_000;
  const source = { get: async () => key, renew: async () => key };
  return {
    api: createQonversionClient({ apiUrl: sandbox.url, key: source, clock, remainingMs }),
    ledger: createFileLedger(ledgerFile, clock),
    alerts,
    clock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    remainingMs,
  };
}

/** Events of one type and moment as one line. */
function groupEvents(alerted: readonly GuardEvent[]) {
  const groups = new Map<string, GuardEvent[]>();
  for (const event of [...alerted].sort(bySeverity)) {
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
    `A local copy of the Qonversion API has ${plural(world.list().length, 'integration')}, ${active} of them active. The real guard looks at them every five minutes.`,
    'It pauses an integration after 50 failures over an hour without a delivery. Later it probes whether it works again.',
    '',
    `${clockTime(world)}   Every active integration delivers.`,
  ].join('\n');
}

function closing(
  world: World,
  alerted: readonly GuardEvent[],
  passes: readonly PassReport[],
  opening: number,
  columns: number,
): string {
  const rows = groupEvents(alerted).map(({ time, type, short, why }) => [
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
    paint('bold', 'Summary'),
    table(['TIME', 'INTEGRATION', 'WHAT', 'WHY'], rows, columns, 3),
    '',
    `${hours} hours, ${plural(passes.length, 'pass', 'passes')}, ${plural(requests, 'request')} to the API. ` +
      `Events: ${sum('delivered').toLocaleString('en-US')} delivered, ${sum('failed').toLocaleString('en-US')} failed, ` +
      `${sum('withheld').toLocaleString('en-US')} not sent while stopped.`,
    'Next: `npx integration-guard demo --keep` leaves the sandbox up, for you to try commands. The README says how to deploy.',
  ].join('\n');
}

/** Leaves the sandbox up until it is interrupted. Its clock continues in real time. */
async function keepUp(
  sandbox: Sandbox,
  folder: GuardFolder,
  options: DemoOptions,
  interrupted: Promise<void>,
): Promise<void> {
  folder.writeSettings(settingsFor(sandbox));
  if (!options.json) options.out(`\n${suggestions(sandbox, folder)}\n`);
  let looking: NodeJS.Timeout | undefined;
  const unread = new Promise<void>((resolve) => {
    looking = setInterval(() => {
      if (options.gone()) resolve();
    }, 1_000);
  });
  await Promise.race([interrupted, unread]);
  clearInterval(looking);
}

/** Commands to copy while the sandbox is up. A test runs them as they are printed. */
function suggestions({ url, controlUrl }: Sandbox, { exportLine, ledgerFile }: GuardFolder): string {
  return [
    `The sandbox stays up at ${url}, from now on in real time. In another terminal, in this folder:`,
    '',
    `  ${exportLine}`,
    '  npx integration-guard list',
    '  npx integration-guard pause slack-wins && npx integration-guard resume slack-wins',
    '',
    'Let a provider fail, as if it had failed for two hours. The guard counts the time that it has watched, so it waits an hour',
    'before it pauses. A guard with a new ledger goes by the record, and pauses at once:',
    '',
    `  curl -s ${controlUrl}/break -d '{"id":"af-ios","message":"HTTP 500","hoursAgo":2}'`,
    `  export GUARD_LEDGER=${shellWord(`${ledgerFile}.new`)}`,
    '  npx integration-guard plan && npx integration-guard run',
    '',
    'Ctrl-C ends it.',
  ].join('\n');
}

function settingsFor({ url }: Sandbox): object {
  return { ...SETTINGS, projects: { [PROJECT]: { ...SETTINGS.projects[PROJECT], apiUrl: url } } };
}

function clockTime(world: World): string {
  return world.now().toISOString().slice(11, 16);
}

function fail(): never {
  throw new Error('the demo has its project');
}
