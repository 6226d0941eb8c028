import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyRemover } from '../../functions/qonversion/key-remover.ts';

const alphanumeric = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789');
const hexadecimal = fc.constantFrom(...'0123456789abcdef');
const random = (unit: fc.Arbitrary<string>, length: number) =>
  fc.string({ unit, minLength: length, maxLength: length });

const key = fc.oneof(random(alphanumeric, 32), random(hexadecimal, 40)).map((core) => `sk_${core}`);

/** The parts of external records. */
const ordinary = fc.oneof(
  fc.uuid(),
  random(alphanumeric, 64),
  random(hexadecimal, 64),
  fc.base64String({ minLength: 20, maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 120 }),
  fc.lorem({ maxCount: 40 }),
  fc.webUrl({ withQueryParameters: true }),
  fc.json(),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);

describe('the removal of the key', () => {
  it('leaves every other text unchanged', () => {
    fc.assert(
      fc.property(key, fc.array(ordinary, { minLength: 1, maxLength: 4 }), (secret, parts) => {
        const text = parts.join(' ');
        expect(createKeyRemover(secret).removeFrom(text)).toBe(text);
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });

  it('removes the key from every text, and leaves the text before and after it', () => {
    fc.assert(
      fc.property(key, fc.lorem({ maxCount: 5 }), (secret, words) => {
        const rest = createKeyRemover(secret).removeFrom(`${words} ${secret} ${words}`);
        expect(rest).toBe(`${words} [redacted] ${words}`);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('removes pieces of the key along with it', () => {
    const remover = createKeyRemover('sk_fake_q7Wm2ZrT9xKp4VbN8cYdL3fHs6JgA1eU');
    expect(remover.removeFrom('Bearer sk_fake_q7Wm2ZrT9xKp***8cYdL3fHs6J')).toBe('Bearer sk_[redacted]***[redacted]');
    expect(remover.removeFrom('order q7Wm2ZrT9')).toBe('order q7Wm2ZrT9');
  });
});
