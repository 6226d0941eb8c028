import { environmentProxy } from './environment-proxy.ts';
import { fieldBounds } from './field-bounds.ts';
import { globs } from './globs.ts';
import { hostileBodies } from './hostile-bodies.ts';
import { keyEcho } from './key-echo.ts';
import type { Kind } from './kind.ts';
import { logVolume } from './log-volume.ts';
import { retryAfter } from './retry-after.ts';
import { supplyChain } from './supply-chain.ts';

/** Every kind of attack that is tried, in the order of `docs/security.md`. */
export const KINDS: readonly Kind[] = [
  keyEcho,
  fieldBounds,
  globs,
  hostileBodies,
  logVolume,
  environmentProxy,
  retryAfter,
  supplyChain,
];
