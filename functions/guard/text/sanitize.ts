import { redactCredentials } from './credentials.ts';
import { normalise } from './normalise.ts';

/**
 * Makes untrusted text safe to store and to send (law 5): one line of visible characters, credentials blanked out, at most
 * `maxLength` characters. The work is bounded for text of any length. Idempotent. Renderers escape the result for their own format
 * (HTML, chat, a mail subject).
 */
export function safeText(text: string, maxLength: number): string {
  const limit = Math.min(MAX_RAW_LENGTH, RAW_MARGIN + 2 * maxLength);
  if (text.length <= limit) return shorten(redactCredentials(normalise(text)), maxLength);
  const begin = redactCredentials(withoutLastWord(normalise(text.slice(0, limit))));
  return shorten(`${begin}…`, maxLength);
}

/** Drops the last word, because a credential that was cut in half is not recognised. */
function withoutLastWord(text: string): string {
  const end = text.lastIndexOf(' ');
  return end < text.length - LONG_WORD ? text : text.slice(0, Math.max(0, end));
}

/** Cuts by characters, not UTF-16 units, so that no emoji is cut in half. */
export function shorten(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const characters = Array.from(text);
  if (characters.length <= maxLength) return text;
  return `${characters
    .slice(0, maxLength - 1)
    .join('')
    .trimEnd()}…`;
}

/** Printable ASCII, for SNS subjects and SMS. Drops accents, and replaces typographic dashes and quotes. */
export function toAscii(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{Diacritic}/gu, '')
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/[\u2018\u2019\u201a]/g, "'")
    .replace(/[\u201c\u201d\u201e]/g, '"')
    .replace(/\u2026/g, '...')
    .replace(/[^\x20-\x7e]+/g, '?');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}

/** How much of a text is read: more than is shown, because invisible characters and credentials are removed. */
const MAX_RAW_LENGTH = 4_096;
const RAW_MARGIN = 1_024;
const LONG_WORD = 512;
