/**
 * Whether a title or a name fits a glob: `*` stands for any run of characters, `?` for one, everything else for itself. The time
 * grows with the product of the two lengths and no faster. Libraries make a regular expression of a glob, and with that
 * `*a*a*a*b` can take years.
 */
export function matchesGlob(glob: string, text: string): boolean {
  let next = 0;
  let at = 0;
  /** The last `*` of the glob: what follows it, and where in the text that is tried. */
  let star: { readonly next: number; at: number } | null = null;
  while (at < text.length) {
    if (glob[next] === '*') {
      next += 1;
      star = { next, at };
    } else if (next < glob.length && (glob[next] === '?' || glob[next] === text[at])) {
      at += glob[next] === '?' ? unitsOf(text, at) : 1;
      next += 1;
    } else if (star === null) {
      return false;
    } else {
      // The last `*` takes one more. Whatever an earlier one could take instead, this one can.
      star.at += unitsOf(text, star.at);
      at = star.at;
      next = star.next;
    }
  }
  while (glob[next] === '*') next += 1;
  return next === glob.length;
}

/** An emoji is one character of two UTF-16 units. */
function unitsOf(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
