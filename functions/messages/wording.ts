import { type CommandWords, commandLine } from '../guard/model/command-line.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import { describeType, type EventSubject, type EventType, runbookSection } from '../guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import { plural } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';

/** The parts that mails, chat notifications and SMS share. Pure. The text in events is already safe. */

/** The context of a message. */
export interface MessageContext {
  /** Null: the message is about several projects. */
  readonly project: string | null;
  /** How many projects the fleet has, for a message about several of them; left out: unknown, or not of a fleet. */
  readonly projectsInFleet?: number | undefined;
  /** The place where the guard runs, for readers of several accounts: "account 123456789012, eu-west-1"; null on one machine. */
  readonly place: string | null;
  /** The stack to name in commands; null when the guard runs without one. */
  readonly stack: string | null;
  /** Address of the runbook; null when it has none. */
  readonly runbook: string | null;
  /** The control panel; null when there is none. */
  readonly panel: PanelLink | null;
}

/** Where a project's control panel is. */
export interface PanelLink {
  readonly url: string;
  /** Whether it is the panel of a fleet, on which the reader names the project first. */
  readonly ofFleet: boolean;
}

/** Events that one paragraph can describe: the same thing happened to integrations of one provider, or to several projects. */
export interface EventGroup {
  readonly first: GuardEvent;
  readonly events: readonly GuardEvent[];
}

/**
 * By provider and type. Integrations that the guard probes and those that it does not probe need different advice, so they are two groups.
 * @param sorted the events in the order of the groups
 */
export function groupEvents(sorted: readonly GuardEvent[]): readonly EventGroup[] {
  const several = projectsOf(sorted).length > 1;
  const groups = new Map<string, { first: GuardEvent; events: GuardEvent[] }>();
  for (const event of sorted) {
    const { type, record, nextProbeAt } = event;
    const about = record?.integration ?? (several ? (event.provider ?? '') : event.id);
    const key = JSON.stringify([type, about, nextProbeAt === null]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: event, events: [event] });
    else group.events.push(event);
  }
  return [...groups.values()];
}

/** In several projects an integration fails like its neighbours, so a few of them show what a group is about. */
const MAX_SHOWN_OF_SEVERAL = 3;

/**
 * Which groups a message describes, and how many events of each. A group of one event consists of its details.
 * @param most of groups, and of events
 */
export function shareOut(
  groups: readonly EventGroup[],
  most: number,
  { project }: MessageContext,
): readonly { readonly group: EventGroup; readonly shown: number }[] {
  let left = most;
  return groups.slice(0, Math.max(1, most)).map((group) => {
    const { length } = group.events;
    const limit = project === null ? Math.min(left, MAX_SHOWN_OF_SEVERAL) : left;
    const shown = length === 1 ? 1 : Math.min(length, Math.max(0, limit));
    left -= shown;
    return { group, shown };
  });
}

/** The projects of the events, in their order. */
export function projectsOf(events: readonly GuardEvent[]): readonly string[] {
  return [...new Set(events.map(({ project }) => project))];
}

/**
 * " in 412 of 1,000 projects", " in acme"; nothing if the whole message is about one project.
 * @param quote makes names safe for the place that shows them
 */
export function placeOf(
  events: readonly GuardEvent[],
  { project, projectsInFleet }: MessageContext,
  quote: (text: string) => string = (text) => text,
): string {
  if (project !== null) return '';
  const projects = projectsOf(events);
  const [only = ''] = projects;
  if (projects.length === 1) return ` in ${quote(only)}`;
  const total =
    projectsInFleet === undefined || projectsInFleet < projects.length ? '' : `${grouped(projectsInFleet)} `;
  return ` in ${grouped(projects.length)} ${total === '' ? '' : `of ${total}`}projects`;
}

/** 1000 as "1,000". */
function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

/** The most projects that a paragraph names. */
const MAX_NAMED_PROJECTS = 10;

/** The names of several projects in one line; nothing if the heading already names the only one. */
export function namedProjects(
  events: readonly GuardEvent[],
  { project }: MessageContext,
  quote: (text: string) => string = (text) => text,
): readonly string[] {
  const projects = projectsOf(events);
  if (project !== null || projects.length === 1) return [];
  const named = projects.slice(0, MAX_NAMED_PROJECTS).map(quote).join(', ');
  const left = projects.length - MAX_NAMED_PROJECTS;
  return [`Projects: ${named}${left > 0 ? ` and ${grouped(left)} more` : ''}`];
}

