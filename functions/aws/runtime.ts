import { readFileSync } from 'node:fs';
import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Context } from 'aws-lambda';
import { GuardError } from '../guard/errors.ts';
import type { Clock, IntegrationsApi, Ledger, Log } from '../guard/ports.ts';
import { type GuardedProject, type Settings, secretIdOf } from '../guard/settings.ts';
import { createQonversionClient } from '../qonversion/client.ts';
import type { KeySource } from '../qonversion/secret-key.ts';
import { createDynamoLedger } from './ledger.ts';
import { METRICS_SERVICE } from './metrics.ts';
import { createSecretKeySource } from './secret.ts';

/** What Lambda tells a handler, as far as the guard looks at it. */
export type Invocation = Pick<Context, 'getRemainingTimeInMillis' | 'awsRequestId'>;

/** What all functions of a deployment share: clients made once per warm environment, the keys they have read, a log. */
export interface Runtime {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly log: Log;
  /**
   * One of the projects in the bundled settings, for one invocation.
   * @param keepBackMs how much of the invocation's time must be left after the last request to the API
   * @throws GuardError when there is no such project
   */
  open(name: string, invocation: Invocation, keepBackMs: number): OpenProject;
}

export interface OpenProject {
  readonly project: GuardedProject;
  readonly api: IntegrationsApi;
  readonly log: Log;
  readonly remainingMs: () => number;
}

/** Kept back from the function's own timeout for the last log lines. */
const MARGIN_MS = 1_000;

/** A call that hangs must not eat the time that is kept for telling and settling. */
export const CLIENT_OPTIONS = {
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
} as const;

export function createRuntime(ledgerTable: string, settings: Settings): Runtime {
  const clock: Clock = { now: () => new Date() };
  const logger = new Logger({ serviceName: METRICS_SERVICE });
  const secrets = new SecretsManagerClient(CLIENT_OPTIONS);
  const keys = new Map<string, KeySource>();
  return {
    settings,
    clock,
    ledger: createDynamoLedger(new DynamoDBClient(CLIENT_OPTIONS), ledgerTable, clock),
    log: toLog(logger),
    open: (name, invocation, keepBackMs) => {
      const project = Object.hasOwn(settings.projects, name) ? settings.projects[name] : undefined;
      if (project === undefined) throw new GuardError(`no project "${name}" in the deployed settings`);
      const key = keys.get(name) ?? createSecretKeySource(secrets, secretIdOf(project), clock);
      keys.set(name, key);
      const remainingMs = () => invocation.getRemainingTimeInMillis() - MARGIN_MS;
      const apiMs = () => remainingMs() - keepBackMs;
      return {
        project: { name, policy: project.policy },
        api: createQonversionClient({ apiUrl: project.apiUrl, key, clock, remainingMs: apiMs }),
        log: toLog(logger.createChild({ persistentKeys: { project: name, requestId: invocation.awsRequestId } })),
        remainingMs,
      };
    },
  };
}

/**
 * The settings a bundle was synthesized with, which lie beside its code. They were checked then, by the schema of the same
 * version, and nobody can change the one without the other; making that schema again would be a good part of a cold start.
 */
export function readBundledSettings(bundle: string): Settings {
  return JSON.parse(readFileSync(new URL('./settings.json', bundle), 'utf8')) as Settings;
}

function toLog(logger: Logger): Log {
  return {
    info: (message, fields) => logger.info(message, { ...fields }),
    warn: (message, fields) => logger.warn(message, { ...fields }),
    error: (message, fields) => logger.error(message, { ...fields }),
  };
}
