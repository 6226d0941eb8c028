/** The Secret Key of this test run: random, so that no source file can be mistaken for a leak. */

export const KEY_VARIABLE = 'GUARD_TEST_RUN_KEY';

export function runKey(): string {
  const key = process.env[KEY_VARIABLE];
  if (key === undefined) throw new Error(`${KEY_VARIABLE} is not set; test/support/no-key-left.ts sets it`);
  return key;
}
