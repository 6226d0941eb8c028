import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import type { Clock, Log } from '../guard/ports.ts';
import type { PeopleGroup } from '../guard/settings/people.ts';
import type { Settings } from '../guard/settings/schema.ts';
import type { SnsAlertSinkOptions } from './alerts.ts';
import { panelLink, regionOf } from './console.ts';
import type { ChatTopic, IncidentTool } from './environment.ts';
import type { IncidentMessage } from './incident-queue.ts';
import { createDynamoOpenIncidents } from './open-incidents.ts';
import { createDynamoSpool } from './spool.ts';

export interface DeployedAlerts {
  readonly settings: Pick<Settings, 'projects' | 'fleet' | 'alerts'>;
  readonly people: readonly PeopleGroup[];
  readonly topicArn: string;
  readonly chatTopics: readonly ChatTopic[];
  readonly incidentTools: readonly IncidentTool[];
  readonly stack: string;
  /** Null: there is none. */
  readonly dashboardName: string | null;
  readonly ledgerTableName: string;
  readonly dynamo: DynamoDBClient;
  /** For the client of SQS. */
  readonly clientOptions: SQSClientConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** The options of the alert sink that follow from a deployed stack. */
export function alertOptionsOf(deployed: DeployedAlerts): Omit<SnsAlertSinkOptions, 'client'> {
  const { settings, people, topicArn, chatTopics, incidentTools, stack, dashboardName, clock, log } = deployed;
  const projects = Object.keys(settings.projects);
  const providerOutage = settings.fleet?.policy.providerOutage ?? 'off';
  return {
    topicArn,
    people,
    chatTopics,
    incidentTools,
    stack,
    clock,
    log,
    runbook: settings.alerts.runbookUrl ?? null,
    panelOf: (project) =>
      dashboardName === null ? null : panelLink(regionOf(topicArn), dashboardName, projects, project),
    isOfFleet: (project) => settings.fleet !== undefined && !projects.includes(project),
    unrelatedProviders: providerOutage === 'off' ? [] : providerOutage.except,
    spool: createDynamoSpool(deployed.dynamo, deployed.ledgerTableName, clock),
    openIncidents: createDynamoOpenIncidents(deployed.dynamo, deployed.ledgerTableName),
    sendIncidents: createIncidentSender(deployed),
  };
}

/** Loads the client of SQS at first use. A guard without incident tools never does. */
function createIncidentSender({ clientOptions, log }: DeployedAlerts): SnsAlertSinkOptions['sendIncidents'] {
  const load = async () => {
    const [{ SQSClient }, { sendIncidents }] = await Promise.all([
      import('@aws-sdk/client-sqs'),
      import('./incident-queue.ts'),
    ]);
    const client = new SQSClient({ ...clientOptions, useQueueUrlAsEndpoint: false });
    return (tool: IncidentTool, messages: readonly IncidentMessage[]) => sendIncidents(client, tool, messages, log);
  };
  let sender: ReturnType<typeof load> | null = null;
  return async (tool, messages) => {
    if (messages.length === 0) return new Set();
    sender ??= load();
    return (await sender)(tool, messages);
  };
}
