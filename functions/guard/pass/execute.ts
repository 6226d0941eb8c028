import pMap from 'p-map';
import { describeError, LostRaceError } from '../errors.ts';
import type { Attempt, Entry, OutboxItem, ProjectEntry, Remembered } from '../model/entry.ts';
import { type GuardEvent, isAuditOnly } from '../model/event.ts';
import type { IntegrationRecord, StatusAnswer } from '../model/integration.ts';
import { leaseFrom } from '../model/lease.ts';
import { boundOutbox } from '../model/outbox.ts';
import type { Decided, Decision } from '../policy/decide.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { announceFailure, resolve } from '../policy/resolve.ts';
import type { LedgerItem, Ports } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { Deliveries, deliver } from './deliver.ts';
import { withKeyRefused, withoutLook } from './plan.ts';
import { type PassTime, RESERVE_MS } from './time-budget.ts';

/** How many integrations are acted on at once. Kind to the API's rate limit, and a hundred pauses still take seconds. */
const CONCURRENCY = 8;

/** What became of a decision. */
export type Outcome =
  /** Nothing was to do. */
  | 'quiet'
  /** Done, delivered and settled. */
  | 'done'
  /** Only remembered: there was nothing to announce. */
  | 'noted'
  /** An operator set the state while we were about to: theirs, and announced as such. */
  | 'overtaken'
  /** Qonversion refused, could not be reached, or did not show the state. */
  | 'failed'
  /** The attempt could not be written down, so nothing was touched. */
  | 'ledger-failed'
  /** Another pass was faster; the record is theirs. */
  | 'lost-race'
  /** Time ran out before it was begun. */
  | 'not-started'
  /** Done, but an audience or the ledger did not accept it; the next pass goes on. */
  | 'unsettled';

export interface Result {
  readonly decision: Decision;
  /** The integration after the act, as Qonversion showed it last; null: it was not read. */
  readonly record: IntegrationRecord | null;
  readonly outcome: Outcome;
  /** Why it failed, was left, or stayed unsettled. */
  readonly problem: string | null;
}

/** What became of a whole plan. */
export interface Execution {
  readonly results: readonly Result[];
  /** Alerts that every audience has accepted. */
  readonly delivered: readonly GuardEvent[];
  /** Events that the history or an audience has still to accept. */
  readonly undelivered: readonly GuardEvent[];
  readonly projectProblem: string | null;
  /** Why the acting ended before its time; null: it did not. */
  readonly keyRefused: string | null;
}

/** An entry after steps 1 and 2; `version` null: it was not written, or is settled already. */
interface Begun<E> {
  readonly entry: E;
  readonly version: number | null;
  /** What Qonversion showed when it was asked; left out: nothing. */
  readonly record?: IntegrationRecord;
  readonly outcome: Outcome;
  readonly problem: string | null;
}

/**
 * Law 1 in four steps, the same for integrations and the project: the ledger learns what is going to happen, Qonversion is
 * asked, alerts are published, and the ledger learns the outcome. What earlier passes owe is delivered before all of it.
 */
