import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SettingsError, describeError } from '../guard/errors.ts';
import type { Clock, IntegrationsApi, Ledger } from '../guard/ports.ts';
import { PROJECT_TAG } from '../guard/settings/fleet.ts';
import type { Policy, Settings } from '../guard/settings/schema.ts';
import { scheduleMinutes } from '../guard/settings/types.ts';
import { plural, safeText } from '../guard/text/sanitize.ts';
import { describeMinutes, describeMoment, minutesBetween } from '../guard/text/time.ts';
import type { KeySource } from '../qonversion/secret-key.ts';
import type { FleetFacts, StackFacts, StackSchedule } from './inspect-stack.ts';

/** Looks at everything the guard needs, touches nothing, and says what to do about what is not as it should be. */

export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  /** `unknown`: it could not be looked at. */
  readonly level: 'ok' | 'warning' | 'problem' | 'unknown';
  readonly says: string;
  /** What to do about it; null when there is nothing to do. */
  readonly todo: string | null;
}

/** One project as the doctor finds it. */
export interface Patient {
  readonly name: string;
  readonly policy: Policy;
  readonly apiUrl: string;
  readonly key: KeySource;
  readonly api: IntegrationsApi;
  /** Whether runs over the fleet start its passes, and not a schedule of its own. */
  readonly ofFleet: boolean;
}

export interface Surgery {
  readonly settings: Settings;
  /** Where the settings come from. */
  readonly source: string;
  readonly patients: readonly Patient[];
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** The ledger's file on this machine, or what the deployed stack tells of itself. */
  readonly place: { readonly ledgerFile: string } | { readonly stack: string; readonly facts: StackFacts };
}

export async function examine(surgery: Surgery): Promise<readonly Finding[]> {
  const { settings, source, patients, place } = surgery;
  const names = Object.keys(settings.projects);
  const watched = [
    ...(names.length === 0 ? [] : [`${plural(names.length, 'project')} (${names.join(', ')})`]),
    ...(settings.fleet === undefined ? [] : ['a fleet']),
    settings.schedule,
  ];
  const findings: Finding[] = [ok('settings', `${source} is sound: ${watched.join(', ')}`)];
  for (const patient of patients) findings.push(...(await examineProject(patient, surgery, patients.length > 1)));
  if ('ledgerFile' in place) findings.push(await examineFile(place.ledgerFile));
  else findings.push(...(await examineStack(place.facts, surgery)));
  return findings;
}

/** When not even the settings can be had. */
export function examineFailure(error: unknown): readonly Finding[] {
  const faults = error instanceof SettingsError ? error.message : describeError(error);
  return [
    problem(
      error instanceof SettingsError ? 'settings' : 'connection',
      faults,
      'mend what it says, then run the doctor again',
    ),
  ];
}

async function examineProject(patient: Patient, surgery: Surgery, several: boolean): Promise<readonly Finding[]> {
  const { name, policy, apiUrl, key, api } = patient;
  const of = (check: string) => (several ? `${check} of ${name}` : check);
  const findings: Finding[] = [];
  try {
    await key.get();
    findings.push(ok(of('secret key'), 'is there, and looks like one'));
  } catch (error) {
    // The message has the command that fills it.
    findings.push(problem(of('secret key'), describeError(error), 'fill it, then run the doctor again'));
    return findings;
  }
  findings.push(...(await examineApi(api, of, apiUrl)));
  findings.push(await looking(of('ledger'), () => examineLedger(surgery.ledger, name, of('ledger'))));
  findings.push(
    policy.mode === 'observe'
      ? warning(
          of('policy'),
          'observe mode: the guard reports what it would do, and touches nothing',
          'set "mode": "enforce" when you agree with its would-pause mails',
        )
      : ok(
          of('policy'),
          `pauses at ${plural(policy.errorThreshold, 'failure')} and ${describeMinutes(policy.failingForMinutes)} without a delivery`,
        ),
  );
  return findings;
}

async function examineApi(
  api: IntegrationsApi,
  of: (check: string) => string,
  apiUrl: string,
): Promise<readonly Finding[]> {
  try {
    const { records, invalid, clockAheadMs } = await api.list();
    const count = (state: 0 | 1 | 2) => records.filter(({ active }) => active === state).length;
    const states = `${count(1)} active, ${count(0)} paused, ${count(2)} suspended`;
    const findings = [
      ok(of('Qonversion API'), `${apiUrl} answers: ${plural(records.length, 'integration')} (${states})`),
    ];
    const [first] = invalid;
    if (first !== undefined) {
      const which = safeText(`${first.id ?? 'one without a readable id'}: ${first.problem}`, 200);
      findings.push(
        warning(
          of('records'),
          `${plural(invalid.length, 'record')} cannot be read and so not guarded (${which})`,
          'update the guard; if that does not help, report it',
        ),
      );
    }
    if (Math.abs(clockAheadMs) >= CLOCKS_APART_MS) {
      findings.push(
        warning(
          of('clock'),
          `this machine and Qonversion are ${describeMinutes(Math.round(Math.abs(clockAheadMs) / 60_000))} apart; the guard counts minutes on Qonversion's`,
          "set this machine's clock",
        ),
      );
    }
    return findings;
  } catch (error) {
    return [
      problem(of('Qonversion API'), describeError(error), 'check the key, "apiUrl" in the settings, and the network'),
    ];
  }
}

