import { describeError } from '../errors.ts';
import { limitLog } from '../limit-log.ts';
import { type GuardEvent, makeEvent } from '../model/event.ts';
import type { Active, Listing } from '../model/integration.ts';
import { type LedgerView, type LookingPorts, MACHINES, type Ports, type Traffic } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { describeMinutes } from '../text/time.ts';
import { type Execution, execute, type Result } from './execute.ts';
import { actsOrExplains, makePlan, type Plan, planFailure, type StateCounts } from './plan.ts';
import { createPassTime, isBeyondBelief, type PassTime } from './time-budget.ts';

/** Unreadable records that a log line shows: enough to find the reason. */
const MAX_EXAMPLES = 5;

/** All that one pass read, decided and did. */
export interface PassReport {
  readonly project: string;
  readonly startedAt: string;
  readonly durationMs: number;
  /** Why the pass could not run at all; null when it ran. */
  readonly failure: string | null;
  /** Whether the pass ran, and everything it did is delivered and settled. */
  readonly ok: boolean;
  /** Whether every alert, that the pass could not run included, is delivered and settled. */
  readonly settled: boolean;
  readonly results: readonly Result[];
  /** Alerts that every audience accepted in this pass. */
  readonly delivered: readonly GuardEvent[];
  /** Events that an audience or the history did not accept; they stay in the outbox for the next pass. */
  readonly undelivered: readonly GuardEvent[];
  /** What was decided; null when the pass could not run. */
  readonly plan: Plan | null;
  /** Integrations by state after the pass; null when it could not run. */
  readonly states: StateCounts | null;
  readonly traffic: Traffic;
}

export interface PassOptions {
  /** An operator's word for this once: trip however many are over the limits (rule 11). */
  readonly force?: boolean;
}

/** Reads everything and decides; touches nothing. What it returns is what `runPass` would execute. */
export async function planPass(ports: LookingPorts, project: GuardedProject, options: PassOptions = {}): Promise<Plan> {
  const startedAt = ports.clock.now();
  const [listing, view] = await Promise.all([ports.api.list(), ports.ledger.read(project.name)]);
  const { plan } = await readAndPlan(ports, project, { listing, view, startedAt }, options);
  return plan;
}

/**
 * One evaluation of one project: read, decide, then execute. A pass that cannot run announces that and returns a report with
 * `failure`.
 * @throws LedgerUnavailableError when the ledger cannot be read: without it nothing may be touched
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
    return report(ports, project, startedAt, execution, { failure: reason, plan: null });
  }

  const { plan, time } = planned;
  if (listing.status === 'fulfilled' && isBeyondBelief(listing.value.clockAheadMs)) {
    const apart = describeMinutes(Math.round(Math.abs(listing.value.clockAheadMs) / 60_000));
    const problem = `the clock of this machine and that of the API are ${apart} apart; minutes are counted by the one that makes less time pass`;
    ports.log.warn('clocks disagree', { project: project.name, problem });
  }
  if (plan.invalid.length > 0) {
    const examples = plan.invalid.slice(0, MAX_EXAMPLES);
    ports.log.warn('records not readable, skipped', { project: project.name, count: plan.invalid.length, examples });
  }
  const execution = await execute(ports, project, plan.decisions, plan.projectDecision, time);
  return report(ports, project, startedAt, execution, { failure: null, plan });
}

/**
 * List and ledger are asked for at once, and most passes need no more. But that list may be older than what the ledger
 * says: an integration that another pass paused in between would look resumed by an operator. So a pass that is about to act, or
 * that finds a change of state to explain, lists again. That list is younger than the ledger it is compared with, and a later write to the ledger makes us lose
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
 * Nothing can be remembered now, so machines hear it in every pass, under one id for an hour. People hear it once, from the
 * alarm on failed passes, which does not depend on us.
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
  about: { readonly failure: string | null; readonly plan: Plan | null },
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
