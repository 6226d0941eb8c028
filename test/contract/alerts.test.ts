import { SNSClient } from '@aws-sdk/client-sns';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSnsAlertSink } from '../../functions/aws/alerts.ts';
import { audiencesOf, chatAudience } from '../../functions/aws/audiences.ts';
import type { ChatTopic } from '../../functions/aws/environment.ts';
import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import type { EventType } from '../../functions/guard/model/event-catalogue.ts';
import { type AlertSink, type Audience, MACHINES, PEOPLE } from '../../functions/guard/ports.ts';
import { groupPeople } from '../../functions/guard/settings/people.ts';
import { createTerminalAlertSink } from '../../functions/local/alerts.ts';
import type { ChatNotification } from '../../functions/messages/chat.ts';
import { CREDENTIALS, startSns } from '../support/aws-emulators.ts';
import { aFailingRecord, NOON } from '../support/builders.ts';
import { createMemoryAlerts } from '../support/memory-ports.ts';
import { sinkOptions } from '../support/sns-sink.ts';

/** The contract of every alert sink, and the behaviour of the sink on SNS. */

let sns: FauxqsServer;
let client: SNSClient;

beforeAll(async () => {
  sns = await startSns();
  client = new SNSClient({ ...CREDENTIALS, endpoint: sns.address });
});

afterAll(async () => {
  client.destroy();
  await sns.stop();
});

function anEvent(id: string, type: EventType = 'integration.paused'): GuardEvent {
  const record = aFailingRecord(61, 48, { id });
  return makeEvent({ type, project: 'production', time: NOON, episode: NOON, reason: '61 failures', record });
}

function topic(name: string): {
  readonly sink: AlertSink;
  readonly queue: (
    queue: string,
    filter: Record<string, string[]>,
  ) => () => readonly { body: string; attributes: Record<string, string> }[];
} {
  const { topicArn } = sns.createTopic(name);
  return {
    sink: createSnsAlertSink({
      ...sinkOptions(),
      client,
      topicArn,
    }),
    queue: (queue, filter) => {
      sns.createQueue(queue);
      sns.subscribe({
        topic: name,
        queue,
        attributes: { RawMessageDelivery: 'true', FilterPolicy: JSON.stringify(filter) },
      });
      return () =>
        (sns.inspectQueue(queue)?.messages.ready ?? []).map((message) => ({
          body: message.body,
          attributes: Object.fromEntries(
            Object.entries(message.messageAttributes).map(([key, value]) => [
              key,
              (value as { StringValue?: string }).StringValue ?? '',
            ]),
          ),
        }));
    },
  };
}

async function publishToAll(sink: AlertSink, project: string, events: readonly GuardEvent[]): Promise<void> {
  for (const audience of sink.audiences) await sink.publish(project, events, audience);
}

const implementations: readonly { readonly name: string; readonly create: () => AlertSink }[] = [
  { name: 'in memory', create: () => createMemoryAlerts() },
  { name: 'on the terminal', create: () => createTerminalAlertSink(() => undefined) },
  { name: 'on SNS', create: () => topic(`contract-${Math.random()}`.replace('.', '')).sink },
];

