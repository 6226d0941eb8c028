import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    // Most of it is waiting for a real schedule of one minute.
    testTimeout: 150_000,
    hookTimeout: 240_000,
    bail: 1,
    reporters: ['verbose'],
  },
});
