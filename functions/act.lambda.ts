import type { Context } from 'aws-lambda';
import { createTellingAlerts } from './aws/alerts.ts';
import { readPassEnvironment } from './aws/environment.ts';
import { publishPass } from './aws/metrics.ts';
import { createRuntime, type Invocation, readBundledSettings } from './aws/runtime.ts';
import { TELLING_MS } from './guard/carry-out.ts';
import type { Ports } from './guard/ports.ts';
import type { Settings } from './guard/settings.ts';
import { DESCRIPTION } from './panel/description.ts';
import { parsePanelInput } from './panel/input.ts';
import { renderProblem } from './panel/page.ts';
import { actOnPanel, drawPanel } from './panel/panel.ts';

/**
 * The Lambda door behind the panel's buttons. A function of its own, so that IAM can let somebody look (panel.lambda.ts)
 * without letting them act. After the act it draws the panel; until the dashboard refreshes, filters come here too.
 */

type Act = (event: unknown, invocation: Invocation & Pick<Context, 'invokedFunctionArn'>) => Promise<string>;

let act: Act | null = null;

export async function handler(event: unknown, context: Context): Promise<string> {
  act ??= createAct(process.env, readBundledSettings(import.meta.url));
  return act(event, context);
}

export function createAct(variables: NodeJS.ProcessEnv, settings: Settings): Act {
  const environment = readPassEnvironment(variables);
  const runtime = createRuntime(environment.LEDGER_TABLE, settings);
  const alerts = createTellingAlerts(environment, runtime);
  const projects = Object.keys(settings.projects);

  return async (event, invocation) => {
    const input = parsePanelInput(event, projects);
    if (input === null) {
      runtime.log.warn('not a request of the panel');
      return renderProblem(
        `This function takes {"project": NAME, "action": "pause" | "resume" | "ignore" | "heed", "id": ID} or {"project": NAME, "action": "run"}, with NAME one of: ${projects.join(', ')}. Nothing was done.`,
        'light',
      );
    }
    if (input.wants === 'description') return DESCRIPTION;
    const { project, ...opened } = runtime.open(input.project, invocation, TELLING_MS);
    const { clock, ledger } = runtime;
    const ports: Ports = { ...opened, clock, ledger, alerts };
    const self = invocation.invokedFunctionArn;
    const options = { project, reader: input.reader, endpoints: { look: self, act: self } };
    if (input.wants === 'panel') return drawPanel(ports, options);
    return actOnPanel(ports, options, input.action, input.id, publishPass);
  };
}
