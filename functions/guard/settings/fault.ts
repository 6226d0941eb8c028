import { safeText } from '../text/sanitize.ts';
import { secretIn } from './misplaced-secret.ts';

/**
 * The sentences about faults in the settings. The names and values in them may come from an untrusted file, so this file reduces
 * each to one short line without control characters or secrets.
 */

/** Enough characters to recognise a name or a value in the file. */
const SHOWN_CHARACTERS = 80;

/** The name of a file, a setting or a project, safe to show in a sentence. */
export function showName(name: string): string {
  return secretIn(name) === null ? safeText(name, SHOWN_CHARACTERS) : HIDDEN;
}

/** "projects.production.policy", or "(top level)". */
export function showPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)';
  const names = path.map((name) => showName(String(name)) || '""');
  return names.length <= MAX_DEPTH ? names.join('.') : [...names.slice(0, MAX_DEPTH), '…'].join('.');
}

/** A file may be deeper than the schema. */
const MAX_DEPTH = 12;

/** A value as JSON; "nothing" when it is undefined. A program may also pass values that JSON cannot express. */
export function showValue(value: unknown, maxLength = SHOWN_CHARACTERS): string {
  if (value === undefined) return 'nothing';
  const json = toJson(value);
  return secretIn(json) === null ? safeText(json, maxLength) : HIDDEN;
}

function toJson(value: unknown): string {
  // JSON turns NaN and Infinity into null.
  if (typeof value === 'number') return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A bigint, or an object that contains itself.
    return typeof value === 'bigint' ? `${value}n` : 'an object that JSON cannot show';
  }
}

const HIDDEN = '[redacted]';

/** About two terminal lines. */
const SENTENCE_CHARACTERS = 200;
const MIN_SHOWN_CHARACTERS = 24;

/** "expected …, got …", with as much of the value as fits into the sentence. */
export function expectedGot(path: readonly PropertyKey[], expected: string, value: unknown, remedy = ''): string {
  const begin = `${showPath(path)}: expected ${expected}, got `;
  const room = SENTENCE_CHARACTERS - begin.length - remedy.length;
  return `${begin}${showValue(value, Math.max(MIN_SHOWN_CHARACTERS, Math.min(SHOWN_CHARACTERS, room)))}${remedy}`;
}

/** Adds the first ending that keeps the sentence short enough, or else the last one. */
export function withEnding(sentence: string, endings: readonly string[]): string {
  const ending = endings.find((each) => sentence.length + each.length <= SENTENCE_CHARACTERS) ?? endings.at(-1) ?? '';
  return `${sentence}${ending}`;
}
