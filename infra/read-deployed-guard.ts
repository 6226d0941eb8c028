import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { COMMAND_LINE } from '#own-files';
import type { DeployedGuard } from '../functions/deployed/deployed-guard.ts';
import { describeError, SettingsError } from '../functions/guard/errors.ts';
import type { ProjectProps } from './props.ts';

const run = promisify(execFile);

/** Options of `readDeployedGuard`. */
export interface ReadDeployedGuardOptions {
  /** Name of the stack. */
  readonly stackName: string;
  /**
   * The projects that the new deployment lists. For each `secretName`, AWS is asked whether the secret exists.
   * @default - none
   */
  readonly projects?: Readonly<Record<string, ProjectProps>>;
  /**
   * Account and region of the stack.
   * @default - those of the CDK CLI's credentials
   */
  readonly env?: { readonly account?: string; readonly region?: string };
}

/** AWS answers within a second or two. A synthesis must not hang without a network. */
const TIME_LIMIT_MS = 30_000;

/**
 * Reads the deployed state, for the property `deployed`. It needs the permissions `cloudformation:DescribeStacks`,
 * `cloudformation:GetTemplate`, `secretsmanager:DescribeSecret` and `dynamodb:ListTables`.
 * @returns undefined if the CDK CLI has no credentials and can deploy nothing, or if the environment variable
 * GUARD_UNCHECKED is set
 * @throws SettingsError if the state cannot be read: an unchecked deployment could delete secrets and tables
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
  // The CDK CLI sets both if it has credentials.
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region, GUARD_UNCHECKED: unchecked = '' } = process.env;
  if (account === undefined || region === undefined || unchecked !== '') return undefined;
  const refuse = (reason: string) =>
    new SettingsError(
      [
        `the deployed stack cannot be checked (${reason}). An unchecked deployment could delete secrets and tables. To deploy anyway, set GUARD_UNCHECKED=1`,
      ],
      `stack ${stackName}`,
    );
  const target = env.account ?? account;
  if (target !== account)
    throw refuse(`it is in account ${target}, but the CDK CLI has credentials for account ${account}`);
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

/** The error message of the command line, which it prints as JSON. */
function reasonOf(error: unknown): string {
  const { stdout } = error as { readonly stdout?: unknown };
  try {
    const { error: failure } = JSON.parse(String(stdout)) as { readonly error: { readonly message: string } };
    return failure.message;
  } catch {
    return describeError(error);
  }
}
