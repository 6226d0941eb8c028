import type { AlertSink } from '../guard/ports.ts';
import type { SnsAlertSinkOptions } from './alerts.ts';
import { audiencesOf } from './audiences.ts';
import { type PassEnvironment, parseChatTopics, parseIncidentTools } from './environment.ts';
import { CLIENT_OPTIONS, type Runtime } from './runtime.ts';

/**
 * The alert sink of a deployed function. It loads the SDK and the messages at first use, because a quiet pass publishes
 * nothing.
 */
export function createLazyAlertSink(environment: PassEnvironment, runtime: Runtime): AlertSink {
  let sink: Promise<AlertSink> | null = null;
  const load = async (): Promise<AlertSink> => {
    const [options, { createSnsAlertSink }] = await Promise.all([
      loadAlertOptions(environment, runtime),
      import('./alerts.ts'),
    ]);
    return createSnsAlertSink(options);
  };
  return {
    audiences: audiencesOf({
      people: runtime.settings.people,
      chatTopics: parseChatTopics(environment.CHAT_TOPICS),
      incidentTools: parseIncidentTools(environment.INCIDENT_TOOLS),
    }),
    publish: async (project, events, audience) => {
      sink ??= load();
      return (await sink).publish(project, events, audience);
    },
  };
}

/** Loads the SDK, and what the alerts of a deployed function need. */
export async function loadAlertOptions(
  environment: PassEnvironment,
  { settings, log, clock, dynamo }: Runtime,
): Promise<SnsAlertSinkOptions> {
  const [{ SNSClient }, { alertOptionsOf }] = await Promise.all([
    import('@aws-sdk/client-sns'),
    import('./alert-options.ts'),
  ]);
  return {
    ...alertOptionsOf({
      settings,
      people: settings.people,
      topicArn: environment.ALERTS_TOPIC_ARN,
      chatTopics: parseChatTopics(environment.CHAT_TOPICS),
      incidentTools: parseIncidentTools(environment.INCIDENT_TOOLS),
      stack: environment.STACK_NAME,
      dashboardName: environment.DASHBOARD_NAME ?? null,
      ledgerTableName: environment.LEDGER_TABLE,
      dynamo,
      clientOptions: CLIENT_OPTIONS,
      clock,
      log,
    }),
    client: new SNSClient(CLIENT_OPTIONS),
  };
}
