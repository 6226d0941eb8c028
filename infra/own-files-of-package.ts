import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Our own files beside the construct in the package, which the build put there: whoever installs it needs no bundler. */

/** Puts the code of the functions into a folder. */
export function writeFunctions(folder: string): void {
  cpSync(fileURLToPath(new URL('./lambda', import.meta.url)), folder, { recursive: true });
}

/** The command line, as a file that Node runs. */
export const COMMAND_LINE = fileURLToPath(new URL('./cli/main.mjs', import.meta.url));
