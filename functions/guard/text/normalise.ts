/**
 * Somebody else's text as one line of visible characters (law 5): without terminal escapes, control, format, ignorable,
 * private, unassigned and blank characters, composed (NFC), with a few marks on a letter at most. Whatever separated lines is a space.
 * Doing it again changes nothing.
 */
export function normalise(text: string): string {
  if (PLAIN.test(text)) return text;
  return (
    text
      .replace(TERMINAL_ESCAPE, '')
      .replace(UNSEEN, '')
      .replace(GAP, ' ')
      // Before they are put in order, which takes longer the more there are; and after it, which may have made more of one.
      .replace(TOO_MANY_MARKS, '$1')
      .normalize('NFC')
      .replace(TOO_MANY_MARKS, '$1')
      .trim()
  );
}

/** Most texts are ASCII with single spaces. */
const PLAIN = /^(?:[\x21-\x7e]+ )*[\x21-\x7e]*(?<! )$/;

/** Each alternative stops at the next escape, so that a text full of beginnings is read once. */
export const TERMINAL_ESCAPE =
  // Strings for the terminal (titles, links), CSI sequences (colours), then all others.
  /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|\x1b(?:[ -/]{1,8}[0-~]|[78=>@-Z\\^_`-~])/g;

/**
 * Besides the classes of Unicode: characters that are drawn as nothing (braille, musical, hieroglyphic and Khitan blanks, the
 * object replacement character). Emoji sequences and the joiners of some scripts fall apart into characters that can be seen.
 */
const UNSEEN =
  /[\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\ufffc\u{13441}\u{13442}\u{16fe4}\u{1d159}]/gu;

/** A mark without a letter would be drawn over what stands before it, which may be ours. */
const GAP = /(?:^|[\s\p{Cc}])[\s\p{Cc}\p{M}]*/gu;

/** No living script needs more on one letter. */
const TOO_MANY_MARKS = /(\p{M}{4})\p{M}+/gu;
