import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { describeError, SettingsError } from '../guard/errors.ts';
import { showPath } from '../guard/settings/fault.ts';
import { secretInComment } from '../guard/settings/misplaced-secret.ts';
import { parseSettings, type Settings } from '../guard/settings/schema.ts';
import { nearest } from '../guard/text/nearest.ts';
import { parseJson } from './json-text.ts';

/** The key of the settings inside `cdk.json`'s context. */
export const CONTEXT_KEY = 'integration-guard';

/** The ways to name the settings file. */
export type NamedBy = 'GUARD_SETTINGS' | '-c settings=FILE' | 'integration-guard settings migrate FILE';

/**
 * Reads settings from a JSON file (comments allowed): either the settings themselves, or a `cdk.json` that has them under
 * `context["integration-guard"]`.
 * @param namedBy for the message about a file that cannot be read
 * @throws SettingsError that names the file and each fault, including duplicate entries
 */
export function readSettingsFile(path: string, namedBy: NamedBy = 'GUARD_SETTINGS'): Settings {
  return parseSettings(findSettings(readSettingsText(path, namedBy), path).document, path);
}

/** A cdk.json may also hold CDK's cached lookups. A larger file is not a settings file. */
const MAX_MEGABYTES = 10;

/** @throws SettingsError when the file does not exist, is not a regular file, or is not UTF-8 */
export function readSettingsText(path: string, namedBy: NamedBy = 'GUARD_SETTINGS'): string {
  const bytes = readBytes(path, `name the settings file with ${namedBy}`);
  const encoding = foreignEncoding(bytes);
  if (encoding !== null) throw new SettingsError([`expected UTF-8, got ${encoding}; save the file in UTF-8`], path);
  return bytes.toString('utf8');
}

function readBytes(path: string, remedy: string): Buffer {
  const refuse = (fault: string) => new SettingsError([`${fault}; ${remedy}`], path);
  let file: number;
  try {
    // Without O_NONBLOCK, opening a pipe waits for a writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw refuse(describeOpening(error));
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile())
      throw refuse(`expected a file, got ${stats.isDirectory() ? 'a folder' : 'a device or a pipe'}`);
    const megabytes = stats.size / 1_000_000;
    if (megabytes > MAX_MEGABYTES)
      throw refuse(`expected a file of at most ${MAX_MEGABYTES} MB, got ${megabytes.toFixed(0)} MB`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw refuse(`cannot be read (${describeError(error)})`);
  } finally {
    closeSync(file);
  }
}

function describeOpening(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'cannot be read: there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'cannot be read: permission denied';
  return `cannot be read (${describeError(error)})`;
}

/** The encoding of bytes that are not UTF-8; null when they are UTF-8. */
function foreignEncoding(bytes: Buffer): string | null {
  const begin = bytes.subarray(0, 2).toString('hex');
  if (begin === 'fffe' || begin === 'feff') return 'UTF-16';
  const zero = bytes.indexOf(0);
  // JSON begins with ASCII: in UTF-16 every second byte of it is zero.
  if (zero === 0 || zero === 1) return 'UTF-16 or binary data';
  if (zero !== -1) return `a NUL byte (line ${bytes.subarray(0, zero).toString('latin1').split('\n').length})`;
  return isUtf8(bytes) ? null : 'text in another encoding';
}

/** The guard's settings in a file, not yet checked. */
export interface FoundSettings {
  readonly document: unknown;
  /** The path of the settings in the file. */
  readonly at: readonly string[];
}

/** @throws SettingsError when the text is not JSON, holds no settings, has an entry twice, or a secret in a comment */
export function findSettings(text: string, path: string): FoundSettings {
  const { document, repeated, comments } = parseJson(text, path);
  const secrets = comments.flatMap(({ line, text: comment }) => {
    const found = secretInComment(comment);
    return found === null
      ? []
      : [`line ${line}: expected no secret in a comment, but this looks like ${found}; ${REMEDY}`];
  });
  if (secrets.length > 0) throw new SettingsError(secrets, path);
  const found = settingsIn(document);
  if (typeof found === 'string') throw new SettingsError([found], path);
  if (repeated.length > 0) throw new SettingsError(repeated, path);
  return found;
}

const REMEDY = 'remove it, and replace it if others have seen the file';

/** The settings, or a sentence about a `cdk.json` that has none. */
function settingsIn(document: unknown): FoundSettings | string {
  if (!isObject(document) || !('context' in document || typeof document.app === 'string')) return { document, at: [] };
  const { context = {} } = document;
  if (isObject(context) && CONTEXT_KEY in context)
    return { document: context[CONTEXT_KEY], at: ['context', CONTEXT_KEY] };
  const meant = isObject(context) ? nearest(CONTEXT_KEY, Object.keys(context)) : null;
  return noSettings(meant);
}

/**
 * A sentence about a `cdk.json` without settings.
 * @param misspelt a similar key in its context; null: there is none
 */
export function noSettings(misspelt: string | null): string {
  const remedy = misspelt === null ? '' : `; rename ${showPath(['context', misspelt])}, if these are the settings`;
  return `context.${CONTEXT_KEY}: expected the guard's settings, got nothing${remedy}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
