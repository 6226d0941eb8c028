import stringWidth from 'string-width';

/** Wraps lines for a terminal: between words, and within a word only if its script has no blanks. */

/** The terminal columns of a line: 2 for a Chinese, Japanese or Korean letter and for an emoji, 0 for a colour code. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** Breaks lines between words, so that the terminal does not break words. A wider word gets its own line. */
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

/** The width of the widest part that is never broken. */
export function unbreakableWidth(text: string): number {
  return Math.max(0, ...text.split('\n').flatMap((line) => piecesOf(line).map((piece) => widthOf(piece.trimEnd()))));
}

/** The unbreakable parts, each with the blank after it. */
function piecesOf(line: string): readonly string[] {
  return line
    .split(/(?<= )(?=[^ ])/)
    .flatMap((word) => (/[^\x20-\x7e]/.test(word) ? word.split(BETWEEN_IDEOGRAPHS) : [word]));
}

/** Allows no break before punctuation. */
const BETWEEN_IDEOGRAPHS =
  /(?<=[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}、。！？])(?=[^ 、。！？\p{M}\p{Cf}\p{Emoji_Modifier}])/u;
