import type { CommandWords } from './command-line.ts';

/**
 * Every type of event, described once. Severities, alerts, history, panel, docs/events.md and the sections of docs/runbook.md
 * are made from this table: a new type of event is one more record here.
 */

export type Severity = 'info' | 'warning' | 'critical';

/** Who did what the event reports. */
export type Actor = 'guard' | 'operator' | 'Qonversion';

/** What happens to an integration's deliveries over a stretch of time, as the panel draws it. */
export type Phase = 'delivering' | 'failing' | 'probing' | 'paused' | 'suspended' | 'operator';

/** What the sentences about one event are made from. */
export interface EventSubject {
  /** Where the events go: "Amplitude (iOS)". */
  readonly destination: string;
  /** The provider the event is about; empty for events about the guard. */
  readonly provider: string;
  /** The integration's id, for commands. */
  readonly id: string;
  /** When the guard probes next, as a reader would say it ("13:00 UTC"); null when no probe will follow. */
  readonly nextProbe: string | null;
  /** The command line for `words`, complete enough to be copied. */
  readonly command: (words: CommandWords) => string;
}

type Sentences = (subject: EventSubject) => string;

export interface EventDescription {
  /** How much the event asks of a person. */
  readonly severity: Severity;
  readonly actor: Actor;
  /** The event stands in the history, and nobody is alerted. */
  readonly auditOnly: boolean;
  /** What happened, in a few words that fit after an integration's name or a count. */
  readonly label: string;
  /** When the event occurs, in one or two sentences. May hold Markdown. */
  readonly description: string;
  /** Whether an alert quotes the last error: without it the reader does not know what broke. */
  readonly quotesLastError: boolean;
  /** What it does to the incident of its episode; null: nothing. */
  readonly incident: 'trigger' | 'resolve' | null;
  /** How deliveries were before the event, and how they are from then on; null: as before. */
  readonly phases: { readonly before: Phase; readonly after: Phase } | null;
  /** What the event means for the customer's data. */
  readonly meaning: Sentences;
  /** What to look at first. */
  readonly check: Sentences | null;
  /** What to do, with the exact commands. */
  readonly advice: Sentences | null;
  /** What only the runbook says. */
  readonly background: Sentences | null;
}

const LAST_ERROR: Sentences = () =>
  'The last error. 401 and 403: the credentials. 404 and 410: the endpoint moved. 429: the provider limits your rate. 5xx and time-outs: the provider itself.';

const REFUSAL: Sentences = () =>
  'The reason in the alert. 403: the key may not change integrations. 404: the integration was deleted. No answer: the next pass checks whether the change took effect.';

const fixAndResume: Sentences = ({ id, command }) =>
  `Fix it at the provider, then resume it: ${command({ run: 'resume', id })}`;

const fixOrPause: Sentences = ({ id, command }) =>
  `Fix it at the provider. To pause it now: ${command({ run: 'pause', id })}`;

const pauseAgain: Sentences = ({ id, command }) => `Nothing. To pause it again: ${command({ run: 'pause', id })}`;

const listGaps: Sentences = ({ id, command }) =>
  `To list when events were not forwarded, for an export from Qonversion: ${command({ run: 'gaps', id })}`;

/** Qonversion's scheduled reports have these as destinations. */
const REPORTS: ReadonlySet<string> = new Set(['Slack', 'Webhooks']);

const reports: Sentences = ({ provider }) =>
  REPORTS.has(provider) ? ' A scheduled report that is sent through it may stop as well.' : '';

const nextProbe: Sentences = (subject) =>
  subject.nextProbe === null
    ? 'The guard will not resume it.'
    : `At ${subject.nextProbe} the guard probes whether it works again.`;

/** What most types have; the catalogue names the exceptions. */
const USUAL = {
  auditOnly: false,
  quotesLastError: false,
  incident: null,
  phases: null,
  check: null,
  advice: null,
  background: null,
} as const;

