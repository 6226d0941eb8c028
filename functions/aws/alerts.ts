import {
  PublishBatchCommand,
  type PublishBatchRequestEntry,
  PublishCommand,
  type PublishCommandInput,
  type SNSClient,
} from '@aws-sdk/client-sns';
import pMap from 'p-map';
import pRetry from 'p-retry';
import { describeError, GuardError } from '../guard/errors.ts';
import { limitLog } from '../guard/limit-log.ts';
import { boundEvent, type GuardEvent, severitiesFrom } from '../guard/model/event.ts';
import { type AlertSink, type Audience, type Clock, type Log, MACHINES } from '../guard/ports.ts';
import { type PeopleGroup, RUN } from '../guard/settings/people.ts';
import { isQuietAt, nameOfQuietHours, type QuietHours } from '../guard/settings/quiet-hours.ts';
import { toChatNotification } from '../messages/chat.ts';
import { eventAttributes, toCloudEvent } from '../messages/cloud-event.ts';
import { digestAttributes, toDigest } from '../messages/digest.ts';
import { incidentFor, toIncidentMessage } from '../messages/incident.ts';
import { type MessageContext, projectsOf } from '../messages/wording.ts';
import { audiencesOf, chatAudience, incidentAudience, peopleAudience } from './audiences.ts';
import { accountOf, regionOf, stackUrl } from './console.ts';
import type { ChatTopic, IncidentTool } from './environment.ts';
import type { IncidentMessage } from './incident-queue.ts';
import type { OpenIncidents } from './open-incidents.ts';
import type { Spool } from './spool.ts';

export interface SnsAlertSinkOptions {
  readonly client: SNSClient;
  readonly topicArn: string;
  readonly log: Log;
  readonly clock: Clock;
  /** For the commands in messages. */
  readonly stack: MessageContext['stack'];
  readonly runbook: MessageContext['runbook'];
  /** The address of a project's panel, or with null of the one for several projects; null without a panel. */
  readonly panelOf: (project: string | null) => MessageContext['panel'];
  readonly people: readonly PeopleGroup[];
  readonly chatTopics: readonly ChatTopic[];
  readonly incidentTools: readonly IncidentTool[];
  /** Sends messages to the queue of a tool, and returns the IDs of those that it accepted. */
  readonly sendIncidents: (tool: IncidentTool, messages: readonly IncidentMessage[]) => Promise<ReadonlySet<string>>;
  /** Whether the project is one of the fleet, whose alerts are sent together at the end of a run. */
  readonly isOfFleet: (project: string) => boolean;
  /** Keeps alerts that are sent later. */
  readonly spool: Spool;
  /** The incidents of the fleet that are open at the tools. */
  readonly openIncidents: OpenIncidents;
  /** Providers whose integrations share no endpoint. */
  readonly unrelatedProviders: readonly string[];
  /** The wait before the first retry of refused entries. */
  readonly firstWaitMs?: number;
}

/** SNS accepts 10 messages and 262,144 bytes in one batch, including attributes and subjects. */
const BATCH_ENTRIES = 10;
const BATCH_BYTES = 200 * 1_024;
/** Limit of the email about a single event. */
const EVENT_MAIL_BYTES = 16 * 1_024;
const BATCHES_AT_ONCE = 4;
const TRIES = 3;

/**
 * Publishes alerts to SNS. On the alerts topic, machines get one CloudEvents message per event and people get one digest per call.
 * Each chat channel has its own topic, and each incident tool its own queue. No audience waits for another. Alerts of a fleet, and those that come in quiet hours, wait in
 * the spool: the audience has accepted them, and `releaseAlerts` sends them.
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

/**
 * Sends the alerts that wait for a release: one digest for each audience. While quiet hours last, their release sends nothing.
 * @param projectsInFleet how many projects the run had; left out: unknown
 * @returns how many alerts were not accepted; they wait for the next release
 */
