import { SettingsError } from '../errors.ts';
import type { Policy, ProjectSettings } from './schema.ts';

/** Settings as they are once `settings-schema.ts` has checked them; nothing here needs the schema itself. */

export type {
  FlappingPolicy,
  FleetSettings,
  Policy,
  ProjectSettings,
  Recovery,
  Settings,
  Subscription,
} from './schema.ts';

/** A project as the core sees it: the rest of its settings is for the doors. */
export interface GuardedProject {
  readonly name: string;
  readonly policy: Policy;
}

/** Name or ARN of the project's secret. */
export function secretIdOf(entry: ProjectSettings): string {
  const id = entry.secretArn ?? entry.secretName;
  if (id === undefined) throw new SettingsError(['expected exactly one of secretName and secretArn, got none']);
  return id;
}

/** Minutes between two passes, or null when the expression is not a rate. */
export function scheduleMinutes(expression: string): number | null {
  const parts = /^rate\(([1-9]\d{0,3}) (minute|hour|day)(s?)\)$/.exec(expression);
  if (parts === null) return null;
  const [, count = '', unit, many] = parts;
  // AWS refuses rate(1 minutes) and rate(5 minute).
  if ((Number(count) === 1) !== (many === '')) return null;
  return Number(count) * (unit === 'minute' ? 1 : unit === 'hour' ? 60 : 24 * 60);
}

/** Of a secret in Secrets Manager. */
export const SECRET_NAME = /^[\w/+=.@-]{1,512}$/;

export const PROJECT_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The page as it lies beside the code, for those who have it. */
export const RUNBOOK = 'docs/runbook.md';

/** Whether it is a channel of Slack or Microsoft Teams. */
export function isChat(entry: { readonly slack?: unknown; readonly teams?: unknown }): boolean {
  return entry.slack !== undefined || entry.teams !== undefined;
}
