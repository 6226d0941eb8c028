import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readDeployed } from '../../functions/deployed/read-deployed.ts';
import { close, listen } from '../support/loopback.ts';

/** A server on loopback that answers for the four AWS services, in the protocols of their SDKs. */

const ACCOUNT = '123456789012';
const SECRET_ARN = `arn:aws:secretsmanager:us-east-1:${ACCOUNT}:secret:q/a-AbCdEf`;

interface Aws {
  account: string;
  /** Undefined: the stack does not exist. */
  template: string | undefined;
  /** By name. */
  secrets: Record<string, object>;
  tables: readonly string[];
  /** Names of denied actions. */
  denied: readonly string[];
}

let aws: Aws;
let server: Server;

beforeEach(async () => {
  aws = { account: ACCOUNT, template: undefined, secrets: {}, tables: [], denied: [] };
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const target = String(request.headers['x-amz-target'] ?? '').split('.')[1];
      const { status, text, type } = target === undefined ? query(new URLSearchParams(body)) : json(target, body);
      response.writeHead(status, { 'content-type': type }).end(text);
    });
  });
  vi.stubEnv('AWS_ENDPOINT_URL', await listen(server));
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await close(server);
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly type: string;
}

function query(parameters: URLSearchParams): Answer {
  const action = parameters.get('Action') ?? '';
  const answer = (content: string, status = 200) => ({
    status,
    text: `<${action}Response><${action}Result>${content}</${action}Result></${action}Response>`,
    type: 'text/xml',
  });
  const fault = (code: string, message: string): Answer => ({
    status: 400,
    text: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
    type: 'text/xml',
  });
  if (aws.denied.includes(action)) return fault('AccessDenied', `not authorized to perform ${action}`);
  if (action === 'GetCallerIdentity') return answer(`<Account>${aws.account}</Account>`);
  if (aws.template === undefined) return fault('ValidationError', 'Stack with id Payments does not exist');
  if (action === 'GetTemplate')
    return answer(`<TemplateBody>${aws.template.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</TemplateBody>`);
  return answer(`<Stacks><member><StackName>Payments</StackName><StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus><Outputs><member>
<OutputKey>LedgerTableName</OutputKey><OutputValue>the-ledger</OutputValue></member></Outputs></member></Stacks>`);
}

function json(action: string, body: string): Answer {
  const type = 'application/x-amz-json-1.1';
  if (aws.denied.includes(action))
    return { status: 400, text: JSON.stringify({ __type: 'AccessDeniedException', Message: `no ${action}` }), type };
  if (action === 'ListTables') return { status: 200, text: JSON.stringify({ TableNames: aws.tables }), type };
  const { SecretId } = JSON.parse(body) as { readonly SecretId: string };
  const secret = aws.secrets[SecretId];
  return secret === undefined
    ? { status: 400, text: JSON.stringify({ __type: 'ResourceNotFoundException', Message: 'none' }), type }
    : { status: 200, text: JSON.stringify({ ARN: SECRET_ARN, Name: SecretId, ...secret }), type };
}

const tags = (stack: string, logicalId: string) => ({
  Tags: [
    { Key: 'aws:cloudformation:stack-name', Value: stack },
    { Key: 'aws:cloudformation:logical-id', Value: logicalId },
  ],
});

const GUARD = {
  Metadata: { IntegrationGuard: { Settings: { projects: { a: { secretName: 'q/a', unstable: 'pause' } } } } },
  Outputs: { LedgerTableName: { Value: { Ref: 'Ledger' } } },
  Resources: {
    Ledger: { Type: 'AWS::DynamoDB::Table', DeletionPolicy: 'Retain' },
    Key: { Type: 'AWS::SecretsManager::Secret', Properties: { Name: 'q/a' } },
  },
};

const read = (...names: readonly string[]) => readDeployed('Payments', names, ACCOUNT);

