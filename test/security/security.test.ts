import { expect, it } from 'vitest';
import { KINDS } from './kinds.ts';

/** Each kind of attack at its quick size; `npm run test:security` runs the full size. */
it.each(KINDS)('$promise', { timeout: 120_000 }, async ({ attack }) => {
  const { tried, violations } = await attack('quick');
  expect(violations.slice(0, 10)).toEqual([]);
  expect(tried).toBeGreaterThanOrEqual(10);
});
