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
  /** The number of projects; null: unknown. */
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
    } else if (known !== undefined) {
      next.delete(key);
      opened.delete(key);
      if (known.is !== 'shared' || isRepeated) events.push(event);
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
  const shared = [...next].find(([, { event }]) => event.project === WHOLE_FLEET && event.provider === subject);
  const least = Math.max(MIN_PROJECTS, Math.ceil((fleet.projects ?? 0) * MIN_SHARE));
  const share = (keys: readonly (readonly [string, OpenIncident])[]) => {
    for (const [key, { event }] of keys) {
      next.set(key, { event, is: 'shared' });
      // The tool has it already.
      if (!opened.delete(key) || fleet.isRepeated) events.push(changeOf(event, 'incident.closed', subject, fleet));
    }
  };

  const together = all.filter(
    ([key, { event, is }]) =>
      opened.has(key) || (is !== 'left' && Date.parse(fleet.now) - Date.parse(event.time) <= TOGETHER_MS),
  );
  if (shared === undefined) {
    const count = countProjects(together);
    if (count < least) return;
    const event = outageOf(subject, together, fleet);
    next.set(event.incident.key, { event, is: 'own', peak: count });
    events.push(event);
    share(together);
    return;
  }
  // The tool may not have it yet or no longer, and may have opened or closed any of the others.
  if (fleet.isRepeated) events.push(shared[1].event);
  share(fleet.isRepeated ? all : together.filter(([, { is }]) => is !== 'shared'));
  const members = all.filter(([key]) => next.get(key)?.is === 'shared');
  const [sharedKey, { event, peak = 0 }] = shared;
  const count = countProjects(members);
  if (count >= Math.max(least / 2, peak * LEFT_SHARE)) {
    if (count > peak) next.set(sharedKey, { event, is: 'own', peak: count });
    return;
  }
  next.delete(sharedKey);
  events.push(endOf(event, members.length, fleet));
  for (const [key, member] of members) {
    next.set(key, { event: member.event, is: 'left' });
    events.push(changeOf(member.event, 'incident.opened', subject, fleet));
  }
}

/** The provider whose failures an event may share with those of other projects; null: it concerns its project alone. */
function subjectOf({ type, record, provider, project }: GuardEvent, { except }: Fleet): string | null {
  if (project === WHOLE_FLEET) return provider;
  if (type === 'guard.failing' || type === 'guard.common-cause') return QONVERSION;
  const name = record?.integration ?? provider;
  return name === null || except.includes(name) ? null : name;
}

function countProjects(incidents: readonly (readonly [string, OpenIncident])[]): number {
  return new Set(incidents.map(([, { event }]) => event.project)).size;
}

type SharedEvent = GuardEvent & { readonly incident: Incident };

function outageOf(
  provider: string,
  members: readonly (readonly [string, OpenIncident])[],
  { projects, now }: Fleet,
): SharedEvent {
  const count = countProjects(members);
  const total = projects === null || projects < count ? '' : ` of ${projects.toLocaleString('en-US')}`;
  const reason = `${provider} fails in ${count.toLocaleString('en-US')}${total} projects of the fleet at once`;
  // If this release fails and is repeated, the incident has the same key.
  const episode = members
    .map(([, { event }]) => event.time)
    .reduce((first, time) => (time < first ? time : first), now);
  const event = makeEvent({ type: 'fleet.down', project: WHOLE_FLEET, time: now, episode, reason, provider });
  const key = `${WHOLE_FLEET}/provider:${event.provider}/${episode}`;
  return { ...event, incident: { key, action: 'trigger', severity: event.severity } };
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
  const severity = opens ? of.severity : event.severity;
  return {
    ...event,
    severity,
    incident: incident ? { ...incident, action: opens ? 'trigger' : 'resolve', severity } : null,
  };
}