/** Clocks that differ by less do so everywhere. */
const CLOCKS_APART_MS = 2 * 60_000;

async function examineLedger(ledger: Ledger, project: string, check: string): Promise<Finding> {
  const { integrations } = await ledger.read(project);
  const stopped = [...integrations.values()].filter(({ entry }) => (entry.state.name === 'open' || entry.state.name === 'half-open')).length;
  const remembers =
    integrations.size === 0 ? 'nothing to remember yet' : `remembers ${plural(integrations.size, 'integration')}`;
  return ok(check, `can be read: ${remembers}${stopped === 0 ? '' : `, ${plural(stopped, 'circuit')} not closed`}`);
}

async function examineFile(file: string): Promise<Finding> {
  for (let folder = resolve(dirname(file)); ; folder = dirname(folder)) {
    try {
      await access(folder, constants.W_OK);
      return ok('ledger file', `${file} can be written`);
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (missing && dirname(folder) !== folder) continue;
      return problem(
        'ledger file',
        `${folder} cannot be written`,
        'name another file in GUARD_LEDGER, or give yourself the right',
      );
    }
  }
}

async function examineStack(facts: StackFacts, surgery: Surgery): Promise<readonly Finding[]> {
  const { settings, patients, clock } = surgery;
  const minutes = scheduleMinutes(settings.schedule) ?? 5;
  const several = patients.length > 1;
  const findings: Finding[] = [];
  for (const { name, ofFleet } of patients) {
    if (ofFleet) continue;
    const of = (check: string) => (several ? `${check} of ${name}` : check);
    findings.push(
      await looking(of('schedule'), async () => examineSchedule(await facts.schedules(name), of('schedule'))),
    );
    findings.push(await looking(of('last pass'), () => examineLastPass(facts, name, of('last pass'), minutes, clock)));
  }
  if (facts.fleet !== null) findings.push(...(await examineFleet(facts.fleet, minutes, clock)));
  findings.push(...(await lookingAtMany('subscriptions', () => examineSubscriptions(facts))));
  findings.push(await looking('dead letters', () => examineDeadLetters(facts)));
  findings.push(await looking('alarms', () => examineAlarms(facts, settings.alerts.runbookUrl)));
  return findings;
}

function examineSchedule(schedules: readonly StackSchedule[], check: string): Finding {
  const [first] = schedules;
  if (first === undefined) return problem(check, 'nothing starts its passes', 'deploy the stack again');
  return schedules.some(({ enabled }) => enabled)
    ? ok(check, `enabled, ${first.expression}`)
    : problem(check, 'disabled: no pass is started', 'enable it in EventBridge Scheduler');
}

async function examineFleet(facts: FleetFacts, intervalMinutes: number, clock: Clock): Promise<readonly Finding[]> {
  const schedule = 'schedule of the fleet';
  return [
    ...(await lookingAtMany('fleet', () => examineSecrets(facts))),
    await looking(schedule, async () => examineSchedule(await facts.schedules(), schedule)),
    ...(await lookingAtMany(RUNS, () => examineRuns(facts, intervalMinutes, clock))),
  ];
}

const RUNS = 'runs over the fleet';

async function examineSecrets(facts: FleetFacts): Promise<readonly Finding[]> {
  const secrets = await facts.secrets();
  const projects = secrets.filter(({ project }) => project !== null);
  const odd = secrets.filter(({ project, policy }) => project === null || policy === null);
  return [
    projects.length === 0
      ? problem('fleet', `no project: no secret has the tag ${PROJECT_TAG} and a name of the fleet`, 'tag one')
      : ok('fleet', `${plural(projects.length, 'project')}; \`guard projects\` shows them`),
    ...odd
      .slice(0, MOST_ODD)
      .map(({ secretName, project, because }) =>
        project === null
          ? warning(
              'fleet',
              `secret "${secretName}" has the tag and is not a project of the fleet: ${because}`,
              MEND_SECRET,
            )
          : problem(
              'fleet',
              `project "${project}" is not guarded: ${because}`,
              'mend it; that is seen within 15 minutes',
            ),
      ),
    ...(odd.length <= MOST_ODD
      ? []
      : [warning('fleet', `${odd.length - MOST_ODD} more such`, 'ask `npx guard projects`, which shows all')]),
  ];
}

/** Of so many secrets that are not as they should be, each is named. */
const MOST_ODD = 5;

const MEND_SECRET = 'take the tag off, or mend what it says';

