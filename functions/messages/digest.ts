import { type EventType, type GuardEvent, type Severity, bySeverity } from '../guard/model/event.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import { plural, shorten, toAscii } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';

/** What machines and people are sent, as text. Pure; the text inside events has been made safe when they were made. */

/** A CloudEvents 1.0 event in the JSON format. */
export interface CloudEvent {
  readonly specversion: '1.0';
  /** Together with `source` names the event: a second copy bears the same pair. */
  readonly id: string;
  readonly source: string;
  readonly type: EventType;
  /** The integration's id; left out for events about the guard itself. */
  readonly subject?: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: {
    readonly severity: Severity;
    readonly project: string;
    readonly episode: string;
    readonly reason: string;
    readonly integration: IntegrationRecord | null;
    readonly figures: GuardEvent['figures'];
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
      reason: event.reason,
      integration: event.record,
      figures: event.figures,
      nextProbeAt: event.nextProbeAt,
    },
  };
}

/** One message for people about everything one pass has to tell. */
export interface Digest {
  /** At most 100 printable ASCII characters (SNS refuses more). */
  readonly subject: string;
  readonly text: string;
  /** One line of at most 140 ASCII characters: one SMS. */
  readonly sms: string;
  /** The worst of what it tells. */
  readonly severity: Severity;
}

export interface DigestContext {
  readonly project: string;
  /** The stack to name in commands; null when the guard runs without one. */
  readonly stack: string | null;
  /** Where the runbook is. */
  readonly runbook: string;
  /** Where the control panel is; null when there is none. */
  readonly panel: string | null;
}

/** The section of the runbook about a type of event. */
export function runbookSection(type: EventType): string {
  return type.replace(/^integration\./, '').replace('.', '-');
}

const SUBJECT_LENGTH = 100;
const SMS_LENGTH = 140;
/** A mail nobody scrolls through; machines get every event anyway. */
const MOST_DETAILS = 40;

/** @throws when there are no events: there is nothing to tell then */
export function toDigest(events: readonly GuardEvent[], context: DigestContext): Digest {
  const sorted = [...events].sort(bySeverity);
  const [worst] = sorted;
  if (worst === undefined) throw new Error('a digest needs at least one event');
  const summary = toAscii(summarize(sorted));
  const shown = sorted.slice(0, MOST_DETAILS);
  const rest = sorted.length - shown.length;
  const heading = `Integration Guard, project "${context.project}", ${worst.time.slice(0, 16).replace('T', ' ')} UTC`;
  const text = [
    heading,
    ...shown.map((event) => describeEvent(event, context)),
    ...(rest > 0
      ? [`… and ${plural(rest, 'more event')} of this pass; \`${command('list', context)}\` shows them all.`]
      : []),
    ...(context.panel === null ? [] : [`All integrations, what was done, and buttons to undo it: ${context.panel}`]),
  ].join('\n\n');
  return {
    subject: cut(`[${context.project}] ${summary}`, SUBJECT_LENGTH),
    text: `${text}\n`,
    sms: cut(`Integration Guard, ${context.project}: ${summary}`, SMS_LENGTH),
    severity: worst.severity,
  };
}

/** Message attributes of one event, for filter policies. SNS wants values that are not empty. */
export function eventAttributes(event: GuardEvent): Readonly<Record<string, string>> {
  const { record } = event;
  return {
    kind: 'event',
    type: event.type,
    severity: event.severity,
    project: event.project,
    ...(record === null ? {} : { integration: record.integration || '-', target_platform: record.target_platform }),
  };
}

export function digestAttributes(digest: Digest, project: string): Readonly<Record<string, string>> {
  return { kind: 'digest', severity: digest.severity, project };
}

/** What has happened, in a few words that fit after an integration's name or a count. */
export const VERB = {
  'integration.failing': 'failing',
  'integration.paused': 'paused',
  'integration.would-pause': 'would be paused',
  'integration.pause-failed': 'could not be paused',
  'integration.activation-failed': 'could not be re-activated',
  'integration.suspended': 'suspended by Qonversion',
  'integration.reactivated': 're-activated',
  'integration.probing': 'on trial',
  'integration.recovered': 'recovered',
  'integration.recovery-abandoned': 'given up',
  'integration.still-down': 'still down',
  'integration.unstable': 'unstable',
  'integration.operator-paused': 'paused by an operator',
  'integration.operator-resumed': 'resumed by an operator',
  'integration.exemption': 'exemption',
  'guard.held': 'pauses held back',
  'guard.unreadable': 'records unreadable',
  'guard.failing': 'the guard cannot run',
  'guard.recovered': 'the guard runs again',
} as const satisfies Record<EventType, string>;

/** Everything that happened in one line, the worst first. */
export function summarize(sorted: readonly GuardEvent[]): string {
  const [only] = sorted;
  if (sorted.length === 1 && only !== undefined) {
    if (only.record === null) return VERB[only.type];
    const errors =
      only.figures === null || only.figures.freshErrors === 0 ? '' : `, ${plural(only.figures.freshErrors, 'failure')}`;
    return `${shortName(only.record)} ${VERB[only.type]}${errors}`;
  }
  const counts = new Map<EventType, GuardEvent[]>();
  for (const event of sorted) counts.set(event.type, [...(counts.get(event.type) ?? []), event]);
  return [...counts]
    .map(([type, events]) => {
      const [first] = events;
      if (first === undefined || first.record === null) return VERB[type];
      return `${namesOf(events)} ${VERB[type]}`;
    })
    .join(', ');
}

