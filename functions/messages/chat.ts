import { bySeverity, type GuardEvent } from '../guard/model/event.ts';
import { describeType, type EventSubject, type Severity } from '../guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import { plural, shorten } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';
import { problemOf } from './cloud-event.ts';
import {
  command,
  type EventGroup,
  explainingError,
  groupEvents,
  helpLink,
  leftOut,
  type MessageContext,
  namedProjects,
  namedReasons,
  namesOf,
  placeOf,
  renderWithin,
  type StepText,
  shareOut,
  shortName,
  stepsOf,
  subjectOf,
  summarize,
  timeOf,
} from './wording.ts';

/**
 * A custom notification of Amazon Q Developer in chat applications (Slack, Microsoft Teams), in the schema of its user
 * guide, "Custom notifications". The service silently drops anything that does not fit the schema.
 */
export interface ChatNotification {
  readonly version: '1.0';
  readonly source: 'custom';
  readonly id: string;
  readonly content: {
    readonly textType: 'client-markdown';
    readonly title: string;
    readonly description: string;
    readonly nextSteps: readonly string[];
    readonly keywords: readonly string[];
  };
  readonly metadata: {
    /** Notifications of one thread are shown as one thread. */
    readonly threadId: string;
    readonly summary: string;
    readonly eventType: string;
    readonly enableCustomActions: false;
  };
}

const MAX_EVENTS = 8;
const TITLE_LENGTH = 200;

/** The most bytes of a notification as JSON. SNS accepts 262,144, which is too much to read in a channel. */
export const MAX_CHAT_BYTES = 24 * 1_024;

const EMOJI = {
  critical: ':rotating_light:',
  warning: ':warning:',
  info: ':information_source:',
} as const satisfies Record<Severity, string>;

/**
 * One message about all events of one pass, the worst first. Events that do not fit are counted.
 * @throws when there are no events
 */
export function toChatNotification(events: readonly GuardEvent[], context: MessageContext): ChatNotification {
  const sorted = [...events].sort(bySeverity);
  const [worst] = sorted;
  if (worst === undefined) throw new Error('a notification needs at least one event');
  const project = unlinked(context.project ?? 'Integration Guard');
  const title = (line: string) => `${EMOJI[worst.severity]} ${project}: ${plain(line)}`;
  const summary = summarize(sorted, context, (line) => title(line).length <= TITLE_LENGTH);
  const now = timeOf(sorted);
  const groups = groupEvents(sorted);
  const render = (most: number): ChatNotification => {
    const shares = shareOut(groups, most, context);
    return {
      version: '1.0',
      source: 'custom',
      id: worst.id,
      content: {
        textType: 'client-markdown',
        title: shorten(title(summary), TITLE_LENGTH),
        description: [
          ...headingOf(context),
          ...shares.map(({ group, shown }) => describeGroup(group, shown, context, now)),
          ...restOf(leftOut(sorted.length, shares, context), context),
        ].join('\n\n'),
        nextSteps: shares.flatMap(({ group }) => nextStepsOf(group, context)),
        keywords: [project, worst.severity],
      },
      metadata: {
        // Readers do not see the thread's id. It may hold the name of a provider.
        threadId: (sorted.length === 1 ? problemOf(worst) : worst.id).replace(/[^\w/:.-]/g, '_'),
        summary: shorten(plain(summary), TITLE_LENGTH),
        eventType: worst.type,
        enableCustomActions: false,
      },
    };
  };
  return renderWithin(
    Math.min(sorted.length, MAX_EVENTS),
    render,
    (each) => Buffer.byteLength(JSON.stringify(each)) <= MAX_CHAT_BYTES,
  );
}

/** The link comes first, because on a phone the reader can use it at once. */
function headingOf({ panel, place }: MessageContext): readonly string[] {
  const lines = [...(panel === null ? [] : [panel.url]), ...(place === null ? [] : [`In ${place}`])];
  return lines.length === 0 ? [] : [lines.join('\n')];
}

function restOf(rest: number, context: MessageContext): readonly string[] {
  if (rest === 0) return [];
  const more = `… and ${plural(rest, 'more event')}.`;
  return [context.project === null ? more : `${more} To see them all: ${code(command('history', context))}`];
}

function describeGroup(group: EventGroup, shown: number, context: MessageContext, now: string): string {
  const { first, events } = group;
  const { label, meaning, check } = describeType(first.type);
  const subject = chatSubject(group);
  const several = events.length > 1;
  const heading = `*${label.toUpperCase()}*`;
  const help = helpLink(first.type, context);
  const names = several
    ? plain(namesOf(events))
    : first.record === null && first.provider === null
      ? ''
      : nameOf(first);
  return [
    `${heading}${names === '' ? '' : `: ${names}`}${placeOf(events, context, plain)}`,
    ...namedProjects(events, context, plain),
    ...namedReasons(group, context, plain),
    ...(several
      ? (namedReasons(group, context).length > 0 ? [] : events.slice(0, shown)).flatMap((event) => [
          `• ${nameInList(event, context)}`,
          ...reasonsOf(event, now),
        ])
      : reasonsOf(first, now)),
    `Means: ${meaning(subject)}`,
    ...(check === null ? [] : [`Check: ${check(subject)}`]),
    ...(help === null ? [] : [`Help: ${help}`]),
  ].join('\n');
}

