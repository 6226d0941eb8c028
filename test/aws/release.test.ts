import { SNSClient } from '@aws-sdk/client-sns';
import type { FauxqsServer } from 'fauxqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSnsAlertSink, releaseAlerts, type SnsAlertSinkOptions } from '../../functions/aws/alerts.ts';
import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import type { EventType } from '../../functions/guard/model/event-catalogue.ts';
import { groupPeople, RUN } from '../../functions/guard/settings/people.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { CREDENTIALS, startSns } from '../support/aws-emulators.ts';
import { aFailingRecord, NOON } from '../support/builders.ts';
import { createTestClock } from '../support/memory-ports.ts';
import { createMemorySpool, sinkOptions } from '../support/sns-sink.ts';

/** Alerts of a fleet are sent together at the end of a run, and those of quiet hours when these end. */

let sns: FauxqsServer;
let client: SNSClient;
let count = 0;
const clock = createTestClock();

beforeAll(async () => {
  sns = await startSns();
  client = new SNSClient({ ...CREDENTIALS, endpoint: sns.address });
});

afterAll(async () => {
  client.destroy();
  await sns.stop();
});

beforeEach(() => {
  clock.set(NOON);
  count += 1;
});

const SETTINGS = { projects: { listed: { secretName: 'x' } }, fleet: { secretNamePrefix: 'q/' } };

/** A guard with a fleet, and the messages that each kind of subscriber gets. */
function guard(subscriptions: readonly object[], more: Partial<SnsAlertSinkOptions> = {}) {
  const { topicArn } = sns.createTopic(`alerts-${count}`);
  const { alerts } = parseSettings({ ...SETTINGS, alerts: { subscriptions } });
  const options: SnsAlertSinkOptions = {
    ...sinkOptions(),
    client,
    topicArn,
    clock,
    people: groupPeople(alerts.subscriptions),
    isOfFleet: (project) => project !== 'listed',
    ...more,
  };
  const sink = createSnsAlertSink(options);
  const queues = ['event', ...options.people.map(({ kind }) => kind)].map((kind, index) => {
    const queue = `q-${count}-${index}`;
    sns.createQueue(queue);
    const FilterPolicy = JSON.stringify({ kind: [kind] });
    sns.subscribe({ topic: `alerts-${count}`, queue, attributes: { RawMessageDelivery: 'true', FilterPolicy } });
    return [kind, () => (sns.inspectQueue(queue)?.messages.ready ?? []).map(({ body }) => body)] as const;
  });
  const received = new Map(queues);
  return {
    options,
    alert: async (project: string, ...types: readonly EventType[]) => {
      const events = types.map((type, index) => anAlert(project, type, `i${index}`));
      for (const audience of sink.audiences) {
        const accepted = await sink.publish(project, events, audience);
        expect(accepted, audience).toEqual(new Set(events.map(({ id }) => id)));
      }
    },
    messages: (kind: string) => received.get(kind)?.() ?? [],
  };
}

function anAlert(project: string, type: EventType, id: string): GuardEvent {
  const time = clock.now().toISOString();
  return makeEvent({
    type,
    project,
    time,
    episode: time,
    reason: '61 failures',
    ...(type.startsWith('guard.') ? {} : { record: aFailingRecord(61, 48, { id, integration: 'Amplitude' }) }),
  });
}

const MAIL = { email: 'ops@example.com' };

