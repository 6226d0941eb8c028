import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isAuditOnly } from '../../functions/guard/model/event.ts';
import { EVENT_TYPES, type EventType } from '../../functions/guard/model/event-catalogue.ts';
import { toChatNotification } from '../../functions/messages/chat.ts';
import { PANEL } from '../support/builders.ts';
import { anEvent } from './events.ts';

/**
 * The event schema of "Custom notifications" in the user guide of Amazon Q Developer in chat applications. The service
 * silently drops messages that do not fit.
 */
const schema = z.strictObject({
  version: z.literal('1.0'),
  source: z.literal('custom'),
  id: z.string().optional(),
  content: z.strictObject({
    textType: z.literal('client-markdown').optional(),
    title: z.string().optional(),
    description: z.string().min(1),
    nextSteps: z.array(z.string()).optional(),
    keywords: z.array(z.string()).optional(),
  }),
  metadata: z
    .strictObject({
      threadId: z.string().optional(),
      summary: z.string().optional(),
      eventType: z.string().optional(),
      relatedResources: z.array(z.string()).optional(),
      additionalContext: z.record(z.string(), z.string()).optional(),
      enableCustomActions: z.boolean().optional(),
    })
    .optional(),
});

const CONTEXT = {
  project: 'production',
  place: 'account 123456789012, eu-west-1',
  stack: 'IntegrationGuard',
  runbook: null,
  panel: PANEL,
};

/** Every type that alerts people. */
const ALERTED = EVENT_TYPES.filter((type) => !isAuditOnly({ type }));

describe('a chat notification', () => {
  it.each(ALERTED)('of %s fits the schema, and says what happened and how to undo it', (type) => {
    const notification = toChatNotification([anEvent(type)], CONTEXT);
    expect(schema.parse(notification)).toEqual(notification);
    const { title, description, nextSteps } = notification.content;
    expect([title, description, ...nextSteps.map((step) => `• ${step}`), ''].join('\n\n')).toMatchSnapshot();
  });

  it('puts the events of one outage into one thread, and a pass with several outages into another', () => {
    const thread = (...types: EventType[]) =>
      toChatNotification(
        types.map((type) => anEvent(type)),
        CONTEXT,
      ).metadata.threadId;
    expect(thread('integration.paused')).toBe(thread('integration.recovered'));
    expect(thread('integration.paused', 'integration.failing')).not.toBe(thread('integration.paused'));
  });

  it('begins with the worst, and counts where names would be too many', () => {
    const events = Array.from({ length: 30 }, (_, index) => anEvent('integration.failing', { id: `i${index}` }));
    const { content } = toChatNotification([...events, anEvent('integration.paused', { id: 'worst' })], CONTEXT);
    expect(content.title).toBe(
      ':rotating_light: production: Amplitude iOS paused, 30 Amplitude iOS integrations failing',
    );
    expect(content.description.indexOf('(worst)')).toBeLessThan(content.description.indexOf('(i0)'));
    expect(content.description).toContain(
      '… and 23 more events. To see them all: `npx integration-guard history --project production --stack IntegrationGuard`',
    );
    expect(JSON.stringify(content).length).toBeLessThan(8_000);
  });

  it.each([
    '<!channel>',
    '<!here|x>',
    '@channel',
    '@SRE-Team',
    '<https://evil.example|click>',
    '[click](https://evil.example)',
    '*b* _i_ ~s~ `c`',
  ])('makes %j in untrusted text neither a mention, nor a link, nor markup', (text) => {
    const event = anEvent('integration.paused', { title: text, integration: text, last_error_message: text }, text);
    const { content, metadata } = toChatNotification([event], { ...CONTEXT, panel: null });
    const said = [content.title, content.description, ...content.nextSteps, metadata.summary].join('\n');
    const ours = said
      .replaceAll('*PAUSED*', '')
      .replaceAll(':rotating_light:', '')
      .replace(/`npx integration-guard [^`]*`/g, '');
    expect(ours).not.toMatch(/[<>@[\]*_~]/);
    // The guard writes the code marks: at most two in a line, around untrusted text or a command.
    for (const line of ours.split('\n')) expect(line.split('`').length).toBeLessThanOrEqual(3);
  });
});
