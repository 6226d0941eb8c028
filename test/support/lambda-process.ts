import { type ChildProcess, fork } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A bundle in a separate process that stays warm between invocations, as in Lambda. */
export interface LambdaProcess {
  /** @throws an error with the name and the message of the handler's error */
  invoke(event: unknown, remainingMs?: number): Promise<unknown>;
  /** Everything that the process has printed. */
  readonly output: () => string;
  stop(): Promise<void>;
}

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly name: string; readonly message: string };
}

export function startLambda(bundle: string, environment: Readonly<Record<string, string>>): LambdaProcess {
  const runner = fileURLToPath(new URL('./lambda-runner.ts', import.meta.url));
  const child: ChildProcess = fork(runner, [bundle], {
    silent: true,
    execArgv: ['--enable-source-maps'],
    env: { PATH: process.env.PATH ?? '', TMPDIR: tmpdir(), ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      appendFileSync(join(tmpdir(), `lambda-${child.pid}.log`), chunk);
    });
  }
  return {
    output: () => output,
    invoke: (event, remainingMs = 120_000) =>
      new Promise((resolve, reject) => {
        const onExit = (code: number | null) =>
          reject(new Error(`the function's process ended with ${code}: ${output}`));
        child.once('exit', onExit);
        child.once('message', (message) => {
          child.off('exit', onExit);
          const { result, error } = message as Answer;
          if (error === undefined) resolve(result);
          else reject(Object.assign(new Error(error.message), { name: error.name }));
        });
        child.send({ event, remainingMs });
      }),
    stop: async () => {
      if (child.exitCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
    },
  };
}
