import { bySeverity, type GuardEvent } from '../guard/model/event.ts';
import { describeType, type Severity } from '../guard/model/event-catalogue.ts';
import { plural, toAscii } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';
import {
  command,
  commonError,
  type EventGroup,
  explainingError,
  groupEvents,
  helpLink,
  jsonBytes,
  leftOut,
  type MessageContext,
  namedProjects,
  namedReasons,
  namesOf,
  placeOf,
  projectsOf,
  renderWithin,
  type StepText,
  shareOut,
  shortName,
  stepsOf,
  subjectOf,
  summarize,
  timeOf,
} from './wording.ts';

/** One message for people about all events of one pass, or of one run over a fleet. */
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
/** The most events whose details a mail has. Few readers scroll further. */
const MAX_EVENTS = 40;
/** The same if the mail is about several projects: their integrations fail alike. */
const MAX_EVENTS_OF_SEVERAL = 20;

/**
 * The largest size of a digest's text as a JSON string. SNS refuses a message of more than 262,144 bytes, all bodies, the
 * subject and the attributes together.
 */
export const MAX_DIGEST_BYTES = 100 * 1_024;

/**
 * The worst events first. Events that do not fit are counted.
 *
 * A phone shows this in a proportional font and wraps lines after about 45 characters, so nothing is aligned with spaces, a blank
 * line stands between paragraphs, and links and commands have a line of their own: they can be tapped or copied whole.
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
  const now = timeOf(sorted);
  const groups = groupEvents(sorted);
  const render = (most: number) => {
    const shares = shareOut(groups, most, context);
    return `${headingOf(context, sorted, now)}\n\n${[
      ...shares.map(({ group, shown }) => describeGroup(group, shown, context, now)),
      ...restOf(leftOut(sorted.length, shares, context), context),
    ].join(`\n\n${RULE}\n\n`)}`;
  };
  const most = context.project === null ? MAX_EVENTS_OF_SEVERAL : MAX_EVENTS;
  const text = renderWithin(Math.min(sorted.length, most), render, (each) => jsonBytes(each) < maxBytes);
  const line = (begin: string, length: number) => {
    const compose = (summary: string) => toAscii(`${begin}${summary}`);
    return cut(compose(summarize(sorted, context, (summary) => compose(summary).length <= length)), length);
  };
  return {
    subject: line(`[${context.project ?? 'Integration Guard'}] `, SUBJECT_LENGTH),
    text: `${text}\n`,
    sms: withPlace(
      line(`Integration Guard${context.project === null ? '' : `, ${context.project}`}: `, SMS_LENGTH),
      context,
    ),
    severity: worst.severity,
  };
}

/** Between groups. Short enough for a phone, and no signature's "--". */
const RULE = '-----';

/** In place of a project's name in the attributes of a message about several projects. No project can have this name. */
const SEVERAL = '(several)';

/**
 * Message attributes of a digest, for filter policies.
 * @param kind selects the people who get it
 */
export function digestAttributes(
  kind: string,
  { severity }: Digest,
  { project }: MessageContext,
): Readonly<Record<string, string>> {
  return { kind, severity, project: project ?? SEVERAL };
}

/** The link comes first, because on a phone the reader can use it at once. */
function headingOf({ project, place, panel }: MessageContext, events: readonly GuardEvent[], now: string): string {
  const about = project === null ? plural(projectsOf(events).length, 'project') : `project ${project}`;
  const where = place === null ? about : `${place}, ${about}`;
  const time = `${now.slice(0, 16).replace('T', ' ')} UTC`;
  return [
    ...(panel === null ? [] : [panel.url, '']),
    `${where.charAt(0).toUpperCase()}${where.slice(1)}`,
    `Integration Guard, ${time}`,
  ].join('\n');
}

/** An SMS says where the guard runs if it has room. */
function withPlace(sms: string, { place }: MessageContext): string {
  const longer = place === null ? sms : `${sms} (${toAscii(place)})`;
  return longer.length <= SMS_LENGTH ? longer : sms;
}

