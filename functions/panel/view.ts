import { actorOf, type GuardEvent } from '../guard/model/event.ts';
import { BUTTON, describeType, type Phase, type Severity } from '../guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import type { Plan } from '../guard/pass/plan.ts';
import type { Decision } from '../guard/policy/decide.ts';
import { effectivePolicy } from '../guard/policy/effective-policy.ts';
import { isFlapping } from '../guard/policy/flapping.ts';
import { type NextAction, nextAction } from '../guard/policy/next-action.ts';
import { describeOutage } from '../guard/policy/provider-outage.ts';
import type { GuardedProject } from '../guard/settings/types.ts';
import { normalise } from '../guard/text/normalise.ts';
import { plural, safeText } from '../guard/text/sanitize.ts';
import { describeMinutes, describeMoment, isLater, minutesBetween } from '../guard/text/time.ts';
import { type Segment, timelineOf } from './timeline.ts';

/** The content of the panel, as data. All text is safe once it is escaped. */
export interface PanelView {
  readonly project: string;
  readonly now: string;
  readonly headline: { readonly level: Level; readonly text: string };
  /** The problems of the project as a whole, worst first. */
  readonly troubles: readonly string[];
  readonly rows: readonly PanelRow[];
  /** Integrations that the filter hides, or that the page has no room for. */
  readonly hidden: number;
  readonly choice: PanelChoice;
  readonly history: readonly HistoryLine[];
}

/** The severity, never shown by colour alone. */
export type Level = 'good' | 'info' | 'warning' | 'bad' | 'off';

export interface PanelRow {
  readonly id: string;
  readonly title: string;
  readonly provider: string;
  readonly platform: string;
  readonly state: { readonly level: Level; readonly word: string };
  /** Failures since its last delivery, as Qonversion counts them. */
  readonly failures: number;
  /** Fresh errors, against the threshold; null when nothing counts them now. */
  readonly errors: { readonly fresh: number; readonly threshold: number } | null;
  /** How long it has been in this `state`, and how its probes went; null: unknown. */
  readonly since: string | null;
  readonly lastDelivery: string;
  /** Minutes without a delivery; null when there never was one. */
  readonly silentMinutes: number | null;
  readonly lastError: { readonly at: string; readonly message: string } | null;
  readonly timeline: readonly Segment[];
  readonly nextAction: NextAction;
  readonly ignored: boolean;
  /** Whether it is active. If so it has a button to pause it, otherwise one to resume it. */
  readonly active: boolean;
}

export interface HistoryLine {
  readonly at: string;
  readonly who: string;
  readonly id: string;
  readonly name: string;
  readonly what: string;
  readonly severity: Severity;
  readonly why: string;
}

export const SHOWN = ['all', 'trouble', 'stopped'] as const;
export const SORTED = ['trouble', 'name', 'errors', 'delivery'] as const;

/** The reader's filter and order. */
export interface PanelChoice {
  readonly find: string;
  readonly show: (typeof SHOWN)[number];
  readonly sort: (typeof SORTED)[number];
}

export const USUAL_CHOICE: PanelChoice = { find: '', show: 'all', sort: 'trouble' };

/** No one reads a longer page; the filter finds the rest. */
const MAX_ROWS = 200;
const MAX_HISTORY = 40;
/** The part of a title that filter and order look at: as much as a row may show. */
const MAX_COMPARED = 120;

export function createView(
  project: GuardedProject,
  plan: Plan,
  history: readonly GuardEvent[],
  choice: PanelChoice,
): PanelView {
  const byId = Map.groupBy(history, ({ record }) => record?.id ?? '');
  const all = plan.decisions.flatMap((decision) => {
    const { record } = decision;
    return record === null ? [] : [toCandidate(decision, record, plan.now)];
  });
  const shown = all
    .filter((candidate) => isWanted(candidate, choice))
    .sort(ORDER[choice.sort])
    .slice(0, MAX_ROWS);
  return {
    project: project.name,
    now: plan.now,
    headline: toHeadline(all, plan),
    troubles: troublesOf(project, plan),
    rows: shown.map((candidate) => toRow(project, plan, candidate, byId.get(candidate.record.id) ?? [])),
    hidden: all.length - shown.length,
    choice,
    history: history
      .slice(-MAX_HISTORY)
      .reverse()
      .map((event) => toHistoryLine(event, plan.now)),
  };
}

/** The fields for filter and order. The text is only shortened; the rows that are shown get safe text. */
interface Candidate {
  readonly decision: Decision;
  readonly record: IntegrationRecord;
  readonly state: StateNow;
  readonly name: string;
  readonly title: string;
  /** Fresh errors, against the threshold; null when nothing counts them now. */
  readonly errors: { readonly fresh: number; readonly threshold: number } | null;
  readonly silentMinutes: number | null;
}

