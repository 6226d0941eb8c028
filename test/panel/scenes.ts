import { runOperatorCommand } from '../../functions/guard/pass/operator-command.ts';
import { type CastId, populate } from '../../functions/sandbox/scenario.ts';
import { createHarness, type Harness } from '../support/harness.ts';

/** Weeks of a project on a virtual clock, with a pass every five minutes. */

const START = '2026-11-17T09:40:00Z';
const DAY = 24 * 60;

const POLICY = {
  recovery: { mode: 'probe', cooldownMinutes: 60, maxAttempts: 5, probeErrors: 3 },
  // A high limit, so that Qonversion's own worker suspends it first.
  overrides: [{ match: { integration: 'Braze' }, errorThreshold: 5_000 }],
};

interface Turn {
  /** Minutes before now. */
  readonly ago: number;
  readonly does: (harness: Harness) => unknown;
}

async function play(turns: readonly Turn[], startAt = START): Promise<Harness> {
  const harness = createHarness(POLICY, { startAt, suspendAfterErrors: 400, suspendAfterMinutes: 60 });
  populate(harness.world);
  let left = 7 * DAY;
  for (const turn of [...turns].sort((one, other) => other.ago - one.ago)) {
    await harness.run(left - turn.ago);
    left = turn.ago;
    await turn.does(harness);
  }
  await harness.run(left);
  return harness;
}

const breaks = (ago: number, id: CastId, message: string): Turn => ({
  ago,
  does: ({ world }) => world.breakDown(id, message),
});
const fixes = (ago: number, id: CastId): Turn => ({ ago, does: ({ world }) => world.repair(id) });

const AN_OUTAGE_THAT_IS_OVER = [
  breaks(3 * DAY, 'amp-ios', 'HTTP 503 Service Unavailable'),
  fixes(3 * DAY - 9 * 60, 'amp-ios'),
];

const A_PAUSE_OF_A_DAY: readonly Turn[] = [
  { ago: 5 * DAY, does: ({ world }) => world.setStatus('hook-crm', 0) },
  { ago: 4 * DAY, does: ({ world }) => world.setStatus('hook-crm', 1) },
];

/** An outage was fixed days ago. Everything delivers. */
export function allIsWell(): Promise<Harness> {
  return play([...AN_OUTAGE_THAT_IS_OVER, ...A_PAUSE_OF_A_DAY]);
}

/**
 * One of each problem that an integration can have.
 * @param now the end of the day, @default a fixed time
 */
export function badDay(now?: Date): Promise<Harness> {
  const startAt = now === undefined ? START : new Date(now.getTime() - 7 * DAY * 60_000).toISOString();
  const turns: readonly Turn[] = [
    ...AN_OUTAGE_THAT_IS_OVER,
    ...A_PAUSE_OF_A_DAY,
    breaks(95, 'seg-stripe', 'HTTP 401 {"error":"token expired","authorization":"Bearer crm-3f9a61c0d2"}'),
    breaks(150, 'braze-ios', 'HTTP 410 Gone'),
    breaks(10, 'af-android', 'HTTP 429 Too Many Requests'),
    // Paused, and since its probe began there has been nothing to deliver.
    breaks(95, 'mix-ios', 'timeout after 10 s'),
    {
      ago: 40,
      does: ({ world }) => {
        world.repair('mix-ios');
        world.setTraffic('mix-ios', 0);
      },
    },
    { ago: 150, does: ({ world }) => world.setFlaky('hook-billing', 0.6, 'HTTP 502 Bad Gateway') },
    { ago: 2 * DAY, does: ({ world }) => world.setStatus('bq-export', 0) },
    breaks(30, 'slack-wins', 'channel_is_archived'),
    {
      ago: 25,
      does: ({ ports, project }) => runOperatorCommand(ports, project, 'slack-wins', { ignoreForMinutes: DAY }),
    },
  ];
  return play(turns, startAt);
}
