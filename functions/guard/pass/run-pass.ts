import { describeError } from '../errors.ts';
import type { GuardEvent, Listing } from '../model/entry.ts';
import { makeEvent } from '../model/event.ts';
import { type LedgerView, type LookingPorts, MACHINES, type Ports, type Traffic } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { carryOut, createPassTime, type Done, type PassTime, type Result, tell } from './execute.ts';
import { isQuiet, makePlan, type Plan, planFailure } from './plan.ts';

/** All that one pass saw, decided and did. */
export interface PassReport {
  readonly project: string;
  readonly startedAt: string;
  readonly durationMs: number;
  /** Why the pass could not run at all; null when it ran. */
  readonly failure: string | null;
  /** Whether the pass ran, and everything it did is told and settled. */
  readonly ok: boolean;
  /** Whether everything there was to tell, that it could not run included, is told and settled. */
  readonly settled: boolean;
  readonly results: readonly Result[];
  /** Events accepted for machines and people in this pass. */
  readonly told: readonly GuardEvent[];
  /** Events that were not accepted; their intents stay for the next pass. */
  readonly untold: readonly GuardEvent[];
  /** What the plan says about the project as a whole; null when the pass could not run. */
  readonly plan: Plan | null;
  readonly traffic: Traffic;
}

export interface PassOptions {
  /** An operator's word for this once: trip however many are over the limits (rule 8). */
  readonly force?: boolean;
}

/** Reads everything and decides; touches nothing. What it returns is what `runPass` would carry out. */
export async function planPass(ports: LookingPorts, project: GuardedProject, options: PassOptions = {}): Promise<Plan> {
  const startedAt = ports.clock.now();
  const [listing, view] = await Promise.all([ports.api.list(), ports.ledger.read(project.name)]);
  const { plan } = await look(ports, project, { listing, view, startedAt }, options);
  return plan;
}

/**
 * One evaluation of one project: read, decide, then act, tell and settle, in that order.
 * A pass that cannot run tells people so and returns a report with `failure`.
 * @throws LedgerUnavailableError when the ledger cannot be read: without it nothing may be touched
 */
export async function runPass(ports: Ports, project: GuardedProject, options: PassOptions = {}): Promise<PassReport> {
  const startedAt = ports.clock.now();
  const [listing, view] = await Promise.allSettled([ports.api.list(), ports.ledger.read(project.name)]);
  if (view.status === 'rejected') {
    await tellLedgerFailure(ports, project.name, startedAt.toISOString(), view.reason);
    throw view.reason;
  }

  let looked: Looked;
  try {
    if (listing.status === 'rejected') throw listing.reason;
    looked = await look(ports, project, { listing: listing.value, view: view.value, startedAt }, options);
  } catch (error) {
    const reason = describeError(error);
    ports.log.error('pass could not run', { project: project.name, reason });
    const time = createPassTime(ports, startedAt, 0);
    const decision = planFailure(project.name, project.policy, view.value.project, reason, time.startedAt);
    const done = await carryOut(ports, project, [], decision, time);
    return report(ports, project, startedAt, done, { failure: reason, plan: null });
  }

  const { plan, time } = looked;
  for (const { id, problem } of plan.invalid) ports.log.warn('record not readable, skipped', { id, problem });
  const done = await carryOut(ports, project, plan.decisions, plan.projectDecision, time);
  return report(ports, project, startedAt, done, { failure: null, plan });
}

interface Looked {
  readonly plan: Plan;
  readonly time: PassTime;
}

interface Seen {
  readonly listing: Listing;
  readonly view: LedgerView;
  readonly startedAt: Date;
}

/**
 * List and ledger are asked for at once, and a quiet pass needs no more. But that list may be older than what the ledger
 * says: what another pass paused in between would look re-activated by somebody. So whoever has something to write lists
 * again. That list is younger than the ledger it is held against, and whatever is written there later makes us lose the race.
 */
async function look(
  ports: LookingPorts,
  project: GuardedProject,
  { listing, view, startedAt }: Seen,
  options: PassOptions,
): Promise<Looked> {
  const planFrom = (current: Listing): Looked => {
    const time = createPassTime(ports, startedAt, current.clockAheadMs);
    return { plan: makePlan(project.name, project.policy, current, view, time.startedAt, options), time };
  };
  const first = planFrom(listing);
  return isQuiet(first.plan) ? first : planFrom(await ports.api.list());
}

/**
 * Nothing can be remembered now, so machines hear it in every pass, under one id for an hour. People hear it once, from the
 * alarm on failed passes, which does not depend on us.
 */
async function tellLedgerFailure(ports: Ports, project: string, now: string, error: unknown): Promise<void> {
  const reason = `the ledger cannot be read, so nothing may be touched (${describeError(error)})`;
  ports.log.error('pass could not run', { project, reason });
  const event = makeEvent({ type: 'guard.failing', project, time: now, episode: now.slice(0, 13), reason });
  await tell(ports, project, [event], [MACHINES]);
}

function report(
  ports: Ports,
  project: GuardedProject,
  startedAt: Date,
  done: Done,
  about: { readonly failure: string | null; readonly plan: Plan | null },
): PassReport {
  const { results, told, untold, projectProblem } = done;
  const undone = results.some(({ outcome }) => outcome === 'unsettled' || outcome === 'ledger-failed');
  const settled = !undone && untold.length === 0 && projectProblem === null;
  return {
    project: project.name,
    startedAt: startedAt.toISOString(),
    durationMs: ports.clock.now().getTime() - startedAt.getTime(),
    failure: about.failure ?? projectProblem,
    ok: about.failure === null && settled,
    settled,
    results,
    told,
    untold,
    plan: about.plan,
    traffic: ports.api.traffic,
  };
}