function toCandidate(decision: Decision, record: IntegrationRecord, now: string): Candidate {
  const { figures } = decision;
  return {
    decision,
    record,
    state: stateOf(decision, record),
    name: `${record.integration.slice(0, MAX_COMPARED)} ${record.target_platform}`,
    title: record.title.slice(0, MAX_COMPARED),
    errors:
      figures !== null && record.active === 1
        ? { fresh: figures.freshErrors, threshold: figures.errorThreshold }
        : null,
    silentMinutes: record.last_delivery_at === null ? null : minutesBetween(record.last_delivery_at, now),
  };
}

function toRow(
  project: GuardedProject,
  { now }: Plan,
  { decision, record, state, errors, silentMinutes }: Candidate,
  events: readonly GuardEvent[],
): PanelRow {
  const { last_error_at: errorAt, last_error_message: message } = record;
  return {
    id: record.id,
    title: safeText(record.title, 120) || '(no title)',
    provider: safeText(record.integration, 60),
    platform: record.target_platform,
    state,
    failures: record.delivery_error_count,
    errors,
    since: describeSince(decision, errors, now),
    lastDelivery: describeMoment(record.last_delivery_at, now),
    silentMinutes,
    lastError:
      errorAt === null && message === null
        ? null
        : { at: describeMoment(errorAt, now), message: safeText(message ?? '', 300) },
    timeline: timelineOf(events, { phase: state.phase, since: presentSince(decision, record, state.phase) }, now),
    nextAction: nextAction(decision, effectivePolicy(project.policy, record), now),
    ignored: isLater(decision.current.ignoredUntil, now),
    active: record.active === 1,
  };
}

interface StateNow {
  readonly level: Level;
  readonly word: string;
  readonly phase: Phase;
}

/** The state now, before the next pass acts. */
function stateOf({ kind, current: { state }, figures, next }: Decision, record: IntegrationRecord): StateNow {
  switch (record.active) {
    case 0:
      return state.name === 'open' && state.by === 'guard' && kind !== 'operator-paused'
        ? { level: 'bad', word: 'paused by the guard', phase: 'paused' }
        : { level: 'off', word: isDraft(record) ? 'draft' : 'paused by an operator', phase: 'operator' };
    case 2:
      return { level: 'bad', word: 'suspended by Qonversion', phase: 'suspended' };
    case 1:
      if (kind === 'under-way') return { level: 'info', word: 'a pass is changing it', phase: 'delivering' };
      if (kind === 'ignored' && record.delivery_error_count > 0)
        return { level: 'off', word: 'failing', phase: 'failing' };
      if (kind === 'probing') return { level: 'info', word: 'probing', phase: 'probing' };
      if (isFlapping(next.flapping)) return { level: 'warning', word: 'flapping', phase: 'failing' };
      if (kind === 'shared-outage') return { level: 'warning', word: 'failing like many others', phase: 'failing' };
      if (figures !== null && figures.freshErrors > 0 && kind !== 'recovered')
        return { level: 'warning', word: 'failing', phase: 'failing' };
      return { level: 'good', word: 'delivering', phase: 'delivering' };
  }
}

/** The beginning of the state, if the record or the ledger has it. */
function presentSince({ current: { state } }: Decision, record: IntegrationRecord, phase: Phase): string | null {
  switch (phase) {
    case 'failing':
      return record.last_delivery_at;
    case 'paused':
    case 'suspended':
      return state.name === 'open' || state.name === 'half-open' ? state.openedAt : null;
    case 'probing':
      return state.name === 'half-open' ? state.probedAt : null;
    case 'delivering':
    case 'operator':
      return null;
  }
}

/** Whether nothing was ever sent there: no one paused it, it was never started. */
function isDraft(record: IntegrationRecord): boolean {
  return record.last_delivery_at === null && record.last_error_at === null;
}

/** "since 08:50 UTC, for 50 min; 1 probe failed". */
function describeSince(
  { current: { state }, next, figures }: Decision,
  errors: Candidate['errors'],
  now: string,
): string | null {
  switch (state.name) {
    case 'open': {
      const probes = state.failedProbes === 0 ? '' : `; ${plural(state.failedProbes, 'probe')} failed`;
      return `${sinceWhen(state.openedAt, now)}${probes}`;
    }
    case 'half-open':
      return sinceWhen(state.probedAt, now);
    case 'closed':
    case 'isolated':
      if (isFlapping(next.flapping)) return sinceWhen(next.flapping.since, now);
      return figures !== null && errors !== null && errors.fresh > 0 ? sinceWhen(figures.failingSince, now) : null;
  }
}

