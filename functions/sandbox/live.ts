import { populate } from './scenario.ts';
import { type Sandbox, type SandboxClock, startSandbox } from './server.ts';
import { World } from './world.ts';

/** A sandbox that follows a clock and has a day behind it, so that a guard finds something to do in its first pass. */

export interface LiveOptions {
  readonly clock: SandboxClock;
  /** Left out, or 0: any free port. */
  readonly port?: number;
  /** Splits lists into pages of this many records. */
  readonly pageSize?: number;
}

/** The state after that day. `npm run sandbox` prints it, and a test compares it with the records. */
export const STATE_AT_START = [
  'hook-crm has failed for 3 hours: its token expired.',
  'af-android has failed for 35 minutes.',
  'Qonversion suspended braze-ios during the night.',
  'An operator paused slack-wins 5 hours ago. ph-staging was never started.',
  'The other seven integrations deliver.',
] as const;

const DAY = 24 * 60;

export async function startLiveSandbox(options: LiveOptions): Promise<Sandbox> {
  const production = liveWorld(options.clock.now());
  const testing = liveWorld(options.clock.now());
  return startSandbox({ ...options, production, testing });
}

/** A world that has lived through a day until now. */
export function liveWorld(now: number): World {
  const world = new World({ startAt: new Date(now - DAY * 60_000).toISOString() });
  populate(world);
  world.advance(4 * 60);
  world.breakDown('braze-ios', 'HTTP 410 Gone');
  world.advance(15 * 60);
  world.setStatus('slack-wins', 0);
  world.advance(2 * 60);
  world.breakDown('hook-crm', 'HTTP 401: {"error":"token expired"}');
  world.advance(3 * 60 - 35);
  world.breakDown('af-android', 'HTTP 403 Forbidden');
  world.advance(35);
  return world;
}
