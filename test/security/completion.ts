import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import fc from 'fast-check';
import { completionScript, SHELLS } from '../../functions/cli/complete.ts';
import type { Size } from '../faults/finding.ts';
import type { Attack, Kind } from './kind.ts';

/**
 * Presses TAB in a real `bash`, on lines that would have an effect if anything evaluated them. The completion script is
 * that of `integration-guard complete bash`. A stub replaces the program and records its arguments, so that hundreds of
 * lines take a moment. The real program's completions are tested separately.
 */

/** Words as they are on the line, including quotes. */
const LINES: readonly (readonly string[])[] = [
  ['integration-guard', 'pause', '$(touch x)'],
  ['integration-guard', 'pause', '`touch x`'],
  ['integration-guard', 'pause', '"$(touch x)"'],
  ['integration-guard', 'pause', '"$(touch x)'],
  ['integration-guard', 'pause', "'$(touch x)"],
  ['integration-guard', '$(touch x)', ''],
  ['integration-guard', 'list', '>', 'canary', ''],
  ['integration-guard', 'list', '>canary', ''],
  ['integration-guard', 'list', '2>canary', ''],
  ['integration-guard', 'list', '&>canary', ''],
  ['integration-guard', 'list', '<(touch x)', ''],
  ['integration-guard', 'list', '>(touch x)', ''],
  ['integration-guard', 'list', ';', 'touch', 'x'],
  ['integration-guard', 'list', ';touch x;', ''],
  ['integration-guard', 'list', '&&', 'touch', 'x'],
  ['integration-guard', 'list', '|', 'touch', 'x'],
  ['integration-guard', 'list', '&', 'touch x', ''],
  ['integration-guard', 'list', '--project', '$(touch x)'],
  ['integration-guard', 'list', '--project=$(touch x)'],
  ['integration-guard', 'list', '--project', '=', '$(touch x)'],
  ['integration-guard', 'list', '$(rm canary)', '*'],
  ['integration-guard', 'list', `$${'{'}x:=$(touch x)}`],
  ['integration-guard', 'list', '$((a[$(touch x)]))'],
  ['integration-guard', 'list', 'a[$(touch x)]'],
  ['integration-guard', 'list', '~', '*', '?'],
  ['integration-guard', 'list', '{a,b}', '!!'],
  ['integration-guard', 'list', '\n', 'touch x', '\n'],
  ['integration-guard', 'list', '\ntouch x\n'],
  ['integration-guard', 'list', '\\$(touch x)'],
  ['integration-guard', 'list', "';touch x;'"],
  ['integration-guard', 'list', '";touch x;"'],
  ['integration-guard', 'list', '--', '$(touch x)'],
  ['integration-guard', 'list', '-n', '-e', '-E'],
  ['integration-guard', 'list', '%s%n', '\\x24(touch x)'],
  ['integration-guard', 'list', '\u202e$(touch x)', '\u001b]0;x\u0007'],
  ['integration-guard', 'list', '<<<$(touch x)', ''],
  ['integration-guard', 'list', '$BASH_ENV', '$PATH'],
  ['integration-guard', '', ''],
];

const PIECE = fc.constantFrom(
  '$(touch x)',
  '`touch x`',
  '"',
  "'",
  '\\',
  ';',
  '&',
  '|',
  '>',
  '<',
  '(',
  ')',
  '{',
  '}',
  '$',
  '*',
  '!',
  '#',
  '\n',
  '\t',
  ' ',
  '=',
  '--project',
  'canary',
  'touch x',
  '~',
);
const MIXED = fc.array(
  fc.array(PIECE, { maxLength: 5 }).map((pieces) => pieces.join('')),
  { minLength: 1, maxLength: 4 },
);

const SEED = 9_009;

