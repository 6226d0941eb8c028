import { describe, expect, it } from 'vitest';
import { runMutant } from './mutate.ts';
import { MUTATIONS } from './mutations.ts';

/** Breaks each law on purpose: a harness that does not notice proves nothing by its silence. */
describe('the fault harnesses see', () => {
  it.concurrent.each(MUTATIONS)('$law broken: $breaks ($harness)', { timeout: 240_000 }, async (mutation) => {
    expect((await runMutant(mutation)).length).toBeGreaterThan(0);
  });
});
