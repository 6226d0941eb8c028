import { appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExitCode, main } from '../../functions/cli/program.ts';

/** A command's output and exit code. */
export interface Ended {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs `integration-guard` in this process.
 * @param words the words after `integration-guard`; a string is split at spaces
 * @param variables its whole environment; it inherits none from this process
 */
export async function runCommandLine(
  words: string | readonly string[],
  variables: Readonly<Record<string, string | undefined>> = {},
  columns = 120,
): Promise<Ended> {
  let out = '';
  let err = '';
  const args = typeof words === 'string' ? words.split(' ').filter((word) => word !== '') : words;
  const code = await main(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    columns,
    progress: () => () => undefined,
    variables,
  });
  // The search for the key also covers the output of commands.
  appendFileSync(join(tmpdir(), 'cli-output.log'), out + err);
  return { code, out, err };
}
