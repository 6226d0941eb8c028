import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { table } from '../../functions/cli/format.ts';
import { attackEverywhere } from '../security/attack.ts';
import { liveInChaos } from './chaos.ts';
import { crashEverywhere } from './crash.ts';
import type { Finding, Size } from './finding.ts';
import { faceHostility } from './hostile.ts';
import { showHostileText } from './hostile-text.ts';
import { killEverywhere } from './kill.ts';
import { simulateMonths } from './months.ts';
import { raceEverywhere } from './races.ts';

/**
 * All that is done to the guard, and a table of what came of it:
 * `node test/faults/main.ts [--size quick|full|soak] [--only NAME] [--first] [--json]`. Exits with 1 when a law was broken.
 */

/** The longest first, so that none runs alone at the end. */
const HARNESSES: Readonly<Record<string, (size: Size, first: boolean) => Promise<readonly Finding[]>>> = {
  races: raceEverywhere,
  months: simulateMonths,
  security: attackEverywhere,
  kill: killEverywhere,
  crash: crashEverywhere,
  hostile: faceHostility,
  chaos: liveInChaos,
  text: showHostileText,
};

const SIZES = ['quick', 'full', 'soak'] as const satisfies readonly Size[];

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'full' },
    only: { type: 'string' },
    /** The first violation is enough. */
    first: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const size = SIZES.find((name) => name === values.size);
const chosen = Object.entries(HARNESSES).filter(([name]) => values.only === undefined || name === values.only);
if (size === undefined || chosen.length === 0) {
  console.error(`--size is one of ${SIZES.join(', ')}; --only is one of ${Object.keys(HARNESSES).join(', ')}`);
  process.exit(2);
}

const say = (text: string) => {
  if (!values.json) console.log(text);
};
const findings: Finding[] = [];
const waiting = [...chosen];
await Promise.all(Array.from({ length: availableParallelism() }, takeTurns));

const code = findings.some(({ violations }) => violations.length > 0) ? 1 : 0;
if (values.json) {
  // Out before the end: a pipe takes its time.
  await new Promise<void>((resolve) => process.stdout.write(`${JSON.stringify(findings)}\n`, () => resolve()));
} else {
  showTables(findings);
}
process.exit(code);

/** Runs one harness after the other until none is waiting. */
async function takeTurns(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [name, harness] = next;
    const begun = performance.now();
    const found = chosen.length === 1 ? await harness(size ?? 'full', values.first) : await runApart(name);
    findings.push(...found);
    for (const { harness, unit, tried, violations } of found) {
      say(`${harness}: ${tried.toLocaleString('en-US')} ${unit}, ${violations.length} violations`);
      for (const violation of violations.slice(0, 20)) say(`  ${violation}`);
      if (violations.length > 20) say(`  … and ${violations.length - 20} more`);
    }
    say(`  (${name}: ${((performance.now() - begun) / 1_000).toFixed(0)} s)`);
  }
}

/** The harness in a process of its own: each keeps one core busy. */
async function runApart(name: string): Promise<readonly Finding[]> {
  // All of the attacks takes five minutes more, and has a command of its own: npm run test:security.
  const itsSize = name === 'security' && size === 'full' ? 'quick' : values.size;
  const args = [fileURLToPath(import.meta.url), '--size', itsSize, '--only', name, '--json'];
  if (values.first) args.push('--first');
  try {
    return JSON.parse((await run(args)).stdout) as readonly Finding[];
  } catch (error) {
    // A violation ends it with 1, and with its findings all the same.
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    if (stdout.startsWith('[')) return JSON.parse(stdout) as readonly Finding[];
    throw new Error(`the harness "${name}" did not come to its end: ${stderr.slice(0, 2_000)}`, { cause: error });
  }
}

function run(args: readonly string[]): Promise<{ readonly stdout: string }> {
  return promisify(execFile)(process.execPath, args, { maxBuffer: 256 * 1024 * 1024 });
}

function showTables(all: readonly Finding[]): void {
  const number = (value: string | number) => value.toLocaleString('en-US');
  const rows = all.map(({ harness, unit, tried, violations }) => [
    harness,
    number(tried),
    unit,
    number(violations.length),
  ]);
  console.log(`\n${table(['WHAT WAS DONE TO IT', 'TRIED', '', 'VIOLATIONS'], rows, 100, 0)}`);
  const months = all.filter(({ unit }) => unit === 'simulated days');
  if (months.length === 0) return;
  const names = ['simulated days', ...Object.keys(months[0]?.figures ?? {})];
  const figures = names.map((name) => [name, ...months.map(({ tried, figures }) => number(figures?.[name] ?? tried))]);
  const head = ['', ...months.map(({ harness }) => harness.toUpperCase())];
  console.log(`\n${table(head, figures, 100, 0)}`);
}
