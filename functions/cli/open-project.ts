import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import * as z from 'zod';
import { alertOptionsOf } from '../aws/alert-options.ts';
import { createSnsAlertSink } from '../aws/alerts.ts';
import { parseChatTopics, parseIncidentTools } from '../aws/environment.ts';
import { createDynamoLedger } from '../aws/ledger.ts';
import { createSecretKeySource } from '../aws/secret.ts';
import type { Finding } from '../doctor/finding.ts';
import { type DoctorInput, describeFailure, runChecks } from '../doctor/run-checks.ts';
import { UsageError } from '../guard/errors.ts';
import { PASS_TIME_LIMIT_SECONDS } from '../guard/model/lease.ts';
import { ALERT_RESERVE_MS } from '../guard/pass/time-budget.ts';
import { type CheckableLedger, type Clock, type Ledger, type Log, type Ports, underName } from '../guard/ports.ts';
import { scheduleMinutes } from '../guard/settings/formats.ts';
import { groupPeople } from '../guard/settings/people.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { type GuardedProject, ledgerNameOf } from '../guard/settings/types.ts';
import { createTerminalAlertSink } from '../local/alerts.ts';
import { createFileLedger } from '../local/ledger.ts';
import { readSettingsFile } from '../local/settings-file.ts';
import { createQonversionClient } from '../qonversion/client.ts';
import { type KeySource, parseSecretKey } from '../qonversion/secret-key.ts';
import { type SelectedProject, selectDeployedProject, selectLocalProject } from './select-project.ts';
import { type DeployedStack, findStack } from './stack.ts';

/** Creates the ports for the command line: for this machine, or for a deployed stack. */

/** The environment variables of the command line. */
export interface CliEnvironment {
  readonly secretKey: string | undefined;
  readonly settingsFile: string;
  readonly ledgerFile: string;
  readonly stack: string | undefined;
}

/** A stack's name or ARN, as CloudFormation accepts it. */
export const STACK_NAME =
  /^(?:[A-Za-z][A-Za-z0-9-]{0,127}|arn:aws[a-z-]*:cloudformation:[a-z0-9-]+:\d{12}:stack\/[A-Za-z][A-Za-z0-9-]{0,127}\/[\w-]{1,64})$/;

export const STACK_NAME_RULE = 'Give the name of a stack: letters, digits and "-", beginning with a letter.';

const cliEnvironment = z.object({
  QONVERSION_SECRET_KEY: z.string().optional(),
  GUARD_SETTINGS: z.string().min(1).default('cdk.json'),
  GUARD_LEDGER: z.string().min(1).default('.guard/ledger.json'),
  GUARD_STACK: z.string().min(1).optional(),
});

export function readCliEnvironment(variables: Readonly<Record<string, string | undefined>>): CliEnvironment {
  // An empty variable counts as not set.
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const parsed = cliEnvironment.parse(given);
  if (parsed.GUARD_STACK !== undefined && !STACK_NAME.test(parsed.GUARD_STACK))
    throw new UsageError(`GUARD_STACK names no stack. ${STACK_NAME_RULE}`);
  return {
    secretKey: parsed.QONVERSION_SECRET_KEY,
    settingsFile: parsed.GUARD_SETTINGS,
    ledgerFile: parsed.GUARD_LEDGER,
    stack: parsed.GUARD_STACK,
  };
}

export interface OpenedProject {
  readonly project: GuardedProject;
  readonly ports: Ports;
}

export interface OpenOptions {
  /** The project's name. Optional when there is only one. */
  readonly project?: string;
  /** The stack's name. Without it, the guard runs on this machine. */
  readonly stack?: string;
  readonly log: Log;
  /** Shows mails when the guard runs on this machine. */
  readonly showMail: (text: string) => void;
}

const systemClock: Clock = { now: () => new Date() };

export async function openProject(environment: CliEnvironment, options: OpenOptions): Promise<OpenedProject> {
  const stack = options.stack ?? environment.stack;
  return stack === undefined ? openLocalProject(environment, options) : openStackProject(stack, options);
}

