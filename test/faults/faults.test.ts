import { expect, it } from 'vitest';
import { liveInChaos } from './chaos.ts';
import { crashEverywhere } from './crash.ts';
import type { Finding, Size } from './finding.ts';
import { faceHostility } from './hostile.ts';
import { showHostileText } from './hostile-text.ts';
import { killEverywhere } from './kill.ts';
import { simulateMonths } from './months.ts';
import { mutated } from './mutate.ts';
import { MUTATIONS } from './mutations.ts';
import { raceEverywhere } from './races.ts';

/** The fault harnesses at their quick size. `test/faults/main.ts` runs them at any size. */
const HARNESSES: readonly (readonly [string, (size: Size) => Promise<readonly Finding[]>])[] = [
  ['dies at any effect, simulated', crashEverywhere],
  ['dies at any effect, by SIGKILL', killEverywhere],
  ['runs several passes and operator commands concurrently', raceEverywhere],
  ['lives through random steps', liveInChaos],
  ['gets hostile answers', faceHostility],
  ['shows hostile text', showHostileText],
  ['lives for days', simulateMonths],
];

it.each(HARNESSES)('no law is broken when the guard %s', { timeout: 120_000 }, async (_name, run) => {
  const findings = await run('quick');
  expect(findings.flatMap(({ violations }) => violations)).toEqual([]);
  for (const { tried } of findings) expect(tried).toBeGreaterThan(0);
});

it.each(MUTATIONS)('the mutation "$breaks" still fits the code', async (mutation) => {
  await expect(mutated(mutation)).resolves.toBeDefined();
});