export async function execute(
  ports: Ports,
  project: GuardedProject,
  decisions: readonly Decision[],
  projectDecision: Decided<ProjectEntry> | null,
  time: PassTime,
): Promise<Execution> {
  // The healthy majority is not even looked at: thousands of promises would take longer than deciding did.
  const due = decisions.filter(({ quiet }) => !quiet);
  const projectPlanned = projectDecision === null || projectDecision.quiet ? null : projectDecision;
  const deliveries = new Deliveries(ports.alerts.audiences);
  const owed = [...due, ...(projectPlanned === null ? [] : [projectPlanned])].flatMap(({ current }) => current.outbox);
  await deliver(ports, project.name, owed, deliveries);

  const writer: Writer = { keyRefused: null, ports, project, time, deliveries };
  const begun = await pMap(due, (decision) => beginOne(writer, decision), { concurrency: CONCURRENCY });
  const isWhole = begun.every(({ outcome }) => outcome !== 'not-started');
  const projectLooked = projectPlanned === null || isWhole ? projectPlanned : withoutLook(projectPlanned);
  const projectDue =
    projectDecision === null || writer.keyRefused === null
      ? projectLooked
      : withKeyRefused(withoutLook(projectDecision), project, writer.keyRefused, time.now());
  const projectBegun = projectDue && (await begin<ProjectEntry>(writer, projectDue, projectItem, null));
  const tried = new Set(owed.map(({ event }) => event.id));
  const fresh = [...begun, ...(projectBegun === null ? [] : [projectBegun])]
    .flatMap((item) => (item.version === null ? [] : item.entry.outbox))
    .filter(({ event }) => !tried.has(event.id));
  await deliver(ports, project.name, fresh, deliveries);

  const finished = await pMap(due, (decision, index) => finish(writer, decision, itemOf(decision), begun[index]), {
    concurrency: CONCURRENCY,
  });
  const projectFinished = projectDue && projectBegun && (await finish(writer, projectDue, projectItem, projectBegun));
  const results = new Map(due.map((decision, index) => [decision, finished[index]]));
  const shown = new Map(due.map((decision, index) => [decision, begun[index]?.record]));
  const events = [...new Map([...owed, ...fresh].map((item) => [item.event.id, item])).values()];
  const isDelivered = (item: OutboxItem) => deliveries.undelivered(item).length === 0;
  return {
    results: decisions.map((decision) => {
      const { outcome = 'quiet', problem = null } = results.get(decision) ?? {};
      return { decision, record: shown.get(decision) ?? decision.record, outcome, problem };
    }),
    delivered: events.filter((item) => isDelivered(item) && !isAuditOnly(item.event)).map(({ event }) => event),
    undelivered: events.filter((item) => !isDelivered(item)).map(({ event }) => event),
    // Another pass that was faster says the same about the project.
    projectProblem: projectFinished?.outcome === 'lost-race' ? null : (projectFinished?.problem ?? null),
    keyRefused: writer.keyRefused,
  };
}

interface Writer {
  /** Why no request is worth making any more: the API does not accept the key (rule 13). */
  keyRefused: string | null;
  readonly ports: Ports;
  readonly project: GuardedProject;
  readonly time: PassTime;
  readonly deliveries: Deliveries;
}

/** An attempt is as old as the moment it is written down. */
function beginOne(writer: Writer, decision: Decision): Promise<Begun<Entry>> {
  const { next } = decision;
  const attempt = next.attempt && { ...next.attempt, at: writer.time.now() };
  const request = attempt === null || decision.record === null ? null : ask(writer, decision, attempt);
  const stamped = request === null ? decision : { ...decision, next: { ...next, attempt } };
  const late = writer.ports.remainingMs() < RESERVE_MS ? 'time ran out; the next pass goes on' : null;
  const refused = request === null ? null : writer.keyRefused;
  return begin(writer, stamped, itemOf(decision), request, late ?? refused);
}

type ToItem<E> = (entry: E) => LedgerItem;

const itemOf =
  ({ id }: Decision): ToItem<Entry> =>
  (entry) => ({ kind: 'integration', id, entry });

const projectItem: ToItem<ProjectEntry> = (entry) => ({ kind: 'project', entry });

/** Asks Qonversion for what was written down, and says what became of it. */
type Ask<E> = (entry: E) => Promise<Omit<Begun<E>, 'version'>>;

/**
 * Steps 1 and 2: puts what is going to happen under a lease, then asks for it.
 * @param leave why nothing new is to be begun; null: it is. What was owed and is delivered by now is written down all the same
 */