describe('a chat channel', () => {
  const CHAT = 'arn:aws:sns:us-east-1:000000000000:';

  function withChat(
    name: string,
    chat: Partial<ChatTopic>,
  ): { sink: AlertSink; audience: Audience; said: () => readonly ChatNotification[] } {
    const { topicArn } = sns.createTopic(`${name}-alerts`);
    const chatTopic = sns.createTopic(`${name}-chat`).topicArn;
    sns.createQueue(`${name}-said`);
    sns.subscribe({ topic: `${name}-chat`, queue: `${name}-said`, attributes: { RawMessageDelivery: 'true' } });
    const settings: ChatTopic = { topicArn: chatTopic, minSeverity: 'info', projects: null, ...chat };
    const sink = createSnsAlertSink({
      ...sinkOptions(),
      client,
      topicArn,
      chatTopics: [settings],
    });
    const said = () =>
      (sns.inspectQueue(`${name}-said`)?.messages.ready ?? []).map(({ body }) => JSON.parse(body) as ChatNotification);
    return { sink, audience: chatAudience(settings), said };
  }

  it('gets one notification per call, and nothing else', async () => {
    const { sink, audience, said } = withChat('one', {});
    await publishToAll(sink, 'production', [anEvent('a'), anEvent('b', 'integration.recovered')]);
    expect(sink.audiences).toEqual([MACHINES, PEOPLE, audience]);
    expect(said()).toMatchObject([{ version: '1.0', source: 'custom', metadata: { eventType: 'integration.paused' } }]);
  });

  it('gets the events that match its severity and its projects, and accepts the rest', async () => {
    const { sink, audience, said } = withChat('some', { minSeverity: 'critical', projects: ['production'] });
    const mild = anEvent('a', 'integration.recovered');
    const foreign = anEvent('b');
    expect(await sink.publish('production', [mild], audience)).toEqual(new Set([mild.id]));
    expect(await sink.publish('staging', [foreign], audience)).toEqual(new Set([foreign.id]));
    expect(said()).toEqual([]);
    const [another, severe] = [anEvent('c', 'integration.recovered'), anEvent('d')];
    expect(await sink.publish('production', [another, severe], audience)).toEqual(new Set([another.id, severe.id]));
    expect(said().map(({ content }) => content.description)).toEqual([expect.stringContaining('(d)')]);
    expect(said()[0]?.content.description).not.toContain('(c)');
  });

  it('does not get messages for machines or people', async () => {
    const { sink, said } = withChat('machines', {});
    await sink.publish('production', [anEvent('a', 'guard.failing')], MACHINES);
    await sink.publish('production', [anEvent('a', 'guard.failing')], PEOPLE);
    expect(said()).toEqual([]);
  });

  it('that is gone accepts nothing, and does not stop other audiences', async () => {
    const { sink, audience } = withChat('gone', { topicArn: `${CHAT}gone` });
    const event = anEvent('a');
    expect(await sink.publish('production', [event], audience)).toEqual(new Set());
    expect(await sink.publish('production', [event], PEOPLE)).toEqual(new Set([event.id]));
    expect(await sink.publish('production', [event], MACHINES)).toEqual(new Set([event.id]));
  });

  it('has a name that does not depend on the other channels', () => {
    const [first, second] = ['first', 'second'].map(
      (name): ChatTopic => ({ topicArn: `${CHAT}${name}`, minSeverity: 'info', projects: null }),
    );
    if (first === undefined || second === undefined) throw new Error('two topics');
    expect(audiencesOf({ people: groupPeople([]), chatTopics: [first, second], incidentTools: [] }).slice(2)).toEqual([
      chatAudience(first),
      chatAudience(second),
    ]);
    expect(audiencesOf({ people: groupPeople([]), chatTopics: [second], incidentTools: [] })).toEqual([
      MACHINES,
      PEOPLE,
      chatAudience(second),
    ]);
    expect(chatAudience(first)).not.toBe(chatAudience(second));
    expect(chatAudience({ ...first, minSeverity: 'critical' })).toBe(chatAudience(first));
  });
});

describe.each(implementations)('an alert sink $name', ({ create }) => {
  it('names its audiences, each once', () => {
    const { audiences } = create();
    expect(audiences.length).toBeGreaterThan(0);
    expect(new Set(audiences).size).toBe(audiences.length);
  });

  it('returns for each audience the IDs of the accepted events', async () => {
    const sink = create();
    const events = Array.from({ length: 23 }, (_, index) => anEvent(`i${index}`));
    for (const audience of sink.audiences) {
      const accepted = await sink.publish('production', events, audience);
      expect([...accepted].sort()).toEqual(events.map(({ id }) => id).sort());
    }
  });

  it('accepts nothing when there is nothing to publish', async () => {
    const sink = create();
    for (const audience of sink.audiences) expect(await sink.publish('production', [], audience)).toEqual(new Set());
  });

  it('accepts everything for an audience that is gone, because there is no one left to alert', async () => {
    const event = anEvent('a');
    expect(await create().publish('production', [event], 'chat-000000000000')).toEqual(new Set([event.id]));
  });
});

