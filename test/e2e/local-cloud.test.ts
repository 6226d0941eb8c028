import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, expect, it } from 'vitest';
import { commandsAt } from '../docs/code-blocks.ts';
import { runPrinted } from '../support/printed-commands.ts';
import { PROJECT } from './cloud.ts';

/** `npm run local-cloud`, and the commands that it prints, as they are printed. */

let program: ChildProcess | undefined;

afterAll(async () => {
  if (program?.pid === undefined || program.exitCode !== null || program.signalCode !== null) return;
  const ended = once(program, 'close');
  process.kill(-program.pid, 'SIGINT');
  await ended;
});

it('deploys, and its commands show the promised results', { timeout: 240_000 }, async () => {
  const place = 'docs/deploy.md § A deployment on your machine';
  // A process group, so that a signal also reaches the children of npm, as Ctrl-C does.
  const started = spawn('bash', ['-c', commandsAt(place)], { cwd: PROJECT, detached: true });
  program = started;
  let output = '';
  for (const stream of [started.stdout, started.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const ended = once(started, 'close').then(([code]) => code);
  while (!output.includes('Ctrl-C ends and removes everything.')) {
    if (started.exitCode !== null) throw new Error(`it ended:\n${output}`);
    await Promise.race([once(started.stdout, 'data'), ended]);
  }
  const runs = await runPrinted(output.slice(output.indexOf('The guard is deployed')));
  for (const { command, code, output: printed } of runs) expect(code, `${command}\n${printed}`).toBe(0);
  const outputOf = (word: string) => runs.filter(({ command }) => command.includes(word)).map((run) => run.output);
  const [list = ''] = outputOf(' list ');
  expect(list).toMatch(/hook-crm .* paused/);
  expect(list).toMatch(/af-android .* paused/);
  const [history = ''] = outputOf(' history ');
  expect(history).toMatch(/guard +mix-ios +paused/);
  expect(outputOf(' pause ')[0]).toContain('amp-ios is paused');
  expect(outputOf('receive-message').join('')).toContain('PAUSED: Mixpanel');
  process.kill(-(started.pid ?? Number.NaN), 'SIGINT');
  await ended;
});
