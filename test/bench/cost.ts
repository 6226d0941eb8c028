import { PROJECTS_PER_DASHBOARD } from '../../functions/aws/console.ts';
import { MAX_PROJECTS } from '../../functions/guard/settings/schema.ts';
import { MEMORY_MB } from '../../infra/guard-function.ts';
import measured from './measured.json' with { type: 'json' };

/**
 * The monthly cost of the guard, from measured passes (`measured.json`, which `npm run bench -- --write` writes) and
 * AWS's published prices.
 */

/** The measurements of quiet passes. */
export interface Measured {
  /** Milliseconds of a pass beyond waiting for the slower of list and query. */
  readonly ownMs: number;
  /** Bytes of log of one invocation, including Lambda's own lines: of a listed project, and of one of the fleet. */
  readonly logBytes: number;
  readonly fleetLogBytes: number;
  /** Milliseconds of processor time to load the code in a new environment, on the machine of the bench, by function. */
  readonly loadMs: Readonly<Record<string, number>>;
  /** The same for the two SDK clients that every pass needs. */
  readonly leastLoadMs: number;
  /** State transitions of a run over the fleet, per project. */
  readonly transitions: number;
}

export const MEASURED: Measured = measured;

/** US dollars in us-east-1 without free tiers, and what every account has free each month; null: nothing. */
interface Price {
  readonly what: string;
  readonly unit: string;
  /** The number of units that AWS states the price for. */
  readonly per: number;
  readonly dollars: number;
  readonly free: number | null;
}

/** From AWS's price pages as of November 2026. */
const PRICES = {
  lambdaRequest: { what: 'Lambda', unit: 'requests', per: 1_000_000, dollars: 0.2, free: 1_000_000 },
  lambdaGbSecond: { what: 'Lambda on arm64', unit: 'GB-seconds', per: 1_000_000, dollars: 13.3334, free: 400_000 },
  schedule: { what: 'EventBridge Scheduler', unit: 'invocations', per: 1_000_000, dollars: 1, free: 14_000_000 },
  dynamoRead: { what: 'DynamoDB on demand', unit: 'read units', per: 1_000_000, dollars: 0.125, free: null },
  dynamoWrite: { what: 'DynamoDB on demand', unit: 'write units', per: 1_000_000, dollars: 0.625, free: null },
  dynamoStorage: { what: 'DynamoDB', unit: 'GB', per: 1, dollars: 0.25, free: 25 },
  secret: { what: 'Secrets Manager', unit: 'secrets', per: 1, dollars: 0.4, free: null },
  secretCall: { what: 'Secrets Manager', unit: 'requests', per: 10_000, dollars: 0.05, free: null },
  key: { what: 'KMS', unit: 'keys', per: 1, dollars: 1, free: null },
  keyRequest: { what: 'KMS', unit: 'requests', per: 10_000, dollars: 0.03, free: 20_000 },
  metric: { what: 'CloudWatch', unit: 'custom metrics', per: 1, dollars: 0.3, free: 10 },
  alarm: { what: 'CloudWatch', unit: 'alarms', per: 1, dollars: 0.1, free: 10 },
  dashboard: { what: 'CloudWatch', unit: 'dashboards', per: 1, dollars: 3, free: 3 },
  logGb: { what: 'CloudWatch Logs', unit: 'GB', per: 1, dollars: 0.5, free: 5 },
  snsPublish: { what: 'SNS', unit: 'publishes', per: 1_000_000, dollars: 0.5, free: 1_000_000 },
  snsMail: { what: 'SNS', unit: 'mails', per: 100_000, dollars: 2, free: 1_000 },
  sqsRequest: { what: 'SQS', unit: 'requests to FIFO queues', per: 1_000_000, dollars: 0.5, free: 1_000_000 },
  stateTransition: { what: 'Step Functions', unit: 'state transitions', per: 1_000, dollars: 0.025, free: 4_000 },
  expressRequest: { what: 'Step Functions', unit: 'express workflows', per: 1_000_000, dollars: 1, free: null },
  expressGbSecond: {
    what: 'Step Functions',
    unit: 'GB-seconds of express workflows',
    per: 1_000_000,
    dollars: 16.67,
    free: null,
  },
  pipe: { what: 'EventBridge Pipes', unit: 'requests', per: 1_000_000, dollars: 0.4, free: null },
  apiDestination: { what: 'EventBridge API destinations', unit: 'requests', per: 1_000_000, dollars: 0.2, free: null },
} as const satisfies Readonly<Record<string, Price>>;

type Item = keyof typeof PRICES;

