import * as z from 'zod/mini';
import { GuardError } from '../guard/errors.ts';
import type { Severity } from '../guard/model/event-catalogue.ts';
import type { QuietHours } from '../guard/settings/quiet-hours.ts';
import type { IncidentToolKind } from '../messages/incident.ts';

/** The environment of each function. The constructs that deploy the functions set exactly these. */

export interface ReadEnvironment {
  /** Name of the ledger table. */
  readonly LEDGER_TABLE: string;
  /** JSON: for each project, the ARN of its secret if it became known at deployment. Left out if there is none. */
  readonly SECRET_ARNS?: string | undefined;
}

/** The environment of functions that execute decisions and publish alerts: the pass and the panel's buttons. */
export interface PassEnvironment extends ReadEnvironment {
  /** ARN of the alerts topic. */
  readonly ALERTS_TOPIC_ARN: string;
  /** JSON: the topics of the chat channels, as `ChatTopic`s. */
  readonly CHAT_TOPICS: string;
  /** JSON: the queues of the incident tools, as `IncidentTool`s. */
  readonly INCIDENT_TOOLS: string;
  /** Name of the stack, for the commands in alerts. */
  readonly STACK_NAME: string;
  /** Name of the dashboard with the panel, for the links in alerts. Left out if there is none. */
  readonly DASHBOARD_NAME?: string | undefined;
}

/** The environment of the function that draws the panel. */
export interface PanelEnvironment extends ReadEnvironment {
  /** ARN of the function behind the panel's buttons. */
  readonly ACT_FUNCTION_ARN: string;
}

/**
 * The topic of one chat channel, and the events that it carries. SNS cannot filter them: the chat service creates the
 * subscription.
 */
export interface ChatTopic {
  readonly topicArn: string;
  readonly minSeverity: Severity;
  /** Null: all projects. */
  readonly projects: readonly string[] | null;
  /** Left out: every alert, at any time. */
  readonly only?: 'daily-summary' | undefined;
  readonly quietHours?: QuietHours | undefined;
}

/** The FIFO queue of one incident tool, and the incidents that it opens. It closes them regardless of `minSeverity`. */
export interface IncidentTool {
  readonly queueUrl: string;
  readonly tool: IncidentToolKind;
  readonly minSeverity: Severity;
  /** Null: all projects. */
  readonly projects: readonly string[] | null;
}

const NOT_SET = 'is not set';
const text = z.string(NOT_SET).check(z.minLength(1, 'is empty'));
const arn = z.string(NOT_SET).check(z.regex(/^arn:/, 'is not an ARN'));

const readVariables = { LEDGER_TABLE: text, SECRET_ARNS: z.optional(text) };

const passEnvironment = z.object({
  ...readVariables,
  ALERTS_TOPIC_ARN: arn,
  CHAT_TOPICS: text,
  INCIDENT_TOOLS: text,
  DASHBOARD_NAME: z.optional(text),
  STACK_NAME: text,
}) satisfies z.ZodMiniType<PassEnvironment>;

const panelEnvironment = z.object({
  ...readVariables,
  ACT_FUNCTION_ARN: arn,
}) satisfies z.ZodMiniType<PanelEnvironment>;

const secretArns = z.record(z.string(), arn);

const filters = {
  minSeverity: z.enum(['info', 'warning', 'critical']),
  projects: z.nullable(z.array(z.string())),
};

const chatTopics = z.array(
  z.object({
    topicArn: arn,
    ...filters,
    only: z.optional(z.literal('daily-summary')),
    quietHours: z.optional(z.object({ from: z.string(), to: z.string(), timeZone: z.string() })),
  }),
) satisfies z.ZodMiniType<readonly ChatTopic[]>;

const incidentTools = z.array(
  z.object({ queueUrl: text, tool: z.enum(['pagerduty', 'webhook']), ...filters }),
) satisfies z.ZodMiniType<readonly IncidentTool[]>;

type Variables = Readonly<Record<string, string | undefined>>;

/** @throws GuardError that lists every variable that is missing or wrong */
export function readPassEnvironment(variables: Variables): PassEnvironment {
  return read(passEnvironment, variables);
}

/** @throws GuardError that lists every variable that is missing or wrong */
export function readPanelEnvironment(variables: Variables): PanelEnvironment {
  return read(panelEnvironment, variables);
}

/**
 * Parses CHAT_TOPICS, or the stack's output of the same name.
 * @throws GuardError if the stack did not write it
 */
export function parseChatTopics(json: string): readonly ChatTopic[] {
  const parsed = chatTopics.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  throw new GuardError('CHAT_TOPICS is not the value that the stack set; deploy the stack again');
}

/**
 * Parses INCIDENT_TOOLS, or the stack's output of the same name.
 * @throws GuardError if the stack did not write it
 */
export function parseIncidentTools(json: string): readonly IncidentTool[] {
  const parsed = incidentTools.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  throw new GuardError('INCIDENT_TOOLS is not the value that the stack set; deploy the stack again');
}

/**
 * Parses SECRET_ARNS, or the stack's output of the same name.
 * @throws GuardError if the stack did not write it
 */
export function parseSecretArns(json: string | undefined): Readonly<Record<string, string>> {
  const parsed = secretArns.safeParse(json === undefined ? {} : parseJson(json));
  if (parsed.success) return parsed.data;
  throw new GuardError('SECRET_ARNS is not the value that the stack set; deploy the stack again');
}

function read<Environment>(schema: z.ZodMiniType<Environment>, variables: Variables): Environment {
  const result = schema.safeParse(variables);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new GuardError(
    `the function's environment is not the one that the stack set: ${faults.join(', ')}; deploy the stack again`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
