import { readFileSync } from 'node:fs';
import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Context } from 'aws-lambda';
import { type Clock, type IntegrationsApi, type Ledger, type Log, underName } from '../guard/ports.ts';
import { groupPeople, type PeopleGroup } from '../guard/settings/people.ts';
import type { FleetSettings, Policy, ProjectSettings, Settings } from '../guard/settings/schema.ts';
import {
  type GuardedProject,
  ledgerNameOf,
  type SecretPlace,
  secretPlaceOf,
  withSecretArns,
} from '../guard/settings/types.ts';
import { VERSION } from '../guard/version.ts';
import { createQonversionClient } from '../qonversion/client.ts';
import type { KeySource } from '../qonversion/secret-key.ts';
import { parseSecretArns, type ReadEnvironment } from './environment.ts';
import { createFleetDirectory, NoSuchProjectError } from './fleet.ts';
import { createDynamoLedger } from './ledger.ts';
import { METRICS_SERVICE } from './metric-names.ts';
import { createSecretKeySource } from './secret.ts';

/** The part of Lambda's context that the guard reads. */
export type Invocation = Pick<Context, 'getRemainingTimeInMillis' | 'awsRequestId'>;

/** Shared by all functions of a deployment: clients and keys, created once per warm environment, and a log. */
export interface Runtime {
  readonly settings: Settings & { readonly people: readonly PeopleGroup[] };
  readonly dynamo: DynamoDBClient;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Opens a project for one invocation: a listed project, or one of the fleet. A fault of a fleet project, such as a
   * tag with an unknown policy, appears at the first API call, as a refused key does.
   * @param keepBackMs how much of the invocation's time must remain after the last request to the API
   * @throws NoSuchProjectError
   */
  open(name: string, invocation: Invocation, keepBackMs: number): Promise<OpenProject>;
}

export interface OpenProject {
  readonly project: GuardedProject;
  readonly api: IntegrationsApi;
  readonly ledger: Ledger;
  readonly log: Log;
  readonly remainingMs: () => number;
}

/** Reserved at the end of the function's timeout for the last log lines. */
const MARGIN_MS = 1_000;

/** A call that hangs must not use up the time for alerts and for the last writes to the ledger. */
export const CLIENT_OPTIONS = {
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
} as const;

/** Everything that a pass over a project needs, or the problem that prevents it. */
type Access =
  | ({ readonly secret: SecretPlace } & Pick<ProjectSettings, 'policy' | 'apiUrl' | 'personalData'>)
  | { readonly policy: Policy; readonly problem: unknown };

export function createRuntime(environment: ReadEnvironment, bundled: BundledSettings): Runtime {
  const people = bundled.people ?? groupPeople(bundled.alerts.subscriptions);
  const settings = { ...withSecretArns(bundled, parseSecretArns(environment.SECRET_ARNS)), people };
  const clock: Clock = { now: () => new Date() };
  const logger = new Logger({ serviceName: METRICS_SERVICE, persistentKeys: { version: VERSION } });
  const dynamo = new DynamoDBClient(CLIENT_OPTIONS);
  const ledger = createDynamoLedger(dynamo, environment.LEDGER_TABLE, clock);
  const secrets = new SecretsManagerClient(CLIENT_OPTIONS);
  const accessTo = createAccess(secrets, settings, clock);
  const keys = new Map<string, KeySource>();
  return {
    settings,
    dynamo,
    clock,
    log: toLog(logger),
    open: async (name, invocation, keepBackMs) => {
      const access = await accessTo(name);
      const remainingMs = () => invocation.getRemainingTimeInMillis() - MARGIN_MS;
      const createApi = (): IntegrationsApi => {
        if ('problem' in access) return refuseWith(access.problem);
        const { apiUrl, secret, personalData } = access;
        const place = JSON.stringify([secret.id, secret.field]);
        const key = keys.get(place) ?? createSecretKeySource(secrets, secret, clock);
        keys.set(place, key);
        return createQonversionClient({
          apiUrl,
          key,
          clock,
          personalData,
          remainingMs: () => remainingMs() - keepBackMs,
        });
      };
      return {
        project: { name, policy: access.policy },
        api: createApi(),
        ledger: underName(ledger, ledgerNameOf(settings, name)),
        log: toLog(logger.createChild({ persistentKeys: { project: name, requestId: invocation.awsRequestId } })),
        remainingMs,
      };
    },
  };
}

function createAccess(
  secrets: SecretsManagerClient,
  settings: Settings,
  clock: Clock,
): (name: string) => Promise<Access> {
  const { fleet, projects } = settings;
  const ofFleet = fleet === undefined ? null : createFleetAccess(secrets, { ...settings, fleet }, clock);
  return async (name) => {
    const listed = Object.hasOwn(projects, name) ? projects[name] : undefined;
    if (listed !== undefined) {
      const { policy, apiUrl, personalData } = listed;
      return { policy, apiUrl, personalData, secret: secretPlaceOf(listed) };
    }
    if (ofFleet === null) throw new NoSuchProjectError(`no project "${name}" in the deployed settings`);
    return ofFleet(name);
  };
}

function createFleetAccess(
  secrets: SecretsManagerClient,
  settings: Settings & { readonly fleet: FleetSettings },
  clock: Clock,
): (name: string) => Promise<Access> {
  const { fleet } = settings;
  const directory = createFleetDirectory(secrets, settings, clock);
  return async (name) => {
    try {
      const { policy, secretName } = await directory.find(name);
      const secret = { id: secretName, field: null };
      return { policy, apiUrl: fleet.apiUrl, personalData: fleet.personalData, secret };
    } catch (problem) {
      if (problem instanceof NoSuchProjectError) throw problem;
      return { policy: fleet.policy, problem };
    }
  };
}

/** An API that rejects every call, so that the pass reports the problem like any other reason why it cannot run. */
function refuseWith(problem: unknown): IntegrationsApi {
  const refuse = () => Promise.reject(problem);
  return { list: refuse, setStatus: refuse, traffic: { requests: 0, retries: 0, waitedMs: 0 } };
}

/**
 * The settings that a bundle was synthesized with. The file is beside the code. Synthesis checked it with the schema of
 * the same version, so it is not parsed again: building the schema would take a large part of a cold start.
 */
export function readBundledSettings(bundle: string): BundledSettings {
  return JSON.parse(readFileSync(new URL('./settings.json', bundle), 'utf8')) as BundledSettings;
}

/** The settings beside the code. They have no subscriptions, which hold addresses, but the groups of people that follow from them. */
export type BundledSettings = Settings & { readonly people?: readonly PeopleGroup[] };

function toLog(logger: Logger): Log {
  return {
    info: (message, fields) => logger.info(message, { ...fields }),
    warn: (message, fields) => logger.warn(message, { ...fields }),
    error: (message, fields) => logger.error(message, { ...fields }),
  };
}
