import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand, paginateQuery, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { describeError, LedgerUnavailableError } from '../guard/errors.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import { DIGEST_TIME_LIMIT_SECONDS } from '../guard/model/lease.ts';
import type { Audience, Clock } from '../guard/ports.ts';
import { writeItems } from './batch-write.ts';
import { fromHistoryItem, spoolKeyOf, toSpoolItem } from './ledger-items.ts';

/**
 * Alerts that an audience has accepted and that are sent later, together: at the end of a run over the fleet, or when quiet hours end.
 * They are in the ledger's table, one partition for each release and audience. The same alert is there once, no matter how often it is
 * added.
 */
export interface Spool {
  /** @throws LedgerUnavailableError */
  add(release: string, audience: Audience, events: readonly GuardEvent[]): Promise<void>;
  /**
   * Hands everything to `send`, and then removes what `send` has accepted. If the process dies before that, the next release sends it
   * again. Sends nothing while another process releases the same alerts, because that one may die.
   * @param until only alerts that are not younger, ISO 8601; null or left out: all
   * @returns the number of alerts that `send` did not accept, at least 1 if another process has them
   * @throws LedgerUnavailableError
   */
  release(release: string, audience: Audience, send: Send, until?: string | null): Promise<number>;
}

/**
 * Sends alerts, oldest first.
 * @param isRepeated whether an earlier release failed or died, so that the audience may have some of them already
 * @returns the IDs of those that were accepted
 */
export type Send = (events: readonly GuardEvent[], isRepeated: boolean) => Promise<ReadonlySet<string>>;

/** The lease outlives the function. */
const LEASE_SECONDS = DIGEST_TIME_LIMIT_SECONDS + 30;

/** The item that the releasing process holds. No alert has this sort key. */
const LEASE = 'lease';

export function createDynamoSpool(client: DynamoDBClient, tableName: string, clock: Clock): Spool {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const epochSeconds = () => Math.floor(clock.now().getTime() / 1_000);
  const available = async <Result>(participle: 'read' | 'written', use: () => Promise<Result>): Promise<Result> => {
    try {
      return await use();
    } catch (error) {
      if (error instanceof LedgerUnavailableError) throw error;
      const message = `the ledger table ${tableName} cannot be ${participle} (${describeError(error)})`;
      throw new LedgerUnavailableError(message, { cause: error });
    }
  };

  return {
    async add(release, audience, events): Promise<void> {
      const items = new Map(events.map((event) => [event.id, toSpoolItem(spoolKeyOf(release, audience), event)]));
      const puts = [...items.values()].map((Item) => ({ PutRequest: { Item } }));
      await available('written', () => writeItems(documents, tableName, puts));
    },

    async release(release, audience, send, until = null): Promise<number> {
      const project = spoolKeyOf(release, audience);
      if (!(await available('read', () => isAnyWaiting(project, until)))) return 0;
      const lease = await available('written', () => takeLease(project));
      if (lease === null) return 1;
      const items = await available('read', () => read(project, until));
      const events = items.map(({ event }) => event);
      let accepted: ReadonlySet<string> = new Set();
      try {
        if (events.length > 0) accepted = await send(events, lease.isRepeated);
      } finally {
        const sent = items.filter(({ event }) => accepted.has(event.id)).map(({ item }) => ({ project, item }));
        await available('written', () => remove(sent));
        // A failure leaves the lease, which is over, as a mark for the next release.
        await available('written', async () => {
          if (sent.length === items.length) await remove([{ project, item: LEASE }]);
          else await put(project, 0);
        });
      }
      return events.filter(({ id }) => !accepted.has(id)).length;
    },
  };

  function queryOf(project: string) {
    return {
      TableName: tableName,
      KeyConditionExpression: '#project = :project',
      ExpressionAttributeNames: { '#project': 'project' },
      ExpressionAttributeValues: { ':project': project },
      // A run ends right after its last pass has added something.
      ConsistentRead: true,
    };
  }

  async function read(project: string, until: string | null) {
    const found: { readonly item: string; readonly event: GuardEvent }[] = [];
    for await (const { Items = [] } of paginateQuery({ client: documents }, queryOf(project))) {
      for (const item of Items) {
        if (item.item === LEASE) continue;
        const event = fromHistoryItem(item);
        if (until === null || event.time <= until) found.push({ item: String(item.item), event });
      }
    }
    return found;
  }

  /** The lease and the oldest alert are enough to know. */
  async function isAnyWaiting(project: string, until: string | null): Promise<boolean> {
    const { Items = [] } = await documents.send(new QueryCommand({ ...queryOf(project), Limit: 2 }));
    return Items.some(({ item }) => item !== LEASE && (until === null || String(item) <= `${until}~`));
  }

  /** Null: another process has it. A lease that was left over belongs to a process that failed or died. */
  async function takeLease(project: string): Promise<{ readonly isRepeated: boolean } | null> {
    try {
      const { Attributes } = await put(project, epochSeconds() + LEASE_SECONDS);
      return { isRepeated: Attributes !== undefined };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return null;
      throw error;
    }
  }

  /** @param until the end of the lease, in epoch seconds */
  function put(project: string, until: number) {
    return documents.send(
      new PutCommand({
        TableName: tableName,
        // Not `expires_at`: the table would delete the mark.
        Item: { project, item: LEASE, until },
        ConditionExpression: 'attribute_not_exists(#project) OR #until <= :now OR :until = :over',
        ExpressionAttributeNames: { '#project': 'project', '#until': 'until' },
        ExpressionAttributeValues: { ':now': epochSeconds(), ':until': until, ':over': 0 },
        ReturnValues: 'ALL_OLD',
      }),
    );
  }

  async function remove(keys: readonly { readonly project: string; readonly item: string }[]): Promise<void> {
    await writeItems(
      documents,
      tableName,
      keys.map((Key) => ({ DeleteRequest: { Key } })),
    );
  }
}
