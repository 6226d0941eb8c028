import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import fc from 'fast-check';
import { main } from '../../functions/cli/program.ts';
import { describeError } from '../../functions/guard/errors.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { CONTEXT_KEY } from '../../functions/local/settings-file.ts';
import { loadSettings } from '../../infra/load-settings.ts';
import type { Size } from '../faults/finding.ts';

import { A_KEY } from './hostile-api.ts';
import type { Attack, Kind } from './kind.ts';

/**
 * Text that controls a terminal, reorders a line or fakes a new one, in every input that the guard reads before it
 * calls Qonversion.
 */

const FIXED: readonly string[] = [
  '\u001b]52;c;ZWNobyBwd25lZA==\u0007',
  '\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007',
  '\u001b[2J\u001b[H',
  '\u001b[31mred',
  '\u001bP1$r\u001b\\',
  '\u001bc',
  '\u009b2J',
  '\u009d52;c;ZWNobw==\u009c',
  '\u0090q\u009c',
  '\u202egnp.exe',
  '\u2066isolated\u2069',
  '\u200f\u061cright',
  '\u200bzero\u200dwidth\ufeff',
  'a\rFAKELINE',
  'a\nFAKELINE: all is well',
  'a\u2028FAKELINE',
  'a\u0085FAKELINE',
  'a\b\b\b\u007f',
  'x'.repeat(60_000),
  '\u001b[0m'.repeat(20_000),
];

/** Pieces in any order, because removing one must not create another. */
const MIXED = fc
  .array(
    fc.constantFrom(
      '\u001b',
      '[',
      ']',
      '52;c;',
      '\u0007',
      '\\',
      '\u009b',
      '\u009d',
      '\u202e',
      '\u2067',
      'm',
      'H',
      '\n',
      '\r',
      '\u200b',
      '\u0000',
      'sk',
      'a b',
      '"',
      '\ud800',
      '\udfff',
    ),
    { minLength: 2, maxLength: 14 },
  )
  .map((parts) => parts.join(''));

/**
 * Characters that no sentence and no document may contain: controls except line ends, and format and separator
 * characters.
 */
const UNSAFE = /[\p{Cs}\p{Cf}\p{Zl}\p{Zp}]|[^\n\P{Cc}]/u;

const MAX_CHARACTERS = 12_000;

function faultIn(text: string): string | null {
  if (UNSAFE.test(text)) return 'raw';
  if (/^(?:guard: |error: )?FAKELINE/m.test(text)) return 'as a line of its own';
  return text.length > MAX_CHARACTERS ? `uncut, ${text.length} characters` : null;
}

const project = { secretName: 'x', apiUrl: 'http://127.0.0.1:1' };

/** Places in the settings. */
const DOCUMENTS: readonly ((text: string) => unknown)[] = [
  (text) => text,
  (text) => [text],
  (text) => ({ [text]: 1 }),
  (text) => ({ projects: { [text]: project } }),
  (text) => ({ projects: { [text]: { ...project, policy: { mode: 'x' } } } }),
  (text) => ({ projects: { [text]: project, a: project } }),
  (text) => ({ projects: { a: { ...project, [text]: 1 } } }),
  (text) => ({ projects: { a: { ...project, secretName: text } } }),
  (text) => ({ projects: { a: { ...project, apiUrl: text } } }),
  (text) => ({ projects: { a: { ...project, policy: { [text]: { [text]: text } } } } }),
  (text) => ({ projects: { a: { ...project, policy: { overrides: [{ match: { id: text }, mode: text }] } } } }),
  (text) => JSON.parse(`{"projects":{${JSON.stringify(text)}:{"__proto__":1}}}`),
  (text) => ({ fleet: { secretNamePrefix: text } }),
  (text) => ({ fleet: { secretNamePrefix: 'q/', policies: [{ tag: text, match: text, policy: { mode: text } }] } }),
  (text) => ({ projects: { a: project }, alerts: { subscriptions: [{ email: text, [text]: text }] } }),
  (text) => ({ projects: { a: project }, alerts: { subscriptions: [{ email: 'a@b.example', projects: [text] }] } }),
];

/** Places on the command line. */
const LINES: readonly ((text: string) => readonly string[])[] = [
  (text) => [text],
  (text) => ['plan', text],
  (text) => ['plan', `--${text}`],
  (text) => ['plan', `-${text}`],
  (text) => ['plan', '--project', text],
  (text) => ['plan', '--stack', text],
  (text) => ['projects', '--stack', text],
  (text) => ['pause', text],
  (text) => ['pause', '--', text],
  (text) => ['history', '--since', text],
  (text) => ['ignore', 'a', '--for', text],
  (text) => ['simulate', '--seeds', text],
  (text) => ['demo', '--pace', text],
  (text) => ['doctor', '--project', text],
  (text) => ['complete', text],
  (text) => ['help', text],
];

const SEED = 11_011;

