import { brokenOutput } from './broken-output.ts';
import { chatLinks } from './chat-links.ts';
import { codePoints } from './code-points.ts';
import { commandIds } from './command-ids.ts';
import { completion } from './completion.ts';
import { credentials } from './credentials.ts';
import { doors } from './doors.ts';
import { environmentProxy } from './environment-proxy.ts';
import { fieldBounds } from './field-bounds.ts';
import { globs } from './globs.ts';
import { harmlessMessages } from './harmless-messages.ts';
import { hostileBodies } from './hostile-bodies.ts';
import { keyEcho } from './key-echo.ts';
import type { Kind } from './kind.ts';
import { logVolume } from './log-volume.ts';
import { oddAnswers } from './odd-answers.ts';
import { personalData } from './personal-data.ts';
import { retryAfter } from './retry-after.ts';
import { settingsText } from './settings-text.ts';
import { supplyChain } from './supply-chain.ts';
import { textCost } from './text-cost.ts';
import { wrongSecrets } from './wrong-secrets.ts';

/** Every kind of attack, in the order of `docs/security.md`. */
export const KINDS: readonly Kind[] = [
  keyEcho,
  wrongSecrets,
  credentials,
  personalData,
  harmlessMessages,
  codePoints,
  chatLinks,
  settingsText,
  commandIds,
  completion,
  brokenOutput,
  fieldBounds,
  textCost,
  globs,
  hostileBodies,
  oddAnswers,
  logVolume,
  environmentProxy,
  retryAfter,
  doors,
  supplyChain,
];
