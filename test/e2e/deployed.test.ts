import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import { GetDashboardCommand, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { ListTablesCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { GetRoleCommand } from '@aws-sdk/client-iam';
import { GetFunctionConfigurationCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
} from '@aws-sdk/client-secrets-manager';
import { ListTopicsCommand } from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, ListQueuesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PRODUCTION_KEY } from '../../functions/sandbox/server.ts';
import { ACCOUNT, REGION } from './cloud.ts';
import { type Deployment, deploy, must, STACK } from './deployment.ts';
import { grantsOf, isAllowed, type RolePolicy, readPolicies } from './permissions.ts';
import { ACCEPTED, checkPolicies } from './template-policies.ts';

/**
 * Deploys the unchanged app with the real `cdk bootstrap` and `cdk deploy`, lets its schedule run, and checks the result only through AWS
 * APIs. Each step continues from the previous one, as in docs/deploy.md.
 */

let deployment: Deployment;
const events: { type: string; id: string; data: { project: string } }[] = [];
const digests: string[] = [];

beforeAll(async () => {
  deployment = await deploy();
  for (const id of ['good-1', 'good-2', 'broken']) deployment.sandbox.production.add({ id, active: 1 });
});

afterAll(async () => {
  await deployment?.stop();
});

/** Moves the messages of both queues to `events` and `digests`. */
async function listen(): Promise<void> {
  const { eventsQueue, digestsQueue, receive } = deployment;
  // Like SNS, the emulator also selects the body by protocol in batches.
  for (const body of await receive(eventsQueue)) events.push(JSON.parse(body) as (typeof events)[number]);
  digests.push(...(await receive(digestsQueue)));
}

const untilScheduled = (what: string, condition: () => boolean | Promise<boolean>) =>
  deployment.untilScheduled(what, async () => {
    await listen();
    return condition();
  });

/** Counts mails and SMS in the emulator's log, their only trace. */
async function deliveries(): Promise<{ readonly mail: number; readonly sms: number }> {
  const log = await deployment.cloud.log();
  const count = (line: string) => log.split(line).length - 1;
  return { mail: count('SNS fanout → email ops@example.com'), sms: count('SNS fanout → SMS +15551230000') };
}

const typesOf = (project: string) => events.filter(({ data }) => data.project === project).map(({ type }) => type);
const passes = () => deployment.cloud.calls.filter(({ action }) => action === 'dynamodb:Query').length;
const functionName = async () => (await deployment.outputs()).PassFunctionName;

async function invoke(
  payload: unknown,
): Promise<{ readonly error: string | undefined; readonly body: Record<string, unknown> }> {
  const { error, body } = await deployment.invoke('PassFunctionName', payload);
  await listen();
  return { error, body: body as Record<string, unknown> };
}

function failNow(): void {
  const lastDelivery = new Date(Date.now() - 20 * 60_000).toISOString();
  deployment.sandbox.production.patch('broken', {
    delivery_error_count: 61,
    last_delivery_at: lastDelivery,
    last_error_at: new Date().toISOString(),
    last_error_message: 'HTTP 401',
  });
}

async function ledgerEntry(id: string): Promise<string> {
  const { Items = [] } = await deployment.clients.dynamodb.send(
    new QueryCommand({
      TableName: (await deployment.outputs()).LedgerTableName,
      KeyConditionExpression: '#project = :project AND #item = :item',
      ExpressionAttributeNames: { '#project': 'project', '#item': 'item' },
      ExpressionAttributeValues: { ':project': { S: 'production' }, ':item': { S: `integration#${id}` } },
    }),
  );
  return JSON.stringify(Items[0] ?? null);
}

describe('first, the secret is empty', () => {
  it('has no value', async () => {
    await deployment.clients.secrets.send(new DescribeSecretCommand({ SecretId: 'qonversion/production' }));
    // For a secret without a value, AWS answers ResourceNotFoundException and the emulator an empty value.
    const value = await deployment.clients.secrets
      .send(new GetSecretValueCommand({ SecretId: 'qonversion/production' }))
      .then(({ SecretString }) => SecretString)
      .catch((error: Error) => (error.name === 'ResourceNotFoundException' ? '' : error.name));
    expect(value).toBe('');
  });

  it('and the first scheduled pass reports that, with the command that stores the key', async () => {
    await untilScheduled(
      'the alert about the empty secret',
      () => typesOf('production').includes('guard.failing') && digests.length > 0,
    );
    expect(digests[0]).toContain("aws secretsmanager put-secret-value --secret-id 'qonversion/production'");
    expect(digests[0]).toContain('--stack IntegrationGuard');
  });

  it('and another project is unaffected', () => {
    expect(typesOf('staging')).toEqual([]);
  });
});

describe('then, the secret is filled and an integration fails', () => {
  it('the scheduled pass pauses it, and alerts machines and people', async () => {
    await deployment.clients.secrets.send(
      new PutSecretValueCommand({ SecretId: 'qonversion/production', SecretString: PRODUCTION_KEY }),
    );
    failNow();
    await untilScheduled(
      'the pause and its alerts',
      () => typesOf('production').includes('integration.paused') && digests.length > 1,
    );
    expect(typesOf('production')).toEqual(
      expect.arrayContaining(['guard.failing', 'guard.recovered', 'integration.paused']),
    );
    expect(deployment.sandbox.production.get('broken')?.active).toBe(0);
    expect(deployment.sandbox.production.get('good-1')?.active).toBe(1);
    expect(digests.at(-1)).toContain(
      'npx integration-guard resume broken --project production --stack IntegrationGuard',
    );
  });

  it('the ledger holds the open circuit, without an attempt and with an empty outbox', async () => {
    const entry = await ledgerEntry('broken');
    expect(entry).toContain('"name":{"S":"open"}');
    expect(entry).toContain('"attempt":{"NULL":true}');
    expect(entry).toContain('"outbox":{"L":[]}');
  });

  it('mail and SMS each get both digests once', async () => {
    expect(digests).toHaveLength(2);
    expect(await deliveries()).toEqual({ mail: 2, sms: 2 });
  });

  it('the second scheduled pass changes nothing and sends no alert', async () => {
    const before = {
      events: events.length,
      digests: digests.length,
      writes: deployment.cloud.calls.filter(({ action }) => /^dynamodb:(Put|BatchWrite)Item$/.test(action)).length,
    };
    const passesBefore = passes();
    await untilScheduled('two more passes', () => passes() >= passesBefore + 2);
    await sleep(1_000);
    await listen();
    const after = {
      events: events.length,
      digests: digests.length,
      writes: deployment.cloud.calls.filter(({ action }) => /^dynamodb:(Put|BatchWrite)Item$/.test(action)).length,
    };
    expect(after).toEqual(before);
  });
});

describe('in operation', () => {
  it('the guard accepts that an operator resumed an integration', async () => {
    deployment.sandbox.production.setStatus('broken', 1);
    await invoke({ project: 'production' });
    await invoke({ project: 'production' });
    expect(deployment.sandbox.production.get('broken')?.active).toBe(1);
    expect(typesOf('production').filter((type) => type === 'integration.reactivated')).toHaveLength(1);
  });

  it('mail and SMS do not get alerts below their minSeverity', async () => {
    expect(digests).toHaveLength(3);
    expect(await deliveries()).toEqual({ mail: 2, sms: 2 });
  });

  it('mail gets a warning, and SMS does not', async () => {
    deployment.sandbox.production.patch('good-2', {
      delivery_error_count: 30,
      last_delivery_at: new Date(Date.now() - 60_000).toISOString(),
    });
    await invoke({ project: 'production' });
    expect(typesOf('production').at(-1)).toBe('integration.failing');
    expect(await deliveries()).toEqual({ mail: 3, sms: 2 });
  });

  it('the guard reads a regenerated key without another deployment', async () => {
    deployment.sandbox.regenerateKey('sk_fake_regenerated');
    await deployment.clients.secrets.send(
      new PutSecretValueCommand({
        SecretId: 'qonversion/production',
        SecretString: '{"secretKey":"sk_fake_regenerated"}',
      }),
    );
    expect(await invoke({ project: 'production' })).toMatchObject({
      error: undefined,
      body: { project: 'production', failed: 0 },
    });
  });

  it.each([{ project: 'nope' }, { project: 'production', apiUrl: 'https://evil.example' }, {}])(
    'the input %j fails the invocation, which the alarm on errors sees, and touches nothing',
    async (input) => {
      const before = deployment.sandbox.requests.length;
      const { error, body } = await invoke(input);
      expect(error).toBe('Unhandled');
      expect(body.errorMessage).toContain('this function takes {"project": NAME} and nothing else');
      expect(deployment.sandbox.requests.length).toBe(before);
    },
  );

  it('leaves nothing in the dead-letter queue', async () => {
    const { StackResourceSummaries = [] } = await deployment.clients.cloudformation.send(
      new ListStackResourcesCommand({ StackName: STACK }),
    );
    const queue =
      StackResourceSummaries.find(({ ResourceType }) => ResourceType === 'AWS::SQS::Queue')?.PhysicalResourceId ?? '';
    const { Attributes } = await deployment.clients.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ['ApproximateNumberOfMessages'] }),
    );
    expect(Attributes?.ApproximateNumberOfMessages).toBe('0');
  });

  it('`integration-guard plan`, `list`, `pause` and `resume` work against the stack', async () => {
    const where = ['--stack', STACK, '--project', 'production'];
    expect(await must(deployment.cloud.guard(['plan', ...where]))).toContain('production: 3 active');
    expect(await must(deployment.cloud.guard(['list', ...where]))).toMatch(/broken\s+Amplitude iOS/);
    expect(await must(deployment.cloud.guard(['pause', 'good-2', ...where]))).toContain('good-2 is paused');
    expect(deployment.sandbox.production.get('good-2')?.active).toBe(0);
    expect(await ledgerEntry('good-2')).toContain('"name":{"S":"isolated"}');
    expect(await must(deployment.cloud.guard(['resume', 'good-2', ...where]))).toContain('good-2 is active again');
    const several = await deployment.cloud.guard(['plan', '--stack', STACK]);
    expect(several).toMatchObject({
      code: 2,
      output: expect.stringContaining('name one with --project: production, staging'),
    });
  });
});