async function openLocalProject(environment: CliEnvironment, options: OpenOptions): Promise<OpenedProject> {
  const settings = readSettingsFile(environment.settingsFile);
  const selected = selectLocalProject(settings, options.project, environment.settingsFile);
  const { name, policy } = selected;
  const key = environmentKey(environment);
  // The caller must fix an unusable key, so this fails before it changes anything.
  await key.get();
  const remainingMs = createTimeLimit();
  return {
    project: { name, policy },
    ports: {
      api: createApi(selected, key, remainingMs),
      ledger: fileLedgerOf(settings, name, environment.ledgerFile),
      alerts: createTerminalAlertSink(options.showMail, settings.alerts.runbookUrl ?? null),
      clock: systemClock,
      log: options.log,
      remainingMs,
    },
  };
}

/** Opens a project with the stack's settings, ledger, topic and secret, through the default AWS credentials. */
async function openStackProject(stackName: string, options: OpenOptions): Promise<OpenedProject> {
  const stack = await findStack(stackName);
  const { settings, output } = stack;
  const secrets = new SecretsManagerClient();
  const selected = await selectDeployedProject(stack, options.project, secrets, systemClock);
  const { name, policy, secret } = selected;
  const key = createSecretKeySource(secrets, secret, systemClock);
  await key.get();
  const alerts = createSnsAlertSink({
    ...alertOptionsOf({
      settings,
      people: groupPeople(settings.alerts.subscriptions),
      topicArn: output('AlertsTopicArn'),
      chatTopics: parseChatTopics(output('ChatTopics')),
      incidentTools: parseIncidentTools(output('IncidentTools')),
      stack: stackName,
      dashboardName: settings.dashboard ? output('DashboardName') : null,
      ledgerTableName: output('LedgerTableName'),
      dynamo: new DynamoDBClient(),
      clientOptions: {},
      clock: systemClock,
      log: options.log,
    }),
    client: new SNSClient(),
  });
  const remainingMs = createTimeLimit();
  return {
    project: { name, policy },
    ports: {
      api: createApi(selected, key, remainingMs),
      ledger: stackLedgerOf(stack, name),
      alerts,
      clock: systemClock,
      log: options.log,
      remainingMs,
    },
  };
}

/** A project's settings and history, opened without its key. */
export interface SettingsAndHistory {
  readonly project: GuardedProject;
  /** The minutes between two passes. */
  readonly intervalMinutes: number;
  readonly ledger: Pick<Ledger, 'history'>;
  readonly clock: Clock;
  /** The number of the project's integrations; null without a key, or without an answer within a few seconds. */
  readonly countIntegrations: () => Promise<number | null>;
}

/** Opens settings and history without a key: on this machine without any network, for a deployed stack with AWS only. */
export async function openSettingsAndHistory(
  environment: CliEnvironment,
  options: Pick<OpenOptions, 'project' | 'stack'>,
): Promise<SettingsAndHistory> {
  const stackName = options.stack ?? environment.stack;
  if (stackName === undefined) {
    const settings = readSettingsFile(environment.settingsFile);
    const { name, policy, apiUrl } = selectLocalProject(settings, options.project, environment.settingsFile);
    return {
      project: { name, policy },
      intervalMinutes: scheduleMinutes(settings.schedule) ?? 5,
      ledger: fileLedgerOf(settings, name, environment.ledgerFile),
      clock: systemClock,
      countIntegrations: () => countIntegrations(apiUrl, environmentKey(environment)),
    };
  }
  const stack = await findStack(stackName);
  const secrets = new SecretsManagerClient();
  const { name, policy, apiUrl, secret } = await selectDeployedProject(stack, options.project, secrets, systemClock);
  return {
    project: { name, policy },
    intervalMinutes: scheduleMinutes(stack.settings.schedule) ?? 5,
    ledger: stackLedgerOf(stack, name),
    clock: systemClock,
    countIntegrations: () => countIntegrations(apiUrl, createSecretKeySource(secrets, secret, systemClock)),
  };
}

function fileLedgerOf(settings: Settings, project: string, file: string): Ledger {
  return underName(createFileLedger(file, systemClock), ledgerNameOf(settings, project));
}

