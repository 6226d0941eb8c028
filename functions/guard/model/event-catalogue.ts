/**
 * Every type of event, described once. Severities, alerts, history, panel, docs/events.md and the sections of docs/runbook.md
 * are made from this table: a new type of event is one more record here.
 */

export type Severity = 'info' | 'warning' | 'critical';

/** The party whose action the event reports. */
export type Actor = 'guard' | 'operator' | 'Qonversion';

/** The state of an integration's deliveries over a stretch of time, as the panel draws it. */
export type Phase = 'delivering' | 'failing' | 'probing' | 'paused' | 'suspended' | 'operator';

/** Labels of the control panel's buttons. The panel draws them, and messages say which one to press. */
export const BUTTON = {
  pause: 'Pause',
  resume: 'Resume',
  ignore: 'Ignore for a day',
  unignore: 'Guard again',
  run: 'Run now',
} as const;

/** The heading of the panel's history. */
export const HISTORY_HEADING = 'History of the last 7 days';

/** The input for the sentences about the events of one message. */
export interface EventSubject {
  /** Where the events go: "Amplitude (iOS)". */
  readonly destination: string;
  /** The display title of the provider; empty for events about the guard. */
  readonly provider: string;
  /** Whether the message is about more than one integration. */
  readonly several: boolean;
  /** When the guard probes next, as a phrase such as "At 13:00 UTC"; null when no probe will follow. */
  readonly nextProbe: string | null;
  /** The last error of the integrations, if they all have the same; null: unknown, or several. */
  readonly error: string | null;
}

type Sentences = (subject: EventSubject) => string;

/** One thing that a person can do: on the control panel, or by a command. */
export interface Step {
  /** The purpose, in words that follow "To": "resume it". */
  readonly aim: Sentences;
  /** The step on the panel, in words that follow "open the link and"; null: the panel cannot do it. */
  readonly panel: string | null;
  /** The words of the command. */
  readonly run: string;
  /** Whether button and command are about one integration, so that several integrations need one of each. */
  readonly ofIntegration: boolean;
}

export interface EventDescription {
  /** How urgently a person must act. */
  readonly severity: Severity;
  readonly actor: Actor;
  /** People are not alerted. The history has the event, and machines get it if it opens or closes an incident. */
  readonly auditOnly: boolean;
  /** The event in a few words that fit after an integration's name or a count. */
  readonly label: string;
  /** When the event occurs, in one or two sentences. May hold Markdown. */
  readonly description: string;
  /** Whether an alert quotes the last error, so that the reader knows what broke. */
  readonly quotesLastError: boolean;
  /** The effect on an incident, if the event begins or ends the problem. A repeated event has none. Null: it never has one. */
  readonly incident: 'trigger' | 'resolve' | null;
  /** The phase of deliveries before and after the event; null: it does not change. */
  readonly phases: { readonly before: Phase; readonly after: Phase } | null;
  /** The consequence for the customer's data. */
  readonly meaning: Sentences;
  /** The first thing to check. */
  readonly check: Sentences | null;
  /** The next step for the reader, or the reason why none is needed. */
  readonly advice: Sentences;
  /** How to do it, the most useful step first. */
  readonly steps: readonly Step[];
  /** More details, for the runbook only. May hold Markdown and commands. */
  readonly background: string | null;
}

/** Questions about an error, by its pattern. The first match applies. */
const ERROR_HINTS: readonly (readonly [RegExp, Sentences])[] = [
  [statusOf('40[13]'), ({ provider }) => `${startWith(provider)} refuses the credentials. Are they still valid?`],
  [
    statusOf('404|410'),
    ({ provider }) => `${startWith(provider)} has nothing at this address. Was the endpoint moved or deleted?`,
  ],
  [
    statusOf('429'),
    ({ provider }) => `${startWith(provider)} gets more requests than it accepts. Raise its rate limit.`,
  ],
  [
    statusOf('5\\d\\d'),
    ({ provider }) => `${startWith(provider)} has a fault. Is there an incident at ${target(provider)}?`,
  ],
  [
    /time[d-]? ?-?out|ETIMEDOUT/i,
    ({ provider }) => `${startWith(provider)} does not answer in time. Is there an incident at ${target(provider)}?`,
  ],
];

