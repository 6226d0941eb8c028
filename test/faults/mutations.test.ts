import { describe, expect, it } from 'vitest';
import { runMutant } from './mutate.ts';
import { MUTATIONS } from './mutations.ts';

/** Breaks each law deliberately: if a harness does not detect that, its silence proves nothing. */
describe('the fault harnesses detect the mutation of', () => {
  it.concurrent.each(MUTATIONS)('$law: $breaks ($harness)', { timeout: 240_000 }, async (mutation) => {
    expect((await runMutant(mutation)).length).toBeGreaterThan(0);
  });
});
