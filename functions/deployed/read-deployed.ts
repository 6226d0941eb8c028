import {
  CloudFormationClient,
  DescribeStacksCommand,
  GetTemplateCommand,
  type Stack,
} from '@aws-sdk/client-cloudformation';
import { DynamoDBClient, paginateListTables } from '@aws-sdk/client-dynamodb';
import {
  DescribeSecretCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import pMap from 'p-map';
import * as z from 'zod';
import { accountOf, regionOf } from '../aws/console.ts';
import { describeError, GuardError } from '../guard/errors.ts';
import type { DeployedGuard, DeployedSecret, DeployedSettings } from './deployed-guard.ts';

/** Reads what is deployed already from AWS; changes nothing. */

/** Requests for secrets at once; Secrets Manager takes 50 a second. */
const SECRETS_AT_ONCE = 5;

/**
 * @param secretNames names that listed projects are going to have
 * @param account where the stack has to be; null: wherever the credentials lead to
 * @throws GuardError when AWS refuses, or answers for another account
 */
export async function readDeployed(
  stack: string,
  secretNames: readonly string[],
  account: string | null,
): Promise<DeployedGuard> {
  try {
    const found = await readStack(stack, secretNames);
    const inStack = found?.secrets ?? {};
    const others = secretNames.filter((name) => !Object.hasOwn(inStack, name));
    const client = new SecretsManagerClient();
    const outside = await pMap(others, async (name) => [name, await describeSecret(client, name)] as const, {
      concurrency: SECRETS_AT_ONCE,
    });
    const existing = outside.flatMap(([name, secret]) => (secret === null ? [] : [[name, secret] as const]));
    const arns = [found?.id, ...existing.map(([, { arn }]) => arn)];
    for (const arn of arns) {
      if (account === null || typeof arn !== 'string' || accountOf(arn) === account) continue;
      throw new GuardError(
        `the AWS credentials belong to account ${accountOf(arn)}, not to ${account}; check AWS_PROFILE`,
      );
    }
    return {
      stack,
      guard: found?.guard ?? null,
      secrets: { ...inStack, ...Object.fromEntries(existing) },
      leftLedgers: (found?.guard ?? null) === null ? await listLedgers(stack) : [],
    };
  } catch (error) {
    if (error instanceof GuardError) throw error;
    throw new GuardError(
      `what is deployed of "${stack}" cannot be read (${describeError(error)}); check AWS_PROFILE and AWS_REGION`,
      { cause: error },
    );
  }
}

/** Of any version and of any stack: what later versions renamed does not matter here. */
const template = z.object({
  Metadata: z.object({ IntegrationGuard: z.unknown().optional() }).optional(),
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      DeletionPolicy: z.string().default('Delete'),
      Properties: z.object({ Name: z.unknown().optional() }).optional(),
    }),
  ),
});

const guardMetadata = z.object({
  Settings: z.object({
    projects: z
      .record(
        z.string(),
        z.object({
          secretName: z.string().optional(),
          secretArn: z.string().optional(),
          renamedFrom: z.string().optional(),
        }),
      )
      .default({}),
    fleet: z.unknown().optional(),
    ledgerTableName: z.string().optional(),
  }),
  Outputs: z.record(z.string(), z.string()).default({}),
});

interface FoundStack {
  /** ARN of the stack. */
  readonly id: string;
  /** Null: the stack has no guard. */
  readonly guard: DeployedSettings | null;
  readonly secrets: Readonly<Record<string, DeployedSecret>>;
}

/**
 * Null when there is no stack of that name.
 * @throws GuardError when it is there and cannot be understood: what it holds would look as if it were outside of it
 */
async function readStack(name: string, wanted: readonly string[]): Promise<FoundStack | null> {
  const client = new CloudFormationClient();
  const described = await client.send(new DescribeStacksCommand({ StackName: name })).catch((error: unknown) => {
    if (error instanceof Error && /does not exist/.test(error.message)) return null;
    throw error;
  });
  const stack = described?.Stacks?.[0];
  // A stack that was deleted can be found by its ARN, and one whose first deployment failed holds nothing.
  if (stack === undefined || /^(?:DELETE_COMPLETE|REVIEW_IN_PROGRESS|ROLLBACK_COMPLETE)$/.test(stack.StackStatus ?? ''))
    return null;
  const { TemplateBody = '' } = await client.send(new GetTemplateCommand({ StackName: name }));
  const parsed = template.safeParse(parseJson(TemplateBody));
  if (!parsed.success)
    throw new GuardError(`the template of stack "${name}" cannot be understood; is it one of CDK's?`);
  const { Metadata, Resources } = parsed.data;
  const guard = Metadata?.IntegrationGuard === undefined ? null : readGuard(name, Metadata.IntegrationGuard, stack);
  const names = new Set([
    ...wanted,
    ...Object.values(guard?.projects ?? {}).flatMap(({ secretName }) => secretName ?? []),
  ]);
  const secrets = Object.entries(Resources).flatMap(([logicalId, { Type, DeletionPolicy, Properties }]) => {
    const secretName = Properties?.Name;
    if (Type !== 'AWS::SecretsManager::Secret' || typeof secretName !== 'string' || !names.has(secretName)) return [];
    const isRetained = DeletionPolicy.startsWith('Retain');
    return [[secretName, { logicalId, isRetained, isDeleted: false, arn: null, keyArn: null }] as const];
  });
  return { id: stack.StackId ?? '', guard, secrets: Object.fromEntries(secrets) };
}

function readGuard(name: string, metadata: unknown, stack: Stack): DeployedSettings {
  const parsed = guardMetadata.safeParse(metadata);
  const outputId = parsed.data?.Outputs.LedgerTableName ?? 'LedgerTableName';
  const ledger = stack.Outputs?.find(({ OutputKey }) => OutputKey === outputId)?.OutputValue;
  if (!parsed.success || ledger === undefined)
    throw new GuardError(`stack "${name}" has a guard whose settings and outputs cannot be understood`);
  const { projects, fleet, ledgerTableName } = parsed.data.Settings;
  return { projects, hasFleet: fleet !== undefined, ledger, isLedgerGiven: ledgerTableName !== undefined };
}

async function describeSecret(client: SecretsManagerClient, name: string): Promise<DeployedSecret | null> {
  try {
    const { ARN: arn = null, KmsKeyId, DeletedDate } = await client.send(new DescribeSecretCommand({ SecretId: name }));
    const keyArn = KmsKeyId === undefined || arn === null ? null : toKeyArn(KmsKeyId, arn);
    return { logicalId: null, isRetained: true, isDeleted: DeletedDate !== undefined, arn, keyArn };
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return null;
    throw error;
  }
}

/** Secrets Manager gives a key as it was named: by ARN, or by its id alone. */
function toKeyArn(key: string, secretArn: string): string | null {
  if (key.startsWith('arn:')) return key.includes(':key/') ? key : null;
  const [, partition = 'aws'] = secretArn.split(':');
  return key.startsWith('alias/')
    ? null
    : `arn:${partition}:kms:${regionOf(secretArn)}:${accountOf(secretArn)}:key/${key}`;
}

/** Tables of the name that CloudFormation gives a ledger of this stack. */
async function listLedgers(stack: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { TableNames = [] } of paginateListTables({ client: new DynamoDBClient() }, {})) {
    names.push(...TableNames.filter((name) => name.startsWith(`${stack}-`) && /Ledger[0-9A-F]{8}-/.test(name)));
  }
  return names;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
