import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { SettingsError } from '../guard/errors.ts';
import { showName, showPath } from '../guard/settings/fault.ts';
import { MAX_LEVELS, TOO_DEEP } from '../guard/settings/schema.ts';

/** Reads JSON with comments. A message says where it is invalid, and why. */

export interface JsonText {
  readonly document: unknown;
  /** A sentence about each duplicate entry of an object. JSON.parse would silently keep the last one. */
  readonly repeated: readonly string[];
  /** Every comment, with the line where it begins. */
  readonly comments: readonly { readonly line: number; readonly text: string }[];
}

/**
 * Reads a JSON text.
 * @param path names the file, for the message
 * @throws SettingsError when it is not JSON, is nested too deep, or has a number that is too large
 */
export function parseJson(text: string, path: string): JsonText {
  // Some editors write a byte-order mark.
  const json = text.replace(/^\ufeff/, '');
  const lines = createLines(json);
  const { comments, fault } = scan(json, lines);
  if (fault !== null) throw new SettingsError([fault], path);
  const errors: ParseError[] = [];
  const tree = parseTree(json, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (tree === undefined || first !== undefined)
    throw new SettingsError([describeSyntax(json, lines, first ?? null)], path);
  return { document: valueIn(tree), repeated: findRepeated(tree, [], lines), comments };
}

/** Turns offsets in a text into lines and columns. */
interface Lines {
  readonly lineOf: (offset: number) => number;
  /** "line 3, column 5" */
  readonly place: (offset: number) => string;
}

function createLines(text: string): Lines {
  const starts = [0, ...[...text.matchAll(/\r\n|\n|\r/g)].map(({ index, 0: { length } }) => index + length)];
  const lineOf = (offset: number) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
  return {
    lineOf,
    place: (offset) => `line ${lineOf(offset)}, column ${offset - (starts[lineOf(offset) - 1] ?? 0) + 1}`,
  };
}

type Kind = '{' | '}' | '[' | ']' | ':' | ',' | 'text' | 'number' | 'word' | 'comment' | 'other' | 'end';

interface JsonToken {
  readonly kind: Kind;
  readonly offset: number;
  /** The token's own text. */
  readonly text: string;
}

/** Every token except blanks; the last one is the end. */
function* tokensOf(text: string): Generator<JsonToken> {
  const scanner = createScanner(text);
  while (scanner.getPosition() < text.length) {
    scanner.scan();
    const offset = scanner.getTokenOffset();
    const token = text.slice(offset, offset + scanner.getTokenLength());
    if (token.trim() !== '') yield { kind: kindOf(token), offset, text: token };
  }
  yield { kind: 'end', offset: text.length, text: '' };
}

function kindOf(token: string): Kind {
  const [first = ''] = token;
  if (/^[{}[\]:,]$/.test(token)) return first as Kind;
  if (first === '"') return 'text';
  if (/^\/[/*]/.test(token)) return 'comment';
  if (/^-?\d/.test(token)) return 'number';
  return /^(?:true|false|null)$/.test(token) ? 'word' : 'other';
}

/** Checks every token before the parser runs, because the parser uses a level of the stack for each level of the text. */
function scan(text: string, { lineOf, place }: Lines): Pick<JsonText, 'comments'> & { readonly fault: string | null } {
  const comments: { line: number; text: string }[] = [];
  let levels = 0;
  for (const { kind, offset, text: token } of tokensOf(text)) {
    if (kind === 'comment') comments.push({ line: lineOf(offset), text: token });
    if (kind === '{' || kind === '[') levels += 1;
    if (kind === '}' || kind === ']') levels -= 1;
    if (levels > MAX_LEVELS) return { comments, fault: `${place(offset)}: ${TOO_DEEP}` };
    if (kind === 'number' && Math.abs(Number(token)) === Number.POSITIVE_INFINITY)
      return { comments, fault: `${place(offset)}: expected a finite number, got ${showName(token)}` };
  }
  return { comments, fault: null };
}

/** Faults inside a text, a number or a comment. */
const WITHIN: ReadonlyMap<string, string> = new Map([
  ['UnexpectedEndOfString', 'expected a closing " in the same line, got a text without one'],
  ['UnexpectedEndOfComment', 'expected */ at the end of the comment, got none'],
  ['UnexpectedEndOfNumber', 'expected a number, got a part of one'],
  ['InvalidUnicode', 'expected four hexadecimal digits after \\u in a text, got something else'],
  ['InvalidEscapeCharacter', 'expected \\\\ for a backslash in a text, got \\ with another character'],
  ['InvalidCharacter', 'expected \\t or \\n in a text, got an unescaped tab or control character'],
]);

function describeSyntax(text: string, { place }: Lines, error: ParseError | null): string {
  if (error === null) return describeNothing(text);
  const within = WITHIN.get(printParseErrorCode(error.error));
  if (within !== undefined) return `${place(error.offset)}: ${within}`;
  const { offset, expected, got } = findSlip(text);
  if (got === null && offset === 0) return describeNothing(text);
  return `${place(offset)}: expected ${expected}, got ${got ?? 'the end of the file'}`;
}

function describeNothing(text: string): string {
  return `expected JSON that begins with "{", got ${text === '' ? 'an empty file' : 'nothing but blanks and comments'}`;
}

/** The tokens that may come next in a JSON text. */
type Next = 'first' | 'name or end' | 'colon' | 'value' | 'value or end' | 'comma';

/** The first unexpected token, which is where people have to look. */
function findSlip(text: string): { readonly offset: number; readonly expected: string; readonly got: string | null } {
  const open: ('{' | '[')[] = [];
  let next: Next = 'first';
  for (const { kind, offset, text: token } of tokensOf(text)) {
    if (kind === 'comment') continue;
    const after = follow(kind, next, open);
    if (after === null) {
      const shown = showName(token.slice(0, MAX_TOKEN_CHARACTERS));
      const got = kind === 'end' ? null : /^[{}[\]:,]$/.test(token) ? `"${token}"` : shown;
      return {
        offset: next === 'first' && kind === 'end' ? 0 : offset,
        expected: describeNext(next, open.at(-1)),
        got,
      };
    }
    next = after;
  }
  return { offset: 0, expected: describeNext('first', undefined), got: null };
}

const MAX_TOKEN_CHARACTERS = 40;

/** The tokens that may follow; null when the token itself is not allowed. It updates the list of open brackets. */
function follow(kind: Kind, next: Next, open: ('{' | '[')[]): Next | null {
  const isValue = next === 'first' || next === 'value' || next === 'value or end';
  switch (kind) {
    case '{':
    case '[':
      if (!isValue) return null;
      open.push(kind);
      return kind === '{' ? 'name or end' : 'value or end';
    case '}':
    case ']': {
      const mayEnd = next === 'comma' || next === 'name or end' || next === 'value or end';
      return mayEnd && open.at(-1) === (kind === '}' ? '{' : '[') && open.pop() !== undefined ? 'comma' : null;
    }
    case ':':
      return next === 'colon' ? 'value' : null;
    case ',':
      if (next !== 'comma' || open.length === 0) return null;
      return open.at(-1) === '{' ? 'name or end' : 'value or end';
    case 'text':
      if (next === 'name or end') return 'colon';
      return isValue ? 'comma' : null;
    case 'number':
    case 'word':
      return isValue ? 'comma' : null;
    default:
      return null;
  }
}

function describeNext(next: Next, open: '{' | '[' | undefined): string {
  switch (next) {
    case 'first':
      return 'JSON that begins with "{"';
    case 'name or end':
      return 'a name in double quotes or "}"';
    case 'colon':
      return '":" after the name';
    case 'value':
      return 'a value (text in double quotes, a number, true, false, null, "{" or "[")';
    case 'value or end':
      return 'a value or "]"';
    case 'comma':
      return open === undefined ? 'nothing after the settings' : `"," or "${open === '{' ? '}' : ']'}"`;
  }
}

/** The value that JSON.parse would return. The library's own function loses `__proto__`, which `parseSettings` refuses. */
function valueIn(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(valueIn);
  if (node.type !== 'object') return node.value;
  const entries = (node.children ?? []).flatMap(({ children: [key, value] = [] }) =>
    key === undefined || value === undefined ? [] : [[String(key.value), valueIn(value)] as const],
  );
  return Object.fromEntries(entries);
}

function findRepeated(node: Node, path: readonly (string | number)[], lines: Lines): readonly string[] {
  const children = node.children ?? [];
  if (node.type === 'array') return children.flatMap((child, index) => findRepeated(child, [...path, index], lines));
  if (node.type !== 'object') return [];
  const places = new Map<string, number[]>();
  for (const { children: [key] = [] } of children) {
    const name = String(key?.value);
    places.set(name, [...(places.get(name) ?? []), lines.lineOf(key?.offset ?? 0)]);
  }
  const twice = [...places].flatMap(([name, at]) => {
    if (at.length === 1) return [];
    const count = at.length === 2 ? 'two' : String(at.length);
    const where = new Set(at).size === 1 ? `line ${at[0]}` : `lines ${[...new Set(at)].slice(0, 5).join(', ')}`;
    return [`${showPath([...path, name])}: expected one entry of this name, got ${count} (${where}); keep one`];
  });
  const inner = children.flatMap(({ children: [key, value] = [] }) =>
    value === undefined ? [] : findRepeated(value, [...path, String(key?.value)], lines),
  );
  return [...twice, ...inner];
}
