import type { Size } from '../faults/finding.ts';

/** One kind of attack: a promise, and a harness that tries to break it with many inputs. */
export interface Kind {
  /** Short and unique: "key-echo". */
  readonly name: string;
  /** One sentence that names the actor: "The client stops asking …". */
  readonly promise: string;
  /** Tries to break the promise. */
  readonly attack: (size: Size) => Promise<Attack> | Attack;
}

export interface Attack {
  /** The number of inputs: at least ten at every size. */
  readonly tried: number;
  /** One sentence for each input that broke the promise, with everything needed to reproduce it. */
  readonly violations: readonly string[];
}
