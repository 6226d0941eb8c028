import { describeError } from '../guard/errors.ts';
import { runOperatorCommand } from '../guard/pass/operator-command.ts';
import { type PassReport, planPass, runPass } from '../guard/pass/run-pass.ts';
import { statusAsked } from '../guard/policy/decide.ts';
import type { Log, LookingPorts, Ports } from '../guard/ports.ts';
import type { GuardedProject } from '../guard/settings/types.ts';
import { plural, safeText } from '../guard/text/sanitize.ts';
import { HOUR_MS, plusMs } from '../guard/text/time.ts';
import { DESCRIPTION } from './description.ts';
import { type ActionInput, type Askable, ORDER_OF, parsePanelInput, type Reader } from './input.ts';
import { type Endpoints, type Notice, renderChoice, renderPanel, renderProblem } from './page.ts';
import { TIMELINE_DAYS } from './timeline.ts';
import { createView } from './view.ts';

/** The control panel behind its two doors: one that only looks, and one that acts. */

/** What the viewing function provides: no way to change anything or to publish. */
export interface LookDoor extends Askable {
  readonly log: Log;
  readonly endpoints: Endpoints;
  open(project: string): Promise<{ readonly project: GuardedProject; readonly ports: LookingPorts }>;
}

/** What the acting function provides. */
export interface ActDoor extends LookDoor {
  open(project: string): Promise<{ readonly project: GuardedProject; readonly ports: Ports }>;
  /** Hears of a pass that was run, for the metrics. */
  onPass(report: PassReport): void;
}

/** Answers one call of the function that draws: a page, or one sentence on what it takes. */
export async function answerLook(event: unknown, door: LookDoor): Promise<string> {
  const input = parsePanelInput(event, door);
  switch (input?.wants) {
    case 'description':
      return DESCRIPTION;
    case 'choice':
      return renderChoice(door.endpoints, input.reader);
    case 'panel':
      return drawPanel(door, input, null);
    default:
      door.log.warn('not a request of the panel');
      return renderProblem(`This widget takes {"project": NAME}, ${describeNames(door)}.`, 'light');
  }
}

/** Answers one call of the function behind the buttons: does it, and draws the panel as it is afterwards. */
export async function answerAct(event: unknown, door: ActDoor): Promise<string> {
  const input = parsePanelInput(event, door);
  if (input === null) {
    door.log.warn('not a request of the panel');
    const takes =
      '{"project": NAME, "action": "pause" | "resume" | "ignore" | "unignore", "id": ID} or {"project": NAME, "action": "run"}';
    return renderProblem(`This function takes ${takes}, ${describeNames(door)}. Nothing was done.`, 'light');
  }
  switch (input.wants) {
    case 'description':
      return DESCRIPTION;
    case 'choice':
      return renderChoice(door.endpoints, input.reader);
    case 'panel':
      // Until the dashboard refreshes, filters of a page that was drawn after an act come here.
      return drawPanel(door, input, null);
    case 'action':
      return drawPanel(door, input, await act(door, input));
  }
}

function describeNames({ projects, fleet }: Askable): string {
  const listed = projects.length === 0 ? [] : [`one of: ${projects.join(', ')}`];
  return `with NAME ${[...listed, ...(fleet ? ['a project of the fleet'] : [])].join('; or ')}`;
}

interface Drawn {
  readonly project: string;
  readonly reader: Reader;
}

/** Reads everything, touches nothing, and draws it. What goes wrong is shown, with what was done before. */
async function drawPanel(door: LookDoor, { project: name, reader }: Drawn, notice: Notice | null): Promise<string> {
  const { endpoints } = door;
  try {
    const { project, ports } = await door.open(name);
    const since = plusMs(ports.clock.now(), -TIMELINE_DAYS * 24 * HOUR_MS);
    const [plan, history] = await Promise.all([planPass(ports, project), ports.ledger.history(name, since)]);
    return renderPanel(createView(project, plan, history, reader.choice), { endpoints, reader, notice });
  } catch (error) {
    const problem = safeText(describeError(error), 500);
    door.log.error('the panel cannot be drawn', { project: name, problem });
    const says = `The panel cannot show project "${name}": ${problem}`;
    return reader.fleet
      ? renderChoice(endpoints, reader, { project: name, problem: says, notice })
      : renderProblem(says, reader.theme, notice);
  }
}

async function act(door: ActDoor, input: ActionInput): Promise<Notice> {
  try {
    const { project, ports } = await door.open(input.project);
    if (input.action === 'run') {
      const report = await runPass(ports, project);
      door.onPass(report);
      return describePass(report);
    }
    const { id, action } = input;
    const { outcome, problem, decision } = await runOperatorCommand(ports, project, id, ORDER_OF[action]);
    return outcome === 'done'
      ? { level: 'good', text: `${id} ${DONE[action]}` }
      : { level: 'bad', text: `${id} ${FAILED[action]}: ${safeText(problem ?? decision.reason, 300)}` };
  } catch (error) {
    const problem = safeText(describeError(error), 500);
    door.log.error('the action failed', { project: input.project, action: input.action, problem });
    return { level: 'bad', text: problem };
  }
}

function describePass(report: PassReport): Notice {
  const failure =
    report.failure ??
    (report.ok ? null : 'some alerts or results could not be delivered or recorded; the next pass continues');
  if (failure !== null) return { level: 'bad', text: `The pass failed: ${safeText(failure, 300)}` };
  const done = report.results.filter(
    ({ decision, outcome }) => outcome === 'done' && statusAsked(decision) !== null,
  ).length;
  const changed = done === 0 ? 'nothing was changed' : `${plural(done, 'integration')} changed`;
  return { level: 'good', text: `The pass is done: ${changed}, ${plural(report.delivered.length, 'alert')} sent.` };
}

const DONE = {
  pause: 'is paused, and the guard will not re-activate it. "Resume" undoes it.',
  resume: 'is active again, and its failures count from now on. "Pause" undoes it.',
  ignore: 'is ignored for a day: the guard neither pauses it nor sends alerts about it. "Guard again" undoes it.',
  unignore: 'is guarded again.',
} as const;

const FAILED = {
  pause: 'was not paused',
  resume: 'was not resumed',
  ignore: 'is guarded still',
  unignore: 'is ignored still',
} as const;
