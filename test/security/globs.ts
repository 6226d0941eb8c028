import fc from 'fast-check';
import { effectivePolicy } from '../../functions/guard/policy/effective-policy.ts';
import { aPolicy, aRecord } from '../support/builders.ts';
import type { Kind } from './kind.ts';

function matches(glob: string, title: string): boolean {
  const policy = aPolicy({ overrides: [{ match: { title: glob }, mode: 'ignore' }] });
  return effectivePolicy(policy, aRecord({ title })).mode === 'ignore';
}

/** By the definition, over all prefixes of both: slow, but too simple to be wrong. */
function matchesByDefinition(glob: string, title: string): boolean {
  const [wanted, characters] = [Array.from(glob), Array.from(title)];
  let fits = [true, ...characters.map(() => false)];
  for (const one of wanted) {
    const next = [one === '*' && fits[0] === true];
    for (const [at, character] of characters.entries()) {
      const taken = one === '*' ? next[at] === true || fits[at + 1] === true : fits[at] === true;
      next.push(taken && (one === '*' || one === '?' || one === character));
    }
    fits = next;
  }
  return fits.at(-1) === true;
}

const LISTED: readonly (readonly [string, string])[] = [
  ['*-*-*-*x', '-'.repeat(255)],
  ['*a*a*a*a*b', 'a'.repeat(255)],
  ['*a*a*a*a*a*a*a*a*a*a*a*b', 'a'.repeat(255)],
  [`${'*a'.repeat(60)}b`, 'a'.repeat(255)],
  [`${'*?'.repeat(60)}b`, 'a'.repeat(255)],
  [`${'*ab'.repeat(40)}c`, 'ab'.repeat(127)],
  [`${'?*'.repeat(60)}b`, 'a'.repeat(255)],
  [`${'*'.repeat(200)}b`, 'a'.repeat(255)],
  [`${'*😀'.repeat(60)}b`, '😀'.repeat(127)],
  [`*${'a'.repeat(120)}b*`, 'a'.repeat(255)],
  ['*(a+)+$', 'a'.repeat(255)],
  ['*{a,aa}*{a,aa}*{a,aa}b', 'a'.repeat(255)],
];

export const globs: Kind = {
  name: 'globs',
  promise: 'A glob matches as documented, in time proportional to its length times the title’s.',
  attack: (size) => {
    const violations: string[] = [];
    let tried = 0;
    const letter = fc.constantFrom('a', 'b', '*', '*', '?', '-', '😀', '[', '(', '{', '\\', '.', '/', '!');
    const word = (maxLength: number) => fc.array(letter, { minLength: 1, maxLength }).map((parts) => parts.join(''));
    const small = fc.tuple(word(8), word(10));
    for (const [glob, title] of fc.sample(small, { seed: 1, numRuns: size === 'quick' ? 2_000 : 100_000 })) {
      tried += 1;
      if (matches(glob, title) !== matchesByDefinition(glob, title))
        violations.push(`${JSON.stringify(glob)} on ${JSON.stringify(title)} differs from the definition`);
    }
    // The definition allows the product of the lengths. A hundred times as long exceeds it.
    const large = fc.tuple(
      fc
        .tuple(word(3), fc.integer({ min: 10, max: 80 }))
        .map(([part, times]) => `${part.repeat(times).slice(0, 250)}x`),
      word(3).map((part) => part.repeat(255).slice(0, 255)),
    );
    const hostile = [...LISTED, ...fc.sample(large, { seed: 2, numRuns: size === 'quick' ? 100 : 5_000 })];
    for (const [glob, title] of hostile) {
      tried += 1;
      const took = timeOf(() => matches(glob, title));
      const limit = () => 100 * timeOf(() => matchesByDefinition(glob, title)) + 50;
      // Measured again before it counts: a busy machine may interrupt any run.
      if (took > limit() && timeOf(() => matches(glob, title)) > limit())
        violations.push(`${JSON.stringify(glob.slice(0, 40))} took ${Math.round(took)} ms`);
    }
    return { tried, violations };
  },
};

function timeOf(run: () => unknown): number {
  const begun = performance.now();
  run();
  return performance.now() - begun;
}
