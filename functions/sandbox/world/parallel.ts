import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Policy } from '../../guard/settings/schema.ts';
import { INTERVAL_MINUTES, type Life } from './life.ts';
import type { WorldOptions } from './realistic-world.ts';

/** Lives side by side, one per core. */

export interface Task {
  readonly options: WorldOptions;
  readonly policy: Policy;
  readonly intervalMinutes: number;
}

/**
 * Every policy in the same worlds.
 * @returns for each policy its lives, in the order of the worlds
 */
export async function liveUnder(
  policies: readonly Policy[],
  worlds: readonly WorldOptions[],
  intervalMinutes: number = INTERVAL_MINUTES,
): Promise<readonly (readonly Life[])[]> {
  const tasks = policies.flatMap((policy) => worlds.map((options) => ({ options, policy, intervalMinutes })));
  const lives = await liveAll(tasks);
  return policies.map((_, index) => lives.slice(index * worlds.length, (index + 1) * worlds.length));
}

/** @returns the result of each task, in their order */
async function liveAll(tasks: readonly Task[]): Promise<readonly Life[]> {
  const lives: Life[] = [];
  const waiting = [...tasks.entries()];
  const takeTurns = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      lives[next[0]] = await liveApart(next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), tasks.length) }, takeTurns));
  return lives;
}

function liveApart(task: Task): Promise<Life> {
  const worker = new Worker(
    new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.mjs', import.meta.url),
    {
      workerData: task,
    },
  );
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
