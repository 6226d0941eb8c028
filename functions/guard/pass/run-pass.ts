import { describeError } from '../errors.ts';
import { limitLog } from '../limit-log.ts';
import { type GuardEvent, makeEvent } from '../model/event.ts';
import type { Active, Listing } from '../model/integration.ts';
import { type LedgerView, type LookingPorts, MACHINES, type Ports, type Traffic } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { describeMinutes } from '../text/time.ts';
import { type Execution, execute, type Result } from './execute.ts';
import { actsOrExplains, makePlan, type Plan, planFailure, type StateCounts } from './plan.ts';
import { countStopped } from './stopped.ts';
import { createPassTime, isImplausible, type PassTime } from './time-budget.ts';

/** How many unreadable records a log line shows. */
const MAX_EXAMPLES = 5;

/** Everything that one pass read, decided and did. */
export interface PassReport {
  readonly project: string;
  readonly startedAt: string;
  readonly durationMs: number;
  /** Why the pass could not run at all; null when it ran. */
  readonly failure: string | null;
  /** Whether the pass ran, and every alert and outcome is delivered and written. */
  readonly ok: boolean;
  /** Whether every alert and outcome is delivered and written, even if the pass could not run. */
  readonly settled: boolean;
  readonly results: readonly Result[];
  /** Alerts that every audience accepted in this pass. */
  readonly delivered: readonly GuardEvent[];
  /** Events that an audience or the history did not accept; they stay in the outbox for the next pass. */
  readonly undelivered: readonly GuardEvent[];
  /** Null when the pass could not run. */
  readonly plan: Plan | null;
  /** Integrations by state after the pass; null when it could not run. */
  readonly states: StateCounts | null;
  /** Integrations that are stopped, and not by an operator (`countStopped`). Known even if the list could not be read. */
  readonly stopped: number;
  readonly traffic: Traffic;
}

export interface PassOptions {
  /** An operator lets this one pass trip any number of integrations (rule 11). */
  readonly force?: boolean;
}

/** Reads and decides, and changes nothing. Returns the plan that `runPass` would execute. */
export async function planPass(ports: LookingPorts, project: GuardedProject, options: PassOptions = {}): Promise<Plan> {
  const startedAt = ports.clock.now();
  const [listing, view] = await Promise.all([ports.api.list(), ports.ledger.read(project.name)]);
  const { plan } = await readAndPlan(ports, project, { listing, view, startedAt }, options);
  return plan;
}

/**
 * Runs one pass over one project: reads, decides, then executes. If the pass cannot run, it sends an alert, and the report has a
 * `failure`.
 * @throws LedgerUnavailableError when the ledger cannot be read: without it the guard must not change anything
 */
export async function runPass(ports: Ports, project: GuardedProject, options: PassOptions = {}): Promise<PassReport> {
  const { log, end } = limitLog(ports.log);
  try {
    return await evaluate({ ...ports, log }, project, options);
  } finally {
    end();
  }
}

async function evaluate(ports: Ports, project: GuardedProject, options: PassOptions): Promise<PassReport> {
  const startedAt = ports.clock.now();
  const [listing, view] = await Promise.allSettled([ports.api.list(), ports.ledger.read(project.name)]);
  if (view.status === 'rejected') {
    await announceLedgerFailure(ports, project.name, startedAt.toISOString(), view.reason);
    throw view.reason;
  }

  let planned: { readonly plan: Plan; readonly time: PassTime };
  try {
    if (listing.status === 'rejected') throw listing.reason;
    planned = await readAndPlan(ports, project, { listing: listing.value, view: view.value, startedAt }, options);
  } catch (error) {
    const reason = describeError(error);
    ports.log.error('pass could not run', { project: project.name, reason });
    const time = createPassTime(ports, startedAt, 0);
    const failed = planFailure(project.name, project.policy, view.value, reason, time.startedAt);
    const execution = await execute(ports, project, failed.decisions, failed.projectDecision, time);
    const stopped = countStopped(view.value, execution.results, failed.projectDecision.next, time.startedAt);
    return report(ports, project, startedAt, execution, { failure: reason, plan: null, stopped });
  }

  const { plan, time } = planned;
  if (listing.status === 'fulfilled' && isImplausible(listing.value.clockAheadMs)) {
    const apart = describeMinutes(Math.round(Math.abs(listing.value.clockAheadMs) / 60_000));
    const problem = `the clocks of this machine and of the API are ${apart} apart, so the guard pauses later rather than too early; set this machine's clock`;
    ports.log.warn('clocks disagree', { project: project.name, problem });
  }
  if (plan.invalid.length > 0) {
    const examples = plan.invalid.slice(0, MAX_EXAMPLES);
    ports.log.warn('records not readable, skipped', { project: project.name, count: plan.invalid.length, examples });
  }
  const execution = await execute(ports, project, plan.decisions, plan.projectDecision, time);
  const stopped = countStopped(view.value, execution.results, plan.projectDecision.next, plan.now);
  return report(ports, project, startedAt, execution, { failure: null, plan, stopped });
}

