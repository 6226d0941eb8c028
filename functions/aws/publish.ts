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
import { boundEvent, type GuardEvent } from '../guard/model/event.ts';
import type { Audience, Clock, Log } from '../guard/ports.ts';
import { toChatNotification } from '../messages/chat.ts';
import { eventAttributes, toCloudEvent } from '../messages/cloud-event.ts';
import { digestAttributes, toDigest } from '../messages/digest.ts';
import { incidentFor, toIncidentMessage } from '../messages/incident.ts';
import { type MessageContext, projectsOf } from '../messages/wording.ts';
import { accountOf, regionOf, stackUrl } from './console.ts';
import type { ChatTopic, IncidentTool } from './environment.ts';
import type { IncidentMessage } from './incident-queue.ts';
import type { OpenIncidents } from './open-incidents.ts';

/** Publishes alerts: to SNS, and to the queues of incident tools. */

/** SNS accepts 10 messages and 262,144 bytes in one batch, including attributes and subjects. */
const BATCH_ENTRIES = 10;
const BATCH_BYTES = 200 * 1_024;
/** Limit of the email about a single event. */
const EVENT_MAIL_BYTES = 16 * 1_024;
const BATCHES_AT_ONCE = 4;
const TRIES = 3;

/** Everything that messages need. */
export interface PublishOptions {
  readonly client: SNSClient;
  readonly topicArn: string;
  readonly log: Log;
  readonly clock: Clock;
  /** For the commands in messages. */
  readonly stack: MessageContext['stack'];
  readonly runbook: MessageContext['runbook'];
  /** The address of a project's panel, or with null of the one for several projects; null without a panel. */
  readonly panelOf: (project: string | null) => MessageContext['panel'];
  /** Sends messages to the queue of a tool, and returns the IDs of those that it accepted. */
  readonly sendIncidents: (tool: IncidentTool, messages: readonly IncidentMessage[]) => Accepted;
  /** The incidents of the fleet that are open at the tools. */
  readonly openIncidents: OpenIncidents;
  /** Providers whose integrations share no endpoint. */
  readonly unrelatedProviders: readonly string[];
  /** The wait before the first retry of refused entries. */
  readonly firstWaitMs?: number;
}

/** The IDs of the events that were accepted. */
export type Accepted = Promise<ReadonlySet<string>>;

/** A run over the fleet whose events are sent. */
export interface Run {
  readonly projectsInFleet: number | undefined;
  readonly isRepeated: boolean;
}

export function idsOf(events: readonly GuardEvent[]): ReadonlySet<string> {
  return new Set(events.map(({ id }) => id));
}

export async function publishEvents(
  options: PublishOptions,
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
  options: PublishOptions,
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
export function publishDigest(
  options: PublishOptions,
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
export function publishChat(
  options: PublishOptions,
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
export function publishIncidents(options: PublishOptions, tool: IncidentTool, events: readonly GuardEvent[]): Accepted {
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
export async function publishShared(
  options: PublishOptions,
  tool: IncidentTool,
  audience: Audience,
  events: readonly GuardEvent[],
  { projectsInFleet, isRepeated }: Run,
): Accepted {
  const { clock, openIncidents, unrelatedProviders: except } = options;
  const now = clock.now().toISOString();
  const fleet = { projects: projectsInFleet ?? null, except, now, isRepeated };
  const isAccepted = await openIncidents.forward(audience, events, fleet, async (changes) => {
    const wanted = changes.filter((event) => incidentFor(event, tool.minSeverity) !== null);
    const sent = await publishIncidents(options, tool, wanted);
    return wanted.every(({ id }) => sent.has(id));
  });
  return isAccepted ? idsOf(events) : new Set();
}

/** Returns the IDs of all events, or of none. */
async function publish(
  { client, log }: PublishOptions,
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

export function contextOf(
  { stack, runbook, panelOf, topicArn }: PublishOptions,
  events: readonly GuardEvent[],
  projectsInFleet?: number,
): MessageContext {
  const [first = null, ...others] = projectsOf(events);
  const project = others.length === 0 ? first : null;
  const place = `account ${accountOf(topicArn)}, ${regionOf(topicArn)}`;
  return { project, place, stack, runbook, panel: panelOf(project), projectsInFleet };
}

/** Each protocol gets its own body: CloudEvents JSON for machines (the default), text for people. */
function toEntry(event: GuardEvent, options: PublishOptions): PublishBatchRequestEntry {
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
