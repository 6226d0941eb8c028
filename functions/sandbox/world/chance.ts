/**
 * Random numbers that do not depend on those drawn before: a stream and a position name each of them. An integration
 * therefore has the same traffic under every policy.
 */

/** The key of the stream with these names (FNV-1a). */
export function streamKey(...names: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const character of names.join('\u0000')) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

/** The number at one position of a stream, from 0 to below 1 (the finaliser of MurmurHash3 over both). */
export function chanceAt(key: number, position: number): number {
  let bits = Math.imul(key ^ Math.imul(position, 0x9e3779b1), 0x85ebca6b) ^ position;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 0x1_0000_0000;
}

/** One stream, drawn from its beginning. */
export class Stream {
  readonly #key: number;
  #position: number;

  constructor(key: number, position = 0) {
    this.#key = key;
    this.#position = position;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#position += 1;
    return chanceAt(this.#key, this.#position);
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  oneIn(count: number): boolean {
    return this.next() * count < 1;
  }

  /** True with this probability. */
  with(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.next() * from.length)];
    if (picked === undefined) throw new Error('there is nothing to pick from');
    return picked;
  }

  /** Mean 0, standard deviation 1 (Box–Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Log-normal, by its median and the standard deviation of its logarithm. */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal());
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** Poisson; above 30 as a rounded normal. */
  poisson(mean: number): number {
    if (mean <= 0) return 0;
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = this.next(); product > limit; product *= this.next()) count += 1;
    return count;
  }

  /** Binomial; above 30 draws as a rounded normal. */
  binomial(draws: number, probability: number): number {
    if (probability <= 0 || draws === 0) return 0;
    if (probability >= 1) return draws;
    if (draws > 30) {
      const spread = Math.sqrt(draws * probability * (1 - probability));
      return Math.min(draws, Math.max(0, Math.round(draws * probability + spread * this.normal())));
    }
    let count = 0;
    for (let draw = 0; draw < draws; draw += 1) if (this.next() < probability) count += 1;
    return count;
  }
}
