import type { PanelLink } from '../messages/wording.ts';

/** The address of a CloudWatch dashboard. */
export function dashboardUrl(region: string, name: string): string {
  return `https://${hostOf(region)}/cloudwatch/home?region=${region}#dashboards/dashboard/${encodeURIComponent(name)}`;
}

/** The address of a stack in the console of CloudFormation. */
export function stackUrl(region: string, name: string | null): string {
  const filter = name === null ? '' : `?filteringText=${encodeURIComponent(name)}`;
  return `https://${hostOf(region)}/cloudformation/home?region=${region}#/stacks${filter}`;
}

/** The host of the console depends on the partition and the region. */
function hostOf(region: string): string {
  return region.startsWith('cn-')
    ? 'console.amazonaws.cn'
    : region.startsWith('us-gov-')
      ? 'console.amazonaws-us-gov.com'
      : `${region}.console.aws.amazon.com`;
}

/** The region in an ARN. */
export function regionOf(arn: string): string {
  return arn.split(':')[3] ?? '';
}

/** The account in an ARN. */
export function accountOf(arn: string): string {
  return arn.split(':')[4] ?? '';
}

/** Projects on one dashboard. CloudWatch allows 500 widgets and 2,500 metrics; a reader needs far fewer. */
export const PROJECTS_PER_DASHBOARD = 25;

/**
 * The dashboard with a project's control panel.
 * @param first name of the first dashboard; the others are numbered
 * @param projects names in the order of the settings
 */
export function dashboardOf(first: string, projects: readonly string[], project: string): string {
  const page = Math.floor(Math.max(0, projects.indexOf(project)) / PROJECTS_PER_DASHBOARD);
  return page === 0 ? first : `${first}-${page + 1}`;
}

/** Where the control panel of a project, or of several (null), is: on a dashboard of its own, or on the first one, which has the panel of the fleet. */
export function panelLink(
  region: string,
  first: string,
  projects: readonly string[],
  project: string | null,
): PanelLink {
  const name = project === null ? first : dashboardOf(first, projects, project);
  return { url: dashboardUrl(region, name), ofFleet: project !== null && !projects.includes(project) };
}