function restOf(rest: number, context: MessageContext): readonly string[] {
  if (rest === 0) return [];
  const more = `… and ${plural(rest, 'more event')}`;
  return context.project === null ? [`${more}.`] : [`${more}. To see them all:\n${command('history', context)}`];
}

function describeGroup(group: EventGroup, shown: number, context: MessageContext, now: string): string {
  const { first, events } = group;
  const { label, meaning, check, advice } = describeType(first.type);
  const subject = subjectOf(group);
  const several = events.length > 1;
  const names = namesOf(events);
  const help = helpLink(first.type, context);
  const heading = `${label.toUpperCase()}${names === '' ? '' : `: ${names}`}${placeOf(events, context)}`;
  return [
    several
      ? [
          heading,
          ...namedProjects(events, context),
          ...namedReasons(group, context),
          ...sinceOf(events, now),
          ...errorOf(events, now),
        ].join('\n')
      : [heading, ...titleOf(first)].join('\n'),
    ...(several ? [] : [detailsOf(first, now)]),
    `Means: ${meaning(subject)}`,
    ...(check === null ? [] : [`Check: ${check(subject)}`]),
    `Do: ${advice(subject)}`,
    ...stepsOf(group, context).map((step) => describeStep(step, context)),
    ...(help === null ? [] : [`Help: ${help}`]),
    // The advice comes before the details, which fill several screens if there are many integrations.
    ...(several
      ? (namedReasons(group, context).length > 0 ? [] : events.slice(0, shown)).map((event) =>
          [...nameOf(event, context), detailsOf(event, now)].join('\n'),
        )
      : []),
  ].join('\n\n');
}

/** `"Amplitude — Production iOS" (amp-ios)`: identifies one of a provider's integrations. */
function titleOf({ record }: GuardEvent): readonly string[] {
  return record === null ? [] : [`"${record.title}" (${record.id})`];
}

function nameOf(event: GuardEvent, { project }: MessageContext): readonly string[] {
  const ofProject = project === null ? `${event.project}` : '';
  if (event.record === null) return ofProject === '' ? [] : [`• ${ofProject}`];
  return [`• ${ofProject === '' ? '' : `${ofProject}: `}${shortName(event.record)} ${titleOf(event).join('')}`];
}

/** The time since which the first of several integrations has failed. */
function sinceOf(events: readonly GuardEvent[], now: string): readonly string[] {
  const [first] = events
    .flatMap(({ type, figures }) =>
      figures === null || !describeType(type).quotesLastError ? [] : [new Date(figures.failingSince).toISOString()],
    )
    .sort();
  return first === undefined ? [] : [`Since: ${describeMoment(first, now)}`];
}

/** The error that several integrations have in common. */
function errorOf(events: readonly GuardEvent[], now: string): readonly string[] {
  const error = commonError(events);
  const last = events
    .flatMap(({ record }) => record?.last_error_at ?? [])
    .sort()
    .at(-1);
  return error === null ? [] : [`Error: ${error}${last === undefined ? '' : ` (${describeMoment(last, now)})`}`];
}

function detailsOf(event: GuardEvent, now: string): string {
  const error = explainingError(event);
  const at = event.record?.last_error_at ?? null;
  return [
    // An alert that could not be delivered for some time.
    ...(event.time === now ? [] : [`When: ${describeMoment(event.time, now)}`]),
    `Why: ${event.reason}`,
    ...(error === null ? [] : [`Error: ${error}${at === null ? '' : ` (${describeMoment(at, now)})`}`]),
  ].join('\n');
}

function describeStep({ aim, panel, commands, left }: StepText, context: MessageContext): string {
  return [
    `${aim}:`,
    ...(panel === null ? [] : [`On your phone, ${panel}.`, 'In a terminal:']),
    ...commands,
    ...(left === 0 ? [] : leftOver(left, context)),
  ].join('\n');
}

function leftOver(left: number, context: MessageContext): readonly string[] {
  const more = `The same for ${left} more`;
  return context.project === null ? [`${more}.`] : [`${more}. Their ids:`, command('list', context)];
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3).trimEnd()}...`;
}
