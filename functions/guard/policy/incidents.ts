import { isDeepStrictEqual } from 'node:util';
import type { Entry, OpenIncident, ProjectEntry, ProjectTopic, Remembered } from '../model/entry.ts';
import { bySeverity, type EventSeed, type GuardEvent, type Incident, makeEvent } from '../model/event.ts';
import { describeType, type EventType, type Severity } from '../model/event-catalogue.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { toOutbox } from '../model/outbox.ts';
import { stretchNotice } from './notices.ts';

/**
 * Incidents, for tools that open one on `trigger` and close it on `resolve`. The entry shows which problems last. So each decision
 * compares the entry before and after: a problem that begins triggers an incident, a problem that ends resolves it, and a repeated event
 * does neither. If no event of the decision can carry the change, `incident.opened` or `incident.closed` does, which only machines get.
 * So an incident closes however its problem ends.
 */

/** A problem that lasts and was announced. */
interface Problem {
  readonly severity: Severity;
  readonly episode: string;
  /** The key that version 0.2 gave its incident. */
  readonly formerKey: string;
}

/** Whether the guard watches the problem of an entry. */
export type Attention =
  | 'watched'
  /** Its incident ends: the guard ignores the integration, or it is gone. */
  | 'ended'
  /** The decision does not see the problem, so an incident that is closed stays closed. */
  | 'unseen';

interface Context {
  readonly project: string;
  readonly now: string;
}

/** The differences between the incidents of an integration and those of a project. */
interface Rules<E> {
  /** The problems by topic. */
  readonly problemsOf: (entry: E) => ReadonlyMap<string, Problem>;
  /** The topic of an event; null: it is about no problem. */
  readonly topicOf: (event: GuardEvent) => string | null;
  /** The first part of the keys. */
  readonly aboutOf: (topic: string) => string;
  readonly seedOf: (topic: string) => Pick<EventSeed, 'reason' | 'record' | 'provider'>;
  readonly attention: Attention;
  /** The episode of an incident that an interrupted pass may have opened; null: none. */
  readonly unnoted: string | null;
  /** When the attempt was made that this decision resolves; null: there is none. */
  readonly triedAt: string | null;
  /** Whether a later pass must find out whether the problem exists. */
  readonly isUndecided: boolean;
}

/** An integration has at most one incident at a time. */
const INTEGRATION = 'integration';

/**
 * The entry of an integration after a decision, with its incident and with the effect of each new event.
 * @param about why a problem is over, if no event says so, and whether an earlier pass was interrupted between `before` and `next`
 */
export function withIncident(
  before: Entry,
  next: Entry,
  about: {
    readonly id: string;
    readonly record: IntegrationRecord | null;
    readonly reason: string;
    readonly attention: Attention;
    readonly isResumed: boolean;
  },
  context: Context,
): Entry {
  const { id, record, reason, attention, isResumed } = about;
  const prefix = `${context.project}/${id}`;
  const tried = isResumed && before.attempt?.failedAt === null && next.attempt === null ? before.attempt.state : null;
  const rules: Rules<Entry> = {
    problemsOf: (entry) => problemsOfIntegration(entry, prefix),
    topicOf: () => INTEGRATION,
    aboutOf: () => prefix,
    seedOf: () => (record === null ? { reason: `${id}: ${reason}` } : { reason, record }),
    attention,
    // It may have announced that its pause failed, and died before it noted that.
    unnoted: tried?.name === 'open' ? tried.episode : null,
    triedAt: before.attempt?.at ?? null,
    isUndecided: next.attempt !== null,
  };
  return reconcile(before, next, rules, context);
}

/** The same for the entry of a project, which may have several incidents at a time. */
export function withProjectIncidents(before: ProjectEntry, next: ProjectEntry, context: Context): ProjectEntry {
  const { project } = context;
  const rules: Rules<ProjectEntry> = {
    problemsOf: (entry) => problemsOfProject(entry, project),
    topicOf: (event) => projectTopicOf(event, before),
    aboutOf: (topic) => `${project}/${topic}`,
    seedOf: (topic) => ({ reason: OVER[topic] ?? 'it is over', provider: providerOf(topic) }),
    attention: 'watched',
    unnoted: null,
    triedAt: null,
    isUndecided: false,
  };
  return reconcile(before, next, rules, context);
}

