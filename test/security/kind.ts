import type { Size } from '../faults/finding.ts';

/** One kind of attack: what is promised, and a harness that tries to break the promise with many inputs. */
export interface Kind {
  /** Short and unique: "key-echo". */
  readonly name: string;
  /** One sentence that names the actor: "No encoding of the Secret Key leaves the client." */
  readonly promise: string;
  /** Tries to break it. */
  readonly attack: (size: Size) => Promise<Attack> | Attack;
}

export interface Attack {
  /** How many inputs were tried: at least ten at every size. */
  readonly tried: number;
  /** One sentence for each input that broke the promise, with what is needed to see it again. */
  readonly violations: readonly string[];
}
