import { appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Copies everything that a test process prints into the run's folder, which is searched for the key. */
for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
    appendFileSync(join(tmpdir(), `printed-${process.pid}.log`), chunk);
    return write(chunk, ...rest);
  }) as typeof stream.write;
}
for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
  const print = console[method].bind(console);
  console[method] = (...values: unknown[]) => {
    appendFileSync(join(tmpdir(), `console-${process.pid}.log`), `${values.map(String).join(' ')}\n`);
    print(...values);
  };
}
