import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync } from 'oxc-parser';

/** Reads the package's exports and their docstrings from the sources. */

const INDEX = 'infra/index.ts';

export interface Doc {
  /** Paragraphs, each on one line. */
  readonly text: string;
  /** Null without one. */
  readonly default: string | null;
  readonly params: ReadonlyMap<string, string>;
  readonly returns: string | null;
  readonly throws: string | null;
  readonly example: string | null;
}

export interface Property {
  readonly name: string;
  readonly type: string;
  readonly isOptional: boolean;
  /** Null without a docstring. */
  readonly doc: Doc | null;
}

export interface Callable {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly type: string; readonly isOptional: boolean }[];
  readonly returns: string;
  readonly doc: Doc | null;
}

export interface Exported {
  readonly name: string;
  readonly doc: Doc | null;
  readonly declaration:
    | { readonly kind: 'interface'; readonly parents: readonly string[]; readonly properties: readonly Property[] }
    | {
        readonly kind: 'class';
        readonly parents: readonly string[];
        readonly properties: readonly Property[];
        readonly create: Callable | null;
        readonly methods: readonly Callable[];
      }
    | { readonly kind: 'function'; readonly of: Callable }
    | { readonly kind: 'type'; readonly type: string }
    | { readonly kind: 'value' };
}

/** A node of the syntax tree. Its fields depend on its type. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

interface Source {
  readonly text: string;
  readonly body: readonly Node[];
  /** Docstrings by the offset of their end. */
  readonly docs: ReadonlyMap<number, string>;
}

/** All exports of the package, in the order of its index. */
export function readApi(): readonly Exported[] {
  return parse(INDEX).body.flatMap((node) => {
    if (node.type !== 'ExportNamedDeclaration' || node.source === null) return [];
    const source = parse(join(dirname(INDEX), String((node.source as Node).value)));
    return nodes(node.specifiers).map(({ local, exportKind }) => {
      const exported = read(source, nameOf(local));
      const isType = node.exportKind === 'type' || exportKind === 'type';
      if (exported.declaration.kind !== 'class' || !isType) return exported;
      // Users get objects of a class that is exported as a type, but cannot create one.
      return { ...exported, declaration: { ...exported.declaration, create: null } };
    });
  });
}

function parse(path: string): Source {
  const text = readFileSync(path, 'utf8');
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`);
  const docs = comments.filter(({ value }) => value.startsWith('*'));
  return {
    text,
    body: program.body as unknown as readonly Node[],
    docs: new Map(docs.map(({ end, value }) => [end, value.slice(1)])),
  };
}

function read(source: Source, name: string): Exported {
  for (const statement of source.body) {
    if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) continue;
    const node = statement.declaration as Node;
    const declared = node.type === 'VariableDeclaration' ? nodes(node.declarations)[0] : node;
    if (nameOf(declared?.id) !== name) continue;
    return { name, doc: docBefore(source, statement), declaration: describe(source, node) };
  }
  throw new Error(`${INDEX} exports ${name}, but the file it names does not declare it`);
}

function describe(source: Source, node: Node): Exported['declaration'] {
  const textOf = (part: unknown) => textOfNode(source, part);
  switch (node.type) {
    case 'TSInterfaceDeclaration': {
      const properties = nodes((node.body as Node).body).map((member) => readProperty(source, member));
      return { kind: 'interface', parents: nodes(node.extends).map(textOf), properties };
    }
    case 'ClassDeclaration': {
      const members = nodes((node.body as Node).body).filter(isPublic);
      const callables = members.filter(({ type }) => type === 'MethodDefinition');
      const calls = callables.map((member) => readCallable(source, nameOf(member.key), member.value as Node, member));
      return {
        kind: 'class',
        parents: node.superClass === null ? [] : [textOf(node.superClass)],
        properties: members
          .filter(({ type }) => type === 'PropertyDefinition')
          .map((member) => readProperty(source, member)),
        create: calls.find(({ name }) => name === 'constructor') ?? null,
        methods: calls.filter(({ name }) => name !== 'constructor'),
      };
    }
    case 'FunctionDeclaration':
      return { kind: 'function', of: readCallable(source, nameOf(node.id), node, node) };
    case 'TSTypeAliasDeclaration':
      return { kind: 'type', type: textOf(node.typeAnnotation) };
    default:
      return { kind: 'value' };
  }
}

function isPublic({ key, accessibility, override }: Node): boolean {
  return (key as Node).type === 'Identifier' && accessibility !== 'private' && override !== true;
}

function readProperty(source: Source, node: Node): Property {
  const name = nameOf(node.key);
  const annotation = node.typeAnnotation as Node | null;
  if (annotation === null) throw new Error(`the property ${name} needs an explicit type`);
  return {
    name,
    type: textOfNode(source, annotation.typeAnnotation),
    isOptional: node.optional === true,
    doc: docBefore(source, node),
  };
}

/** @param at the node that follows the docstring */
function readCallable(source: Source, name: string, node: Node, at: Node): Callable {
  const params = nodes(node.params).map((param) => {
    const isOptional = param.type === 'AssignmentPattern' || param.optional === true;
    const target = param.type === 'AssignmentPattern' ? (param.left as Node) : param;
    const annotation = target.typeAnnotation as Node | null;
    const called = target.type === 'Identifier' ? nameOf(target) : 'options';
    // Without a type, its default has the type.
    const type =
      annotation === null ? typeof (param.right as Node).value : textOfNode(source, annotation.typeAnnotation);
    return { name: called, type, isOptional };
  });
  const returned = node.returnType as Node | null;
  const returns = returned === null ? 'void' : textOfNode(source, returned.typeAnnotation);
  return { name, params, returns, doc: docBefore(source, at) };
}

function docBefore(source: Source, node: Node): Doc | null {
  const end = source.text.slice(0, node.start).trimEnd().length;
  // A function's own node begins after the word "export".
  const before = source.text
    .slice(0, end)
    .replace(/\bexport(?: async)?$/, '')
    .trimEnd().length;
  const text = source.docs.get(before);
  return text === undefined ? null : readDoc(text);
}

function readDoc(comment: string): Doc {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd());
  const [text = '', ...tags] = lines
    .join('\n')
    .trim()
    .split(/^@(?=[a-z]+\b)/m);
  const fold = (part: string) => part.trim().replace(/[^\S\n]*\n(?!\n)[^\S\n]*/g, ' ');
  const of = (tag: string) => tags.find((each) => each.startsWith(tag))?.slice(tag.length);
  const params = tags.flatMap((each) => {
    const [, name, says] = /^param (\w+) ([\s\S]*)$/.exec(each) ?? [];
    return name === undefined || says === undefined ? [] : [[name, fold(says)] as const];
  });
  const folded = (tag: string) => {
    const found = of(tag);
    return found === undefined ? null : fold(found);
  };
  return {
    text: fold(text),
    default: folded('default'),
    params: new Map(params),
    returns: folded('returns'),
    throws: folded('throws'),
    example: of('example')?.trim() ?? null,
  };
}

function nodes(value: unknown): readonly Node[] {
  return value as readonly Node[];
}

function nameOf(node: unknown): string {
  return String((node as Node | undefined)?.name ?? '');
}

/** The text of a type without line breaks, comments and `readonly`. */
function textOfNode(source: Source, node: unknown): string {
  const { start, end } = node as Node;
  return source.text
    .slice(start, end)
    .replace(/\/\*\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/\breadonly /g, '')
    .replace(/^\| /, '')
    .trim();
}
