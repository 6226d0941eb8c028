import { secretIn } from './settings/misplaced-secret.ts';
import { normalise } from './text/normalise.ts';
import { safeText, shorten } from './text/sanitize.ts';

/**
 * Makes a sentence about this machine safe, like untrusted text. Paths stay readable and are checked name by name, because a
 * message without the file's name does not help.
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

/** The path, without names that have a vendor's form of a secret. "guard-cli-7w5NL3" stays, although it looks random. */
export function safePath(path: string): string {
  const names = path.slice(0, MAX_PATH_CHARACTERS).split('/');
  return names
    .map((name) => (secretIn(name) === null ? shorten(normalise(name), MAX_NAME_CHARACTERS) : '[redacted]'))
    .join('/');
}

const MAX_PATH_CHARACTERS = 300;
const MAX_NAME_CHARACTERS = 100;

/** A path that begins with a root, a dot or a tilde. An address has two slashes, so it does not match. */
const PATH = /(?<![^\s'"(:])(?:\.{1,2}|~)?\/(?!\/)[^\s'"():;,]+/g;
