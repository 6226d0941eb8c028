import { BatchWriteCommand, type BatchWriteCommandInput, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import pMap from 'p-map';
import pRetry from 'p-retry';
import { GuardError } from '../guard/errors.ts';

/** DynamoDB accepts 25 items in one BatchWriteItem. */
const BATCH_ITEMS = 25;
const BATCHES_AT_ONCE = 4;
const BATCH_TRIES = 5;

export type WriteRequests = NonNullable<BatchWriteCommandInput['RequestItems']>[string];

/** Puts or deletes any number of different items, without a condition. */
export async function writeItems(
  documents: DynamoDBDocumentClient,
  tableName: string,
  requests: WriteRequests,
): Promise<void> {
  const batches = Array.from({ length: Math.ceil(requests.length / BATCH_ITEMS) }, (_, index) =>
    requests.slice(index * BATCH_ITEMS, (index + 1) * BATCH_ITEMS),
  );
  await pMap(batches, (batch) => writeBatch(documents, tableName, batch), { concurrency: BATCHES_AT_ONCE });
}

/** Items that DynamoDB throttled are sent again. */
async function writeBatch(documents: DynamoDBDocumentClient, tableName: string, batch: WriteRequests): Promise<void> {
  let left = batch;
  await pRetry(
    async () => {
      const answer = await documents.send(new BatchWriteCommand({ RequestItems: { [tableName]: left } }));
      left = answer.UnprocessedItems?.[tableName] ?? [];
      if (left.length > 0) throw new UnprocessedError(`${left.length} of ${batch.length} items were not processed`);
    },
    {
      retries: BATCH_TRIES - 1,
      minTimeout: 100,
      randomize: true,
      // The SDK has already retried the request itself.
      shouldRetry: ({ error }) => error instanceof UnprocessedError,
    },
  );
}

class UnprocessedError extends GuardError {
  override readonly name = 'UnprocessedError';
}
