import pMap from 'p-map';
import { describeError, LostRaceError } from '../errors.ts';
import type { Attempt, Entry, OutboxItem, ProjectEntry, Remembered } from '../model/entry.ts';
import { type GuardEvent, isAuditOnly } from '../model/event.ts';
import type { IntegrationRecord, StatusAnswer } from '../model/integration.ts';
import { leaseFrom } from '../model/lease.ts';
import { boundOutbox } from '../model/outbox.ts';
import type { Decided, Decision } from '../policy/decide.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { withIncident } from '../policy/incidents.ts';
import { announceFailure, resolve } from '../policy/resolve.ts';
import type { LedgerItem, Ports } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { Deliveries, deliver } from './deliver.ts';
import { withKeyRefused, withoutFirstPass } from './plan.ts';
import { type PassTime, RESERVE_MS } from './time-budget.ts';

/** How many integrations the guard changes at once. Low enough for the API's rate limit; a hundred pauses take seconds. */
const CONCURRENCY = 8;

/** The outcome of a decision. */
export type Outcome =
  /** There was nothing to do. */
  | 'quiet'
  /** Done, and every alert is delivered. */
  | 'done'
  /** Only the ledger changed: there was nothing to announce. */
  | 'noted'
  /** An operator set the state first. The guard leaves it to them and says so in the alert. */
  | 'overtaken'
  /** Qonversion refused, could not be reached, or did not confirm the state. */
  | 'failed'
  /** The ledger could not record the attempt, so the guard changed nothing. */
  | 'ledger-failed'
  /** Another pass was faster and handles the integration. */
  | 'lost-race'
  /** Time ran out before it was started. */
  | 'not-started'
  /** Done, but an audience or the ledger did not accept it; the next pass continues. */
  | 'unsettled';

export interface Result {
  readonly decision: Decision;
  /** The integration after the request, as Qonversion returned it last; null: it was not read. */
  readonly record: IntegrationRecord | null;
  readonly outcome: Outcome;
  /** Why it failed, was left to the operator, or is incomplete. */
  readonly problem: string | null;
}

/** The outcome of a whole plan. */
export interface Execution {
  readonly results: readonly Result[];
  /** Alerts that every audience has accepted. */
  readonly delivered: readonly GuardEvent[];
  /** Events that the history or an audience has not accepted yet. */
  readonly undelivered: readonly GuardEvent[];
  readonly projectProblem: string | null;
  /** Why the pass stopped making requests; null: it did not. */
  readonly keyRefused: string | null;
}

/** An entry after steps 1 and 2. `version` is null if it was not written, or needs no further step. */
interface Begun<E> {
  readonly entry: E;
  readonly version: number | null;
  /** The answer of Qonversion; left out: no request was made. */
  readonly record?: IntegrationRecord;
  readonly outcome: Outcome;
  readonly problem: string | null;
}

/**
 * Law 1 in four steps, the same for integrations and the project: write the attempt to the ledger, send the request to Qonversion,
 * publish the alerts, write the outcome to the ledger. Undelivered alerts of earlier passes come first.
 */
export async function execute(
  ports: Ports,
  project: GuardedProject,
  decisions: readonly Decision[],
  projectDecision: Decided<ProjectEntry> | null,
  time: PassTime,
): Promise<Execution> {
  // Healthy integrations are left out: thousands of promises would take longer than the decisions did.
  const due = decisions.filter(({ quiet }) => !quiet);
  const projectPlanned = projectDecision === null || projectDecision.quiet ? null : projectDecision;
  const deliveries = new Deliveries(ports.alerts.audiences);
  const backlog = [...due, ...(projectPlanned === null ? [] : [projectPlanned])].flatMap(
    ({ current }) => current.outbox,
  );
  await deliver(ports, project.name, backlog, deliveries);

  const writer: Writer = { keyRefused: null, ports, project, time, deliveries };
  const begun = await pMap(due, (decision) => beginOne(writer, decision), { concurrency: CONCURRENCY });
  const isWhole = begun.every(({ outcome }) => outcome !== 'not-started');
  const projectAsRead = projectPlanned === null || isWhole ? projectPlanned : withoutFirstPass(projectPlanned);
  const projectDue =
    projectDecision === null || writer.keyRefused === null
      ? projectAsRead
      : withKeyRefused(withoutFirstPass(projectDecision), project, writer.keyRefused, time.now());
  const projectBegun = projectDue && (await begin<ProjectEntry>(writer, projectDue, projectItem, null));
  const tried = new Set(backlog.map(({ event }) => event.id));
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
  const events = [...new Map([...backlog, ...fresh].map((item) => [item.event.id, item])).values()];
  const isDelivered = (item: OutboxItem) => deliveries.undelivered(item).length === 0;
  return {
    results: decisions.map((decision) => {
      const { outcome = 'quiet', problem = null } = results.get(decision) ?? {};
      return { decision, record: shown.get(decision) ?? decision.record, outcome, problem };
    }),
    delivered: events.filter((item) => isDelivered(item) && !isAuditOnly(item.event)).map(({ event }) => event),
    undelivered: events.filter((item) => !isDelivered(item)).map(({ event }) => event),
    // A faster pass reports the same about the project.
    projectProblem: projectFinished?.outcome === 'lost-race' ? null : (projectFinished?.problem ?? null),
    keyRefused: writer.keyRefused,
  };
}

