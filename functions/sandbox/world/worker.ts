import { parentPort, workerData } from 'node:worker_threads';
import { live } from './life.ts';
import type { Task } from './parallel.ts';

/** One life in a thread of its own. */
const { options, policy } = workerData as Task;
parentPort?.postMessage(await live(options, policy));
