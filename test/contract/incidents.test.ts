import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { SNSClient } from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueAttributesCommand, type QueueAttributeName, SQSClient } from '@aws-sdk/client-sqs';
import { Template } from 'aws-cdk-lib/assertions';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSnsAlertSink } from '../../functions/aws/alerts.ts';
import { incidentAudience } from '../../functions/aws/audiences.ts';
import type { IncidentTool } from '../../functions/aws/environment.ts';
import { sendIncidents } from '../../functions/aws/incident-queue.ts';
import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import type { EventType } from '../../functions/guard/model/event-catalogue.ts';
import { PEOPLE } from '../../functions/guard/ports.ts';
import { incidentOf } from '../../functions/messages/cloud-event.ts';
import { createStack } from '../infra/synthesize.ts';
import { withIncident } from '../messages/events.ts';
import { CREDENTIALS, startSns } from '../support/aws-emulators.ts';
import { aFailingRecord, minutesAfter, NOON } from '../support/builders.ts';
import { close, listen } from '../support/loopback.ts';
import { silentLog } from '../support/memory-ports.ts';
import { type PagerDuty, startPagerDuty } from '../support/pagerduty.ts';
import { createPipe, type Pipe, type PipeTemplate } from '../support/pipe.ts';
import { sinkOptions } from '../support/sns-sink.ts';

/** From an event to an incident in PagerDuty: through a FIFO queue, and through the pipe as the template describes it. */

const ROUTING_KEY = '0123456789abcdef0123456789abcdef';

/** As many as SQS allows in the template, and few enough for a test. */
const TRIES = 3;

const template: PipeTemplate = Template.fromStack(
  createStack({
    projects: { production: { secretName: 'qonversion/production' }, staging: { secretName: 'qonversion/staging' } },
    alerts: {
      subscriptions: [
        { pagerduty: { routingKeySecret: 'pagerduty/guard' } },
        { webhook: { url: 'https://api.example.com/alerts', headerSecret: 'oncall/header' } },
      ],
    },
  }).stack,
).toJSON() as PipeTemplate;

let aws: FauxqsServer;
let sns: SNSClient;
let sqs: SQSClient;
let pagerDuty: PagerDuty;
let count = 0;

beforeAll(async () => {
  aws = await startSns();
  sns = new SNSClient({ ...CREDENTIALS, endpoint: aws.address });
  sqs = new SQSClient({ ...CREDENTIALS, endpoint: aws.address, useQueueUrlAsEndpoint: false });
});

afterAll(async () => {
  sns.destroy();
  sqs.destroy();
  await aws.stop();
});

beforeEach(async () => {
  pagerDuty = await startPagerDuty();
});

afterEach(() => pagerDuty.stop());

/** A guard with one tool, a mail topic, and the pipe behind its queue. */
async function aGuard(kind: IncidentTool['tool'], filters: Partial<IncidentTool> = {}, endpoint = pagerDuty.url) {
  count += 1;
  const create = async (name: string, attributes: Partial<Record<QueueAttributeName, string>> = {}) => {
    const Attributes = { FifoQueue: 'true', ...attributes };
    const { QueueUrl = '' } = await sqs.send(
      new CreateQueueCommand({ QueueName: `${name}-${count}.fifo`, Attributes }),
    );
    const { Attributes: { QueueArn = '' } = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
    );
    return { QueueUrl, QueueArn };
  };
  const dead = await create('dead');
  const queue = await create('incidents', {
    // The pipe polls as soon as a test says so.
    VisibilityTimeout: '0',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.QueueArn, maxReceiveCount: TRIES }),
  });
  const tool: IncidentTool = { queueUrl: queue.QueueUrl, tool: kind, minSeverity: 'info', projects: null, ...filters };
  const { topicArn } = aws.createTopic(`alerts-${count}`);
  aws.createQueue(`mails-${count}`);
  aws.subscribe({
    topic: `alerts-${count}`,
    queue: `mails-${count}`,
    attributes: { RawMessageDelivery: 'true', FilterPolicy: '{"kind":["digest"]}' },
  });
  const sink = createSnsAlertSink({
    ...sinkOptions(),
    client: sns,
    topicArn,
    incidentTools: [tool],
    sendIncidents: (to, messages) => sendIncidents(sqs, to, messages, silentLog, 1),
  });
  const pipe = createPipe(template, new RegExp(`^GuardIncidents${kind}`), {
    client: sqs,
    queueUrl: queue.QueueUrl,
    secrets: { 'pagerduty/guard': ROUTING_KEY, 'oncall/header': 'Bearer of-good-news' },
    endpoint,
  });
  return {
    pipe,
    tool,
    sink,
    queue,
    publish: (events: readonly GuardEvent[], project = 'production') =>
      sink.publish(project, events, incidentAudience(tool)),
    mails: () => aws.inspectQueue(`mails-${count}`)?.messages.ready.length ?? 0,
    deadLetters: () => aws.inspectQueue(`dead-${count}.fifo`)?.messages.ready.length ?? 0,
    waiting: () => aws.inspectQueue(`incidents-${count}.fifo`)?.messages.ready.length ?? 0,
  };
}