function attack(size: Size): Attack {
  const folder = mkdtempSync(join(tmpdir(), 'guard-completion-'));
  try {
    const mixed = fc.sample(MIXED, { seed: SEED, numRuns: size === 'quick' ? 60 : 1_500 });
    const hostile = tryLines(folder, [...LINES, ...mixed.map((words) => ['integration-guard', 'list', ...words])]);
    const useful = tryUse(folder, size);
    return {
      tried: hostile.tried + useful.tried,
      violations: [...hostile.violations, ...useful.violations, ...scriptFaults()],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function tryLines(folder: string, lines: readonly (readonly string[])[]): Attack {
  const work = join(folder, 'work');
  const bin = join(folder, 'bin');
  mkdirSync(work);
  mkdirSync(bin);
  const log = join(folder, 'log');
  // Also under the guard's name, because a script may search the PATH for it.
  const stub = join(bin, 'integration-guard');
  writeFileSync(
    stub,
    `#!/bin/sh\nprintf '%s\\0' "$@" >>'${log}'\nprintf '\\001\\0' >>'${log}'\nprintf 'value\\tdescription\\n'\n`,
  );
  chmodSync(stub, 0o700);
  const script = completionScript('bash').replace(
    `'${process.execPath}' '${resolve('functions/cli/main.ts')}'`,
    `'${stub}'`,
  );
  writeFileSync(join(folder, 'script.bash'), script);
  const violations: string[] = [];
  const run = (chosen: readonly (readonly string[])[]) => {
    writeFileSync(log, '');
    writeFileSync(join(work, 'canary'), 'sings');
    const calls = chosen.map(callOf).join('');
    const { stderr } = spawnSync('bash', ['--norc', '--noprofile'], {
      cwd: work,
      env: { PATH: `${bin}${delimiter}${process.env.PATH}` },
      input: `source ../script.bash\nf=$(complete -p integration-guard | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n${calls}`,
      encoding: 'utf8',
      maxBuffer: 64 * 1_024 * 1_024,
    });
    const isWell = readdirSync(work).join() === 'canary' && readFileSync(join(work, 'canary'), 'utf8') === 'sings';
    rmSync(work, { recursive: true });
    mkdirSync(work);
    return { isWell, stderr, passed: readFileSync(log, 'utf8').split('\u0001\0').slice(0, -1) };
  };
  const { isWell, passed } = run(lines);
  lines.forEach((words, index) => {
    const wanted = ['complete', '--', ...words.slice(1), ''].join('\0');
    if (isWell && passed.length === lines.length && passed[index] === wanted) return;
    // Run alone, to see the effect of this line.
    const alone = run([words]);
    if (!alone.isWell) violations.push(`${JSON.stringify(words)} was executed (seed ${SEED})`);
    else if (alone.passed.join('|') !== wanted)
      violations.push(`${JSON.stringify(words)} arrives as ${JSON.stringify(alone.passed)} (seed ${SEED})`);
  });
  return { tried: lines.length, violations };
}

/** The `bash` command that presses TAB at the end of the line. */
function callOf(words: readonly string[]): string {
  const line = words.join(' ');
  return [
    `COMP_WORDS=(${words.map(quote).join(' ')})`,
    `COMP_CWORD=${words.length - 1}`,
    `COMP_LINE=${quote(line)}`,
    `COMP_POINT=${line.length}`,
    `"$f" integration-guard ${quote(words.at(-1) ?? '')} ${quote(words.at(-2) ?? '')} </dev/null\n`,
  ].join('; ');
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The use cases: each line, and one of the words that its completion must offer. */
const USES: readonly (readonly [readonly string[], string])[] = [
  [['integration-guard', 'do'], 'doctor'],
  [['integration-guard', ''], 'plan'],
  [['integration-guard', 'list', '--pro'], '--project'],
  [['integration-guard', 'list', '--project', ''], 'production'],
  [['integration-guard', 'list', '--project', '=', 'stag'], 'staging'],
  [['integration-guard', 'complete', 'f'], 'fish'],
  [['integration-guard', 'ignore', 'an-id', '--o'], '--off'],
];

function tryUse(folder: string, size: Size): Attack {
  const script = join(folder, 'real.bash');
  const settings = join(folder, 'settings.json');
  writeFileSync(script, completionScript('bash'));
  const projects = { production: { secretName: 'x' }, staging: { secretName: 'y' } };
  writeFileSync(settings, JSON.stringify({ projects }));
  const uses = size === 'quick' ? USES.slice(3, 4) : USES;
  const violations = uses.flatMap(([words, wanted]) => {
    const { stdout } = spawnSync('bash', ['--norc', '--noprofile'], {
      env: { PATH: process.env.PATH, GUARD_SETTINGS: settings },
      input: `source ${quote(script)}\nf=$(complete -p integration-guard | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n${callOf(words)}printf '%s\\n' "\${COMPREPLY[@]}"\n`,
      encoding: 'utf8',
    });
    const offered = stdout.split('\n').map((word) => word.trim());
    return offered.includes(wanted) ? [] : [`${words.join(' ')} does not offer ${wanted}: ${stdout}`];
  });
  return { tried: uses.length, violations };
}

/** Inspects the scripts of shells that may not be installed: none may contain a word for "execute this text". */
function scriptFaults(): readonly string[] {
  return SHELLS.flatMap((shell) => {
    const found = /\beval\b|\bcompgen\b[^\n]*-W|Invoke-Expression|\biex\b|\(e\)|\bsource\b|ScriptBlock\]::Create/i.exec(
      completionScript(shell),
    );
    return found === null ? [] : [`the script for ${shell} has ${found[0]}`];
  });
}

export const completion: Kind = {
  name: 'completion',
  promise: 'The completions evaluate nothing on the line, and pass every word on unchanged.',
  attack,
};
