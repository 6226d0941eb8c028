import stringWidth from 'string-width';

/** Lines that fit a terminal: broken between words, and within a word only where its script has no blanks. */

/** Columns of the terminal that a line takes: 2 for a letter of Chinese, Japanese or Korean and for an emoji, 0 for a colour. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** Breaks lines between words, so that the terminal does not do it within them. A word that is wider stands alone. */
export function wrap(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, width))
    .join('\n');
}

function wrapLine(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const piece of piecesOf(text)) {
    const line = lines.at(-1);
    if (line !== undefined && widthOf(line) + widthOf(piece.trimEnd()) <= width) lines[lines.length - 1] = line + piece;
    else lines.push(piece);
  }
  return lines.length === 0 ? [''] : lines.map((line) => line.trimEnd());
}

/** Width of the widest part of a text that is never broken. */
export function unbreakableWidth(text: string): number {
  return Math.max(0, ...text.split('\n').flatMap((line) => piecesOf(line).map((piece) => widthOf(piece.trimEnd()))));
}

/** What stays in one line, each with the blank that follows. */
function piecesOf(line: string): readonly string[] {
  return line
    .split(/(?<= )(?=[^ ])/)
    .flatMap((word) => (/[^\x20-\x7e]/.test(word) ? word.split(BETWEEN_IDEOGRAPHS) : [word]));
}

/** Not before a mark that ends a phrase. */
const BETWEEN_IDEOGRAPHS =
  /(?<=[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}、。！？])(?=[^ 、。！？\p{M}\p{Cf}\p{Emoji_Modifier}])/u;
