#!/usr/bin/env node
import { asksForJson } from './failure.ts';
import { openOutput } from './output.ts';
import { main } from './program.ts';
import { showProgress } from './progress.ts';
import { openPrompt } from './prompt.ts';

const args = process.argv.slice(2);
const output = openOutput(process.stdout, process.stderr);

// This also handles unhandled promise rejections. It prints a sentence instead of a stack trace.
process.on('uncaughtException', (error) => process.exit(output.crash(error, asksForJson(args))));

const code = await main(args, {
  ...output,
  columns: process.stdout.columns ?? (Number(process.env.COLUMNS) || 120),
  variables: process.env,
  progress: (text) => showProgress(process.stderr, text),
  prompt: () => openPrompt(process.stdin, process.stderr),
});
// Setting exitCode lets Node write all output before it exits.
process.exitCode = output.codeOf(code);
