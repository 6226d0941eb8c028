import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Seeded random choices: the same seed gives the same choices. */
export interface Random {
  /** An integer from 0 to count - 1. */
  below(count: number): number;
  /** True once in `count` times. */
  oneIn(count: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** `count` of the items, each at most once, in any order. */
  some<T>(from: readonly T[], count: number): readonly T[];
  shuffle<T>(from: readonly T[]): readonly T[];
}

export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const below = (count: number) => uniformInt(generator, 0, count - 1);
  const some = <T>(from: readonly T[], count: number): readonly T[] => {
    const rest = [...from];
    return Array.from({ length: Math.min(count, rest.length) }, () => rest.splice(below(rest.length), 1)).flat();
  };
  return {
    below,
    oneIn: (count) => below(count) === 0,
    pick: <T>(from: readonly T[]): T => {
      if (from.length === 0) throw new Error('no items to pick from');
      return from[below(from.length)] as T;
    },
    some,
    shuffle: (from) => some(from, from.length),
  };
}