/**
 * A pass reads the list and the ledger at the same time, which is enough for most. But that list may be older than the ledger: an
 * integration that another pass has just paused would look as if an operator had resumed it. So a pass that acts, or that explains
 * a change of state, lists again. The second list is newer than the ledger, and a later write to the ledger makes this pass lose
 * the race.
 */
async function readAndPlan(
  ports: LookingPorts,
  project: GuardedProject,
  read: { readonly listing: Listing; readonly view: LedgerView; readonly startedAt: Date },
  options: PassOptions,
): Promise<{ readonly plan: Plan; readonly time: PassTime }> {
  const planFrom = (listing: Listing) => {
    const time = createPassTime(ports, read.startedAt, listing.clockAheadMs);
    return { plan: makePlan(project.name, project.policy, listing, read.view, time.startedAt, options), time };
  };
  const first = planFrom(read.listing);
  return !actsOrExplains(first.plan) ? first : planFrom(await ports.api.list());
}

/**
 * Without the ledger the guard cannot remember an alert. So each pass alerts machines, with the same event ID for an hour. People
 * are alerted once, by the alarm on failed passes, which does not need the guard.
 */
async function announceLedgerFailure(ports: Ports, project: string, now: string, error: unknown): Promise<void> {
  const reason = `the ledger cannot be read, so nothing may be touched (${describeError(error)})`;
  ports.log.error('pass could not run', { project, reason });
  const event = makeEvent({ type: 'guard.failing', project, time: now, episode: now.slice(0, 13), reason });
  try {
    await ports.alerts.publish(project, [event], MACHINES);
  } catch (refusal) {
    ports.log.error('not accepted; the next pass publishes it', { project, problem: describeError(refusal) });
  }
}

function report(
  ports: Ports,
  project: GuardedProject,
  startedAt: Date,
  execution: Execution,
  about: { readonly failure: string | null; readonly plan: Plan | null; readonly stopped: number },
): PassReport {
  const { results, delivered, undelivered, projectProblem, keyRefused } = execution;
  const failure = about.failure ?? keyRefused;
  const undone = results.some(({ outcome }) => outcome === 'unsettled' || outcome === 'ledger-failed');
  const settled = !undone && undelivered.length === 0 && projectProblem === null;
  return {
    project: project.name,
    startedAt: startedAt.toISOString(),
    durationMs: ports.clock.now().getTime() - startedAt.getTime(),
    failure: failure ?? projectProblem,
    ok: failure === null && settled,
    settled,
    results,
    delivered,
    undelivered,
    plan: about.plan,
    states: about.plan === null ? null : statesAfter(about.plan.states, results),
    stopped: about.stopped,
    traffic: ports.api.traffic,
  };
}

const STATE = { 0: 'paused', 1: 'active', 2: 'suspended' } as const satisfies Record<Active, keyof StateCounts>;

function statesAfter(before: StateCounts, results: readonly Result[]): StateCounts {
  const after = { ...before };
  for (const { decision, record } of results) {
    if (decision.record === null || record === null) continue;
    after[STATE[decision.record.active]] -= 1;
    after[STATE[record.active]] += 1;
  }
  return after;
}
