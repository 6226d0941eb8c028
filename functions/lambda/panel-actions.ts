import type { Context } from 'aws-lambda';
import { readPassEnvironment } from '../aws/environment.ts';
import { createLazyAlertSink } from '../aws/lazy-alert-sink.ts';
import { publishPass } from '../aws/metrics.ts';
import { logPass } from '../aws/pass-summary.ts';
import { createRuntime, type Invocation, readBundledSettings } from '../aws/runtime.ts';
import { ALERT_RESERVE_MS } from '../guard/pass/time-budget.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { answerAct } from '../panel/panel.ts';

/**
 * The Lambda function behind the panel's buttons. It is a separate function, so that IAM can allow a user to look (panel.ts)
 * and not to act.
 */

type Act = (event: unknown, invocation: Invocation & Pick<Context, 'invokedFunctionArn'>) => Promise<string>;

let act: Act | null = null;

export async function handler(event: unknown, context: Context): Promise<string> {
  act ??= createAct(process.env, readBundledSettings(import.meta.url));
  return act(event, context);
}

export function createAct(variables: NodeJS.ProcessEnv, settings: Settings): Act {
  const environment = readPassEnvironment(variables);
  const runtime = createRuntime(environment, settings);
  const alerts = createLazyAlertSink(environment, runtime);
  const { clock, log } = runtime;

  return (event, invocation) =>
    answerAct(event, {
      projects: Object.keys(settings.projects),
      fleet: settings.fleet !== undefined,
      log,
      endpoints: { look: invocation.invokedFunctionArn, act: invocation.invokedFunctionArn },
      open: async (name) => {
        const { project, ...opened } = await runtime.open(name, invocation, ALERT_RESERVE_MS);
        return { project, ports: { ...opened, clock, alerts } };
      },
      onPass: (report) => {
        logPass(log, report);
        return publishPass(report, settings);
      },
    });
}