describe('the deployed state', () => {
  it('is empty without a stack, a secret and a table', async () => {
    expect(await read('q/a')).toMatchObject({
      account: ACCOUNT,
      region: 'us-east-1',
      guard: null,
      secrets: {},
      leftLedgers: [],
    });
  });

  it('is read from a stack of any version', async () => {
    aws.template = JSON.stringify(GUARD);
    aws.secrets['q/a'] = {};
    expect(await read('q/a')).toMatchObject({
      guard: {
        projects: { a: { secretName: 'q/a' } },
        ledger: 'the-ledger',
        ledgerReference: '{"Ref":"Ledger"}',
        secretNamePrefix: null,
      },
      secrets: { 'q/a': { logicalId: 'Key', isRetained: false, isDeleted: false, arn: null } },
    });
  });

  it('includes the encryption, the fields and the keys of the stack’s own secrets', async () => {
    const Settings = { encryption: 'aws-owned', projects: { a: { secretName: 'q/a', secretField: 'ios' } } };
    aws.template = JSON.stringify({ ...GUARD, Metadata: { IntegrationGuard: { Settings } } });
    const keyArn = `arn:aws:kms:us-east-1:${ACCOUNT}:key/0f1e2d3c-0000-4000-8000-000000000000`;
    aws.secrets['q/a'] = { KmsKeyId: keyArn };
    const own = { logicalId: 'Key', arn: null };
    const { guard, secrets } = await read();
    expect(guard).toMatchObject({ encryption: 'aws-owned', projects: { a: { secretField: 'ios' } } });
    expect(secrets).toMatchObject({ 'q/a': { ...own, keyArn } });
    // The key of AWS, as Secrets Manager reports it after an update.
    aws.secrets['q/a'] = { KmsKeyId: 'alias/aws/secretsmanager' };
    expect((await read()).secrets).toMatchObject({ 'q/a': { ...own, keyArn: null, keyAlias: null } });
  });

  it('includes a secret of the stack even if the template names it by reference', async () => {
    const Key = { Type: 'AWS::SecretsManager::Secret', Properties: { Name: { Ref: 'NameOfSecret' } } };
    aws.template = JSON.stringify({ ...GUARD, Resources: { ...GUARD.Resources, Key } });
    aws.secrets['q/a'] = tags('Payments', 'Key');
    expect((await read('q/a')).secrets).toMatchObject({ 'q/a': { logicalId: 'Key', isRetained: false, arn: null } });
  });

  it('includes other secrets with their key, or the stack that they belong to', async () => {
    aws.secrets['q/a'] = { KmsKeyId: '0f1e2d3c-0000-4000-8000-000000000000' };
    aws.secrets['q/b'] = { ...tags('Others', 'Key'), KmsKeyId: `arn:aws:kms:us-east-1:${ACCOUNT}:alias/own` };
    aws.secrets['q/c'] = { DeletedDate: 1_790_000_000 };
    expect((await read('q/a', 'q/b', 'q/c')).secrets).toMatchObject({
      'q/a': {
        arn: SECRET_ARN,
        keyArn: `arn:aws:kms:us-east-1:${ACCOUNT}:key/0f1e2d3c-0000-4000-8000-000000000000`,
        otherStack: null,
      },
      'q/b': { otherStack: 'Others', keyArn: null, keyAlias: `arn:aws:kms:us-east-1:${ACCOUNT}:alias/own` },
      'q/c': { isDeleted: true },
    });
  });

  it('includes ledgers that earlier deployments of this stack left behind, and no others', async () => {
    aws.tables = [
      'Payments-GuardLedger1A2B3C4D-XYZ1',
      'Payments-Prod-GuardLedger1A2B3C4D-XYZ2',
      'Payments-Orders-X',
      'Other',
    ];
    expect((await read()).leftLedgers).toEqual(['Payments-GuardLedger1A2B3C4D-XYZ1']);
  });
});

describe('reading the deployed state fails', () => {
  it('with the credentials of another account', async () => {
    aws.account = '999999999999';
    await expect(read('q/a')).rejects.toThrow('the AWS credentials are for account 999999999999');
  });

  it.each(['GetCallerIdentity', 'DescribeStacks', 'GetTemplate', 'DescribeSecret'])(
    'if AWS refuses %s',
    async (action) => {
      aws.template = JSON.stringify(GUARD);
      aws.denied = [action];
      await expect(read('q/a')).rejects.toThrow(/cannot be read/);
    },
  );

  it('if AWS refuses ListTables', async () => {
    aws.denied = ['ListTables'];
    await expect(read('q/a')).rejects.toThrow(/cannot be read/);
  });

  it.each([
    ['in YAML', 'Resources:\n  Key:\n    Type: AWS::SecretsManager::Secret\n'],
    ['of other shape', JSON.stringify({ Resources: { 'Fn::ForEach::Keys': ['Name', [], {}] } })],
    [
      'with a guard that cannot be parsed',
      JSON.stringify({ ...GUARD, Metadata: { IntegrationGuard: { Settings: 1 } } }),
    ],
  ])('if the template is %s', async (_what, template) => {
    aws.template = template;
    await expect(read('q/a')).rejects.toThrow(/cannot be parsed/);
  });
});
