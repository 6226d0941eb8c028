/**
 * Whether a title or a name matches a glob: `*` matches any run of characters, `?` one, everything else itself. The time grows at
 * most with the product of the two lengths. Libraries turn a glob into a regular expression, which can take years for `*a*a*a*b`.
 */
export function matchesGlob(glob: string, text: string): boolean {
  let next = 0;
  let at = 0;
  /** The last `*` so far: the position after it in the glob, and the position in the text where its match ends. */
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
      // The last `*` matches one more character. Retrying earlier ones would find nothing new.
      star.at += unitsOf(text, star.at);
      at = star.at;
      next = star.next;
    }
  }
  while (glob[next] === '*') next += 1;
  return next === glob.length;
}

/** 2 for an emoji, which is one character of two UTF-16 units. */
function unitsOf(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
