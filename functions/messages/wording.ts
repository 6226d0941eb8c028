import { type CommandWords, commandLine } from '../guard/model/command-line.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import { describeType, type EventSubject, type EventType, runbookSection } from '../guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import { plural } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';

/** What mails, chat notifications and SMS have in common. Pure; the text in events was made safe when they were made. */

/** What a message names besides its events. */
export interface MessageContext {
  readonly project: string;
  /** Where the guard runs, for readers of several accounts: "account 123456789012, eu-west-1"; null on one machine. */
  readonly place: string | null;
  /** The stack to name in commands; null when the guard runs without one. */
  readonly stack: string | null;
  /** Address of the runbook; null when it has none. */
  readonly runbook: string | null;
  /** Where the control panel is; null when there is none. */
  readonly panel: string | null;
}

/** Events that one paragraph can describe: the same thing happened to integrations of one provider. */
export interface EventGroup {
  readonly first: GuardEvent;
  readonly events: readonly GuardEvent[];
}

/** @param sorted the events in the order of the groups */
export function groupEvents(sorted: readonly GuardEvent[]): readonly EventGroup[] {
  const groups = new Map<string, { first: GuardEvent; events: GuardEvent[] }>();
  for (const event of sorted) {
    const { type, record, nextProbeAt } = event;
    const key = JSON.stringify([type, record === null ? event.id : record.integration, nextProbeAt]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: event, events: [event] });
    else group.events.push(event);
  }
  return [...groups.values()];
}

/** What the catalogue's sentences need to know about a group. Commands about several integrations say ID instead of an id. */
export function subjectOf({ first, events }: EventGroup, context: MessageContext): EventSubject {
  const records = events.flatMap(({ record }) => (record === null ? [] : [record]));
  const platforms = [...new Set(records.map(({ target_platform }) => target_platform))];
  return {
    provider: first.record?.integration ?? first.provider ?? '',
    destination: first.record === null ? '' : `${first.record.integration} (${platforms.join(', ')})`,
    id: events.length === 1 ? (first.record?.id ?? '') : 'ID',
    nextProbe: first.nextProbeAt === null ? null : describeMoment(first.nextProbeAt, first.time),
    command: (words) => command(words, context),
  };
}

/** A command line that can be copied. */
export function command(words: CommandWords, { project, stack }: Pick<MessageContext, 'project' | 'stack'>): string {
  return commandLine(words, { project, stack });
}

/** The section of the runbook about a type of event, if the runbook has an address. */
export function helpLink(type: EventType, { runbook }: MessageContext): string | null {
  return runbook === null ? null : `${runbook}#${runbookSection(type)}`;
}

/** The error that explains the event, if its type needs one. */
export function explainingError({ type, record }: GuardEvent): string | null {
  return describeType(type).quotesLastError ? (record?.last_error_message ?? null) : null;
}

/** Everything that happened in one line, in the order of the events. */
export function summarize(sorted: readonly GuardEvent[]): string {
  const byType = new Map<EventType, GuardEvent[]>();
  for (const event of sorted) {
    const events = byType.get(event.type);
    if (events === undefined) byType.set(event.type, [event]);
    else events.push(event);
  }
  const parts = [...byType].map(([type, events]) => `${namesOf(events)} ${describeType(type).label}`.trim());
  return `${parts.join(', ')}${sorted.length === 1 ? failuresOf(sorted[0]) : ''}`;
}

function failuresOf(event: GuardEvent | undefined): string {
  // A count of failures beside "recovered" would only confuse.
  if (event === undefined || !describeType(event.type).quotesLastError) return '';
  const failures = event.figures?.freshErrors ?? 0;
  return failures === 0 ? '' : `, ${plural(failures, 'failure')}`;
}

/** "Amplitude iOS and Amplitude Android", or how many when those are too many names; nothing for events about the project. */
export function namesOf(events: readonly GuardEvent[]): string {
  const providers = events.flatMap(({ record, provider }) => (record === null && provider !== null ? [provider] : []));
  if (providers.length > 0) return providers.join(' and ');
  const records = events.flatMap(({ record }) => (record === null ? [] : [record]));
  if (records.length <= 2) return records.map(shortName).join(' and ');
  const [provider, ...others] = new Set(records.map(({ integration }) => integration));
  return others.length === 0 ? `${records.length} ${provider} integrations` : `${records.length} integrations`;
}

/** "Amplitude iOS". */
export function shortName(record: IntegrationRecord): string {
  return `${record.integration} ${record.target_platform}`;
}

/** Bytes of `text` as a string in a JSON document. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/**
 * Renders as many items as fit, the first ones first.
 * @param render makes the text with that many items in full and the others counted
 */
export function renderWithin<Rendered>(
  most: number,
  render: (shown: number) => Rendered,
  fits: (rendered: Rendered) => boolean,
): Rendered {
  let shown = most;
  let rendered = render(shown);
  while (shown > 0 && !fits(rendered)) {
    shown -= 1;
    rendered = render(shown);
  }
  return rendered;
}