async function examineRuns(facts: FleetFacts, intervalMinutes: number, clock: Clock): Promise<readonly Finding[]> {
  const runs = await facts.runs();
  const [latest] = runs.filter(({ endedAt }) => endedAt !== null);
  const completed = runs.find(({ status }) => status === 'SUCCEEDED');
  if (completed === undefined || completed.endedAt === null) {
    const says =
      latest === undefined ? 'none has ended yet' : `none was completed; the last one ended as ${latest.status}`;
    return [problem(RUNS, says, LOOK_AT_RUN)];
  }
  const now = clock.now().toISOString();
  const ago = minutesBetween(completed.endedAt, now);
  const when = `completed at ${describeMoment(completed.endedAt, now)}, ${describeMinutes(ago)} ago`;
  if (ago > 3 * intervalMinutes) return [problem(RUNS, `the last one was ${when}`, LOOK_AT_RUN)];
  const { total, failed } = await facts.passesOf(completed);
  return [
    ok(RUNS, `the last one was ${when}, with ${plural(total, 'pass', 'passes')}`),
    ...(latest === undefined || latest === completed
      ? []
      : [problem(RUNS, `the one after it ended as ${latest.status}`, LOOK_AT_RUN)]),
    ...(failed === 0
      ? []
      : [
          warning(
            RUNS,
            `${failed} of ${plural(total, 'pass', 'passes')} could not run`,
            'the guard-failing alerts say of which project, and why; or ask `npx guard doctor --project NAME`',
          ),
        ]),
  ];
}

const LOOK_AT_RUN = 'look at the execution in Step Functions: which state failed, and why';

async function examineLastPass(
  facts: StackFacts,
  project: string,
  check: string,
  intervalMinutes: number,
  clock: Clock,
): Promise<Finding> {
  const now = clock.now().toISOString();
  const last = await facts.lastPass(project);
  const todo = 'look at the log of the pass function; `npx guard run` runs one by hand';
  if (last === null) return problem(check, 'no pass has succeeded for a day', todo);
  const ago = minutesBetween(last, now);
  const says = `succeeded at ${describeMoment(last, now)}, ${describeMinutes(ago)} ago`;
  // Metrics take a few minutes to show.
  return ago > 3 * intervalMinutes + METRIC_DELAY_MINUTES ? problem(check, says, todo) : ok(check, says);
}

const METRIC_DELAY_MINUTES = 5;

async function examineSubscriptions(facts: StackFacts): Promise<readonly Finding[]> {
  const subscriptions = await facts.subscriptions();
  const told = (topic: 'alerts' | 'alarms') =>
    subscriptions.filter((subscription) => subscription.topic === topic && subscription.confirmed).length;
  const pending = subscriptions.filter(({ confirmed }) => !confirmed);
  const nobody = (['alerts', 'alarms'] as const).filter((topic) => told(topic) === 0);
  return [
    ...pending.map(({ topic, protocol, endpoint }) =>
      problem(
        'subscription',
        `${protocol} ${endpoint} gets no ${topic}: it is not confirmed`,
        'confirm it by the link in the mail that SNS sent; deploying anew sends another',
      ),
    ),
    ...nobody.map((topic) =>
      warning('subscriptions', `nobody is told of ${topic}`, 'add a subscription to alerts.subscriptions, and deploy'),
    ),
    ...(pending.length === 0 && nobody.length === 0
      ? [
          ok(
            'subscriptions',
            `${plural(told('alerts'), 'subscriber')} of alerts, ${plural(told('alarms'), 'subscriber')} of alarms, all confirmed`,
          ),
        ]
      : []),
  ];
}

async function examineDeadLetters(facts: StackFacts): Promise<Finding> {
  const count = await facts.deadLetters();
  return count === 0
    ? ok('dead letters', 'none')
    : warning(
        'dead letters',
        `${plural(count, 'message')} could not be delivered`,
        'look at them in the queue, mend the endpoint, then delete them',
      );
}

async function examineAlarms(facts: StackFacts, runbook: string): Promise<Finding> {
  const alarms = await facts.alarms();
  return alarms.length === 0
    ? ok('alarms', 'none is on')
    : problem('alarms', `on: ${alarms.join(', ')}`, `the description of each leads to its section of ${runbook}`);
}

/** What one may not look at, or what does not answer, is unknown; the rest is looked at all the same. */
async function looking(check: string, look: () => Promise<Finding>): Promise<Finding> {
  const [finding = unknown(check, new Error('nothing found'))] = await lookingAtMany(check, async () => [await look()]);
  return finding;
}

async function lookingAtMany(check: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [unknown(check, error)];
  }
}

function unknown(check: string, error: unknown): Finding {
  const says = safeText(describeError(error), 300);
  const denied = /AccessDenied|NotAuthorized|not authorized/i.test(says);
  return {
    check,
    level: 'unknown',
    says,
    todo: denied
      ? 'ask for the right it names, or let somebody look who has it'
      : 'try again; check AWS_PROFILE and AWS_REGION',
  };
}

function ok(check: string, says: string): Finding {
  return { check, level: 'ok', says, todo: null };
}

function warning(check: string, says: string, todo: string): Finding {
  return { check, level: 'warning', says, todo };
}

function problem(check: string, says: string, todo: string): Finding {
  return { check, level: 'problem', says, todo };
}
