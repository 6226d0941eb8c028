import { createHash } from 'node:crypto';
import { safeText, shorten } from '../text/sanitize.ts';
import { type Actor, describeType, type EventType, type Severity } from './event-catalogue.ts';
import type { IntegrationRecord } from './integration.ts';

/** The numbers behind a decision. */
export interface Figures {
  readonly freshErrors: number;
  readonly baseline: number;
  readonly errorThreshold: number;
  readonly warnThreshold: number;
  /** The latest of the last delivery, the creation, and the activation that a pass saw. */
  readonly failingSince: string;
  /** The failure span (rule 2): from the moment a pass first saw these failures to the last of them. */
  readonly failingMinutes: number;
  readonly failingForMinutes: number;
}

/** The effect of an event on an incident tool: it opens the incident of this key, or raises its severity, or closes it. */
export interface Incident {
  /** The same from the first trigger to the resolve. */
  readonly key: string;
  readonly action: 'trigger' | 'resolve';
  readonly severity: Severity;
}

/** Something that people or machines are notified of. Its text is already safe to store and to send. */
export interface GuardEvent {
  /** Copies of one event, and events about the same thing in the same episode, have the same id. */
  readonly id: string;
  readonly type: EventType;
  readonly severity: Severity;
  readonly time: string;
  readonly project: string;
  /** Names the episode; events of one outage share it. */
  readonly episode: string;
  /** One sentence for people: what happened, since when, why. */
  readonly reason: string;
  readonly record: IntegrationRecord | null;
  /** The provider, for an event without a record; null: the event is about the project or the guard. */
  readonly provider: string | null;
  readonly figures: Figures | null;
  /** The time of the next probe, if there will be one. */
  readonly nextProbeAt: string | null;
  /** Null: none. Left out: version 0.2 made the event, and its type says it. */
  readonly incident?: Incident | null;
}

/** Whether people are not alerted. Operators know their own actions. The history has the event, and machines may get it. */
export function isAuditOnly({ type }: Pick<GuardEvent, 'type'>): boolean {
  return describeType(type).auditOnly;
}

/** Whether machines and incident tools get the event: each alert, and each event that opens or closes an incident. */
export function isForMachines(event: Pick<GuardEvent, 'type' | 'incident'>): boolean {
  return !isAuditOnly(event) || (event.incident ?? null) !== null;
}

/** The party whose action the event reports. */
export function actorOf({ type }: Pick<GuardEvent, 'type'>): Actor {
  return describeType(type).actor;
}

const RANK = { info: 0, warning: 1, critical: 2 } as const satisfies Record<Severity, number>;

/** Most severe first. */
export function bySeverity(left: { readonly severity: Severity }, right: { readonly severity: Severity }): number {
  return RANK[right.severity] - RANK[left.severity];
}

/** The severities at least as severe as `least`. */
export function severitiesFrom(least: Severity): readonly Severity[] {
  return (['info', 'warning', 'critical'] as const).filter((severity) => RANK[severity] >= RANK[least]);
}

export interface EventSeed {
  readonly type: EventType;
  readonly project: string;
  readonly time: string;
  /** The episode of one problem that the event belongs to. */
  readonly episode: string;
  /** Distinguishes events of one type within one episode: the number of the probe, of the reminder. */
  readonly ordinal?: number | string;
  readonly reason: string;
  readonly record?: IntegrationRecord;
  readonly provider?: string | null;
  readonly figures?: Figures;
  readonly nextProbeAt?: string | null;
}

/** Makes the event. Its text is safe to store and to send, and its id is the same for the same thing in the same episode (law 1). */
export function makeEvent(seed: EventSeed): GuardEvent {
  const record = seed.record ?? null;
  const identity = [seed.project, record?.id ?? '', seed.type, seed.episode, seed.ordinal ?? 0];
  if (seed.provider) identity.push(seed.provider);
  return boundEvent({
    id: createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32),
    type: seed.type,
    severity: describeType(seed.type).severity,
    time: seed.time,
    project: seed.project,
    episode: seed.episode,
    reason: seed.reason,
    record,
    provider: seed.provider ?? null,
    figures: seed.figures ?? null,
    nextProbeAt: seed.nextProbeAt ?? null,
    incident: null,
  });
}

/** The event with safe and bounded text, times and ids included (law 5). A second call changes nothing. */
export function boundEvent(event: GuardEvent): GuardEvent {
  const { record, figures, provider } = event;
  return {
    ...event,
    time: boundTime(event.time),
    episode: boundTime(event.episode),
    reason: safeText(event.reason, 500),
    record: record === null ? null : boundRecord(record),
    provider: provider === null ? null : safeText(provider, 60),
    figures: figures === null ? null : { ...figures, failingSince: boundTime(figures.failingSince) },
    nextProbeAt: event.nextProbeAt === null ? null : boundTime(event.nextProbeAt),
  };
}

function boundRecord(record: IntegrationRecord): IntegrationRecord {
  const { last_delivery_at, last_error_at, last_error_message } = record;
  return {
    ...record,
    id: shorten(record.id, 256),
    title: safeText(record.title, 120),
    integration: safeText(record.integration, 60),
    created_at: boundTime(record.created_at),
    updated_at: boundTime(record.updated_at),
    last_delivery_at: last_delivery_at === null ? null : boundTime(last_delivery_at),
    last_error_at: last_error_at === null ? null : boundTime(last_error_at),
    last_error_message: last_error_message === null ? null : safeText(last_error_message, 300),
  };
}

/** ISO 8601 allows any number of digits for a second. Milliseconds are enough. */
function boundTime(moment: string): string {
  if (moment.length <= 40) return moment;
  const ms = Date.parse(moment);
  return Number.isNaN(ms) ? shorten(moment, 40) : new Date(ms).toISOString();
}
