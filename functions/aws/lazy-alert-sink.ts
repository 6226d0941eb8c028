import type { AlertSink } from '../guard/ports.ts';
import { audiencesOf } from './audiences.ts';
import { panelLink, regionOf } from './console.ts';
import { type PassEnvironment, parseChatTopics } from './environment.ts';
import { CLIENT_OPTIONS, type Runtime } from './runtime.ts';

/**
 * The alert sink of a deployed function. It loads the SDK and the messages at first use, because a quiet pass publishes
 * nothing.
 */
export function createLazyAlertSink(environment: PassEnvironment, { settings, log }: Runtime): AlertSink {
  const region = regionOf(environment.ALERTS_TOPIC_ARN);
  const projects = Object.keys(settings.projects);
  const chatTopics = parseChatTopics(environment.CHAT_TOPICS);
  const { DASHBOARD_NAME: dashboard } = environment;
  let sink: Promise<AlertSink> | null = null;
  const load = async (): Promise<AlertSink> => {
    const [{ SNSClient }, { createSnsAlertSink }] = await Promise.all([
      import('@aws-sdk/client-sns'),
      import('./alerts.ts'),
    ]);
    return createSnsAlertSink({
      client: new SNSClient(CLIENT_OPTIONS),
      topicArn: environment.ALERTS_TOPIC_ARN,
      chatTopics,
      log,
      stack: environment.STACK_NAME,
      runbook: settings.alerts.runbookUrl ?? null,
      panelOf: (project) => (dashboard === undefined ? null : panelLink(region, dashboard, projects, project)),
    });
  };
  return {
    audiences: audiencesOf(chatTopics),
    publish: async (project, events, audience) => {
      sink ??= load();
      return (await sink).publish(project, events, audience);
    },
  };
}
