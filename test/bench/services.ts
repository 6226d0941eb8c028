import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Counts, Scene } from './server.ts';

/** The services of `server.ts`, from the side of whoever measures. */
export interface Services {
  readonly origin: string;
  /** Begins a scene; the counts of the one before. */
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
