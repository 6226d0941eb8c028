import { BUTTON, HISTORY_HEADING, type Phase } from '../guard/model/event-catalogue.ts';
import { NOTHING_TO_DO } from '../guard/policy/next-action.ts';
import { plural } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';
import { VERSION } from '../guard/version.ts';
import { Html, html } from './html.ts';
import type { Action, Reader } from './input.ts';
import { STYLE } from './style.ts';
import { type Segment, TIMELINE_DAYS } from './timeline.ts';
import type { HistoryLine, Level, PanelRow, PanelView } from './view.ts';

/** The panel as HTML for a CloudWatch custom widget: no script, actions as `<cwdb-action>` behind the element they belong to. */

/** ARNs of the functions that the page calls. */
export interface Endpoints {
  /** Draws the panel again, with another filter. */
  readonly look: string;
  /** Executes the button. */
  readonly act: string;
}

/** The outcome of the button that the reader has just pressed. */
export interface Notice {
  readonly level: 'good' | 'bad';
  readonly text: string;
}

interface PageOptions {
  readonly endpoints: Endpoints;
  readonly reader: Reader;
  readonly notice: Notice | null;
}

/** The input that every part of a page needs for its calls. */
interface Calls {
  readonly endpoints: Endpoints;
  /** Parameters of every call. */
  readonly about: Readonly<Record<string, string | boolean>>;
}

export function renderPanel(view: PanelView, { endpoints, reader, notice }: PageOptions): string {
  const { headline, project, now } = view;
  const calls: Calls = { endpoints, about: reader.fleet ? { project, fleet: true } : { project } };
  return page(
    reader.theme,
    html`${reader.fleet ? chooser(project, endpoints) : null}<div class="ig-head">
<div><h2 class="ig-${headline.level}">${symbol(headline.level)} ${headline.text}</h2>
<p class="ig-muted">Project ${project}, as of ${describeMoment(now, now)} · Integration Guard ${VERSION}</p></div>
<div>${button(BUTTON.run, `${BUTTON.run}: a pass over project ${project}`, {
      endpoint: endpoints.act,
      confirmation: `Run a pass over project ${project} now? The guard checks every integration and acts by its policy, as it does on schedule.`,
      parameters: { ...calls.about, action: 'run' },
    })}</div></div>
${noticeOf(notice)}${troublesOf(view)}${filterOf(view, calls)}${listOf(view, calls)}${historyOf(view)}`,
  );
}

/** The panel of the fleet before the reader has entered a project, or when that project cannot be shown. */
export function renderChoice(
  endpoints: Endpoints,
  { theme }: Reader,
  failed: { readonly project: string; readonly problem: string; readonly notice: Notice | null } | null = null,
): string {
  const says =
    failed === null
      ? html`<p class="ig-muted">Enter the name of a project: the part of its secret’s name after the prefix in the settings.</p>`
      : html`${noticeOf(failed.notice)}${alertOf(failed.problem)}`;
  return page(theme, html`${chooser(failed?.project ?? '', endpoints)}${says}`);
}

function chooser(project: string, endpoints: Endpoints): Html {
  return html`<form class="ig-filter" role="search" aria-label="Choose a project">
<label>Project of the fleet <input name="fleetProject" value="${project}" maxlength="512" placeholder="name"></label>
${button('Show', 'Show the project', { endpoint: endpoints.look, confirmation: null, parameters: { fleet: true } })}
</form>`;
}

/** A sentence in place of the panel, after the notice about the last action. */
export function renderProblem(problem: string, theme: 'light' | 'dark', notice: Notice | null = null): string {
  return page(theme, html`${noticeOf(notice)}${alertOf(problem)}`);
}

function alertOf(problem: string): Html {
  return html`<p class="ig-note ig-bad" role="alert">${problem}</p>`;
}

function page(theme: 'light' | 'dark', content: Html): string {
  return html`<style>${new Html(STYLE)}</style>
<div class="cwdb-no-default-styles ig ig-${theme}">${content}</div>`.toString();
}

/** A shape for each level, so that no level depends on colour alone. The word beside it is for screen readers. */
const SYMBOL = { good: '●', info: '◆', warning: '▲', bad: '■', off: '○' } as const satisfies Record<Level, string>;

function symbol(level: Level): Html {
  return html`<span aria-hidden="true">${SYMBOL[level]}</span>`;
}

function noticeOf(notice: Notice | null): Html | null {
  if (notice === null) return null;
  const role = notice.level === 'bad' ? 'alert' : 'status';
  return html`<p class="ig-note ig-${notice.level}" role="${role}">${notice.text}</p>`;
}

function troublesOf({ troubles }: PanelView): Html | null {
  if (troubles.length === 0) return null;
  return html`<ul class="ig-troubles">${troubles.map((trouble) => html`<li>${trouble}</li>`)}</ul>`;
}

const SHOW_WORDS = { all: 'all', trouble: 'in trouble', stopped: 'stopped' } as const;
const SORT_WORDS = {
  trouble: 'worst first',
  name: 'by name',
  errors: 'most failures first',
  delivery: 'longest silence first',
} as const;

