import { createServer, type Server } from 'node:http';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { type FauxqsServer, startFauxqs } from 'fauxqs';
import { close, listen } from './loopback.ts';

/** AWS services on loopback, for real SDK clients: DynamoDB (dynalite), SNS and SQS (fauxqs), and Secrets Manager. */

export const CREDENTIALS = { region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };

export const LEDGER_TABLE = 'ledger';

export interface DynamoEmulator {
  readonly endpoint: string;
  readonly client: DynamoDBClient;
  stop(): Promise<void>;
}

/** DynamoDB with the ledger table as the stack makes it. */
export async function startDynamo(): Promise<DynamoEmulator> {
  const server = dynalite({ createTableMs: 0 }) as Server;
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

export async function startSns(): Promise<FauxqsServer> {
  return startFauxqs({ port: 0, logger: false });
}

export interface SecretsEmulator {
  readonly endpoint: string;
  /** Undefined: the secret exists and is empty. */
  set(name: string, value: string | undefined): void;
  /** GetSecretValue calls so far. */
  readonly reads: () => number;
  stop(): Promise<void>;
}

/**
 * GetSecretValue as Secrets Manager answers it (JSON 1.1): the value, or ResourceNotFoundException both for a secret that
 * does not exist and for one without a value. Source: the API reference's GetSecretValue page.
 */
export async function startSecretsManager(): Promise<SecretsEmulator> {
  const secrets = new Map<string, string | undefined>();
  let reads = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { SecretId: id } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { SecretId: string };
    reads += 1;
    const value = secrets.get(id);
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (value === undefined) {
      const message = secrets.has(id)
        ? "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
        : "Secrets Manager can't find the specified secret.";
      response.statusCode = 400;
      response.end(JSON.stringify({ __type: 'ResourceNotFoundException', message }));
      return;
    }
    response.end(
      JSON.stringify({
        ARN: `arn:aws:secretsmanager:us-east-1:000000000000:secret:${id}-AbCdEf`,
        Name: id,
        SecretString: value,
      }),
    );
  });
  return {
    endpoint: await listen(server),
    set: (name, value) => void secrets.set(name, value),
    reads: () => reads,
    stop: () => close(server),
  };
}
