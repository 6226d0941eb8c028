import { expect, it } from 'vitest';
import { endingsOf } from './races.ts';

it('the orders that are left out have no result that the others lack', { timeout: 300_000 }, async () => {
  const all = await endingsOf(false);
  const distinct = await endingsOf(true);
  expect(distinct.played).toBeLessThan(all.played / 4);
  expect([...distinct.endings].sort()).toEqual([...all.endings].sort());
  expect(all.endings.size).toBeGreaterThan(2);
});