const MONTH_MINUTES = 30 * 24 * 60;
/** The interval after which a warm environment reads the key again (law 4). */
const KEY_MINUTES = 15;
export const ALARMS_PER_PROJECT = 2;
export const ALARMS_PER_STACK = 3;
/** Besides the one on dead letters. */
export const ALARMS_PER_FLEET = 8;
/** The share of failed passes. Every other metric has values only while something is wrong. */
const METRICS_PER_FLEET = 1;
/** The billing unit of an express workflow's memory. Its unit of time is a tenth of a second. */
const EXPRESS_MB = 64;
/** DescribeSecret and GetSecretValue, assuming that no environment has read the project in the last 15 minutes. */
const SECRET_CALLS_PER_FLEET_PASS = 2;
/** A pipe polls its queue all the time: this many requests a month, also without a message. */
const POLLS_PER_TOOL = 650_000;
/** Messages to an incident tool in a bad month. */
const INCIDENT_MESSAGES = 1_000;

/** Assumed duration of a list at Qonversion, which is not published. */
export const API_MS = 250;

/** A deployment. */
export interface Setup {
  readonly listed?: number;
  readonly fleet?: number;
  /** @default 5 */
  readonly everyMinutes?: number;
  /** A customer key. @default true */
  readonly customerKey?: boolean;
  /** @default false */
  readonly dashboard?: boolean;
  /** Secrets of the listed projects. @default one for each */
  readonly secrets?: number;
  /** PagerDuty or webhook subscriptions. @default 0 */
  readonly incidentTools?: number;
}

/** States that a run of any size enters, besides those for pages and passes. The start counts too. */
const TRANSITIONS_PER_RUN = 8;

/** A run looks for alerts at its beginning and at its end. */
const DIGESTS_PER_RUN = 2;

/** Duration of a look that finds nothing, with 1,024 MB; assumed, on the high side. */
const DIGEST_SECONDS = 0.1;

type Amounts = Readonly<Partial<Record<Item, number>>>;

/** How many units of each price a quiet month takes. */
export function amountsOf(setup: Setup, pass: Measured = MEASURED): Amounts {
  const { listed = 0, fleet = 0, everyMinutes = 5, customerKey = true, dashboard = false, incidentTools = 0 } = setup;
  const passes = MONTH_MINUTES / everyMinutes;
  const stacks = listed === 0 ? 1 : Math.ceil(listed / MAX_PROJECTS);
  const keyReads = MONTH_MINUTES / Math.max(everyMinutes, KEY_MINUTES);
  const secretCalls = listed * keyReads + fleet * passes * SECRET_CALLS_PER_FLEET_PASS;
  const seconds = Math.ceil(API_MS + pass.ownMs) / 1_000;
  const expressSeconds = Math.ceil(10 * seconds) / 10;
  const ofFleet = fleet > 0 ? 1 : 0;
  return {
    lambdaRequest: passes * (listed + fleet + ofFleet * DIGESTS_PER_RUN),
    lambdaGbSecond:
      (passes * (listed + fleet) * seconds * MEMORY_MB) / 1_024 + passes * ofFleet * DIGESTS_PER_RUN * DIGEST_SECONDS,
    schedule: passes * (listed + ofFleet),
    dynamoRead: passes * (listed + fleet + ofFleet * DIGESTS_PER_RUN),
    secret: (setup.secrets ?? listed) + fleet,
    secretCall: secretCalls,
    key: customerKey ? stacks : 0,
    // The key of the secrets of a fleet is the customer's choice.
    keyRequest: customerKey ? listed * keyReads : 0,
    metric: ofFleet * METRICS_PER_FLEET,
    alarm:
      (listed === 0 ? ofFleet : stacks * ALARMS_PER_STACK) +
      listed * ALARMS_PER_PROJECT +
      ofFleet * ALARMS_PER_FLEET +
      // One on dead letters, and one for each tool.
      (incidentTools > 0 ? 1 + incidentTools : 0),
    dashboard: dashboard ? Math.max(1, dashboardsOf(listed)) : 0,
    logGb: (passes * (listed * pass.logBytes + fleet * pass.fleetLogBytes)) / 1024 ** 3,
    // AWS does not say whether the start of a pass is a transition of the run; here it counts as one.
    stateTransition: passes * (fleet * (1 + pass.transitions) + ofFleet * TRANSITIONS_PER_RUN),
    expressRequest: passes * fleet,
    expressGbSecond: (passes * fleet * expressSeconds * EXPRESS_MB) / 1_024,
    sqsRequest: incidentTools * (POLLS_PER_TOOL + INCIDENT_MESSAGES),
    pipe: incidentTools * INCIDENT_MESSAGES,
    apiDestination: incidentTools * INCIDENT_MESSAGES,
  };
}

