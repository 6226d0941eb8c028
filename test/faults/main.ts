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
 * Runs the fault harnesses and prints a table of their results:
 * `node test/faults/main.ts [--size quick|full|soak] [--only NAME] [--first] [--json]`. Exits with 1 after a violation.
 */

/** The longest first, so that no harness runs alone at the end. */
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
    /** Stop at the first violation. */
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
  // Wait until a slow pipe has taken the document.
  await new Promise<void>((resolve) => process.stdout.write(`${JSON.stringify(findings)}\n`, () => resolve()));
} else {
  showTables(findings);
}
process.exit(code);

/** Runs one harness after the other until none is left. */
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

/** Runs a harness in a separate process, because each keeps one core busy. */
async function runApart(name: string): Promise<readonly Finding[]> {
  // Every attack takes five minutes more, and npm run test:security tries them.
  const itsSize = name === 'security' && size === 'full' ? 'quick' : values.size;
  const args = [fileURLToPath(import.meta.url), '--size', itsSize, '--only', name, '--json'];
  if (values.first) args.push('--first');
  try {
    return JSON.parse((await run(args)).stdout) as readonly Finding[];
  } catch (error) {
    // After a violation the exit code is 1, but the findings are complete.
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    if (stdout.startsWith('[')) return JSON.parse(stdout) as readonly Finding[];
    throw new Error(`the harness "${name}" failed: ${stderr.slice(0, 2_000)}`, { cause: error });
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
  console.log(`\n${table(['HARNESS', 'TRIED', '', 'VIOLATIONS'], rows, 100, 0)}`);
  const months = all.filter(({ unit }) => unit === 'simulated days');
  if (months.length === 0) return;
  const names = ['simulated days', ...Object.keys(months[0]?.figures ?? {})];
  const figures = names.map((name) => [name, ...months.map(({ tried, figures }) => number(figures?.[name] ?? tried))]);
  const head = ['', ...months.map(({ harness }) => harness.toUpperCase())];
  console.log(`\n${table(head, figures, 100, 0)}`);
}
