import pMap from 'p-map';
import { changedNothing, describeError, LostRaceError } from './errors.ts';
import { type EventSeed, makeEvent } from './events.ts';
import {
  BLANK_PROJECT_SETTLED,
  type GuardEvent,
  type Intent,
  type LedgerEntry,
  type ProjectEntry,
  type SettledEntry,
} from './model.ts';
import { makePlan, type Plan, type PlannedDecision, type ProjectDecision, planFailure } from './plan.ts';
import { effectivePolicy } from './policy.ts';
import type { Audience, LedgerItem, Ports } from './ports.ts';
import { rememberTold } from './rules.ts';
import type { Policy } from './settings.ts';
import { isReminderDue } from './time.ts';

/** How many integrations are acted on at once. Kind to the API's rate limit, and a hundred pauses still take seconds. */
const CONCURRENCY = 8;

/** No new work is begun when less time than this is left (law 6): half of it for the act itself … */
export const RESERVE_MS = 20_000;

/** … and this much for telling and settling: calls to the API must have ended by then. */
export const TELLING_MS = 10_000;

/** What became of a decision. */
export type Outcome =
  /** Nothing was to do. */
  | 'quiet'
  /** Done, told and settled. */
  | 'done'
  /** Only remembered: nothing was to tell. */
  | 'noted'
  /** Qonversion refused, could not be reached, or did not show the state. */
  | 'failed'
  /** The intent could not be written down, so nothing was touched. */
  | 'ledger-failed'
  /** Another pass was faster; the record is theirs. */
  | 'lost-race'
  /** Time ran out before it was begun. */
  | 'not-started'
  /** Done, but the alert or the settling write was not accepted; the next pass goes on from the intent. */
  | 'unsettled';

export interface Result {
  readonly decision: PlannedDecision;
  readonly outcome: Outcome;
  /** Why it failed, was left, or stayed unsettled. */
  readonly problem: string | null;
}

/** All that one pass saw, decided and did. */
export interface PassReport {
  readonly project: string;
  readonly startedAt: string;
  readonly durationMs: number;
  /** Why the pass could not run at all; null when it ran. */
  readonly failure: string | null;
  /** Whether the pass ran, and everything it did is told and settled. */
  readonly ok: boolean;
  readonly results: readonly Result[];
  /** Events accepted for machines and people in this pass. */
  readonly told: readonly GuardEvent[];
  /** Events that were not accepted; their intents stay for the next pass. */
  readonly untold: readonly GuardEvent[];
  /** What the plan says about the project as a whole; null when the pass could not run. */
  readonly plan: Plan | null;
  readonly traffic: { readonly requests: number; readonly retries: number };
}

export interface GuardedProject {
  readonly name: string;
  readonly policy: Policy;
}

export interface PassOptions {
  /** An operator's word for this once: trip however many are over the limits (rule 8). */
  readonly force?: boolean;
}

/** Reads everything and decides; touches nothing. What it returns is what `runPass` would carry out. */
export async function planPass(ports: Ports, project: GuardedProject, options: PassOptions = {}): Promise<Plan> {
  const now = ports.clock.now().toISOString();
  const [listing, view] = await Promise.all([ports.api.list(), ports.ledger.read(project.name)]);
  return makePlan(project.name, project.policy, listing, view, now, options);
}

/**
 * One evaluation of one project: read, decide, then act, tell and settle, in that order.
 * A pass that cannot run tells people so and returns a report with `failure`.
 * @throws LedgerUnavailableError when the ledger cannot be read: without it nothing may be touched
 */
