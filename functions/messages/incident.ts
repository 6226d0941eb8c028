import { type GuardEvent, type Incident, severitiesFrom } from '../guard/model/event.ts';
import { describeType, type Severity } from '../guard/model/event-catalogue.ts';
import { shorten } from '../guard/text/sanitize.ts';
import { type CloudEvent, incidentOf, toCloudEvent } from './cloud-event.ts';
import {
  explainingError,
  helpLink,
  type MessageContext,
  type StepText,
  shortName,
  stepsOf,
  subjectOf,
  summarize,
} from './wording.ts';

/** The messages for incident tools: one opens an incident, one closes it. Pure. */

/** The kinds of incident tools, each with its own message. */
export type IncidentToolKind = 'pagerduty' | 'webhook';

/**
 * The body of a request to PagerDuty's Events API v2, without the routing key, which the connection adds. An EventBridge
 * pipe copies each field (`PAGERDUTY_FIELDS`), so every field always has a value.
 */
export interface PagerDutyEvent {
  readonly event_action: 'trigger' | 'resolve';
  readonly dedup_key: string;
  readonly payload: {
    readonly summary: string;
    readonly source: string;
    readonly severity: Severity;
    readonly timestamp: string;
    readonly component: string;
    readonly group: string;
    readonly class: string;
    readonly custom_details: Readonly<Record<string, unknown>>;
  };
  readonly links: readonly { readonly href: string; readonly text: string }[];
  readonly client: string;
  readonly client_url: string;
}

/** A CloudEvent whose `subject` is always set. */
export type IncidentCloudEvent = CloudEvent & { readonly subject: string };

/** The top-level fields of each message. A pipe copies exactly these. */
export const INCIDENT_FIELDS = {
  pagerduty: ['event_action', 'dedup_key', 'payload', 'links', 'client', 'client_url'],
  webhook: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'data'],
} as const satisfies {
  readonly pagerduty: readonly (keyof PagerDutyEvent)[];
  readonly webhook: readonly (keyof IncidentCloudEvent)[];
};

/** The context of a message about an incident. */
export interface IncidentContext extends MessageContext {
  /** The page about the stack in the AWS console, for a guard without panel and runbook. */
  readonly console: string;
}

/** The limit of PagerDuty's Events API v2 ("Send an alert event"). */
const SUMMARY_LENGTH = 1_024;

/** Longer summaries would not be read on a phone. */
const READABLE_SUMMARY_LENGTH = 250;

/**
 * The incident that a tool opens or closes because of the event; null: the tool does not get the event. It gets the events
 * that open an incident at least as severe as `minSeverity`, and all that close one. The severity of a closing event is
 * `info`, so a filter would leave incidents open. A tool ignores the end of an incident that it does not know.
 */
export function incidentFor(event: GuardEvent, minSeverity: Severity): Incident | null {
  const incident = incidentOf(event);
  if (incident === null || incident.action === 'resolve') return incident;
  return severitiesFrom(minSeverity).includes(incident.severity) ? incident : null;
}

/**
 * @param event one that opens or closes an incident
 * @throws when it does neither
 */
export function toPagerDuty(event: GuardEvent, context: IncidentContext): PagerDutyEvent {
  const { incident, provider } = toCloudEvent(event).data;
  if (incident === null) throw new Error(`${event.type} neither opens nor closes an incident`);
  const { record, figures } = event;
  const group = { first: event, events: [event] };
  const subject = subjectOf(group);
  const { meaning, check, advice } = describeType(event.type);
  const line = summarize([event], context, () => true);
  const help = helpLink(event.type, context);
  const error = explainingError(event);
  return {
    event_action: incident.action,
    dedup_key: incident.key,
    payload: {
      // A shared incident has no place for its projects but the reason.
      summary: shorten(
        event.type === 'fleet.down' ? event.reason : `${event.project}: ${line}`,
        Math.min(SUMMARY_LENGTH, READABLE_SUMMARY_LENGTH),
      ),
      source: context.place === null ? event.project : `${event.project} (${context.place})`,
      severity: incident.severity,
      timestamp: event.time,
      component: record === null ? (provider ?? 'Integration Guard') : shortName(record),
      group: event.project,
      class: event.type,
      custom_details: {
        why: event.reason,
        means: meaning(subject),
        ...(check === null ? {} : { check: check(subject) }),
        do: advice(subject),
        ...namedSteps(stepsOf(group, context)),
        ...(error === null ? {} : { 'last error': error }),
        project: event.project,
        ...(record === null
          ? {}
          : {
              integration: record.id,
              title: record.title,
              platform: record.target_platform,
              'last delivery': record.last_delivery_at ?? 'never',
            }),
        ...(provider === null ? {} : { provider }),
        ...(figures === null ? {} : { figures }),
        'next probe': event.nextProbeAt ?? 'none',
        'event id': event.id,
        episode: event.episode,
      },
    },
    links: [
      ...(context.panel === null ? [] : [{ href: context.panel.url, text: 'Control panel' }]),
      ...(help === null ? [] : [{ href: help, text: 'Runbook' }]),
    ],
    client: 'Integration Guard',
    client_url: context.panel?.url ?? context.runbook ?? context.console,
  };
}

/** `{ "to resume it": "npx integration-guard resume …" }`. */
function namedSteps(steps: readonly StepText[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    steps.map(({ aim, commands }) => [`${aim.charAt(0).toLowerCase()}${aim.slice(1)}`, commands.join('; ')]),
  );
}

/**
 * The CloudEvent for a webhook, in structured mode. An event about a provider or the project has no `subject` on SNS. Here
 * it names the provider or the guard, as the key of the incident does.
 */
export function toIncidentCloudEvent(event: GuardEvent): IncidentCloudEvent {
  const cloudEvent = toCloudEvent(event);
  const subject = cloudEvent.subject ?? (event.provider === null ? 'guard' : `provider:${event.provider}`);
  return { ...cloudEvent, subject };
}

/** The message of a tool, as JSON. */
export function toIncidentMessage(tool: IncidentToolKind, event: GuardEvent, context: IncidentContext): string {
  return JSON.stringify(tool === 'pagerduty' ? toPagerDuty(event, context) : toIncidentCloudEvent(event));
}
