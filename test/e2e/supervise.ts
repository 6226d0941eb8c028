import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

/**
 * `node supervise.ts FOLDER PROGRAM`: runs a program in a folder while standard input is open, then ends the program and removes the
 * folder. If the parent process is killed, the pipe closes, so nothing is left behind.
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
// Ctrl-C reaches the whole process group. End the program, but stay until it has exited.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);

child.once('exit', (code) => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(code ?? 0);
});
