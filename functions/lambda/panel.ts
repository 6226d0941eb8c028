import type { Context } from 'aws-lambda';
import { readPanelEnvironment } from '../aws/environment.ts';
import { createRuntime, type Invocation, readBundledSettings } from '../aws/runtime.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { answerLook } from '../panel/panel.ts';

/** The Lambda function that draws the control panel. It cannot change anything: it has neither the code nor the permissions. */

type Panel = (event: unknown, invocation: Invocation & Pick<Context, 'invokedFunctionArn'>) => Promise<string>;

let panel: Panel | null = null;

export async function handler(event: unknown, context: Context): Promise<string> {
  panel ??= createPanel(process.env, readBundledSettings(import.meta.url));
  return panel(event, context);
}

export function createPanel(variables: NodeJS.ProcessEnv, settings: Settings): Panel {
  const environment = readPanelEnvironment(variables);
  const runtime = createRuntime(environment, settings);
  const { clock, log } = runtime;

  return (event, invocation) =>
    answerLook(event, {
      projects: Object.keys(settings.projects),
      fleet: settings.fleet !== undefined,
      log,
      endpoints: { look: invocation.invokedFunctionArn, act: environment.ACT_FUNCTION_ARN },
      open: async (name) => {
        const { project, api, ledger } = await runtime.open(name, invocation, 0);
        return { project, ports: { api, ledger, clock } };
      },
    });
}
