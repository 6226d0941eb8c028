import { defineConfig } from 'vitest/config';

/** What shows that the fault harnesses see, the guard with each law broken on purpose above all: minutes of work, for CI. */
export default defineConfig({
  test: {
    include: ['test/faults/mutations.test.ts', 'test/faults/interleave.test.ts'],
    fileParallelism: false,
    maxConcurrency: 2,
    reporters: ['verbose'],
  },
});
