#!/usr/bin/env node
import { asksForJson } from './failure.ts';
import { openOutput } from './output.ts';
import { main } from './program.ts';
import { showProgress } from './progress.ts';
import { openPrompt } from './prompt.ts';

const args = process.argv.slice(2);
const output = openOutput(process.stdout, process.stderr);

// Rejected promises that nobody waits for come here, too. A stack trace would help nobody at a terminal.
process.on('uncaughtException', (error) => process.exit(output.crash(error, asksForJson(args))));

const code = await main(args, {
  ...output,
  columns: process.stdout.columns ?? (Number(process.env.COLUMNS) || 120),
  variables: process.env,
  progress: (text) => showProgress(process.stderr, text),
  prompt: () => openPrompt(process.stdin, process.stderr),
});
// The process ends by itself, when everything that was written has been read.
process.exitCode = output.codeOf(code);
