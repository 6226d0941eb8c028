import type { Finding } from '../doctor/finding.ts';
import { actorOf, type GuardEvent, isAuditOnly } from '../guard/model/event.ts';
import { describeType, type Severity } from '../guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import type { Outcome, Result } from '../guard/pass/execute.ts';
import type { Plan, StateCounts } from '../guard/pass/plan.ts';
import type { PassReport } from '../guard/pass/run-pass.ts';
import { alertsOf, type Decision, statusAsked } from '../guard/policy/decide.ts';
import { describeOutage } from '../guard/policy/provider-outage.ts';
import type { DecisionKind } from '../guard/policy/situation.ts';
import type { WithoutEffect } from '../guard/policy/without-effect.ts';
import type { Policy } from '../guard/settings/schema.ts';
import { normalise } from '../guard/text/normalise.ts';
import { plural, safeText, shorten } from '../guard/text/sanitize.ts';
import { describeMinutes, describeMoment, minutesBetween } from '../guard/text/time.ts';
import type { Changes } from './changes.ts';
import type { Gap } from './gaps.ts';
import type { HistoryFacts } from './history-facts.ts';
import { paint, type Style } from './paint.ts';
import type { ProjectList } from './projects.ts';
import type { Simulation } from './simulate.ts';
import { table } from './table.ts';
import { wrap } from './wrap.ts';

/** The text output of the command line. It is readable without colour and fits the terminal. */

export { paint, table };

const STATE = { 0: 'paused', 1: 'active', 2: 'suspended' } as const;

const STATE_STYLE = { 0: 'dim', 1: 'green', 2: 'red' } as const satisfies Record<0 | 1 | 2, Style>;

/** Kinds that change nothing and need no attention. */
const CALM: ReadonlySet<DecisionKind> = new Set([
  'healthy',
  'watch',
  'open',
  'probing',
  'operator-paused',
  'ignored',
  'shared-outage',
  'under-way',
  'unread',
  'gone',
]);

const KIND_STYLE: { readonly [kind in DecisionKind]?: Style } = {
  pause: 'red',
  'would-pause': 'yellow',
  warn: 'yellow',
  held: 'magenta',
  'shared-outage': 'magenta',
  suspended: 'red',
  probe: 'cyan',
  recovered: 'green',
  reactivated: 'green',
};

/** The guard's next or last action for an integration. */
const NEXT: { readonly [kind in DecisionKind]: string } = {
  healthy: 'nothing, it is healthy',
  watch: 'watch, it fails',
  warn: 'warn that it fails',
  pause: 'pause it',
  'would-pause': 'report it (observe mode)',
  held: 'hold back, too many at once',
  'shared-outage': 'wait, the outage is shared',
  open: 'wait, it is stopped',
  suspended: 'report that it is suspended',
  remind: 'remind you of it',
  probe: 'try it again',
  probing: 'wait for its probe',
  recovered: 'report that it recovered',
  reactivated: 'guard it, it was resumed',
  'operator-paused': 'nothing, an operator paused it',
  ignored: 'nothing, it is ignored',
  'under-way': 'nothing, another pass has it',
  unread: 'nothing, it cannot be read',
  'operator-pause': 'pause it, as asked',
  'operator-resume': 'resume it, as asked',
  'operator-ignore': 'ignore it, as asked',
  'operator-unignore': 'guard it again, as asked',
  gone: 'nothing, it is gone',
};

const OUTCOME: { readonly [outcome in Outcome]: string } = {
  quiet: 'nothing to do',
  done: 'done',
  noted: 'remembered',
  overtaken: 'an operator was faster',
  failed: 'failed',
  'ledger-failed': 'failed, not remembered',
  'lost-race': 'another pass was faster',
  'not-started': 'left to the next pass',
  unsettled: 'not reported yet',
};

/** All integrations of a project, each with the guard's next action. */
export function formatList(plan: Plan, width: number): string {
  const records = plan.decisions.filter(({ record }) => record !== null);
  if (records.length === 0) return [...remarksOn(plan, width), 'This project has no integrations.'].join('\n');
  const rows = records.map((decision) => [...recordCells(decision, plan.now), describeKind(decision.kind)]);
  const head = ['ID', 'INTEGRATION', 'TITLE', 'STATE', 'FRESH ERRORS', 'LAST DELIVERY', 'NEXT'];
  return [...remarksOn(plan, width), table(head, rows, width, 2)].join('\n');
}

