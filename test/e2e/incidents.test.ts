import { ListStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import { DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseIncidentTools } from '../../functions/aws/environment.ts';
import { PRODUCTION_KEY } from '../../functions/sandbox/server.ts';
import { type PagerDuty, startPagerDuty } from '../support/pagerduty.ts';
import { createPipe, type Pipe, type PipeTemplate } from '../support/pipe.ts';
import { type Deployment, deploy, STACK, TWO_PROJECTS } from './deployment.ts';

/**
 * Deploys the app with PagerDuty as an incident tool, and follows an incident from a failing provider to a stand-in of the
 * Events API. The emulator runs everything up to the FIFO queue. A stand-in of the pipe posts from there.
 */

const ROUTING_KEY = '0123456789abcdef0123456789abcdef';

let deployment: Deployment;
let pagerDuty: PagerDuty;
let pipe: Pipe;
let queueUrl: string;
const digests: string[] = [];
const events: { type: string; data: { incident: { key: string } | null; integration: { id: string } | null } }[] = [];

beforeAll(async () => {
  pagerDuty = await startPagerDuty();
  deployment = await deploy({
    ...TWO_PROJECTS,
    // An integration that seems to alternate must deliver for an hour before it has recovered.
    settings: (about) => TWO_PROJECTS.settings({ ...about, policy: { ...about.policy, flapping: 'off' } }),
    incidentTools: [{ pagerduty: { routingKeySecret: 'pagerduty/guard' }, minSeverity: 'warning' }],
  });
  const { sandbox, outputs, clients, template } = deployment;
  for (const id of ['steady', 'broken', 'refused']) sandbox.production.add({ id, active: 1 });
  const SecretString = PRODUCTION_KEY;
  await clients.secrets.send(new PutSecretValueCommand({ SecretId: 'qonversion/production', SecretString }));
  const [tool] = parseIncidentTools((await outputs()).IncidentTools ?? '');
  queueUrl = tool?.queueUrl ?? '';
  pipe = createPipe(template as unknown as PipeTemplate, /pagerduty/, {
    client: clients.sqs,
    queueUrl,
    secrets: { 'pagerduty/guard': ROUTING_KEY },
    endpoint: pagerDuty.url,
  });
});

afterAll(async () => {
  await deployment?.stop();
  await pagerDuty?.stop();
});

/** A pass, and everything that it sends. */
async function pass(): Promise<void> {
  await deployment.invoke('PassFunctionName', { project: 'production' });
  for (const body of await deployment.receive(deployment.eventsQueue)) events.push(JSON.parse(body));
  digests.push(...(await deployment.receive(deployment.digestsQueue)));
}

/** Lets the pipe work until no message is visible. */
async function drain(): Promise<readonly string[]> {
  const outcomes: string[] = [];
  for (;;) {
    const outcome = await pipe.poll();
    if (outcome === null) return outcomes;
    outcomes.push(outcome);
  }
}

function fail(id: string, failures: number): void {
  deployment.sandbox.production.patch(id, {
    delivery_error_count: failures,
    last_delivery_at: new Date(Date.now() - 20 * 60_000).toISOString(),
    last_error_at: new Date().toISOString(),
    last_error_message: 'HTTP 401',
  });
}

const attributesOf = async (QueueUrl: string) =>
  (await deployment.clients.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes;

const keyOf = (id: string, type: string) =>
  events.find((event) => event.type === type && event.data.integration?.id === id)?.data.incident?.key;

const typesOf = (id: string) => events.filter(({ data }) => data.integration?.id === id).map(({ type }) => type);

const incidentsOf = (id: string) =>
  pagerDuty.incidents.filter(({ dedupKey }) => dedupKey.startsWith(`production/${id}/`));

describe('the deployed stack', () => {
  it('has the FIFO queue with its redrive policy, the dead-letter queue, and their alarms', async () => {
    expect(await attributesOf(queueUrl)).toMatchObject({
      FifoQueue: 'true',
      VisibilityTimeout: '60',
      RedrivePolicy: expect.stringMatching(/"maxReceiveCount": ?"?600/),
    });
    const { MetricAlarms = [] } = await deployment.clients.cloudwatch.send(new DescribeAlarmsCommand({}));
    const names = MetricAlarms.map(({ AlarmName }) => AlarmName ?? '');
    for (const part of ['IncidentDeadLetters', 'IncidentsDelayed'])
      expect(names.filter((name) => name.includes(part))).toHaveLength(1);
  });

  it('lacks only what the emulator does not have', async () => {
    const { StackResourceSummaries = [] } = await deployment.clients.cloudformation.send(
      new ListStackResourcesCommand({ StackName: STACK }),
    );
    const deployed = new Set(StackResourceSummaries.map(({ LogicalResourceId }) => LogicalResourceId));
    const missing = Object.entries(deployment.template?.Resources ?? {}).filter(([id]) => !deployed.has(id));
    const types = missing.map(([, { Type }]) => Type).filter((type) => type !== 'AWS::CDK::Metadata');
    expect(types.sort()).toEqual(['AWS::Events::ApiDestination', 'AWS::Events::Connection', 'AWS::Pipes::Pipe']);
  });
});

describe('a provider breaks', () => {
  it('one incident opens, with the key of the episode and the routing key', async () => {
    fail('broken', 30);
    await pass();
    expect(await drain()).toEqual(['delivered']);
    expect(incidentsOf('broken')).toMatchObject([
      { dedupKey: keyOf('broken', 'integration.failing'), state: 'triggered', severity: 'warning' },
    ]);
    expect(pagerDuty.accepted[0]).toMatchObject({ routing_key: ROUTING_KEY, event_action: 'trigger' });
  });

  it('further passes and failures do not open another one', async () => {
    await pass();
    deployment.sandbox.production.patch('broken', {
      delivery_error_count: 40,
      last_error_at: new Date().toISOString(),
    });
    await pass();
    await drain();
    expect(incidentsOf('broken')).toMatchObject([{ state: 'triggered', triggers: 1 }]);
  });

  it('it closes when deliveries succeed', async () => {
    deployment.sandbox.production.patch('broken', {
      delivery_error_count: 0,
      last_delivery_at: new Date().toISOString(),
    });
    await pass();
    await drain();
    expect(typesOf('broken')).toEqual(['integration.failing', 'integration.recovered']);
    expect(incidentsOf('broken')).toMatchObject([{ state: 'resolved', triggers: 1 }]);
    expect(keyOf('broken', 'integration.recovered')).toBe(keyOf('broken', 'integration.failing'));
  });
});

describe('PagerDuty refuses for good', () => {
  it('the incident ends in the dead-letter queue, and the mail arrives', async () => {
    pagerDuty.setRoutingKeys([]);
    // Three tries without waiting, in place of 600 in ten hours.
    const { RedrivePolicy = '{}' } = (await attributesOf(queueUrl)) ?? {};
    const policy = JSON.stringify({ ...(JSON.parse(RedrivePolicy) as object), maxReceiveCount: 3 });
    const Attributes = { VisibilityTimeout: '0', RedrivePolicy: policy };
    await deployment.clients.sqs.send(new SetQueueAttributesCommand({ QueueUrl: queueUrl, Attributes }));
    const mails = digests.length;
    fail('refused', 61);
    await pass();
    expect(digests.length).toBe(mails + 1);
    const outcomes = await drain();
    expect(outcomes.length).toBeGreaterThan(1);
    expect(new Set(outcomes)).toEqual(new Set(['refused']));
    const dead = await attributesOf((await deployment.outputs()).IncidentDeadLetterQueueUrl ?? '');
    expect(dead?.ApproximateNumberOfMessages).toBe('1');
    expect(incidentsOf('refused')).toEqual([]);
  });

  it('and the doctor reports it', async () => {
    const { output } = await deployment.cloud.guard(['doctor', '--stack', STACK]);
    expect(output).toContain('1 message could not be delivered to an incident tool');
  });
});