async function attack(size: Size): Promise<Attack> {
  const folder = mkdtempSync(join(tmpdir(), 'guard-settings-text-'));
  const sound = join(folder, 'sound.json');
  const given = join(folder, 'given.json');
  writeFileSync(sound, JSON.stringify({ projects: { a: project, b: { ...project, secretName: 'y' } } }));
  // At the quick size, each text is tried in some places, and each place with some texts.
  const isLeftOut = (turn: number) => size === 'quick' && turn % 6 !== 0;
  const texts = [...FIXED, ...fc.sample(MIXED, { seed: SEED, numRuns: size === 'quick' ? 4 : 40 })];
  let tried = 0;
  const violations: string[] = [];
  const check = (where: string, text: string, shown: string) => {
    tried += 1;
    const fault = faultIn(shown);
    if (fault === null) return;
    violations.push(`${where} shows ${JSON.stringify(text.slice(0, 40))} ${fault} (seed ${SEED})`);
  };
  try {
    for (const [index, text] of texts.entries()) {
      for (const [place, put] of DOCUMENTS.entries()) {
        const document = put(text);
        check(
          `document ${place}`,
          text,
          complaintOf(() => parseSettings(document, 'cdk.json')),
        );
        if (isLeftOut(index + place)) continue;
        check(
          `context ${place}`,
          text,
          complaintOf(() => loadSettings(new App({ context: { [CONTEXT_KEY]: document } }), {})),
        );
        writeFileSync(given, JSON.stringify(document));
        check(`file ${place}`, text, await saidOf(['projects'], { GUARD_SETTINGS: given }));
        // The document's first entry, twice.
        writeFileSync(given, JSON.stringify(document).replace(/^\{("(?:[^"\\]|\\.)*":)/, '{$1null,$1'));
        check(`file ${place} with an entry twice`, text, await saidOf(['doctor'], { GUARD_SETTINGS: given }));
      }
      for (const json of [[], ['--json']]) {
        for (const [place, put] of LINES.entries()) {
          if (isLeftOut(index + place + json.length)) continue;
          const args = [...put(text)];
          if (json.length > 0) args.splice(1, 0, ...json);
          check(`line ${place} ${json.join()}`, text, await saidOf(args, { GUARD_SETTINGS: sound }));
        }
        const variables: readonly Readonly<Record<string, string>>[] = [
          { GUARD_SETTINGS: text },
          { GUARD_SETTINGS: sound, GUARD_STACK: text },
          { GUARD_SETTINGS: sound, GUARD_LEDGER: join(folder, 'none', text) },
          { GUARD_SETTINGS: sound, GUARD_LEDGER: join(sound, text) },
          { GUARD_SETTINGS: sound, QONVERSION_SECRET_KEY: text },
        ];
        for (const [place, more] of variables.entries()) {
          for (const command of ['history', 'doctor']) {
            if (isLeftOut(index + place + command.length)) continue;
            const said = await saidOf([command, ...json, '--project', 'a'], {
              // With a key, the doctor would wait for an API that does not exist.
              ...(command === 'doctor' ? {} : { QONVERSION_SECRET_KEY: A_KEY }),
              ...more,
            });
            check(`${command} ${json.join()} with variable ${place}`, text, said);
          }
        }
      }
      check(
        '-c settings=',
        text,
        complaintOf(() => loadSettings(new App({ context: { settings: text } }), {})),
      );
      check(
        'GUARD_SETTINGS of cdk',
        text,
        complaintOf(() => loadSettings(new App(), { GUARD_SETTINGS: text })),
      );
    }
    for (const text of texts.slice(0, size === 'quick' ? 0 : 8)) check('-c stackName=', text, synthesisOf(text, sound));
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { tried, violations };
}

function complaintOf(run: () => unknown): string {
  try {
    run();
    return '';
  } catch (error) {
    return `${describeError(error)}\n${error instanceof Error ? error.message : ''}`;
  }
}

async function saidOf(args: readonly string[], variables: Readonly<Record<string, string>>): Promise<string> {
  let said = '';
  const write = (text: string) => {
    said += text;
  };
  await main(args, { out: write, err: write, columns: 100, progress: () => () => undefined, variables });
  return said;
}

/** The output of a synthesis with this stack name. */
function synthesisOf(stackName: string, settings: string): string {
  const { stderr, stdout } = spawnSync(process.execPath, ['infra/app.ts'], {
    env: {
      PATH: process.env.PATH,
      GUARD_SETTINGS: settings,
      CDK_CONTEXT_JSON: JSON.stringify({ stackName, 'aws:cdk:bundling-stacks': [] }),
    },
    encoding: 'utf8',
  });
  return stdout + stderr;
}

export const settingsText: Kind = {
  name: 'settings-text',
  promise:
    'The guard’s errors about any text in the settings, on the command line or in the environment are plain and short.',
  attack,
};
