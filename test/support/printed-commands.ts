import { execFile } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Runs commands in a shell, like a person who copies them from a document or a terminal. */

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export interface CommandRun {
  readonly command: string;
  readonly code: number;
  /** Its standard output and standard error, in order. */
  readonly output: string;
}

export interface ShellPlace {
  /** @default this checkout */
  readonly folder?: string;
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** The input that a person types while the commands run. */
  readonly typed?: string;
  /** The first folder to search for `node` and `npx`. @default the Node that runs this test */
  readonly path?: string;
}

/** The commands in a text: its lines with an indentation of two spaces. */
export function commandsIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => (/^ {2}\S/.test(line) ? [line.trim()] : []));
}

/** Runs the indented commands of a text, one after the other, in one shell. */
export function runPrinted(text: string, place: ShellPlace = {}): Promise<readonly CommandRun[]> {
  return runInShell(commandsIn(text), place);
}

const MARK = '\u0001';

/**
 * Runs commands in one shell, so that later ones see exported variables. A failed command does not end the others.
 * @throws when the shell itself fails
 */
export async function runInShell(
  commands: readonly string[],
  { folder = PROJECT, variables = {}, typed = '', path = dirname(process.execPath) }: ShellPlace = {},
): Promise<readonly CommandRun[]> {
  const script = commands.map((command) => `${command}\nprintf '${MARK}%s${MARK}' "$?"\n`).join('');
  const env = {
    HOME: process.env.HOME,
    TMPDIR: process.env.TMPDIR,
    NO_COLOR: '1',
    COLUMNS: '200',
    ...variables,
    PATH: [path, variables.PATH ?? process.env.PATH].join(delimiter),
  };
  const output = await new Promise<string>((resolve, reject) => {
    const shell = execFile(
      'bash',
      ['-c', `exec 2>&1\n${script}`],
      { cwd: folder, env, maxBuffer: 64 * 1_024 * 1_024 },
      (error, stdout) => (error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}`))),
    );
    shell.stdin?.end(typed);
  });
  const parts = output.split(MARK);
  return commands.map((command, index) => ({
    command,
    output: parts[2 * index] ?? '',
    code: Number(parts[2 * index + 1] ?? Number.NaN),
  }));
}
