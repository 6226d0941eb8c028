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
import { type AlertSink, type Log, MACHINES, PEOPLE } from '../guard/ports.ts';
import { toChatNotification } from '../messages/chat.ts';
import { eventAttributes, toCloudEvent } from '../messages/cloud-event.ts';
import { digestAttributes, toDigest } from '../messages/digest.ts';
import { incidentFor, toIncidentMessage } from '../messages/incident.ts';
import type { MessageContext } from '../messages/wording.ts';
import { audiencesOf, chatAudience, incidentAudience } from './audiences.ts';
import { accountOf, regionOf, stackUrl } from './console.ts';
import type { ChatTopic, IncidentTool } from './environment.ts';
import type { IncidentMessage } from './incident-queue.ts';

/** The incident tools, and the way to their queues. */
export interface Incidents {
  readonly tools: readonly IncidentTool[];
  /** Sends messages to the queue of a tool, and returns the IDs of those that it accepted. */
  readonly send: (tool: IncidentTool, messages: readonly IncidentMessage[]) => Promise<ReadonlySet<string>>;
}

export interface SnsAlertSinkOptions {
  readonly client: SNSClient;
  readonly topicArn: string;
  readonly log: Log;
  /** For the commands in messages. */
  readonly stack: MessageContext['stack'];
  readonly runbook: MessageContext['runbook'];
  /** The address of a project's panel; null without a panel. */
  readonly panelOf: (project: string) => MessageContext['panel'];
  readonly chatTopics: readonly ChatTopic[];
  /** @default no incident tools */
  readonly incidents?: Incidents;
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
 * Publishes alerts to SNS. On the alerts topic, machines get one CloudEvents message per event and people get one
 * digest per call. Each chat channel has its own topic, and each incident tool its own queue. No audience waits for another.
 */
export function createSnsAlertSink(options: SnsAlertSinkOptions): AlertSink {
  const chats = new Map(options.chatTopics.map((chat) => [chatAudience(chat), chat]));
  const { incidents } = options;
  const tools = new Map(incidents?.tools.map((tool) => [incidentAudience(tool), tool]));
  return {
    audiences: audiencesOf(options.chatTopics, incidents?.tools),
    async publish(project, events, audience): Promise<ReadonlySet<string>> {
      if (events.length === 0) return new Set();
      if (audience === MACHINES) return publishEvents(options, events);
      const bounded = events.map(boundEvent);
      const tool = tools.get(audience);
      if (incidents !== undefined && tool !== undefined)
        return publishIncidents(options, (messages) => incidents.send(tool, messages), tool, project, bounded);
      const chat = chats.get(audience);
      const accepted =
        audience === PEOPLE
          ? await publishDigest(options, project, bounded)
          : // The channel or tool was removed from the settings: nothing is left to deliver.
            chat === undefined || (await publishChat(options, chat, project, bounded));
      return new Set(accepted ? events.map(({ id }) => id) : []);
    },
  };
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
function publishDigest(options: SnsAlertSinkOptions, project: string, events: readonly GuardEvent[]): Promise<boolean> {
  const digest = toDigest(events, contextOf(options, project));
  return publish(options, 'digest', {
    TopicArn: options.topicArn,
    Subject: digest.subject,
    MessageStructure: 'json',
    Message: JSON.stringify({ default: digest.text, sms: digest.sms }),
    MessageAttributes: stringAttributes(digestAttributes(digest, project)),
  });
}

/** A chat service drops messages outside its schema. Each channel therefore has a topic that carries nothing else. */
async function publishChat(
  options: SnsAlertSinkOptions,
  chat: ChatTopic,
  project: string,
  events: readonly GuardEvent[],
): Promise<boolean> {
  const severities = severitiesFrom(chat.minSeverity);
  const wanted = events.filter(({ severity }) => severities.includes(severity));
  if (wanted.length === 0 || chat.projects?.includes(project) === false) return true;
  const notification = toChatNotification(wanted, contextOf(options, project));
  return publish(options, 'chat notification', {
    TopicArn: chat.topicArn,
    Message: JSON.stringify(notification),
  });
}

/** A tool gets only the events that open or close its incidents. It accepts the others. */
async function publishIncidents(
  options: SnsAlertSinkOptions,
  send: (messages: readonly IncidentMessage[]) => Promise<ReadonlySet<string>>,
  tool: IncidentTool,
  project: string,
  events: readonly GuardEvent[],
): Promise<ReadonlySet<string>> {
  const { stack, topicArn } = options;
  const context = { ...contextOf(options, project), console: stackUrl(regionOf(topicArn), stack) };
  const messages = events.flatMap((event) => {
    const incident = tool.projects?.includes(project) === false ? null : incidentFor(event, tool.minSeverity);
    if (incident === null) return [];
    return [{ key: incident.key, id: event.id, body: toIncidentMessage(tool.tool, event, context) }];
  });
  const sent = messages.length === 0 ? new Set<string>() : await send(messages);
  const refused = new Set(messages.filter(({ id }) => !sent.has(id)).map(({ id }) => id));
  return new Set(events.map(({ id }) => id).filter((id) => !refused.has(id)));
}

async function publish(
  { client, log }: SnsAlertSinkOptions,
  what: string,
  input: PublishCommandInput,
): Promise<boolean> {
  try {
    await client.send(new PublishCommand(input));
    return true;
  } catch (error) {
    log.error(`SNS did not accept the ${what}`, { topic: input.TopicArn, problem: describeError(error) });
    return false;
  }
}

function contextOf({ stack, runbook, panelOf, topicArn }: SnsAlertSinkOptions, project: string): MessageContext {
  const place = `account ${accountOf(topicArn)}, ${regionOf(topicArn)}`;
  return { project, place, stack, runbook, panel: panelOf(project) };
}

/** Each protocol gets its own body: CloudEvents JSON for machines (the default), text for people. */
function toEntry(event: GuardEvent, options: SnsAlertSinkOptions): PublishBatchRequestEntry {
  const digest = toDigest([event], contextOf(options, event.project), EVENT_MAIL_BYTES);
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
