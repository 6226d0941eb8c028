import { panelLink } from '../../functions/aws/console.ts';
import { BLANK_ENTRY, type Entry } from '../../functions/guard/model/entry.ts';
import type { IntegrationRecord } from '../../functions/guard/model/integration.ts';
import { type Policy, parseSettings } from '../../functions/guard/settings/schema.ts';

/** The moment at which tests begin by default. */
export const NOON = '2026-11-23T12:00:00.000Z';

/** The panel in the mails of tests. */
export const PANEL = panelLink('eu-west-1', 'IntegrationGuard-eu-west-1', ['production'], 'production');

export function minutesAfter(moment: string, minutes: number): string {
  return new Date(Date.parse(moment) + minutes * 60_000).toISOString();
}

export function minutesBefore(moment: string, minutes: number): string {
  return minutesAfter(moment, -minutes);
}

/** A healthy, active integration that delivered a minute ago. A test overrides only the fields that matter to it. */
export function aRecord(fields: Partial<IntegrationRecord> = {}): IntegrationRecord {
  return {
    id: 'amp-ios',
    title: 'Amplitude — Production iOS',
    integration: 'Amplitude',
    target_platform: 'iOS',
    active: 1,
    created_at: '2026-02-26T16:03:09Z',
    updated_at: '2026-02-26T16:03:09Z',
    last_delivery_at: minutesBefore(NOON, 1),
    last_error_at: null,
    last_error_message: null,
    delivery_error_count: 0,
    ...fields,
  };
}

/** An active integration with `errors` failures and no delivery for `minutes`. */
export function aFailingRecord(
  errors: number,
  minutes: number,
  fields: Partial<IntegrationRecord> = {},
): IntegrationRecord {
  return aRecord({
    delivery_error_count: errors,
    last_delivery_at: minutesBefore(NOON, minutes),
    last_error_at: NOON,
    last_error_message: 'HTTP 401 from upstream',
    ...fields,
  });
}

export function anEntry(fields: Partial<Entry> = {}): Entry {
  return { ...BLANK_ENTRY, ...fields };
}

/** A policy as settings give it, with defaults. */
export function aPolicy(policy: Record<string, unknown> = {}): Policy {
  const settings = parseSettings({ projects: { production: { secretName: 'qonversion/production', policy } } });
  const project = settings.projects.production;
  if (project === undefined) throw new Error('the settings have the project');
  return project.policy;
}

export const PROBE_RECOVERY = {
  mode: 'probe',
  cooldownMinutes: 60,
  backoff: 2,
  maxCooldownMinutes: 1_440,
  maxAttempts: 3,
  probeErrors: 3,
} as const;