describe('the control panel', () => {
  const look = async (payload: unknown) => String((await deployment.invoke('PanelFunctionName', payload)).body);
  const act = async (payload: unknown) => String((await deployment.invoke('ActFunctionName', payload)).body);

  it('is on the dashboard, and CloudWatch accepts the JSON of its body', async () => {
    const { DashboardName } = await deployment.outputs();
    const { DashboardBody = '' } = await deployment.clients.cloudwatch.send(new GetDashboardCommand({ DashboardName }));
    const { widgets } = JSON.parse(DashboardBody) as {
      widgets: { type: string; properties: { endpoint?: string; params?: unknown; alarms?: string[] } }[];
    };
    const panels = widgets.filter(({ type }) => type === 'custom');
    expect(panels.map(({ properties }) => properties.params)).toEqual([
      { project: 'production' },
      { project: 'staging' },
    ]);
    for (const { properties } of panels) {
      expect(properties.endpoint).toContain(`:function:${(await deployment.outputs()).PanelFunctionName}`);
    }
    expect(widgets[0]?.properties.alarms).toHaveLength(7);
  });

  it('describes itself and draws', async () => {
    expect(await look({ describe: true })).toMatch(/^## Integration Guard: control panel/);
    const page = await look({ project: 'production', widgetContext: { theme: 'dark', forms: { all: {} } } });
    expect(page).toContain('role="table" aria-label="Integrations of project production"');
    expect(page).toContain(`:function:${(await deployment.outputs()).ActFunctionName}"`);
  });

  it('pauses and resumes with its buttons, through the ledger', async () => {
    const press = (action: string) => act({ project: 'production', action, id: 'good-2' });
    expect(await press('pause')).toContain('good-2 is paused');
    expect(deployment.sandbox.production.get('good-2')?.active).toBe(0);
    expect(await ledgerEntry('good-2')).toContain('"name":{"S":"isolated"}');
    expect(await press('resume')).toContain('good-2 is active again');
    expect(deployment.sandbox.production.get('good-2')?.active).toBe(1);
    expect(await act({ project: 'production', action: 'run' })).toContain('The pass is done');
  });

  it('refuses other requests at both functions', async () => {
    for (const payload of [{ project: 'production', action: 'pause', id: '../x' }, { project: 'nope' }, null]) {
      expect(await look(payload)).toContain('This widget takes');
      expect(await act(payload)).toContain('Nothing was done.');
    }
    expect(await look({ project: 'production', action: 'pause', id: 'good-2' })).toContain('This widget takes');
    expect(await act({ project: 'production', action: 'pause', id: 'forged' })).toContain('has no integration');
    expect(deployment.sandbox.production.get('good-2')?.active).toBe(1);
  });
});

describe('`integration-guard doctor` for the stack', () => {
  const doctor = async () => {
    const { code, output } = await deployment.cloud.guard(['doctor', '--json', '--stack', STACK]);
    const { findings } = JSON.parse(output) as { findings: { check: string; level: string; message: string }[] };
    return { code, of: (check: string) => findings.find((finding) => finding.check === check) };
  };

  it('checks the schedules, the subscriptions, the secrets and the ledger', async () => {
    // EventBridge Scheduler counts what it starts. The emulator does not, so the test adds the metric.
    const { StackResourceSummaries = [] } = await deployment.clients.cloudformation.send(
      new ListStackResourcesCommand({ StackName: STACK }),
    );
    const groups = StackResourceSummaries.filter(
      ({ ResourceType }) => ResourceType === 'AWS::Scheduler::ScheduleGroup',
    );
    expect(groups).toHaveLength(2);
    await deployment.clients.cloudwatch.send(
      new PutMetricDataCommand({
        Namespace: 'AWS/Scheduler',
        MetricData: groups.map(({ PhysicalResourceId }) => ({
          MetricName: 'InvocationAttemptCount',
          Dimensions: [{ Name: 'ScheduleGroup', Value: PhysicalResourceId }],
          Value: 1,
        })),
      }),
    );
    const { code, of } = await doctor();
    expect(of('schedule of production')).toMatchObject({ level: 'ok', message: 'It is enabled: rate(1 minute).' });
    expect(of('secret key of production')).toMatchObject({ level: 'ok' });
    expect(of('Qonversion API of staging')).toMatchObject({ level: 'ok' });
    expect(of('ledger of production')).toMatchObject({ level: 'ok' });
    expect(of('last pass of production')).toMatchObject({ level: 'ok' });
    expect(of('policy of staging')).toMatchObject({ level: 'warning' });
    expect(of('subscriptions')).toMatchObject({ level: 'warning', message: 'No one receives alarms.' });
    expect(of('dead letters')).toMatchObject({ level: 'ok' });
    // Without metrics from logs, some alarms fire in the emulator. The doctor names them, and fails for them.
    const alarms = of('alarms');
    expect(alarms?.message).toMatch(alarms?.level === 'ok' ? /^None is on\.$/ : /^On: IntegrationGuard-/);
    expect(code).toBe(alarms?.level === 'problem' ? 1 : 0);
  });
});

describe('least privilege', () => {
  let role: string;
  let policies: readonly RolePolicy[];
  let panelRole: string;
  let panelPolicies: readonly RolePolicy[];
  let names: Readonly<Record<string, string>>;

  beforeAll(async () => {
    const outputs = await deployment.outputs();
    const secret = async (SecretId: string) =>
      (await deployment.clients.secrets.send(new DescribeSecretCommand({ SecretId }))).ARN ?? '';
    names = {
      [outputs.LedgerTableName ?? '']: `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${outputs.LedgerTableName}`,
      [outputs.AlertsTopicArn ?? '']: outputs.AlertsTopicArn ?? '',
      'qonversion/production': await secret('qonversion/production'),
      [await secret('qonversion/staging')]: await secret('qonversion/staging'),
    };
    // A secret's Ref is its name in the emulator, and its ARN in AWS.
    const toArns = (key: string, value: unknown) =>
      (key === '' || Number.isInteger(Number(key)) || key === 'Resource') && typeof value === 'string'
        ? (names[value] ?? value)
        : value;
    const read = async (FunctionName: string | undefined) => {
      const { Role = '' } = await deployment.clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
      const found = await readPolicies(deployment.clients.iam, Role, toArns);
      for (const { resource } of grantsOf(found.policies)) expect(resource).toMatch(/^arn:/);
      return found;
    };
    ({ role, policies } = await read(outputs.PassFunctionName));
    ({ role: panelRole, policies: panelPolicies } = await read(outputs.PanelFunctionName));
    const acting = await read(outputs.ActFunctionName);
    // Except for the log, the role of the buttons has the same permissions as the role of a pass.
    const withoutLog = (found: readonly RolePolicy[]) =>
      grantsOf(found)
        .filter(({ action }) => !action.startsWith('logs:'))
        .map(({ action, resource }) => `${action} ${resource}`)
        .sort();
    expect(withoutLog(acting.policies)).toEqual(withoutLog(policies));
  });

  /** Calls that AWS makes in the caller's name: for keys of encrypted topics and secrets, and for the function's log. */
  function implied(): readonly { readonly action: string; readonly resource: string }[] {
    const grants = grantsOf(policies);
    const key = grants.find(({ action }) => action === 'kms:Decrypt')?.resource ?? '';
    const log = grants.find(({ action }) => action === 'logs:PutLogEvents')?.resource ?? '';
    return [
      { action: 'kms:Decrypt', resource: key },
      { action: 'kms:GenerateDataKey', resource: key },
      { action: 'logs:CreateLogStream', resource: log },
      { action: 'logs:PutLogEvents', resource: log },
    ];
  }

  const made = () => {
    const seen = deployment.cloud.calls.map(({ action, resource }) => ({
      action,
      resource: names[resource] ?? resource,
    }));
    const all = [...seen, ...implied()];
    return [...new Map(all.map((call) => [`${call.action} ${call.resource}`, call])).values()];
  };

  /** Log calls name a stream, while a log group's ARN ends in `:*`. */
  const concrete = (resource: string) =>
    resource.endsWith(':*') && resource.includes(':log-group:')
      ? resource.replace(/:\*$/, ':log-stream:one')
      : resource;

  it('allows every call of the pass', async () => {
    const rows: string[] = [];
    for (const { action, resource } of made()) {
      const allowed = await isAllowed(role, policies, action, concrete(resource));
      rows.push(`${allowed ? 'allowed' : 'REFUSED'}  ${action.padEnd(30)} ${resource}`);
    }
    console.log(`AWS calls of the pass function, against its deployed role:\n${rows.sort().join('\n')}`);
    expect(rows.filter((row) => row.startsWith('REFUSED'))).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(8);
  });

  it('grants no unused permission', () => {
    const used = new Set(made().map(({ action, resource }) => `${action} ${resource}`));
    expect(
      grantsOf(policies)
        .map(({ action, resource }) => `${action} ${resource}`)
        .filter((grant) => !used.has(grant)),
    ).toEqual([]);
  });

  it('lets the panel function read only: no write, no alert, no call of another function', async () => {
    const [table = '', topic = '', secret = ''] = Object.values(names);
    const { ActFunctionName, PassFunctionName } = await deployment.outputs();
    const may = (action: string, resource: string) => isAllowed(panelRole, panelPolicies, action, resource);
    expect(await may('dynamodb:Query', table)).toBe(true);
    expect(await may('secretsmanager:GetSecretValue', secret)).toBe(true);
    for (const [action, resource] of [
      ['dynamodb:PutItem', table],
      ['dynamodb:BatchWriteItem', table],
      ['dynamodb:UpdateItem', table],
      ['dynamodb:DeleteItem', table],
      ['sns:Publish', topic],
      ['secretsmanager:PutSecretValue', secret],
      ['kms:GenerateDataKey', implied()[0]?.resource ?? ''],
      ['lambda:InvokeFunction', `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${ActFunctionName}`],
      ['lambda:InvokeFunction', `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${PassFunctionName}`],
    ] as const) {
      expect({ action, allowed: await may(action, resource) }).toEqual({ action, allowed: false });
    }
  });

  it('refuses everything else', async () => {
    const arn = (service: string, rest: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
    const [table = '', topic = '', secret = ''] = Object.values(names);
    const forbidden: readonly (readonly [string, string])[] = [
      ['secretsmanager:GetSecretValue', arn('secretsmanager', 'secret:payroll-AbCdEf')],
      ['secretsmanager:GetSecretValue', arn('secretsmanager', 'secret:qonversion/production-two-AbCdEf')],
      ['secretsmanager:PutSecretValue', secret],
      ['secretsmanager:DeleteSecret', secret],
      ['dynamodb:Query', arn('dynamodb', 'table/other')],
      ['dynamodb:Scan', table],
      ['dynamodb:DeleteItem', table],
      ['dynamodb:DeleteTable', table],
      ['dynamodb:UpdateItem', table],
      ['sns:Publish', arn('sns', 'other')],
      ['sns:Publish', (await deployment.outputs()).AlarmsTopicArn ?? ''],
      ['sns:Subscribe', topic],
      ['sns:DeleteTopic', topic],
      ['kms:Decrypt', arn('kms', 'key/11111111-2222-4333-8444-555555555555')],
      ['kms:ScheduleKeyDeletion', implied()[0]?.resource ?? ''],
      ['iam:PassRole', `arn:aws:iam::${ACCOUNT}:role/${role}`],
      ['lambda:InvokeFunction', arn('lambda', `function:${await functionName()}`)],
      ['lambda:UpdateFunctionCode', arn('lambda', `function:${await functionName()}`)],
      ['sts:AssumeRole', `arn:aws:iam::${ACCOUNT}:role/Admin`],
      ['logs:DeleteLogGroup', implied()[2]?.resource.replace(/:\*$/, '') ?? ''],
    ];
    const rows: string[] = [];
    for (const [action, resource] of forbidden) {
      rows.push(
        `${(await isAllowed(role, policies, action, resource)) ? 'ALLOWED' : 'refused'}  ${action.padEnd(30)} ${resource}`,
      );
    }
    console.log(`Calls that must be refused:\n${rows.join('\n')}`);
    expect(rows.filter((row) => row.startsWith('ALLOWED'))).toEqual([]);
  });
});

describe('another deployment', () => {
  it('without changes shows no difference', async () => {
    const { code, output } = await deployment.cloud.cdk(['diff', '--fail'], deployment.settingsFile);
    expect(output).toContain('There were no differences');
    expect(code).toBe(0);
  });

  it('with other settings updates in place', async () => {
    const before = await deployment.outputs();
    await deployment.writeSettings({ errorThreshold: 10 });
    await must(deployment.cloud.cdk(['deploy', '--require-approval', 'never'], deployment.settingsFile));
    expect(await deployment.outputs()).toEqual(before);
    const plan = JSON.parse(
      await must(deployment.cloud.guard(['plan', '--json', '--stack', STACK, '--project', 'production'])),
    ) as { decisions: { figures: { errorThreshold: number } | null }[] };
    expect(plan.decisions.find(({ figures }) => figures !== null)?.figures?.errorThreshold).toBe(10);
    deployment.sandbox.production.patch('good-1', {
      delivery_error_count: 12,
      last_delivery_at: '2026-01-01T00:00:00Z',
    });
    await invoke({ project: 'production' });
    expect(deployment.sandbox.production.get('good-1')?.active).toBe(0);
  });

  it('has a template that passes cfn-lint', async () => {
    const synthesized = await must(deployment.cloud.cdk(['synth'], deployment.settingsFile));
    expect(synthesized).toContain('Resources:');
    expect(
      await deployment.cloud.python('cfn-lint', ['--non-zero-exit-code', 'error', deployment.cloud.template(STACK)]),
    ).toMatchObject({ code: 0 });
  });

  it('has a template in which checkov finds only accepted issues', async () => {
    const { refused, accepted } = await checkPolicies(deployment.cloud, deployment.cloud.template(STACK));
    expect(refused).toEqual([]);
    expect([...accepted].sort()).toEqual(Object.keys(ACCEPTED).sort());
  });

  it('passes both checks with chat channels, which the emulator lacks', async () => {
    const file = join(deployment.cloud.folder, 'chat.json');
    const slack = { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' };
    const teams = {
      tenantId: '0f1e2d3c-0000-4000-8000-000000000001',
      teamId: '0f1e2d3c-0000-4000-8000-000000000002',
      channelId: '19%3aabc%40thread.tacv2',
    };
    const subscriptions = [{ slack }, { teams }];
    await writeFile(file, JSON.stringify({ projects: { production: { secretName: 'x' } }, alerts: { subscriptions } }));
    await must(deployment.cloud.cdk(['synth', '-c', 'stackName=WithChat'], file));
    expect(
      await deployment.cloud.python('cfn-lint', [
        '--non-zero-exit-code',
        'error',
        deployment.cloud.template('WithChat'),
      ]),
    ).toMatchObject({ code: 0 });
    expect((await checkPolicies(deployment.cloud, deployment.cloud.template('WithChat'))).refused).toEqual([]);
  });

  it('keeps the ledger, the key and the secrets when the stack is destroyed and deployed again', async () => {
    const ledger = (await deployment.outputs()).LedgerTableName ?? '';
    const role =
      (
        await deployment.clients.lambda.send(
          new GetFunctionConfigurationCommand({ FunctionName: await functionName() }),
        )
      ).Role ?? '';
    await must(deployment.cloud.cdk(['destroy', '--force'], deployment.settingsFile));
    await expect(deployment.outputs()).rejects.toThrow(/does not exist/);

    const { clients } = deployment;
    expect((await clients.dynamodb.send(new ListTablesCommand({}))).TableNames).toEqual([ledger]);
    expect((await clients.lambda.send(new ListFunctionsCommand({}))).Functions).toEqual([]);
    expect((await clients.sns.send(new ListTopicsCommand({}))).Topics ?? []).toEqual([]);
    expect(
      ((await clients.sqs.send(new ListQueuesCommand({}))).QueueUrls ?? []).map((url) => url.split('/').at(-1)).sort(),
    ).toEqual(['guard-digests', 'guard-events']);
    const { SecretList = [] } = await clients.secrets.send(new ListSecretsCommand({}));
    expect(SecretList.map(({ Name }) => Name).sort()).toEqual(['qonversion/production', 'qonversion/staging']);
    await expect(
      clients.iam.send(new GetRoleCommand({ RoleName: role.split('/').at(-1) ?? '' })),
    ).rejects.toMatchObject({
      name: 'NoSuchEntityException',
    });

    await must(deployment.cloud.cdk(['deploy', '--require-approval', 'never'], deployment.settingsFile));
    // The new stack has adopted the secret, which still holds the key.
    await must(deployment.cloud.guard(['plan', '--stack', STACK, '--project', 'production']));
  });
});
