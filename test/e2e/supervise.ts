import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

/**
 * `node supervise.ts FOLDER PROGRAM`: runs a program in a folder for as long as our standard input stays open, then ends
 * it and removes the folder. Whoever started us may be killed in any way: the pipe closes with it.
 */
const [, , folder = '', program = ''] = process.argv;
const child = spawn(program, [], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });

let ending = false;
function end(): void {
  if (ending) return;
  ending = true;
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), 5_000).unref();
}

process.stdin.resume();
process.stdin.once('close', end);
// Ctrl-C reaches the whole group; the end of the input decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);

child.once('exit', (code) => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(code ?? 0);
});