/** Polls until no message is visible. */
async function drain(pipe: Pipe, most = 50): Promise<readonly string[]> {
  const outcomes: string[] = [];
  while (outcomes.length < most) {
    const outcome = await pipe.poll();
    if (outcome === null) return outcomes;
    outcomes.push(outcome);
  }
  throw new Error(`the queue is not empty after ${most} messages`);
}

function anEvent(type: EventType, id = 'i1', ordinal = 0): GuardEvent {
  const record = aFailingRecord(61, 48, { id });
  const time = minutesAfter(NOON, ordinal);
  return withIncident(
    makeEvent({ type, project: 'production', time, episode: NOON, ordinal, reason: '61 failures', record }),
  );
}

const KEY = incidentOf(anEvent('integration.paused'))?.key ?? '';

describe('an incident in PagerDuty', () => {
  it('opens and closes with the events of an episode, with the routing key of the connection', async () => {
    const { publish, pipe } = await aGuard('pagerduty');
    const events = [anEvent('integration.failing'), anEvent('integration.paused', 'i1', 1)];
    expect(await publish(events)).toEqual(new Set(events.map(({ id }) => id)));
    await drain(pipe);
    expect(pagerDuty.incidents).toMatchObject([{ dedupKey: KEY, state: 'triggered', triggers: 2 }]);
    await publish([anEvent('integration.recovered', 'i1', 2)]);
    await drain(pipe);
    expect(pagerDuty.incidents).toMatchObject([{ dedupKey: KEY, state: 'resolved' }]);
    expect(pagerDuty.accepted.map(({ routing_key }) => routing_key)).toEqual([ROUTING_KEY, ROUTING_KEY, ROUTING_KEY]);
  });

  it('is not opened twice when a pass publishes an event again', async () => {
    const { publish, pipe } = await aGuard('pagerduty');
    const event = anEvent('integration.paused');
    await publish([event]);
    await drain(pipe);
    await publish([event]);
    expect(await drain(pipe)).toEqual([]);
    expect(pagerDuty.incidents).toMatchObject([{ triggers: 1 }]);
  });

  it('closes even if PagerDuty refuses its beginning for a while: the order stays', async () => {
    const { publish, pipe } = await aGuard('pagerduty');
    await publish([anEvent('integration.paused'), anEvent('integration.paused', 'i2')]);
    await publish([anEvent('integration.recovered', 'i1', 1)]);
    pagerDuty.failNext(429, 500);
    expect((await drain(pipe)).filter((outcome) => outcome === 'refused')).toHaveLength(2);
    expect(pagerDuty.statuses.filter((status) => status === 202)).toHaveLength(3);
    expect(pagerDuty.incidents.find(({ dedupKey }) => dedupKey === KEY)).toMatchObject({
      state: 'resolved',
      triggers: 1,
    });
    const actions = pagerDuty.accepted.filter(({ dedup_key }) => dedup_key === KEY);
    expect(actions.map(({ event_action }) => event_action)).toEqual(['trigger', 'resolve']);
  });

  it('that a person has resolved is not opened by its end', async () => {
    const { publish, pipe } = await aGuard('pagerduty');
    await publish([anEvent('integration.paused')]);
    await drain(pipe);
    pagerDuty.act(KEY, 'resolve');
    await publish([anEvent('integration.recovered', 'i1', 1)]);
    await drain(pipe);
    expect(pagerDuty.incidents).toMatchObject([{ state: 'resolved' }]);
  });

  it('that PagerDuty refuses for good ends in the dead-letter queue, and mails are unaffected', async () => {
    const { publish, pipe, sink, deadLetters, waiting, mails } = await aGuard('pagerduty');
    pagerDuty.setRoutingKeys([]);
    const events = [anEvent('integration.paused'), anEvent('integration.paused', 'i2')];
    await publish(events);
    expect(await sink.publish('production', events, PEOPLE)).toEqual(new Set(events.map(({ id }) => id)));
    expect(await drain(pipe)).toEqual(Array.from({ length: 2 * TRIES }, () => 'refused'));
    expect({ dead: deadLetters(), waiting: waiting(), mails: mails() }).toEqual({ dead: 2, waiting: 0, mails: 1 });
    expect(pagerDuty.incidents).toEqual([]);
  });
});

