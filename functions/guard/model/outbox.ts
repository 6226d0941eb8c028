import { plural } from '../text/sanitize.ts';
import { describeMoment } from '../text/time.ts';
import type { OutboxItem } from './entry.ts';
import { type GuardEvent, type Incident, isAuditOnly, makeEvent } from './event.ts';
import { describeType, type EventType } from './event-catalogue.ts';

/** The alerts of an entry that not every audience has accepted yet. */

/** Far below the 400 KB of a DynamoDB item, because the entry's other fields are small. */
export const MAX_OUTBOX_BYTES = 64 * 1_024;

/** The history is an audience like the others. Audit-only events go to the history alone. */
export const HISTORY = 'history';

export function toOutbox(events: readonly GuardEvent[]): readonly OutboxItem[] {
  return events.map((event) => ({ event, undelivered: null, merged: null }));
}

/**
 * Limits an outbox to `MAX_OUTBOX_BYTES`. A larger one has its older half merged into one alert, which lists the merged types. The
 * history still has each merged alert, unless it refused the alert too. Incident tools still get what opens or closes an incident.
 */
export function boundOutbox(outbox: readonly OutboxItem[]): readonly OutboxItem[] {
  if (bytesOf(outbox) <= MAX_OUTBOX_BYTES) return outbox;
  const kept: OutboxItem[] = [];
  let size = 0;
  for (const item of outbox.toReversed()) {
    size += bytesOf(item);
    if (size > MAX_OUTBOX_BYTES / 2) break;
    kept.unshift(item);
  }
  const older = outbox.slice(0, outbox.length - kept.length);
  const alerts = older.filter(({ event }) => !changesOnlyIncident(event));
  return [...(alerts.length === 0 ? [] : [merge(alerts)]), ...incidentsOf(older), ...kept];
}

function merge(items: readonly OutboxItem[]): OutboxItem {
  const [oldest] = items;
  const newest = items.at(-1);
  if (oldest === undefined || newest === undefined) throw new Error('there is no alert to merge');
  const counts: Record<string, number> = {};
  for (const { event, merged } of items) {
    for (const [type, count] of Object.entries(merged ?? { [event.type]: 1 }))
      counts[type] = (counts[type] ?? 0) + count;
  }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const list = Object.entries(counts).map(([type, count]) => `${count} × ${describeType(type as EventType).label}`);
  const from = oldest.merged === null ? oldest.event.time : oldest.event.episode;
  const span = `from ${describeMoment(from, newest.event.time)} to ${describeMoment(newest.event.time, newest.event.time)}`;
  const { project, time, record } = newest.event;
  const event = makeEvent({
    type: 'guard.backlog',
    project,
    time,
    episode: from,
    ordinal: total,
    reason: `${plural(total, 'alert')} ${span} could not be delivered and are merged into this one: ${list.join(', ')}`,
    ...(record === null ? {} : { record }),
  });
  // Only the history needs audit-only events, so an alert that merges nothing else goes to the history alone.
  const awaiting = items.map((item) => item.undelivered ?? (isAuditOnly(item.event) ? [HISTORY] : null));
  const undelivered = awaiting.includes(null) ? null : [...new Set(awaiting.flatMap((audiences) => audiences ?? []))];
  return { event, undelivered, merged: counts };
}

/**
 * The changes of incidents that must not be lost with the merged alerts: per integration or topic, the first that closes one, and the
 * last if it opens one. An audience that accepted none of the alerts has at most one incident open, and the first closes that one.
 */
function incidentsOf(items: readonly OutboxItem[]): readonly OutboxItem[] {
  const kept = new Map<string, OutboxItem>();
  for (const item of items) {
    const { incident } = item.event;
    if (!incident) continue;
    const about = incident.key.slice(0, incident.key.lastIndexOf('/'));
    kept.delete(about);
    // Audiences may have begun to refuse at different times.
    const place = incident.action === 'trigger' ? about : JSON.stringify([about, item.undelivered]);
    if (!kept.has(place))
      kept.set(place, { event: asChange(item.event, incident), undelivered: item.undelivered, merged: null });
  }
  return [...kept.values()];
}

function asChange(event: GuardEvent, incident: Incident): GuardEvent {
  if (changesOnlyIncident(event)) return event;
  const { project, time, episode, reason, record, provider } = event;
  const type = incident.action === 'trigger' ? 'incident.opened' : 'incident.closed';
  const seed = {
    type,
    project,
    time,
    episode,
    ordinal: incident.key,
    reason,
    provider,
    ...(record === null ? {} : { record }),
  } as const;
  return { ...makeEvent(seed), incident };
}

function changesOnlyIncident({ type }: GuardEvent): boolean {
  return type === 'incident.opened' || type === 'incident.closed';
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