/** The decisions of a pass, a summary line for the rest, and the settings without effect. */
export function formatPlan(plan: Plan, width: number, withoutEffect: readonly WithoutEffect[] = []): string {
  const due = plan.decisions.filter(({ kind, quiet }) => !(CALM.has(kind) && quiet));
  const lines = [
    ...remarksOn(plan, width),
    plan.blastRadius.held
      ? paint(
          'magenta',
          wrap(
            `Held back: ${plural(plan.blastRadius.wanted, 'integration')} over the limits at once, and one pass may pause at most ${plan.blastRadius.allowed}. \`integration-guard run --force\` pauses them all.`,
            width,
          ),
        )
      : '',
    due.length === 0 ? 'Nothing to do.' : table(['ID', 'INTEGRATION', 'NEXT', 'WHY'], due.map(decisionCells), width, 3),
    wrap(summarize(plan, plan.states), width),
    ...withoutEffect.map(({ path, message, action }) =>
      paint('yellow', wrap(safeText(`Without effect: ${path} ${message} ${action}`, MAX_LINE_LENGTH), width)),
    ),
  ];
  return lines.filter((line) => line !== '').join('\n');
}

/** Remarks about the whole project: shared outages, and a suspicious list. */
function remarksOn({ outages, projectDecision, now }: Plan, width: number): readonly string[] {
  const { 'list-suspicious': suspicious } = projectDecision.next.notices;
  return [
    ...outages.map((outage) => paint('magenta', wrap(`${describeOutage(outage, now)}.`, width))),
    ...(suspicious === undefined
      ? []
      : [
          paint(
            'red',
            wrap(
              `The list of integrations has been suspicious since ${describeMoment(suspicious.since, now)}. The guard does not act on it.`,
              width,
            ),
          ),
        ]),
  ];
}

/** The result of a pass. */
export function formatReport(report: PassReport, width: number): string {
  const changed = report.results.filter(isNews);
  const rows = changed.map(({ decision, outcome, problem }) => [
    ...decisionCells(decision).slice(0, 3),
    describeOutcome(outcome),
    safeText(problem ?? decision.reason, 400),
  ]);
  const lines = [
    rows.length === 0 ? '' : table(['ID', 'INTEGRATION', 'DECISION', 'OUTCOME', 'WHY'], rows, width, 4),
    report.failure === null ? '' : paint('red', wrap(`The pass could not run: ${report.failure}`, width)),
    report.undelivered.length === 0
      ? ''
      : paint(
          'red',
          wrap(
            `${plural(report.undelivered.length, 'alert')} not accepted; the next pass publishes them again.`,
            width,
          ),
        ),
    report.plan === null || report.states === null ? '' : wrap(summarize(report.plan, report.states), width),
  ];
  return lines.filter((line) => line !== '').join('\n');
}

/** The history, oldest first. */
export function formatHistory(events: readonly GuardEvent[], now: string, width: number): string {
  if (events.length === 0) return 'Nothing has happened in this time.';
  const rows = events.map((event) => [
    describeMoment(event.time, now),
    actorOf(event),
    event.record === null ? (event.provider ?? 'the project') : `${event.record.id}\n${nameOf(event.record)}`,
    paint(SEVERITY_STYLE[event.severity], describeType(event.type).label),
    event.reason,
  ]);
  return table(['TIME', 'WHO', 'INTEGRATION', 'WHAT', 'WHY'], rows, width, 4);
}

/** The gaps in forwarding, oldest first. */
export function formatGaps(gaps: readonly Gap[], now: string, width: number): string {
  if (gaps.length === 0) return 'No integration was stopped in this time.';
  const rows = gaps.map(({ id, record, from, to, by }) => [
    `${id}\n${nameOf(record)}`,
    describeMoment(from, now),
    to === null ? paint('red', 'still stopped') : describeMoment(to, now),
    describeMinutes(minutesBetween(from, to ?? now)),
    by,
  ]);
  const hint = 'Events from these times are not delivered later. Fill them in from an export of Qonversion.';
  return `${table(['INTEGRATION', 'FROM', 'TO', 'LASTED', 'STOPPED BY'], rows, width, 0)}\n${wrap(hint, width)}`;
}

