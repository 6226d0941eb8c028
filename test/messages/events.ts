import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import { describeType, type EventType } from '../../functions/guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../../functions/guard/model/integration.ts';
import { problemOf } from '../../functions/messages/cloud-event.ts';
import { aFailingRecord, minutesAfter, minutesBefore, NOON } from '../support/builders.ts';

const FIGURES = {
  freshErrors: 61,
  baseline: 0,
  errorThreshold: 50,
  warnThreshold: 25,
  failingSince: minutesBefore(NOON, 72),
  failingMinutes: 72,
  failingForMinutes: 60,
};

/** A realistic event of each type. */
export function anEvent(
  type: EventType,
  record: Partial<IntegrationRecord> = {},
  reason = '61 failures and no delivery since 10:48 UTC, over 1 h 12 min (limits: 50 failures over 1 h)',
): GuardEvent {
  const about = type.startsWith('guard.')
    ? {}
    : /^(?:provider|fleet)\./.test(type)
      ? { provider: 'Amplitude' }
      : { record: aFailingRecord(61, 72, record), figures: FIGURES };
  return withIncident(
    makeEvent({
      type,
      project: 'production',
      time: NOON,
      episode: NOON,
      reason,
      nextProbeAt: minutesAfter(NOON, 60),
      ...about,
    }),
  );
}

/** The event with the effect that its type has on an incident. */
export function withIncident(event: GuardEvent): GuardEvent {
  const { incident: action } = describeType(event.type);
  const { severity } = event;
  return { ...event, incident: action === null ? null : { key: problemOf(event), action, severity } };
}
