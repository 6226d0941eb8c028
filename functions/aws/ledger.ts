import { randomUUID } from 'node:crypto';
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand, paginateQuery } from '@aws-sdk/lib-dynamodb';
import { describeError, LedgerUnavailableError, LostRaceError } from '../guard/errors.ts';
import { BLANK_ENTRY, type Entry, type ProjectEntry } from '../guard/model/entry.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import {
  CHECK_MINUTES,
  CHECK_PROJECT,
  type CheckableLedger,
  type Clock,
  type LedgerItem,
  type LedgerView,
  type Versioned,
} from '../guard/ports.ts';
import { plusMinutes } from '../guard/text/time.ts';
import { ENTRY, type LedgerPlace, PROJECT_ENTRY, readingFrom } from '../ledger/upcast.ts';
import { writeItems } from './batch-write.ts';
import {
  fromHistoryItem,
  fromLedgerItem,
  historyKeyOf,
  integrationIdOf,
  sortKeyOf,
  toHistoryItem,
  toLedgerItem,
} from './ledger-items.ts';

/**
 * The ledger as one DynamoDB table. Partition key: `project`. Sort key: `item`, which is `project` or `integration#ID`.
 * Attributes: the numbers `version` and `schema`, the map `entry`, and the TTL attribute `expires_at` in epoch seconds.
 * The history is in separate partitions: `PROJECT#history`, sort key `TIME#EVENT`.
 */
export function createDynamoLedger(client: DynamoDBClient, tableName: string, clock: Clock): CheckableLedger {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const place: LedgerPlace = {
    name: `the ledger table ${tableName}`,
    remedy:
      'restore the table to a moment before, under another name, and set "ledgerTableName" in the settings to that name',
  };
  const epochSeconds = () => Math.floor(clock.now().getTime() / 1_000);

  return {
    place: tableName,

    async read(project): Promise<LedgerView> {
      let projectEntry: Versioned<ProjectEntry> | null = null;
      const integrations = new Map<string, Versioned<Entry>>();
      const query = {
        TableName: tableName,
        KeyConditionExpression: '#project = :project',
        ExpressionAttributeNames: { '#project': 'project' },
        ExpressionAttributeValues: { ':project': project },
        // A pass that starts right after another must see the other's writes.
        ConsistentRead: true,
      };
      try {
        for await (const page of paginateQuery({ client: documents }, query)) {
          for (const item of page.Items ?? []) {
            // TTL deletes items within days, not at the second.
            if (typeof item.expires_at === 'number' && item.expires_at <= epochSeconds()) continue;
            const id = integrationIdOf(item);
            readingFrom(place, () => {
              if (id === null) projectEntry = fromLedgerItem(item, PROJECT_ENTRY);
              else integrations.set(id, fromLedgerItem(item, ENTRY));
            });
          }
        }
      } catch (error) {
        throw unavailable('read', error);
      }
      return { project: projectEntry, integrations };
    },

    write,

    async checkWrite(): Promise<void> {
      // An id of its own: several may be under way.
      const item: LedgerItem = { kind: 'integration', id: randomUUID(), entry: BLANK_ENTRY };
      await write(CHECK_PROJECT, item, null, plusMinutes(clock.now().toISOString(), CHECK_MINUTES));
      const Key = { project: CHECK_PROJECT, item: sortKeyOf(item) };
      try {
        // As the history is written: a pass has this right, and needs none to delete a single item.
        await writeItems(documents, tableName, [{ DeleteRequest: { Key } }]);
      } catch (error) {
        throw unavailable('written', error);
      }
    },

    async appendHistory(project, events): Promise<void> {
      const items = events.map((event) => toHistoryItem(project, event));
      // A request must not name the same item twice.
      const unique = [...new Map(items.map((item) => [item.item, item])).values()];
      try {
        await writeItems(
          documents,
          tableName,
          unique.map((Item) => ({ PutRequest: { Item } })),
        );
      } catch (error) {
        throw unavailable('written', error);
      }
    },

    async history(project, since): Promise<readonly GuardEvent[]> {
      const events: GuardEvent[] = [];
      const query = {
        TableName: tableName,
        KeyConditionExpression: '#project = :project AND #item >= :since',
        ExpressionAttributeNames: { '#project': 'project', '#item': 'item' },
        ExpressionAttributeValues: { ':project': historyKeyOf(project), ':since': since },
      };
      try {
        for await (const page of paginateQuery({ client: documents }, query)) {
          for (const item of page.Items ?? []) {
            if (Number(item.expires_at) > epochSeconds()) events.push(readingFrom(place, () => fromHistoryItem(item)));
          }
        }
      } catch (error) {
        throw unavailable('read', error);
      }
      return events;
    },
  };

  async function write(
    project: string,
    item: LedgerItem,
    expected: number | null,
    expiresAt: string | null,
  ): Promise<number> {
    const version = (expected ?? 0) + 1;
    const unseen = 'attribute_not_exists(#project) OR #expires_at <= :now';
    const unchanged = '#version = :expected';
    const command = new PutCommand({
      TableName: tableName,
      Item: toLedgerItem(project, item, version, expiresAt),
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
        throw new LostRaceError(`${sortKeyOf(item)} was written by another pass`, { cause: error });
      }
      throw unavailable('written', error);
    }
    return version;
  }

  function unavailable(participle: 'read' | 'written', cause: unknown): LedgerUnavailableError {
    if (cause instanceof LedgerUnavailableError) return cause;
    const message = `${place.name} cannot be ${participle} (${describeError(cause)})`;
    return new LedgerUnavailableError(message, { cause });
  }
}