/** The simulated figures of each policy, then the real figures from the history. */
export function formatSimulation(simulation: Simulation, width: number): string {
  const { project, size, intervalMinutes, policies, inFact, notes } = simulation;
  const { integrations, days, seeds } = size;
  const labels = policies[0]?.figures.map(({ label }) => label) ?? [];
  const rows = labels.map((label, index) => [label, ...policies.map(({ figures }) => figures[index]?.text ?? '')]);
  const head = ['per 30 days', ...policies.map(({ name }) => name)].map((title) => title.toUpperCase());
  return [
    wrap(
      `${project}, simulated: ${plural(integrations, 'integration')}, ${plural(days, 'day')}, ${plural(seeds.length, 'world')} (seed ${seeds.join(', ')}), a pass every ${describeMinutes(intervalMinutes)}.`,
      width,
    ),
    table(head, rows, width, 0),
    wrap(
      'Traffic, outages and repairs are simulated. Compare the columns; your project will have other numbers.',
      width,
    ),
    ...notes.map((note) => wrap(note, width)),
    ...(inFact === null ? [] : ['', formatFacts(inFact, width)]),
  ].join('\n');
}

/** A shorter history is too short for monthly rates. */
const MIN_DAYS_FOR_RATES = 7;

function formatFacts({ days, pauses, recoveries, hoursStopped, alertsPerDay }: HistoryFacts, width: number): string {
  const isLongEnough = days >= MIN_DAYS_FOR_RATES;
  const counted = (label: string, count: number, digits: number) => [
    label,
    count.toFixed(digits),
    ...(isLongEnough ? [((count * 30) / days).toFixed(1)] : []),
  ];
  const rows = [
    counted('pauses', pauses, 0),
    counted('recoveries of a pause', recoveries, 0),
    counted('hours stopped by the guard', hoursStopped.guard, 1),
    ['alerts a day, mean', alertsPerDay.toFixed(1), ...(isLongEnough ? [''] : [])],
  ];
  const head = [
    `HISTORY, LAST ${plural(days, 'day').toUpperCase()}`,
    'TOTAL',
    ...(isLongEnough ? ['PER 30 DAYS'] : []),
  ];
  const limit = "The history has only the guard's own events, so it cannot show the effect of other settings.";
  return `${table(head, rows, width, 0)}\n${wrap(limit, width)}`;
}

const SEVERITY_STYLE = { info: 'green', warning: 'yellow', critical: 'red' } as const satisfies Record<Severity, Style>;

const LEVEL_STYLE = { ok: 'green', warning: 'yellow', problem: 'red', unknown: 'magenta' } as const satisfies Record<
  Finding['level'],
  Style
>;

/**
 * Removes control characters from a finding. It blanks no credentials: the checks have already done that, and the name of an alarm
 * looks like a credential.
 */
export function toSafeFinding({ check, level, message, action }: Finding): Finding {
  return {
    level,
    check: plainLine(check),
    message: message.split('\n').map(plainLine).join('\n'),
    action: action === null ? null : plainLine(action),
  };
}

function plainLine(text: string): string {
  return shorten(normalise(text.slice(0, 4 * MAX_LINE_LENGTH)), MAX_LINE_LENGTH);
}

const MAX_LINE_LENGTH = 1_000;

/** The doctor's findings, each with its remedy, and a summary. */
export function formatFindings(findings: readonly Finding[], width: number): string {
  const rows = findings.map(({ check, level, message, action }) => [
    paint(LEVEL_STYLE[level], level),
    check,
    action === null ? message : `${message}\nTo do: ${action}`,
  ]);
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  const verdict =
    count('problem') > 0
      ? paint('red', `${plural(count('problem'), 'problem')} to fix.`)
      : count('warning') + count('unknown') > 0
        ? paint('yellow', `No problems; ${plural(count('warning') + count('unknown'), 'finding')} to review.`)
        : paint('green', 'No problems found.');
  const [checks, found] = [Math.max(...findings.map(({ check }) => check.length)), width - NARROW];
  // The columns fit only if the check stays on one line and the finding has enough room.
  const text =
    checks <= found
      ? table(['', 'CHECK', 'FOUND'], rows, width, 2)
      : rows.map(([level, check, rest = '']) => `${level} ${check}\n${indent(rest, width)}`).join('\n');
  return `${text}\n${verdict}`;
}

/** The minimum width of the level and the finding together. */
const NARROW = 40;

function indent(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrap(line, width - 2).split('\n'))
    .map((line) => `  ${line}`)
    .join('\n');
}

