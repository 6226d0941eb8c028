import { bySeverity, type GuardEvent } from '../guard/model/event.ts';
import { describeType, type Severity } from '../guard/model/event-catalogue.ts';
import { plural, shorten, toAscii } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';
import {
  command,
  type EventGroup,
  explainingError,
  groupEvents,
  helpLink,
  jsonBytes,
  type MessageContext,
  namesOf,
  renderWithin,
  shortName,
  subjectOf,
  summarize,
} from './wording.ts';

/** One message for people about all events of one pass. */
export interface Digest {
  /** At most 100 printable ASCII characters (SNS refuses more). */
  readonly subject: string;
  readonly text: string;
  /** One line of at most 140 ASCII characters: one SMS. */
  readonly sms: string;
  /** The worst of its events. */
  readonly severity: Severity;
}

const SUBJECT_LENGTH = 100;
const SMS_LENGTH = 140;
/** Nobody scrolls further in a mail. */
const MAX_EVENTS = 40;

/**
 * The most that a digest's text takes as a JSON string. SNS refuses a message of more than 262,144 bytes, all bodies, the
 * subject and the attributes together.
 */
export const MAX_DIGEST_BYTES = 100 * 1_024;

/**
 * The worst events first. Events that do not fit are counted.
 * @param maxBytes of the text as a JSON string
 * @throws when there are no events
 */
export function toDigest(
  events: readonly GuardEvent[],
  context: MessageContext,
  maxBytes: number = MAX_DIGEST_BYTES,
): Digest {
  const sorted = [...events].sort(bySeverity);
  const [worst] = sorted;
  if (worst === undefined) throw new Error('a digest needs at least one event');
  const summary = toAscii(summarize(sorted));
  const render = (shown: number) =>
    [
      headingOf(worst, context),
      ...groupEvents(sorted.slice(0, shown)).map((group) => describeGroup(group, context)),
      ...restOf(sorted.length - shown, context),
    ].join('\n\n');
  const text = renderWithin(Math.min(sorted.length, MAX_EVENTS), render, (each) => jsonBytes(each) < maxBytes);
  return {
    subject: cut(`[${context.project}] ${summary}`, SUBJECT_LENGTH),
    text: `${text}\n`,
    sms: cut(`Integration Guard, ${context.project}: ${summary}`, SMS_LENGTH),
    severity: worst.severity,
  };
}

/** Message attributes of a digest, for filter policies. */
export function digestAttributes(digest: Digest, project: string): Readonly<Record<string, string>> {
  return { kind: 'digest', severity: digest.severity, project };
}

/** The link comes first: on a phone it is the one thing a reader can use at once. */
function headingOf({ time }: GuardEvent, { project, place, panel }: MessageContext): string {
  const where = place === null ? '' : `, ${place}`;
  return [
    `Integration Guard: project "${project}"${where}, ${time.slice(0, 16).replace('T', ' ')} UTC`,
    ...(panel === null ? [] : [`See and undo: ${panel}`]),
  ].join('\n');
}

function restOf(rest: number, context: MessageContext): readonly string[] {
  return rest === 0 ? [] : [`… and ${plural(rest, 'more event')}. To see them all: ${command('history', context)}`];
}

function describeGroup(group: EventGroup, context: MessageContext): string {
  const { first, events } = group;
  const { label, meaning, check, advice } = describeType(first.type);
  const subject = subjectOf(group, context);
  const several = events.length > 1;
  const todo = advice === null ? 'Nothing.' : advice(subject);
  const help = helpLink(first.type, context);
  return [
    several
      ? `${label.toUpperCase()}: ${namesOf(events)}`
      : `${label.toUpperCase()}${first.record === null && first.provider === null ? '' : `: ${nameOf(first)}`}`,
    ...events.flatMap((event) => (several ? [`- ${nameOf(event)}`, ...reasonsOf(event)] : reasonsOf(event))),
    `  Means:  ${meaning(subject)}`,
    ...(check === null ? [] : [`  Check:  ${check(subject)}`]),
    `  Do:     ${todo}${several && todo.includes(' ID ') ? ' (ID: in parentheses above)' : ''}`,
    ...(help === null ? [] : [`  Help:   ${help}`]),
  ].join('\n');
}

function nameOf({ record, provider }: GuardEvent): string {
  return record === null ? (provider ?? 'the project') : `${shortName(record)} "${record.title}" (${record.id})`;
}

function reasonsOf(event: GuardEvent): readonly string[] {
  const error = explainingError(event);
  const at = event.record?.last_error_at ?? null;
  return [
    `  Why:    ${event.reason}`,
    ...(error === null ? [] : [`  Error:  ${error}${at === null ? '' : ` (${describeMoment(at, event.time)})`}`]),
  ];
}

function cut(text: string, length: number): string {
  return toAscii(shorten(text, length - 2));
}
