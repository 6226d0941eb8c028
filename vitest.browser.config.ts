import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** The panel in a real Chromium: `npm run test:browser`. */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/browser/**/*.test.ts'],
    exclude: [],
    testTimeout: 60_000,
    hookTimeout: 600_000,
  },
});
