import { readFileSync } from 'node:fs';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { createSnsAlertSink } from './aws/alerts.ts';
import { readPassEnvironment } from './aws/environment.ts';
import { createDynamoLedger } from './aws/ledger.ts';
import { METRICS_NAMESPACE, METRICS_SERVICE, recordPass } from './aws/metrics.ts';
import { createSecretKeySource } from './aws/secret.ts';
import { TELLING_MS } from './guard/carry-out.ts';
import { GuardError } from './guard/errors.ts';
import { type PassReport, runPass } from './guard/pass.ts';
import type { Clock, Ports } from './guard/ports.ts';
import { parseSettings, type Settings, secretIdOf } from './guard/settings.ts';
import { createQonversionClient } from './qonversion/client.ts';
import type { KeySource } from './qonversion/secret-key.ts';

/** The Lambda door: one scheduled pass over one project. Its input is the project's name and nothing else. */

/** What a caller gets back; the details are in the log, the metrics and the alerts. */
export interface PassSummary {
  readonly project: string;
  readonly decisions: number;
  readonly done: number;
  readonly failed: number;
  readonly told: number;
  readonly durationMs: number;
}

/** A pass that could not run, or could not tell or settle what it did: the invocation fails, and the alarms see it. */
export class PassFailedError extends GuardError {
  override readonly name = 'PassFailedError';
}

/** Made once per warm environment: clients, and the keys they have read. */
type Runtime = (
  event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis' | 'awsRequestId'>,
) => Promise<PassSummary>;

let runtime: Runtime | null = null;

export async function handler(event: unknown, context: Context): Promise<PassSummary> {
  runtime ??= createRuntime(process.env, readBundledSettings());
  return runtime(event, context);
}

export function createRuntime(variables: NodeJS.ProcessEnv, settings: Settings): Runtime {
  const environment = readPassEnvironment(variables);
  const clock: Clock = { now: () => new Date() };
  const logger = new Logger({ serviceName: METRICS_SERVICE });
  // A call that hangs must not eat the time that is kept for telling and settling.
  const client = { requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true } };
  const ledger = createDynamoLedger(new DynamoDBClient(client), environment.LEDGER_TABLE, clock);
  const secrets = new SecretsManagerClient(client);
  const alerts = createSnsAlertSink({
    client: new SNSClient(client),
    topicArn: environment.ALERTS_TOPIC_ARN,
    log: toLog(logger),
    stack: environment.STACK_NAME,
    runbook: settings.alerts.runbookUrl,
  });
  const keys = new Map<string, KeySource>();

  return async (event, context) => {
    const name = parseInput(event, settings);
    const project = settings.projects[name];
    if (project === undefined) throw new GuardError(`no project "${name}" in the deployed settings`);
    const key = keys.get(name) ?? createSecretKeySource(secrets, secretIdOf(project), clock);
    keys.set(name, key);

    const log = toLog(logger.createChild({ persistentKeys: { project: name, requestId: context.awsRequestId } }));
    const remainingMs = () => context.getRemainingTimeInMillis() - MARGIN_MS;
    const apiMs = () => remainingMs() - TELLING_MS;
    const api = createQonversionClient({ apiUrl: project.apiUrl, key, clock, remainingMs: apiMs });
    const ports: Ports = { api, ledger, alerts, clock, log, remainingMs };

    const report = await runPass(ports, { name, policy: project.policy });
    const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: METRICS_SERVICE });
    recordPass(metrics, report);
    metrics.publishStoredMetrics();
    const summary = summarize(report);
    if (!report.ok)
      throw new PassFailedError(`the pass over "${name}" failed: ${report.failure ?? describeUnsettled(report)}`);
    log.info('pass done', { ...summary });
    return summary;
  };
}

/** Kept back from the function's own timeout for the last log lines. */
const MARGIN_MS = 1_000;

const input = z.strictObject({ project: z.string() });

/** Whoever may invoke the function chooses a deployed project and nothing more: no host, no policy, no secret. */
function parseInput(event: unknown, settings: Settings): string {
  const known = Object.keys(settings.projects);
  const parsed = input.safeParse(event);
  if (parsed.success && Object.hasOwn(settings.projects, parsed.data.project)) return parsed.data.project;
  throw new GuardError(`this function takes {"project": NAME} and nothing else, with NAME one of: ${known.join(', ')}`);
}

/** The settings this bundle was synthesized with. */
function readBundledSettings(): Settings {
  const file = new URL('./settings.json', import.meta.url);
  return parseSettings(JSON.parse(readFileSync(file, 'utf8')), 'the bundled settings');
}

function summarize(report: PassReport): PassSummary {
  const outcomes = report.results.map(({ outcome }) => outcome);
  return {
    project: report.project,
    decisions: report.results.length,
    done: outcomes.filter((outcome) => outcome === 'done').length,
    failed: outcomes.filter((outcome) => outcome === 'failed').length,
    told: report.told.length,
    durationMs: report.durationMs,
  };
}

function describeUnsettled(report: PassReport): string {
  const problem = report.results.find(({ outcome }) => outcome === 'unsettled' || outcome === 'ledger-failed')?.problem;
  return problem ?? 'not every alert was accepted; the next pass tells them';
}

function toLog(logger: Logger): Ports['log'] {
  return {
    info: (message, fields) => logger.info(message, { ...fields }),
    warn: (message, fields) => logger.warn(message, { ...fields }),
    error: (message, fields) => logger.error(message, { ...fields }),
  };
}
