import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pMap from 'p-map';
import { startSandbox } from '../../functions/sandbox/server.ts';
import { compareEndings, crashPoints, createFixture, type Fixture, live, type Pass, sample } from './crash.ts';
import type { Moment } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { openPlaces, type Place } from './places.ts';
import type { VictimAnswer, VictimInput } from './victim.ts';

/**
 * Crash at every step, with a real process: the first pass runs in a separate process over HTTP. SIGKILL ends it before or after one of its
 * effects, with up to seven other requests in flight. The later passes find its writes in the file or the tables.
 */
export async function killEverywhere(size: Size): Promise<readonly Finding[]> {
  const fixture = await createFixture();
  const places = await openPlaces();
  const findings: Finding[] = [];
  for (const place of places.filter(({ name }) => name !== 'in memory')) {
    const { ending, effects } = await liveInProcess(fixture, place);
    const all = crashPoints(effects);
    const points = size === 'quick' ? sample(all, 11) : all;
    const violations: string[] = [];
    let killed = 0;
    await pMap(
      points,
      async ({ n, when, name }) => {
        const victim = inProcess({ n, when });
        const wrong = compareEndings(await live(fixture, place, [victim.pass]), ending);
        for (const sentence of wrong) violations.push(`${place.name}, SIGKILL ${name}: ${sentence}`);
        if (victim.signal() === 'SIGKILL') killed += 1;
      },
      { concurrency: 2 },
    );
    // The number of effects varies, because writes may be batched. Most points must be reached, or the harness tried nothing.
    if (killed < points.length * 0.9)
      violations.push(`${place.name}: only ${killed} of ${points.length} passes were killed`);
    findings.push({ harness: `SIGKILL, ${place.name}`, unit: 'crash points', tried: killed, violations });
  }
  for (const place of places) await place.close();
  return findings;
}

async function liveInProcess(fixture: Fixture, place: Place) {
  const victim = inProcess();
  const ending = await live(fixture, place, [victim.pass]);
  return { ending, effects: victim.effects() };
}

/** A pass in another process. Without `dies` it runs to its end. */
function inProcess(dies?: { readonly n: number; readonly when: Moment }) {
  let effects: readonly string[] = [];
  let signal: NodeJS.Signals | null = null;
  const pass: Pass = async (opened, world) => {
    if (opened.elsewhere === null) throw new Error('another process cannot reach this ledger');
    const sandbox = await startSandbox({ production: world });
    const input: VictimInput = {
      elsewhere: opened.elsewhere,
      apiUrl: sandbox.url,
      now: world.now().toISOString(),
      ...(dies === undefined ? {} : { dies }),
    };
    const child = fork(fileURLToPath(new URL('./victim.ts', import.meta.url)), [JSON.stringify(input)], {
      execArgv: [],
      silent: true,
    });
    let printed = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      printed += chunk.toString('utf8');
    });
    child.once('message', (message) => {
      effects = (message as VictimAnswer).effects;
    });
    const [code, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    await sandbox.close();
    signal = killedBy;
    if (killedBy === null && code !== 0)
      throw new Error(`the victim failed before it was killed (exit code ${code}): ${printed}`);
  };
  return { pass, effects: () => effects, signal: () => signal };
}
