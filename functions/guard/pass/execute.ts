import pMap from 'p-map';
import { changedNothing, describeError, LostRaceError } from '../errors.ts';
import {
  BLANK_PROJECT_SETTLED,
  type GuardEvent,
  type IntegrationRecord,
  type Intent,
  type ProjectEntry,
  type SettledEntry,
} from '../model/entry.ts';
import { type EventSeed, isAuditOnly, makeEvent } from '../model/event.ts';
import { baselineOf, effectivePolicy } from '../policy/figures.ts';
import { takeForTheirs } from '../policy/resolve.ts';
import { rememberTold, rule } from '../policy/transitions.ts';
import type { Audience, LedgerItem, Ports } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { isLater, isReminderDue, plusMs } from '../text/time.ts';
import type { PlannedDecision, ProjectDecision } from './plan.ts';

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
  /** Somebody else set the state while we were about to: theirs, and told as such. */
  | 'overtaken'
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

/** Time as a pass counts it: the API's, since the moments it compares with are the API's. Ours may be minutes off. */
export interface PassTime {
  /** When the list was asked for. */
  readonly startedAt: string;
  readonly now: () => string;
}

export function createPassTime(ports: Pick<Ports, 'clock'>, startedAt: Date, clockAheadMs: number): PassTime {
  return { startedAt: plusMs(startedAt, clockAheadMs), now: () => plusMs(ports.clock.now(), clockAheadMs) };
}

/** Carries out one decision that does not come from the schedule: what an operator asked for through the guard. */
export async function carryOutAlone(
  ports: Ports,
  project: GuardedProject,
  decision: PlannedDecision,
  time: PassTime,
): Promise<Result> {
  const { results } = await carryOut(ports, project, [decision], QUIET_PROJECT, time);
  const [result] = results;
  if (result === undefined) throw new Error('a decision that was carried out has a result');
  return result;
}