function nameOf({ record, provider }: GuardEvent): string {
  return record === null
    ? plain(provider ?? 'the project')
    : `${plain(shortName(record))} ${quoted(record.title)} (${idOf(record)})`;
}

function nameInList(event: GuardEvent, { project }: MessageContext): string {
  const about = event.record === null && event.provider === null ? '' : nameOf(event);
  if (project !== null) return about === '' ? nameOf(event) : about;
  return `${plain(event.project)}${about === '' ? '' : `: ${about}`}`;
}

function reasonsOf(event: GuardEvent, now: string): readonly string[] {
  const error = explainingError(event);
  const at = event.record?.last_error_at ?? null;
  return [
    // An alert that could not be delivered for some time.
    ...(event.time === now ? [] : [`When: ${describeMoment(event.time, now)}`]),
    `Why: ${plain(event.reason)}`,
    ...(error === null ? [] : [`Error: ${quoted(error)}${at === null ? '' : ` (${describeMoment(at, now)})`}`]),
  ];
}

/** The advice about a group, and its steps. */
function nextStepsOf(group: EventGroup, context: MessageContext): readonly string[] {
  const { advice } = describeType(group.first.type);
  const name = plain(namesOf(group.events));
  const steps = stepsOf(group, context, plain);
  return [
    `${name === '' ? '' : `${name}: `}${advice(chatSubject(group))}`,
    ...steps.map((step) => describeStep(step, context)),
  ];
}

/** Commands are code, so that readers copy them whole. */
function describeStep({ aim, panel, commands, left }: StepText, context: MessageContext): string {
  return [
    `${aim}${panel === null ? '' : `, ${panel}. In a terminal`}: ${commands.map(code).join(' ')}`,
    ...(left === 0
      ? []
      : [
          context.project === null
            ? `The same for ${left} more.`
            : `The same for ${left} more. Their ids: ${code(command('list', context))}`,
        ]),
  ].join(' ');
}

function chatSubject(group: EventGroup): EventSubject {
  const subject = subjectOf(group);
  return { ...subject, destination: plain(subject.destination), provider: plain(subject.provider) };
}

/** Unchanged, because readers copy it. As code if a chat would turn it into a link or markup. */
function idOf({ id }: IntegrationRecord): string {
  return plain(id) === id ? id : code(id);
}

/**
 * Text without markup, mentions, links and emoji: Slack's (`<!here>`, `<url|text>`, `:name:`), Teams' (`@name`, `[text](url)`, a
 * heading or a list at the start), and those that both make of plain text (`www.example.com`).
 */
function plain(text: string): string {
  return unlinked(text)
    .replace(/[[\]]/g, (bracket) => (bracket === '[' ? '⟦' : '⟧'))
    .replace(/[*_~`]/g, "'")
    .replace(/^\s*(?:[#+=|>-]|\d{1,9}[.)])/, (start) => start.replace(/[^\s\d]/, (sign) => LOOKALIKES[sign] ?? "'"));
}

const LOOKALIKES: Readonly<Record<string, string>> = {
  '#': '＃',
  '+': '＋',
  '=': '＝',
  '|': '¦',
  '-': '–',
  '.': '·',
  ')': '❩',
};

/** Replaces the characters that make a link, a mention or an emoji by similar ones. Times and versions stay. */
function unlinked(text: string): string {
  return untagged(text)
    .replace(/&(?=#?\w{1,31};)/g, '＆')
    .replace(/(?<=[\p{L}\p{N}\p{M}_-])[.．｡․](?=\p{L})|(?<=\w)。(?=\w)/gu, '·')
    .replace(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g, (address) => address.replaceAll('.', '·'))
    .replace(/(?<![\d:])\d{1,2}:\d{2}(?::\d{2})?(?![\d:])|:(?=\S)/g, (found) => (found === ':' ? '∶' : found));
}

/** Untrusted text, shown as code. */
function quoted(text: string): string {
  return code(plain(text));
}

/** As code, without the characters that a chat interprets even in code. */
function code(text: string): string {
  return `\`${untagged(text).replace(/\s+/g, ' ').replace(/`/g, "'")}\``;
}

function untagged(text: string): string {
  return text.replace(/</g, '‹').replace(/>/g, '›').replace(/@/g, '＠');
}
