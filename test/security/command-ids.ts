import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { main } from '../../functions/cli/program.ts';
import { describeType, EVENT_TYPES } from '../../functions/guard/model/event-catalogue.ts';
import { command, stepsOf } from '../../functions/messages/wording.ts';
import { startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import type { Size } from '../faults/finding.ts';
import { anEvent } from '../messages/events.ts';
import { aFailingRecord } from '../support/builders.ts';
import { A_KEY } from './hostile-api.ts';
import type { Attack, Kind } from './kind.ts';

/**
 * Pastes the guard's commands into a real shell, and runs the resulting words through the command line against the
 * sandbox. The IDs are possible ones of Qonversion. The project names are those that the settings and Secrets Manager
 * allow.
 */

const IDS: readonly string[] = [
  '-x',
  '-',
  '--',
  '---',
  '--help',
  '-h',
  '--json',
  '--project',
  '--stack',
  '--off',
  '--for',
  '--force',
  '--verbose',
  '--csv',
  '--since',
  '-1',
  '-0.5',
  '-.',
  '...',
  '.-',
  '_',
  '0',
  'a',
  'help',
  'plan',
  'run',
  'complete',
  '--__proto__',
  '__proto__',
  'constructor',
  '-'.repeat(256),
  'gNl6hyM6',
];

const ID = fc
  .string({ unit: fc.constantFrom(...'-._aZ09'), minLength: 1, maxLength: 256 })
  .filter((id) => id !== '.' && id !== '..');

/** Names of listed projects, then of fleet projects, which are the part of a secret's name after the prefix. */
const LISTED_PROJECTS: readonly string[] = ['production', '0', 'a-b_c', 'X'.repeat(64)];
const FLEET_PROJECTS: readonly string[] = [
  '-x',
  '--',
  '--json',
  '--help',
  '=ls',
  'a=b',
  '@here',
  'a/b',
  '+1',
  '.',
  '/',
  'x-'.repeat(200),
];

const STACKS: readonly string[] = ['IntegrationGuard', 'a', 'X-1'];

const SEED = 8_008;

async function attack(size: Size): Promise<Attack> {
  const ids = [...new Set([...IDS, ...fc.sample(ID, { seed: SEED, numRuns: size === 'quick' ? 5 : 150 })])];
  const violations: string[] = [];
  const printed = printedLines(ids);
  const split = [splitBy('sh', printed), splitBy('bash', printed)];
  for (const words of split) violations.push(...wordFaults(printed, words));
  const [words = []] = split;
  const local = printed.flatMap((line, index) => (line.isRunnable ? [{ line, words: words[index] ?? [] }] : []));
  // At the quick size, each ID is tried in some commands; at the full size, in every command.
  const chosen = local.filter((_, index) => size !== 'quick' || index % 97 === 0);
  const run = await runAll(ids, chosen, size === 'quick' ? ids.filter((_, index) => index % 8 === 0) : ids);
  return { tried: printed.length * 2 + run.tried, violations: [...violations, ...run.violations] };
}

interface Line {
  readonly text: string;
  readonly id: string | null;
  readonly project: string;
  readonly stack: string | null;
  /** Whether the sandbox has the project. */
  readonly isRunnable: boolean;
}

/** Every command in every message about every event. */
function printedLines(ids: readonly string[]): readonly Line[] {
  const lines = new Map<string, Line>();
  const places = [
    ...LISTED_PROJECTS.map((project) => ({ project, stack: null })),
    ...[...LISTED_PROJECTS, ...FLEET_PROJECTS].flatMap((project) => STACKS.map((stack) => ({ project, stack }))),
  ];
  ids.forEach((id, index) => {
    // Every ID with the first project, and with one other project in turn.
    for (const place of [places[0], places[index % places.length]]) {
      if (place === undefined) continue;
      const context = { ...place, place: null, runbook: 'x', panel: null };
      for (const type of EVENT_TYPES) {
        const event = { ...anEvent(type), record: aFailingRecord(60, 60, { id }) };
        const { steps } = describeType(type);
        stepsOf({ first: event, events: [event] }, context).forEach(({ commands }, index) => {
          const isAboutId = steps[index]?.ofIntegration === true;
          for (const text of commands)
            lines.set(text, { text, id: isAboutId ? id : null, ...place, isRunnable: place.stack === null });
        });
      }
    }
  });
  for (const place of places) {
    const text = command('history', place);
    lines.set(text, { text, id: null, ...place, isRunnable: place.stack === null });
  }
  return [...lines.values()];
}

/** The words that a shell makes of each line. */
function splitBy(shell: string, lines: readonly Line[]): readonly (readonly string[])[] {
  const script = lines.map(({ text }) => `printf '%s\\0' ${text}; printf '\\001\\0'\n`).join('');
  const { stdout } = spawnSync(shell, [], { input: script, encoding: 'utf8', maxBuffer: 256 * 1_024 * 1_024 });
  return stdout
    .split('\u0001\0')
    .slice(0, -1)
    .map((words) => words.split('\0').slice(0, -1));
}

function wordFaults(lines: readonly Line[], split: readonly (readonly string[])[]): readonly string[] {
  if (split.length !== lines.length) return [`${lines.length} lines make ${split.length} commands`];
  return lines.flatMap(({ text, id, project, stack }, index) => {
    const words = split[index] ?? [];
    const faults = [
      ...(words[0] === 'npx' && words[1] === 'integration-guard' ? [] : ['is not a command of the guard']),
      ...(words[words.indexOf('--project') + 1] === project || id === '--project' ? [] : ['loses the project']),
      ...(stack === null || words.includes(stack) ? [] : ['loses the stack']),
      ...(id === null || words.includes(id) ? [] : ['loses the ID']),
      ...(id !== null && /^[A-Za-z0-9]/.test(id) && words.includes('--') && project !== '--'
        ? ['is longer than an ordinary ID needs']
        : []),
    ];
    return faults.map((fault) => `${text}: ${fault} (seed ${SEED})`);
  });
}

/** Runs the words through the command line, and then the command that it prints for undoing them. */
async function runAll(
  ids: readonly string[],
  lines: readonly { readonly line: Line; readonly words: readonly string[] }[],
  undone: readonly string[],
): Promise<Attack> {
  const world = new World({ startAt: new Date().toISOString() });
  const sandbox = await startSandbox({ production: world });
  sandbox.regenerateKey(A_KEY);
  for (const id of ids) world.add({ id, active: 1, eventsPerMinute: 1 });
  const folder = mkdtempSync(join(tmpdir(), 'guard-command-ids-'));
  const settings = join(folder, 'settings.json');
  const projects = LISTED_PROJECTS.map((name, index) => [name, { secretName: `s${index}`, apiUrl: sandbox.url }]);
  writeFileSync(settings, JSON.stringify({ projects: Object.fromEntries(projects) }));
  const guard = async (args: readonly string[]) => {
    let out = '';
    let err = '';
    const code = await main(args, {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      columns: 100,
      progress: () => () => undefined,
      variables: {
        QONVERSION_SECRET_KEY: A_KEY,
        GUARD_SETTINGS: settings,
        GUARD_LEDGER: join(folder, 'ledger.json'),
      },
    });
    return { code, out, err };
  };
  let tried = 0;
  const violations: string[] = [];
  try {
    for (const { line, words } of lines) {
      tried += 1;
      const args = words.slice(2);
      const asJson = [
        args[0] ?? '',
        ...(args.includes('--json') && line.id === null ? [] : ['--json']),
        ...args.slice(1),
      ];
      const { code, out, err } = await guard(asJson);
      const said = parse(out);
      const about = said?.id ?? null;
      const isAct = ['pause', 'resume', 'ignore'].includes(args[0] ?? '');
      if (code !== 0 || said === null) violations.push(`${line.text}: exit code ${code}, ${err || out}`.slice(0, 400));
      else if (isAct && about !== line.id) violations.push(`${line.text}: is about ${about}`);
    }
    for (const id of undone) {
      const order = id.startsWith('-') ? ['--project', 'production', '--', id] : [id, '--project', 'production'];
      let undo: readonly string[] = ['pause', ...order];
      // Pause, its undo, and the undo of the undo; the same for ignore.
      for (const expected of [0, 1, 0, 1] as const) {
        tried += 1;
        const { code, out, err } = await guard(undo);
        const [, text = ''] = /Undo: (.*)\n$/.exec(out) ?? [];
        if (code !== 0 || world.list().find((record) => record.id === id)?.active !== expected)
          violations.push(`${undo.join(' ')}: exit code ${code}, ${err || out}`.slice(0, 400));
        const [words = []] = splitBy('sh', [{ text, id, project: 'production', stack: null, isRunnable: true }]);
        undo = words.slice(2);
        if (undo.length === 0) break;
      }
    }
  } finally {
    await sandbox.close();
    rmSync(folder, { recursive: true });
  }
  return { tried, violations };
}

function parse(text: string): { readonly id?: string } | null {
  try {
    return JSON.parse(text) as { readonly id?: string };
  } catch {
    return null;
  }
}

export const commandIds: Kind = {
  name: 'command-ids',
  promise: 'Every command that the guard prints works when a person pastes it into a shell, for any ID and any names.',
  attack,
};
