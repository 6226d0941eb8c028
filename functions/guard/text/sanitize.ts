import { redactCredentials } from './credentials.ts';
import { normalise } from './normalise.ts';

/**
 * Makes untrusted text safe to keep and to pass on (law 5): one line of visible characters, credentials blanked out, at
 * most `maxLength` characters. The work is bounded whatever the text's length. Doing it again changes nothing. Escaping for
 * the place where it is shown (HTML, chat, a mail subject) is the renderer's business.
 */
export function safeText(text: string, maxLength: number): string {
  const limit = Math.min(MAX_RAW_LENGTH, RAW_MARGIN + 2 * maxLength);
  if (text.length <= limit) return shorten(redactCredentials(normalise(text)), maxLength);
  const begin = redactCredentials(withoutLastWord(normalise(text.slice(0, limit))));
  return shorten(`${begin}…`, maxLength);
}

/** The cut may have left half of a credential that nobody recognises any more. */
function withoutLastWord(text: string): string {
  const end = text.lastIndexOf(' ');
  return end < text.length - LONG_WORD ? text : text.slice(0, Math.max(0, end));
}

/** Cuts by characters, not UTF-16 units, so that no half of an emoji is left behind. */
export function shorten(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const characters = Array.from(text);
  if (characters.length <= maxLength) return text;
  return `${characters
    .slice(0, maxLength - 1)
    .join('')
    .trimEnd()}…`;
}

/** Printable ASCII only, for places that take nothing else (SNS subjects, SMS). Accents fall off, dashes and quotes become plain. */
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

/** Nobody reads further, and invisible characters and credentials take some of it. */
const MAX_RAW_LENGTH = 4_096;
const RAW_MARGIN = 1_024;
const LONG_WORD = 512;
