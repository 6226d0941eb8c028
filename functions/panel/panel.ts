import { describeError, GuardError } from '../guard/errors.ts';
import { operate } from '../guard/operate.ts';
import { type PassReport, planPass, runPass } from '../guard/pass.ts';
import type { Log, LookingPorts, Ports } from '../guard/ports.ts';
import type { GuardedProject } from '../guard/settings.ts';
import { plural, safeText } from '../guard/text.ts';
import { plusMs } from '../guard/time.ts';
import { type Action, ORDER_OF, type Reader } from './input.ts';
import { type Endpoints, type Notice, renderPanel, renderProblem } from './page.ts';
import { TIMELINE_DAYS } from './timeline.ts';
import { createView } from './view.ts';

/** The control panel: what its two functions have in common with no other door. */

export interface PanelOptions {
  readonly project: GuardedProject;
  readonly reader: Reader;
  readonly endpoints: Endpoints;
}

/** Reads everything, touches nothing, and draws it. What goes wrong is shown, with what was done before. */
export async function drawPanel(
  ports: LookingPorts & { readonly log: Log },
  { project, reader, endpoints }: PanelOptions,
  notice: Notice | null = null,
): Promise<string> {
  try {
    const since = plusMs(ports.clock.now(), -TIMELINE_DAYS * 24 * 60 * 60_000);
    const [plan, history] = await Promise.all([planPass(ports, project), ports.ledger.history(project.name, since)]);
    const view = createView(project, plan, history, reader.choice);
    return renderPanel(view, { endpoints, theme: reader.theme, notice });
  } catch (error) {
    const problem = safeText(describeError(error), 500);
    ports.log.error('the panel cannot be drawn', { problem });
    return renderProblem(`The panel cannot show project "${project.name}": ${problem}`, reader.theme, notice);
  }
}

/**
 * Does what a button says, then draws the panel as it is afterwards.
 * @param onPass hears of a pass that was run, for the metrics
 */
export async function actOnPanel(
  ports: Ports,
  options: PanelOptions,
  action: Action,
  id: string | null,
  onPass: (report: PassReport) => void,
): Promise<string> {
  const notice = await act(ports, options.project, action, id, onPass);
  return drawPanel(ports, options, notice);
}

async function act(
  ports: Ports,
  project: GuardedProject,
  action: Action,
  id: string | null,
  onPass: (report: PassReport) => void,
): Promise<Notice> {
  try {
    if (action === 'run') {
      const report = await runPass(ports, project);
      onPass(report);
      return describePass(report);
    }
    if (id === null) throw new GuardError('this action is about one integration; name it by "id"');
    const { outcome, problem, decision } = await operate(ports, project, id, ORDER_OF[action]);
    return outcome === 'done'
      ? { level: 'good', text: `${id} ${DONE[action]}` }
      : { level: 'bad', text: `${id} ${FAILED[action]}: ${safeText(problem ?? decision.reason, 300)}` };
  } catch (error) {
    const problem = safeText(describeError(error), 500);
    ports.log.error('the action failed', { action, problem });
    return { level: 'bad', text: problem };
  }
}

function describePass(report: PassReport): Notice {
  const failure =
    report.failure ?? (report.ok ? null : 'not everything could be told or settled; the next pass goes on');
  if (failure !== null) return { level: 'bad', text: `The pass failed: ${safeText(failure, 300)}` };
  const done = report.results.filter(({ decision, outcome }) => outcome === 'done' && decision.act !== null).length;
  const changed = done === 0 ? 'nothing was changed' : `${plural(done, 'integration')} changed`;
  return { level: 'good', text: `The pass is done: ${changed}, ${plural(report.told.length, 'alert')} sent.` };
}

const DONE = {
  pause: 'is paused, and the guard will not re-activate it. "Resume" undoes it.',
  resume: 'is active again, and its failures count from now on. "Pause" undoes it.',
  ignore: 'is left alone for a day: nothing is told of it, and it is not paused. "Guard again" undoes it.',
  heed: 'is guarded again.',
} as const;

const FAILED = {
  pause: 'was not paused',
  resume: 'was not resumed',
  ignore: 'is guarded still',
  heed: 'is ignored still',
} as const;