/** Matches a status with words that identify it, so that "500 ms" does not match. */
function statusOf(codes: string): RegExp {
  return new RegExp(`(?:^|\\bHTTP(?:/\\d(?:\\.\\d)?)? |\\bstatus(?: code)?:? )(?:${codes})\\b(?! ?ms)`, 'i');
}

/** The failing party: the provider, or the service behind a webhook. At the start of a sentence. */
function startWith(provider: string): string {
  return provider === 'Webhooks' ? 'Your endpoint' : provider;
}

/** The same within a sentence. */
function target(provider: string): string {
  return provider === 'Webhooks' ? 'your endpoint' : provider;
}

const lastError: Sentences = (subject) =>
  ERROR_HINTS.find(([pattern]) => subject.error !== null && pattern.test(subject.error))?.[1](subject) ??
  'The last error. 401 or 403: the credentials. 404 or 410: the endpoint moved. 429: too many requests. 5xx or a time-out: the provider has a fault.';

const REFUSAL: Sentences = () =>
  'The line "Why". 403: the Secret Key may not change integrations. 404: the integration was deleted. No answer: the next pass checks whether the change took effect.';

const themOrIt: Sentences = ({ several }) => (several ? 'them' : 'it');

const theIntegration: Sentences = ({ several }) => (several ? 'the integrations' : 'the integration');

const theyStay: Sentences = ({ several }) => (several ? 'The integrations stay' : 'The integration stays');

const fixAndResume: Sentences = (subject) =>
  subject.nextProbe === null
    ? `Fix the cause at ${target(subject.provider)}, then resume ${theIntegration(subject)}.`
    : `Fix the cause at ${target(subject.provider)}, then resume ${theIntegration(subject)}. If you cannot fix it now, wait for the probe.`;

const RESUME: Step = {
  aim: (subject) => `resume ${themOrIt(subject)}`,
  panel: `press ${BUTTON.resume}`,
  run: 'resume',
  ofIntegration: true,
};

const PAUSE: Step = {
  aim: (subject) => `pause ${themOrIt(subject)}`,
  panel: `press ${BUTTON.pause}`,
  run: 'pause',
  ofIntegration: true,
};

const PAUSE_AGAIN: Step = { ...PAUSE, aim: (subject) => `pause ${themOrIt(subject)} again` };

const IGNORE: Step = {
  aim: () => 'stop these alerts for a day',
  panel: `press ${BUTTON.ignore}`,
  run: 'ignore --for 24h',
  ofIntegration: true,
};

const LIST_GAPS: Step = {
  aim: () => 'list when no events were sent, for an export from Qonversion',
  panel: null,
  run: 'gaps',
  ofIntegration: true,
};

const SEE_FAILING: Step = {
  aim: () => 'see which integrations fail, and why',
  panel: 'read the list: the worst come first',
  run: 'plan',
  ofIntegration: false,
};

/** Qonversion's scheduled reports have these as destinations. */
const REPORTS: ReadonlySet<string> = new Set(['Slack', 'Webhooks']);

const reports: Sentences = ({ provider }) =>
  REPORTS.has(provider) ? ' A scheduled report that is sent through it may stop as well.' : '';

const nextProbe: Sentences = (subject) =>
  subject.nextProbe === null
    ? `${theyStay(subject)} stopped until a person resumes ${themOrIt(subject)}. The guard does not probe ${themOrIt(subject)}.`
    : `${subject.nextProbe} the guard probes whether deliveries succeed again.`;

const NOT_LATER = 'Events from that time are not delivered later.';

const KEEPS_SENDING =
  'The guard pauses none of them for now. Events are still sent, and Qonversion repeats failed ones for a while.';

const DO_NOT_PAUSE = 'Do not pause the integrations: events of a pause are certainly lost.';

