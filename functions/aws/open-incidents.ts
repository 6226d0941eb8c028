import { createHash } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateQuery } from '@aws-sdk/lib-dynamodb';
import type { GuardEvent } from '../guard/model/event.ts';
import { type Fleet, type OpenIncident, shareIncidents, WHOLE_FLEET } from '../guard/policy/shared-incidents.ts';
import type { Audience } from '../guard/ports.ts';
import { writeItems } from './batch-write.ts';
import { fromHistoryItem, incidentsKeyOf, toSpoolItem } from './ledger-items.ts';

/** The open incidents of a fleet, one partition of the ledger's table for each incident tool. */
export interface OpenIncidents {
  /**
   * Sends a run's events to a tool, with shared incidents for what fails in many projects.
   * @param send returns whether the tool accepted them all; if not, or if the process dies, the same events must come again
   */
  forward(
    audience: Audience,
    events: readonly GuardEvent[],
    fleet: Fleet,
    send: (events: readonly GuardEvent[]) => Promise<boolean>,
  ): Promise<boolean>;
}

export function createDynamoOpenIncidents(client: DynamoDBClient, tableName: string): OpenIncidents {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });

  return {
    async forward(audience, events, fleet, send): Promise<boolean> {
      const project = incidentsKeyOf(audience);
      const before = await read(project);
      const changes = shareIncidents(before, events, fleet);
      const puts = [...changes.open].filter(([key, incident]) => before.get(key) !== incident);
      // The ledger knows a shared incident before the tool does, so that it is closed even if this process dies now.
      const [shared, own] = [puts.filter(isOfFleet), puts.filter((put) => !isOfFleet(put))];
      await write(shared.map(([key, incident]) => ({ PutRequest: { Item: toItem(project, key, incident) } })));
      if (changes.events.length > 0 && !(await send(changes.events))) return false;
      const gone = [...before.keys()].filter((key) => !changes.open.has(key));
      await write([
        ...own.map(([key, incident]) => ({ PutRequest: { Item: toItem(project, key, incident) } })),
        ...gone.map((key) => ({ DeleteRequest: { Key: { project, item: sortKeyOf(key) } } })),
      ]);
      return true;
    },
  };

  async function read(project: string): Promise<ReadonlyMap<string, OpenIncident>> {
    const open = new Map<string, OpenIncident>();
    const query = {
      TableName: tableName,
      KeyConditionExpression: '#project = :project',
      ExpressionAttributeNames: { '#project': 'project' },
      ExpressionAttributeValues: { ':project': project },
      ConsistentRead: true,
    };
    for await (const { Items = [] } of paginateQuery({ client: documents }, query)) {
      for (const item of Items) {
        const event = fromHistoryItem(item);
        const { is, peak } = item as Pick<OpenIncident, 'is' | 'peak'>;
        if (event.incident) open.set(event.incident.key, { event, is, peak });
      }
    }
    return open;
  }

  function write(requests: Parameters<typeof writeItems>[2]): Promise<void> {
    return writeItems(documents, tableName, requests);
  }
}

function isOfFleet([, { event }]: readonly [string, OpenIncident]): boolean {
  return event.project === WHOLE_FLEET;
}

function toItem(project: string, key: string, { event, is, peak }: OpenIncident) {
  return { ...toSpoolItem(project, event), item: sortKeyOf(key), is, peak };
}

/** Keys may be long. */
function sortKeyOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
