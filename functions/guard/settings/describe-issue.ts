import type * as z from 'zod';
import { nearest } from '../text/nearest.ts';
import { normalise } from '../text/normalise.ts';
import { expectedGot, showName, showPath, withEnding } from './fault.ts';
import { fitsPlace, type Place } from './known-settings.ts';
import { successorOf } from './migrate.ts';

/** Turns the schema's findings into one sentence per fault: where it is and what to do. */

/** Migrates settings of earlier versions. */
const MIGRATE = 'integration-guard settings migrate';

/** The message for a setting that the schema knows but a file may not have. */
export const NO_SUCH_SETTING = 'no such setting';

type Issue = z.core.$ZodIssue;

type Path = readonly PropertyKey[];

/** @param places all known settings */
export function describeIssues(issues: readonly Issue[], places: readonly Place[]): readonly string[] {
  const all = issues.flatMap(inPlace);
  const unknown = all.flatMap(unknownIn);
  const described = new Set<string>();
  return all.flatMap((issue) => {
    const names = unknownIn(issue);
    if (names.length > 0) return names.map(({ path, name }) => describeUnknown(path, name, places));
    // If a list is expected and a text is given, zod also reports that it is too long.
    const place = JSON.stringify(issue.path);
    if (described.has(place) || follows(issue, unknown, places)) return [];
    described.add(place);
    return [describeIssue(issue)];
  });
}

/** If a setting may be "off" or an object and the person wrote an object, report the faults of the object. */
function inPlace(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union' || typeof issue.input !== 'object' || issue.input === null) return [issue];
  const inner = issue.errors.find((errors) => errors.some(({ path }) => path.length > 0));
  return inner === undefined
    ? [issue]
    : inner.map((each) => ({ ...each, path: [...issue.path, ...each.path] })).flatMap(inPlace);
}

interface Unknown {
  readonly path: Path;
  readonly name: string;
}

function unknownIn(issue: Issue): readonly Unknown[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => ({ path: issue.path, name }));
  if (issue.message !== NO_SUCH_SETTING) return [];
  return [{ path: issue.path.slice(0, -1), name: String(issue.path.at(-1)) }];
}

/** Whether the fault disappears once the names are right: the missing setting is present under another name. */
function follows({ code, path, input }: Issue, unknown: readonly Unknown[], places: readonly Place[]): boolean {
  const isAt = (one: Path, other: Path) => one.length === other.length && one.every((name, at) => name === other[at]);
  if (code === 'custom' && unknown.some((each) => isAt(each.path, path))) return true;
  const parent = path.slice(0, -1);
  const isMeant = ({ name }: Unknown) => code === 'custom' || nearest(name, namesAt(parent, places)) === path.at(-1);
  return input === undefined && unknown.some((each) => isAt(each.path, parent) && isMeant(each));
}

function namesAt(path: Path, places: readonly Place[]): readonly string[] {
  return (places.find((place) => fitsPlace(place, path))?.names ?? []).filter((name) => !isHidden(name));
}

/** Only the settings in a stack's template have it. */
function isHidden(name: string): boolean {
  return name === 'secret';
}

function describeUnknown(path: Path, name: string, places: readonly Place[]): string {
  const names = namesAt(path, places);
  const looks = /[^\x20-\x7e]/.test(normalise(name))
    ? ' (some letters are not Latin)'
    : normalise(name) === name
      ? ''
      : ' (it has an invisible character)';
  const sentence = `${showPath(path)}: unknown setting "${showName(name)}"${looks}`;
  const successor = successorOf(path, name);
  if (successor !== null) return `${sentence}; ${successor} (${MIGRATE} changes it for you)`;
  if (names.includes(name)) return `${sentence}; only another "mode" has it`;
  const meant = nearest(name, names);
  if (meant !== null) return `${sentence}; did you mean "${meant}"?`;
  const elsewhere = places.find((place) => place.names.includes(name) && !isHidden(name));
  return withEnding(sentence, [
    ...(elsewhere === undefined ? [] : [`; it belongs in ${describePlace(elsewhere)}`]),
    ...(names.length === 0 ? [] : [`; known settings: ${names.join(', ')}`]),
    '; remove it, or see the settings in README.md',
  ]);
}

function describePlace({ path }: Place): string {
  const names = path.map((name, index) => (name !== '*' ? name : path[index - 1] === 'projects' ? 'NAME' : 'N'));
  return names.length === 0 ? 'the top level' : names.join('.');
}

function describeIssue(issue: Issue): string {
  const { got, says } = issue.code === 'custom' ? (issue.params ?? {}) : {};
  if (typeof says === 'string') return `${showPath(issue.path)}: ${says}`;
  const expected = issue.message.replace(/^Invalid input: expected ([^,]+).*$/, 'an $1');
  if (typeof got === 'string') return `${showPath(issue.path)}: expected ${expected}, got ${got}`;
  return expectedGot(issue.path, expected, issue.input, isQuoted(issue) ? '; write it without quotes' : '');
}

/** Whether the value is a number or a boolean in quotes that would be valid without them. */
function isQuoted({ code, input, message }: Issue): boolean {
  if (code !== 'invalid_type' || typeof input !== 'string') return false;
  return message === 'true or false'
    ? /^(?:true|false)$/.test(input)
    : /integer|number/.test(message) && /^\d+$/.test(input);
}
