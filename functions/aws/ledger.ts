import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  DynamoDBDocumentClient,
  PutCommand,
  paginateQuery,
} from '@aws-sdk/lib-dynamodb';
import pMap from 'p-map';
import pRetry from 'p-retry';
import { GuardError, LedgerUnavailableError, LostRaceError, describeError } from '../guard/errors.ts';
import type { Entry, ProjectEntry } from '../guard/model/entry.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import { type Clock, HISTORY_DAYS, type Ledger, type LedgerItem, type LedgerView, type Versioned } from '../guard/ports.ts';

/**
 * The ledger as one DynamoDB table: partition key `project`, sort key `item` (`project` or `integration#ID`), number
 * `version`, map `entry`, and `expires_at` in epoch seconds, the table's TTL attribute. What has happened lies in partitions of
 * its own, `PROJECT#history`, with sort key `TIME#EVENT`.
 */
export function createDynamoLedger(client: DynamoDBClient, tableName: string, clock: Clock): Ledger {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const epochSeconds = () => Math.floor(clock.now().getTime() / 1_000);

  return {
    async read(project): Promise<LedgerView> {
      let projectEntry: Versioned<ProjectEntry> | null = null;
      const integrations = new Map<string, Versioned<Entry>>();
      const query = {
        TableName: tableName,
        KeyConditionExpression: '#project = :project',
        ExpressionAttributeNames: { '#project': 'project' },
        ExpressionAttributeValues: { ':project': project },
        // A pass that starts right after another must see what that one wrote.
        ConsistentRead: true,
      };
      try {
        for await (const page of paginateQuery({ client: documents }, query)) {
          for (const item of page.Items ?? []) {
            // TTL deletes within days, not at the second.
            if (typeof item.expires_at === 'number' && item.expires_at <= epochSeconds()) continue;
            if (item.item === PROJECT_ITEM) projectEntry = fromItem<ProjectEntry>(item);
            else integrations.set(String(item.item).slice(INTEGRATION_PREFIX.length), fromItem<Entry>(item));
          }
        }
      } catch (error) {
        throw new LedgerUnavailableError(`the ledger table ${tableName} cannot be read (${describeError(error)})`, {
          cause: error,
        });
      }
      return { project: projectEntry, integrations };
    },

    async write(project, item, expected, expiresAt): Promise<number> {
      const version = (expected ?? 0) + 1;
      const unseen = 'attribute_not_exists(#project) OR #expires_at <= :now';
      const unchanged = '#version = :expected';
      const command = new PutCommand({
        TableName: tableName,
        Item: {
          project,
          item: sortKey(item),
          version,
          entry: item.entry,
          ...(expiresAt === null ? {} : { expires_at: Math.ceil(Date.parse(expiresAt) / 1_000) }),
        },
        ...(expected === null
          ? {
              ConditionExpression: unseen,
              ExpressionAttributeNames: { '#project': 'project', '#expires_at': 'expires_at' },
              ExpressionAttributeValues: { ':now': epochSeconds() },
            }
          : {
              ConditionExpression: unchanged,
              ExpressionAttributeNames: { '#version': 'version' },
              ExpressionAttributeValues: { ':expected': expected },
            }),
      });
      try {
        await documents.send(command);
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) {
          throw new LostRaceError(`${sortKey(item)} was written by another pass`, { cause: error });
        }
        throw new LedgerUnavailableError(`the ledger table ${tableName} cannot be written (${describeError(error)})`, {
          cause: error,
        });
      }
      return version;
    },

    async appendHistory(project, events): Promise<void> {
      const put = (event: GuardEvent) => {
        const expires = Date.parse(event.time) + HISTORY_DAYS * DAY_MS;
        const Item = {
          project: historyKey(project),
          item: `${event.time}#${event.id}`,
          event,
          expires_at: Math.ceil(expires / 1_000),
        };
        return { PutRequest: { Item } };
      };
      // One request must not name the same item twice.
      const unique = [...new Map(events.map((event) => [`${event.time}#${event.id}`, put(event)])).values()];
      const batches = Array.from({ length: Math.ceil(unique.length / BATCH_ITEMS) }, (_, index) =>
        unique.slice(index * BATCH_ITEMS, (index + 1) * BATCH_ITEMS),
      );
      try {
        await pMap(batches, (batch) => putAll(documents, tableName, batch), { concurrency: BATCHES_AT_ONCE });
      } catch (error) {
        throw new LedgerUnavailableError(`the ledger table ${tableName} cannot be written (${describeError(error)})`, {
          cause: error,
        });
      }
    },

    async history(project, since): Promise<readonly GuardEvent[]> {
      const events: GuardEvent[] = [];
      const query = {
        TableName: tableName,
        KeyConditionExpression: '#project = :project AND #item >= :since',
        ExpressionAttributeNames: { '#project': 'project', '#item': 'item' },
        ExpressionAttributeValues: { ':project': historyKey(project), ':since': since },
      };
      try {
        for await (const page of paginateQuery({ client: documents }, query)) {
          for (const item of page.Items ?? []) {
            if (Number(item.expires_at) > epochSeconds()) events.push(item.event as GuardEvent);
          }
        }
      } catch (error) {
        throw new LedgerUnavailableError(`the ledger table ${tableName} cannot be read (${describeError(error)})`, {
          cause: error,
        });
      }
      return events;
    },
  };
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** DynamoDB takes 25 items in one BatchWriteItem. */
const BATCH_ITEMS = 25;
const BATCHES_AT_ONCE = 4;
const BATCH_TRIES = 5;

type PutRequests = NonNullable<BatchWriteCommandInput['RequestItems']>[string];

/** Puts a batch; what the table leaves unprocessed, being throttled, is put again. */
async function putAll(documents: DynamoDBDocumentClient, tableName: string, batch: PutRequests): Promise<void> {
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
      // The SDK has retried the request itself by now.
      shouldRetry: ({ error }) => error instanceof UnprocessedError,
    },
  );
}

class UnprocessedError extends GuardError {
  override readonly name = 'UnprocessedError';
}

/** A partition of its own: what has happened is of no interest to a pass and must not slow it. A project's name has no "#". */
function historyKey(project: string): string {
  return `${project}#history`;
}

const PROJECT_ITEM = 'project';
const INTEGRATION_PREFIX = 'integration#';

function sortKey(item: LedgerItem): string {
  return item.kind === 'project' ? PROJECT_ITEM : `${INTEGRATION_PREFIX}${item.id}`;
}

/** Only the guard writes this table, so the entry is what we put there. */
function fromItem<Entry>(item: Record<string, unknown>): Versioned<Entry> {
  return {
    entry: item.entry as Entry,
    version: item.version as number,
    expiresAt: typeof item.expires_at === 'number' ? new Date(item.expires_at * 1_000).toISOString() : null,
  };
}
