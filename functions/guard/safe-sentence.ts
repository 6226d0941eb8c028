import { secretIn } from './settings/misplaced-secret.ts';
import { normalise } from './text/normalise.ts';
import { safeText, shorten } from './text/sanitize.ts';

/**
 * A sentence about something on this machine, made safe like any text of others. Paths are looked at name by name: a message that
 * hides which file it is about helps nobody.
 */
export function safeSentence(text: string, maxLength: number): string {
  const paths: string[] = [];
  const marked = text.slice(0, 2 * maxLength).replace(PATH, (path) => {
    paths.push(safePath(path));
    return `<<${paths.length - 1}>>`;
  });
  const safe = safeText(marked, maxLength).replace(/<<(\d{1,3})>>/g, (mark, index) => paths[Number(index)] ?? mark);
  return safe.length > maxLength ? `${safe.slice(0, maxLength - 1)}…` : safe;
}

/** Each name of the path as it is, unless it is a secret by its vendor's form: "guard-cli-7w5NL3" only looks random. */
export function safePath(path: string): string {
  const names = path.slice(0, MAX_PATH_CHARACTERS).split('/');
  return names
    .map((name) => (secretIn(name) === null ? shorten(normalise(name), MAX_NAME_CHARACTERS) : '[redacted]'))
    .join('/');
}

const MAX_PATH_CHARACTERS = 300;
const MAX_NAME_CHARACTERS = 100;

/** From a root or a dot on; no address, which has two slashes. */
const PATH = /(?<![^\s'"(:])(?:\.{1,2}|~)?\/(?!\/)[^\s'"():;,]+/g;
