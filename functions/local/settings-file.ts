import { readFileSync } from 'node:fs';
import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { describeError, SettingsError } from '../guard/errors.ts';
import { showPath } from '../guard/settings/fault.ts';
import { parseSettings, type Settings, unlessTooDeep } from '../guard/settings/schema.ts';

/** The key of the settings inside `cdk.json`'s context. */
export const CONTEXT_KEY = 'integration-guard';

/**
 * Reads settings from a JSON file (comments allowed): either the settings themselves, or a `cdk.json` that has them under
 * `context["integration-guard"]`.
 * @throws SettingsError that names the file and each fault, an entry that stands twice included
 */
export function readSettingsFile(path: string): Settings {
  return parseSettings(findSettings(readSettingsText(path), path).document, path);
}

/** @throws SettingsError when there is no such file */
export function readSettingsText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError(
      [`cannot be read (${describeError(error)}); name the settings file with GUARD_SETTINGS`],
      path,
    );
  }
}

/** The guard's settings in the text of a file, as they stand there. */
export interface FoundSettings {
  readonly document: unknown;
  /** Where in the file they are. */
  readonly at: readonly string[];
}

/** @throws SettingsError when the text is not JSON, holds no settings, or has an entry twice */
export function findSettings(text: string, path: string): FoundSettings {
  const { document, repeated } = parseJson(text, path);
  const found = settingsIn(document);
  if (found === null)
    throw new SettingsError([`context.${CONTEXT_KEY}: expected the guard's settings, got nothing`], path);
  if (repeated.length > 0) throw new SettingsError(repeated, path);
  return found;
}

/**
 * The entries that stand twice in an object of a JSON text. JSON.parse would silently keep the last of them: of two
 * projects of one name, one would not be guarded.
 */
export function repeatedEntries(text: string, path: string): readonly string[] {
  return parseJson(text, path).repeated;
}

/**
 * Any JSON text, with comments, and the entries that stand twice in it.
 * @throws SettingsError when it is not JSON
 */
export function parseJson(text: string, path: string): ReturnType<typeof parseDocument> {
  // Some editors write a byte-order mark.
  return unlessTooDeep(path, () => parseDocument(text.replace(/^\ufeff/, ''), path));
}

function parseDocument(
  text: string,
  path: string,
): { readonly document: unknown; readonly repeated: readonly string[] } {
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (tree === undefined || first !== undefined) {
    const line = text.slice(0, first?.offset ?? 0).split('\n').length;
    const problem = first === undefined ? 'it is empty' : printParseErrorCode(first.error);
    throw new SettingsError([`not JSON: ${problem} in line ${line}`], path);
  }
  return { document: valueIn(tree), repeated: findRepeated(tree, []) };
}

/** What JSON.parse would make of it. The library's own function loses a `__proto__`, about which `parseSettings` complains. */
function valueIn(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(valueIn);
  if (node.type !== 'object') return node.value;
  const entries = (node.children ?? []).flatMap(({ children: [key, value] = [] }) =>
    key === undefined || value === undefined ? [] : [[String(key.value), valueIn(value)] as const],
  );
  return Object.fromEntries(entries);
}

function findRepeated(node: Node, path: readonly (string | number)[]): readonly string[] {
  if (node.type === 'array')
    return (node.children ?? []).flatMap((child, index) => findRepeated(child, [...path, index]));
  if (node.type !== 'object') return [];
  const seen = new Set<string>();
  return (node.children ?? []).flatMap((property) => {
    const [key, value] = property.children ?? [];
    const name = String(key?.value);
    const here = [...path, name];
    const twice = seen.has(name) ? [`${showPath(here)}: expected one entry of this name, got two`] : [];
    seen.add(name);
    return [...twice, ...(value === undefined ? [] : findRepeated(value, here))];
  });
}

function settingsIn(document: unknown): FoundSettings | null {
  if (typeof document !== 'object' || document === null || !('context' in document)) return { document, at: [] };
  const { context } = document;
  if (typeof context !== 'object' || context === null || !(CONTEXT_KEY in context)) return null;
  return { document: context[CONTEXT_KEY], at: ['context', CONTEXT_KEY] };
}
