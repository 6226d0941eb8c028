import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactCredentials } from '../../../functions/guard/text/credentials.ts';
import { safeText, shorten, toAscii } from '../../../functions/guard/text/sanitize.ts';

describe('law 5: untrusted text', () => {
  it.each([
    ['line\r\nBcc: everybody@example.com', 'line Bcc: everybody@example.com'],
    ['\u001b[31mred\u001b[0m \u001b]8;;http://evil\u0007link\u001b]8;;\u0007', 'red link'],
    ['tab\tnull\u0000bell\u0007c1\u0085', 'tab null bell c1'],
    ['right\u202eto\u2066left\u2069 zero\u200bwidth\ufeff', 'righttoleft zerowidth'],
    ['line\u2028separator\u2029', 'line separator'],
    ['lone \ud800 surrogate', 'lone surrogate'],
    ['tag\u{e0041}\u{e0042} filler\u3164 blank\u2800 private\ue000 none\ufdd0', 'tag filler blank private none'],
    ['Z\u0351\u036b\u0311\u0351\u036b\u0311algo', 'Z\u0351\u036b\u0311\u0351algo'],
    ['\u0338over our quote', 'over our quote'],
    ['\u{1f468}\u200d\u{1f469} \u2714\ufe0f', '\u{1f468}\u{1f469} \u2714'],
    ['  plain — Ünïcode \u{1f680}  ', 'plain — Ünïcode \u{1f680}'],
  ])('%j becomes %j', (text, safe) => {
    expect(safeText(text, 100)).toBe(safe);
  });

  it('is cut between characters', () => {
    expect(shorten('\u{1f680}'.repeat(50), 10)).toBe(`${'\u{1f680}'.repeat(9)}…`);
    expect(safeText('x'.repeat(100_000), 300)).toHaveLength(300);
    expect(shorten('\u{1f680}'.repeat(10), 15)).toBe('\u{1f680}'.repeat(10));
  });

  it('is read only up to a limit, and the word at the limit is left out', () => {
    const hidden = '\u200b'.repeat(1_000);
    expect(safeText(`said ${hidden} password=${'hunter2'.repeat(50)} later`, 20)).toBe('said…');
  });

  it('never has a control character, a direction mark or more than maxLength characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), fc.integer({ min: 1, max: 120 }), (text, length) => {
        const safe = safeText(text, length);
        expect(Array.from(safe).length).toBeLessThanOrEqual(length);
        expect(safe).not.toMatch(/[\p{Control}\u202a-\u202e\u2066-\u2069\u200b-\u200f\u2028\u2029]/u);
      }),
    );
  });

  it.each([
    'Authorization: Bearer abcdef123456',
    'Authorization: Basic dXNlcjpwYXNzd29yZA==',
    'https://user:hunter2secret@example.com/hook',
    'api_key=abcdef123456',
    '"apiKey": "abcdef123456"',
    'password: correct-horse',
    'X-Api-Key: abcdef123456',
    'client_secret=abcdef123456&x=1',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
    `${'AKIA'}IOSFODNN7EXAMPLE`,
    `${'ghp_'}abcdefghijklmnopqrstuvwxyz0123456789`,
    `${'xoxb-'}123456789012-abcdefghijkl`,
    'sk_fake_abcdef123456',
    'test_sk_fake_abcdef123456',
    '-----BEGIN RSA PRIVATE KEY----- MIIEowIBAAKCAQEA',
    'd41d8cd98f00b204e9800998ecf8427e',
    'Cookie: session=abcdef123456; theme=abcdef123456',
    'api_key%3Dabcdef123456',
    '{\\"password\\": \\"abcdef123456\\"}',
    'https://hooks.slack.com/services/T0/B0/abcdef123456',
    'Digest username="u", response="abcdef123456"',
    'whsec_abcdef123456',
  ])('%s loses its credential', (text) => {
    const redacted = redactCredentials(text);
    expect(redacted).toContain('[redacted]');
    expect(redacted).not.toMatch(
      /abcdef123456|hunter2|dXNlcj|correct-horse|eyJzdWI|IOSFODNN7|MIIEow|d41d8cd9|123456789012/,
    );
  });

  it.each([
    'HTTP 503 Service Unavailable',
    'token expired',
    'basic authentication failed',
    'a digest of events',
    'the session has expired',
    'cookie consent missing',
    'getaddrinfo ENOTFOUND api.example.com',
    'timeout of 10000ms exceeded',
    'https://example.com/hooks/integrations/amplitude?project=production',
    'Invalid API key',
  ])('%s stays as it is', (text) => {
    expect(redactCredentials(text)).toBe(text);
  });

  it.each([
    'a',
    'key=',
    'eyJ',
    '://',
    'A1a/',
    'bearer ',
    'digest a=',
    'cookie: a=b;',
    'key%3D\\"',
    '-----BEGIN PRIVATE KEY',
  ])('is handled quickly even if it repeats %j thousands of times', (part) => {
    // A pattern that backtracks would exceed the test's time limit.
    expect(safeText(part.repeat(30_000), 300).length).toBeLessThanOrEqual(300);
    expect(redactCredentials(part.repeat(2_000)).length).toBeGreaterThan(0);
  });

  it('becomes printable ASCII for SNS subjects and SMS', () => {
    expect(toAscii('Café — “quotes” … \u{1f680} Привет')).toBe('Cafe - "quotes" ... ? ?');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(toAscii(text)).toMatch(/^[\x20-\x7e]*$/);
      }),
    );
  });
});
