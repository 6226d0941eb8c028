import { nameOfQuietHours, type QuietHours } from './quiet-hours.ts';
import type { Subscription } from './schema.ts';

/** The people who get the same digests: mail addresses and phone numbers whose subscriptions differ only in the least severity. */
export interface PeopleGroup {
  /** The value of the message attribute `kind` that their filters select. It also names the audience. */
  readonly kind: string;
  readonly only: 'daily-summary' | null;
  readonly quietHours: QuietHours | null;
  /** The projects that at least one of them names, each in a digest of its own; null: all projects, together. */
  readonly projects: readonly string[] | null;
}

/** The release of a fleet's alerts, at the end of a run. Other releases have the name of quiet hours. */
export const RUN = 'run';

type Preferences = Pick<Subscription, 'only' | 'quietHours' | 'projects'>;

/** The digests of everyone without preferences. */
export const DIGEST = 'digest';

/** The value of `kind` for a subscription of people. */
export function kindOf({ only, quietHours, projects }: Preferences): string {
  return [
    projects === undefined ? '' : 'project-',
    only === 'daily-summary' ? 'daily-summary' : DIGEST,
    quietHours === undefined ? '' : ` ${nameOfQuietHours(quietHours)}`,
  ].join('');
}

/** One group of each kind, and one without preferences even if there is no such subscription: a topic has others too. */
export function groupPeople(subscriptions: readonly Subscription[]): readonly PeopleGroup[] {
  const groups = new Map<string, PeopleGroup>([
    [DIGEST, { kind: DIGEST, only: null, quietHours: null, projects: null }],
  ]);
  for (const entry of subscriptions) {
    if ((entry.email === undefined && entry.sms === undefined) || entry.only === 'alarms') continue;
    const kind = kindOf(entry);
    const { projects = null } = groups.get(kind) ?? {};
    groups.set(kind, {
      kind,
      only: entry.only ?? null,
      quietHours: entry.quietHours ?? null,
      projects: entry.projects === undefined ? null : [...new Set([...(projects ?? []), ...entry.projects])],
    });
  }
  return [...groups.values()];
}
