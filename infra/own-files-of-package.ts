import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Our own files beside the construct in the package, which the build put there: an app needs no bundler. */

/** Puts the code of the functions into a folder. */
export function writeFunctions(folder: string): void {
  const own = fileURLToPath(new URL('./lambda', import.meta.url));
  // One by one: the package may lie in an archive (Yarn), of which `cpSync` knows nothing.
  for (const name of readdirSync(own)) writeFileSync(join(folder, name), readFileSync(join(own, name)));
}

/** The command line, as a file that Node runs. */
export const COMMAND_LINE = fileURLToPath(new URL('./cli/main.mjs', import.meta.url));
