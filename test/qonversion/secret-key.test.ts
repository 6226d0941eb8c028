import { describe, expect, it } from 'vitest';
import { SecretUnusableError } from '../../functions/guard/errors.ts';
import { parseSecretKey } from '../../functions/qonversion/secret-key.ts';

const parse = (text: string | undefined) =>
  parseSecretKey(text, 'the secret "qonversion/production"', 'fill it with: aws …');

describe('a Secret Key', () => {
  it.each([
    'sk_fake_0123456789',
    'test_sk_fake_0123456789',
    '  sk_fake_0123456789\n',
    '{"secretKey":"sk_fake_0123456789"}',
    `{"stripe":"${'rk'}_live_9876543210","other":"${'sk'}_live_9876543210","key":"sk_fake_0123456789"}`,
    '{"username":"x","password":"sk_fake_0123456789","port":5}',
  ])('is read from %j', (text) => {
    expect(parse(text).reveal()).toMatch(/^(test_)?sk_fake_0123456789$/);
  });

  it.each([
    [undefined, 'is empty'],
    ['', 'is empty'],
    [' \n ', 'is empty'],
    ['changeme', 'holds a placeholder'],
    ['<your key here>', 'holds a placeholder'],
    ['sk_xxxx_xxxx_xxxx', 'holds a placeholder'],
    ['sk_your_secret_key', 'holds a placeholder'],
    ['sk_placeholder_key', 'holds a placeholder'],
    ['pk_live_0123456789', 'holds a Stripe key'],
    [`${'sk'}_live_0123456789`, 'holds a Stripe key'],
    [`{"stripe":"${'sk'}_test_0123456789"}`, 'holds a Stripe key'],
    ['sk_short', 'does not look like'],
    ['sk_fake key with spaces', 'does not look like'],
    ['sk_fake_0123456789\nsk_fake_9876543210', 'does not look like'],
    ['{"secretKey":""}', 'is JSON without a field that holds a Secret Key'],
    ['{"a":"sk_fake_0123456789","b":"sk_fake_9876543210"}', 'more than one Secret Key'],
    ['{"secretKey":', 'looks like JSON but is not'],
  ])('is not %j: one sentence names the secret and the remedy, and shows nothing of the text', (text, problem) => {
    const error = (() => {
      try {
        return parse(text);
      } catch (reason) {
        return reason;
      }
    })();
    expect(error).toBeInstanceOf(SecretUnusableError);
    const { message } = error as Error;
    expect(message).toContain('the secret "qonversion/production"');
    expect(message).toContain(problem);
    expect(message).toContain('; fill it with: aws …');
    expect(message).not.toMatch(/0123456789|xxxx|short/);
  });
});
