import {
  createScanner,
  type Edit,
  applyEdits as editText,
  findNodeAtLocation,
  getNodeValue,
  type Node,
  parseTree,
} from 'jsonc-parser';

/** One change of a JSON text: an entry gets another name, another value or both, or is removed. */
export interface JsonEdit {
  readonly path: readonly (string | number)[];
  /** Null: the entry of an object, or the element of a list, is removed. */
  readonly to: { readonly name: string; readonly value: unknown } | null;
}

/**
 * Changes a JSON text (comments and trailing commas allowed, no byte-order mark) and leaves the rest unchanged. Comments in a
 * removed entry stay; jsonc-parser's own `modify` loses them, and cannot rename.
 * @throws Error when a path does not exist
 */
export function editJson(text: string, edits: readonly JsonEdit[]): string {
  return edits.reduce((before, edit) => editText(before, editsFor(before, edit)), text);
}

/** A new entry of an object. */
export interface NewEntry {
  readonly name: string;
  readonly value: unknown;
  readonly at: 'first' | 'last';
}

/**
 * Adds an entry to the object at a path, with the text's own indentation and line breaks. Comments stay with their entries;
 * jsonc-parser's own `modify` moves the last comment of a line to the new entry.
 * @throws Error when there is no object at the path
 */
export function insertEntry(text: string, path: readonly string[], { name, value, at }: NewEntry): string {
  const tree = parseTree(text, [], { allowTrailingComma: true });
  const object = tree && (path.length === 0 ? tree : findNodeAtLocation(tree, [...path]));
  if (tree === undefined || object?.type !== 'object')
    throw new Error(`there is no object ${path.join('.') || '(top level)'} in the text`);
  const children = object.children ?? [];
  const previous = at === 'last' ? children.at(-1) : undefined;
  const end = previous === undefined ? object.offset + 1 : previous.offset + previous.length;
  const comma = previous === undefined ? undefined : commaAfter(text, end);
  const position = endOfComments(text, comma === undefined ? end : comma + 1);
  const isFollowed = previous === undefined && children.length > 0;
  const { before, entry, after } = layOut(text, tree, object, { name, value });
  const start = previous === undefined && before === ' ' ? '' : before;
  const rest = isFollowed ? `,${before === ' ' ? ' ' : ''}` : children.length === 0 ? after : '';
  return editText(text, [
    ...(previous !== undefined && comma === undefined ? [{ offset: end, length: 0, content: ',' }] : []),
    { offset: position, length: 0, content: `${start}${entry}${rest}` },
  ]);
}

/** Puts the entry on lines of its own, unless the object is on one line. */
function layOut(text: string, tree: Node, object: Node, { name, value }: Omit<NewEntry, 'at'>) {
  const { children: [child] = [] } = object;
  const body = text.slice(object.offset, object.offset + object.length);
  if (!(child === undefined ? text.trim() : body).includes('\n'))
    return { before: ' ', entry: `${JSON.stringify(name)}: ${JSON.stringify(value)}`, after: '' };
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const outer = indentOf(text, object.offset);
  const unit = (tree.children?.[0] && ownIndentOf(text, tree.children[0].offset)) || '  ';
  const indent = (child && ownIndentOf(text, child.offset)) ?? `${outer}${unit}`;
  const lines = JSON.stringify(value, null, unit).split('\n').join(`${lineBreak}${indent}`);
  return {
    before: `${lineBreak}${indent}`,
    entry: `${JSON.stringify(name)}: ${lines}`,
    after: body.includes('\n') ? '' : `${lineBreak}${outer}`,
  };
}

/** The indentation of the line at the offset. */
function indentOf(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', offset - 1) + 1))?.[0] ?? '';
}

/** The blanks before the offset; undefined when other text precedes it in the line. */
function ownIndentOf(text: string, offset: number): string | undefined {
  return /(?<=\n)[ \t]*$/.exec(text.slice(0, offset))?.[0];
}

/** The end of the comments that follow in the same line. */
function endOfComments(text: string, offset: number): number {
  const comments = /^(?:[ \t]*(?:\/\/[^\r\n]*|\/\*[\s\S]*?\*\/))*/.exec(text.slice(offset))?.[0] ?? '';
  return offset + comments.length;
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

/** Removes an entry, one adjacent comma, and the line if it is then empty. */
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

/** The offset of the next token if it is a comma. */
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

/** Puts each comment on a line of its own. Without comments, an empty line is removed too. */
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