interface Writer {
  /** Why the pass makes no more requests: the API does not accept the key (rule 13). Null: it does. */
  keyRefused: string | null;
  readonly ports: Ports;
  readonly project: GuardedProject;
  readonly time: PassTime;
  readonly deliveries: Deliveries;
}

/** Steps 1 and 2 for an integration. The time of the attempt is the moment it is written to the ledger. */
function beginOne(writer: Writer, decision: Decision): Promise<Begun<Entry>> {
  const { next } = decision;
  const attempt = next.attempt && { ...next.attempt, at: writer.time.now() };
  const request = attempt === null || decision.record === null ? null : ask(writer, decision, attempt);
  const stamped = request === null ? decision : { ...decision, next: { ...next, attempt } };
  const late = writer.ports.remainingMs() < RESERVE_MS ? 'time ran out; the next pass continues' : null;
  const refused = request === null ? null : writer.keyRefused;
  return begin(writer, stamped, itemOf(decision), request, late ?? refused);
}

type ToItem<E> = (entry: E) => LedgerItem;

const itemOf =
  ({ id }: Decision): ToItem<Entry> =>
  (entry) => ({ kind: 'integration', id, entry });

const projectItem: ToItem<ProjectEntry> = (entry) => ({ kind: 'project', entry });

/** Makes the request that the ledger has recorded, and returns its outcome. */
type Ask<E> = (entry: E) => Promise<Omit<Begun<E>, 'version'>>;

/**
 * Steps 1 and 2: writes the attempt to the ledger with a lease, then makes the request.
 * @param skipReason why nothing new is started; null: it is. The ledger still forgets alerts that were delivered before
 */
async function begin<E extends Remembered>(
  { ports, project, time, deliveries }: Writer,
  { known, current, next, expiresAt, changed }: Decided<E>,
  toItem: ToItem<E>,
  request: Ask<E> | null,
  skipReason: string | null = null,
): Promise<Begun<E>> {
  const isSkipped = skipReason !== null;
  const target = isSkipped ? current : next;
  const entry = { ...target, outbox: boundOutbox(deliveries.remaining(target.outbox)) };
  const put = (lease: string | null) => {
    const expires = entry.outbox.length === 0 && !isSkipped ? expiresAt : null;
    return ports.ledger.write(project.name, toItem({ ...entry, lease }), known?.version ?? null, expires);
  };
  try {
    if (isSkipped || (request === null && next.outbox.length === current.outbox.length)) {
      const { length } = current.outbox;
      const less = entry.outbox.length < length || entry.outbox.some((item, place) => item !== current.outbox[place]);
      if (less || (changed && !isSkipped)) await put(null);
      if (isSkipped) return { entry, version: null, outcome: 'not-started', problem: skipReason };
      const outcome = length === 0 ? 'noted' : entry.outbox.length === 0 ? 'done' : 'unsettled';
      return { entry, version: null, outcome, problem: outcome === 'unsettled' ? UNDELIVERED : null };
    }
    const written = await put(leaseFrom(time.now()));
    const asked = request === null ? { entry, outcome: 'done' as const, problem: null } : await request(entry);
    return { ...asked, version: written };
  } catch (error) {
    const lost = error instanceof LostRaceError;
    const problem = lost ? 'another pass was faster and handles it' : describeError(error);
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
    const about = { id, record, reason: decision.reason, attention: 'unseen', isResumed: false } as const;
    if (answer.outcome === 'set' || answer.outcome === 'already') {
      const outcome = resolve(entry, { kind: answer.outcome, record: answer.record }, context);
      const resolved = withIncident(entry, outcome, { ...about, record: answer.record }, context);
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
    return { entry: withIncident(entry, announced, about, context), outcome: 'failed', problem };
  };
}

/** If an adapter throws, the outcome is unknown. */
async function setStatus(ports: Ports, id: string, status: 0 | 1): Promise<StatusAnswer> {
  try {
    return await ports.api.setStatus(id, status);
  } catch (error) {
    return { outcome: 'unknown', error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** Step 4: writes the outcome, and the events that an audience has not accepted yet. */
async function finish<E extends Remembered>(
  { ports, project, deliveries }: Writer,
  { expiresAt }: Decided<E>,
  toItem: ToItem<E>,
  begun: Begun<E> | undefined,
): Promise<Pick<Result, 'outcome' | 'problem'>> {
  if (begun === undefined) throw new Error('every decision that was begun has a result');
  if (begun.version === null) return begun;
  const outbox = boundOutbox(deliveries.remaining(begun.entry.outbox));
  let problem = outbox.length === 0 ? null : UNDELIVERED;
  let written = true;
  try {
    const entry = { ...begun.entry, outbox, lease: null };
    await ports.ledger.write(project.name, toItem(entry), begun.version, outbox.length === 0 ? expiresAt : null);
  } catch (error) {
    // Another pass took the entry over and handles it. Its copy of the alert has the same ID.
    if (!(error instanceof LostRaceError)) {
      written = false;
      problem = describeError(error);
      ports.log.error('outcome not written; the next pass determines it', { project: project.name, problem });
    }
  }
  if (problem === null) return begun;
  const outcome = begun.outcome === 'failed' && written ? 'failed' : 'unsettled';
  return { outcome, problem: begun.problem === null ? problem : `${begun.problem}; ${problem}` };
}
