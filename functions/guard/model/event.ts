import { createHash } from 'node:crypto';
import { safeText } from '../text/sanitize.ts';
import type { IntegrationRecord } from './integration.ts';

export type Severity = 'info' | 'warning' | 'critical';

export type EventType =
  | 'integration.failing'
  | 'integration.paused'
  | 'integration.would-pause'
  | 'integration.pause-failed'
  | 'integration.activation-failed'
  | 'integration.suspended'
  | 'integration.reactivated'
  | 'integration.probing'
  | 'integration.recovered'
  | 'integration.recovery-abandoned'
  | 'integration.still-down'
  | 'integration.flapping'
  | 'integration.operator-paused'
  | 'integration.operator-resumed'
  | 'integration.exemption'
  | 'guard.held'
  | 'guard.backlog'
  | 'guard.unreadable'
  | 'guard.failing'
  | 'guard.recovered';

/** The numbers behind a decision. */
export interface Figures {
  readonly freshErrors: number;
  readonly baseline: number;
  readonly errorThreshold: number;
  readonly warnThreshold: number;
  readonly failingSince: string;
  readonly failingMinutes: number;
  readonly failingForMinutes: number;
}

/** Something that a person or a machine should hear of. Its text is already safe to store and to send. */
export interface GuardEvent {
  /** Deterministic: the same thing in the same episode has the same id, however often it is sent. */
  readonly id: string;
  readonly type: EventType;
  readonly severity: Severity;
  readonly time: string;
  readonly project: string;
  /** Names the episode; events of one outage share it. */
  readonly episode: string;
  /** One sentence a person understands. */
  readonly reason: string;
  readonly record: IntegrationRecord | null;
  readonly figures: Figures | null;
  /** When the guard probes it next, if it does. */
  readonly nextProbeAt: string | null;
}

/** How much each type of event asks of a person. */
export const SEVERITY = {
  'integration.failing': 'warning',
  'integration.paused': 'critical',
  'integration.would-pause': 'warning',
  'integration.pause-failed': 'critical',
  'integration.activation-failed': 'warning',
  'integration.suspended': 'critical',
  'integration.reactivated': 'info',
  'integration.probing': 'info',
  'integration.recovered': 'info',
  'integration.recovery-abandoned': 'critical',
  'integration.still-down': 'warning',
  'integration.flapping': 'warning',
  'integration.operator-paused': 'info',
  'integration.operator-resumed': 'info',
  'integration.exemption': 'info',
  'guard.held': 'critical',
  'guard.backlog': 'critical',
  'guard.unreadable': 'warning',
  'guard.failing': 'critical',
  'guard.recovered': 'info',
} as const satisfies Record<EventType, Severity>;

export const LABEL = {} as Record<EventType, string>;

/** Kept in the history and told to nobody: what an operator has done is no news to them (rule 5). */
export function isAuditOnly(event: Pick<GuardEvent, 'type'>): boolean {
  return KEPT_ONLY.has(event.type);
}

const KEPT_ONLY: ReadonlySet<EventType> = new Set([
  'integration.operator-paused',
  'integration.operator-resumed',
  'integration.exemption',
]);

/** Whose doing each thing is that happens to an integration; what is not listed is the guard's. */
const ACTOR: { readonly [type in EventType]?: Actor } = {
  'integration.suspended': 'Qonversion',
  'integration.reactivated': 'operator',
  'integration.operator-paused': 'operator',
  'integration.operator-resumed': 'operator',
  'integration.exemption': 'operator',
};

export type Actor = 'guard' | 'operator' | 'Qonversion';

export function actorOf(event: Pick<GuardEvent, 'type'>): Actor {
  return ACTOR[event.type] ?? 'guard';
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
  /** The stretch of trouble the event belongs to. */
  readonly episode: string;
  /** Tells apart events of one type within one episode: the number of the probe, of the reminder. */
  readonly ordinal?: number;
  readonly reason: string;
  readonly record?: IntegrationRecord;
  readonly figures?: Figures;
  readonly nextProbeAt?: string | null;
}

/** Makes the event, its text safe to keep and to send, its id the same for the same thing in the same episode (law 1). */
export function makeEvent(seed: EventSeed): GuardEvent {
  const record = seed.record ?? null;
  const identity = [seed.project, record?.id ?? '', seed.type, seed.episode, seed.ordinal ?? 0];
  return {
    id: createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32),
    type: seed.type,
    severity: SEVERITY[seed.type],
    time: seed.time,
    project: seed.project,
    episode: seed.episode,
    reason: safeText(seed.reason, 500),
    record: record === null ? null : safeRecord(record),
    figures: seed.figures ?? null,
    nextProbeAt: seed.nextProbeAt ?? null,
  };
}

function safeRecord(record: IntegrationRecord): IntegrationRecord {
  return {
    ...record,
    title: safeText(record.title, 120),
    integration: safeText(record.integration, 60),
    last_error_message: record.last_error_message === null ? null : safeText(record.last_error_message, 300),
  };
}
