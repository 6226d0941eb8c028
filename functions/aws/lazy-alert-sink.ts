import type { AlertSink } from '../guard/ports.ts';
import type { SnsAlertSinkOptions } from './alerts.ts';
import { audiencesOf } from './audiences.ts';
import { panelLink, regionOf } from './console.ts';
import { type PassEnvironment, parseChatTopics, parseIncidentTools } from './environment.ts';
import { CLIENT_OPTIONS, type Runtime } from './runtime.ts';

/**
 * The alert sink of a deployed function. It loads the SDK and the messages at first use, because a quiet pass publishes
 * nothing.
 */
export function createLazyAlertSink(environment: PassEnvironment, { settings, log }: Runtime): AlertSink {
  const region = regionOf(environment.ALERTS_TOPIC_ARN);
  const projects = Object.keys(settings.projects);
  const chatTopics = parseChatTopics(environment.CHAT_TOPICS);
  const incidentTools = parseIncidentTools(environment.INCIDENT_TOOLS);
  let sink: Promise<AlertSink> | null = null;
  /** A guard without incident tools does not load the client of SQS. */
  const loadIncidents = async (): Promise<Pick<SnsAlertSinkOptions, 'incidents'>> => {
    if (incidentTools.length === 0) return {};
    const [{ SQSClient }, { sendIncidents }] = await Promise.all([
      import('@aws-sdk/client-sqs'),
      import('./incident-queue.ts'),
    ]);
    const client = new SQSClient({ ...CLIENT_OPTIONS, useQueueUrlAsEndpoint: false });
    return {
      incidents: { tools: incidentTools, send: (tool, messages) => sendIncidents(client, tool, messages, log) },
    };
  };
  const load = async (): Promise<AlertSink> => {
    const [{ SNSClient }, { createSnsAlertSink }] = await Promise.all([
      import('@aws-sdk/client-sns'),
      import('./alerts.ts'),
    ]);
    return createSnsAlertSink({
      client: new SNSClient(CLIENT_OPTIONS),
      topicArn: environment.ALERTS_TOPIC_ARN,
      chatTopics,
      ...(await loadIncidents()),
      log,
      stack: environment.STACK_NAME,
      runbook: settings.alerts.runbookUrl ?? null,
      panelOf: (project) => panelLink(region, environment.DASHBOARD_NAME, projects, project),
    });
  };
  return {
    audiences: audiencesOf(chatTopics, incidentTools),
    publish: async (project, events, audience) => {
      sink ??= load();
      return (await sink).publish(project, events, audience);
    },
  };
}
