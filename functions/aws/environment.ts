import { z } from 'zod';
import { GuardError } from '../guard/errors.ts';

/** The pass function's environment. The construct that deploys the function sets exactly these. */
export interface PassEnvironment {
  /** Name of the ledger table. */
  readonly LEDGER_TABLE: string;
  /** ARN of the topic that alerts go to. */
  readonly ALERTS_TOPIC_ARN: string;
  /** Name of the stack, for the commands in alerts. */
  readonly STACK_NAME: string;
}

const NOT_SET = 'is not set';

const passEnvironment = z.object({
  LEDGER_TABLE: z.string(NOT_SET).min(1, 'is empty'),
  ALERTS_TOPIC_ARN: z.string(NOT_SET).regex(/^arn:/, 'is not an ARN'),
  STACK_NAME: z.string(NOT_SET).min(1, 'is empty'),
}) satisfies z.ZodType<PassEnvironment>;

/** @throws GuardError that lists every variable that is missing or wrong */
export function readPassEnvironment(variables: Readonly<Record<string, string | undefined>>): PassEnvironment {
  const result = passEnvironment.safeParse(variables);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new GuardError(`the function's environment is not as deployed: ${faults.join(', ')}; deploy the stack again`);
}
