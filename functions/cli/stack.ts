import {
  CloudFormationClient,
  DescribeStacksCommand,
  GetTemplateCommand,
  type Stack,
} from '@aws-sdk/client-cloudformation';
import * as z from 'zod';
import { describeError, GuardError, SettingsError } from '../guard/errors.ts';
import { migrateSettings } from '../guard/settings/migrate.ts';
import { parseSettings, type Settings } from '../guard/settings/schema.ts';
import { secretArnOutput, withSecretArns } from '../guard/settings/types.ts';

/** A deployed stack as an operator finds it. */
export interface DeployedStack {
  readonly name: string;
  readonly status: string;
  /** The time of the last creation or update; null when CloudFormation does not report it. */
  readonly deployedAt: string | null;
  /** The lead of AWS's clock in milliseconds; 0 when it is within the five minutes that AWS allows. */
  readonly clockAheadMs: number;
  readonly settings: Settings;
  /** The version of the package that deployed it; null before 0.2, which did not record it. */
  readonly version: string | null;
  /** The value of an output. @throws GuardError when the stack has none of that name */
  readonly output: (name: string) => string;
}

/** The template's metadata, where operators find the settings that the stack was synthesized with. */
const templateMetadata = z.object({
  Metadata: z.object({
    IntegrationGuard: z.object({
      Settings: z.unknown(),
      Version: z.string().optional(),
      /** The ids of the outputs, if they differ from the names. */
      Outputs: z.record(z.string(), z.string()).default({}),
    }),
  }),
});

export async function findStack(name: string): Promise<DeployedStack> {
  const client = new CloudFormationClient();
  try {
    const [described, template] = await Promise.all([
      client.send(new DescribeStacksCommand({ StackName: name })),
      client.send(new GetTemplateCommand({ StackName: name })),
    ]);
    const [stack] = described.Stacks ?? [];
    const body = templateMetadata.safeParse(parseJson(template.TemplateBody));
    if (stack === undefined || !body.success) throw new GuardError(`stack "${name}" is not a stack of this guard`);
    const { Settings, Version = null, Outputs } = body.data.Metadata.IntegrationGuard;
    const output = outputsOf(name, stack, Outputs);
    return {
      name,
      status: stack.StackStatus ?? 'status unknown',
      deployedAt: (stack.LastUpdatedTime ?? stack.CreationTime)?.toISOString() ?? null,
      clockAheadMs: client.config.systemClockOffset,
      settings: withOutputs(parseStackSettings(Settings, name), Outputs, output),
      version: Version,
      output,
    };
  } catch (error) {
    if (error instanceof GuardError) throw error;
    throw new GuardError(
      `stack "${name}" cannot be read (${describeError(error)}); check its name, AWS_PROFILE and AWS_REGION`,
      { cause: error },
    );
  }
}

/**
 * The settings that a stack was deployed with.
 * @throws GuardError when an earlier version wrote them, because changing a file would not help
 */
export function parseStackSettings(document: unknown, name: string): Settings {
  try {
    return parseSettings(document, `stack ${name}`);
  } catch (error) {
    if (!(error instanceof SettingsError) || migrateSettings(document).changes.length === 0) throw error;
    throw new GuardError(
      `stack "${name}" was deployed with an earlier version of the guard; deploy it again with this version, then run the command again`,
      { cause: error },
    );
  }
}

function outputsOf(stackName: string, stack: Stack, ids: Readonly<Record<string, string>>): DeployedStack['output'] {
  return (name) => {
    const id = Object.hasOwn(ids, name) ? ids[name] : name;
    const value = stack.Outputs?.find(({ OutputKey }) => OutputKey === id)?.OutputValue;
    if (value === undefined)
      throw new GuardError(`stack "${stackName}" has no output ${name}; is it a stack of this guard, and up to date?`);
    return value;
  };
}

/** Fills in the ARNs of secrets from the stack's outputs. */
function withOutputs(
  settings: Settings,
  ids: Readonly<Record<string, string>>,
  output: DeployedStack['output'],
): Settings {
  const arns = Object.keys(settings.projects).flatMap((project) => {
    const name = secretArnOutput(project);
    return Object.hasOwn(ids, name) ? [[project, output(name)] as const] : [];
  });
  return withSecretArns(settings, Object.fromEntries(arns));
}

/** Null for a template in YAML, which the guard never deploys. */
function parseJson(text = 'null'): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