function stackLedgerOf(stack: DeployedStack, project: string): Ledger {
  return underName(stackLedger(stack), ledgerNameOf(stack.settings, project));
}

function stackLedger({ output }: DeployedStack): CheckableLedger {
  return createDynamoLedger(new DynamoDBClient(), output('LedgerTableName'), systemClock);
}

/** The number is optional, so the command does not wait longer and shows no error. */
const COUNT_LIMIT_MS = 4_000;

async function countIntegrations(apiUrl: string, key: KeySource): Promise<number | null> {
  const end = systemClock.now().getTime() + COUNT_LIMIT_MS;
  const remainingMs = () => end - systemClock.now().getTime();
  try {
    const api = createQonversionClient({ apiUrl, key, clock: systemClock, remainingMs, retries: 0 });
    const { records, invalid } = await api.list();
    return records.length + invalid.length;
  } catch {
    return null;
  }
}

/**
 * Checks this machine's guard or a deployed stack. For a stack, it checks every listed project unless --project names one.
 * @throws UsageError when no project has that name, or when a project must be named
 */
export async function runDoctor(
  environment: CliEnvironment,
  options: Omit<OpenOptions, 'showMail'>,
): Promise<readonly Finding[]> {
  const stackName = options.stack ?? environment.stack;
  try {
    return await runChecks(
      stackName === undefined
        ? localDoctorInput(environment, options.project)
        : await stackDoctorInput(stackName, options.project),
    );
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return describeFailure(error);
  }
}

function localDoctorInput(environment: CliEnvironment, wanted: string | undefined): DoctorInput {
  const { settingsFile: source, ledgerFile } = environment;
  const settings = readSettingsFile(source);
  const project = selectLocalProject(settings, wanted, source);
  return {
    settings,
    source,
    projects: [{ ...toProjectCheck(project, environmentKey(environment)), ofFleet: false }],
    ledger: createFileLedger(ledgerFile, systemClock),
    ledgerOf: (name) => fileLedgerOf(settings, name, ledgerFile),
    clock: systemClock,
    stack: null,
  };
}

async function stackDoctorInput(stackName: string, wanted: string | undefined): Promise<DoctorInput> {
  const stack = await findStack(stackName);
  const { settings } = stack;
  const names = wanted === undefined ? Object.keys(settings.projects) : [wanted];
  const secrets = new SecretsManagerClient();
  const projects = await Promise.all(names.map((name) => selectDeployedProject(stack, name, secrets, systemClock)));
  const { inspectStack } = await import('../doctor/inspect-stack.ts');
  return {
    settings,
    source: `stack ${stackName}`,
    projects: projects.map((project) => ({
      ...toProjectCheck(project, createSecretKeySource(secrets, project.secret, systemClock)),
      ofFleet: project.ofFleet,
    })),
    ledger: stackLedger(stack),
    ledgerOf: (name) => stackLedgerOf(stack, name),
    clock: systemClock,
    stack: inspectStack(stack, systemClock),
  };
}

function toProjectCheck(selected: SelectedProject, key: KeySource) {
  const { name, policy, apiUrl } = selected;
  return { name, policy, apiUrl, key, api: createApi(selected, key, createTimeLimit()) };
}

function environmentKey(environment: CliEnvironment): KeySource {
  const read = async () =>
    parseSecretKey(
      environment.secretKey,
      'QONVERSION_SECRET_KEY',
      'set it to the Secret Key of the project, or name a deployed stack with --stack',
    );
  return { get: read, renew: read };
}

function createApi(
  { apiUrl, personalData }: Pick<SelectedProject, 'apiUrl' | 'personalData'>,
  key: KeySource,
  remainingMs: () => number,
) {
  return createQonversionClient({
    apiUrl,
    personalData,
    key,
    clock: systemClock,
    remainingMs: () => remainingMs() - ALERT_RESERVE_MS,
  });
}

/** The function's own time limit, because other passes take over an expired lease (law 2). */
function createTimeLimit(): () => number {
  const end = systemClock.now().getTime() + PASS_TIME_LIMIT_SECONDS * 1_000;
  return () => end - systemClock.now().getTime();
}
