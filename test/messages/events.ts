import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import type { EventType } from '../../functions/guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../../functions/guard/model/integration.ts';
import { aFailingRecord, minutesAfter, minutesBefore, NOON } from '../support/builders.ts';

const FIGURES = {
  freshErrors: 61,
  baseline: 0,
  errorThreshold: 50,
  warnThreshold: 25,
  failingSince: minutesBefore(NOON, 48),
  failingMinutes: 48,
  failingForMinutes: 15,
};

/** An event of each type as one would really come. */
export function anEvent(
  type: EventType,
  record: Partial<IntegrationRecord> = {},
  reason = '61 failures since 11:12 UTC, threshold 50; no delivery for 48 min, limit 15 min',
): GuardEvent {
  const about = type.startsWith('guard.') ? {} : { record: aFailingRecord(61, 48, record), figures: FIGURES };
  return makeEvent({
    type,
    project: 'production',
    time: NOON,
    episode: NOON,
    reason,
    nextProbeAt: minutesAfter(NOON, 60),
    ...about,
  });
}
