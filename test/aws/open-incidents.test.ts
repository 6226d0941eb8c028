import { SNSClient } from '@aws-sdk/client-sns';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSnsAlertSink, releaseAlerts, type SnsAlertSinkOptions } from '../../functions/aws/alerts.ts';
import { incidentAudience } from '../../functions/aws/audiences.ts';
import type { IncidentTool } from '../../functions/aws/environment.ts';
import { createDynamoOpenIncidents } from '../../functions/aws/open-incidents.ts';
import { createDynamoSpool } from '../../functions/aws/spool.ts';
import { makeEvent } from '../../functions/guard/model/event.ts';
import type { EventType } from '../../functions/guard/model/event-catalogue.ts';
import { RUN } from '../../functions/guard/settings/people.ts';
import { withIncident } from '../messages/events.ts';
import { CREDENTIALS, type DynamoEmulator, LEDGER_TABLE, startDynamo, startSns } from '../support/aws-emulators.ts';
import { aFailingRecord, NOON } from '../support/builders.ts';
import { createTestClock } from '../support/memory-ports.ts';
import { sinkOptions } from '../support/sns-sink.ts';

/** Incidents of a fleet: a run's events reach each tool in order, and what fails in many projects as one incident. */

let dynamo: DynamoEmulator;
let sns: FauxqsServer;
let client: SNSClient;
let count = 0;
const clock = createTestClock();

beforeAll(async () => {
  [dynamo, sns] = await Promise.all([startDynamo(), startSns()]);
  client = new SNSClient({ ...CREDENTIALS, endpoint: sns.address });
});

afterAll(async () => {
  client.destroy();
  await Promise.all([dynamo.stop(), sns.stop()]);
});

beforeEach(() => {
  clock.set(NOON);
  count += 1;
});

interface Message {
  readonly event_action: string;
  readonly dedup_key: string;
  readonly payload: { readonly summary: string };
}

/** A fleet with one tool. `refuse` makes its queue refuse messages. */
function aFleet(about: Partial<IncidentTool> = {}) {
  const tool: IncidentTool = {
    queueUrl: `https://sqs.example.com/incidents-${count}.fifo`,
    tool: 'pagerduty',
    minSeverity: 'info',
    projects: null,
    ...about,
  };
  const sent: Message[] = [];
  const state = { refuses: false };
  const options: SnsAlertSinkOptions = {
    ...sinkOptions(),
    client,
    topicArn: sns.createTopic(`alerts-${count}`).topicArn,
    clock,
    isOfFleet: (project) => project !== 'listed',
    incidentTools: [tool],
    spool: createDynamoSpool(dynamo.client, LEDGER_TABLE, clock),
    openIncidents: createDynamoOpenIncidents(dynamo.client, LEDGER_TABLE),
    sendIncidents: async (_tool, messages) => {
      if (state.refuses) return new Set();
      sent.push(...messages.map(({ body }) => JSON.parse(body) as Message));
      return new Set(messages.map(({ id }) => id));
    },
  };
  const sink = createSnsAlertSink(options);
  return {
    sent,
    state,
    run: async (type: EventType, projects: readonly string[], episode = NOON) => {
      clock.advance(5);
      const time = clock.now().toISOString();
      for (const project of projects) {
        const record = aFailingRecord(61, 48, { id: `${project}-1`, integration: 'Amplitude' });
        const about = type.startsWith('guard.') ? {} : { record };
        const event = withIncident(
          makeEvent({ type, project, time, episode, reason: 'Qonversion answers 503', ...about }),
        );
        const accepted = await sink.publish(project, [event], incidentAudience(tool));
        expect(accepted).toEqual(new Set([event.id]));
      }
      return releaseAlerts(options, RUN, { projectsInFleet: 50 });
    },
  };
}

const customers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `customer-${from + index}`);

describe('the incidents of a fleet', () => {
  it('are one if everything fails: opened once, and closed when it works again everywhere', async () => {
    const { run, sent } = aFleet();
    expect(await run('guard.failing', customers(0, 50))).toBe(0);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({
      event_action: 'trigger',
      dedup_key: expect.stringContaining('provider:Qonversion'),
    });
    expect(sent[0]?.payload.summary).toMatch(
      /^Qonversion fails in 50 of 50 projects of the fleet at once: customer-0, /,
    );
    await run('guard.recovered', customers(0, 50));
    expect(sent.slice(1)).toMatchObject([{ event_action: 'resolve', dedup_key: sent[0]?.dedup_key }]);
  });

  it('are each their own if few projects fail', async () => {
    const { run, sent } = aFleet();
    await run('integration.paused', customers(0, 2));
    const summaries = sent.map(({ payload }) => payload.summary);
    expect(summaries.toSorted()).toEqual(['customer-0: Amplitude iOS paused', 'customer-1: Amplitude iOS paused']);
    await run('integration.recovered', ['customer-1']);
    const opened = sent[summaries.indexOf('customer-1: Amplitude iOS paused')];
    expect(sent.slice(2)).toMatchObject([{ event_action: 'resolve', dedup_key: opened?.dedup_key }]);
  });

  it('of listed projects, and those for people who name projects, are sent at once', async () => {
    const named = aFleet({ projects: ['acme'] });
    await named.run('integration.paused', ['acme', 'other']);
    expect(named.sent.map(({ payload }) => payload.summary)).toEqual(['acme: Amplitude iOS paused']);
    count += 1;
    const listed = aFleet();
    await listed.run('integration.paused', ['listed']);
    expect(listed.sent).toHaveLength(1);
  });

  it('wait if the queue refuses them, and are complete afterwards', async () => {
    const { run, sent, state } = aFleet();
    state.refuses = true;
    expect(await run('integration.paused', customers(0, 50))).toBe(50);
    expect(sent).toEqual([]);
    state.refuses = false;
    expect(await run('integration.paused', customers(50, 52))).toBe(0);
    const opened = sent.filter(({ event_action }) => event_action === 'trigger');
    expect(new Set(opened.map(({ dedup_key }) => dedup_key)).size).toBe(1);
    await run('integration.recovered', customers(0, 52));
    expect(sent.at(-1)).toMatchObject({ event_action: 'resolve', dedup_key: opened[0]?.dedup_key });
  });

  it('less severe than the tool wants are not opened', async () => {
    const { run, sent } = aFleet({ minSeverity: 'critical' });
    await run('integration.failing', customers(0, 50));
    expect(sent).toEqual([]);
  });

  it('do not block a tool that no longer wants some of them', async () => {
    await aFleet().run('integration.failing', customers(0, 50));
    // The same tool after a change of the settings: the two that are left are not severe enough for it.
    const stricter = aFleet({ minSeverity: 'critical' });
    expect(await stricter.run('integration.recovered', customers(0, 48))).toBe(0);
    expect(stricter.sent.at(-1)).toMatchObject({
      event_action: 'resolve',
      dedup_key: expect.stringContaining('Amplitude'),
    });
  });
});
