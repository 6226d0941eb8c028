import { describeError } from '../guard/errors.ts';
import { boundEvent, type GuardEvent, severitiesFrom } from '../guard/model/event.ts';
import { type AlertSink, type Audience, MACHINES } from '../guard/ports.ts';
import { type PeopleGroup, RUN } from '../guard/settings/people.ts';
import { isQuietAt, nameOfQuietHours, type QuietHours } from '../guard/settings/quiet-hours.ts';
import { MINUTE_MS } from '../guard/text/time.ts';
import { incidentFor } from '../messages/incident.ts';
import { audiencesOf, chatAudience, incidentAudience, peopleAudience } from './audiences.ts';
import type { ChatTopic, IncidentTool } from './environment.ts';
import {
  type Accepted,
  contextOf,
  idsOf,
  type PublishOptions,
  publishChat,
  publishDigest,
  publishEvents,
  publishIncidents,
  publishShared,
  type Run,
} from './publish.ts';
import type { Spool } from './spool.ts';

export interface SnsAlertSinkOptions extends PublishOptions {
  readonly people: readonly PeopleGroup[];
  readonly chatTopics: readonly ChatTopic[];
  readonly incidentTools: readonly IncidentTool[];
  /** Whether the project is one of the fleet, whose alerts are sent together at the end of a run. */
  readonly isOfFleet: (project: string) => boolean;
  /** Keeps alerts that are sent later. */
  readonly spool: Spool;
}

/**
 * Publishes alerts to SNS. On the alerts topic, machines get one CloudEvents message per event and people get one digest per call.
 * Each chat channel has its own topic, and each incident tool its own queue. No audience waits for another. Alerts of a fleet, and
 * those that come in quiet hours, wait in the spool: the audience has accepted them, and `releaseAlerts` sends them.
 */
export function createSnsAlertSink(options: SnsAlertSinkOptions): AlertSink {
  const receivers = new Map(receiversOf(options).map((receiver) => [receiver.audience, receiver]));
  return {
    audiences: audiencesOf(options),
    async publish(project, events, audience): Promise<ReadonlySet<string>> {
      if (events.length === 0) return new Set();
      if (audience === MACHINES) return publishEvents(options, events);
      const receiver = receivers.get(audience);
      // Without a receiver, the audience was removed from the settings: nothing is left to deliver.
      if (receiver === undefined || receiver.projects?.includes(project) === false) return idsOf(events);
      const [later, now] = split(events.filter(receiver.wants).map(boundEvent), (event) =>
        releaseOf(receiver, event, options),
      );
      const accepted = new Set(idsOf(events.filter((event) => !receiver.wants(event))));
      for (const [release, waiting] of later)
        if (await spooled(options, release, audience, waiting)) for (const { id } of waiting) accepted.add(id);
      if (now.length > 0) for (const id of await receiver.send(now)) accepted.add(id);
      return accepted;
    },
  };
}

/** The release that an alert waits for; null: it is sent at once. Quiet hours never delay a critical alert. */
function releaseOf(
  { quietHours, projects }: Receiver,
  { severity, project }: GuardEvent,
  { clock, isOfFleet }: SnsAlertSinkOptions,
): string | null {
  if (quietHours !== null && severity !== 'critical' && isQuietAt(quietHours, clock.now()))
    return nameOfQuietHours(quietHours);
  // People who name projects want a message about each.
  return projects === null && isOfFleet(project) ? RUN : null;
}

function split(
  events: readonly GuardEvent[],
  releaseFor: (event: GuardEvent) => string | null,
): readonly [later: ReadonlyMap<string, readonly GuardEvent[]>, now: readonly GuardEvent[]] {
  const groups = Map.groupBy(events, releaseFor);
  const later = [...groups].flatMap(([release, waiting]) => (release === null ? [] : [[release, waiting] as const]));
  return [new Map(later), groups.get(null) ?? []];
}

async function spooled(
  { spool, log }: SnsAlertSinkOptions,
  release: string,
  audience: Audience,
  events: readonly GuardEvent[],
): Promise<boolean> {
  try {
    await spool.add(release, audience, events);
    return true;
  } catch (error) {
    log.error('alerts for later were not stored', { release, audience, problem: describeError(error) });
    return false;
  }
}