function dashboardsOf(listed: number): number {
  const full = Math.floor(listed / MAX_PROJECTS) * Math.ceil(MAX_PROJECTS / PROJECTS_PER_DASHBOARD);
  return full + Math.ceil((listed % MAX_PROJECTS) / PROJECTS_PER_DASHBOARD);
}

export interface Bill {
  /** Dollars a month at list prices. */
  readonly list: number;
  /** The same in an account that uses its free allowances for nothing else. */
  readonly afterFree: number;
}

export function billOf(setup: Setup, pass: Measured = MEASURED): Bill {
  const items = itemsOf(amountsOf(setup, pass));
  const sum = (dollars: (item: Item, amount: number) => number) =>
    items.reduce((total, [item, amount]) => total + dollars(item, amount), 0);
  return {
    list: sum(dollarsOf),
    afterFree: sum((item, amount) => dollarsOf(item, Math.max(0, amount - (PRICES[item].free ?? 0)))),
  };
}

function itemsOf(amounts: Amounts): readonly (readonly [Item, number])[] {
  return (Object.keys(PRICES) as Item[]).flatMap((item) => {
    const amount = amounts[item] ?? 0;
    return amount === 0 ? [] : [[item, amount] as const];
  });
}

function dollarsOf(item: Item, amount: number): number {
  const { dollars, per } = PRICES[item];
  return (amount * dollars) / per;
}

/** "$0.95". */
export function showDollars(value: number, digits = 2): string {
  return `$${value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

const ONE: Setup = { listed: 1 };

const SETUPS: readonly (readonly [what: string, setup: Setup])[] = [
  ['1 project, the defaults', ONE],
  ['1 project, `"encryption": "aws-owned"`', { ...ONE, customerKey: false }],
  ['1 project, `"dashboard": true`', { ...ONE, dashboard: true }],
  ['1 project, an incident tool', { ...ONE, incidentTools: 1 }],
  ['10 projects', { listed: 10 }],
  ['10 projects in one secret (`secretField`)', { listed: 10, secrets: 1 }],
  ['10 projects in one secret, `"aws-owned"`', { listed: 10, secrets: 1, customerKey: false }],
  [`${MAX_PROJECTS} projects, the most of one stack`, { listed: MAX_PROJECTS }],
  [`1,000 listed projects in ${Math.ceil(1_000 / MAX_PROJECTS)} stacks`, { listed: 1_000 }],
];

const SCHEDULES = [1, 5, 15];
const FLEETS = [10, 100, 1_000, 10_000];

/** The page `docs/cost.md`. */
export function describeCost(pass: Measured = MEASURED): string {
  const table = (rows: readonly (readonly string[])[]) => rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const setups = SETUPS.map(([what, setup]) => {
    const { list, afterFree } = billOf(setup, pass);
    return [what, showDollars(list), showDollars(afterFree)];
  });
  const amounts = itemsOf(amountsOf(ONE, pass)).map(([item, amount]) => {
    const { what, unit, free } = PRICES[item];
    const used = amount < 1 ? amount.toFixed(3) : Math.round(amount).toLocaleString('en-US');
    const allowance = free === null ? 'none' : `${free.toLocaleString('en-US')} ${unit}`;
    return [what, `${used} ${unit}`, showDollars(dollarsOf(item, amount), 3), allowance];
  });
  const fleets = FLEETS.map((fleet) => [
    fleet.toLocaleString('en-US'),
    ...SCHEDULES.map((everyMinutes) => showDollars(billOf({ fleet, everyMinutes }, pass).list)),
  ]);
  const prices = (Object.keys(PRICES) as Item[]).map((item) => {
    const { what, unit, per, dollars, free } = PRICES[item];
    const price = `$${dollars} ${per === 1 ? 'each' : `per ${per.toLocaleString('en-US')}`}`;
    return [what, unit, price, free === null ? 'none' : free.toLocaleString('en-US')];
  });
  const ofFleet = billOf({ fleet: 1_001 }, pass).list - billOf({ fleet: 1_000 }, pass).list;
  return `# What it costs

\`npm run bench -- --cost\` generates this page from AWS's published prices in us-east-1, in US dollars, as of November 2026, and from measurements
of quiet passes (\`test/bench/measured.json\`, which \`npm run bench -- --write\` writes). It assumes ${MEMORY_MB} MB of memory and ${API_MS} ms for Qonversion's
list (the real time is not published). This is an estimate, not a bill.

## Per month, with a pass every five minutes

*After free allowances* is the bill of an account that uses the monthly allowances of AWS, which never expire, for nothing else. Your account may
use them for other things.

| what | list price | after free allowances |
| --- | --- | --- |
${table(setups)}

One pass per minute instead costs ${showDollars(billOf({ ...ONE, everyMinutes: 1 }, pass).list - billOf(ONE, pass).list)} more for each project.

## What one project uses

| service | a month | list price | free each month |
| --- | --- | --- | --- |
${table(amounts)}

- **A key of your own** is most of the price. \`"encryption": "aws-owned"\` avoids it.
- **Alarms.** ${ALARMS_PER_STACK} per stack and ${ALARMS_PER_PROJECT} per project. The first ten of an account are free.
- **No metric has a value while everything works**, so none is billed. CloudWatch bills a metric for each hour with a value, $0.30 for a whole
  month. \`Stopped\` has values while an integration is stopped. A fleet writes one more metric all the time: the share of its passes that fail needs
  the passes that succeed. Every other figure of a pass is in its log line, where Logs Insights finds it ($0.005 per GB that a query reads).
- **A dashboard** costs ${showDollars(PRICES.dashboard.dollars)} for each ${PROJECTS_PER_DASHBOARD} projects. Each view of the panel is one invocation, one list and two queries.
- **An incident tool** (\`pagerduty\` or \`webhook\`) is mostly requests for a queue: AWS polls it for the pipe, about ${POLLS_PER_TOOL.toLocaleString('en-US')} times a month.
- **Busy passes** add about two writes for each integration that the guard pauses or probes, and one history write for every 25 events. They also
  add messages and the hours of \`Stopped\`. A bad day costs a few cents.

## A fleet, per month

A fleet of any size needs one stack: a key, ${ALARMS_PER_FLEET + 1} alarms and ${METRICS_PER_FLEET} metric. Each project costs its secret and its passes: ${showDollars(ofFleet)} with a run every five minutes. No
environment of the function is assumed to have read the project within 15 minutes, which is almost true for large fleets. A pass is one
express workflow and one state transition of the run; AWS's price page does not say whether that transition is billed. Reading the secrets costs
${pass.transitions.toFixed(2)} more transitions.

| projects | one run per 1 min | 5 min | 15 min |
| --- | --- | --- | --- |
${table(fleets)}

## Prices

| service | unit | list price | free each month |
| --- | --- | --- | --- |
${table(prices)}
`;
}

