import { createHash } from 'node:crypto';
import type { Figures, GuardEvent, Incident } from '../guard/model/event.ts';
import { describeType, type EventType, type Severity } from '../guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';

/** A CloudEvents 1.0 event in JSON: machines get one message per event. */
export interface CloudEvent {
  readonly specversion: '1.0';
  /** Identifies the event together with `source`. A second copy has the same two. */
  readonly id: string;
  readonly source: string;
  readonly type: EventType;
  /** The integration's id; missing for events about the guard itself. */
  readonly subject?: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: {
    readonly severity: Severity;
    readonly project: string;
    /** The same for all events of one problem. */
    readonly episode: string;
    /** The incident that a tool opens or closes; null when the event does neither. */
    readonly incident: Incident | null;
    readonly reason: string;
    readonly integration: IntegrationRecord | null;
    /** The provider's display title; null for events about the guard or the whole project. */
    readonly provider: string | null;
    readonly figures: Figures | null;
    readonly nextProbeAt: string | null;
  };
}

export function toCloudEvent(event: GuardEvent): CloudEvent {
  return {
    specversion: '1.0',
    id: event.id,
    source: `/integration-guard/${event.project}`,
    type: event.type,
    ...(event.record === null ? {} : { subject: event.record.id }),
    time: event.time,
    datacontenttype: 'application/json',
    data: {
      severity: event.severity,
      project: event.project,
      episode: event.episode,
      incident: incidentOf(event),
      reason: event.reason,
      integration: event.record,
      provider: event.record?.integration ?? event.provider,
      figures: event.figures,
      nextProbeAt: event.nextProbeAt,
    },
  };
}

/** The effect of an event on incident tools, with a key that each of them accepts; null: none. */
export function incidentOf(event: GuardEvent): Incident | null {
  const incident = event.incident === undefined ? formerIncident(event) : event.incident;
  return incident === null ? null : { ...incident, key: boundKey(incident.key) };
}

/** The incident of an event of version 0.2 that was not delivered yet. */
function formerIncident(event: GuardEvent): Incident | null {
  const { incident: action } = describeType(event.type);
  return action === null ? null : { key: problemOf(event), action, severity: event.severity };
}

/** Names what an event is about: one integration, one provider, or the guard, in one episode. */
export function problemOf({ project, record, provider, episode }: GuardEvent): string {
  const about = record?.id ?? (provider === null ? 'guard' : `provider:${provider}`);
  return `${project}/${about}/${episode}`;
}

/** The most characters of an incident's key: those of an SQS message group. PagerDuty allows 255. */
export const MAX_INCIDENT_KEY = 128;

/**
 * A key is the same everywhere: in the CloudEvent, as PagerDuty's `dedup_key` and as the message group of a FIFO queue. A key
 * that is too long, or has characters that SQS refuses, ends with its hash.
 */
function boundKey(key: string): string {
  if (key.length <= MAX_INCIDENT_KEY && /^[!-~]+$/.test(key)) return key;
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 32);
  return `${key.replace(/[^!-~]+/g, '-').slice(0, MAX_INCIDENT_KEY - hash.length - 1)}/${hash}`;
}

/** Message attributes of one event, for filter policies. SNS refuses empty values. */
export function eventAttributes(event: GuardEvent): Readonly<Record<string, string>> {
  const { record } = event;
  return {
    kind: 'event',
    type: event.type,
    severity: event.severity,
    project: event.project,
    ...(event.provider === null ? {} : { integration: event.provider || '-' }),
    ...(record === null ? {} : { integration: record.integration || '-', target_platform: record.target_platform }),
  };
}
