import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import { describeType, EVENT_TYPES } from '../../functions/guard/model/event-catalogue.ts';
import { incidentOf, MAX_INCIDENT_KEY, toCloudEvent } from '../../functions/messages/cloud-event.ts';
import {
  INCIDENT_FIELDS,
  type IncidentContext,
  incidentFor,
  toIncidentCloudEvent,
  toIncidentMessage,
  toPagerDuty,
} from '../../functions/messages/incident.ts';
import { aFailingRecord, NOON, PANEL } from '../support/builders.ts';
import { startPagerDuty } from '../support/pagerduty.ts';
import { anEvent, withIncident } from './events.ts';

const CONTEXT: IncidentContext = {
  project: 'production',
  place: 'account 123456789012, eu-west-1',
  stack: 'IntegrationGuard',
  runbook: 'https://wiki.example.com/guard',
  panel: PANEL,
  console: 'https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks',
};

const keyOf = (event: GuardEvent) => incidentOf(event)?.key;

const ROUTING_KEY = '0123456789abcdef0123456789abcdef';

const OPENING = EVENT_TYPES.filter((type) => describeType(type).incident === 'trigger');
const CLOSING = EVENT_TYPES.filter((type) => describeType(type).incident === 'resolve');
const WITH_INCIDENT = [...OPENING, ...CLOSING];

describe('an incident tool', () => {
  it('gets the events that open an incident of at least its severity', () => {
    const paused = anEvent('integration.paused');
    const failing = anEvent('integration.failing');
    expect(incidentFor(paused, 'critical')?.action).toBe('trigger');
    expect(incidentFor(failing, 'critical')).toBeNull();
    expect(incidentFor(failing, 'warning')?.action).toBe('trigger');
  });

  it('gets every event that closes one: it is less severe than the one that opened it', () => {
    expect(CLOSING.length).toBeGreaterThan(2);
    for (const type of CLOSING) expect(incidentFor(anEvent(type), 'critical')?.action).toBe('resolve');
  });

  it('gets no other event', () => {
    const others = EVENT_TYPES.filter((type) => describeType(type).incident === null);
    for (const type of others) expect(incidentFor(anEvent(type), 'info')).toBeNull();
  });
});

describe('the key of an incident', () => {
  const event = (id: string, provider: string | null = null) =>
    withIncident(
      makeEvent({
        type: 'integration.paused',
        project: 'production',
        time: NOON,
        episode: NOON,
        reason: 'failing',
        ...(provider === null ? { record: aFailingRecord(61, 48, { id }) } : { provider }),
      }),
    );

  it('is readable when it is short', () => {
    expect(keyOf(event('i1'))).toBe(`production/i1/${NOON}`);
    expect(keyOf(event('', 'Amplitude'))).toBe(`production/provider:Amplitude/${NOON}`);
  });

  it('is always one that SQS takes as a group, and differs for different incidents', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 300 }), (left, right) => {
        const keys = [left, right].map((id) => keyOf(event(id)));
        for (const key of keys) expect(key).toMatch(new RegExp(`^[!-~]{1,${MAX_INCIDENT_KEY}}$`));
        const texts = [left, right].map((id) => event(id).record?.id);
        expect(keys[0] === keys[1]).toBe(texts[0] === texts[1]);
      }),
    );
  });

  it('of long IDs that begin alike differ, and it is the same in every message', () => {
    const long = event(`${'a'.repeat(250)}1`);
    expect(keyOf(long)).not.toBe(keyOf(event(`${'a'.repeat(250)}2`)));
    expect(toCloudEvent(long).data.incident?.key).toBe(keyOf(long));
    expect(toPagerDuty(long, CONTEXT).dedup_key).toBe(keyOf(long));
  });
});

describe('a message to PagerDuty', () => {
  it('says what broke, how bad it is, and what to do', () => {
    expect(toPagerDuty(anEvent('integration.paused'), CONTEXT)).toMatchObject({
      event_action: 'trigger',
      dedup_key: keyOf(anEvent('integration.paused')),
      payload: {
        summary: expect.stringMatching(/^production: Amplitude iOS paused, 61 failures$/),
        source: 'production (account 123456789012, eu-west-1)',
        severity: 'critical',
        timestamp: NOON,
        component: 'Amplitude iOS',
        group: 'production',
        class: 'integration.paused',
        custom_details: {
          why: expect.stringContaining('61 failures'),
          do: expect.stringMatching(/\S/),
          'to resume it': expect.stringMatching(/^npx integration-guard resume .* --stack IntegrationGuard$/),
        },
      },
      links: [
        { href: PANEL.url, text: 'Control panel' },
        { href: 'https://wiki.example.com/guard#paused', text: 'Runbook' },
      ],
      client: 'Integration Guard',
      client_url: PANEL.url,
    });
  });

  it('links to the stack when there is neither panel nor runbook', () => {
    const message = toPagerDuty(anEvent('integration.paused'), { ...CONTEXT, panel: null, runbook: null });
    expect(message.links).toEqual([]);
    expect(message.client_url).toBe(CONTEXT.console);
  });

  it.each(WITH_INCIDENT)('about %s is accepted by the Events API', async (type) => {
    const pagerDuty = await startPagerDuty();
    const message = toPagerDuty(anEvent(type), CONTEXT);
    const body = JSON.stringify({ ...message, routing_key: ROUTING_KEY });
    const response = await fetch(pagerDuty.url, { method: 'POST', body });
    await pagerDuty.stop();
    expect(await response.json()).toEqual({
      status: 'success',
      message: 'Event processed',
      dedup_key: message.dedup_key,
    });
  });
});

describe('a message to an incident tool', () => {
  const hostile = '<script>*"\\😀‮ https://evil.example/ '.repeat(40);

  it.each(WITH_INCIDENT)('about %s has exactly the fields that the pipe copies, each with a value', (type) => {
    for (const context of [CONTEXT, { ...CONTEXT, panel: null, runbook: null, place: null, stack: null }])
      for (const tool of ['pagerduty', 'webhook'] as const) {
        const message = JSON.parse(toIncidentMessage(tool, anEvent(type), context)) as Record<string, unknown>;
        expect(Object.keys(message).sort()).toEqual([...INCIDENT_FIELDS[tool]].sort());
        expect(Object.values(message).every((value) => value !== null && value !== '')).toBe(true);
      }
  });

  it.each(WITH_INCIDENT)('about %s with any text is far below the 64 KB of an API destination', (type) => {
    const hostileEvent = anEvent(
      type,
      { id: 'i'.repeat(300), title: hostile, integration: hostile, last_error_message: hostile },
      hostile,
    );
    const event = { ...hostileEvent, project: 'p'.repeat(64) };
    for (const tool of ['pagerduty', 'webhook'] as const)
      expect(Buffer.byteLength(toIncidentMessage(tool, event, CONTEXT))).toBeLessThan(16 * 1_024);
    const { payload } = toPagerDuty(event, CONTEXT);
    expect([...payload.summary].length).toBeLessThanOrEqual(250);
    expect(JSON.stringify(payload)).not.toMatch(/\u202e/);
  });

  it('for a webhook is the CloudEvent of the alerts topic, and always has a subject', () => {
    const event = anEvent('integration.paused');
    expect(toIncidentCloudEvent(event)).toEqual(toCloudEvent(event));
    expect(toIncidentCloudEvent(anEvent('provider.down')).subject).toBe('provider:Amplitude');
    expect(toIncidentCloudEvent(anEvent('guard.failing')).subject).toBe('guard');
  });
});