/** An environment of this much memory has a whole processor. The bench's machine is taken to be as fast. */
const FULL_CPU_MB = 1_769;

/** AWS does not publish how long an environment lives. */
const ENVIRONMENT_HOURS = 2;

/** For each function, what loading its code costs a month, and whether a faster start would be worth a cent. */
export function describeColdStarts(pass: Measured = MEASURED): string {
  const slower = FULL_CPU_MB / MEMORY_MB;
  const ofOne = (30 * 24) / ENVIRONMENT_HOURS;
  const starts: Readonly<Record<string, readonly [count: number, what: string]>> = {
    pass: [ofOne, 'one environment'],
    'fleet-pass': [20 * ofOne, '20 environments, enough for a thousand projects'],
    panel: [100, 'a hundred views'],
    'panel-actions': [10, 'ten presses of a button'],
  };
  const dollars = (count: number, ms: number) =>
    dollarsOf('lambdaGbSecond', (count * Math.ceil(ms) * MEMORY_MB) / 1_024 / 1_000);
  const lines = Object.entries(pass.loadMs).map(([name, ms]) => {
    const [count, what] = starts[name] ?? [0, ''];
    const billed = ms * slower;
    return `  - \`${name}\`: ${count.toLocaleString('en-US')} (${what}) × ${Math.ceil(billed).toLocaleString('en-US')} ms = ${showDollars(dollars(count, billed), 4)}`;
  });
  const own = pass.loadMs.pass ?? 0;
  const saved = dollars(ofOne, Math.max(0, own - 1.1 * pass.leastLoadMs) * slower);
  const verdict = saved < 0.01 ? 'That is less than a cent, so the aim is retired.' : 'That is worth a cent.';
  return `- **Cold start.** Lambda bills it. In a month, if each environment lives ${ENVIRONMENT_HOURS} hours (AWS does not publish it) and ${MEMORY_MB} MB are ${slower.toFixed(1)} times slower
  than the machine above:

${lines.join('\n')}

  The bench once aimed at 1.1 × the time that the two SDK clients alone need. Meeting it would save ${showDollars(saved, 4)} a month for a project.
  ${verdict} The limit on the code that is loaded stays.
`;
}
