import { describe, expect, it } from 'vitest';
import { redactPersonalData } from '../../../functions/guard/text/personal-data.ts';

describe('personal data in an error message', () => {
  it.each([
    ['user jane.doe+app@example.co.uk not found', 'user [email] not found'],
    ['jörg@müller.example bounced', '[email] bounced'],
    ['?user=jane%40example.com&x=1', '?user=[email]&x=1'],
    ['call +49 30 901820 or (030) 901820', 'call [phone] or [phone]'],
    ['{"phone_number":"5551234567"}', '{"phone_number":"[phone]"}'],
    ['\uff0b\uff14\uff19 30 901820 is invalid', '[phone] is invalid'],
    ['card 4111 1111 1111 1111 declined', 'card [card] declined'],
    ['IBAN DE89 3704 0044 0532 0130 00 closed', 'IBAN [iban] closed'],
    ['from 203.0.113.7:443', 'from [ip]:443'],
    ['from 2001:db8::1, denied', 'from [ip], denied'],
    ['https://[redacted]@host.example refused', 'https://[redacted]@host.example refused'],
  ])('%s becomes %s', (text, redacted) => {
    expect(redactPersonalData(text)).toBe(redacted);
    expect(redactPersonalData(redacted)).toBe(redacted);
  });

  it.each([
    'order 1234567890 not found',
    'version 1.2.3',
    'version 1.2.3.4',
    'timestamp 1700000000000',
    '2026-11-23T12:00:00+00:00',
    'HTTP 503 after 10000 ms',
    'at 12:30:45',
    'std::string',
  ])('%s stays as it is', (text) => {
    expect(redactPersonalData(text)).toBe(text);
  });
});