export async function runPass(ports: Ports, project: GuardedProject, options: PassOptions = {}): Promise<PassReport> {
  const startedAt = ports.clock.now();
  const now = startedAt.toISOString();
  const [listing, view] = await Promise.allSettled([ports.api.list(), ports.ledger.read(project.name)]);
  if (view.status === 'rejected') {
    await tellLedgerFailure(ports, project.name, now, view.reason);
    throw view.reason;
  }

  if (listing.status === 'rejected') {
    const reason = describeError(listing.reason);
    ports.log.error('pass could not run', { project: project.name, reason });
    const decision = planFailure(project.name, project.policy, view.value.project, reason, now);
    const done = await carryOut(ports, project, [], decision, now);
    return report(ports, project, startedAt, done, { failure: reason, plan: null });
  }

  const plan = makePlan(project.name, project.policy, listing.value, view.value, now, options);
  for (const { id, problem } of plan.invalid) ports.log.warn('record not readable, skipped', { id, problem });
  const done = await carryOut(ports, project, plan.decisions, plan.projectDecision, now);
  return report(ports, project, startedAt, done, { failure: null, plan });
}

/** Carries out one decision that does not come from the schedule: what an operator asked for through the guard. */
export async function carryOutAlone(ports: Ports, project: GuardedProject, decision: PlannedDecision): Promise<Result> {
  const { results } = await carryOut(ports, project, [decision], QUIET_PROJECT, ports.clock.now().toISOString());
  const [result] = results;
  if (result === undefined) throw new Error('a decision that was carried out has a result');
  return result;
}

interface Done {
  readonly results: readonly Result[];
  readonly told: readonly GuardEvent[];
  readonly untold: readonly GuardEvent[];
  readonly projectProblem: string | null;
}

/** Something written down and perhaps done, whose events are now to be told and whose ledger entry then to be settled. */
interface Unsettled {
  readonly version: number;
  readonly events: readonly GuardEvent[];
  readonly item: LedgerItem;
  readonly expiresAt: string | null;
}

interface Begun {
  readonly decision: PlannedDecision;
  readonly outcome: Outcome;
  readonly problem: string | null;
  readonly unsettled: Unsettled | null;
}

/** Law 1 in order: intents, acts, alerts, settling. */
async function carryOut(
  ports: Ports,
  project: GuardedProject,
  decisions: readonly PlannedDecision[],
  projectDecision: ProjectDecision,
  now: string,
): Promise<Done> {
  const begun = await pMap(decisions, (decision) => begin(ports, project, decision, now), { concurrency: CONCURRENCY });
  const projectBegun = await beginProject(ports, project.name, projectDecision, now);

  const unsettled = [...begun.map((item) => item.unsettled), projectBegun.unsettled].filter((item) => item !== null);
  const events = uniqueById(unsettled.flatMap((item) => item.events));
  const accepted = await tell(ports, project.name, events);

  const settle = (item: Unsettled | null) => settleOne(ports, project.name, item, accepted);
  const results = await pMap(begun, async (item) => finish(item, await settle(item.unsettled)), {
    concurrency: CONCURRENCY,
  });
  return {
    results,
    told: events.filter(({ id }) => accepted.has(id)),
    untold: events.filter(({ id }) => !accepted.has(id)),
    projectProblem: projectBegun.problem ?? (await settle(projectBegun.unsettled)),
  };
}

/** Writes the intent down and does the act. */
async function begin(ports: Ports, project: GuardedProject, decision: PlannedDecision, now: string): Promise<Begun> {
  if (decision.quiet) return { decision, outcome: 'quiet', problem: null, unsettled: null };
  if (ports.remainingMs() < RESERVE_MS) {
    return { decision, outcome: 'not-started', problem: 'time ran out; the next pass goes on', unsettled: null };
  }
  try {
    return await beginInTime(ports, project, decision, now);
  } catch (error) {
    const outcome = error instanceof LostRaceError ? 'lost-race' : 'ledger-failed';
    const problem = error instanceof LostRaceError ? 'another pass was faster and has this one' : describeError(error);
    ports.log.warn('decision not carried out', { project: project.name, id: decision.id, outcome, problem });
    return { decision, outcome, problem, unsettled: null };
  }
}