/** A new event while its effect is determined. */
type Draft = GuardEvent & { incident: Incident | null };

function reconcile<E extends Remembered>(before: E, next: E, rules: Rules<E>, { project, now }: Context): E {
  const had = rules.problemsOf(before);
  const has = rules.problemsOf(next);
  const fresh = next.outbox.slice(before.outbox.length).map(({ event }) => event);
  const known = before.incidents ?? {};
  // Most entries have no problem and stay the same object, so that comparing them costs nothing.
  if (fresh.length + had.size + has.size + Object.keys(known).length === 0 && rules.unnoted === null) return next;

  const events = fresh.filter(({ type }) => !isOwn(type)).map((event): Draft => ({ ...event, incident: null }));
  const added: GuardEvent[] = [];
  const add = (
    topic: string,
    type: 'incident.opened' | 'incident.closed',
    incident: Incident,
    episode: string,
    ordinal = incident.key,
  ) => {
    // A pass that is interrupted before it writes its decision sends the same event again.
    const seed = { ...rules.seedOf(topic), type, project, time: now, episode, ordinal };
    added.push({ ...makeEvent(seed), incident });
  };
  const incidents: Record<string, OpenIncident | null> = {};
  const topics = [...had.keys(), ...Object.keys(known), ...has.keys(), ...events.map(rules.topicOf)];
  if (rules.unnoted !== null) topics.push(INTEGRATION);
  for (const topic of new Set(topics.filter((name) => name !== null))) {
    const memory = known[topic];
    const open = memory === undefined ? formerOf(had.get(topic)) : memory;
    const problem = has.get(topic);
    const own = events.filter((event) => rules.topicOf(event) === topic);
    const triggers = own.filter(({ type }) => describeType(type).incident === 'trigger');
    const begin = (episode: string, severity: Severity) => ({
      key: `${rules.aboutOf(topic)}/${episode}`,
      episode,
      severity,
    });
    const isClosed = rules.attention === 'ended' || (rules.attention === 'unseen' && memory === null);
    if (problem !== undefined && !isClosed) {
      // The key of an incident that was closed while its problem lasted is not used again.
      const opened = trigger(open, triggers, (event) => begin(memory === null ? now : event.episode, event.severity));
      incidents[topic] = opened;
      // The ledger must have the incident before a tool gets it, so that it is closed later.
      if (opened !== null || rules.attention !== 'watched') continue;
      const again = begin(now, problem.severity);
      incidents[topic] = again;
      add(topic, 'incident.opened', { key: again.key, action: 'trigger', severity: again.severity }, now);
      continue;
    }
    if (problem !== undefined) incidents[topic] = null;
    // An interrupted pass may have opened it, so it is closed even if the ledger does not show it.
    const unnoted = rules.isUndecided ? null : (triggers[0]?.episode ?? rules.unnoted);
    const over = open ?? (unnoted === null ? null : begin(unnoted, 'info'));
    if (over === null) continue;
    const incident = { key: over.key, action: 'resolve', severity: 'info' } as const;
    const end = own.findLast(({ type }) => describeType(type).incident === 'resolve');
    // Another attempt may open it with the same key, and die as well.
    const ordinal = open === null ? `${over.key} ${rules.triedAt}` : over.key;
    if (end === undefined) add(topic, 'incident.closed', incident, over.episode, ordinal);
    else end.incident = { ...incident, severity: end.severity };
  }

  // An entry of version 0.2 gets its incidents with its next change.
  const isFormer =
    before.incidents === undefined &&
    next.incidents === undefined &&
    Object.entries(incidents).every(([topic, open]) => open !== null && had.has(topic));
  const isSame = isFormer || isDeepStrictEqual(next.incidents ?? {}, incidents);
  if (fresh.length + added.length === 0 && isSame) return next;
  const outbox = [...next.outbox.slice(0, before.outbox.length), ...toOutbox([...events, ...added])];
  const { incidents: _, ...rest } = { ...next, outbox };
  return (Object.keys(incidents).length === 0 ? rest : { ...rest, incidents }) as E;
}