function sinceWhen(moment: string, now: string): string {
  return `since ${describeMoment(moment, now)}, for ${describeMinutes(minutesBetween(moment, now))}`;
}

function toHeadline(all: readonly Candidate[], plan: Plan): PanelView['headline'] {
  const count = (level: Level) => all.filter(({ state }) => state.level === level).length;
  const stopped = count('bad');
  const failing = count('warning');
  const probing = count('info');
  const on = all.filter(({ record }) => record.active === 1).length;
  const parts = [
    stopped > 0 ? `${stopped} stopped` : '',
    failing > 0 ? `${failing} failing` : '',
    probing > 0 ? `${probing} probing` : '',
    plan.invalid.length > 0 ? `${plan.invalid.length} unreadable` : '',
  ].filter((part) => part !== '');
  if (parts.length === 0 && !plan.blastRadius.held && plan.outages.length === 0) {
    return { level: 'good', text: all.length === 0 ? 'No integrations yet' : `Everything works: ${on} delivering` };
  }
  const level =
    stopped > 0 || plan.blastRadius.held || plan.outages.length > 0
      ? 'bad'
      : failing + plan.invalid.length > 0
        ? 'warning'
        : 'info';
  const well = count('good');
  return { level, text: [...parts, well > 0 ? `${well} delivering` : ''].filter((part) => part !== '').join(', ') };
}

function troublesOf({ policy }: GuardedProject, plan: Plan): readonly string[] {
  const { held, wanted, allowed } = plan.blastRadius;
  const { failing, 'list-suspicious': suspicious } = plan.projectDecision.current.notices;
  const [unreadable] = plan.invalid;
  return [
    ...plan.outages.map((outage) => `${describeOutage(outage, plan.now)}.`),
    ...(suspicious === undefined
      ? []
      : [
          `The list of integrations has looked wrong since ${describeMoment(suspicious.since, plan.now)}, so the guard changes nothing. Does the secret hold the Secret Key of another project?`,
        ]),
    ...(held
      ? [
          `${plural(wanted, 'integration')} reached the limits at once. The guard may pause at most ${allowed} in one pass, so it paused none. Look for what they share. To pause some of them, press ${BUTTON.pause} at each one.`,
        ]
      : []),
    ...(failing === undefined ? [] : [`Passes have failed since ${describeMoment(failing.since, plan.now)}.`]),
    ...(unreadable === undefined
      ? []
      : [
          `The guard cannot read ${plural(plan.invalid.length, 'record')}, so it does not guard ${plan.invalid.length === 1 ? 'that integration' : 'those integrations'} (${safeText(`${unreadable.id ?? 'one without a readable id'}: ${unreadable.problem}`, 200)}).`,
        ]),
    ...(policy.mode === 'observe' ? ['Observe mode: the guard reports what it would do, and changes nothing.'] : []),
  ];
}

function toHistoryLine(event: GuardEvent, now: string): HistoryLine {
  const { record } = event;
  return {
    at: describeMoment(event.time, now),
    who: actorOf(event),
    id: record?.id ?? '',
    name:
      record === null
        ? (event.provider ?? 'the project')
        : safeText(`${record.integration} ${record.target_platform}`, 80),
    what: describeType(event.type).label,
    severity: event.severity,
    why: safeText(event.reason, 300),
  };
}

function isWanted({ record, name, title, state }: Candidate, { find, show }: PanelChoice): boolean {
  const { level, word } = state;
  if (show === 'trouble' && (level === 'good' || level === 'off')) return false;
  if (show === 'stopped' && level !== 'bad' && level !== 'off') return false;
  const sought = normalise(find).toLowerCase();
  return sought === '' || normalise(`${record.id} ${title} ${name} ${word}`).toLowerCase().includes(sought);
}

const RANK = { bad: 0, warning: 1, info: 2, off: 3, good: 4 } as const satisfies Record<Level, number>;

const share = ({ errors }: Candidate) => (errors === null ? 0 : errors.fresh / errors.threshold);
const { compare } = new Intl.Collator('en');
const byName = (left: Candidate, right: Candidate) =>
  compare(left.name, right.name) || compare(left.title, right.title);

const ORDER = {
  name: byName,
  errors: (left, right) => (right.errors?.fresh ?? 0) - (left.errors?.fresh ?? 0) || byName(left, right),
  // The longest silence first.
  delivery: (left, right) => silence(right) - silence(left) || byName(left, right),
  trouble: (left, right) =>
    RANK[left.state.level] - RANK[right.state.level] || share(right) - share(left) || byName(left, right),
} as const satisfies Record<PanelChoice['sort'], (left: Candidate, right: Candidate) => number>;

function silence({ silentMinutes }: Candidate): number {
  return silentMinutes ?? Number.MAX_SAFE_INTEGER;
}