/** The defaults. The catalogue names the exceptions. */
const USUAL = {
  auditOnly: false,
  quotesLastError: false,
  incident: null,
  phases: null,
  check: null,
  advice: () => 'Nothing.',
  steps: [],
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
    meaning: ({ destination }) =>
      `Events are still sent to ${destination}, but they do not arrive. Qonversion repeats failed ones for a while.`,
    check: lastError,
    advice: ({ provider }) => `Fix the cause at ${target(provider)}. You need not pause anything now.`,
    steps: [PAUSE],
    background:
      'For a planned maintenance, let the guard ignore the integration: `npx integration-guard ignore ID --for 2h`. When a delivery succeeds you get `integration.recovered`.',
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
      `No more events are sent to ${subject.destination}. ${NOT_LATER}${reports(subject)} ${nextProbe(subject)}`,
    check: lastError,
    advice: fixAndResume,
    steps: [RESUME],
    background:
      'You can also resume the integration in the Qonversion dashboard. The guard counts its failures from that moment. A pause of Slack or Webhooks may stop a scheduled report as well. If the pause was wrong, raise the limits for this integration in `overrides`.',
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
    check: lastError,
    advice: (subject) => `Fix the cause at ${target(subject.provider)}, or pause ${theIntegration(subject)}.`,
    steps: [PAUSE],
    background:
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
    meaning: ({ destination }) =>
      `Events may still be sent to ${destination}, and may still fail. The guard tries again in every pass.`,
    check: REFUSAL,
    advice: (subject) =>
      `Fix the cause in the line "Why". If the guard still cannot pause ${theIntegration(subject)}, try it yourself.`,
    steps: [PAUSE],
  },
  'integration.activation-failed': {
    severity: 'warning',
    actor: 'guard',
    label: 'could not be resumed',
    description: 'A probe was due, but Qonversion did not resume the integration.',
    incident: 'trigger',
    meaning: (subject) => `No events are sent to ${subject.destination}. The guard tries again in every pass.`,
    check: REFUSAL,
    advice: (subject) =>
      `Fix the cause in the line "Why". If the guard still cannot resume ${theIntegration(subject)}, try it yourself.`,
    steps: [RESUME],
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
      `Qonversion sends no more events to ${subject.destination}. ${NOT_LATER}${reports(subject)} ${nextProbe(subject)}`,
    check: lastError,
    advice: fixAndResume,
    steps: [RESUME],
    background: 'The guard never turns a suspension into a pause.',
  },
  'integration.reactivated': {
    severity: 'info',
    actor: 'operator',
    label: 'resumed by an operator',
    description: 'An operator resumed an integration that the guard or Qonversion had stopped.',
    incident: 'resolve',
    phases: { before: 'paused', after: 'delivering' },
    meaning: (subject) =>
      `Events are sent to ${subject.destination} again. The guard leaves ${themOrIt(subject)} on and counts failures from now on.`,
    check: (subject) => `Did your team resume ${themOrIt(subject)}? If not, another person has access to the project.`,
    advice: () => 'Nothing, if it was your team.',
    steps: [PAUSE_AGAIN, LIST_GAPS],
  },
  'integration.probing': {
    severity: 'info',
    actor: 'guard',
    label: 'probing',
    auditOnly: true,
    description: 'The cooldown is over. The guard resumed the integration to see whether deliveries succeed.',
    phases: { before: 'paused', after: 'probing' },
    meaning: ({ destination }) =>
      `Events are sent to ${destination} again as a probe. If deliveries continue, the outage is over. If they fail, the guard pauses the integration again, for longer.`,
  },
  'integration.probe-failed': {
    severity: 'info',
    actor: 'guard',
    auditOnly: true,
    label: 'probe failed',
    description: 'Deliveries failed during a probe, so the guard paused the integration again, for longer.',
    phases: { before: 'probing', after: 'paused' },
    meaning: (subject) => `No more events are sent to ${subject.destination}. ${nextProbe(subject)}`,
  },
  'integration.recovered': {
    severity: 'info',
    actor: 'guard',
    label: 'recovered',
    description: 'Deliveries succeed again. After a probe they have continued for as long as the last cooldown.',
    incident: 'resolve',
    phases: { before: 'failing', after: 'delivering' },
    meaning: ({ destination }) => `Events arrive at ${destination} again.`,
    steps: [LIST_GAPS],
    background: 'Events from a pause are not delivered later. If you need them, export them from Qonversion.',
  },
  'integration.recovery-abandoned': {
    severity: 'critical',
    actor: 'guard',
    label: 'recovery abandoned',
    description:
      'All probes failed, or an operator changed the integration while the guard had paused it. The guard no longer probes it.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'paused', after: 'paused' },
    meaning: (subject) => `No events are sent to ${subject.destination}. ${nextProbe({ ...subject, nextProbe: null })}`,
    check: lastError,
    advice: (subject) => `Fix the cause at ${target(subject.provider)}, then resume ${theIntegration(subject)}.`,
    steps: [RESUME],
    background:
      'The line "Why" says which of the two happened. The guard does not undo a change that may be an operator’s.',
  },
  'integration.still-down': {
    severity: 'warning',
    actor: 'guard',
    label: 'still down',
    description: 'The daily summary (`remindAt`): the integration is still stopped.',
    quotesLastError: true,
    meaning: (subject) => `No events are sent to ${subject.destination}. ${NOT_LATER} ${nextProbe(subject)}`,
    check: lastError,
    advice: fixAndResume,
    steps: [RESUME],
    background:
      'To keep the integration off and end the reminders, pause it yourself: `npx integration-guard pause ID`.',
  },
  'integration.flapping': {
    severity: 'warning',
    actor: 'guard',
    label: 'flapping',
    description:
      'Deliveries fail and succeed alternately, and most fail. Each success resets the count, so no limit is reached.',
    quotesLastError: true,
    incident: 'trigger',
    phases: { before: 'delivering', after: 'failing' },
    meaning: ({ destination }) =>
      `Some events arrive at ${destination}, many do not. Failed events are lost unless Qonversion sends them again.`,
    check: lastError,
    advice: ({ provider }) =>
      `Fix the cause at ${target(provider)}. A pause would stop the events that arrive as well.`,
    steps: [PAUSE, IGNORE],
    background: 'The guard pauses a flapping integration only if the settings say so (`"flapping": "pause"`).',
  },
  'integration.operator-paused': {
    severity: 'info',
    actor: 'operator',
    auditOnly: true,
    label: 'paused by an operator',
    description: 'An operator paused the integration, or it was never started.',
    incident: 'resolve',
    phases: { before: 'delivering', after: 'operator' },
    meaning: ({ destination }) => `No events are sent to ${destination}. The guard never resumes it.`,
  },
  'integration.operator-resumed': {
    severity: 'info',
    actor: 'operator',
    auditOnly: true,
    label: 'resumed by an operator',
    description: 'An operator resumed an integration that an operator had paused, or started a new one.',
    incident: 'resolve',
    phases: { before: 'operator', after: 'delivering' },
    meaning: ({ destination }) => `Events are sent to ${destination} again. The guard counts failures from now on.`,
  },
  'integration.exemption': {
    severity: 'info',
    actor: 'operator',
    auditOnly: true,
    label: 'ignored or unignored',
    description: 'An operator made the guard ignore the integration for some time, or ended the exemption.',
    incident: 'resolve',
    meaning: () => 'While an integration is ignored, the guard neither pauses it nor sends alerts about it.',
  },
  'provider.down': {
    severity: 'critical',
    actor: 'guard',
    label: 'down',
    description:
      'Most integrations of one provider that were tried lately fail at once (`providerOutage`). One event instead of one per integration.',
    incident: 'trigger',
    meaning: ({ provider }) =>
      `Many integrations of ${provider} fail at once, so the cause is probably there. ${KEEPS_SENDING}`,
    check: ({ provider }) => `Does the status page of ${provider} report an incident?`,
    advice: ({ provider }) => `Nothing, if ${provider} is repairing it. ${DO_NOT_PAUSE}`,
    steps: [SEE_FAILING],
    background:
      'While the outage lasts, and for at most `providerOutage.holdHours`, the guard pauses and reports none of the provider’s integrations on its own. After that it judges each one separately.',
  },
  'provider.recovered': {
    severity: 'info',
    actor: 'guard',
    label: 'recovered',
    description: 'For about half an hour few integrations of the provider have failed.',
    incident: 'resolve',
    meaning: ({ provider }) =>
      `${provider} accepts events again. The guard judges each integration that still fails separately.`,
  },
  'guard.common-cause': {
    severity: 'critical',
    actor: 'guard',
    label: 'many integrations fail at once',
    description:
      'Integrations of several providers, or most of the project, fail at once: the cause is at Qonversion, in the network, or in an account that they share.',
    incident: 'trigger',
    meaning: () => `The integrations have one cause in common, probably at Qonversion. ${KEEPS_SENDING}`,
    check: () => 'Does Qonversion’s status page report an incident? What do the errors have in common?',
    advice: () => `Nothing, if Qonversion is repairing it. ${DO_NOT_PAUSE}`,
    steps: [SEE_FAILING],
  },
  'guard.common-cause-ended': {
    severity: 'info',
    actor: 'guard',
    label: 'most integrations deliver again',
    description: 'For about half an hour few integrations have failed.',
    incident: 'resolve',
    meaning: () => 'Events arrive again. The guard judges each integration that still fails separately.',
  },
  'guard.list-suspicious': {
    severity: 'critical',
    actor: 'guard',
    label: 'the list of integrations looks wrong',
    description: 'Most integrations, or all, are suddenly missing from the list.',
    incident: 'trigger',
    meaning: () =>
      'The guard does not trust this list. Until the list looks right again, the guard pauses nothing, probes nothing and deletes no entry.',
    check: () =>
      'Does the secret hold the Secret Key of another project? Were integrations deleted? Does Qonversion report an incident?',
    advice: () =>
      'If the Secret Key is wrong, store the right one in AWS Secrets Manager. If the list is right, do nothing: the guard accepts it after a day.',
    steps: [
      {
        aim: () => 'see the list',
        panel: 'compare its list with your integrations at Qonversion',
        run: 'list',
        ofIntegration: false,
      },
    ],
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
    check: () =>
      'What do they share: a provider, a network, an error? Does Qonversion’s status page report an incident?',
    advice: () => 'Fix the common cause. Pause the integrations only if their failures do harm.',
    steps: [
      SEE_FAILING,
      {
        aim: () => 'pause them all',
        panel: `press ${BUTTON.pause} at each of them`,
        run: 'run --force',
        ofIntegration: false,
      },
    ],
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
      'Why were the alerts refused? Look at the topic and its encryption key, for a deleted chat channel, and at the log of the pass.',
    advice: () => 'Read what happened, and whether it is over.',
    steps: [
      {
        aim: () => 'read the history',
        panel: `open "${HISTORY_HEADING}"`,
        run: 'history --since 7d',
        ofIntegration: false,
      },
    ],
    background:
      'Each integration, and the project, keeps up to 64 KiB of alerts that an audience has not accepted. Newer alerts are kept whole.',
  },
  'guard.unreadable': {
    severity: 'warning',
    actor: 'guard',
    label: 'records unreadable',
    description: 'Some records do not match the documented format of the API.',
    incident: 'trigger',
    meaning: () => 'The guard does not watch the integrations of these records. It guards all others as usual.',
    check: () => 'Which field of which record is it? The line "Why" names the first one.',
    advice: () =>
      'This can wait until the morning. Update the guard. If that does not help, report the record to Qonversion.',
    steps: [
      {
        aim: () => 'see every unreadable record, under "invalid"',
        panel: null,
        run: 'list --json',
        ofIntegration: false,
      },
    ],
  },
  'guard.failing': {
    severity: 'critical',
    actor: 'guard',
    label: 'the guard cannot run',
    description: 'Passes cannot run.',
    incident: 'trigger',
    meaning: ({ several }) =>
      `The guard watches no integration of ${several ? 'these projects' : 'this project'} until this is fixed. It pauses nothing and resumes nothing. Qonversion sends events as before.`,
    check: () =>
      'The line "Why". Secret Key refused (401): the key was regenerated. Secret empty: the key was never stored. No answer, or 5xx: Qonversion or the network. Ledger unavailable: the table in DynamoDB.',
    advice: () =>
      'If the key was refused or is missing, store the current Secret Key in the secret of the project in AWS Secrets Manager. For a listed project, the outputs of the stack have the command. Without a stack, set QONVERSION_SECRET_KEY. If Qonversion or AWS has an incident, wait: the guard continues when the incident is over.',
    steps: [
      {
        aim: () => 'check whether it works again',
        panel: 'see whether the panel shows your integrations',
        run: 'plan',
        ofIntegration: false,
      },
    ],
    background:
      'If the line "Why" says *names a policy that fleet.policies does not have*, correct the tag of the secret. When passes run again you get `guard.recovered`.',
  },
  'guard.recovered': {
    severity: 'info',
    actor: 'guard',
    label: 'the guard works again',
    description: 'Passes run again after `guard.failing`, or use the list again after `guard.list-suspicious`.',
    incident: 'resolve',
    meaning: ({ several }) =>
      `The guard watches all integrations of ${several ? 'these projects' : 'this project'} again. Before that it paused nothing, resumed nothing and reported no failing integration. Qonversion sent events as before.`,
    advice: () => 'Nothing. If an integration needs you now, it has an alert of its own.',
    steps: [
      {
        aim: () => 'see how the integrations are now',
        panel: 'read the list: the worst come first',
        run: 'list',
        ofIntegration: false,
      },
    ],
  },
  'fleet.down': {
    severity: 'critical',
    actor: 'guard',
    auditOnly: true,
    label: 'down in many projects',
    description:
      'The same provider, or Qonversion, began to fail in many projects of a fleet within an hour. Incident tools get one incident for these projects. No one else gets it: each project has its own events.',
    incident: 'trigger',
    meaning: ({ provider }) =>
      `${provider} fails in many projects at once, so the cause is probably there. Each project has its own alerts.`,
    check: ({ provider }) => `Does the status page of ${provider} report an incident?`,
    advice: ({ provider }) => `Nothing, if ${provider} is repairing it. Otherwise look for what the projects share.`,
  },
  'fleet.recovered': {
    severity: 'info',
    actor: 'guard',
    auditOnly: true,
    label: 'works again in most projects',
    description: 'After `fleet.down`: it fails in few projects now. These have incidents of their own.',
    incident: 'resolve',
    meaning: ({ provider }) =>
      `${provider} works again in most projects. Those in which it fails have incidents of their own.`,
  },
  'incident.opened': {
    severity: 'warning',
    actor: 'guard',
    auditOnly: true,
    label: 'incident opened again',
    description:
      'The incident of an integration was closed while the guard ignored the integration or did not find it. Now the guard watches it again, and the problem lasts.',
    incident: 'trigger',
    meaning: () =>
      'The problem that an earlier event announced is not over. Incident tools open a new incident for it.',
    check: () => 'The line "Why", and the earlier alerts about it.',
    advice: () => 'Do what the earlier alert says.',
    steps: [
      {
        aim: () => 'see the integrations, and why they fail',
        panel: 'read the list: the worst come first',
        run: 'list',
        ofIntegration: false,
      },
      {
        aim: () => 'read the earlier alerts',
        panel: `open "${HISTORY_HEADING}"`,
        run: 'history --since 7d',
        ofIntegration: false,
      },
    ],
  },
  'incident.closed': {
    severity: 'info',
    actor: 'guard',
    auditOnly: true,
    label: 'incident closed',
    description:
      'A problem ended without another event that says so: the guard ignores the integration, the integration was deleted, an operator paused it, a hold of the blast radius ended, or all records can be read again.',
    incident: 'resolve',
    meaning: () => 'Incident tools close the incident.',
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
