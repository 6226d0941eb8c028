import type * as z from 'zod';
import { settingsSchema } from '../../functions/guard/settings/schema.ts';
import { type Exported, type Property, readApi } from './api-model.ts';

/**
 * docs/settings.md: names, values and defaults from the schema, sentences from the docstrings in `infra/props.ts`.
 * `npm run docs` writes it, and a test compares it.
 */

export const SETTINGS_PAGE = 'docs/settings.md';

const BEGIN = '<!-- generated from functions/guard/settings/schema.ts and infra/props.ts by npm run docs -->';
const END = '<!-- end of the generated text -->';

type Schema = z.core.$ZodType;

/** An object of the settings and its place in the document. */
interface ObjectOfSettings {
  readonly title: string;
  readonly shape: Readonly<Record<string, Schema>>;
  readonly interfaceName: string;
}

/**
 * The page with its generated part up to date.
 * @param page the present page
 * @throws when the page lacks its marks, or a setting has no docstring
 */
export function settingsPage(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${SETTINGS_PAGE} lacks the lines "${BEGIN}" and "${END}"`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${sections().join('\n\n')}\n\n${page.slice(end)}`;
}

function sections(): readonly string[] {
  const api = new Map(readApi().map((exported) => [exported.name, exported]));
  const done = new Set<string>();
  const waiting: ObjectOfSettings[] = [
    { title: 'The document', shape: shapesOf(settingsSchema)[0] ?? {}, interfaceName: 'IntegrationGuardProps' },
  ];
  const texts: string[] = [];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (done.has(next.interfaceName)) continue;
    done.add(next.interfaceName);
    const { text, inner } = section(next, api);
    texts.push(text);
    waiting.unshift(...inner);
  }
  return texts;
}

/** The section of one object, and the objects in it. */
function section(
  { title, shape, interfaceName }: ObjectOfSettings,
  api: ReadonlyMap<string, Exported>,
): { readonly text: string; readonly inner: readonly ObjectOfSettings[] } {
  const declared = api.get(interfaceName);
  if (declared?.declaration.kind !== 'interface') throw new Error(`infra/props.ts has no interface ${interfaceName}`);
  const rows: string[] = [];
  const inner: ObjectOfSettings[] = [];
  // The schema lacks the properties for CDK apps, and the interface lacks the fields that the construct writes.
  for (const property of declared.declaration.properties) {
    const schema = shape[property.name];
    if (schema === undefined) continue;
    rows.push(row(property, schema));
    const interfaces = interfacesIn(property.type, api);
    shapesOf(schema).forEach((innerShape, index) => {
      const name = interfaces[index];
      if (name === undefined) throw new Error(`${interfaceName}.${property.name} names no interface for its object`);
      inner.push({ title: titleOf(title, property.name, schema, innerShape), shape: innerShape, interfaceName: name });
    });
  }
  const text = [
    `## ${title}`,
    declared.doc?.text ?? '',
    ['| setting | value | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n'),
  ];
  return { text: text.join('\n\n'), inner };
}

function row({ name, isOptional, doc }: Property, schema: Schema): string {
  if (doc === null) throw new Error(`${name} has no docstring in infra/props.ts`);
  const value = allowedBy(schema);
  const usual = isOptional ? defaultOf(schema, doc.default) : 'required';
  return `| \`${name}\` | ${cell(value)} | ${cell(usual)} | ${cell(doc.text)} |`;
}

/** The allowed values, from the schema's message about a value of a wrong type: "expected …". */
function allowedBy(schema: Schema): string {
  const [issue] = (schema as z.ZodType).safeParse(Symbol('of no type')).error?.issues ?? [];
  const says = (issue?.message ?? '').replace(/^Invalid input: expected |, received symbol$/g, '');
  if (says === 'object') return 'an object';
  return says.includes('{') ? `\`${says}\`` : says;
}

function defaultOf(schema: Schema, documented: string | null): string {
  const { def } = schema._zod as { def: z.core.$ZodTypeDef & { readonly defaultValue?: unknown } };
  const value = def.type === 'default' ? def.defaultValue : undefined;
  if (value !== undefined) return `\`${JSON.stringify(value)}\``;
  const text = documented ?? '';
  return text.startsWith('- ') ? text.slice(2) : `\`${text.replaceAll("'", '"')}\``;
}

/** The objects in a schema, inside unions, records, lists and defaults. */
function shapesOf(schema: Schema): readonly Readonly<Record<string, Schema>>[] {
  const def = (schema._zod as unknown as { readonly def: AnyDef }).def;
  switch (def.type) {
    case 'object':
      return [def.shape ?? {}];
    case 'union':
      return (def.options ?? []).flatMap(shapesOf);
    case 'record':
      return def.valueType === undefined ? [] : shapesOf(def.valueType);
    case 'array':
      return def.element === undefined ? [] : shapesOf(def.element);
    case 'pipe':
      return def.out === undefined ? [] : shapesOf(def.out);
    default:
      return def.innerType === undefined ? [] : shapesOf(def.innerType);
  }
}

interface AnyDef {
  readonly type: string;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly options?: readonly Schema[];
  readonly valueType?: Schema;
  readonly element?: Schema;
  readonly out?: Schema;
  readonly innerType?: Schema;
}

function interfacesIn(type: string, api: ReadonlyMap<string, Exported>): readonly string[] {
  return [...type.matchAll(/\b\w+Props\b/g)].flatMap(([name]) => {
    const declaration = api.get(name)?.declaration;
    return declaration?.kind === 'type' ? interfacesIn(declaration.type, api) : [name];
  });
}

/** `projects.NAME`, `alerts.subscriptions[]`, `policy.recovery` ("probe"). The path of a policy is `policy`, because several objects have one. */
function titleOf(parent: string, name: string, schema: Schema, shape: Readonly<Record<string, Schema>>): string {
  const path = parent === 'The document' || name === 'policy' ? name : `${parent.replaceAll('`', '')}.${name}`;
  const suffix = name === 'projects' ? '.NAME' : Array.isArray(plainDefault(schema)) ? '[]' : '';
  const mode = name === 'recovery' ? ` (${allowedBy(shape.mode ?? schema)})` : '';
  return `\`${path}${suffix}\`${mode}`;
}

function plainDefault(schema: Schema): unknown {
  return (schema._zod.def as { readonly defaultValue?: unknown }).defaultValue;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
