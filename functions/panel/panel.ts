import { describeError } from '../guard/errors.ts';
import { BUTTON } from '../guard/model/event-catalogue.ts';
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

/** Answers the calls of the control panel's two functions: one only reads, the other acts. */

/** The dependencies of the viewing function. It cannot change or publish anything. */
export interface LookDoor extends Askable {
  readonly log: Log;
  readonly endpoints: Endpoints;
  open(project: string): Promise<{ readonly project: GuardedProject; readonly ports: LookingPorts }>;
}

/** The dependencies of the acting function. */
export interface ActDoor extends LookDoor {
  open(project: string): Promise<{ readonly project: GuardedProject; readonly ports: Ports }>;
  /** Called after a pass, for the metrics. */
  onPass(report: PassReport): Promise<void>;
}

/** Answers one call of the function that draws: with a page, or with a sentence about its parameters. */
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

/** Answers one call of the function behind the buttons: acts, and draws the panel afterwards. */
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
      // After an act, the filter of the page calls this function until the dashboard refreshes.
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

/** Reads everything, changes nothing, and draws it. An error is shown together with the notice of an earlier act. */
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
      await door.onPass(report);
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
    (report.ok ? null : 'some alerts or results could not be delivered or recorded. The next pass tries again');
  if (failure !== null) return { level: 'bad', text: `The pass failed: ${safeText(failure, 300)}` };
  const done = report.results.filter(
    ({ decision, outcome }) => outcome === 'done' && statusAsked(decision) !== null,
  ).length;
  const changed = done === 0 ? 'nothing changed' : `${plural(done, 'integration')} changed`;
  return { level: 'good', text: `The pass is done: ${changed}, ${plural(report.delivered.length, 'alert')} sent.` };
}

const DONE = {
  pause: `is paused. The guard will not resume it. To undo this, press ${BUTTON.resume}.`,
  resume: `is active again. Its failures count from now on. To undo this, press ${BUTTON.pause}.`,
  ignore: `is ignored for a day: the guard neither pauses it nor sends alerts about it. To undo this, press ${BUTTON.unignore}.`,
  unignore: 'is guarded again.',
} as const;

const FAILED = {
  pause: 'was not paused',
  resume: 'was not resumed',
  ignore: 'is still guarded',
  unignore: 'is still ignored',
} as const;
