import { bySeverity, type GuardEvent, type Incident, makeEvent } from '../model/event.ts';
import { HOUR_MS } from '../text/time.ts';

/**
 * Shared incidents of a fleet. If the same provider, or Qonversion, fails in many projects at once, an incident tool gets one incident
 * instead of one for each project. It closes when few of them are left, and these then get incidents of their own.
 */

/** An incident that is open, by the event that opened it. */
export interface OpenIncident {
  readonly event: GuardEvent;
  /**
   * `shared`: a shared incident stands for it, so that the tool has none of its own. `left`: that one has closed, so it is one of its own
   * again.
   */
  readonly is: 'own' | 'shared' | 'left';
  /** Of a shared incident: the most projects that it has stood for. */
  readonly peak?: number | undefined;
}

export interface IncidentChanges {
  /** The events for the tool, in order. */
  readonly events: readonly GuardEvent[];
  /** The incidents that are open afterwards, by key. A shared incident is among them. */
  readonly open: ReadonlyMap<string, OpenIncident>;
}

export interface Fleet {
  /** The number of projects; null: unknown, so that no shared incident opens or closes. */
  readonly projects: number | null;
  /** Providers whose integrations share no endpoint, so that their failures have nothing in common. */
  readonly except: readonly string[];
  /** The time of the release, ISO 8601. */
  readonly now: string;
  /** Whether an earlier release of some of the events failed or died, so that the tool may have them already. */
  readonly isRepeated: boolean;
}

/** In place of a project's name in shared incidents. No project can have this name. */
export const WHOLE_FLEET = '(fleet)';

/** The provider in events about all providers at once, or about passes that cannot run. */
const QONVERSION = 'Qonversion';

/** Failures that begin within this time may have one cause. */
const TOGETHER_MS = HOUR_MS;

/** The projects in which the same must fail: this many, or this share of a large fleet. */
const MIN_PROJECTS = 5;
const MIN_SHARE = 0.01;

/** The most projects that the reason names. */
const NAMED_PROJECTS = 5;

/** A shared incident closes when less than this share of its projects is left. */
const LEFT_SHARE = 0.2;

/**
 * @param open the incidents that were open before, by key
 * @param fresh the events of a run, in order; those without an effect on an incident are ignored
 */
export function shareIncidents(
  open: ReadonlyMap<string, OpenIncident>,
  fresh: readonly GuardEvent[],
  fleet: Fleet,
): IncidentChanges {
  const next = new Map(open);
  const events: GuardEvent[] = [];
  const opened = applyEvents(next, fresh, events, fleet);
  const subjects = new Set([...next.values()].map(({ event }) => subjectOf(event, fleet)));
  for (const subject of subjects) if (subject !== null) shareSubject(next, opened, events, subject, fleet);
  // The others are incidents of their own.
  for (const key of opened) {
    const incident = next.get(key);
    if (incident !== undefined) events.push(incident.event);
  }
  return { events, open: next };
}

/** Applies the events to `next`. Returns the keys of incidents that are new to the tool. */
function applyEvents(
  next: Map<string, OpenIncident>,
  fresh: readonly GuardEvent[],
  events: GuardEvent[],
  { isRepeated }: Fleet,
): Set<string> {
  const opened = new Set<string>();
  for (const event of fresh) {
    const { incident } = event;
    if (incident === undefined || incident === null) continue;
    const { key } = incident;
    const known = next.get(key);
    if (incident.action === 'trigger') {
      const isWorse = known === undefined || bySeverity(event, known.event) < 0;
      if (isWorse) next.set(key, { event, is: known?.is ?? 'own' });
      if (known === undefined) opened.add(key);
      else if (isWorse && known.is !== 'shared' && !opened.has(key)) events.push(event);
    } else {
      next.delete(key);
      opened.delete(key);
      // A tool ignores the end of an incident that it does not know. One that opened before a change of the settings is not known here.
      if (known?.is !== 'shared' || isRepeated) events.push(event);
    }
  }
  return opened;
}

