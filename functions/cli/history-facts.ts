import { type GuardEvent, isAuditOnly } from '../guard/model/event.ts';
import { type Actor, describeType } from '../guard/model/event-catalogue.ts';
import { HISTORY_DAYS } from '../guard/ports.ts';
import { HOUR_MS } from '../guard/text/time.ts';
import { gapsOf } from './gaps.ts';

/** The guard's real pauses, recoveries and alerts, counted from the history. */

export interface HistoryFacts {
  /** The days that the counts cover: from the first event to now. */
  readonly days: number;
  readonly pauses: number;
  /** Pauses that ended with a successful probe, not through an operator. */
  readonly recoveries: number;
  /** The mean number of alerts a day, without audit-only events. */
  readonly alertsPerDay: number;
  /** Hours in which integrations were stopped, summed over all integrations. */
  readonly hoursStopped: Readonly<Record<Actor, number>>;
}

/**
 * @param events oldest first
 * @returns null when there are no events, because the guard's age is then unknown
 */
export function factsOf(events: readonly GuardEvent[], now: Date): HistoryFacts | null {
  const [first] = events;
  if (first === undefined) return null;
  const sinceFirst = (now.getTime() - Date.parse(first.time)) / (24 * HOUR_MS);
  const days = Math.min(HISTORY_DAYS, Math.max(1, Math.ceil(sinceFirst)));
  const hoursStopped = { guard: 0, operator: 0, Qonversion: 0 };
  const pausedByGuard = new Set<string>();
  let recoveries = 0;
  for (const { type, record } of events) {
    if (record === null) continue;
    if (type === 'integration.recovered' && pausedByGuard.has(record.id)) recoveries += 1;
    const after = describeType(type).phases?.after;
    if (type === 'integration.paused') pausedByGuard.add(record.id);
    else if (after === 'delivering' || after === 'operator') pausedByGuard.delete(record.id);
  }
  for (const { from, to, by } of gapsOf(events)) {
    const end = to === null ? now.getTime() : Date.parse(to);
    hoursStopped[by] += (end - Date.parse(from)) / HOUR_MS;
  }
  return {
    days,
    pauses: events.filter(({ type }) => type === 'integration.paused').length,
    recoveries,
    alertsPerDay: events.filter((event) => !isAuditOnly(event)).length / days,
    hoursStopped,
  };
}
