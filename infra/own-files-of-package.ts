import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's files beside the construct. The build puts them there, so that an app needs no bundler. */

/** Writes the code of the functions into a folder. */
export function writeFunctions(folder: string): void {
  const own = fileURLToPath(new URL('./lambda', import.meta.url));
  // File by file: `cpSync` cannot read from an archive, in which Yarn may store the package.
  for (const name of readdirSync(own)) writeFileSync(join(folder, name), readFileSync(join(own, name)));
}

/** The command line, as a file that Node runs. */
export const COMMAND_LINE = fileURLToPath(new URL('./cli/main.mjs', import.meta.url));
