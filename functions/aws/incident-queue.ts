import { SendMessageBatchCommand, type SendMessageBatchRequestEntry, type SQSClient } from '@aws-sdk/client-sqs';
import pRetry from 'p-retry';
import { describeError, GuardError } from '../guard/errors.ts';
import type { Log } from '../guard/ports.ts';
import type { IncidentTool } from './environment.ts';

/** One message for an incident tool. */
export interface IncidentMessage {
  /** The incident's key. The queue keeps the order of the messages of one key. */
  readonly key: string;
  /** The event's ID. The queue accepts a second message with it within five minutes, and does not deliver it. */
  readonly id: string;
  readonly body: string;
}

/** SQS accepts 10 messages in one batch. Ten messages of a few kilobytes are far below its limit in bytes. */
const BATCH_ENTRIES = 10;
const TRIES = 3;

/**
 * Sends messages to the FIFO queue of an incident tool. No message overtakes an earlier one of its incident: a batch has one
 * message of each incident, and after a message that the queue refused those behind it are not sent. Otherwise a `trigger`
 * that a later pass sends again could arrive after its `resolve`, and open an incident that no one closes.
 * @param firstWaitMs the wait before the first retry of refused messages
 * @returns the IDs of the messages that the queue accepted
 */
export async function sendIncidents(
  client: SQSClient,
  { queueUrl }: Pick<IncidentTool, 'queueUrl'>,
  messages: readonly IncidentMessage[],
  log: Log,
  firstWaitMs = 200,
): Promise<ReadonlySet<string>> {
  const accepted = new Set<string>();
  const stopped = new Set<string>();
  for (const batch of toBatches(messages)) {
    const due = batch.filter(({ key }) => !stopped.has(key));
    for (const id of await sendBatch(client, queueUrl, due, log, firstWaitMs)) accepted.add(id);
    for (const { key, id } of due) if (!accepted.has(id)) stopped.add(key);
  }
  return accepted;
}

/** Batches without two messages of one key, which keep the order of each key. */
function toBatches(messages: readonly IncidentMessage[]): readonly (readonly IncidentMessage[])[] {
  const batches: IncidentMessage[][] = [];
  const lastOf = new Map<string, number>();
  for (const message of messages) {
    const after = lastOf.get(message.key) ?? -1;
    const found = batches.findIndex((batch, index) => index > after && batch.length < BATCH_ENTRIES);
    const index = found < 0 ? batches.length : found;
    if (index === batches.length) batches.push([]);
    batches[index]?.push(message);
    lastOf.set(message.key, index);
  }
  return batches;
}

/** Returns the IDs of the messages that SQS accepted. It resends a message unless SQS says that the sender is at fault. */
async function sendBatch(
  client: SQSClient,
  QueueUrl: string,
  batch: readonly IncidentMessage[],
  log: Log,
  firstWaitMs: number,
): Promise<readonly string[]> {
  if (batch.length === 0) return [];
  const accepted: string[] = [];
  let pending = batch;
  try {
    await pRetry(
      async () => {
        const answer = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: pending.map(toEntry) }));
        accepted.push(...(answer.Successful ?? []).flatMap(({ Id }) => (Id === undefined ? [] : [Id])));
        const failed = answer.Failed ?? [];
        for (const { Id, Code, Message, SenderFault } of failed)
          log.warn('SQS rejected an incident', { id: Id, code: Code, message: Message, senderFault: SenderFault });
        const again = new Set(failed.filter(({ SenderFault }) => SenderFault !== true).map(({ Id }) => Id));
        pending = pending.filter(({ id }) => again.has(id));
        if (pending.length > 0)
          throw new RefusedMessagesError(`SQS refused ${pending.length} of ${batch.length} incidents`);
      },
      {
        retries: TRIES - 1,
        minTimeout: firstWaitMs,
        randomize: true,
        // The SDK has already retried the request itself.
        shouldRetry: ({ error }) => error instanceof RefusedMessagesError,
      },
    );
  } catch (error) {
    log.error('SQS did not accept all incidents', {
      queue: QueueUrl,
      problem: describeError(error),
      left: pending.length,
    });
  }
  return accepted;
}

function toEntry({ key, id, body }: IncidentMessage): SendMessageBatchRequestEntry {
  return { Id: id, MessageBody: body, MessageGroupId: key, MessageDeduplicationId: id };
}

class RefusedMessagesError extends GuardError {
  override readonly name = 'RefusedMessagesError';
}
