import { PROJECTS_PER_DASHBOARD } from '../../functions/aws/console.ts';
import { MAX_PROJECTS } from '../../functions/guard/settings/schema.ts';
import { MEMORY_MB } from '../../infra/guard-function.ts';
import type { FleetRunFigures } from './fleet-run.ts';

/** What the guard costs in a month, from what a pass was measured to take and AWS's published prices. */

/** US dollars in us-east-1, by AWS's price pages as of November 2026, free tiers left out. */
const PRICE = {
  lambdaGbSecond: 0.0000133334,
  lambdaRequest: 0.2 / 1_000_000,
  schedule: 1 / 1_000_000,
  dynamoRead: 0.125 / 1_000_000,
  secretMonth: 0.4,
  secretCall: 0.05 / 10_000,
  metricMonth: 0.3,
  alarmMonth: 0.1,
  logByte: 0.5 / 1024 ** 3,
  keyMonth: 1,
  dashboardMonth: 3,
  /** Of a standard workflow. */
  stateTransition: 25 / 1_000_000,
  expressRequest: 1 / 1_000_000,
  expressGbSecond: 0.00001667,
} as const;

const MONTH_MINUTES = 30 * 24 * 60;
/** Read again after this long in a warm environment (law 4). */
const KEY_MINUTES = 15;
/** Metrics that a quiet pass writes; the others are billed for the hours in which something happens. */
const QUIET_METRICS = 7;
const ALARMS_PER_PROJECT = 2;
const ALARMS_PER_STACK = 3;
const ALARMS_PER_FLEET = 8;
/** Express workflows are billed by pieces of so much memory, and of a tenth of a second. */
const EXPRESS_MB = 64;
/** DescribeSecret and GetSecretValue, as if no environment of the function had seen the project in the last 15 minutes. */
const SECRET_CALLS_PER_FLEET_PASS = 2;

/** What one quiet pass was measured to take. */
export interface PassCost {
  /** Milliseconds of a pass beyond waiting for the slower of list and query. */
  readonly ownMs: number;
  /** Bytes of log and metrics of one invocation, Lambda's own lines included. */
  readonly logBytes: number;
}

/** A list takes this long at Qonversion; not published, and not ours to measure. */
export const API_MS = 250;

export interface Cost {
  readonly function: number;
  readonly secret: number;
  readonly metrics: number;
  readonly alarms: number;
  readonly other: number;
  readonly perProject: number;
}

/** Of one listed project, at one pass every so many minutes. */
export function costOf(pass: PassCost, everyMinutes: number): Cost {
  const passes = MONTH_MINUTES / everyMinutes;
  const lambda = passes * costOfInvocation(pass);
  const keyReads = MONTH_MINUTES / Math.max(everyMinutes, KEY_MINUTES);
  const secret = PRICE.secretMonth + keyReads * PRICE.secretCall;
  const metrics = QUIET_METRICS * PRICE.metricMonth;
  const alarms = ALARMS_PER_PROJECT * PRICE.alarmMonth;
  const other = passes * (PRICE.schedule + PRICE.dynamoRead + pass.logBytes * PRICE.logByte);
  return {
    function: lambda,
    secret,
    metrics,
    alarms,
    other,
    perProject: lambda + secret + metrics + alarms + other,
  };
}

function costOfInvocation(pass: PassCost): number {
  return PRICE.lambdaRequest + (billedSeconds(pass) * MEMORY_MB * PRICE.lambdaGbSecond) / 1_024;
}

function billedSeconds(pass: PassCost): number {
  return Math.ceil(API_MS + pass.ownMs) / 1_000;
}

export interface FleetCost {
  readonly function: number;
  readonly secret: number;
  /** Step Functions. */
  readonly runs: number;
  /** Ledger and logs. */
  readonly other: number;
  readonly perProject: number;
}

/**
 * Of one project of a fleet, at one run every so many minutes.
 * @param transitions of the run itself, for each project
 */
export function costOfFleetProject(pass: PassCost, transitions: number, everyMinutes: number): FleetCost {
  const passes = MONTH_MINUTES / everyMinutes;
  const lambda = passes * costOfInvocation(pass);
  const secret = PRICE.secretMonth + passes * SECRET_CALLS_PER_FLEET_PASS * PRICE.secretCall;
  const expressSeconds = Math.ceil(10 * billedSeconds(pass)) / 10;
  const express = PRICE.expressRequest + (expressSeconds * EXPRESS_MB * PRICE.expressGbSecond) / 1_024;
  // AWS does not say whether the start of a pass is a transition of the run; here it is.
  const runs = passes * (express + (1 + transitions) * PRICE.stateTransition);
  const other = passes * (PRICE.dynamoRead + pass.logBytes * PRICE.logByte);
  return { function: lambda, secret, runs, other, perProject: lambda + secret + runs + other };
}

/** What a stack with a fleet alone costs beside its projects: a key, a dashboard, the metrics and alarms of the whole. */
function costOfFleetStack(): number {
  const { keyMonth, dashboardMonth, metricMonth, alarmMonth } = PRICE;
  return keyMonth + dashboardMonth + QUIET_METRICS * metricMonth + ALARMS_PER_FLEET * alarmMonth;
}

