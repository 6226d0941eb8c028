/**
 * The known name that a person most likely meant: the same in another spelling ("secret_name"), with a slip of the hand
 * ("shedule"), or with a part left out ("severity").
 * @returns null when none is near; the word itself is never an answer
 */
export function nearest(word: string, known: readonly string[]): string | null {
  const given = spelling(word);
  const others = known.filter((name) => name !== word);
  const ranked = others
    .map((name) => ({ name, slips: slipsBetween(given, spelling(name)) }))
    .filter(({ slips }) => slips <= Math.max(1, Math.floor(given.length / 3)))
    .sort((left, right) => left.slips - right.slips);
  return ranked[0]?.name ?? others.find((name) => isPartOf(given, spelling(name))) ?? null;
}

/** Whether a word is a name in another spelling, or with one slip of the hand. */
export function isSlipOf(name: string, word: string): boolean {
  return word !== name && slipsBetween(spelling(word), spelling(name)) <= 1;
}

/** Nothing that is longer is a slip of the hand. */
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

/** Characters to add, to leave out, to replace or to swap with their neighbour (optimal string alignment). */
function slipsBetween(left: string, right: string): number {
  if (left.length > MAX_LENGTH || right.length > MAX_LENGTH) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const next = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      const replaced = (last[column - 1] ?? 0) + (same ? 0 : 1);
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
          ? (beforeLast[column - 2] ?? 0) + 1
          : replaced;
      next.push(Math.min((last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, replaced, swapped));
    }
    beforeLast = last;
    last = next;
  }
  return last[right.length] ?? 0;
}