/** How many events a message neither describes nor counts in the headings of its groups. */
export function leftOut(
  total: number,
  shares: readonly { readonly group: EventGroup; readonly shown: number }[],
  { project }: MessageContext,
): number {
  const covered = shares.map(({ group, shown }) => (project === null ? group.events.length : shown));
  return covered.reduce((left, count) => left - count, total);
}

/** The most reasons that a paragraph names. */
const MAX_REASONS = 3;

/** The reasons why the same happened to several projects, the most frequent first; nothing for events about integrations, which differ. */
export function namedReasons(
  { first, events }: EventGroup,
  { project }: MessageContext,
  quote: (text: string) => string = (text) => text,
): readonly string[] {
  if (project !== null || first.record !== null || events.length === 1) return [];
  const reasons = [...Map.groupBy(events, ({ reason }) => reason)].sort(
    ([, left], [, right]) => right.length - left.length,
  );
  const named = reasons.slice(0, MAX_REASONS).map(([reason, { length }]) => `${quote(reason)} (${grouped(length)})`);
  const left = reasons.length - MAX_REASONS;
  return [`Why: ${named.join('; ')}${left > 0 ? `; and ${grouped(left)} other reasons` : ''}`];
}

/** The facts about a group for the catalogue's sentences. */
export function subjectOf({ first, events }: EventGroup): EventSubject {
  const records = recordsOf(events);
  const platforms = [...new Set(records.map(({ target_platform }) => target_platform))];
  return {
    provider: first.record?.integration ?? first.provider ?? '',
    destination: first.record === null ? '' : `${first.record.integration} (${platforms.join(', ')})`,
    several: events.length > 1,
    nextProbe: probePhrase(events),
    error: commonError(events),
  };
}

/** "At 13:00 UTC", or the first and the last moment of several. */
function probePhrase(events: readonly GuardEvent[]): string | null {
  const due = events.flatMap(({ nextProbeAt }) => nextProbeAt ?? []).sort();
  const [first, last] = [due[0], due.at(-1)];
  const now = events[0]?.time;
  if (first === undefined || last === undefined || now === undefined) return null;
  return first === last
    ? `At ${describeMoment(first, now)}`
    : `Between ${describeMoment(first, now)} and ${describeMoment(last, now)}`;
}

/** The last error of the events, if all have the same and their type needs one. */
export function commonError(events: readonly GuardEvent[]): string | null {
  const errors = new Set(events.map(explainingError));
  const [error] = errors;
  return errors.size === 1 ? (error ?? null) : null;
}

/** The error that explains the event, if its type needs one. */
export function explainingError({ type, record }: GuardEvent): string | null {
  return describeType(type).quotesLastError ? (record?.last_error_message ?? null) : null;
}

/** A step of the catalogue as a message shows it. */
export interface StepText {
  /** "To resume it". */
  readonly aim: string;
  /** The step on the panel, in words that follow "On your phone,"; null: the panel cannot do it, or there is none. */
  readonly panel: string | null;
  readonly commands: readonly string[];
  /** The number of integrations or projects without a command. */
  readonly left: number;
}

/** A person would not copy more commands than this one by one. */
const MAX_COMMANDS = 10;

/** With several projects, a few commands show the pattern. */
const MAX_COMMANDS_OF_SEVERAL = 3;

/**
 * How to do what the catalogue advises about a group: on the panel, and by commands that can be copied.
 * @param quote makes text of others safe for the place that shows it
 */