/** What became of a whole plan. */
export interface Done {
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
export async function carryOut(
  ports: Ports,
  project: GuardedProject,
  decisions: readonly PlannedDecision[],
  projectDecision: ProjectDecision,
  time: PassTime,
): Promise<Done> {
  // The healthy majority is not even looked at: thousands of promises would take longer than deciding did.
  const due = decisions.filter(({ quiet }) => !quiet);
  const begun = await pMap(due, (decision) => begin(ports, project, decision, time), { concurrency: CONCURRENCY });
  const projectBegun = await beginProject(ports, project.name, projectDecision, time.startedAt);

  const unsettled = [...begun.map((item) => item.unsettled), projectBegun.unsettled].filter((item) => item !== null);
  const events = uniqueById(unsettled.flatMap((item) => item.events));
  const told = await tell(
    ports,
    project.name,
    events.filter((event) => !isAuditOnly(event)),
  );
  const accepted = new Set([...told, ...events.filter(isAuditOnly).map(({ id }) => id)]);
  const notKept = await keep(
    ports,
    project.name,
    events.filter(({ id }) => accepted.has(id)),
  );

  const settle = async (item: Unsettled | null) =>
    item === null || notKept === null ? settleOne(ports, project.name, item, accepted) : notKept;
  const finished = await pMap(begun, async (item) => finish(item, await settle(item.unsettled)), {
    concurrency: CONCURRENCY,
  });
  const done = new Map(finished.map((result) => [result.decision, result]));
  return {
    results: decisions.map((decision) => done.get(decision) ?? { decision, outcome: 'quiet', problem: null }),
    told: events.filter(({ id }) => told.has(id)),
    untold: events.filter(({ id }) => !accepted.has(id)),
    projectProblem: projectBegun.problem ?? (await settle(projectBegun.unsettled)),
  };
}

/** Writes the intent down and does the act. */
async function begin(ports: Ports, project: GuardedProject, decision: PlannedDecision, time: PassTime): Promise<Begun> {
  if (ports.remainingMs() < RESERVE_MS) {
    return { decision, outcome: 'not-started', problem: 'time ran out; the next pass goes on', unsettled: null };
  }
  try {
    return await beginInTime(ports, project, decision, time);
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
  time: PassTime,
): Promise<Begun> {
  const { record, act, events, owed, settled, before, leaves, version, expiresAt } = decision;
  const itemOf = (entry: SettledEntry, intent: Intent | null): LedgerItem => {
    return { kind: 'integration', id: decision.id, entry: { ...entry, intent } };
  };

  if (act === null && events.length === 0 && owed.length === 0) {
    await ports.ledger.write(project.name, itemOf(settled, leaves), version, expiresAt);
    return { decision, outcome: 'noted', problem: null, unsettled: null };
  }

  if (leaves !== null && version !== null) {
    // What is owed stands in the ledger already, beside what is to stay there.
    const unsettled: Unsettled = { version, events: owed, item: itemOf(settled, leaves), expiresAt };
    return { decision, outcome: 'done', problem: null, unsettled };
  }
  const intent: Intent = {
    decidedAt: time.now(),
    act: act === null || record === null ? null : { status: act.status, updatedAt: record.updated_at },
    events,
    owed,
    settled,
    failedAt: null,
  };
  const written = await ports.ledger.write(project.name, itemOf(before, intent), version, expiresAt);
  const toSettle = (entry: SettledEntry, told: readonly GuardEvent[], left: Intent | null = null): Unsettled => ({
    version: written,
    events: told,
    item: itemOf(entry, left),
    expiresAt,
  });
  if (act === null || record === null) {
    return { decision, outcome: 'done', problem: null, unsettled: toSettle(settled, [...owed, ...events]) };
  }

  try {
    const { record: after, changedBefore } = await ports.api.setStatus(decision.id, act.status);
    const ours = settled.circuit.state !== 'closed';
    if (ours && changedBefore && isLater(after.updated_at, record.updated_at)) {
      const theirs = describeTheirs(project, before, intent, after, time.now());
      const problem = 'somebody else set the state first; left to them';
      ports.log.info(problem, { project: project.name, id: decision.id });
      return { decision, outcome: 'overtaken', problem, unsettled: toSettle(theirs.settled, theirs.events) };
    }
    ports.log.info(act.status === 0 ? 'paused' : 're-activated', {
      project: project.name,
      id: decision.id,
      reason: decision.reason,
    });
    const exact = asOf(after, settled, time.now());
    return { decision, outcome: 'done', problem: null, unsettled: toSettle(exact, [...owed, ...events]) };
  } catch (error) {
    const problem = describeError(error);
    ports.log.error('status not set', { project: project.name, id: decision.id, status: act.status, problem });
    const failedAt = time.now();
    const failure = describeFailedAct(project, decision, problem, failedAt);
    // In doubt the intent stays, and the next pass looks whether the act took effect. After a refusal there is no doubt, and
    // an intent would make an operator's own pause look like ours, which a trial might then undo.
    const doubtful: Intent | null = changedNothing(error) ? null : { ...intent, owed: [], failedAt };
    const unsettled = toSettle(failure.entry, [...owed, ...failure.events], doubtful);
    return { decision, outcome: 'failed', problem, unsettled };
  }
}

/** Failures count from the moment the state was set, not from when it was decided. */
function asOf(after: IntegrationRecord, settled: SettledEntry, now: string): SettledEntry {
  const activatedAt = settled.activatedAt === null ? null : now;
  return { ...settled, baseline: baselineOf(after, settled.baseline, false), activatedAt };
}

/** The state we asked for was there already, and not by us: what the rules make of the record then. */
function describeTheirs(
  project: GuardedProject,
  before: SettledEntry,
  intent: Intent,
  record: IntegrationRecord,
  now: string,
): { readonly settled: SettledEntry; readonly events: readonly GuardEvent[] } {
  const taken = takeForTheirs(intent, before, record, { stampsTell: false });
  const policy = effectivePolicy(project.policy, record);
  const context = { project: project.name, now, mayTrip: false, stampsTell: false };
  const { settled, events = [] } = rule({ record, before: taken.before, policy, context });
  return { settled, events: [...taken.owed, ...events] };
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

export async function tell(
  ports: Ports,
  project: string,
  events: readonly GuardEvent[],
  audiences: readonly Audience[] = ports.alerts.audiences,
): Promise<ReadonlySet<string>> {
  let accepted: ReadonlySet<string> = new Set(events.map(({ id }) => id));
  if (events.length === 0) return accepted;
  for (const audience of audiences) {
    try {
      const taken = await ports.alerts.publish(project, events, audience);
      accepted = new Set([...accepted].filter((id) => taken.has(id)));
    } catch (error) {
      ports.log.error('alerts not accepted; the next pass tells them', { project, problem: describeError(error) });
      accepted = new Set();
    }
  }
  return accepted;
}

/** What has been told is kept before it is settled, so that the history lacks nothing either. Returns the problem, or null. */
async function keep(ports: Ports, project: string, events: readonly GuardEvent[]): Promise<string | null> {
  if (events.length === 0) return null;
  try {
    await ports.ledger.keep(project, events);
    return null;
  } catch (error) {
    const problem = describeError(error);
    ports.log.error('history not kept; the next pass keeps it', { project, problem });
    return problem;
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
