import { safeText } from '../text/sanitize.ts';
import { secretIn } from './misplaced-secret.ts';

/**
 * The sentences about faults in the settings. They show names and values from a file that another person may have written, so
 * everything foreign goes through this file: one line, nothing that a terminal would obey, nothing that looks like a secret, cut.
 */

/** Enough to recognise a name or a value in the file. */
const SHOWN_CHARACTERS = 80;

/** A name of a file, of a setting or of a project, as a sentence may show it. */
export function showName(name: string): string {
  return secretIn(name) === null ? safeText(name, SHOWN_CHARACTERS) : HIDDEN;
}

/** "projects.production.policy", or "(top level)". */
export function showPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)';
  const names = path.map((name) => showName(String(name)) || '""');
  return names.length <= MAX_DEPTH ? names.join('.') : [...names.slice(0, MAX_DEPTH), '…'].join('.');
}

/** The schema is not as deep, but a file may be. */
const MAX_DEPTH = 12;

/** A value as JSON; "nothing" when there is none. A program may also give what JSON has no word for. */
export function showValue(value: unknown, maxLength = SHOWN_CHARACTERS): string {
  if (value === undefined) return 'nothing';
  const json = toJson(value);
  return secretIn(json) === null ? safeText(json, maxLength) : HIDDEN;
}

function toJson(value: unknown): string {
  // JSON makes null of NaN and Infinity.
  if (typeof value === 'number') return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A number without end, or an object that contains itself.
    return typeof value === 'bigint' ? `${value}n` : 'an object that JSON cannot show';
  }
}

const HIDDEN = '[redacted]';

/** A sentence of a terminal line or two, if what it shows is short enough. */
const SENTENCE_CHARACTERS = 200;
const MIN_SHOWN_CHARACTERS = 24;

/** "expected …, got …", with as much of the value as the sentence has room for. */
export function expectedGot(path: readonly PropertyKey[], expected: string, value: unknown, remedy = ''): string {
  const begin = `${showPath(path)}: expected ${expected}, got `;
  const room = SENTENCE_CHARACTERS - begin.length - remedy.length;
  return `${begin}${showValue(value, Math.max(MIN_SHOWN_CHARACTERS, Math.min(SHOWN_CHARACTERS, room)))}${remedy}`;
}

/** The first ending with which the sentence is not too long; the last is taken in any case. */
export function withEnding(sentence: string, endings: readonly string[]): string {
  const ending = endings.find((each) => sentence.length + each.length <= SENTENCE_CHARACTERS) ?? endings.at(-1) ?? '';
  return `${sentence}${ending}`;
}
