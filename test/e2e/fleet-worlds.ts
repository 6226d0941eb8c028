import type { CreateSecretCommandInput } from '@aws-sdk/client-secrets-manager';
import { POLICY_TAG, PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { World } from '../../functions/sandbox/world.ts';
import type { Watched } from './deployment.ts';

/** A fleet to deploy: dozens of customers, each with a secret and a world, and secrets that are no projects. */

export const PREFIX = 'customers/';

/** Customers with a special case. All others work, except for one failing integration. */
export const ODD = {
  /** Its key was revoked. */
  revoked: 'acme/revoked',
  /** Its secret is tagged but holds no key. */
  empty: 'acme/empty',
  /** Its tag names a policy that does not exist. */
  lost: 'acme/lost-policy',
  /** In observe mode because of its tag. */
  observed: 'acme/observed',
  /** In observe mode because of its name. */
  trial: 'trial-1',
} as const;

/** Secrets that are no projects: without the tag, with a similar tag, and with the tag but another prefix. */
export const STRANGERS = { untagged: `${PREFIX}untagged`, nearly: `${PREFIX}nearly`, payroll: 'payroll' } as const;

/** Customers that work, except for one failing integration. */
export const USUAL: readonly string[] = Array.from(
  { length: 45 },
  (_, index) => `customer-${String(index + 1).padStart(2, '0')}`,
);

/** Projects whose passes can run. */
export const RUNNING: readonly string[] = [...USUAL, ODD.observed, ODD.trial];

export const PROJECTS: readonly string[] = [...RUNNING, ODD.revoked, ODD.empty, ODD.lost];

export const keyOf = (project: string) => `sk_fake_${project.replace(/\W/g, '_')}_0123456789`;

export interface FleetOfCustomers {
  /** The settings, secrets and worlds for `deploy`. */
  readonly watched: Watched;
  /** The world of a project. It exists after the deployment. */
  world(project: string): World;
  /** Adds a customer, with a world for its key. @returns the secret to create */
  welcome(project: string): CreateSecretCommandInput;
}

export function createFleet(): FleetOfCustomers {
  const worlds = new Map<string, World>();
  const byKey = new Map<string, World>();
  const open = (project: string, startAt: string) => {
    const world = createWorld(startAt);
    worlds.set(project, world);
    byKey.set(keyOf(project), world);
  };
  const secret = (project: string, ...tags: (readonly [string, string])[]) => ({
    Name: `${PREFIX}${project}`,
    SecretString: project === ODD.empty ? 'fill me' : keyOf(project),
    Tags: [[PROJECT_TAG, 'yes'], ...tags].map(([Key, Value]) => ({ Key, Value })),
  });
  const watched: Watched = {
    worlds: (startAt) => {
      for (const project of [...RUNNING, ODD.lost]) open(project, startAt);
      return { others: byKey };
    },
    secrets: [
      ...[...USUAL, ODD.trial, ODD.revoked, ODD.empty].map((project) => secret(project)),
      secret(ODD.observed, [POLICY_TAG, 'careful']),
      secret(ODD.lost, [POLICY_TAG, 'nowhere']),
      { Name: STRANGERS.untagged, SecretString: keyOf('untagged') },
      {
        Name: STRANGERS.nearly,
        SecretString: keyOf('nearly'),
        Tags: [{ Key: `${PROJECT_TAG}-not`, Value: 'yes' }],
      },
      { Name: STRANGERS.payroll, SecretString: keyOf('payroll'), Tags: [{ Key: PROJECT_TAG, Value: 'yes' }] },
    ],
    incidentTools: [{ pagerduty: { routingKeySecret: 'pagerduty/guard' } }],
    settings: ({ apiUrl, policy }) => ({
      dashboard: true,
      fleet: {
        secretNamePrefix: PREFIX,
        apiUrl,
        concurrency: 6,
        policy,
        policies: [
          { tag: 'careful', policy: { mode: 'observe' } },
          { match: 'trial-*', policy: { mode: 'observe' } },
        ],
      },
    }),
  };
  return {
    watched,
    world: (project) => {
      const world = worlds.get(project);
      if (world === undefined) throw new Error(`no world of ${project}`);
      return world;
    },
    welcome: (project) => {
      open(project, new Date().toISOString());
      return secret(project);
    },
  };
}

function createWorld(startAt: string): World {
  const world = new World({ startAt });
  const now = Date.parse(startAt);
  for (const id of ['good', 'broken']) world.add({ id, active: 1, eventsPerMinute: 10 });
  world.patch('broken', {
    delivery_error_count: 80,
    last_delivery_at: new Date(now - 60 * 60_000).toISOString(),
    last_error_at: startAt,
    last_error_message: 'HTTP 401',
  });
  return world;
}