describe('on SNS', () => {
  it('a queue gets one CloudEvent per event, with its attributes', async () => {
    const { sink, queue } = topic('one-per-event');
    const messages = queue('machines', { kind: ['event'] });
    const events = Array.from({ length: 12 }, (_, index) => anEvent(`i${index}`));
    await sink.publish('production', events, MACHINES);
    expect(messages()).toHaveLength(12);
    const [first] = messages();
    // For batches, the emulator does not choose among the protocols' bodies. SNS sends the default body to a queue.
    const { default: body } = JSON.parse(first?.body ?? '{}') as { default: string };
    expect(JSON.parse(body)).toMatchObject({
      specversion: '1.0',
      id: events[0]?.id,
      source: '/integration-guard/production',
      type: 'integration.paused',
      subject: 'i0',
      datacontenttype: 'application/json',
      data: { severity: 'critical', reason: '61 failures', integration: { id: 'i0', delivery_error_count: 61 } },
    });
    expect(first?.attributes).toEqual({
      kind: 'event',
      type: 'integration.paused',
      severity: 'critical',
      project: 'production',
      integration: 'Amplitude',
      target_platform: 'iOS',
    });
  });

  it('people get one digest per call, with any number of events', async () => {
    const { sink, queue } = topic('one-digest');
    const messages = queue('people', { kind: ['digest'] });
    await publishToAll(
      sink,
      'production',
      Array.from({ length: 12 }, (_, index) => anEvent(`i${index}`)),
    );
    expect(messages()).toHaveLength(1);
    expect(messages()[0]?.body).toContain(
      'npx integration-guard resume i9 --project production --stack IntegrationGuard',
    );
    expect(messages()[0]?.body).toContain('(i11)');
    expect(messages()[0]?.attributes).toEqual({ kind: 'digest', severity: 'critical', project: 'production' });
  });

  it('filters by severity and project as subscriptions from the settings do', async () => {
    const { sink, queue } = topic('filters');
    const critical = queue('critical', { kind: ['digest'], severity: ['critical'] });
    const other = queue('other', { kind: ['event'], project: ['other'] });
    await publishToAll(sink, 'production', [anEvent('a', 'integration.recovered')]);
    expect(critical()).toHaveLength(0);
    await publishToAll(sink, 'production', [anEvent('b', 'integration.suspended')]);
    expect(critical()).toHaveLength(1);
    expect(other()).toHaveLength(0);
  });

  it('people get no messages for machines', async () => {
    const { sink, queue } = topic('machines-only');
    const digests = queue('digests', { kind: ['digest'] });
    await sink.publish('production', [anEvent('a')], MACHINES);
    expect(digests()).toHaveLength(0);
  });

  /** A client that removes an entry from every batch and reports it as refused, as SNS does under load. */
  function refusing(id: string, times: number, senderFault = false): SNSClient {
    const faulty = new SNSClient({ ...CREDENTIALS, endpoint: sns.address });
    let left = times;
    faulty.middlewareStack.add(
      (next) => async (args) => {
        const input = args.input as { PublishBatchRequestEntries?: { Id: string }[] };
        const entries = input.PublishBatchRequestEntries;
        if (left === 0 || !entries?.some(({ Id }) => Id === id)) return next(args);
        left -= 1;
        const result = await next({
          ...args,
          input: { ...args.input, PublishBatchRequestEntries: entries.filter(({ Id }) => Id !== id) },
        });
        const output = result.output as { Failed?: unknown[] };
        output.Failed = [{ Id: id, Code: 'InternalError', SenderFault: senderFault }];
        return result;
      },
      { step: 'initialize' },
    );
    return faulty;
  }

  it('sends a refused entry again', async () => {
    const { topicArn } = sns.createTopic('refused-once');
    const events = Array.from({ length: 10 }, (_, index) => anEvent(`i${index}`));
    const faulty = refusing(events[4]?.id ?? '', 1);
    const sink = createSnsAlertSink({
      ...sinkOptions(),
      client: faulty,
      topicArn,
    });
    expect((await sink.publish('production', events, MACHINES)).size).toBe(10);
    faulty.destroy();
  });

  it('leaves an entry that stays refused to the next pass, and still alerts people about it', async () => {
    const { topicArn } = sns.createTopic('refused');
    const events = Array.from({ length: 10 }, (_, index) => anEvent(`i${index}`));
    const faulty = refusing(events[4]?.id ?? '', 99);
    const sink = createSnsAlertSink({
      ...sinkOptions(),
      client: faulty,
      topicArn,
    });
    const accepted = await sink.publish('production', events, MACHINES);
    expect(accepted.size).toBe(9);
    expect(accepted.has(events[4]?.id ?? '')).toBe(false);
    expect((await sink.publish('production', events, PEOPLE)).size).toBe(10);
    faulty.destroy();
  });

  it('accepts nothing when SNS cannot be reached', async () => {
    const gone = new SNSClient({ ...CREDENTIALS, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 });
    const sink = createSnsAlertSink({
      ...sinkOptions(),
      client: gone,
      topicArn: 'arn:aws:sns:us-east-1:000000000000:x',
    });
    for (const audience of sink.audiences)
      expect(await sink.publish('production', [anEvent('a')], audience)).toEqual(new Set());
  });
});