async function beginInTime(
  ports: Ports,
  project: GuardedProject,
  decision: PlannedDecision,
  now: string,
): Promise<Begun> {
  const { record, act, events, owed, settled, before, version, expiresAt } = decision;
  const write = (entry: LedgerEntry, expected: number | null) =>
    ports.ledger.write(project.name, { kind: 'integration', id: decision.id, entry }, expected, expiresAt);

  if (act === null && events.length === 0 && owed.length === 0) {
    await write({ ...settled, intent: null }, version);
    return { decision, outcome: 'noted', problem: null, unsettled: null };
  }

  const intent: Intent = {
    decidedAt: now,
    act: act === null || record === null ? null : { status: act.status, updatedAt: record.updated_at },
    events,
    owed,
    settled,
    failedAt: null,
  };
  const written = await write({ ...before, intent }, version);
  const toSettle = (entry: LedgerEntry, told: readonly GuardEvent[]): Unsettled => ({
    version: written,
    events: told,
    item: { kind: 'integration', id: decision.id, entry },
    expiresAt,
  });
  if (act === null) {
    const unsettled = toSettle({ ...settled, intent: null }, [...owed, ...events]);
    return { decision, outcome: 'done', problem: null, unsettled };
  }

  try {
    const after = await ports.api.setStatus(decision.id, act.status);
    ports.log.info(act.status === 0 ? 'paused' : 're-activated', {
      project: project.name,
      id: decision.id,
      reason: decision.reason,
    });
    const exact =
      act.status === 1
        ? { ...settled, baseline: { count: after.delivery_error_count, lastDeliveryAt: after.last_delivery_at } }
        : settled;
    return {
      decision,
      outcome: 'done',
      problem: null,
      unsettled: toSettle({ ...exact, intent: null }, [...owed, ...events]),
    };
  } catch (error) {
    const problem = describeError(error);
    ports.log.error('status not set', { project: project.name, id: decision.id, status: act.status, problem });
    const failure = describeFailedAct(project, decision, problem, now);
    // In doubt the intent stays, and the next pass looks whether the act took effect. After a refusal there is no doubt, and
    // an intent would make an operator's own pause look like ours, which a trial might then undo.
    const doubtful: Intent = { ...intent, owed: [], failedAt: now };
    const entry: LedgerEntry = { ...failure.entry, intent: changedNothing(error) ? null : doubtful };
    return { decision, outcome: 'failed', problem, unsettled: toSettle(entry, [...owed, ...failure.events]) };
  }
}

/** The alert about an act that failed, once per episode and as a reminder; an operator hears it at once from the door instead. */
function describeFailedAct(
  project: GuardedProject,
  decision: PlannedDecision,
  problem: string,
  now: string,
): { readonly entry: SettledEntry; readonly events: readonly GuardEvent[] } {
  const { record, before, act, figures, kind } = decision;
  if (record === null || kind === 'operator-pause' || kind === 'operator-resume') return { entry: before, events: [] };
  const type = act?.status === 0 ? 'integration.pause-failed' : 'integration.activation-failed';
  const since = before.circuit.state === 'closed' ? (figures?.failingSince ?? now) : before.circuit.episode;
  const already = before.told?.alerts[type];
  const { remindEveryHours } = effectivePolicy(project.policy, record);
  if (already !== undefined && !isReminderDue(already.at, remindEveryHours, now)) return { entry: before, events: [] };

  const told = rememberTold(before.told, type, record, since, now);
  const seed: EventSeed = {
    type,
    project: project.name,
    time: now,
    episode: told.since,
    ordinal: already?.times ?? 0,
    reason: `${problem}; ${decision.reason}`,
    record,
    ...(figures === null ? {} : { figures }),
  };
  return { entry: { ...before, told }, events: [makeEvent(seed)] };
}

