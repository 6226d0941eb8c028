import leven from 'leven';

/**
 * The known name that a person most likely meant: another spelling ("secret_name"), a typo ("shedule"), or an incomplete name
 * ("severity").
 * @returns null when none is near; the word itself is never an answer
 */
export function nearest(word: string, known: readonly string[]): string | null {
  const given = spelling(word);
  const others = known.filter((name) => name !== word);
  const ranked = others
    .map((name) => ({ name, slips: leven(given, spelling(name)) }))
    .filter(({ slips }) => slips <= Math.max(1, Math.floor(given.length / 3)))
    .sort((left, right) => left.slips - right.slips);
  return ranked[0]?.name ?? others.find((name) => isPartOf(given, spelling(name))) ?? null;
}

/** Whether a word is a name in another spelling, with one typo, or with two neighbours swapped. */
export function isSlipOf(name: string, word: string): boolean {
  const [given, known] = [spelling(word), spelling(name)];
  if (word === name) return false;
  const slips = leven(given, known);
  return slips <= 1 || (slips === 2 && sorted(given) === sorted(known));
}

function sorted(text: string): string {
  return [...text].sort().join('');
}

/** No setting has a longer name. The time grows with the product of two lengths. */
const MAX_LENGTH = 64;

function spelling(name: string): string {
  return name
    .slice(0, MAX_LENGTH + 1)
    .normalize('NFKC')
    .replace(/[\p{Default_Ignorable_Code_Point}\s_-]/gu, '')
    .toLowerCase();
}

const MIN_PART = 4;

function isPartOf(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return short.length >= MIN_PART && long.includes(short);
}
