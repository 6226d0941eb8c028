import { defineConfig } from 'vitest/config';

/**
 * One project per kind of test: `unit` is what `npm test` runs, `faults` shows that the fault harnesses detect each mutation (minutes of work),
 * `package` installs the packed tarball elsewhere, `browser` opens the panel in Chromium, `e2e` deploys into the AWS emulator.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/browser/**', 'test/faults/**', 'test/package/**'],
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
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          fileParallelism: false,
          maxConcurrency: 2,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          // Installing CDK takes a minute, and so may a command in a folder that is new.
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Most of it is waiting for a real schedule of one minute.
          testTimeout: 150_000,
          hookTimeout: 240_000,
          // Each deploys a cloud of its own, and two at once would wait for each other's turns.
          fileParallelism: false,
        },
      },
    ],
  },
});
