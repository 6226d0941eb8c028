import {
  CloudFormationClient,
  DescribeStacksCommand,
  GetTemplateCommand,
  type Output,
} from '@aws-sdk/client-cloudformation';
import { DynamoDBClient, paginateListTables } from '@aws-sdk/client-dynamodb';
import {
  DescribeSecretCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import pMap from 'p-map';
import * as z from 'zod';
import { accountOf, regionOf } from '../aws/console.ts';
import { describeError, GuardError } from '../guard/errors.ts';
import type { DeployedGuard, DeployedSecret, DeployedSettings } from './deployed-guard.ts';

/** Reads the deployed state from AWS; changes nothing. */

/** Concurrent requests for secrets. Secrets Manager allows 50 per second. */
const SECRETS_AT_ONCE = 5;

/**
 * Reads everything that is already deployed under a stack's name.
 * @param secretNames names of the secrets of listed projects
 * @param account the deployment's account; null: the account of the credentials
 * @throws GuardError if AWS refuses, or the credentials belong to another account
 */
export async function readDeployed(
  stack: string,
  secretNames: readonly string[],
  account: string | null,
): Promise<DeployedGuard> {
  try {
    const sts = new STSClient();
    const { Account = '' } = await sts.send(new GetCallerIdentityCommand());
    if (account !== null && Account !== account)
      throw new GuardError(
        `the AWS credentials are for account ${Account}, but the deployment goes to account ${account}; set AWS_PROFILE (the app does not see --profile)`,
      );
    const found = await readStack(stack, secretNames);
    const client = new SecretsManagerClient();
    const secrets = await pMap(
      [...new Set([...secretNames, ...Object.keys(found?.secrets ?? {})])],
      async (name) => [name, await readSecret(client, name, stack, found)] as const,
      { concurrency: SECRETS_AT_ONCE },
    );
    const guard = found?.guard ?? null;
    return {
      stack,
      account: Account,
      region: await sts.config.region(),
      guard,
      secrets: Object.fromEntries(secrets.flatMap(([name, secret]) => (secret === null ? [] : [[name, secret]]))),
      resources: found?.resources ?? [],
      subscriptions: found?.subscriptions ?? [],
      chats: found?.chats ?? [],
      leftLedgers: guard === null ? await listLedgers(stack) : [],
    };
  } catch (error) {
    if (error instanceof GuardError) throw error;
    throw new GuardError(
      `stack "${stack}" cannot be read (${describeError(error)}); check AWS_PROFILE and AWS_REGION`,
      { cause: error },
    );
  }
}

/** The template of any version and any stack. Names that later versions changed do not matter here. */
const template = z.object({
  Metadata: z.object({ IntegrationGuard: z.unknown().optional() }).optional(),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown().optional() })).default({}),
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      DeletionPolicy: z.string().default('Delete'),
      Properties: z.record(z.string(), z.unknown()).default({}),
      Metadata: z.record(z.string(), z.unknown()).default({}),
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
          secretField: z.string().optional(),
          renamedFrom: z.string().optional(),
        }),
      )
      .default({}),
    fleet: z.object({ secretNamePrefix: z.string().default('') }).optional(),
    encryption: z.enum(['customer-key', 'aws-owned']).optional(),
  }),
  Outputs: z.record(z.string(), z.string()).default({}),
});

type Resources = z.output<typeof template>['Resources'];

interface FoundStack extends Pick<DeployedGuard, 'resources' | 'subscriptions' | 'chats'> {
  /** Null: the stack has no guard. */
  readonly guard: DeployedSettings | null;
  /** The wanted secrets that the template contains by name. */
  readonly secrets: Readonly<Record<string, Pick<DeployedSecret, 'isRetained'> & { readonly logicalId: string }>>;
  /** The whole template. */
  readonly all: Resources;
}

/**
 * Returns null if the stack does not exist.
 * @throws GuardError if it cannot be parsed: the guard must not treat the stack's resources as absent
 */
