import { parentPort, workerData } from 'node:worker_threads';
import { live } from './life.ts';
import type { Task } from './parallel.ts';

/** One life in a thread of its own. */
const { options, policy, intervalMinutes } = workerData as Task;
Date.parse = remembering(Date.parse);
parentPort?.postMessage(await live(options, policy, intervalMinutes));

/**
 * Passes compare the same few moments again and again: parsing them took a third of a life. Only this thread remembers
 * them, and it ends with the life.
 */
function remembering(parse: (text: string) => number): (text: string) => number {
  const known = new Map<string, number>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const parsed = parse(text);
    known.set(text, parsed);
    return parsed;
  };
}
