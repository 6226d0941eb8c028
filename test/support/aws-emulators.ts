import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { type FauxqsServer, startFauxqs } from 'fauxqs';
import { itemSize, MAX_ITEM_BYTES } from './item-size.ts';
import { close, listen } from './loopback.ts';

/** AWS services on loopback, for real SDK clients: DynamoDB (dynalite), SNS and SQS (fauxqs), and Secrets Manager. */

export const CREDENTIALS = { region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };

export const LEDGER_TABLE = 'ledger';

export interface DynamoEmulator {
  readonly endpoint: string;
  readonly client: DynamoDBClient;
  stop(): Promise<void>;
}

/** DynamoDB with the ledger table of the stack, and with the real limit on the size of an item. */
export async function startDynamo(): Promise<DynamoEmulator> {
  const server = limitItems(dynalite({ createTableMs: 0 }));
  const endpoint = await listen(server);
  const client = new DynamoDBClient({ ...CREDENTIALS, endpoint });
  await client.send(
    new CreateTableCommand({
      TableName: LEDGER_TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'project', AttributeType: 'S' },
        { AttributeName: 'item', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'project', KeyType: 'HASH' },
        { AttributeName: 'item', KeyType: 'RANGE' },
      ],
    }),
  );
  return {
    endpoint,
    client,
    stop: async () => {
      client.destroy();
      await close(server);
    },
  };
}

/** Dynalite counts characters where DynamoDB counts bytes, so this server refuses large items before they reach Dynalite. */
function limitItems(server: Server): Server {
  const [answer] = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', async (request, response) => {
    const body = await buffer(request);
    const tooLarge = putItems(request, body).some((item) => itemSize(plainMap(item)) > MAX_ITEM_BYTES);
    if (!tooLarge) return answer?.(replay(request, body), response);
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
    const message = 'Item size has exceeded the maximum allowed size';
    response.end(JSON.stringify({ __type: 'com.amazon.coral.validate#ValidationException', message }));
  });
  return server;
}

/** A copy of a request whose body was read, so that it can be read again. */
function replay({ method, url, headers }: IncomingMessage, body: Buffer): IncomingMessage {
  return Object.assign(Readable.from([body]), { method, url, headers }) as unknown as IncomingMessage;
}

interface Attribute {
  readonly S?: string;
  readonly N?: string;
  readonly BOOL?: boolean;
  readonly L?: readonly Attribute[];
  readonly M?: AttributeMap;
}

type AttributeMap = Readonly<Record<string, Attribute>>;

interface PutInput {
  readonly Item?: AttributeMap;
  readonly RequestItems?: Readonly<
    Record<string, readonly { readonly PutRequest?: { readonly Item: AttributeMap } }[]>
  >;
}

/** The items in a request: one in PutItem, several in BatchWriteItem. */
function putItems(request: IncomingMessage, body: Buffer): readonly AttributeMap[] {
  const action = String(request.headers['x-amz-target']).split('.').at(-1);
  if (action !== 'PutItem' && action !== 'BatchWriteItem') return [];
  const input = JSON.parse(body.toString('utf8')) as PutInput;
  const batch = Object.values(input.RequestItems ?? {}).flat();
  return [input.Item, ...batch.map(({ PutRequest }) => PutRequest?.Item)].filter((item) => item !== undefined);
}

function plainMap(map: AttributeMap): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(map).map(([name, attribute]) => [name, plain(attribute)]));
}

/** The plain value of an attribute, for the types that the ledger uses. */
function plain({ S, N, BOOL, L, M }: Attribute): unknown {
  if (N !== undefined) return Number(N);
  return S ?? BOOL ?? L?.map(plain) ?? (M === undefined ? null : plainMap(M));
}

export async function startSns(): Promise<FauxqsServer> {
  return startFauxqs({ port: 0, logger: false });
}

