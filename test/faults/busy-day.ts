import { World } from '../../functions/sandbox/world.ts';
import { PROBE_RECOVERY } from '../support/builders.ts';

/**
 * A project on a busy day: the pass at minute 0 trips, probes, warns, reports, reminds, gives up and forgets, and finds a provider down and
 * an unreadable record.
 */
export const BUSY_POLICY = {
  failingForMinutes: 15,
  recovery: PROBE_RECOVERY,
  flapping: 'off',
  // Every integration of a provider must fail, because most integrations of the other provider fail independently.
  providerOutage: { percent: 100 },
  remindAt: '14:40',
  blastRadius: { percent: 100, floor: 100 },
  overrides: [
    { match: { id: 'gives-up' }, recovery: { ...PROBE_RECOVERY, maxAttempts: 1 } },
    { match: { id: 'reminds' }, recovery: { mode: 'manual' } },
  ],
} as const;

export const BUSY_PROJECT = 'production';

/** The alerts and the audit-only events of the pass at minute 0. If one is missing, the harness fails: it would try too little. */
export const ALERTS_AT_ZERO: readonly string[] = [
  'guard.unreadable',
  'integration.failing warns',
  'integration.paused trips',
  'integration.reactivated reactivated',
  'integration.recovered calms',
  'integration.recovered recovers',
  'integration.recovery-abandoned gives-up',
  'integration.still-down reminds',
  'integration.suspended suspended',
  'provider.down',
];
export const RECORDED_AT_ZERO: readonly string[] = [
  'integration.operator-paused operator-paused',
  'integration.operator-resumed operator-resumed',
  'integration.probe-failed fails-probe',
  'integration.probing probes',
];

/** The first minute of the story. Minute 0 is 14:40. */
export const FIRST_MINUTE = -400;

interface Act {
  readonly at: number;
  readonly does: (world: World) => void;
}

const breaks = (id: string, at: number): Act => ({
  at,
  does: (world) => world.breakDown(id, 'HTTP 503 from upstream'),
});
const mends = (id: string, at: number): Act => ({ at, does: (world) => world.repair(id) });
const sets = (id: string, status: 0 | 1, at: number): Act => ({ at, does: (world) => world.setStatus(id, status) });

const SCRIPT: readonly Act[] = [
  // A pass sees an outage up to five minutes after its start, and pauses 15 minutes later. Probes begin 60 minutes after that.
  breaks('reminds', -392),
  breaks('recovers', -143),
  mends('recovers', -100),
  breaks('fails-probe', -83),
  breaks('gives-up', -83),
  breaks('probes', -78),
  breaks('reactivated', -40),
  breaks('gone', -30),
  // One failure a minute: 25 at minute 0. The threshold of 50 comes long after the last pass.
  breaks('warns', -25),
  sets('operator-resumed', 0, -22),
  breaks('calms', -18),
  breaks('trips', -16),
  mends('probes', -10),
  mends('calms', -4),
  breaks('shared-1', -3),
  breaks('shared-2', -3),
  breaks('shared-3', -3),
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
  'fails-probe',
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

/** These share another provider. */
const SHARED = ['shared-1', 'shared-2', 'shared-3'] as const;

export function createBusyWorld(startAt = '2026-11-23T08:00:00Z'): World {
  const world = new World({ startAt });
  for (const id of CAST) world.add({ id, active: 1, eventsPerMinute: id === 'warns' ? 1 : 10 });
  for (const id of SHARED) world.add({ id, active: 1, eventsPerMinute: 10, provider: 'mixpanel' });
  return world;
}

/** Plays the story up to minute 0, with `pass` every five minutes but not at 0. */
export async function playBusyDay(world: World, pass: () => Promise<unknown>): Promise<void> {
  for (let minute = FIRST_MINUTE; minute < 0; minute += 1) {
    for (const act of SCRIPT) if (act.at === minute) act.does(world);
    if (minute % 5 === 0) await pass();
    world.advance(1);
  }
}

/** "type integration" of an event. */
export function keyOf(event: { readonly type: string; readonly record: { readonly id: string } | null }): string {
  return event.record === null ? event.type : `${event.type} ${event.record.id}`;
}