/** Names while one can take them in, a number beyond that. */
function namesOf(events: readonly GuardEvent[]): string {
  if (events.length > 2) return `${events.length} integrations`;
  return events.flatMap(({ record }) => (record === null ? [] : [shortName(record)])).join(' and ');
}

/** "Amplitude iOS". */
export function shortName(record: IntegrationRecord): string {
  return `${record.integration} ${record.target_platform}`;
}

function describeEvent(event: GuardEvent, context: DigestContext): string {
  const { record } = event;
  const name = record === null ? '' : `: ${shortName(record)} "${record.title}" (${record.id})`;
  const lines = [`${VERB[event.type].toUpperCase()}${name}`, `  Why:    ${event.reason}`];
  if (record?.last_error_message && EXPLAINED_BY_LAST_ERROR.has(event.type)) {
    const at = record.last_error_at === null ? '' : ` (${describeMoment(record.last_error_at, event.time)})`;
    lines.push(`  Error:  ${record.last_error_message}${at}`);
  }
  lines.push(
    `  Means:  ${meaning(event)}`,
    `  Do:     ${advice(event, context)}`,
    `  Help:   ${context.runbook}#${runbookSection(event.type)}`,
  );
  return lines.join('\n');
}

/** Events whose story is incomplete without what the provider said. */
export const EXPLAINED_BY_LAST_ERROR: ReadonlySet<EventType> = new Set([
  'integration.failing',
  'integration.paused',
  'integration.would-pause',
  'integration.pause-failed',
  'integration.suspended',
  'integration.recovery-abandoned',
  'integration.still-down',
  'integration.unstable',
]);

/** What it means for the customer's data. */
export function meaning(event: GuardEvent): string {
  const to = event.record === null ? '' : `${event.record.integration} (${event.record.target_platform})`;
  const again =
    event.nextProbeAt === null
      ? 'The guard will not re-activate it by itself.'
      : `The guard tries again by itself at ${describeMoment(event.nextProbeAt, event.time)}.`;
  switch (event.type) {
    case 'integration.failing':
      return `Events are still sent to ${to}, and they do not arrive.`;
    case 'integration.paused':
      return `From now on no events go to ${to}, and those of the pause are not sent later. ${again}`;
    case 'integration.would-pause':
      return `Nothing was touched: the guard only observes. Events are still sent to ${to}, and they do not arrive.`;
    case 'integration.pause-failed':
      return `It may still be active, and its events go on failing. The guard tries to pause it in every pass.`;
    case 'integration.activation-failed':
      return `It stays stopped, and no events go to ${to}. The guard tries again in every pass.`;
    case 'integration.suspended':
      return `Qonversion has stopped sending events to ${to}, and those of the suspension are not sent later. ${again}`;
    case 'integration.reactivated':
    case 'integration.operator-resumed':
      return `Events go to ${to} again. The guard leaves it on, and counts failures anew.`;
    case 'integration.probing':
      return `Events go to ${to} again, on trial: a delivery that succeeds ends the outage, a few failures pause it again.`;
    case 'integration.recovered':
      return `Events arrive at ${to} again.`;
    case 'integration.recovery-abandoned':
      return `No events go to ${to} until a person re-activates it.`;
    case 'integration.still-down':
      return `No events have gone to ${to} all this time, and they are not sent later. ${again}`;
    case 'integration.unstable':
      return `Some events arrive at ${to} and many do not; those that fail are lost unless Qonversion sends them again.`;
    case 'integration.exemption':
      return 'The guard does what the operator has said.';
    case 'integration.operator-paused':
      return `No events go to ${to} until a person re-activates it.`;
    case 'guard.held':
      return 'So many at once usually have a common cause, so all of them are left on: their events are still sent, and do not arrive.';
    case 'guard.unreadable':
      return 'The guard skips what it cannot read; all other integrations are guarded as usual.';
    case 'guard.failing':
      return 'No integration of this project is guarded until this is mended.';
    case 'guard.recovered':
      return 'All integrations of this project are guarded again.';
  }
}

/** What to do next, with the exact command. */
export function advice(event: GuardEvent, context: DigestContext): string {
  const id = event.record?.id ?? '';
  const resume = command(`resume ${id}`, context);
  const pause = command(`pause ${id}`, context);
  switch (event.type) {
    case 'integration.paused':
    case 'integration.suspended':
    case 'integration.recovery-abandoned':
    case 'integration.still-down':
    case 'integration.operator-paused':
      return `mend it at the provider, then re-activate it: ${resume}`;
    case 'integration.failing':
    case 'integration.unstable':
      return `check the provider's credentials and endpoint. To stop it now: ${pause}`;
    case 'integration.would-pause':
    case 'integration.pause-failed':
      return `to pause it now: ${pause}`;
    case 'integration.activation-failed':
      return `to try it now: ${resume}`;
    case 'integration.reactivated':
    case 'integration.operator-resumed':
    case 'integration.probing':
      return `nothing. To stop it again: ${pause}`;
    case 'integration.recovered':
    case 'integration.exemption':
    case 'guard.recovered':
      return 'nothing.';
    case 'guard.held':
      return `look for the common cause: ${command('plan', context)}. If pausing them all is right: ${command('run --force', context)}`;
    case 'guard.unreadable':
      return `report the record to Qonversion, or update the guard. To see them: ${command('list', context)}`;
    case 'guard.failing':
      return `mend what "Why" says, then check: ${command('plan', context)}`;
  }
}

function command(words: string, context: DigestContext): string {
  return `npx guard ${words} --project ${context.project}${context.stack === null ? '' : ` --stack ${context.stack}`}`;
}

function cut(text: string, length: number): string {
  return toAscii(shorten(text, length - 2));
}
