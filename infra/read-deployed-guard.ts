import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { COMMAND_LINE } from '#own-files';
import type { DeployedGuard } from '../functions/deployed/deployed-guard.ts';
import { describeError, SettingsError } from '../functions/guard/errors.ts';
import type { ProjectProps } from './props.ts';

const run = promisify(execFile);

/** What to look for. */
export interface ReadDeployedGuardOptions {
  /** Name of the stack. */
  readonly stackName: string;
  /**
   * The projects that are going to be listed: of each `secretName` it is looked whether the secret exists.
   * @default - none
   */
  readonly projects?: Readonly<Record<string, ProjectProps>>;
  /**
   * Account and region of the stack.
   * @default - those that the CDK CLI has credentials for
   */
  readonly env?: { readonly account?: string; readonly region?: string };
}

/** AWS answers in a second or two; a synthesis must not wait for a network that is not there. */
const TIME_LIMIT_MS = 30_000;

/**
 * Reads what is deployed already, for the property `deployed`. It takes the permissions `cloudformation:DescribeStacks`,
 * `cloudformation:GetTemplate`, `secretsmanager:DescribeSecret` and `dynamodb:ListTables`.
 * @returns undefined when the CDK CLI has no credentials, so that nothing can be deployed either, and when the environment variable
 * GUARD_UNCHECKED is set
 * @throws SettingsError when it cannot be read: a deployment that looks at nothing could delete what it does not know of
 * @example
 * const projects = { production: { secretName: 'qonversion/production' } };
 * const deployed = await readDeployedGuard({ stackName: 'Payments', projects });
 * new IntegrationGuard(stack, 'Guard', { projects, deployed });
 */
export async function readDeployedGuard({
  stackName,
  projects = {},
  env = {},
}: ReadDeployedGuardOptions): Promise<DeployedGuard | undefined> {
  // The CDK CLI sets both when it has credentials.
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region, GUARD_UNCHECKED: unchecked = '' } = process.env;
  if (account === undefined || region === undefined || unchecked !== '') return undefined;
  const refuse = (reason: string) =>
    new SettingsError(
      [
        `what is deployed cannot be looked at (${reason}), and a deployment could delete what it does not know of. To deploy all the same, set GUARD_UNCHECKED=1`,
      ],
      `stack ${stackName}`,
    );
  const target = env.account ?? account;
  if (target !== account) throw refuse(`it is in account ${target}, and the CDK CLI has credentials for ${account}`);
  const names = Object.values(projects).flatMap(({ secretName }) => secretName ?? []);
  const args = ['deployed', '--json', '--stack', stackName, '--account', account, '--', ...names];
  try {
    const { stdout } = await run(process.execPath, [COMMAND_LINE, ...args], {
      timeout: TIME_LIMIT_MS,
      maxBuffer: 16 * 1_024 * 1_024,
      env: { ...process.env, AWS_REGION: env.region ?? region },
    });
    return JSON.parse(stdout) as DeployedGuard;
  } catch (error) {
    throw refuse(reasonOf(error));
  }
}

/** The command line's own sentence, which it prints as JSON. */
function reasonOf(error: unknown): string {
  const { stdout } = error as { readonly stdout?: unknown };
  try {
    const { error: failure } = JSON.parse(String(stdout)) as { readonly error: { readonly message: string } };
    return failure.message;
  } catch {
    return describeError(error);
  }
}