describe('the alerts of a run over a fleet', () => {
  it('are one mail for all projects, and one message per event for machines', async () => {
    const { alert, messages, options } = guard([MAIL]);
    for (let index = 0; index < 50; index += 1) await alert(`customer-${index}`, 'guard.failing');
    expect(messages('digest')).toEqual([]);
    expect(messages('event')).toHaveLength(50);
    expect(await releaseAlerts(options, RUN, { projectsInFleet: 1_000 })).toBe(0);
    const [mail, ...others] = messages('digest');
    expect(others).toEqual([]);
    expect(mail).toContain('THE GUARD CANNOT RUN in 50 of 1,000 projects');
    await releaseAlerts(options, RUN, { projectsInFleet: 1_000 });
    expect(messages('digest')).toHaveLength(1);
  });

  it('of one project are the mail of that project', async () => {
    const { alert, messages, options } = guard([MAIL]);
    await alert('acme', 'integration.paused');
    await releaseAlerts(options, RUN, { projectsInFleet: 50 });
    expect(messages('digest')).toEqual([expect.stringContaining('project acme')]);
  });

  it('are sent at once to those who name projects, one mail for each', async () => {
    const { alert, messages, options } = guard([MAIL, { email: 'acme@example.com', projects: ['acme', 'listed'] }]);
    await alert('acme', 'integration.paused');
    await alert('other', 'integration.paused');
    await alert('listed', 'integration.paused');
    const own = messages('project-digest');
    expect(own.map((mail) => /project (\w+)/.exec(mail)?.[1])).toEqual(['acme', 'listed']);
    // Listed projects have no run.
    expect(messages('digest')).toEqual([expect.stringContaining('project listed')]);
    await releaseAlerts(options, RUN, { projectsInFleet: 50 });
    expect(messages('project-digest')).toHaveLength(2);
    expect(messages('digest')).toEqual([
      expect.stringContaining('project listed'),
      expect.stringContaining('PAUSED: 2 Amplitude iOS integrations in 2 of 50 projects'),
    ]);
  });

  it('go to each chat channel as one notification', async () => {
    const chat = sns.createTopic(`chat-${count}`).topicArn;
    sns.createQueue(`chat-${count}`);
    sns.subscribe({ topic: `chat-${count}`, queue: `chat-${count}`, attributes: { RawMessageDelivery: 'true' } });
    const { alert, options } = guard([MAIL], {
      chatTopics: [{ topicArn: chat, minSeverity: 'critical', projects: null }],
    });
    for (const project of ['a', 'b', 'c']) await alert(project, 'integration.paused', 'integration.failing');
    await releaseAlerts(options, RUN, { projectsInFleet: 3 });
    const said = (sns.inspectQueue(`chat-${count}`)?.messages.ready ?? []).map(({ body }) => JSON.parse(body));
    expect(said).toHaveLength(1);
    expect(said[0].content.title).toContain('3 Amplitude iOS integrations paused in 3 of 3 projects');
    expect(JSON.stringify(said)).not.toContain('failing');
  });

  it('that are young belong to a run that has not ended, so the beginning of the next one leaves them', async () => {
    const { alert, messages, options } = guard([MAIL]);
    await alert('left', 'integration.paused');
    clock.advance(14);
    await alert('running', 'integration.paused');
    await releaseAlerts(options, RUN, { olderThanMinutes: 15 });
    expect(messages('digest')).toEqual([]);
    clock.advance(2);
    await releaseAlerts(options, RUN, { olderThanMinutes: 15 });
    expect(messages('digest')).toEqual([expect.stringContaining('project left')]);
    await releaseAlerts(options, RUN, { projectsInFleet: 2 });
    expect(messages('digest')).toHaveLength(2);
  });

  it('wait for the next run if SNS refuses them', async () => {
    const spool = createMemorySpool();
    const { alert, options } = guard([MAIL], { spool });
    await alert('acme', 'integration.paused');
    const refusing = { ...options, topicArn: 'arn:aws:sns:us-east-1:000000000000:gone' };
    expect(await releaseAlerts(refusing, RUN, { projectsInFleet: 1 })).toBe(1);
    expect(await releaseAlerts(options, RUN, { projectsInFleet: 1 })).toBe(0);
  });

  it('are refused as long as the spool cannot store them, so that the outbox keeps them', async () => {
    const spool = { ...createMemorySpool(), add: () => Promise.reject(new Error('throttled')) };
    const { options } = guard([MAIL], { spool });
    const event = anAlert('acme', 'integration.paused', 'a');
    expect(await createSnsAlertSink(options).publish('acme', [event], 'people')).toEqual(new Set());
  });
});

