/**
 * Untrusted text as one line of visible characters (law 5), in NFC. It has no terminal escapes, no control, format, ignorable,
 * private, unassigned or blank characters, and at most a few marks on a letter. Line breaks become spaces. Idempotent.
 */
export function normalise(text: string): string {
  if (PLAIN.test(text)) return text;
  return (
    text
      .replace(TERMINAL_ESCAPE, '')
      .replace(UNSEEN, '')
      .replace(GAP, ' ')
      // Before NFC, because sorting many marks is slow; and after it, because NFC may produce more marks.
      .replace(TOO_MANY_MARKS, '$1')
      .normalize('NFC')
      .replace(TOO_MANY_MARKS, '$1')
      .trim()
  );
}

/** ASCII with single spaces, like most texts. */
const PLAIN = /^(?:[\x21-\x7e]+ )*[\x21-\x7e]*(?<! )$/;

/** Each alternative stops at the next escape, so that a text with many escapes is read only once. */
export const TERMINAL_ESCAPE =
  // Strings for the terminal (titles, links), CSI sequences (colours), then all others.
  /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|\x1b(?:[ -/]{1,8}[0-~]|[78=>@-Z\\^_`-~])/g;

/**
 * Invisible characters: classes of Unicode, and characters that are drawn as nothing (braille, musical, hieroglyphic and Khitan
 * blanks, the object replacement character). Emoji sequences and letters with joiners fall apart into visible characters.
 */
const UNSEEN =
  /[\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\ufffc\u{13441}\u{13442}\u{16fe4}\u{1d159}]/gu;

/** A mark without a letter would be drawn over the character before it, which may be the guard's own text. */
const GAP = /(?:^|[\s\p{Cc}])[\s\p{Cc}\p{M}]*/gu;

/** No living script needs more than four marks on one letter. */
const TOO_MANY_MARKS = /(\p{M}{4})\p{M}+/gu;
