/** The candidate that a person most likely meant by a word; null when none is near. Case, spaces and punctuation count little. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const wanted = bare(word);
  if (wanted === '') return null;
  const near = [...new Set(candidates)]
    .slice(0, MAX_CANDIDATES)
    .map((candidate) => ({ candidate, apart: distance(wanted, bare(candidate)) }))
    .filter(
      ({ candidate, apart }) => apart <= Math.min(MAX_APART, wanted.length / 3) || isPart(wanted, bare(candidate)),
    )
    .sort((one, other) => one.apart - other.apart);
  return near[0]?.candidate ?? null;
}

/** So many characters too many, too few or other ones are a slip. */
const MAX_APART = 2;

/** A person reads no further. */
const MAX_CANDIDATES = 500;

/** Fewer characters are part of too much. */
const MIN_PART = 4;

/** The time grows with the product of two lengths. */
const MAX_LENGTH = 80;

function bare(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
    .slice(0, MAX_LENGTH);
}

function isPart(one: string, other: string): boolean {
  return Math.min(one.length, other.length) >= MIN_PART && (one.includes(other) || other.includes(one));
}

/** Levenshtein's distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: [...other].length + 1 }, (_, index) => index);
  for (const [index, character] of [...one].entries()) {
    const next = [index + 1];
    for (const [position, candidate] of [...other].entries()) {
      const [before = 0, above = 0, left = 0] = [row[position], row[position + 1], next[position]];
      next.push(Math.min(above + 1, left + 1, before + (character === candidate ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
