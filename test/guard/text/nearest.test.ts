import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSlipOf, nearest } from '../../../functions/guard/text/nearest.ts';

const KNOWN = ['projects', 'policy', 'errorThreshold', 'secretName', 'secretArn', 'minSeverity', 'email', 'id'];

describe('the nearest name', () => {
  it.each([
    ['project', 'projects'],
    ['PROJECTS', 'projects'],
    ['porjects', 'projects'],
    ['polіcy', 'policy'],
    ['poli\u200bcy', 'policy'],
    ['error_threshold', 'errorThreshold'],
    ['error-treshold', 'errorThreshold'],
    ['secret', 'secretName'],
    ['severity', 'minSeverity'],
    ['e-mail', 'email'],
  ])('to %s is %s', (word, name) => {
    expect(nearest(word, KNOWN)).toBe(name);
  });

  it.each(['', 'x', 'zzz', 'production', 'toString', '🚀', 'x'.repeat(100_000)])('to %s is none', (word) => {
    expect(nearest(word, KNOWN)).toBeNull();
  });

  it('is never the word itself, and a word with one slip is found', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KNOWN.slice(0, 6)), fc.nat(), fc.constantFrom('x', ''), (name, where, put) => {
        const at = where % name.length;
        const slip = name.slice(0, at) + put + name.slice(at + 1);
        expect(nearest(slip, [name])).toBe(name);
        expect(isSlipOf(name, slip)).toBe(true);
        expect(nearest(name, [name])).toBeNull();
      }),
    );
    expect(isSlipOf('settings', 'strings')).toBe(false);
  });
});