function filterOf({ choice }: PanelView, { endpoints, about }: Calls): Html {
  const options = (words: Readonly<Record<string, string>>, chosen: string) =>
    Object.entries(words).map(([value, word]) =>
      value === chosen
        ? html`<option value="${value}" selected>${word}</option>`
        : html`<option value="${value}">${word}</option>`,
    );
  const open = choice.find !== '' || choice.show !== 'all' || choice.sort !== 'trouble' ? html` open` : null;
  // Closed, so that on a phone the integrations come first.
  return html`<details${open}><summary>Find, filter and sort</summary><form class="ig-filter" role="search" aria-label="Filter integrations">
<label>Find <input name="find" value="${choice.find}" maxlength="100" placeholder="name, id, provider"></label>
<label>Show <select name="show">${options(SHOW_WORDS, choice.show)}</select></label>
<label>Order <select name="sort">${options(SORT_WORDS, choice.sort)}</select></label>
${button('Apply', 'Apply the filter', { endpoint: endpoints.look, confirmation: null, parameters: about })}
</form></details>`;
}

function listOf(view: PanelView, calls: Calls): Html {
  const { rows, hidden } = view;
  const rest = hidden === 0 ? null : html`<p class="ig-muted">${hidden} not shown. The filter finds them.</p>`;
  if (rows.length === 0) return html`<p>No integration to show.</p>${rest}`;
  // The narrow form lays the table out as blocks, which would take the roles away.
  return html`<table class="ig-cards" role="table" aria-label="Integrations of project ${view.project}">
<thead role="rowgroup"><tr role="row">${COLUMNS.map((name) => html`<th role="columnheader" scope="col">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">${rows.map((row) => rowOf(row, view, calls))}</tbody></table>
${legend()}${rest}`;
}

/** The first four are what a reader in a hurry needs, and come first in each card of the narrow form. */
const COLUMNS = ['Integration', 'State', 'Next', 'Do', 'Last error', 'Fresh failures', 'Last delivery', 'This week'];

function rowOf(row: PanelRow, view: PanelView, calls: Calls): Html {
  const { lastError, nextAction } = row;
  return html`<tr role="row"><th role="rowheader" scope="row" class="ig-name">${row.provider} ${row.platform}<small>${row.title}</small><small>${row.id}</small></th>
${cell('State', stateOf(row))}
${cell('Next', nextAction === NOTHING_TO_DO ? null : html`The guard ${nextAction.text}.`)}
${cell('Do', html`<span class="ig-acts">${actionsOf(row, calls)}</span>`)}
${cell('Last error', lastError === null ? null : html`${lastError.at}<small>${lastError.message}</small>`)}
${cell('Fresh failures', errorsOf(row))}
${cell('Last delivery', html`${row.lastDelivery}`)}
${cell('This week', timeline(row, view.now))}</tr>`;
}

/** The narrow form shows the column's name beside each cell, and hides cells without content. */
function cell(label: string, content: Html | null): Html {
  return content === null
    ? html`<td role="cell" data-label="${label}" class="ig-nothing">–</td>`
    : html`<td role="cell" data-label="${label}"><div>${content}</div></td>`;
}

function stateOf({ state, since, ignored }: PanelRow): Html {
  return html`<span class="ig-state ig-${state.level}">${symbol(state.level)} ${state.word}</span>${
    since === null ? null : html`<small>${since}</small>`
  }${ignored ? html`<small>ignored for now</small>` : null}`;
}

/** Fresh failures against the threshold; of a stopped integration, how many there were before. */
function errorsOf({ errors, failures, active }: PanelRow): Html | null {
  if (errors === null) {
    return failures === 0
      ? null
      : html`–<small>${plural(failures, 'failure')}${active ? ', not counted' : ' before'}</small>`;
  }
  const { fresh, threshold } = errors;
  if (fresh === 0) return null;
  const percent = Math.min(100, Math.round((100 * fresh) / threshold));
  const words = `${fresh.toLocaleString('en-US')} of ${threshold.toLocaleString('en-US')}`;
  return html`${words}<div class="${percent === 100 ? 'ig-bar ig-bar-full' : 'ig-bar'}" role="meter" aria-label="Fresh failures" aria-valuemin="0" aria-valuemax="${threshold}" aria-valuenow="${Math.min(fresh, threshold)}" aria-valuetext="${words}"><span style="width:${percent}%"></span></div>`;
}

function actionsOf(row: PanelRow, { endpoints, about }: Calls): readonly Html[] {
  // CloudWatch's sanitiser may drop an attribute that contains a tag, and then the button would act without a question.
  const name = `${row.provider} ${row.platform} "${row.title}" (${row.id})`.replace(/</g, '‹').replace(/>/g, '›');
  const action = (word: string, does: Action, confirmation: string) =>
    button(word, `${word}: ${name}`, {
      endpoint: endpoints.act,
      confirmation: `${confirmation.replace('NAME', () => name)}`,
      parameters: { ...about, action: does, id: row.id },
    });
  return [
    row.active
      ? action(
          BUTTON.pause,
          'pause',
          'Pause NAME? No events are sent there until a person resumes it. Events from that time are not delivered later.',
        )
      : action(
          BUTTON.resume,
          'resume',
          'Resume NAME? Events are sent there again. The guard counts failures from now on.',
        ),
    row.ignored
      ? action(BUTTON.unignore, 'unignore', 'Guard NAME again?')
      : action(
          BUTTON.ignore,
          'ignore',
          'Ignore NAME for a day? The guard neither pauses it nor sends alerts about it.',
        ),
  ];
}

interface CallOptions {
  readonly endpoint: string;
  /** The question that the reader confirms before the call; null when it changes nothing. */
  readonly confirmation: string | null;
  readonly parameters: Readonly<Record<string, string | boolean>>;
}

/** A button, followed by its call as CloudWatch requires. The answer replaces the widget. */
function button(word: string, label: string, { endpoint, confirmation, parameters }: CallOptions): Html {
  const asks = confirmation === null ? null : html` confirmation="${confirmation}"`;
  return html`<button type="button" class="btn" aria-label="${label}">${word}</button><cwdb-action action="call" display="widget" endpoint="${endpoint}"${asks}>${JSON.stringify(parameters)}</cwdb-action>`;
}

/** Where a phase's bar begins and how high it is, of 12. A stop has the tallest bar. */
const SHAPE = {
  delivering: { y: 9, height: 3 },
  failing: { y: 5, height: 7 },
  probing: { y: 5, height: 3 },
  paused: { y: 0, height: 12 },
  suspended: { y: 0, height: 12 },
  operator: { y: 3, height: 6 },
} as const satisfies Record<Phase, { y: number; height: number }>;

const PHASE_WORDS = {
  delivering: 'delivering',
  failing: 'failing',
  probing: 'probing',
  paused: 'paused by the guard',
  suspended: 'suspended by Qonversion',
  operator: 'paused by an operator',
} as const satisfies Record<Phase, string>;

function timeline({ timeline: segments }: PanelRow, now: string): Html {
  const words = segments.map(({ phase, from }, index) =>
    index === 0 ? PHASE_WORDS[phase] : `${PHASE_WORDS[phase]} from ${describeMoment(from, now)}`,
  );
  const days = Array.from({ length: TIMELINE_DAYS - 1 }, (_, day) => round((100 * (day + 1)) / TIMELINE_DAYS));
  return html`<svg class="ig-week" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="Last ${TIMELINE_DAYS} days: ${words.join(', ')}">
${days.map((x) => html`<line class="ig-day" x1="${x}" x2="${x}" y1="0" y2="12"></line>`)}
${segments.map((segment) => bar(segment, now))}</svg>`;
}

/** The narrowest visible bar, of 100. */
const MIN_WIDTH = 2;

function bar({ phase, start, width, from }: Segment, now: string): Html {
  const { y, height } = SHAPE[phase];
  // A few minutes of a week would be invisible.
  const wide = Math.max(MIN_WIDTH, 100 * width);
  return html`<rect class="ig-${phase}" x="${round(Math.min(100 - wide, 100 * start))}" y="${y}" width="${round(wide)}" height="${height}"><title>${PHASE_WORDS[phase]} from ${describeMoment(from, now)}</title></rect>`;
}

/** Both kinds of stop look alike. The bar's title says which it was. */
const LEGEND: readonly (readonly [Phase, string])[] = [
  ['delivering', 'delivering'],
  ['failing', 'failing'],
  ['probing', 'probing'],
  ['paused', 'paused by the guard, or suspended by Qonversion'],
  ['operator', 'paused by an operator'],
];

function legend(): Html {
  return html`<ul class="ig-legend" aria-label="Legend of the week">${LEGEND.map(
    ([phase, words]) =>
      html`<li><svg class="ig-week" viewBox="0 0 16 12" aria-hidden="true"><rect class="ig-${phase}" x="0" y="${SHAPE[phase].y}" width="16" height="${SHAPE[phase].height}"></rect></svg>${words}</li>`,
  )}</ul>`;
}

const LEVEL_OF = { info: 'good', warning: 'warning', critical: 'bad' } as const;

function historyOf({ history }: PanelView): Html {
  if (history.length === 0)
    return html`<p class="ig-muted">Nothing has happened in the last ${TIMELINE_DAYS} days.</p>`;
  const line = ({ at, who, name, id, what, severity, why }: HistoryLine) =>
    html`<tr role="row">${cell('Time', html`${at}`)}${cell('Who', html`${who}`)}${cell('Integration', html`${name}${id === '' ? null : html`<small>${id}</small>`}`)}${cell('What', html`<span class="ig-${LEVEL_OF[severity]}">${what}</span>`)}${cell('Why', html`${why}`)}</tr>`;
  return html`<details><summary>${HISTORY_HEADING}</summary>
<table class="ig-cards" role="table" aria-label="History">
<thead role="rowgroup"><tr role="row">${['Time', 'Who', 'Integration', 'What', 'Why'].map((name) => html`<th role="columnheader" scope="col">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">${history.map(line)}</tbody></table></details>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
