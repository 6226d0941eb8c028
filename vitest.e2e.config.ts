import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    // Most of it is waiting for a real schedule of one minute.
    testTimeout: 150_000,
    hookTimeout: 240_000,
    // Each deploys a cloud of its own, and two at once would wait for each other's turns.
    fileParallelism: false,
    bail: 1,
    reporters: ['verbose'],
  },
});
