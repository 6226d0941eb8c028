import * as z from 'zod/mini';
import { releaseAlerts } from '../aws/alerts.ts';
import { readPassEnvironment } from '../aws/environment.ts';
import { loadAlertOptions } from '../aws/lazy-alert-sink.ts';
import { createRuntime, readBundledSettings } from '../aws/runtime.ts';
import { GuardError } from '../guard/errors.ts';
import type { Settings } from '../guard/settings/schema.ts';

/**
 * The Lambda entry point that sends alerts which were kept for later, as one digest for each audience. A run over the fleet invokes it at
 * its end with {"release": "run", "projects": NUMBER}, and at its beginning for what earlier runs have left ({"release": "run",
 * "olderThanMinutes": NUMBER}). A schedule invokes it every hour with the name of quiet hours.
 */

/** Not every audience accepted its digest. The invocation fails, so that it is repeated and an alarm fires. */
export class DigestUndeliveredError extends GuardError {
  override readonly name = 'DigestUndeliveredError';
}

type SendDigests = (event: unknown) => Promise<void>;

/** Made once per warm environment. */
let sendDigests: SendDigests | null = null;

export async function handler(event: unknown): Promise<void> {
  sendDigests ??= createDigestFunction(process.env, readBundledSettings(import.meta.url));
  return sendDigests(event);
}

export function createDigestFunction(variables: NodeJS.ProcessEnv, settings: Settings): SendDigests {
  const environment = readPassEnvironment(variables);
  const runtime = createRuntime(environment, settings);
  const options = loadAlertOptions(environment, runtime);

  return async (event) => {
    const parsed = input.safeParse(event);
    if (!parsed.success)
      throw new GuardError('this function takes {"release": NAME}, and optionally "projects" and "olderThanMinutes"');
    const { release, projects: projectsInFleet, olderThanMinutes } = parsed.data;
    const left = await releaseAlerts(await options, release, { projectsInFleet, olderThanMinutes });
    if (left > 0) throw new DigestUndeliveredError(`${left} alerts were not accepted; the next release sends them`);
  };
}

const input = z.strictObject({
  release: z.string(),
  projects: z.optional(z.int().check(z.nonnegative())),
  olderThanMinutes: z.optional(z.int().check(z.nonnegative())),
});
