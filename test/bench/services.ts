import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Counts, Scene } from './server.ts';

/** The services of `server.ts`, for the bench's process. */
export interface Services {
  readonly origin: string;
  /** Starts a scene, and returns the counts of the previous one. */
  set(scene: Scene): Promise<Counts>;
  stop(): Promise<void>;
}

export async function startServices(): Promise<Services> {
  const child: ChildProcess = fork(fileURLToPath(new URL('./server.ts', import.meta.url)));
  const answer = async () => {
    const [message] = (await once(child, 'message')) as [{ origin: string; before: Counts }];
    return message;
  };
  const { origin } = await answer();
  return {
    origin,
    set: async (scene) => {
      const answered = answer();
      child.send(scene);
      return (await answered).before;
    },
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
