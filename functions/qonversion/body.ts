/** Parses the bodies of the API's answers, within limits. */

/** How much was read, over all pages of a list. */
export interface Size {
  readonly bytes: number;
  /** JSON values. Each takes memory of its own, however few bytes it has. */
  readonly values: number;
}

/** Integrations, valid or not. The largest known project has a few hundred. */
export const MAX_RECORDS = 20_000;

/** Twice as many values as MAX_RECORDS documented records have. */
const MAX_VALUES = 2 * MAX_RECORDS * 14;

/** A documented answer has a depth of four. */
const MAX_DEPTH = 32;

export type Json =
  | { readonly ok: true; readonly value: unknown; readonly read: Size }
  /** `problem` completes "Qonversion's answer about … …". */
  | { readonly ok: false; readonly problem: string };

/**
 * Parses the JSON document in a body.
 * @param before size of the list's earlier pages
 */
export function readJson(body: Buffer, before: Size): Json {
  const text = body.toString('utf8').replace(/^\ufeff/, '');
  const structure = measure(text);
  const values = before.values + structure.values;
  if (values > MAX_VALUES || structure.depth > MAX_DEPTH)
    return { ok: false, problem: 'has more values or levels than any list has, and was not read' };
  const read = { bytes: before.bytes + body.length, values };
  try {
    return { ok: true, value: JSON.parse(text) as unknown, read };
  } catch {
    return { ok: false, problem: 'is not JSON' };
  }
}

/** The number of values in a JSON text, and their depth. Wrong for text that is not JSON, but never too low. */
function measure(text: string): { readonly values: number; readonly depth: number } {
  let values = 1;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at);
        break;
      // , and :
      case 0x2c:
      case 0x3a:
        values += 1;
        break;
      // [ and {
      case 0x5b:
      case 0x7b:
        values += 1;
        depth += 1;
        deepest = Math.max(deepest, depth);
        break;
      // ] and }
      case 0x5d:
      case 0x7d:
        depth -= 1;
        break;
    }
  }
  return { values, depth: deepest };
}

/** The index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}
