import { PROJECTS_PER_DASHBOARD } from '../../functions/aws/console.ts';
import { MAX_PROJECTS } from '../../functions/guard/settings/schema.ts';
import { MEMORY_MB } from '../../infra/guard-function.ts';
import type { FleetRunFigures } from './fleet-run.ts';

/** The monthly cost of the guard, from a measured pass and AWS's published prices. */

/** US dollars in us-east-1, from AWS's price pages as of November 2026, without free tiers. */
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
/** The interval after which a warm environment reads the key again (law 4). */
const KEY_MINUTES = 15;
/** Metrics that a quiet pass writes. The others are billed only for hours in which their events occur. */
const QUIET_METRICS = 7;
const ALARMS_PER_PROJECT = 2;
const ALARMS_PER_STACK = 3;
const ALARMS_PER_FLEET = 8;
/** The billing unit of an express workflow's memory. Its unit of time is a tenth of a second. */
const EXPRESS_MB = 64;
/** DescribeSecret and GetSecretValue, assuming that no environment has read the project in the last 15 minutes. */
const SECRET_CALLS_PER_FLEET_PASS = 2;

/** The measurements of one quiet pass. */
export interface PassCost {
  /** Milliseconds of a pass beyond waiting for the slower of list and query. */
  readonly ownMs: number;
  /** Bytes of log and metrics of one invocation, including Lambda's own lines. */
  readonly logBytes: number;
}

/** Assumed duration of a list at Qonversion, which is not published. */
export const API_MS = 250;

export interface Cost {
  readonly function: number;
  readonly secret: number;
  readonly metrics: number;
  readonly alarms: number;
  readonly other: number;
  readonly perProject: number;
}

/** The cost of one listed project. */
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
 * The cost of one project of a fleet.
 * @param transitions of the run itself, per project
 */
export function costOfFleetProject(pass: PassCost, transitions: number, everyMinutes: number): FleetCost {
  const passes = MONTH_MINUTES / everyMinutes;
  const lambda = passes * costOfInvocation(pass);
  const secret = PRICE.secretMonth + passes * SECRET_CALLS_PER_FLEET_PASS * PRICE.secretCall;
  const expressSeconds = Math.ceil(10 * billedSeconds(pass)) / 10;
  const express = PRICE.expressRequest + (expressSeconds * EXPRESS_MB * PRICE.expressGbSecond) / 1_024;
  // AWS does not say whether the start of a pass is a transition of the run; here it counts as one.
  const runs = passes * (express + (1 + transitions) * PRICE.stateTransition);
  const other = passes * (PRICE.dynamoRead + pass.logBytes * PRICE.logByte);
  return { function: lambda, secret, runs, other, perProject: lambda + secret + runs + other };
}

/**
 * The cost of a stack with a fleet only, without its projects: a key, a dashboard, and the fleet's metrics and alarms.
 */
function costOfFleetStack(): number {
  const { keyMonth, dashboardMonth, metricMonth, alarmMonth } = PRICE;
  return keyMonth + dashboardMonth + QUIET_METRICS * metricMonth + ALARMS_PER_FLEET * alarmMonth;
}

/** The cost of the stacks for listed projects, without the projects: keys, dashboards, and shared alarms. */
function costOfStacks(projects: number): number {
  const stacks = Math.ceil(projects / MAX_PROJECTS);
  const dashboards = Math.ceil(Math.min(projects, MAX_PROJECTS) / PROJECTS_PER_DASHBOARD);
  return stacks * (PRICE.keyMonth + dashboards * PRICE.dashboardMonth + ALARMS_PER_STACK * PRICE.alarmMonth);
}

const SCHEDULES = [1, 5, 15];
const PROJECTS = [1, 10, 1_000];
const FLEETS = [10, 100, 1_000, 10_000];

/** @param fleet figures of a run over ten thousand projects */
export function describeCost(pass: PassCost, fleet: FleetRunFigures): string {
  const transitions = fleet.transitions / fleet.passes.length;
  const dollars = (value: number) =>
    `$${value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
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

\`npm run bench -- --write\` generates this page. It measures a quiet pass over 100 integrations: ${pass.ownMs.toFixed(0)} ms beyond waiting for the slower of
list and ledger, ${pass.logBytes.toLocaleString('en-US')} bytes of log and metrics, one list, one query, no write. It assumes ${MEMORY_MB} MB of memory and ${API_MS} ms for
Qonversion's list (the real time is not published). Prices are AWS's published ones in us-east-1, in US dollars, as of November 2026, without
any free tier. This is an estimate, not a bill.

## A listed project, per month

| one pass per | function | secret | ${QUIET_METRICS} metrics | ${ALARMS_PER_PROJECT} alarms | schedule, ledger, logs | total |
| --- | --- | --- | --- | --- | --- | --- |
${parts.join('\n')}

## Total with listed projects, per month

This includes the cost of the stacks: a KMS key, a dashboard for each ${PROJECTS_PER_DASHBOARD} projects (an account's first three with up to 50
metrics each are free) and ${ALARMS_PER_STACK} alarms. A stack holds up to ${MAX_PROJECTS} projects, so a thousand need ${Math.ceil(1_000 / MAX_PROJECTS)} stacks.

| projects | one pass per 1 min | 5 min | 15 min |
| --- | --- | --- | --- |
${totals.join('\n')}

## A project of a fleet, per month

The metrics and alarms of a fleet cover the whole fleet, so a project costs its secret and its passes: the function, calls to Secrets
Manager, and Step Functions. For Secrets Manager, no environment of the function is assumed to have read the project within 15 minutes, which
is almost true for large fleets. For Step Functions, a pass costs a request of an express workflow and one state transition of the run. AWS's
price page does not say whether the transition is billed. Reading the secrets costs ${transitions.toFixed(2)} more transitions.

| one run per | function | secret | Step Functions | ledger, logs | total |
| --- | --- | --- | --- | --- | --- |
${fleetParts.join('\n')}

## Total with a fleet, per month

This includes a KMS key, a dashboard, ${QUIET_METRICS} metrics and ${ALARMS_PER_FLEET} alarms for the whole fleet. A fleet of any size needs one stack.

| projects | one run per 1 min | 5 min | 15 min |
| --- | --- | --- | --- |
${fleetTotals.join('\n')}

## Main cost factors

- **Listed projects: metrics and the secret.** AWS bills them by the month, not by the pass, so one pass per minute costs little more than one
  per 15 minutes. CloudWatch bills a metric for each hour with a value, and zero is a value. The guard therefore writes metrics of rare
  events only when they occur.
- **Fleets: the secret, and Step Functions at one run per minute.** A fleet is cheaper from two projects upwards, and with a run each minute from four. It has no separate
  metrics, alarms and panels for each project.
- **Busy passes** add about two writes for each integration that the guard pauses or probes, and one history write for every 25 events ($0.625 per
  million writes). They also add messages ($0.50 per million) and the hours of the metrics that they write. A bad day costs a few cents.
- **The panel** costs one invocation, one list and two queries each time a person views it.
`;
}