async function readStack(name: string, wanted: readonly string[]): Promise<FoundStack | null> {
  const client = new CloudFormationClient();
  const described = await client.send(new DescribeStacksCommand({ StackName: name })).catch((error: unknown) => {
    if (error instanceof Error && /does not exist/.test(error.message)) return null;
    throw error;
  });
  const stack = described?.Stacks?.[0];
  // A deleted stack can still be found by its ARN. A stack whose first deployment failed has no resources.
  if (stack === undefined || /^(?:DELETE_COMPLETE|REVIEW_IN_PROGRESS|ROLLBACK_COMPLETE)$/.test(stack.StackStatus ?? ''))
    return null;
  const { TemplateBody = '' } = await client.send(new GetTemplateCommand({ StackName: name }));
  return readTemplate(name, TemplateBody, wanted, stack.Outputs ?? []);
}

/**
 * @param wanted names of further secrets to find, besides the guard's
 * @throws GuardError if the template cannot be parsed
 */
export function readTemplate(
  name: string,
  body: string,
  wanted: readonly string[],
  outputs: readonly Output[],
): FoundStack {
  const parsed = template.safeParse(parseJson(body));
  if (!parsed.success)
    throw new GuardError(`the template of stack "${name}" cannot be parsed; was it deployed with CDK?`);
  const { Metadata, Resources, Outputs } = parsed.data;
  const guard =
    Metadata?.IntegrationGuard === undefined
      ? null
      : { ...readGuard(name, Metadata.IntegrationGuard, outputs, Outputs), hasPanel: hasPanel(Resources) };
  const names = new Set([
    ...wanted,
    ...Object.values(guard?.projects ?? {}).flatMap(({ secretName }) => secretName ?? []),
  ]);
  const secrets = Object.entries(Resources).flatMap(([logicalId, { Type, DeletionPolicy, Properties }]) => {
    const secretName = Properties.Name;
    if (Type !== SECRET || typeof secretName !== 'string' || !names.has(secretName)) return [];
    return [[secretName, { logicalId, isRetained: isRetaining(DeletionPolicy) }] as const];
  });
  return {
    guard,
    secrets: Object.fromEntries(secrets),
    resources: guard === null ? [] : ownResources(Resources),
    subscriptions: Object.entries(Resources).flatMap(([logicalId, { Type, Properties }]) => {
      if (Type !== 'AWS::SNS::Subscription') return [];
      const { TopicArn, Protocol, Endpoint } = Properties;
      return [{ logicalId, identity: JSON.stringify([TopicArn, Protocol, Endpoint]) }];
    }),
    chats: Object.values(Resources).flatMap(readChat),
    all: Resources,
  };
}

const SECRET = 'AWS::SecretsManager::Secret';

