import { type PublishBatchCommand, type PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSnsAlertSink } from '../../functions/aws/alerts.ts';
import type { GuardEvent } from '../../functions/guard/model/event.ts';
import { EVENT_TYPES, type EventType } from '../../functions/guard/model/event-catalogue.ts';
import { CREDENTIALS } from '../support/aws-emulators.ts';
import { PANEL } from '../support/builders.ts';
import { SNS_LIMIT_BYTES, snsBytes } from '../support/sns-bytes.ts';
import { sinkOptions } from '../support/sns-sink.ts';
import { anEvent } from './events.ts';

/** SNS must accept every message, for any events and any number of them: every pass would send a refused message again. */

const CHAT = { topicArn: 'arn:aws:sns:eu-west-1:123456789012:chat', minSeverity: 'info', projects: null } as const;

/** Publishes to every audience through a client that sends nothing. */
async function publishAll(events: readonly GuardEvent[]) {
  const requests: number[] = [];
  const bodies: string[] = [];
  const client = new SNSClient(CREDENTIALS);
  client.middlewareStack.add(
    () => async (args) => {
      const { input } = args as { input: PublishCommand['input'] | PublishBatchCommand['input'] };
      const messages = 'PublishBatchRequestEntries' in input ? (input.PublishBatchRequestEntries ?? []) : [input];
      requests.push(messages.reduce((sum, message) => sum + snsBytes(message as PublishCommand['input']), 0));
      bodies.push(...messages.map((message) => (message as PublishCommand['input']).Message ?? ''));
      const Successful = messages.flatMap((message) => ('Id' in message ? [{ Id: message.Id }] : []));
      return { response: {}, output: { $metadata: {}, Successful } };
    },
    { step: 'initialize' },
  );
  const sink = createSnsAlertSink({
    ...sinkOptions(),
    client,
    topicArn: 'arn:aws:sns:eu-west-1:123456789012:alerts',
    runbook: 'https://wiki.example.com/guard',
    panelOf: () => PANEL,
    chatTopics: [CHAT],
  });
  const accepted = [];
  for (const audience of sink.audiences) accepted.push((await sink.publish('production', events, audience)).size);
  client.destroy();
  return { requests, bodies, accepted };
}

function manyEvents(count: number, character: string, type: EventType = 'integration.paused'): readonly GuardEvent[] {
  const text = character.repeat(600);
  return Array.from({ length: count }, (_, index) =>
    anEvent(
      type,
      // Each integration has its own provider, so the message cannot group them.
      { id: `i${index}`, title: text, integration: `${index}${text}`, last_error_message: text },
      text,
    ),
  );
}

describe('a message', () => {
  it.each([
    [45, '😀'],
    [2_000, '😀'],
    [45, '"'],
    [45, '\\'],
    [2_000, 'ü'],
  ])('of %i events full of %s is far below the limit of SNS, and every event is accepted', async (count, character) => {
    const { requests, accepted } = await publishAll(manyEvents(count, character));
    expect(Math.max(...requests)).toBeLessThan(SNS_LIMIT_BYTES * 0.9);
    expect(accepted).toEqual([count, count, count]);
  });

  it('counts what it leaves out, and names the command that shows it', async () => {
    const { bodies } = await publishAll(manyEvents(2_000, '😀'));
    const [digest = '', chat = ''] = bodies.slice(-2);
    const { default: mail } = JSON.parse(digest) as { default: string };
    const shown = mail.match(/^PAUSED: /gm)?.length ?? 0;
    expect(shown).toBeGreaterThan(10);
    expect(mail).toContain(
      `… and ${(2_000 - shown).toLocaleString('en-US')} more events. To see them all:\nnpx integration-guard history`,
    );
    expect(Buffer.byteLength(chat)).toBeLessThan(32 * 1_024);
    expect(chat).toMatch(/… and 1,99\d more events\. To see them all: `npx integration-guard history/);
  });

  it('is small although times and ids of a record are as long as a record allows', async () => {
    const long = `2026-11-23T12:00:00.${'0'.repeat(300_000)}Z`;
    const event = anEvent('integration.paused');
    const { record } = event;
    if (record === null) throw new Error('this event has a record');
    // An entry that an older version wrote may hold this.
    const grown = {
      ...event,
      episode: long,
      record: { ...record, id: 'x'.repeat(300_000), updated_at: long, last_error_at: long, title: '😀'.repeat(99_999) },
    };
    const { requests, accepted } = await publishAll([grown]);
    expect(Math.max(...requests)).toBeLessThan(32 * 1_024);
    expect(accepted).toEqual([1, 1, 1]);
  });

  it('of any events is below the limit', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '"', '\\', '\n', 'é', '漢', '😀', '<', '\u0000'),
      maxLength: 700,
    });
    const event = fc
      .tuple(fc.constantFrom(...EVENT_TYPES), text, text, text, text)
      .map(([type, title, integration, message, reason]) =>
        anEvent(type, { title, integration, last_error_message: message }, reason),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 80 }), async (events) => {
        const { requests, accepted } = await publishAll(events);
        expect(Math.max(...requests)).toBeLessThan(SNS_LIMIT_BYTES * 0.9);
        expect(Math.min(...accepted)).toBeGreaterThan(0);
      }),
      { numRuns: 30 },
    );
  });
});
