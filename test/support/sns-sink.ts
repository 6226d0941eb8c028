import type { SnsAlertSinkOptions } from '../../functions/aws/alerts.ts';
import type { Spool } from '../../functions/aws/spool.ts';
import type { GuardEvent } from '../../functions/guard/model/event.ts';
import { groupPeople } from '../../functions/guard/settings/people.ts';
import { NOON } from './builders.ts';
import { silentLog } from './memory-ports.ts';

/** A spool in memory. */
export function createMemorySpool(): Spool & { readonly waiting: ReadonlyMap<string, readonly GuardEvent[]> } {
  const waiting = new Map<string, readonly GuardEvent[]>();
  return {
    waiting,
    async add(release, audience, events) {
      const place = `${release} ${audience}`;
      const all = [...(waiting.get(place) ?? []), ...events];
      waiting.set(place, [...new Map(all.map((event) => [event.id, event])).values()]);
    },
    async release(release, audience, send, until = null) {
      const place = `${release} ${audience}`;
      const all = waiting.get(place) ?? [];
      const events = all.filter(({ time }) => until === null || time <= until);
      if (events.length === 0) return 0;
      const accepted = await send(events, false);
      waiting.set(
        place,
        all.filter(({ id }) => !accepted.has(id)),
      );
      return events.length - accepted.size;
    },
  };
}

/** A sink's options for a guard on AWS with listed projects only, without preferences of people. Tests add a client and a topic. */
export function sinkOptions(): Omit<SnsAlertSinkOptions, 'client' | 'topicArn'> {
  return {
    log: silentLog,
    clock: { now: () => new Date(NOON) },
    stack: 'IntegrationGuard',
    runbook: null,
    panelOf: () => null,
    people: groupPeople([]),
    chatTopics: [],
    incidentTools: [],
    sendIncidents: () => Promise.reject(new Error('there is no incident tool')),
    openIncidents: { forward: () => Promise.reject(new Error('there is no incident tool')) },
    unrelatedProviders: ['Webhooks'],
    isOfFleet: () => false,
    spool: createMemorySpool(),
    firstWaitMs: 1,
  };
}