describe('the filters of an incident tool', () => {
  it('leave out incidents that are not severe enough, and never the end of one', async () => {
    const { publish, pipe } = await aGuard('pagerduty', { minSeverity: 'critical' });
    const warning = anEvent('integration.failing');
    expect(await publish([warning])).toEqual(new Set([warning.id]));
    expect(await drain(pipe)).toEqual([]);
    await publish([anEvent('integration.paused', 'i1', 1), anEvent('integration.recovered', 'i1', 2)]);
    await drain(pipe);
    expect(pagerDuty.incidents).toMatchObject([{ severity: 'critical', state: 'resolved' }]);
  });

  it('leave out other projects, and events without an incident', async () => {
    const { publish, pipe } = await aGuard('pagerduty', { projects: ['staging'] });
    const paused = anEvent('integration.paused');
    expect(await publish([paused])).toEqual(new Set([paused.id]));
    const probing = anEvent('integration.probing');
    expect(await publish([probing], 'staging')).toEqual(new Set([probing.id]));
    expect(await drain(pipe)).toEqual([]);
  });
});

describe('a queue that does not exist', () => {
  it('keeps its incidents in the outbox, and no other audience waits', async () => {
    const { sink, tool, mails } = await aGuard('pagerduty');
    const gone = { ...tool, queueUrl: `${tool.queueUrl.replace('incidents', 'gone')}` };
    const events = [anEvent('integration.paused')];
    const send = (to: IncidentTool) => sendIncidents(sqs, to, [{ key: KEY, id: 'e', body: '{}' }], silentLog, 1);
    expect(await send(gone)).toEqual(new Set());
    await sink.publish('production', events, PEOPLE);
    expect(mails()).toBe(1);
    expect(incidentAudience(gone)).not.toBe(incidentAudience(tool));
  });
});

describe('a webhook', () => {
  it('gets the CloudEvent in structured mode, with the header of the connection', async () => {
    const requests: { headers: Record<string, string | string[] | undefined>; body: unknown }[] = [];
    const server = createServer(async (request, response) => {
      requests.push({ headers: request.headers, body: await json(request) });
      response.writeHead(202).end();
    });
    const { publish, pipe } = await aGuard('webhook', {}, await listen(server));
    await publish([anEvent('integration.paused')]);
    expect(await drain(pipe)).toEqual(['delivered']);
    await close(server);
    expect(requests).toMatchObject([
      {
        headers: {
          authorization: 'Bearer of-good-news',
          'content-type': 'application/cloudevents+json; charset=UTF-8',
        },
        body: { specversion: '1.0', data: { incident: { key: KEY, action: 'trigger', severity: 'critical' } } },
      },
    ]);
    expect(requests[0]?.body).not.toHaveProperty('routing_key');
  });
});

describe('the stand-in of the Events API', () => {
  const event = {
    routing_key: ROUTING_KEY,
    event_action: 'trigger',
    dedup_key: 'k',
    payload: { summary: 'down', source: 'guard', severity: 'critical' },
  };
  const post = (body: unknown) => fetch(pagerDuty.url, { method: 'POST', body: JSON.stringify(body) });

  it.each<[string, object, string]>([
    ['a missing routing key', { routing_key: undefined }, "'routing_key' is missing or blank"],
    ['a resolve without a key', { event_action: 'resolve', dedup_key: undefined }, "'dedup_key' is missing or blank"],
    ['an action that is none', { event_action: 'close' }, "'event_action' must be one of"],
    ['a key that is too long', { dedup_key: 'k'.repeat(256) }, "'dedup_key' is too long"],
    [
      'a severity that is none',
      { payload: { ...event.payload, severity: 'high' } },
      "'payload.severity' must be one of",
    ],
    ['a long summary', { payload: { ...event.payload, summary: 's'.repeat(1_025) } }, "'payload.summary' is too long"],
  ])('refuses %s', async (_, change, error) => {
    const response = await post({ ...event, ...change });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      status: 'invalid event',
      message: 'Event object is invalid',
      errors: [expect.stringContaining(error)],
    });
  });

  it('opens another incident after a resolve, and drops a resolve without an open one', async () => {
    const resolve = { routing_key: ROUTING_KEY, event_action: 'resolve', dedup_key: 'k' };
    for (const body of [resolve, event, event, resolve, resolve, event]) expect((await post(body)).status).toBe(202);
    expect(pagerDuty.incidents).toMatchObject([
      { state: 'resolved', triggers: 2 },
      { state: 'triggered', triggers: 1 },
    ]);
  });
});
