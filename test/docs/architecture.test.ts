import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Compares docs/architecture.md and CONTRIBUTING.md with the code. */

const ARCHITECTURE = 'docs/architecture.md';
const CONTRIBUTING = 'CONTRIBUTING.md';
const TRANSITIONS = 'functions/guard/policy/transitions.ts';

const PAGES = [ARCHITECTURE, CONTRIBUTING] as const;

const read = (file: string) => readFileSync(file, 'utf8');

/** Circuit and API state to function: "open 1" → "reactivated". */
type Cells = Readonly<Record<string, string>>;

/** The cells of the table in transitions.ts, which has one line per row. */
function cellsOfCode(): Cells {
  const rows = [...read(TRANSITIONS).matchAll(/^ {2}'?([\w-]+)'?: +\{ 0: (\w+), +1: (\w+), +2: (\w+) \},$/gm)];
  return Object.fromEntries(
    rows.flatMap(([, circuit, ...functions]) => functions.map((name, active) => [`${circuit} ${active}`, name])),
  );
}

/** The rows of the Markdown table under this header; none without the header. */
function rowsUnder(page: string, header: string): readonly (readonly string[])[] {
  const lines = page.split('\n');
  const from = lines.indexOf(header);
  if (from < 0) return [];
  const rest = lines.slice(from + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end).map((line) => line.split('|').slice(1, -1));
}

const codeIn = (text = ''): string => /`([^`]+)`/.exec(text)?.[1] ?? '';

/** The paths in the tree. A line's indentation shows its folder. */
function pathsOfTree(page: string): readonly string[] {
  const [, tree = ''] = /^```text\n(.*?)^```$/ms.exec(page) ?? [];
  const folders: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', name] = /^( *)(\S+)/.exec(line) ?? [];
    if (name === undefined) return [];
    const depth = indent.length / 2;
    folders.splice(depth, folders.length, name);
    return [folders.join('')];
  });
}

/** Every path that a page names or links to, relative to the root. */
function pathsIn(file: string): readonly string[] {
  const page = read(file);
  const links = [...page.matchAll(/\]\(([^)#\s]+)[^)\s]*\)/g)].flatMap(([, target = '']) =>
    /^https?:/.test(target) ? [] : [normalize(join(dirname(file), target))],
  );
  const inText = [...page.matchAll(/(?<![\w./-])(?:functions|test|infra|docs|\.ci)\/[\w./-]*[\w/]/g)].map(
    ([path]) => path,
  );
  return [...new Set([...links, ...inText, ...pathsOfTree(page)])];
}

describe('docs/architecture.md', () => {
  it('has the transition table of the code', () => {
    const cells = cellsOfCode();
    expect(Object.keys(cells)).toHaveLength(15);
    const rows = rowsUnder(read(ARCHITECTURE), '| circuit | `active` 0 | `active` 1 | `active` 2 |');
    const drawn = rows.flatMap(([circuit, ...functions]) =>
      functions.map((cell, active) => [`${codeIn(circuit)} ${active}`, codeIn(cell)]),
    );
    expect(Object.fromEntries(drawn)).toEqual(cells);
  });

  it('has one line for each cell of the table', () => {
    const rows = rowsUnder(read(ARCHITECTURE), '| cell | function | what it does |');
    const explained = rows.map(([cell = '', name]) => [`${codeIn(cell)} ${cell.trim().at(-1)}`, codeIn(name)]);
    expect(Object.fromEntries(explained)).toEqual(cellsOfCode());
    expect(explained).toHaveLength(15);
  });

  it('has every folder of functions/, of the core and of the tests in its tree', () => {
    const tree = pathsOfTree(read(ARCHITECTURE));
    const mirrors = new Set(['infra', ...readdirSync('functions')].map((name) => `test/${name}/`));
    const folders = ['functions/', 'functions/guard/', 'test/'].flatMap((parent) =>
      readdirSync(parent, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [`${parent}${entry.name}/`] : [],
      ),
    );
    expect(tree).toEqual(expect.arrayContaining(folders.filter((folder) => !mirrors.has(folder))));
  });
});

describe.each(PAGES)('%s', (file) => {
  it('names files and folders that exist', () => {
    const paths = pathsIn(file);
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('names scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    const named = [...read(file).matchAll(/\bnpm (?:run )?([\w:-]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !['ci', 'install'].includes(name) && !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

describe('CONTRIBUTING.md', () => {
  it('explains every script of package.json', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    const page = read(CONTRIBUTING);
    expect(Object.keys(scripts).filter((name) => !new RegExp(`npm (?:run )?${name}(?![\\w:-])`).test(page))).toEqual(
      [],
    );
  });
});
