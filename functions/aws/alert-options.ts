import type { PeopleGroup } from '../guard/settings/people.ts';
import type { Settings } from '../guard/settings/schema.ts';
import type { SnsAlertSinkOptions } from './alerts.ts';
import { panelLink, regionOf } from './console.ts';
import type { ChatTopic } from './environment.ts';

export interface DeployedAlerts {
  readonly settings: Pick<Settings, 'projects' | 'fleet' | 'alerts'>;
  readonly people: readonly PeopleGroup[];
  readonly topicArn: string;
  readonly chatTopics: readonly ChatTopic[];
  readonly stack: string;
  readonly dashboardName: string;
}

/** The options of the alert sink that follow from a deployed stack. */
export function alertOptionsOf({
  settings,
  people,
  topicArn,
  chatTopics,
  stack,
  dashboardName,
}: DeployedAlerts): Omit<SnsAlertSinkOptions, 'client' | 'spool' | 'clock' | 'log'> {
  const projects = Object.keys(settings.projects);
  return {
    topicArn,
    people,
    chatTopics,
    stack,
    runbook: settings.alerts.runbookUrl ?? null,
    panelOf: (project) => panelLink(regionOf(topicArn), dashboardName, projects, project),
    isOfFleet: (project) => settings.fleet !== undefined && !projects.includes(project),
  };
}
