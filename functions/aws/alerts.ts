import {
  PublishBatchCommand,
  type PublishBatchRequestEntry,
  PublishCommand,
  type SNSClient,
} from '@aws-sdk/client-sns';
import pMap from 'p-map';
import pRetry from 'p-retry';
import { GuardError, describeError } from '../guard/errors.ts';
import { type GuardEvent, severitiesFrom } from '../guard/model/event.ts';
import type { AlertSink, Log } from '../guard/ports.ts';
import { toChatNotification } from '../messages/chat.ts';
import { type DigestContext, digestAttributes, eventAttributes, toCloudEvent, toDigest } from '../messages/digest.ts';
import type { ChatTopic } from './environment.ts';

export interface SnsAlertSinkOptions {
  readonly client: SNSClient;
  readonly topicArn: string;
  readonly log: Log;
  /** For the commands in mails. */
  readonly stack: DigestContext['stack'];
  readonly runbook: DigestContext['runbook'];
  /** Where the panel of a project is; null when there is none. */
  readonly panelOf: (project: string) => DigestContext['panel'];
  readonly chatTopics: readonly ChatTopic[];
  /** The wait before the first retry of refused entries. */
  readonly firstWaitMs?: number;
}

/** SNS takes ten messages and 256 KiB in one batch; what is left of the size is for attributes and ids. */
const BATCH_ENTRIES = 10;
const BATCH_BYTES = 200 * 1024;
const BATCHES_AT_ONCE = 4;
const TRIES = 3;

/** Alerts through one SNS topic: a message per event for machines, one digest for people. */
export function createSnsAlertSink(options: SnsAlertSinkOptions): AlertSink {
  return {
    async publish(project, events, audience = 'everybody'): Promise<ReadonlySet<string>> {
      const accepted = new Set<string>();
      const batches = toBatches(events.map((event) => toEntry(event, options)));
      const taken = await pMap(batches, (batch) => publishBatch(options, batch), { concurrency: BATCHES_AT_ONCE });
      for (const id of taken.flat()) accepted.add(id);
      if (audience === 'machines' || accepted.size === 0) return accepted;
      const forPeople = events.filter(({ id }) => accepted.has(id));
      const told = await Promise.all([
        publishDigest(options, project, forPeople),
        ...options.chatTopics.map((chat) => publishChat(options, chat, project, forPeople)),
      ]);
      return told.every(Boolean) ? accepted : new Set();
    },
  };
}

/** Returns the ids that SNS accepted; what it refuses through no fault of ours is sent again. */
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
          options.log.warn('SNS refused an event', { id: Id, code: Code, message: Message, senderFault: SenderFault });
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
        // The SDK has retried the request itself by now.
        shouldRetry: ({ error }) => error instanceof RefusedEntriesError,
      },
    );
  } catch (error) {
    options.log.error('events not accepted by SNS', { problem: describeError(error), left: pending.length });
  }
  return accepted;
}

async function publishDigest(
  options: SnsAlertSinkOptions,
  project: string,
  events: readonly GuardEvent[],
): Promise<boolean> {
  const digest = toDigest(events, contextOf(options, project));
  const command = new PublishCommand({
    TopicArn: options.topicArn,
    Subject: digest.subject,
    MessageStructure: 'json',
    Message: JSON.stringify({ default: digest.text, email: digest.text, sms: digest.sms }),
    MessageAttributes: stringAttributes(digestAttributes(digest, project)),
  });
  try {
    await options.client.send(command);
    return true;
  } catch (error) {
    options.log.error('digest not accepted by SNS', { problem: describeError(error) });
    return false;
  }
}

/** A chat service drops what is not in its schema, so a channel has a topic of its own and gets nothing else there. */
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
  try {
    await options.client.send(new PublishCommand({ TopicArn: chat.topicArn, Message: JSON.stringify(notification) }));
    return true;
  } catch (error) {
    options.log.error('chat notification not accepted by SNS', { problem: describeError(error) });
    return false;
  }
}

function contextOf({ stack, runbook, panelOf }: SnsAlertSinkOptions, project: string): DigestContext {
  return { project, stack, runbook, panel: panelOf(project) };
}

/** Each protocol gets its own body: machines (the default) CloudEvents JSON, people what a person reads. */
function toEntry(event: GuardEvent, options: SnsAlertSinkOptions): PublishBatchRequestEntry {
  const digest = toDigest([event], contextOf(options, event.project));
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
