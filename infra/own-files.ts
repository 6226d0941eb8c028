import { fileURLToPath } from 'node:url';
import { bundleFunctions } from './bundle-functions.ts';

/**
 * The files beside the construct when it runs from the sources. In the package, `own-files-of-package.ts` replaces
 * this.
 */

/** Writes the code of the functions into a folder. */
export function writeFunctions(folder: string): void {
  bundleFunctions(folder);
}

/** The command line, as a file that Node runs. */
export const COMMAND_LINE = fileURLToPath(new URL('../functions/cli/launch.cjs', import.meta.url));
