import { globSync, readFileSync } from 'node:fs';
import { parseSync } from 'oxc-parser';

/** The prose of the repository: pages, and the comments, messages and test names of the sources. */

/** One paragraph, in Markdown. */
export interface Paragraph {
  readonly text: string;
  /** Where it begins in its file, from 1. */
  readonly line: number;
}

const PAGES = ['*.md', 'docs/**/*.md', '.github/**/*.md'];
const SOURCES = ['functions/**/*.{ts,cjs}', 'infra/**/*.ts', 'test/**/*.ts'];

/** Recorded, frozen, or no prose: docs/commands.md has the output of commands, and an old version's schema stays as it was. */
const NOT_OURS = new Set(['docs/commands.md', 'functions/panel/style.ts', 'test/upgrade/settings-v1.ts']);

export function pageFiles(): readonly string[] {
  return filesOf(PAGES);
}

export function sourceFiles(): readonly string[] {
  return filesOf(SOURCES);
}

function filesOf(patterns: readonly string[]): readonly string[] {
  return globSync(patterns)
    .filter((file) => !NOT_OURS.has(file) && !file.includes('node_modules') && !file.startsWith('test/e2e/.'))
    .toSorted();
}

/** The comments of a source file, its messages, and the names of its tests; in that order. */
export function paragraphsOf(file: string): readonly Paragraph[] {
  const text = readFileSync(file, 'utf8');
  const { program, comments } = parseSync(file, text);
  const lineAt = lineFinder(text);
  return [
    ...joined(comments, text).map(({ start, value }) => ({ text: value, line: lineAt(start) })),
    ...strings(program, file.startsWith('test/')).map(({ start, value }) => ({ text: value, line: lineAt(start) })),
  ];
}

interface Comment {
  readonly type: string;
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

interface Piece {
  readonly start: number;
  readonly value: string;
}

/** Blocks without their stars, and lines that follow one another as one text. Tags such as `@throws` begin a paragraph. */
function joined(comments: readonly Comment[], source: string): readonly Piece[] {
  const pieces: { start: number; end: number; value: string }[] = [];
  for (const { type, value, start, end } of comments) {
    if (/^\s*(?:biome-ignore|@ts-|eslint|<reference)/.test(value)) continue;
    const previous = pieces.at(-1);
    if (type === 'Line' && previous !== undefined && /^\n[ \t]*$/.test(source.slice(previous.end, start))) {
      previous.value += ` ${value.trim()}`;
      previous.end = end;
    } else {
      pieces.push({ start, end, value: type === 'Line' ? value.trim() : withoutStars(value) });
    }
  }
  return pieces.flatMap(({ start, value }) =>
    value
      .split(/\n{2,}/)
      .map((paragraph) => ({ start, value: paragraph.replace(/\s*\n\s*/g, ' ').trim() }))
      .filter((paragraph) => paragraph.value !== ''),
  );
}

function withoutStars(value: string): string {
  return value
    .split('\n')
    .map((line) => line.replace(/^\s*\*+ ?/, ''))
    .join('\n')
    .replace(/^@example[\s\S]*?(?=^@|$(?![\s\S]))/gm, '')
    .replace(/^@(?:throws|returns|default|see)\b\s*/gm, '\n\n')
    .replace(/^@param \w+ /gm, '\n\n')
    .trim();
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

/** Strings of several words. Of tests only their names: what tests feed to the guard is no prose. */
function strings(root: unknown, isTest: boolean): readonly Piece[] {
  const found: Piece[] = [];
  visit(root, false);
  return found;

  function visit(value: unknown, isName: boolean): void {
    if (Array.isArray(value)) for (const element of value) visit(element, isName);
    if (!isNode(value)) return;
    if (value.type === 'ImportDeclaration') return;
    const words = wordsIn(value);
    if (words !== null && (isName || !isTest) && SENTENCE.test(words)) found.push({ start: value.start, value: words });
    if (value.type === 'CallExpression' && isTestCall(value.callee)) {
      const [name, ...rest] = value.arguments as readonly unknown[];
      visit(name, true);
      visit(rest, false);
      return;
    }
    for (const [key, inner] of Object.entries(value)) if (key !== 'type') visit(inner, isName);
  }
}

const SENTENCE = /\b[a-z]{2,},? [a-z]+,? [a-z]{2,}/i;

/** A string, or a template with `X` for what is put into it; null for anything else. */
function wordsIn(node: Node): string | null {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type !== 'TemplateLiteral') return null;
  const quasis = node.quasis as readonly { readonly value: { readonly cooked: string } }[];
  return quasis.map(({ value }) => value.cooked).join('`X`');
}

function isTestCall(callee: unknown): boolean {
  if (!isNode(callee)) return false;
  if (callee.type === 'Identifier') return ['describe', 'it', 'test'].includes(String(callee.name));
  return isTestCall(callee.object) || isTestCall(callee.callee);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function lineFinder(text: string): (offset: number) => number {
  const breaks = [...text.matchAll(/\n/g)].map(({ index }) => index);
  return (offset) => breaks.filter((index) => index < offset).length + 1;
}