async function begin<E extends Remembered>(
  { ports, project, time, deliveries }: Writer,
  { known, current, next, expiresAt, changed }: Decided<E>,
  toItem: ToItem<E>,
  request: Ask<E> | null,
  leave: string | null = null,
): Promise<Begun<E>> {
  const late = leave !== null;
  const target = late ? current : next;
  const entry = { ...target, outbox: boundOutbox(deliveries.remaining(target.outbox)) };
  const put = (lease: string | null) => {
    const expires = entry.outbox.length === 0 && !late ? expiresAt : null;
    return ports.ledger.write(project.name, toItem({ ...entry, lease }), known?.version ?? null, expires);
  };
  try {
    if (late || (request === null && next.outbox.length === current.outbox.length)) {
      const { length } = current.outbox;
      const less = entry.outbox.length < length || entry.outbox.some((item, place) => item !== current.outbox[place]);
      if (less || (changed && !late)) await put(null);
      if (late) return { entry, version: null, outcome: 'not-started', problem: leave };
      const outcome = length === 0 ? 'noted' : entry.outbox.length === 0 ? 'done' : 'unsettled';
      return { entry, version: null, outcome, problem: outcome === 'unsettled' ? UNDELIVERED : null };
    }
    const written = await put(leaseFrom(time.now()));
    const asked = request === null ? { entry, outcome: 'done' as const, problem: null } : await request(entry);
    return { ...asked, version: written };
  } catch (error) {
    const lost = error instanceof LostRaceError;
    const problem = lost ? 'another pass was faster and has this one' : describeError(error);
    const outcome = lost ? 'lost-race' : 'ledger-failed';
    const item = toItem(entry);
    const what = item.kind === 'project' ? 'the project' : item.id;
    ports.log.warn('decision not executed', { project: project.name, item: what, outcome, problem });
    return { entry: current, version: null, outcome, problem };
  }
}

const UNDELIVERED = 'not every audience accepted the alert; the next pass delivers it';

/** Step 2 for an integration. */
function ask(writer: Writer, decision: Decision, { status, state }: Attempt): Ask<Entry> {
  const { ports, project, time } = writer;
  const { id, record } = decision;
  return async (entry) => {
    const answer = await setStatus(ports, id, status);
    const now = time.now();
    const context = { project: project.name, now };
    if (answer.outcome === 'set' || answer.outcome === 'already') {
      const resolved = resolve(entry, { kind: answer.outcome, record: answer.record }, context);
      const overtaken = resolved.state.name !== state.name;
      const problem = overtaken ? 'an operator set the state first; left to the operator' : null;
      ports.log.info(problem ?? (status === 0 ? 'paused' : 'resumed'), { ...context, id, reason: decision.reason });
      return { entry: resolved, record: answer.record, outcome: overtaken ? 'overtaken' : 'done', problem };
    }
    const problem = describeError(answer.error);
    ports.log.error('status not set', { project: project.name, id, status, problem });
    if (answer.outcome === 'key-refused') {
      writer.keyRefused = problem;
      return { entry: resolve(entry, { kind: 'refused' }, context), outcome: 'failed', problem };
    }
    const resolved = resolve(entry, { kind: answer.outcome }, context);
    const policy = record === null ? null : effectivePolicy(project.policy, record);
    const announced = policy === null ? resolved : announceFailure(resolved, decision, problem, policy, context);
    return { entry: announced, outcome: 'failed', problem };
  };
}

/** An adapter that throws has left the outcome open. */
async function setStatus(ports: Ports, id: string, status: 0 | 1): Promise<StatusAnswer> {
  try {
    return await ports.api.setStatus(id, status);
  } catch (error) {
    return { outcome: 'unknown', error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** Step 4: the known outcome is always written, and what an audience still owes an acceptance for. */
async function finish<E extends Remembered>(
  { ports, project, deliveries }: Writer,
  { expiresAt }: Decided<E>,
  toItem: ToItem<E>,
  begun: Begun<E> | undefined,
): Promise<Pick<Result, 'outcome' | 'problem'>> {
  if (begun === undefined) throw new Error('what was begun is finished');
  if (begun.version === null) return begun;
  const outbox = boundOutbox(deliveries.remaining(begun.entry.outbox));
  let problem = outbox.length === 0 ? null : UNDELIVERED;
  let written = true;
  try {
    const entry = { ...begun.entry, outbox, lease: null };
    await ports.ledger.write(project.name, toItem(entry), begun.version, outbox.length === 0 ? expiresAt : null);
  } catch (error) {
    // Another pass took it over meanwhile: it is theirs, and a copy of the alert bears the same id.
    if (!(error instanceof LostRaceError)) {
      written = false;
      problem = describeError(error);
      ports.log.error('outcome not written; the next pass finds it out', { project: project.name, problem });
    }
  }
  if (problem === null) return begun;
  const outcome = begun.outcome === 'failed' && written ? 'failed' : 'unsettled';
  return { outcome, problem: begun.problem === null ? problem : `${begun.problem}; ${problem}` };
}
