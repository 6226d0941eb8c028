import { chatLinks } from './chat-links.ts';
import { codePoints } from './code-points.ts';
import { credentials } from './credentials.ts';
import { harmlessMessages } from './harmless-messages.ts';
import type { Kind } from './kind.ts';
import { personalData } from './personal-data.ts';
import { textCost } from './text-cost.ts';

/** Every kind of attack that is tried, in the order of `docs/security.md`. */
export const KINDS: readonly Kind[] = [textCost, codePoints, chatLinks, personalData, credentials, harmlessMessages];