const EVENT_CATALOGUE = {
  'integration.failing': {
    severity: 'warning',
    actor: 'guard',
    label: 'failing',
    description:
      'Deliveries keep failing: `warnThreshold` is reached and half of `failingForMinutes`, or `lowTraffic.warnAfterHours`. The limits for a pause are not.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'delivering', after: 'failing' },
    meaning: ({ destination }) => `Events are still sent to ${destination}, but they do not arrive.`,
    check: LAST_ERROR,
    advice: fixOrPause,
    background: ({ id, command }) =>
      `During a planned maintenance, have the guard ignore it: ${command({ run: 'ignore --for 2h', id })}. When a delivery succeeds you get \`integration.recovered\`, and nothing else happens.`,
  },
  'integration.paused': {
    severity: 'critical',
    actor: 'guard',
    label: 'paused',
    description: 'The limits for a pause were reached, so the guard paused the integration.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'delivering', after: 'paused' },
    meaning: (subject) =>
      `No more events are sent to ${subject.destination}. Events from the pause are not delivered later.${reports(subject)} ${nextProbe(subject)}`,
    check: LAST_ERROR,
    advice: fixAndResume,
    background: () =>
      'A pause of Slack or Webhooks may stop a scheduled report as well. With manual recovery the guard never resumes it. You can also resume it in the Qonversion dashboard. The guard counts its failures from that moment. If the pause was wrong, raise the limits for this integration in `overrides`.',
  },
  'integration.would-pause': {
    severity: 'warning',
    actor: 'guard',
    label: 'would be paused',
    description: 'The limits for a pause were reached. In observe mode the guard only reports it.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'delivering', after: 'failing' },
    meaning: ({ destination }) =>
      `The guard is in observe mode and changed nothing. Events are still sent to ${destination}, but they do not arrive.`,
    check: LAST_ERROR,
    advice: fixOrPause,
    background: () =>
      'If you agree with these alerts for some days, set `"mode": "enforce"`. If you do not, raise the limits.',
  },
  'integration.pause-failed': {
    severity: 'critical',
    actor: 'guard',
    label: 'could not be paused',
    description:
      'The guard tried to pause the integration. Qonversion refused, did not answer, or returned another state.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'failing', after: 'failing' },
    meaning: () => 'It may still be active, and its deliveries may still fail. The guard tries again in every pass.',
    check: REFUSAL,
    advice: ({ id, command }) => `Fix what the reason names. To pause it now: ${command({ run: 'pause', id })}`,
  },
  'integration.activation-failed': {
    severity: 'warning',
    actor: 'guard',
    label: 'could not be resumed',
    description: 'A probe was due, but Qonversion did not resume the integration.',
    incident: 'trigger',
    meaning: ({ destination }) =>
      `It stays stopped: no events are sent to ${destination}. The guard tries again in every pass.`,
    check: REFUSAL,
    advice: ({ id, command }) => `Fix what the reason names. To resume it now: ${command({ run: 'resume', id })}`,
  },
  'integration.suspended': {
    severity: 'critical',
    actor: 'Qonversion',
    label: 'suspended by Qonversion',
    description: "Qonversion's delivery worker suspended the integration (`active` 2).",
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'delivering', after: 'suspended' },
    meaning: (subject) =>
      `Qonversion sends no more events to ${subject.destination}. Events from the suspension are not delivered later.${reports(subject)} ${nextProbe(subject)}`,
    check: LAST_ERROR,
    advice: fixAndResume,
    background: () => 'The guard never turns a suspension into a pause.',
  },
  'integration.reactivated': {
    severity: 'info',
    actor: 'operator',
    label: 'resumed by an operator',
    description: 'An operator resumed an integration that the guard or Qonversion had stopped.',
    incident: 'resolve',
    phases: { before: 'paused', after: 'delivering' },
    meaning: ({ destination }) =>
      `Events are sent to ${destination} again. The guard leaves it on and counts failures from now on.`,
    check: (subject) =>
      `Did your team resume it? If not, another person has access to the project. ${listGaps(subject)}`,
    advice: pauseAgain,
  },
  'integration.probing': {
    severity: 'info',
    actor: 'guard',
    label: 'probing',
    auditOnly: true,
    description: 'The cooldown is over. The guard resumed the integration to see whether deliveries succeed.',
    phases: { before: 'paused', after: 'probing' },
    meaning: ({ destination }) =>
      `Events are sent to ${destination} again as a probe. If deliveries go on, the outage is over. Failures stop it again, for longer.`,
    advice: pauseAgain,
  },
  'integration.probe-failed': {
    severity: 'info',
    actor: 'guard',
    auditOnly: true,
    label: 'probe failed',
    description: 'Deliveries failed during a probe, so the guard paused the integration again, for longer.',
    quotesLastError: true,
    phases: { before: 'probing', after: 'paused' },
    meaning: (subject) => `No more events are sent to ${subject.destination}. ${nextProbe(subject)}`,
    check: LAST_ERROR,
    advice: fixAndResume,
  },
  'integration.recovered': {
    severity: 'info',
    actor: 'guard',
    label: 'recovered',
    description: 'Deliveries succeed again. After a probe they have gone on for as long as the last cooldown.',
    incident: 'resolve',
    phases: { before: 'failing', after: 'delivering' },
    meaning: ({ destination }) => `Events arrive at ${destination} again.`,
    advice: (subject) => `Nothing. ${listGaps(subject)}`,
    background: () => 'Events from a pause are not delivered later. If you need them, export them from Qonversion.',
  },
  'integration.recovery-abandoned': {
    severity: 'critical',
    actor: 'guard',
    label: 'recovery abandoned',
    description:
      'All probes failed, or an operator changed the integration while the guard had paused it. The guard probes no more.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'paused', after: 'paused' },
    meaning: ({ destination }) => `No events are sent to ${destination} until a person resumes it.`,
    check: LAST_ERROR,
    advice: fixAndResume,
    background: () =>
      'The reason in the alert says which of the two happened. The guard does not undo a change that may be an operator’s.',
  },
  'integration.still-down': {
    severity: 'warning',
    actor: 'guard',
    label: 'still down',
    description: 'The daily summary (`remindAt`): the integration is still stopped.',
    quotesLastError: true,
    incident: 'trigger',
    meaning: (subject) =>
      `No events are sent to ${subject.destination}. Events from the pause are not delivered later. ${nextProbe(subject)}`,
    check: LAST_ERROR,
    advice: fixAndResume,
    background: ({ id, command }) =>
      `To keep it off and end the reminders, make the pause your own: ${command({ run: 'pause', id })}.`,
  },
  'integration.flapping': {
    severity: 'warning',
    actor: 'guard',
    label: 'flapping',
    description:
      'Deliveries fail and succeed by turns, and most fail. Each success resets the count, so no limit is reached.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'delivering', after: 'failing' },
    meaning: ({ destination }) =>
      `Some events arrive at ${destination}, many do not. Failed events are lost unless Qonversion sends them again.`,
    check: LAST_ERROR,
    advice: fixOrPause,
    background: ({ id, command }) =>
      `The guard pauses a flapping integration only if the settings say so. To stop these alerts: ${command({ run: 'ignore --for 7d', id })}.`,
  },
  'integration.operator-paused': {
    severity: 'info',
    actor: 'operator',
    auditOnly: true,
    label: 'paused by an operator',
    description: 'An operator paused the integration, or it was never started.',
    phases: { before: 'delivering', after: 'operator' },
    meaning: ({ destination }) => `No events are sent to ${destination}. The guard never resumes it.`,
    advice: ({ id, command }) => `To resume it: ${command({ run: 'resume', id })}`,
  },
  'integration.operator-resumed': {
    severity: 'info',
    actor: 'operator',
    auditOnly: true,
    label: 'resumed by an operator',
    description: 'An operator resumed an integration that an operator had paused, or started a new one.',
    phases: { before: 'operator', after: 'delivering' },
    meaning: ({ destination }) => `Events are sent to ${destination} again. The guard counts failures from now on.`,
    advice: pauseAgain,
  },
  'integration.exemption': {
    severity: 'info',
    actor: 'operator',
    auditOnly: true,
    label: 'ignored or unignored',
    description: 'An operator had the guard ignore the integration for some time, or ended that.',
    meaning: () => 'While an integration is ignored, the guard neither pauses it nor sends alerts about it.',
    advice: ({ id, command }) => `Nothing. To have it guarded again: ${command({ run: 'ignore --off', id })}`,
  },
  'provider.down': {
    severity: 'critical',
    actor: 'guard',
    label: 'down',
    description:
      'Most integrations of one provider that were tried lately fail at once (`providerOutage`). One event instead of one per integration.',
    incident: 'trigger',
    meaning: ({ provider }) =>
      `${provider} rejects the events of many integrations, so the cause is there. The guard pauses none of them for now: events are still sent, and Qonversion repeats failed ones for a while.`,
    check: ({ provider, command }) => `The status page of ${provider}. Which integrations: ${command('plan')}`,
    advice: () => 'Nothing, if the provider is repairing it. Do not pause them: what you pause is lost for certain.',
    background: () =>
      'While the outage lasts, and for at most `providerOutage.holdHours`, none of the provider’s integrations is paused or reported on its own. After that each is judged by itself.',
  },
  'provider.recovered': {
    severity: 'info',
    actor: 'guard',
    label: 'recovered',
    description: 'For about half an hour few integrations of the provider have failed.',
    incident: 'resolve',
    meaning: ({ provider }) =>
      `${provider} accepts events again. Integrations that still fail are judged by themselves.`,
  },
  'guard.common-cause': {
    severity: 'critical',
    actor: 'guard',
    label: 'failing for a common cause',
    description:
      'Integrations of several providers, or most of the project, fail at once: the cause is at Qonversion, in the network, or in an account that they share.',
    incident: 'trigger',
    meaning: () =>
      'The guard pauses none of them for now. Events are still sent, and Qonversion repeats failed ones for a while.',
    check: ({ command }) => `Qonversion's status page. What the errors have in common: ${command('plan')}`,
    advice: () => 'Nothing, if Qonversion is repairing it. Do not pause them: what you pause is lost for certain.',
  },
  'guard.common-cause-ended': {
    severity: 'info',
    actor: 'guard',
    label: 'delivering after a common cause',
    description: 'For about half an hour few integrations have failed.',
    incident: 'resolve',
    meaning: () => 'Integrations that still fail are judged by themselves.',
  },
  'guard.list-suspicious': {
    severity: 'critical',
    actor: 'guard',
    label: 'list of integrations suspicious',
    description: 'The list has suddenly lost most of the integrations it had, or all of them.',
    incident: 'trigger',
    meaning: () => 'The guard concludes nothing from this list: it pauses, probes and forgets nothing.',
    check: () =>
      'Does the secret hold the key of another project? Were integrations deleted? Does Qonversion report an incident?',
    advice: ({ command }) =>
      `If the key is wrong, store the right one. If the list is right, do nothing: the guard accepts it after a day. To see it: ${command('list')}`,
  },
  'guard.held': {
    severity: 'critical',
    actor: 'guard',
    label: 'pauses held back',
    description:
      'More integrations reached the limits in one pass than the blast radius allows, so the guard paused none of them.',
    incident: 'trigger',
    meaning: () =>
      'So many failures at once usually have one cause, so the guard paused nothing. Events are still sent, but they do not arrive.',
    check: ({ command }) =>
      `What they share: a provider, a network, an error (${command('plan')}). Does Qonversion's status page report an incident?`,
    advice: ({ command }) => `Fix the common cause. If you want all of them paused: ${command('run --force')}`,
  },
  'guard.backlog': {
    severity: 'critical',
    actor: 'guard',
    label: 'older alerts merged',
    description:
      'Alerts could not be delivered for so long that the ledger has no room for more of them. The older ones of one integration, or of the project, are merged into this one.',
    meaning: () =>
      'The alerts named here arrive only now, and as a summary. The history has each of them, unless it could not be written either.',
    check: () =>
      'Why alerts were refused: the topic and its encryption key, a deleted chat channel, the log of the pass.',
    advice: ({ command }) => `Read what happened, and whether it is over: ${command('history --since 7d')}`,
    background: () =>
      'Each integration, and the project, keeps up to 64 KiB of alerts that an audience has not accepted. Newer alerts are kept whole.',
  },
  'guard.unreadable': {
    severity: 'warning',
    actor: 'guard',
    label: 'records unreadable',
    description: 'Some records do not look as the API documents them.',
    incident: 'trigger',
    meaning: () => 'The guard skips these records. It guards all other integrations as usual.',
    check: ({ command }) => `Which field of which record: ${command('list --json')}, under "invalid".`,
    advice: () => 'Update the guard. If that does not help, report the record to Qonversion.',
  },
  'guard.failing': {
    severity: 'critical',
    actor: 'guard',
    label: 'the guard cannot run',
    description: 'Passes cannot run.',
    incident: 'trigger',
    meaning: () => 'The guard watches no integration of this project until this is fixed.',
    check: () =>
      'The reason in the alert. Secret Key refused (401): the key was regenerated. Secret empty: the key was never stored. Could not be reached, or 5xx: Qonversion or the network. Ledger: DynamoDB.',
    advice: ({ command }) => `Fix what the reason names, then check: ${command('plan')}`,
    background: () =>
      'The stack’s outputs have the command that stores the key. *Names a policy that fleet.policies does not have*: correct the tag of the secret. When passes run again you get `guard.recovered`.',
  },
  'guard.recovered': {
    severity: 'info',
    actor: 'guard',
    label: 'the guard runs again',
    description: 'Passes run again after `guard.failing`.',
    incident: 'resolve',
    meaning: () => 'The guard watches all integrations of this project again.',
  },
} as const satisfies Readonly<Record<string, Omit<EventDescription, keyof typeof USUAL> & Partial<EventDescription>>>;

export type EventType = keyof typeof EVENT_CATALOGUE;

/** In the order of the catalogue. */
export const EVENT_TYPES = Object.keys(EVENT_CATALOGUE) as readonly EventType[];

export function describeType(type: EventType): EventDescription {
  return { ...USUAL, ...EVENT_CATALOGUE[type] };
}

/** The section of the runbook about a type of event. */
export function runbookSection(type: EventType): string {
  return type.replace(/^integration\./, '').replace('.', '-');
}
