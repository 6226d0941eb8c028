import { brokenOutput } from './broken-output.ts';
import { commandIds } from './command-ids.ts';
import { completion } from './completion.ts';
import { doors } from './doors.ts';
import type { Kind } from './kind.ts';
import { settingsText } from './settings-text.ts';
import { wrongSecrets } from './wrong-secrets.ts';

/** Every kind of attack that is tried, in the order of `docs/security.md`. */
export const KINDS: readonly Kind[] = [wrongSecrets, doors, settingsText, commandIds, completion, brokenOutput];
