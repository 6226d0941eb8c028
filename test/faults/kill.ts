import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pMap from 'p-map';
import { startSandbox } from '../../functions/sandbox/server.ts';
import { compareEndings, crashPoints, type Eve, live, type Pass, reachEve, sample } from './crash.ts';
import type { Moment } from './effects.ts';
import type { Finding, Size } from './finding.ts';
import { openPlaces, type Place } from './places.ts';
import type { VictimAnswer, VictimInput } from './victim.ts';

/**
 * Crash at every step, for real: the first pass is a process of its own over HTTP, and ends by SIGKILL before or after one of
 * its effects, with up to seven others in flight. The passes after it find what it left in the file or in the tables.
 */
export async function killEverywhere(size: Size): Promise<readonly Finding[]> {
  const eve = await reachEve();
  const places = await openPlaces();
  const findings: Finding[] = [];
  for (const place of places.filter(({ name }) => name !== 'in memory')) {
    const { ending, effects } = await liveInProcess(eve, place);
    const all = crashPoints(effects);
    const points = size === 'quick' ? sample(all, 11) : all;
    const violations: string[] = [];
    let killed = 0;
    await pMap(
      points,
      async ({ n, when, name }) => {
        const victim = inProcess({ n, when });
        const wrong = compareEndings(await live(eve, place, [victim.pass]), ending);
        for (const sentence of wrong) violations.push(`${place.name}, SIGKILL ${name}: ${sentence}`);
        if (victim.signal() === 'SIGKILL') killed += 1;
      },
      { concurrency: 2 },
    );
    // Effects differ in number by how writes fall together; most points must be reached, or nothing was tried.
    if (killed < points.length * 0.9) violations.push(`${place.name}: of ${points.length} only ${killed} were killed`);
    findings.push({ harness: `SIGKILL, ${place.name}`, unit: 'crash points', tried: killed, violations });
  }
  for (const place of places) await place.close();
  return findings;
}

async function liveInProcess(eve: Eve, place: Place) {
  const victim = inProcess();
  const ending = await live(eve, place, [victim.pass]);
  return { ending, effects: victim.effects() };
}

/** A pass in another process; it lives unless it is told where to die. */
function inProcess(dies?: { readonly n: number; readonly when: Moment }) {
  let effects: readonly string[] = [];
  let signal: NodeJS.Signals | null = null;
  const pass: Pass = async (opened, world) => {
    if (opened.elsewhere === null) throw new Error('another process cannot get there');
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
    if (killedBy === null && code !== 0) throw new Error(`the victim ended by itself (${code}): ${printed}`);
  };
  return { pass, effects: () => effects, signal: () => signal };
}
