import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'test/browser/**', 'test/faults/mutations.test.ts', 'test/faults/interleave.test.ts'],
    // Loopback servers and one real bundling; nothing waits for wall time.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/no-key-left.ts'],
    setupFiles: ['test/support/keep-output.ts'],
    // Nothing of the developer's own AWS set-up may reach a test.
    env: {
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      NO_COLOR: '1',
    },
  },
});
