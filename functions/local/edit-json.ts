import {
  createScanner,
  type Edit,
  applyEdits as editText,
  findNodeAtLocation,
  getNodeValue,
  type Node,
  parseTree,
} from 'jsonc-parser';

/** One change of a JSON text: an entry gets another name, another value or both, or it is taken out. */
export interface JsonEdit {
  readonly path: readonly (string | number)[];
  /** Null: the entry of an object, or the element of a list, is taken out. */
  readonly to: { readonly name: string; readonly value: unknown } | null;
}

/**
 * Changes a JSON text (comments and trailing commas allowed, no byte-order mark) and leaves everything else as it is. Comments
 * in what is taken out stay, too; jsonc-parser's own `modify` loses them, and renames nothing.
 * @throws Error when a path is not there
 */
export function editJson(text: string, edits: readonly JsonEdit[]): string {
  return edits.reduce((before, edit) => editText(before, editsFor(before, edit)), text);
}

function editsFor(text: string, { path, to }: JsonEdit): Edit[] {
  const tree = parseTree(text, [], { allowTrailingComma: true });
  const value = tree && findNodeAtLocation(tree, [...path]);
  if (value === undefined) throw new Error(`there is no ${path.join('.')} in the text`);
  const entry = value.parent?.type === 'property' ? value.parent : value;
  if (to === null) return removalOf(text, entry);
  const key = entry === value ? undefined : entry.children?.[0];
  return [
    ...(key === undefined || key.value === to.name ? [] : [replacing(key, JSON.stringify(to.name))]),
    ...(isSame(getNodeValue(value), to.value) ? [] : [replacing(value, JSON.stringify(to.value))]),
  ];
}

function replacing({ offset, length }: Node, content: string): Edit {
  return { offset, length, content };
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Takes out an entry with one of the commas beside it, and the line if nothing else is on it. */
function removalOf(text: string, entry: Node): Edit[] {
  const siblings = entry.parent?.children ?? [];
  const previous = siblings[siblings.indexOf(entry) - 1];
  const end = entry.offset + entry.length;
  const comma = commaAfter(text, end) ?? (previous && commaAfter(text, previous.offset + previous.length));
  const comments = commentsIn(text, entry);
  if (comma === undefined) return [replacingRange(text, entry.offset, end, comments)];
  const between = comma < entry.offset ? text.slice(comma + 1, entry.offset) : text.slice(end, comma);
  if (between.trim() === '')
    return [replacingRange(text, Math.min(comma, entry.offset), Math.max(comma + 1, end), comments)];
  return [{ offset: comma, length: 1, content: '' }, replacingRange(text, entry.offset, end, comments)];
}

/** Where the next thing in the text is a comma. */
function commaAfter(text: string, offset: number): number | undefined {
  const scanner = createScanner(text, true);
  scanner.setPosition(offset);
  scanner.scan();
  return text[scanner.getTokenOffset()] === ',' ? scanner.getTokenOffset() : undefined;
}

function commentsIn(text: string, { offset, length }: Node): readonly string[] {
  const scanner = createScanner(text);
  scanner.setPosition(offset);
  const comments: string[] = [];
  while (scanner.getPosition() < offset + length) {
    scanner.scan();
    const start = scanner.getTokenOffset();
    if (text[start] === '/') comments.push(text.slice(start, scanner.getPosition()).trim());
  }
  return comments;
}

/** Puts each comment on a line of its own; the line goes, too, if there is none and nothing else is on it. */
function replacingRange(text: string, from: number, to: number, comments: readonly string[]): Edit {
  const indent = /[ \t]*$/.exec(text.slice(0, from))?.[0] ?? '';
  const lineStart = from - indent.length;
  const rest = /^[ \t]*(?:\r?\n|$)/.exec(text.slice(to))?.[0];
  const edit = (start: number, end: number, content: string) => ({ offset: start, length: end - start, content });
  if (comments.length > 0) {
    const lineBreak = `${text.includes('\r\n') ? '\r\n' : '\n'}${indent}`;
    return edit(from, to, `${comments.join(lineBreak)}${rest === undefined ? lineBreak : ''}`);
  }
  if (rest !== undefined && (lineStart === 0 || text[lineStart - 1] === '\n'))
    return edit(lineStart, to + rest.length, '');
  const following = indent === '' ? '' : (/^[ \t]*/.exec(text.slice(to))?.[0] ?? '');
  return edit(from, to + following.length, '');
}
