#!/usr/bin/env node
import { main } from './program.ts';
import { showProgress } from './progress.ts';

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  columns: process.stdout.columns ?? (Number(process.env.COLUMNS) || 120),
  variables: process.env,
  progress: (text) => showProgress(process.stderr, text),
});