export function stepsOf(
  group: EventGroup,
  context: MessageContext,
  quote: (text: string) => string = (text) => text,
): readonly StepText[] {
  const { first, events } = group;
  const subject = subjectOf(group);
  const several = context.project === null;
  const most = several ? MAX_COMMANDS_OF_SEVERAL : MAX_COMMANDS;
  const perProject = [...new Map(events.map((event) => [event.project, event])).values()];
  return describeType(first.type).steps.map(({ aim, panel, run, ofIntegration }) => {
    const targets = ofIntegration ? events.filter(({ record }) => record !== null) : perProject;
    const [only] = targets;
    const at = !ofIntegration
      ? ''
      : targets.length === 1 && only !== undefined && only.record !== null
        ? ` at ${quote(shortName(only.record))} (${quote(only.record.id)})`
        : ' at each of them';
    const commandFor = ({ project, record }: GuardEvent) =>
      command(ofIntegration && record !== null ? { run, id: record.id } : run, {
        project: context.project ?? project,
        stack: context.stack,
      });
    return {
      aim: `To ${aim(subject)}`,
      panel: panel === null || context.panel === null ? null : `${openPanel(context, targets, quote)}${panel}${at}`,
      commands: targets.slice(0, most).map(commandFor),
      left: Math.max(0, targets.length - most),
    };
  });
}

/** @param targets the events whose projects the reader looks for on the panel */
function openPanel(
  { panel, project }: MessageContext,
  targets: readonly GuardEvent[],
  quote: (text: string) => string,
): string {
  const [only = null, ...others] = project === null ? projectsOf(targets) : [project];
  if (panel?.ofFleet !== true) return 'open the link at the top and ';
  const name = only === null || others.length > 0 ? 'its name' : quote(only);
  return `open the link at the top, enter ${name} as the project of the fleet, press Show and `;
}

/** A command line that can be copied. */
export function command(words: CommandWords, { project, stack }: Pick<MessageContext, 'project' | 'stack'>): string {
  return commandLine(words, { project, stack });
}

/** The section of the runbook about a type of event, if the runbook has an address. */
export function helpLink(type: EventType, { runbook }: MessageContext): string | null {
  return runbook === null ? null : `${runbook}#${runbookSection(type)}`;
}

/**
 * All events in one line, in their order. Events that do not fit are counted.
 * @param fits whether a line is short enough
 */
export function summarize(
  sorted: readonly GuardEvent[],
  context: MessageContext,
  fits: (line: string) => boolean,
): string {
  const byType = [...Map.groupBy(sorted, ({ type }) => type)];
  const parts = byType.map(([type, events]) =>
    `${namesOf(events)} ${describeType(type).label}${placeOf(events, context)}`.trim(),
  );
  const render = (shown: number) => {
    const left = byType.slice(shown).reduce((sum, [, events]) => sum + events.length, 0);
    return [...parts.slice(0, shown), ...(left === 0 ? [] : [plural(left, 'more event')])].join(', ');
  };
  const [only] = sorted;
  if (sorted.length === 1 && only !== undefined) return `${parts.join('')}${failuresOf(only)}`;
  // At least one part. The caller cuts the line if it is still too long.
  const shown = parts.findLastIndex((_, index) => fits(render(index + 1)));
  return render(Math.max(1, shown + 1));
}

/** A count of failures beside "recovered" would only confuse. */
function failuresOf({ type, figures }: GuardEvent): string {
  const failures = describeType(type).quotesLastError ? (figures?.freshErrors ?? 0) : 0;
  return failures === 0 ? '' : `, ${plural(failures, 'failure')}`;
}

/** "Amplitude iOS and Amplitude Android", or how many when those are too many names or the same; nothing for events about the project. */
export function namesOf(events: readonly GuardEvent[]): string {
  const about = events.flatMap(({ record, provider }) => (record === null && provider !== null ? [provider] : []));
  const providers = [...new Set(about)];
  if (providers.length > 0) return providers.length <= 2 ? providers.join(' and ') : `${providers.length} providers`;
  const records = recordsOf(events);
  const names = new Set(records.map(shortName));
  if (records.length > 1 && names.size === 1) return `${records.length} ${[...names].join()} integrations`;
  if (records.length <= 2) return [...names].join(' and ');
  const [provider, ...others] = new Set(records.map(({ integration }) => integration));
  return others.length === 0 ? `${records.length} ${provider} integrations` : `${records.length} integrations`;
}

/** "Amplitude iOS". */
export function shortName(record: IntegrationRecord): string {
  return `${record.integration} ${record.target_platform}`;
}

function recordsOf(events: readonly GuardEvent[]): readonly IntegrationRecord[] {
  return events.flatMap(({ record }) => record ?? []);
}

/** The latest time of the events. It is the time of the message, so late alerts are recognisable. */
export function timeOf(events: readonly GuardEvent[]): string {
  return events.reduce((last, { time }) => (time > last ? time : last), '');
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