export interface ReleaseOptions {
  /** How many projects the run had; left out: unknown. */
  readonly projectsInFleet?: number | undefined;
  /** Only alerts that are at least so old; left out: all. */
  readonly olderThanMinutes?: number | undefined;
}

/**
 * Sends the alerts that wait for a release: one digest for each audience. While quiet hours last, their release sends nothing.
 * @returns how many alerts were not accepted; they wait for the next release
 */
export async function releaseAlerts(
  options: SnsAlertSinkOptions,
  release: string,
  { projectsInFleet, olderThanMinutes }: ReleaseOptions = {},
): Promise<number> {
  const now = options.clock.now();
  // A run also releases to those who name projects: something may wait from before they did.
  const receivers = receiversOf(options).filter(
    ({ quietHours }) =>
      release === RUN ||
      (quietHours !== null && nameOfQuietHours(quietHours) === release && !isQuietAt(quietHours, now)),
  );
  const until =
    olderThanMinutes === undefined ? null : new Date(now.getTime() - olderThanMinutes * MINUTE_MS).toISOString();
  let left = 0;
  // One after the other, because each may have thousands of alerts. One that fails does not stop the others.
  for (const { audience, projects, send, sendRun } of receivers) {
    try {
      left += await options.spool.release(
        release,
        audience,
        async (events, isRepeated) => {
          if (sendRun !== undefined) return sendRun(events, { projectsInFleet, isRepeated });
          const accepted = new Set<string>();
          // Their filters select single projects.
          const messages = projects === null ? [events] : Map.groupBy(events, ({ project }) => project).values();
          for (const message of messages) for (const id of await send(message, projectsInFleet)) accepted.add(id);
          return accepted;
        },
        until,
      );
    } catch (error) {
      left += 1;
      options.log.error('alerts were not released', { release, audience, problem: describeError(error) });
    }
  }
  return left;
}

/** An audience other than machines. */
interface Receiver {
  readonly audience: Audience;
  readonly projects: readonly string[] | null;
  readonly quietHours: QuietHours | null;
  readonly wants: (event: GuardEvent) => boolean;
  /** Returns the IDs of the events that were accepted. */
  readonly send: (events: readonly GuardEvent[], projectsInFleet?: number) => Accepted;
  /** The same for the events of a run over the fleet, if they are sent in another way. */
  readonly sendRun?: (events: readonly GuardEvent[], run: Run) => Accepted;
}

function receiversOf(options: SnsAlertSinkOptions): readonly Receiver[] {
  const ofPeople = options.people.map(
    (group): Receiver => ({
      audience: peopleAudience(group),
      projects: group.projects,
      quietHours: group.quietHours,
      wants: (event) => group.only === null || isReminder(event),
      send: (events, total) => publishDigest(options, group.kind, events, contextOf(options, events, total)),
    }),
  );
  const ofChats = options.chatTopics.map((chat): Receiver => {
    const severities = severitiesFrom(chat.minSeverity);
    return {
      audience: chatAudience(chat),
      projects: chat.projects,
      quietHours: chat.quietHours ?? null,
      wants: (event) => severities.includes(event.severity) && (chat.only === undefined || isReminder(event)),
      send: (events, total) => publishChat(options, chat, events, contextOf(options, events, total)),
    };
  });
  const ofTools = options.incidentTools.map((tool): Receiver => {
    const audience = incidentAudience(tool);
    return {
      audience,
      projects: tool.projects,
      quietHours: null,
      wants: (event) => incidentFor(event, tool.minSeverity) !== null,
      send: (events) => publishIncidents(options, tool, events),
      sendRun: (events, run) => publishShared(options, tool, audience, events, run),
    };
  });
  return [...ofPeople, ...ofChats, ...ofTools];
}

/** Whether the event belongs to the daily summary. */
function isReminder({ type }: GuardEvent): boolean {
  return type === 'integration.still-down';
}