async function beginProject(
  ports: Ports,
  project: string,
  decision: ProjectDecision,
  now: string,
): Promise<{ readonly unsettled: Unsettled | null; readonly problem: string | null }> {
  if (decision.quiet) return { unsettled: null, problem: null };
  const { events, before, settled } = decision;
  const item = (entry: ProjectEntry): LedgerItem => ({ kind: 'project', entry });
  const settledItem = item({ ...settled, intent: null });
  try {
    if (events.length === 0) {
      await ports.ledger.write(project, settledItem, decision.version, null);
      return { unsettled: null, problem: null };
    }
    const intended = item({ ...before, intent: { decidedAt: now, events, settled } });
    const version = await ports.ledger.write(project, intended, decision.version, null);
    return { unsettled: { version, events, item: settledItem, expiresAt: null }, problem: null };
  } catch (error) {
    if (error instanceof LostRaceError) return { unsettled: null, problem: null };
    return { unsettled: null, problem: describeError(error) };
  }
}

async function tell(
  ports: Ports,
  project: string,
  events: readonly GuardEvent[],
  audience: Audience = 'everybody',
): Promise<ReadonlySet<string>> {
  if (events.length === 0) return new Set();
  try {
    return await ports.alerts.publish(project, events, audience);
  } catch (error) {
    ports.log.error('alerts not accepted; the next pass tells them', { project, problem: describeError(error) });
    return new Set();
  }
}

/** Settles what is fully told. Returns the problem, or null. */
async function settleOne(
  ports: Ports,
  project: string,
  item: Unsettled | null,
  accepted: ReadonlySet<string>,
): Promise<string | null> {
  if (item === null) return null;
  if (!item.events.every(({ id }) => accepted.has(id))) return 'the alert was not accepted; the next pass tells it';
  try {
    await ports.ledger.write(project, item.item, item.version, item.expiresAt);
    return null;
  } catch (error) {
    // Somebody took the intent over meanwhile: it is theirs, and the copy of the alert bears the same id.
    if (error instanceof LostRaceError) return null;
    const problem = describeError(error);
    ports.log.error('not settled; the next pass settles it', { project, problem });
    return problem;
  }
}

function finish(begun: Begun, problem: string | null): Result {
  const { decision } = begun;
  if (problem === null) return { decision, outcome: begun.outcome, problem: begun.problem };
  const outcome = begun.outcome === 'failed' ? 'failed' : 'unsettled';
  return { decision, outcome, problem: begun.problem === null ? problem : `${begun.problem}; ${problem}` };
}

/**
 * Nothing can be remembered now, so machines hear it in every pass, under one id for an hour. People hear it once, from the
 * alarm on failed passes, which does not depend on us.
 */
async function tellLedgerFailure(ports: Ports, project: string, now: string, error: unknown): Promise<void> {
  const reason = `the ledger cannot be read, so nothing may be touched (${describeError(error)})`;
  ports.log.error('pass could not run', { project, reason });
  const event = makeEvent({ type: 'guard.failing', project, time: now, episode: now.slice(0, 13), reason });
  await tell(ports, project, [event], 'machines');
}

function report(
  ports: Ports,
  project: GuardedProject,
  startedAt: Date,
  done: Done,
  about: { readonly failure: string | null; readonly plan: Plan | null },
): PassReport {
  const { results, told, untold, projectProblem } = done;
  const settled = results.every(({ outcome }) => outcome !== 'unsettled' && outcome !== 'ledger-failed');
  const ok = about.failure === null && settled && untold.length === 0 && projectProblem === null;
  return {
    project: project.name,
    startedAt: startedAt.toISOString(),
    durationMs: ports.clock.now().getTime() - startedAt.getTime(),
    failure: about.failure ?? projectProblem,
    ok,
    results,
    told,
    untold,
    plan: about.plan,
    traffic: ports.api.traffic,
  };
}

function uniqueById(events: readonly GuardEvent[]): readonly GuardEvent[] {
  return [...new Map(events.map((event) => [event.id, event])).values()];
}

const QUIET_PROJECT: ProjectDecision = {
  events: [],
  before: BLANK_PROJECT_SETTLED,
  settled: BLANK_PROJECT_SETTLED,
  version: null,
  quiet: true,
};