/** The incident of a problem that version 0.2 announced. */
function formerOf(problem: Problem | undefined): OpenIncident | null {
  if (problem === undefined) return null;
  const { formerKey: key, episode, severity } = problem;
  return { key, episode, severity };
}

/**
 * Lets the first event open the incident, and each that is more severe than all before raise its severity.
 * @returns the incident after the events; null: none is open
 */
function trigger(
  open: OpenIncident | null,
  events: readonly Draft[],
  begin: (event: GuardEvent) => OpenIncident,
): OpenIncident | null {
  let current = open;
  for (const event of events) {
    if (current !== null && bySeverity(event, current) >= 0) continue;
    current = current === null ? begin(event) : { ...current, severity: event.severity };
    event.incident = { key: current.key, action: 'trigger', severity: current.severity };
  }
  return current;
}

function isOwn(type: EventType): boolean {
  return type === 'incident.opened' || type === 'incident.closed';
}

function problemsOfIntegration({ state, notices }: Entry, prefix: string): ReadonlyMap<string, Problem> {
  if (state.name === 'open' || state.name === 'half-open')
    return one(INTEGRATION, { episode: state.episode, severity: 'critical', formerKey: `${prefix}/${state.episode}` });
  const notice = stretchNotice(notices) ?? notices.flapping;
  if (notice === undefined) return NONE;
  const severity = notices['pause-failed'] === undefined ? 'warning' : 'critical';
  return one(INTEGRATION, { episode: notice.since, severity, formerKey: `${prefix}/${notice.since}` });
}

const NONE: ReadonlyMap<string, Problem> = new Map();

function one(topic: string, problem: Problem): ReadonlyMap<string, Problem> {
  return new Map([[topic, problem]]);
}

/** Each topic is the type of the event that announces it, or names a provider. */
function problemsOfProject({ notices, outages }: ProjectEntry, project: string): ReadonlyMap<string, Problem> {
  const noticed = Object.entries(notices).map(([name, { since }]): [string, Problem] => {
    const type = `guard.${name as ProjectTopic}` as const;
    return [type, { episode: since, severity: describeType(type).severity, formerKey: `${project}/guard/${since}` }];
  });
  const lasting = outages
    .filter(({ endedAt }) => endedAt === null)
    .map(({ provider, since }): [string, Problem] => {
      const about = provider === null ? 'guard' : outageTopic(provider);
      return [
        outageTopic(provider),
        { episode: since, severity: 'critical', formerKey: `${project}/${about}/${since}` },
      ];
    });
  return noticed.length + lasting.length === 0 ? NONE : new Map([...noticed, ...lasting]);
}

const PROVIDER = 'provider:';

function outageTopic(provider: string | null): string {
  return provider === null ? 'guard.common-cause' : `${PROVIDER}${provider}`;
}

function providerOf(topic: string): string | null {
  return topic.startsWith(PROVIDER) ? topic.slice(PROVIDER.length) : null;
}

function projectTopicOf({ type, provider, episode }: GuardEvent, { notices }: ProjectEntry): string | null {
  switch (type) {
    case 'guard.failing':
    case 'guard.held':
    case 'guard.unreadable':
    case 'guard.list-suspicious':
      return type;
    case 'guard.recovered':
      return notices.failing?.since === episode ? 'guard.failing' : 'guard.list-suspicious';
    case 'guard.common-cause':
    case 'guard.common-cause-ended':
    case 'provider.down':
    case 'provider.recovered':
      return outageTopic(provider);
    default:
      return null;
  }
}

/** Why the problems end that have no event for their end. */
const OVER: Readonly<Record<string, string>> = {
  'guard.held': 'the blast radius no longer holds pauses back',
  'guard.unreadable': 'all records can be read again',
};