describe('quiet hours', () => {
  const NIGHT = { from: '22:00', to: '07:00', timeZone: 'UTC' };
  const RELEASE = '22:00-07:00 UTC';
  const KIND = `digest ${RELEASE}`;
  const SLEEPER = { email: 'sleeper@example.com', quietHours: NIGHT };

  it('delay warnings to their end, and never critical alerts', async () => {
    const { alert, messages, options } = guard([MAIL, SLEEPER]);
    clock.set('2026-11-23T23:00:00.000Z');
    await alert('listed', 'integration.paused', 'integration.failing', 'integration.recovered');
    const [critical, ...others] = messages(KIND);
    expect(others).toEqual([]);
    expect(critical).toContain('PAUSED');
    expect(critical).not.toMatch(/FAILING|RECOVERED/);
    // Others are not affected.
    expect(messages('digest')).toEqual([expect.stringMatching(/PAUSED[\s\S]*FAILING[\s\S]*RECOVERED/)]);

    clock.set('2026-11-24T03:00:00.000Z');
    await releaseAlerts(options, RELEASE);
    expect(messages(KIND)).toHaveLength(1);
    await alert('listed', 'integration.flapping');
    clock.set('2026-11-24T07:00:00.000Z');
    await releaseAlerts(options, RELEASE);
    expect(messages(KIND)).toEqual([critical, expect.stringMatching(/FAILING[\s\S]*FLAPPING[\s\S]*RECOVERED/)]);
    await releaseAlerts(options, RELEASE);
    expect(messages(KIND)).toHaveLength(2);
  });

  it('delay nothing by day', async () => {
    const { alert, messages } = guard([SLEEPER]);
    await alert('listed', 'integration.failing');
    expect(messages(KIND)).toHaveLength(1);
  });

  it('delay the alerts of a fleet too, and its critical ones come at the end of the run', async () => {
    const { alert, messages, options } = guard([SLEEPER]);
    clock.set('2026-11-23T23:00:00.000Z');
    for (const project of ['a', 'b']) await alert(project, 'integration.paused', 'integration.failing');
    expect(messages(KIND)).toEqual([]);
    await releaseAlerts(options, RUN, { projectsInFleet: 2 });
    expect(messages(KIND)).toEqual([expect.stringContaining('PAUSED')]);
    clock.set('2026-11-24T08:00:00.000Z');
    await releaseAlerts(options, RELEASE);
    expect(messages(KIND)).toEqual([expect.anything(), expect.stringContaining('FAILING')]);
  });

  it('of people who name projects end with one mail for each project', async () => {
    const { alert, messages, options } = guard([{ ...SLEEPER, projects: ['acme', 'listed'] }]);
    clock.set('2026-11-23T23:00:00.000Z');
    await alert('acme', 'integration.failing');
    await alert('listed', 'integration.failing');
    clock.set('2026-11-24T08:00:00.000Z');
    await releaseAlerts(options, RELEASE);
    expect(messages(`project-${KIND}`).map((mail) => /project (\w+)/.exec(mail)?.[1])).toEqual(['acme', 'listed']);
  });
});

describe('the daily summary only', () => {
  it('leaves out every other alert', async () => {
    const { alert, messages } = guard([MAIL, { email: 'boss@example.com', only: 'daily-summary' }]);
    await alert('listed', 'integration.paused', 'guard.failing');
    expect(messages('daily-summary')).toEqual([]);
    await alert('listed', 'integration.still-down', 'integration.failing');
    const [summary = '', ...others] = messages('daily-summary');
    expect(others).toEqual([]);
    expect(summary).toContain('STILL DOWN');
    expect(summary).not.toContain('FAILING');
    expect(messages('digest')).toHaveLength(2);
  });
});