function readChat({ Type, Properties }: Resources[string]): DeployedGuard['chats'] {
  const { SlackWorkspaceId, SlackChannelId, TeamsTenantId, TeamId, TeamsChannelId, ConfigurationName } = Properties;
  const ids =
    Type === 'AWS::Chatbot::SlackChannelConfiguration'
      ? [SlackWorkspaceId, SlackChannelId]
      : Type === 'AWS::Chatbot::MicrosoftTeamsChannelConfiguration'
        ? [TeamsTenantId, TeamId, TeamsChannelId]
        : null;
  const name = /(?:slack|teams)-[0-9a-f]{8}(?="|$)/.exec(JSON.stringify(ConfigurationName ?? ''))?.[0];
  return ids === null || name === undefined ? [] : [{ identity: JSON.stringify(ids), name }];
}

/** Whether there is the function behind the panel's buttons. Before version 0.3 every stack had it. */
function hasPanel(resources: Resources): boolean {
  return Object.values(resources).some(
    ({ Type, Metadata }) =>
      Type === 'AWS::Lambda::Function' && /\/Act\/Resource$/.test(String(Metadata['aws:cdk:path'] ?? '')),
  );
}

const isRetaining = (policy: string) => policy.startsWith('Retain');

/** The guard's own tables, keys and secrets. Their paths begin like those of the functions that run passes. */
function ownResources(resources: Resources): DeployedGuard['resources'] {
  const pathOf = ({ Metadata }: Resources[string]) => String(Metadata['aws:cdk:path'] ?? '');
  const place = Object.values(resources)
    .filter(({ Type }) => Type === 'AWS::Lambda::Function')
    .flatMap((resource) => /^(.*\/)(?:Pass|FleetPass)\/Resource$/.exec(pathOf(resource))?.[1] ?? [])[0];
  if (place === undefined) return [];
  return Object.entries(resources)
    .filter(([, each]) => /^AWS::(?:DynamoDB::Table|KMS::Key|SecretsManager::Secret)$/.test(each.Type))
    .filter(([, each]) => pathOf(each).startsWith(place))
    .map(([logicalId, { Type, DeletionPolicy }]) => ({
      logicalId,
      type: Type,
      isRetained: isRetaining(DeletionPolicy),
    }));
}

function readGuard(
  name: string,
  metadata: unknown,
  values: readonly Output[],
  outputs: z.output<typeof template>['Outputs'],
): DeployedSettings {
  const parsed = guardMetadata.safeParse(metadata);
  const outputId = parsed.data?.Outputs.LedgerTableName ?? 'LedgerTableName';
  const ledger = values.find(({ OutputKey }) => OutputKey === outputId)?.OutputValue;
  if (!parsed.success || ledger === undefined)
    throw new GuardError(
      `stack "${name}" has a guard, but its settings and outputs cannot be parsed; deploy it once with its own version`,
    );
  const { projects, fleet, encryption } = parsed.data.Settings;
  return {
    projects,
    secretNamePrefix: fleet?.secretNamePrefix ?? null,
    encryption,
    ledger,
    ledgerReference: JSON.stringify(outputs[outputId]?.Value ?? ledger),
  };
}

/** Null if no secret has the name. */
async function readSecret(
  client: SecretsManagerClient,
  name: string,
  stack: string,
  found: FoundStack | null,
): Promise<DeployedSecret | null> {
  const known = found?.secrets[name];
  const described = await client.send(new DescribeSecretCommand({ SecretId: name })).catch((error: unknown) => {
    if (error instanceof ResourceNotFoundException) return null;
    throw error;
  });
  if (described === null && known === undefined) return null;
  const { ARN: arn = null, KmsKeyId, DeletedDate, Tags = [] } = described ?? {};
  const isDeleted = DeletedDate !== undefined;
  const keyArn = KmsKeyId === undefined || arn === null ? null : toKeyArn(KmsKeyId, arn);
  if (known !== undefined) {
    const { logicalId, isRetained } = known;
    return { logicalId, isRetained, otherStack: null, isDeleted, arn: null, keyArn, keyAlias: null };
  }
  // The template may name the secret by reference only. CloudFormation's tags identify it.
  const tag = (key: string) => Tags.find(({ Key }) => Key === `aws:cloudformation:${key}`)?.Value ?? null;
  const logicalId = tag('stack-name') === stack ? tag('logical-id') : null;
  const inStack = logicalId === null ? undefined : found?.all[logicalId];
  if (logicalId !== null && inStack?.Type === SECRET) {
    const isRetained = isRetaining(inStack.DeletionPolicy);
    return { logicalId, isRetained, otherStack: null, isDeleted, arn: null, keyArn, keyAlias: null };
  }
  const otherStack = tag('stack-name') === stack ? null : tag('stack-name');
  const isAlias = KmsKeyId !== undefined && /(?:^|:)alias\//.test(KmsKeyId) && !/alias\/aws\//.test(KmsKeyId);
  return {
    logicalId: null,
    isRetained: true,
    otherStack,
    isDeleted,
    arn,
    keyArn,
    keyAlias: isAlias ? KmsKeyId : null,
  };
}

/** The ARN of a key. Secrets Manager returns the key's ARN or its ID, as it was set. */
function toKeyArn(key: string, secretArn: string): string | null {
  if (key.startsWith('arn:')) return key.includes(':key/') ? key : null;
  const [, partition = 'aws'] = secretArn.split(':');
  return key.startsWith('alias/')
    ? null
    : `arn:${partition}:kms:${regionOf(secretArn)}:${accountOf(secretArn)}:key/${key}`;
}

/** Tables with the name that CloudFormation gives to a ledger of this stack. */
async function listLedgers(stack: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { TableNames = [] } of paginateListTables({ client: new DynamoDBClient() }, {})) {
    // The rest of the name begins with a logical ID, which has no hyphen: "Guard" does not match a table of
    // "Guard-Prod".
    names.push(
      ...TableNames.filter(
        (name) =>
          name.startsWith(`${stack}-`) &&
          /^[A-Za-z0-9]*Ledger[0-9A-F]{8}-[0-9A-Za-z]+$/.test(name.slice(stack.length + 1)),
      ),
    );
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
