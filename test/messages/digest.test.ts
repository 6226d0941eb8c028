import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isAuditOnly, makeEvent } from '../../functions/guard/model/event.ts';
import { EVENT_TYPES } from '../../functions/guard/model/event-catalogue.ts';
import { eventAttributes, toCloudEvent } from '../../functions/messages/cloud-event.ts';
import { digestAttributes, toDigest } from '../../functions/messages/digest.ts';
import { aFailingRecord, minutesAfter, NOON, PANEL } from '../support/builders.ts';
import { anEvent } from './events.ts';

/** Every type that alerts people. */
const ALERTED = EVENT_TYPES.filter((type) => !isAuditOnly({ type }));

const CONTEXT = {
  project: 'production',
  place: 'account 123456789012, eu-west-1',
  stack: 'IntegrationGuard',
  runbook: null,
  panel: PANEL,
};

describe('a digest', () => {
  it.each(ALERTED)('of %s says what happened, why, what it means and what to do', (type) => {
    const { subject, text, sms } = toDigest([anEvent(type)], CONTEXT);
    expect(`Subject: ${subject}\n\n${text}\nSMS: ${sms}\n`).toMatchSnapshot();
  });

  it.each(ALERTED)('of %s links to a section that the runbook has', (type) => {
    const { text } = toDigest([anEvent(type)], { ...CONTEXT, runbook: 'https://wiki.example.com/guard' });
    const [, section] = /Help: https:\/\/wiki\.example\.com\/guard#(\S+)\n/.exec(text) ?? [];
    expect(readFileSync('docs/runbook.md', 'utf8').split('\n')).toContain(`## ${section}`);
  });

  it('begins with the worst and names it in the subject', () => {
    const digest = toDigest(
      [
        anEvent('integration.recovered', { id: 'a' }),
        anEvent('integration.paused', { id: 'b' }),
        anEvent('integration.failing', { id: 'c' }),
      ],
      CONTEXT,
    );
    expect(digest.severity).toBe('critical');
    expect(digest.subject).toBe('[production] Amplitude iOS paused, Amplitude iOS failing, Amplitude iOS recovered');
    expect(digest.text.indexOf('PAUSED')).toBeLessThan(digest.text.indexOf('FAILING'));
  });

  it('counts where names would be too many', () => {
    const events = Array.from({ length: 60 }, (_, index) => anEvent('integration.paused', { id: `i${index}` }));
    const digest = toDigest(events, CONTEXT);
    expect(digest.subject).toBe('[production] 60 Amplitude iOS integrations paused');
    expect(digest.text).toContain(
      '… and 20 more events. To see them all:\nnpx integration-guard history --project production --stack IntegrationGuard',
    );
  });

  it('counts two integrations of one provider and platform, whose names are the same', () => {
    const two = ['a', 'b'].map((id) => anEvent('integration.paused', { id }));
    expect(toDigest(two, CONTEXT).text).toContain('PAUSED: 2 Amplitude iOS integrations\n');
    const android = anEvent('integration.paused', { id: 'b', target_platform: 'Android' });
    expect(toDigest([...two.slice(0, 1), android], CONTEXT).text).toContain(
      'PAUSED: Amplitude iOS and Amplitude Android\n',
    );
  });

  it('has a subject of at most 100 printable ASCII characters and an SMS of one line of at most 140', () => {
    const hostile = { integration: `Äm\r\nBcc: x@example.com ${'ü'.repeat(200)}`, title: '\u001b[31m<b>“title”</b>' };
    for (const type of EVENT_TYPES) {
      const { subject, sms } = toDigest(
        [anEvent(type, hostile), anEvent('integration.failing', { ...hostile, id: 'b' })],
        CONTEXT,
      );
      expect(subject).toMatch(/^[\x20-\x7e]{1,100}$/);
      expect(sms).toMatch(/^[\x20-\x7e]{1,140}$/);
    }
  });

  it('lets untrusted text add no lines', () => {
    const digest = toDigest(
      [anEvent('integration.paused', { title: 'x"\n\nPAUSED: everything', last_error_message: 'a\nDo: run this' })],
      CONTEXT,
    );
    expect(digest.text.split('\n').filter((line) => line.startsWith('PAUSED'))).toHaveLength(1);
    expect(digest.text.split('\n').filter((line) => line.trim().startsWith('Do:'))).toHaveLength(1);
  });

  it('names commands without a stack if the guard has none', () => {
    expect(toDigest([anEvent('integration.paused')], { ...CONTEXT, stack: null }).text).toContain(
      'npx integration-guard resume amp-ios --project production\n',
    );
  });
});

describe('an event for machines', () => {
  it('is CloudEvents 1.0 JSON with the record, the numbers and the reason', () => {
    expect(toCloudEvent(anEvent('integration.paused'))).toMatchSnapshot();
  });

  it('has no subject when it is about the guard itself', () => {
    expect(toCloudEvent(anEvent('guard.failing'))).not.toHaveProperty('subject');
  });

  it('has the same id for the same thing in the same episode, and another one otherwise', () => {
    const id = (overrides: Partial<Parameters<typeof makeEvent>[0]> = {}) =>
      makeEvent({
        type: 'integration.paused',
        project: 'p',
        time: NOON,
        episode: NOON,
        reason: 'r',
        record: aFailingRecord(1, 1),
        ...overrides,
      }).id;
    expect(id()).toBe(id({ time: minutesAfter(NOON, 5), reason: 'other words', record: aFailingRecord(99, 50) }));
    const others = [
      id({ project: 'q' }),
      id({ type: 'integration.failing' }),
      id({ episode: minutesAfter(NOON, 1) }),
      id({ ordinal: 1 }),
      id({ record: aFailingRecord(1, 1, { id: 'z' }) }),
    ];
    expect(new Set([id(), ...others]).size).toBe(6);
  });

  it('has attributes that filter policies can look at, at most ten and none empty', () => {
    for (const type of EVENT_TYPES) {
      const attributes = eventAttributes(anEvent(type, { integration: '' }));
      expect(Object.keys(attributes).length).toBeLessThanOrEqual(10);
      for (const value of Object.values(attributes)) expect(value).not.toBe('');
    }
    expect(digestAttributes('digest', toDigest([anEvent('integration.paused')], CONTEXT), CONTEXT)).toEqual({
      kind: 'digest',
      severity: 'critical',
      project: 'production',
    });
  });
});
