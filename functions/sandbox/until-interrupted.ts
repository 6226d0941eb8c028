import { setTimeout as sleep } from 'node:timers/promises';

/** The signals that end a program: Ctrl-C, a polite `kill`, and a terminal that is closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Aborts at the first signal. A second signal ends the process at once. */
  readonly signal: AbortSignal;
  /** Resolves at the first signal. */
  readonly interrupted: Promise<void>;
  /** Stops listening. After a signal it ends the process by that signal, unless `asUsual`: then the signal was the ordinary end. */
  end(asUsual: boolean): Promise<void>;
}

/** Lets a program remove its files before a signal ends it. */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  const interrupted = new Promise<void>((resolve) =>
    controller.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  let received: NodeJS.Signals | null = null;
  const listeners = SIGNALS.map((name) => {
    const listener = () => {
      received = name;
      controller.abort();
    };
    process.once(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    interrupted,
    async end(asUsual) {
      for (const { name, listener } of listeners) process.off(name, listener);
      // A shell script sees that Ctrl-C ended the program, and ends as well.
      if (received === null || asUsual) return;
      process.kill(process.pid, received);
      // The signal arrives in a later turn of the event loop, which must not be empty before.
      await sleep(10_000);
    },
  };
}