export interface SecretsEmulator {
  readonly endpoint: string;
  /**
   * @param value undefined: the secret exists and is empty
   * @param tags the emulator has no IAM, so every secret can be read
   */
  set(name: string, value: string | undefined, tags?: Readonly<Record<string, string>>): void;
  /** Makes every call about a secret fail with this error, until it is null. */
  fail(name: string, error: string | null): void;
  /** GetSecretValue calls so far. */
  readonly reads: () => number;
  /** DescribeSecret calls so far. */
  readonly looks: () => number;
  stop(): Promise<void>;
}

interface Secret {
  readonly value: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * Secrets Manager (JSON 1.1) with GetSecretValue, DescribeSecret, and ListSecrets by the prefix of a tag's key, in pages of two. A
 * secret that does not exist and one without a value both answer with ResourceNotFoundException. Source: the API reference.
 */
export async function startSecretsManager(): Promise<SecretsEmulator> {
  const secrets = new Map<string, Secret>();
  const failures = new Map<string, string>();
  const calls = { GetSecretValue: 0, DescribeSecret: 0, ListSecrets: 0 };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const input = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      readonly SecretId: string;
      readonly Filters?: readonly { readonly Key: string; readonly Values: readonly string[] }[];
      readonly NextToken?: string;
    };
    const id = input.SecretId;
    const action = String(request.headers['x-amz-target']).split('.').at(-1) as keyof typeof calls;
    calls[action] += 1;
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    const refuse = (type: string, message: string) => {
      response.statusCode = 400;
      response.end(JSON.stringify({ __type: type, message }));
    };
    if (action === 'ListSecrets') {
      const [begins = ''] = input.Filters?.find(({ Key }) => Key === 'tag-key')?.Values ?? [];
      const found = [...secrets].filter(([, { tags }]) => Object.keys(tags).some((key) => key.startsWith(begins)));
      const from = Number(input.NextToken ?? 0);
      const more = from + LISTED_AT_ONCE < found.length ? { NextToken: String(from + LISTED_AT_ONCE) } : {};
      const SecretList = found.slice(from, from + LISTED_AT_ONCE).map(([name, secret]) => describeSecret(name, secret));
      response.end(JSON.stringify({ SecretList, ...more }));
      return;
    }
    const failure = failures.get(id);
    if (failure !== undefined) return refuse(failure, `${failure} as asked for`);
    const secret = secrets.get(id);
    if (secret === undefined)
      return refuse('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
    if (action === 'DescribeSecret') {
      response.end(JSON.stringify(describeSecret(id, secret)));
    } else if (secret.value === undefined) {
      const message = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
      refuse('ResourceNotFoundException', message);
    } else {
      response.end(JSON.stringify({ ARN: arnOf(id), Name: id, SecretString: secret.value }));
    }
  });
  return {
    endpoint: await listen(server),
    set: (name, value, tags = {}) => void secrets.set(name, { value, tags }),
    fail: (name, error) => void (error === null ? failures.delete(name) : failures.set(name, error)),
    reads: () => calls.GetSecretValue,
    looks: () => calls.DescribeSecret,
    stop: () => close(server),
  };
}

/** The page size of ListSecrets. The real service returns at most 100 per page, and may return fewer. */
const LISTED_AT_ONCE = 2;

function describeSecret(name: string, { tags }: Secret) {
  return { ARN: arnOf(name), Name: name, Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
}

function arnOf(name: string): string {
  return `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}-AbCdEf`;
}

/** The environment variables of a deployed function that uses the emulators. */
export function environmentOver(
  emulators: {
    readonly dynamo: DynamoEmulator;
    readonly sns: Pick<FauxqsServer, 'address'>;
    readonly secrets: SecretsEmulator;
  },
  topicArn: string,
): Readonly<Record<string, string>> {
  return {
    AWS_REGION: CREDENTIALS.region,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: emulators.dynamo.endpoint,
    AWS_ENDPOINT_URL_SNS: emulators.sns.address,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: emulators.secrets.endpoint,
    LEDGER_TABLE,
    ALERTS_TOPIC_ARN: topicArn,
    CHAT_TOPICS: '[]',
    INCIDENT_TOOLS: '[]',
    DASHBOARD_NAME: 'IntegrationGuard-us-east-1',
    STACK_NAME: 'IntegrationGuard',
  };
}
