import type { Kind } from './kind.ts';
import { wrongSecrets } from './wrong-secrets.ts';

/** Every kind of attack that is tried, in the order of `docs/security.md`. */
export const KINDS: readonly Kind[] = [wrongSecrets];
