import { commandLine } from '../../functions/guard/model/command-line.ts';
import {
  describeType,
  EVENT_TYPES,
  type EventSubject,
  type EventType,
  runbookSection,
  type Step,
} from '../../functions/guard/model/event-catalogue.ts';
import { eventAttributes, toCloudEvent } from '../../functions/messages/cloud-event.ts';
import { anEvent } from '../messages/events.ts';

/** Generates the pages about events from the event catalogue. `npm run docs` writes them, and a test compares them. */

export const EVENTS_PAGE = 'docs/events.md';
export const RUNBOOK_PAGE = 'docs/runbook.md';

const BEGIN =
  '<!-- From here to the next mark the text is generated from functions/guard/model/event-catalogue.ts: npm run docs -->';
const END = '<!-- end of the generated text -->';

/** docs/events.md: every event type, and the message for machines. */
export function eventsPage(): string {
  const example = anEvent('integration.paused');
  return `<!-- Generated from functions/guard/model/event-catalogue.ts: npm run docs -->

# Events

The guard reports each act and each finding as an event. Machines get one message per event, and people get one digest per pass, or per run of a fleet.
Audit-only events are only in the history (\`npx integration-guard history\`), except that machines get those which open or close an incident. The [runbook](runbook.md) says what to do about each event.

| event | severity | actor | sent to | incident |
| --- | --- | --- | --- | --- |
${EVENT_TYPES.map(row).join('\n')}

## The message for machines

The message is a [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md) event in JSON. Delivery is
at least once: a second copy has the same \`source\` and \`id\`.

\`\`\`json
${JSON.stringify(toCloudEvent(example), null, 2)}
\`\`\`

| field | content |
| --- | --- |
| \`subject\` | ID of the integration; missing if the event is about the project |
| \`data.episode\` | the same for all events of one problem |
| \`data.incident\` | \`{ key, action, severity }\`: open the incident of this key on \`trigger\`, or raise its severity if it is open; close it on \`resolve\`. \`null\`: do neither |
| \`data.reason\` | one sentence for people |
| \`data.integration\` | the API's record, with texts shortened and credentials removed; \`null\` if the event is about the project |
| \`data.figures\` | the numbers behind the decision, or \`null\` |
| \`data.nextProbeAt\` | the time of the next probe; \`null\` if there is none |

## Incidents

A problem opens one incident and closes it. The column "incident" names the event types that can do so:

- The first alert of a problem has \`trigger\`. A later alert with a higher severity, such as \`integration.paused\` after \`integration.failing\`, has \`trigger\` with the same key.
- Any other repeat has \`null\`: reminders, such as \`integration.still-down\` or the second \`guard.held\`, do not open an incident that you have closed.
- When the problem is over, one event has \`resolve\`. If no other event says that it is over, \`incident.closed\` does.

An integration has at most one incident at a time, which lasts until nothing is wrong with it. A provider's outage, a common cause, and each
problem of the guard (\`guard.failing\`, \`guard.held\`, \`guard.unreadable\`, \`guard.list-suspicious\`) have an incident of their own.

The guard also closes an incident when an operator pauses the integration, when the guard ignores it, or when it is deleted. If the guard
watches the integration again and the problem lasts, \`incident.opened\` opens another incident.

Two incidents need you or an alarm:

- If the ledger cannot be read, the guard cannot remember an incident, so this \`guard.failing\` has none. The alarms \`PassErrors\` and \`NoPass\` report it.
- If you remove a project from the settings while an incident is open, close the incident in the tool. After \`renamedFrom\` the guard closes it.

## Message attributes

For filter policies:

| attribute | value |
| --- | --- |
${Object.entries(eventAttributes(example))
  .map(([name, value]) => `| \`${name}\` | ${ATTRIBUTES[name] ?? ''} For example \`${value}\`. |`)
  .join('\n')}

Digests have \`kind\`, \`severity\` (of their worst event) and \`project\`.

${EVENT_TYPES.map(eventSection).join('\n\n')}
`;
}

const ATTRIBUTES: Readonly<Record<string, string>> = {
  kind: '`event` for machines. For people `digest`, `project-digest` (for those who name projects) or `daily-summary`, with their quiet hours.',
  type: 'The type of the event.',
  severity: '`info`, `warning` or `critical`.',
  project: 'The name of the project; `(several)` in a digest about several.',
  integration: 'The display title of the provider. Missing if the event is about the project.',
  target_platform: '`iOS`, `Android` or `Stripe`. Missing if the event is about the project.',
};

function row(type: EventType): string {
  const { severity, actor, auditOnly, incident } = describeType(type);
  const sentTo = type.startsWith('fleet.')
    ? 'incident tools only'
    : !auditOnly
      ? 'machines and people'
      : incident === null
        ? 'no one (audit-only)'
        : `machines, if it ${incident === 'trigger' ? 'opens' : 'closes'} an incident`;
  return `| [\`${type}\`](#${anchor(type)}) | ${severity} | ${actor} | ${sentTo} | ${incident ?? '–'} |`;
}

function eventSection(type: EventType): string {
  const description = describeType(type);
  const help = description.auditOnly ? '' : ` [Runbook](runbook.md#${runbookSection(type)}).`;
  return `## ${type}\n\n${description.description} ${capitalise(description.meaning(aboutAny(type)))}${help}`;
}

/** The anchor that GitHub derives from a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

/**
 * docs/runbook.md with its sections about events up to date.
 * @param page the present page
 * @throws when the page lacks the marks around those sections
 */
export function runbookPage(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${RUNBOOK_PAGE} lacks the lines "${BEGIN}" and "${END}"`);
  const sections = EVENT_TYPES.filter((type) => !describeType(type).auditOnly).map(runbookText);
  return `${page.slice(0, begin)}${BEGIN}\n\n${sections.join('\n\n')}\n\n${page.slice(end)}`;
}

function runbookText(type: EventType): string {
  const { description, meaning, check, advice, steps, background } = describeType(type);
  const about = aboutAny(type);
  return [
    `## ${runbookSection(type)}`,
    `**What happened.** ${description}`,
    `**Means.** ${capitalise(meaning(about))}`,
    ...(check === null ? [] : [`**Check.** ${capitalise(check(about))}`]),
    `**Do.** ${capitalise(advice(about))}`,
    ...(steps.length === 0 ? [] : [steps.map((step) => stepText(step, about)).join('\n')]),
    ...(background === null ? [] : [background]),
  ].join('\n\n');
}

function stepText({ aim, panel, run, ofIntegration }: Step, about: EventSubject): string {
  const line = commandLine(ofIntegration ? { run, id: 'ID' } : run, { project: null, stack: null });
  const button = panel === null ? '' : `, open the control panel and ${panel}`;
  return `- To ${aim(about)}${button}${panel === null ? ':' : '. In a terminal:'} \`${line}\``;
}

function capitalise(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function aboutAny(type: EventType): EventSubject {
  return {
    provider: 'the provider',
    destination: type.startsWith('guard.') ? '' : 'the provider',
    several: false,
    nextProbe: 'At the time in the alert',
    error: null,
  };
}
