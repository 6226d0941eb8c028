import { World } from '../../functions/sandbox/world.ts';
import { PROBE_RECOVERY } from '../support/builders.ts';

/**
 * The policy of the busy day when the ledgers of version 1 were recorded: pauses came 15 minutes after an outage began, and the first
 * delivery ended a probe.
 */
export const POLICY_V1 = {
  failingForMinutes: 15,
  recovery: PROBE_RECOVERY,
  providerOutage: 'off',
  flapping: 'off',
  remindAt: 'never',
  blastRadius: { percent: 100, floor: 100 },
  overrides: [{ match: { id: 'gives-up' }, recovery: { ...PROBE_RECOVERY, maxAttempts: 1 } }],
};

/** The minute in which the day begins. Minutes count from the pass under test. */
const BEGINS = -145;

interface ScriptStep {
  readonly at: number;
  readonly does: (world: World) => void;
}

const breaks = (id: string, at: number): ScriptStep => ({
  at,
  does: (world) => world.breakDown(id, 'HTTP 503 from upstream'),
});
const mends = (id: string, at: number): ScriptStep => ({ at, does: (world) => world.repair(id) });
const sets = (id: string, status: 0 | 1, at: number): ScriptStep => ({
  at,
  does: (world) => world.setStatus(id, status),
});

const SCRIPT: readonly ScriptStep[] = [
  // Probes begin 60 minutes after a pause, and a pause comes 15 minutes after an outage begins.
  breaks('reminds', -140),
  breaks('fails-trial', -80),
  breaks('gives-up', -80),
  breaks('recovers', -80),
  breaks('probes', -75),
  breaks('reactivated', -40),
  mends('recovers', -30),
  breaks('gone', -30),
  sets('operator-resumed', 0, -22),
  // One failure a minute: 25 at minute 0, and the threshold of 50 only after the passes under test.
  breaks('warns', -25),
  breaks('trips', -15),
  mends('probes', -10),
  breaks('calms', -8),
  mends('calms', -4),
  mends('reactivated', -2),
  sets('reactivated', 1, -2),
  sets('operator-paused', 0, -2),
  sets('operator-resumed', 1, -2),
  { at: -1, does: (world) => world.suspend('suspended') },
  { at: -1, does: (world) => world.delete('gone') },
  { at: -1, does: (world) => world.patch('unreadable', { target_platform: 'Windows' as 'iOS' }) },
];

const CAST = [
  'trips',
  'warns',
  'probes',
  'fails-trial',
  'gives-up',
  'recovers',
  'calms',
  'reminds',
  'suspended',
  'reactivated',
  'operator-paused',
  'operator-resumed',
  'gone',
  'unreadable',
  'healthy',
] as const;

export function createWorldV1(startAt = '2026-11-23T08:00:00Z'): World {
  const world = new World({ startAt });
  for (const id of CAST) world.add({ id, active: 1, eventsPerMinute: id === 'warns' ? 1 : 10 });
  return world;
}

/** Plays the day up to minute 0, with `pass` every five minutes, but not at minute 0. */
export async function playDayV1(world: World, pass: () => Promise<unknown>): Promise<void> {
  for (let minute = BEGINS; minute < 0; minute += 1) {
    for (const step of SCRIPT) if (step.at === minute) step.does(world);
    if (minute % 5 === 0) await pass();
    world.advance(1);
  }
}