export async function releaseAlerts(
  options: SnsAlertSinkOptions,
  release: string,
  projectsInFleet?: number,
): Promise<number> {
  const now = options.clock.now();
  const receivers = receiversOf(options).filter(({ projects, quietHours }) =>
    release === RUN
      ? projects === null
      : quietHours !== null && nameOfQuietHours(quietHours) === release && !isQuietAt(quietHours, now),
  );
  const left = await pMap(
    receivers,
    ({ audience, projects, send, sendRun }) =>
      options.spool.release(release, audience, async (events, isRepeated) => {
        if (sendRun !== undefined) return sendRun(events, { projectsInFleet, isRepeated });
        const accepted = new Set<string>();
        // Their filters select single projects.
        const messages = projects === null ? [events] : Map.groupBy(events, ({ project }) => project).values();
        for (const message of messages) for (const id of await send(message, projectsInFleet)) accepted.add(id);
        return accepted;
      }),
    { concurrency: BATCHES_AT_ONCE },
  );
  return left.reduce((sum, count) => sum + count, 0);
}

type Accepted = Promise<ReadonlySet<string>>;

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

interface Run {
  readonly projectsInFleet: number | undefined;
  readonly isRepeated: boolean;
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

function idsOf(events: readonly GuardEvent[]): ReadonlySet<string> {
  return new Set(events.map(({ id }) => id));
}

async function publishEvents(
  options: SnsAlertSinkOptions,
  events: readonly GuardEvent[],
): Promise<ReadonlySet<string>> {
  const batches = toBatches(events.map((event) => toEntry(boundEvent(event), options)));
  const { log, end } = limitLog(options.log);
  const accepted = await pMap(batches, (batch) => publishBatch({ ...options, log }, batch), {
    concurrency: BATCHES_AT_ONCE,
  });
  end();
  return new Set(accepted.flat());
}

/** Returns the IDs of the events that SNS accepted. It resends an entry unless SNS says that the sender is at fault. */
async function publishBatch(
  options: SnsAlertSinkOptions,
  batch: readonly PublishBatchRequestEntry[],
): Promise<readonly string[]> {
  const accepted: string[] = [];
  let pending = batch;
  try {
    await pRetry(
      async () => {
        const request = { TopicArn: options.topicArn, PublishBatchRequestEntries: [...pending] };
        const answer = await options.client.send(new PublishBatchCommand(request));
        accepted.push(...(answer.Successful ?? []).flatMap(({ Id }) => (Id === undefined ? [] : [Id])));
        const failed = answer.Failed ?? [];
        for (const { Id, Code, Message, SenderFault } of failed) {
          options.log.warn('SNS rejected an event', { id: Id, code: Code, message: Message, senderFault: SenderFault });
        }
        const again = new Set(failed.filter(({ SenderFault }) => SenderFault !== true).map(({ Id }) => Id));
        pending = pending.filter(({ Id }) => again.has(Id));
        if (pending.length > 0)
          throw new RefusedEntriesError(`SNS refused ${pending.length} of ${batch.length} events`);
      },
      {
        retries: TRIES - 1,
        minTimeout: options.firstWaitMs ?? 200,
        randomize: true,
        // The SDK has already retried the request itself.
        shouldRetry: ({ error }) => error instanceof RefusedEntriesError,
      },
    );
  } catch (error) {
    options.log.error('SNS did not accept all events', { problem: describeError(error), left: pending.length });
  }
  return accepted;
}

/** The default body is the email's, so that the message holds the text once. */
function publishDigest(
  options: SnsAlertSinkOptions,
  kind: string,
  events: readonly GuardEvent[],
  context: MessageContext,
): Accepted {
  const digest = toDigest(events, context);
  return publish(options, 'digest', events, {
    TopicArn: options.topicArn,
    Subject: digest.subject,
    MessageStructure: 'json',
    Message: JSON.stringify({ default: digest.text, sms: digest.sms }),
    MessageAttributes: stringAttributes(digestAttributes(kind, digest, context)),
  });
}

/** A chat service drops messages outside its schema. Each channel therefore has a topic that carries nothing else. */
function publishChat(
  options: SnsAlertSinkOptions,
  chat: ChatTopic,
  events: readonly GuardEvent[],
  context: MessageContext,
): Accepted {
  const notification = toChatNotification(events, context);
  return publish(options, 'chat notification', events, {
    TopicArn: chat.topicArn,
    Message: JSON.stringify(notification),
  });
}

/** One message for each event. */
function publishIncidents(options: SnsAlertSinkOptions, tool: IncidentTool, events: readonly GuardEvent[]): Accepted {
  const { stack, topicArn } = options;
  const messages = events.flatMap((event) => {
    const incident = incidentFor(event, tool.minSeverity);
    if (incident === null) return [];
    const context = { ...contextOf(options, [event]), console: stackUrl(regionOf(topicArn), stack) };
    return [{ key: incident.key, id: event.id, body: toIncidentMessage(tool.tool, event, context) }];
  });
  return options.sendIncidents(tool, messages);
}

/** A provider that fails in many projects of the fleet is one incident. The events of a run are accepted together. */
async function publishShared(
  options: SnsAlertSinkOptions,
  tool: IncidentTool,
  audience: Audience,
  events: readonly GuardEvent[],
  { projectsInFleet, isRepeated }: Run,
): Accepted {
  const { clock, openIncidents, unrelatedProviders: except } = options;
  const now = clock.now().toISOString();
  const fleet = { projects: projectsInFleet ?? null, except, now, isRepeated };
  const isAccepted = await openIncidents.forward(audience, events, fleet, async (changes) => {
    const sent = await publishIncidents(options, tool, changes);
    return changes.every(({ id }) => sent.has(id));
  });
  return isAccepted ? idsOf(events) : new Set();
}

/** Returns the IDs of all events, or of none. */
async function publish(
  { client, log }: SnsAlertSinkOptions,
  what: string,
  events: readonly GuardEvent[],
  input: PublishCommandInput,
): Accepted {
  try {
    await client.send(new PublishCommand(input));
    return idsOf(events);
  } catch (error) {
    log.error(`SNS did not accept the ${what}`, { topic: input.TopicArn, problem: describeError(error) });
    return new Set();
  }
}

function contextOf(
  { stack, runbook, panelOf, topicArn }: SnsAlertSinkOptions,
  events: readonly GuardEvent[],
  projectsInFleet?: number,
): MessageContext {
  const [first = null, ...others] = projectsOf(events);
  const project = others.length === 0 ? first : null;
  const place = `account ${accountOf(topicArn)}, ${regionOf(topicArn)}`;
  return { project, place, stack, runbook, panel: panelOf(project), projectsInFleet };
}

/** Each protocol gets its own body: CloudEvents JSON for machines (the default), text for people. */
function toEntry(event: GuardEvent, options: SnsAlertSinkOptions): PublishBatchRequestEntry {
  const digest = toDigest([event], contextOf(options, [event]), EVENT_MAIL_BYTES);
  return {
    Id: event.id,
    Subject: digest.subject,
    MessageStructure: 'json',
    Message: JSON.stringify({ default: JSON.stringify(toCloudEvent(event)), email: digest.text, sms: digest.sms }),
    MessageAttributes: stringAttributes(eventAttributes(event)),
  };
}

function toBatches(entries: readonly PublishBatchRequestEntry[]): readonly (readonly PublishBatchRequestEntry[])[] {
  const batches: PublishBatchRequestEntry[][] = [];
  let size = 0;
  for (const entry of entries) {
    // The JSON of an entry is at least as long as the bytes that SNS counts.
    const bytes = Buffer.byteLength(JSON.stringify(entry));
    const current = batches.at(-1);
    if (current === undefined || current.length === BATCH_ENTRIES || size + bytes > BATCH_BYTES) {
      batches.push([entry]);
      size = bytes;
    } else {
      current.push(entry);
      size += bytes;
    }
  }
  return batches;
}

function stringAttributes(attributes: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
  );
}

class RefusedEntriesError extends GuardError {
  override readonly name = 'RefusedEntriesError';
}
