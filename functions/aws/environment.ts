import * as z from 'zod/mini';
import { GuardError } from '../guard/errors.ts';
import type { Severity } from '../guard/model/event-catalogue.ts';

/** The environment of each function. The constructs that deploy the functions set exactly these. */

export interface LookEnvironment {
  /** Name of the ledger table. */
  readonly LEDGER_TABLE: string;
  /** JSON: ARNs, by project, of the secrets that were known only at deployment. Left out: there are none. */
  readonly SECRET_ARNS?: string | undefined;
}

/** Of the functions that act and tell: the pass, and the panel's buttons. */
export interface PassEnvironment extends LookEnvironment {
  /** ARN of the topic that alerts go to. */
  readonly ALERTS_TOPIC_ARN: string;
  /** JSON: the topics of chat channels, as `ChatTopic`s. */
  readonly CHAT_TOPICS: string;
  /** Name of the stack, for the commands in alerts. */
  readonly STACK_NAME: string;
  /** Name of the dashboard that has the panel, for the link in mails. */
  readonly DASHBOARD_NAME: string;
}

/** Of the function that draws the panel. */
export interface PanelEnvironment extends LookEnvironment {
  /** ARN of the function behind the panel's buttons. */
  readonly ACT_FUNCTION_ARN: string;
}

/** A chat channel's own topic, and what is sent there. SNS cannot filter for it: the chat service makes the subscription. */
export interface ChatTopic {
  readonly topicArn: string;
  readonly minSeverity: Severity;
  /** Null: of every project. */
  readonly projects: readonly string[] | null;
}

const NOT_SET = 'is not set';
const text = z.string(NOT_SET).check(z.minLength(1, 'is empty'));
const arn = z.string(NOT_SET).check(z.regex(/^arn:/, 'is not an ARN'));

const look = { LEDGER_TABLE: text, SECRET_ARNS: z.optional(text) };

const passEnvironment = z.object({
  ...look,
  ALERTS_TOPIC_ARN: arn,
  CHAT_TOPICS: text,
  DASHBOARD_NAME: text,
  STACK_NAME: text,
}) satisfies z.ZodMiniType<PassEnvironment>;

const panelEnvironment = z.object({ ...look, ACT_FUNCTION_ARN: arn }) satisfies z.ZodMiniType<PanelEnvironment>;

const secretArns = z.record(z.string(), arn);

const chatTopics = z.array(
  z.object({
    topicArn: arn,
    minSeverity: z.enum(['info', 'warning', 'critical']),
    projects: z.nullable(z.array(z.string())),
  }),
) satisfies z.ZodMiniType<readonly ChatTopic[]>;

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
 * The value of CHAT_TOPICS, or of the stack's output of that name.
 * @throws GuardError when it is not what the stack wrote
 */
export function parseChatTopics(json: string): readonly ChatTopic[] {
  const parsed = chatTopics.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  throw new GuardError('CHAT_TOPICS is not as deployed; deploy the stack again');
}

/**
 * The value of SECRET_ARNS, or of the stack's output of that name.
 * @throws GuardError when it is not what the stack wrote
 */
export function parseSecretArns(json: string | undefined): Readonly<Record<string, string>> {
  const parsed = secretArns.safeParse(json === undefined ? {} : parseJson(json));
  if (parsed.success) return parsed.data;
  throw new GuardError('SECRET_ARNS is not as deployed; deploy the stack again');
}

function read<Environment>(schema: z.ZodMiniType<Environment>, variables: Variables): Environment {
  const result = schema.safeParse(variables);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new GuardError(`the function's environment is not as deployed: ${faults.join(', ')}; deploy the stack again`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