/** Opens the shared incident of a provider, lets new incidents join it, or closes it. */
function shareSubject(
  next: Map<string, OpenIncident>,
  opened: Set<string>,
  events: GuardEvent[],
  subject: string,
  fleet: Fleet,
): void {
  const all = [...next].filter(([, { event }]) => event.project !== WHOLE_FLEET && subjectOf(event, fleet) === subject);
  // The newest first. A release that died while it replaced one leaves two.
  const [shared, ...superseded] = [...next]
    .filter(([, { event }]) => event.project === WHOLE_FLEET && event.provider === subject)
    .sort(([, left], [, right]) => right.event.episode.localeCompare(left.event.episode));
  const least = fleet.projects === null ? null : Math.max(MIN_PROJECTS, Math.ceil(fleet.projects * MIN_SHARE));
  const share = (keys: readonly Keyed[]) => {
    for (const [key, { event }] of keys) {
      next.set(key, { event, is: 'shared' });
      // The tool has it already.
      if (!opened.delete(key) || fleet.isRepeated) events.push(changeOf(event, 'incident.closed', subject, fleet));
    }
  };
  const open = (members: readonly Keyed[], also: readonly Keyed[]) => {
    const event = outageOf(subject, [...members, ...also], also, fleet);
    next.set(event.incident.key, { event, is: 'own', peak: countProjects([...members, ...also]) });
    events.push(event);
    share(also);
  };
  const close = ([key, { event }]: Keyed, left: number) => {
    next.delete(key);
    events.push(endOf(event, left, fleet));
  };

  for (const each of superseded) close(each, 0);
  const together = all.filter(
    ([key, { event, is }]) =>
      is !== 'shared' && (opened.has(key) || (is !== 'left' && ageOf(event, fleet) <= TOGETHER_MS)),
  );
  if (shared === undefined) {
    if (least !== null && countProjects(together) >= least) open([], together);
    return;
  }
  const before = all.filter(([, { is }]) => is === 'shared');
  const wave = countProjects(together);
  if (least !== null && ageOf(shared[1].event, fleet) > TOGETHER_MS && wave >= Math.max(least, countProjects(before))) {
    // People may have stopped looking at the old one, so the next outage is an incident of its own.
    close(shared, 0);
    open(before, fleet.isRepeated ? all.filter(([, { is }]) => is !== 'shared') : together);
    return;
  }
  // The tool may not have it yet or no longer, and may have opened or closed any of the others.
  if (fleet.isRepeated) events.push(shared[1].event);
  share(fleet.isRepeated ? all : together);
  if (least === null) return;
  const members = all.filter(([key]) => next.get(key)?.is === 'shared');
  const [sharedKey, { event, peak = 0 }] = shared;
  const count = countProjects(members);
  if (count >= Math.max(least, peak * LEFT_SHARE)) {
    if (count > peak) next.set(sharedKey, { event, is: 'own', peak: count });
    return;
  }
  close(shared, members.length);
  for (const [key, member] of members) {
    next.set(key, { event: member.event, is: 'left' });
    events.push(changeOf(member.event, 'incident.opened', subject, fleet));
  }
}

type Keyed = readonly [key: string, incident: OpenIncident];

function ageOf({ time }: GuardEvent, { now }: Fleet): number {
  return Date.parse(now) - Date.parse(time);
}

/** The provider whose failures an event may share with those of other projects; null: it concerns its project alone. */
function subjectOf({ type, record, provider, project }: GuardEvent, { except }: Fleet): string | null {
  if (project === WHOLE_FLEET) return provider;
  if (type === 'guard.failing' || type === 'guard.common-cause') return QONVERSION;
  const name = record?.integration ?? provider;
  return name === null || except.includes(name) ? null : name;
}

function countProjects(incidents: readonly Keyed[]): number {
  return new Set(incidents.map(([, { event }]) => event.project)).size;
}

type SharedEvent = GuardEvent & { readonly incident: Incident };

function outageOf(
  provider: string,
  members: readonly Keyed[],
  began: readonly Keyed[],
  { projects, now }: Fleet,
): SharedEvent {
  const count = countProjects(members);
  const total = projects === null || projects < count ? '' : ` of ${projects.toLocaleString('en-US')}`;
  const names = [...new Set(members.map(([, { event }]) => event.project))].sort((left, right) =>
    left.localeCompare(right, 'en', { numeric: true }),
  );
  const named = names.slice(0, NAMED_PROJECTS).join(', ');
  const more = count > NAMED_PROJECTS ? ` and ${(count - NAMED_PROJECTS).toLocaleString('en-US')} more` : '';
  const reason = `${provider} fails in ${count.toLocaleString('en-US')}${total} projects of the fleet at once: ${named}${more}`;
  // If this release fails and is repeated, the incident has the same key.
  const episode = began.map(([, { event }]) => event.time).reduce((first, time) => (time < first ? time : first), now);
  const event = makeEvent({ type: 'fleet.down', project: WHOLE_FLEET, time: now, episode, reason, provider });
  const key = `${WHOLE_FLEET}/provider:${event.provider}/${episode}`;
  const isCritical = members.some(([, { event }]) => (event.incident?.severity ?? event.severity) === 'critical');
  const severity = isCritical ? 'critical' : 'warning';
  return { ...event, severity, incident: { key, action: 'trigger', severity } };
}

function endOf(outage: GuardEvent, left: number, { now }: Fleet): GuardEvent {
  const { provider, episode } = outage;
  const reason =
    left === 0
      ? 'it no longer fails in any of these projects'
      : `it still fails in few of these projects; ${left === 1 ? 'one incident is' : `${left} incidents are`} open for them`;
  const event = makeEvent({ type: 'fleet.recovered', project: WHOLE_FLEET, time: now, episode, reason, provider });
  const { severity } = event;
  return { ...event, incident: outage.incident ? { ...outage.incident, action: 'resolve', severity } : null };
}

/** The end or the beginning of a project's own incident, because a shared one stands for it, or no longer does. */
function changeOf(
  of: GuardEvent,
  type: 'incident.opened' | 'incident.closed',
  provider: string,
  { now }: Fleet,
): GuardEvent {
  const { project, episode, record, incident } = of;
  const opens = type === 'incident.opened';
  const reason = opens
    ? `${provider} works again in most projects, but not in this one: ${of.reason}`
    : `${provider} fails in many projects, which have one incident in common`;
  const ordinal = `shared ${now}`;
  const event = makeEvent({
    type,
    project,
    time: now,
    episode,
    ordinal,
    reason,
    ...(record === null ? {} : { record }),
    provider: of.provider,
  });
  const severity = opens ? (incident?.severity ?? of.severity) : event.severity;
  return {
    ...event,
    severity,
    incident: incident ? { ...incident, action: opens ? 'trigger' : 'resolve', severity } : null,
  };
}