/** What the stacks of so many listed projects cost beside the projects: keys, dashboards, and the alarms that projects share. */
function costOfStacks(projects: number): number {
  const stacks = Math.ceil(projects / MAX_PROJECTS);
  const dashboards = Math.ceil(Math.min(projects, MAX_PROJECTS) / PROJECTS_PER_DASHBOARD);
  return stacks * (PRICE.keyMonth + dashboards * PRICE.dashboardMonth + ALARMS_PER_STACK * PRICE.alarmMonth);
}

const SCHEDULES = [1, 5, 15];
const PROJECTS = [1, 10, 1_000];
const FLEETS = [10, 100, 1_000, 10_000];

/** @param fleet of a run over ten thousand projects */
export function describeCost(pass: PassCost, fleet: FleetRunFigures): string {
  const transitions = fleet.transitions / fleet.passes.length;
  const dollars = (value: number) =>
    `${value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })} $`;
  const parts = SCHEDULES.map((minutes) => {
    const cost = costOf(pass, minutes);
    const cells = [cost.function, cost.secret, cost.metrics, cost.alarms, cost.other, cost.perProject].map(dollars);
    return `| ${minutes} min | ${cells.join(' | ')} |`;
  });
  const totals = PROJECTS.map((projects) => {
    const cells = SCHEDULES.map((minutes) => {
      return dollars(costOf(pass, minutes).perProject * projects + costOfStacks(projects));
    });
    return `| ${projects.toLocaleString('en-US')} | ${cells.join(' | ')} |`;
  });
  const fleetParts = SCHEDULES.map((minutes) => {
    const cost = costOfFleetProject(pass, transitions, minutes);
    const cells = [cost.function, cost.secret, cost.runs, cost.other, cost.perProject].map(dollars);
    return `| ${minutes} min | ${cells.join(' | ')} |`;
  });
  const fleetTotals = FLEETS.map((projects) => {
    const cells = SCHEDULES.map((minutes) => {
      return dollars(costOfFleetProject(pass, transitions, minutes).perProject * projects + costOfFleetStack());
    });
    return `| ${projects.toLocaleString('en-US')} | ${cells.join(' | ')} |`;
  });
  return `# What it costs

\`npm run bench -- --write\` made this from what it measured of a quiet pass over 100 integrations (${pass.ownMs.toFixed(0)} ms beyond waiting
for the slower of list and ledger, ${pass.logBytes.toLocaleString('en-US')} bytes of log and metrics; one list, one query, no write), from ${MEMORY_MB} MB of memory,
from ${API_MS} ms for Qonversion's list (an assumption: it is not published), and from AWS's published prices in us-east-1, US dollars,
November 2026, without any free tier. Arithmetic, not a bill.

## A listed project and month

| one pass per | function | secret | ${QUIET_METRICS} metrics | ${ALARMS_PER_PROJECT} alarms | schedule, ledger, logs | together |
| --- | --- | --- | --- | --- | --- | --- |
${parts.join('\n')}

## All of it, with listed projects

With what stacks cost beside their projects: a KMS key, a dashboard for each ${PROJECTS_PER_DASHBOARD} projects (the account's first three with up to 50
metrics each are free) and ${ALARMS_PER_STACK} alarms. A stack holds up to ${MAX_PROJECTS} projects, so a thousand are ${Math.ceil(1_000 / MAX_PROJECTS)} stacks.

| projects | one pass per 1 min | 5 min | 15 min |
| --- | --- | --- | --- |
${totals.join('\n')}

## A project of a fleet and month

The metrics and alarms of a fleet are about the whole of it, so a project costs its secret and its passes: the function, calls to
Secrets Manager (as if no environment of the function had looked at the project within 15 minutes, which is nearly so where there
are many), and Step Functions (a request of an express workflow, and a transition of the run for each pass, which AWS's price page
leaves open; ${transitions.toFixed(2)} more for reading the secrets).

| one run per | function | secret | Step Functions | ledger, logs | together |
| --- | --- | --- | --- | --- | --- |
${fleetParts.join('\n')}

## All of it, with a fleet

With a KMS key, a dashboard, ${QUIET_METRICS} metrics and ${ALARMS_PER_FLEET} alarms for the whole. One stack, however many.

| projects | one run per 1 min | 5 min | 15 min |
| --- | --- | --- | --- |
${fleetTotals.join('\n')}

## What drives it

- **Of listed projects metrics and the secret**, which are billed by the month, not the passes: a schedule of a minute costs little
  more than one of a quarter of an hour. That is why metrics of what happens rarely are written only when it happens:
  CloudWatch bills a metric for each hour in which it gets a value, and zeros are values.
- **Of a fleet the secret, and with a run a minute Step Functions.** From two projects on a fleet is the cheaper way; what it lacks is
  metrics, alarms and a panel on the dashboard for each of them.
- **Busy passes** add writes (about two and a twenty-fifth for each integration acted on, 0.625 $ a million), messages (0.50 $ a million) and
  the hours of the metrics they write; a bad day is some cents.
- **The panel** is paid when somebody looks: one invocation, one list, two queries.
`;
}
