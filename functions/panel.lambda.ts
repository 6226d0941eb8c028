import type { Context } from 'aws-lambda';
import { readPanelEnvironment } from './aws/environment.ts';
import { createRuntime, type Invocation, readBundledSettings } from './aws/runtime.ts';
import type { Settings } from './guard/settings.ts';
import { DESCRIPTION } from './panel/description.ts';
import { parsePanelInput } from './panel/input.ts';
import { renderProblem } from './panel/page.ts';
import { drawPanel } from './panel/panel.ts';

/** The Lambda door of whoever looks: draws the control panel. It has no way to change anything, and no right to. */

type Panel = (event: unknown, invocation: Invocation & Pick<Context, 'invokedFunctionArn'>) => Promise<string>;

let panel: Panel | null = null;

export async function handler(event: unknown, context: Context): Promise<string> {
  panel ??= createPanel(process.env, readBundledSettings(import.meta.url));
  return panel(event, context);
}

export function createPanel(variables: NodeJS.ProcessEnv, settings: Settings): Panel {
  const environment = readPanelEnvironment(variables);
  const runtime = createRuntime(environment.LEDGER_TABLE, settings);
  const projects = Object.keys(settings.projects);

  return async (event, invocation) => {
    const input = parsePanelInput(event, projects);
    if (input?.wants === 'description') return DESCRIPTION;
    if (input?.wants !== 'panel') {
      runtime.log.warn('not a request of the panel');
      return renderProblem(`This widget takes {"project": NAME}, with NAME one of: ${projects.join(', ')}.`, 'light');
    }
    const { project, api, log } = runtime.open(input.project, invocation, 0);
    const { clock, ledger } = runtime;
    const endpoints = { look: invocation.invokedFunctionArn, act: environment.ACT_FUNCTION_ARN };
    return drawPanel({ api, ledger, clock, log }, { project, reader: input.reader, endpoints });
  };
}
