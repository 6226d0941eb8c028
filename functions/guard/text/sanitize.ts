import { stripVTControlCharacters } from 'node:util';

/**
 * Makes somebody else's text safe to keep and to pass on (law 5): no control characters, no terminal escapes, no invisible
 * direction marks, one line, credentials blanked out, at most `maxLength` characters. Escaping for the place where it
 * is shown (HTML, a mail subject) is the renderer's business.
 */
export function safeText(text: string, maxLength: number): string {
  // Patterns below are linear, but there is no reason to run them over a hundred kilobytes.
  const raw = text.slice(0, RAW_LIMIT);
  const plain = stripVTControlCharacters(raw).replace(INVISIBLE, '').replace(SPACE_OR_CONTROL, ' ').trim();
  return shorten(redactCredentials(plain), maxLength);
}

/** Blanks out what looks like a credential. Errs on the side of blanking: an alert stays readable without the value. */
export function redactCredentials(text: string): string {
  return CREDENTIALS.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** Cuts by characters, not UTF-16 units, so that no half of an emoji is left behind. */
export function shorten(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return `${Array.from(text)
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

const RAW_LIMIT = 4_096;

/** Zero-width characters, bidirectional controls, soft hyphen, byte-order mark, lone surrogates. */
const INVISIBLE = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;

const SPACE_OR_CONTROL = /[\s\p{Control}\u2028\u2029]+/gu;

const BLANKED = '[redacted]';

const CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  // Private key blocks, whole or cut.
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*/g, BLANKED],
  // JSON Web Tokens.
  [/\beyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?/g, BLANKED],
  // user:password@ in a URL.
  [/([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@]{1,200}@/gi, `$1${BLANKED}@`],
  [/\b(digest)\s+(?=\w{1,20}=).{1,400}/gi, `$1 ${BLANKED}`],
  // Authorization: Bearer …; the other schemes only before what is no plain word ("token expired" stays readable).
  [/\b(bearer)(?:\s+|:\s*)[\w+/.~=:-]{6,}/gi, `$1 ${BLANKED}`],
  [/\b(basic|token|digest)\s+(?=[\w+/.~=:-]*[\d=/+_])[\w+/.~=:-]{8,}/gi, `$1 ${BLANKED}`],
  // Cookies, and addresses whose path is the credential.
  [/\b(cookie["']?\s*[=:]\s*)[^\s;]{1,4096}(?:;\s*[^\s;=]{1,60}=[^\s;]{1,4096}){0,50}/gi, `$1${BLANKED}`],
  [
    /((?:hooks\.slack\.com\/\w{1,20}|discord(?:app)?\.com\/api\/webhooks|hooks\.zapier\.com\/hooks\/catch)\/)[\w/-]+/gi,
    `$1${BLANKED}`,
  ],
  // Keys with a vendor's prefix: Qonversion and Stripe, AWS, GitHub, Slack, Google, SendGrid, Amazon S3 signatures.
  [/\b(?:test_)?(?:sk|pk|rk|whsec)_[\w-]{4,}/g, BLANKED],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g, BLANKED],
  [/\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|ya29\.|AIza|SG\.|shpat_|npm_|hf_)[\w.-]{8,}/g, BLANKED],
  // name=value and "name": "value", escaped or not, where the name says what the value is.
  [
    /((?:api|app|access|auth|client|private|secret|server|signing|write|dev|project)?[-_ ]?(?:key|token|secret|password|passwd|pwd|signature|sig|credential|authorization|session|sid)s?(?:\\?["']|%22)?\s*(?:[=:]|%3[ad])\s*(?:\\?["']|%22)?)[^\s"'&,;<>]{3,}/gi,
    `$1${BLANKED}`,
  ],
  // Long runs of hexadecimal or base64: nothing a reader misses.
  [/\b[A-Fa-f0-9]{32,}\b/g, BLANKED],
  [/(?<![\w/+.-])(?=[\w/+-]*\d)(?=[\w/+-]*[A-Z])(?=[\w/+-]*[a-z])[\w/+-]{40,}={0,2}/g, BLANKED],
];