/** The changes of a deployment, errors first. */
export function formatChanges({ changes, ...about }: Changes, width: number): string {
  const [stack, place] = [about.stack, `account ${about.account}, ${about.region}`].map((text) =>
    safeText(text, MAX_LINE_LENGTH),
  );
  const head = about.isDeployed
    ? `Changes if you deploy ${about.settings} to stack ${stack} (${place}):`
    : `No stack ${stack} with a guard is in ${place}: deploying ${about.settings} would be its first deployment.`;
  if (changes.length === 0) return wrap(about.isDeployed ? `${head} nothing is lost or left behind.` : head, width);
  const level = { error: 'red', warning: 'yellow', info: 'green' } as const;
  const inOrder = (['error', 'warning', 'info'] as const).flatMap((each) =>
    changes.filter((change) => change.level === each),
  );
  return `${wrap(head, width)}\n${table(
    ['', 'CHANGE'],
    inOrder.map((change) => [paint(level[change.level], change.level), safeText(change.says, MAX_LINE_LENGTH)]),
    width,
    1,
  )}`;
}

/** Every project with its policy, and the secrets with the fleet's tag that are not projects. */
export function formatProjects({ projects: known, fleet }: ProjectList, width: number): string {
  const elsewhere = fleet === 'not looked at' ? " Use --stack NAME to show the fleet's projects." : '';
  if (known.length === 0)
    return elsewhere === '' ? 'No projects: no secret has the tag.' : `The settings list no projects.${elsewhere}`;
  const rows = known.map(({ project, secretName, secretField, policy, because }) => [
    project ?? paint('dim', 'none'),
    secretField === null ? secretName : `${secretName} (${secretField})`,
    policy === null ? paint('red', 'none') : describePolicy(policy),
    project === null || policy === null ? paint('yellow', because) : because,
  ]);
  const projects = known.filter(({ project }) => project !== null);
  const odd = known.filter(({ project, policy }) => project === null || policy === null).length;
  const ofFleet = projects.filter((project) => project.ofFleet).length;
  const split = ofFleet === 0 ? '' : ` (${projects.length - ofFleet} listed, ${ofFleet} of the fleet)`;
  const oddOnes = odd === 0 ? '' : ` ${plural(odd, 'secret')} to review.`;
  const summary = `${plural(projects.length, 'project')}${split}.${oddOnes}${elsewhere}`;
  return `${table(['PROJECT', 'SECRET', 'POLICY', 'WHY'], rows, width, 3)}\n${wrap(summary, width)}`;
}

function describePolicy({ mode, errorThreshold, failingForMinutes }: Policy): string {
  return `${mode}, ${plural(errorThreshold, 'failure')}, ${describeMinutes(failingForMinutes)}`;
}

/** False for decisions that only update the ledger: an operator knows about their own pause. */
function isNews({ decision, outcome }: Result): boolean {
  if (outcome === 'quiet' || outcome === 'noted') return false;
  if (outcome !== 'done' || statusAsked(decision) !== null) return true;
  return alertsOf(decision).some((event) => !isAuditOnly(event));
}

/** @param states the states before or after the pass */
function summarize(plan: Plan, { active, paused, suspended }: StateCounts): string {
  const invalid = plan.invalid.length === 0 ? '' : `, ${plural(plan.invalid.length, 'unreadable record')}`;
  return `${plan.project}: ${active} active, ${paused} paused, ${suspended} suspended${invalid}.`;
}

function recordCells(decision: Decision, now: string): string[] {
  const { record, figures } = decision;
  if (record === null) return [];
  // For an integration whose failures the guard does not count, Qonversion's own count would mislead.
  const errors = figures === null ? '–' : `${figures.freshErrors} of ${figures.errorThreshold}`;
  const delivered = record.last_delivery_at === null ? 'never' : describeMoment(record.last_delivery_at, now);
  return [
    record.id,
    nameOf(record),
    safeText(record.title, 60),
    paint(STATE_STYLE[record.active], STATE[record.active]),
    errors,
    delivered,
  ];
}

function decisionCells(decision: Decision): string[] {
  const name = decision.record === null ? '' : nameOf(decision.record);
  return [decision.id, name, describeKind(decision.kind), safeText(decision.reason, 400)];
}

function nameOf(record: IntegrationRecord): string {
  return safeText(`${record.integration} ${record.target_platform}`, 40);
}

function describeKind(kind: DecisionKind): string {
  const style = KIND_STYLE[kind];
  return style === undefined ? NEXT[kind] : paint(style, NEXT[kind]);
}

function describeOutcome(outcome: Outcome): string {
  return outcome === 'done'
    ? paint('green', OUTCOME[outcome])
    : outcome === 'failed' || outcome === 'ledger-failed'
      ? paint('red', OUTCOME[outcome])
      : OUTCOME[outcome];
}
