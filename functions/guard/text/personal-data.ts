import { isIPv6 } from 'node:net';

/**
 * Blanks out personal data in an untrusted error message: mail addresses, IBANs, card numbers, IP addresses and telephone numbers.
 * Counts, versions, times and order numbers stay. Reads the text once for each kind. Idempotent.
 */
export function redactPersonalData(text: string): string {
  return FINDERS.reduce((result, find) => blank(result, find(fold(result))), text);
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly placeholder: string;
}

type Finder = (text: string) => readonly Span[];

function blank(text: string, spans: readonly Span[]): string {
  let result = '';
  let copied = 0;
  for (const { from, to, placeholder } of spans) {
    result += text.slice(copied, from) + placeholder;
    copied = to;
  }
  return result + text.slice(copied);
}

/** The text with digits and signs of other scripts as ASCII. Each stays one character, so that positions in both texts agree. */
function fold(text: string): string {
  return text
    .replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .replace(/(?=[^\x00-\x7f])[\p{Nd}]/gu, (digit) => (digit.length === 1 ? valueOfDigit(digit) : digit))
    .replace(/[\u2010-\u2015\u2212]/g, '-');
}

/** The value of a digit of any script. The ten digits of a script are consecutive code points, beginning with zero. */
function valueOfDigit(digit: string): string {
  let value = 0;
  const code = digit.charCodeAt(0);
  while (value < 9 && /\p{Nd}/u.test(String.fromCharCode(code - value - 1))) value += 1;
  return String(value);
}

const matching =
  (pattern: RegExp, placeholder: string, isIt: (match: string) => boolean = () => true): Finder =>
  (text) =>
    Array.from(text.matchAll(pattern)).flatMap((match) => {
      const found = match[0];
      return isIt(found) ? [{ from: match.index, to: match.index + found.length, placeholder }] : [];
    });

// A mail address may have letters of any script. An apostrophe at its beginning is a quotation mark.
const LOCAL = '[\\p{L}\\p{N}\\p{M}._%+~-]';
const DOMAIN = '(?:(?:[\\p{L}\\p{N}\\p{M}_-]{1,63}\\.){1,8}\\p{L}[\\p{L}\\p{N}\\p{M}-]{1,62}|\\[[\\da-f.:]{3,45}\\])';
const findMail = matching(
  new RegExp(
    `(?:(?<!${LOCAL})${LOCAL}(?:${LOCAL}|'){0,127}|"[^"@]{1,64}")(?:@|%(?:25)?40|&#64;|&commat;|\\\\u0040)${DOMAIN}`,
    'giu',
  ),
  '[email]',
);

const findIban = matching(
  /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/gi,
  '[iban]',
  (found) => {
    const iban = found.replace(/[ -]/g, '').toUpperCase();
    const digits = `${iban.slice(4)}${iban.slice(0, 4)}`.replace(/[A-Z]/g, (letter) =>
      String(letter.charCodeAt(0) - 55),
    );
    return iban.length >= 15 && iban.length <= 34 && BigInt(digits) % 97n === 1n;
  },
);

/** Finds card numbers in groups of digits. Any run of neighbouring groups may be the number. */
function findCards(text: string): readonly Span[] {
  return Array.from(text.matchAll(/\d+(?:[ -]\d+)*/g)).flatMap(({ 0: run, index }) => {
    const spans: Span[] = [];
    const groups = Array.from(run.matchAll(/\d+/g), (group) => ({
      from: group.index,
      to: group.index + group[0].length,
    }));
    for (let first = 0; first < groups.length; first += 1) {
      const last = lastOfCard(run, groups, first);
      const [begin, end] = [groups[first], groups[last]];
      if (begin === undefined || end === undefined) continue;
      spans.push({ from: index + begin.from, to: index + end.to, placeholder: '[card]' });
      first = last;
    }
    return spans;
  });
}

/** The index of the last group of a card number that begins with the group at `first`; -1: no card number begins there. */
function lastOfCard(
  run: string,
  groups: readonly { readonly from: number; readonly to: number }[],
  first: number,
): number {
  let digits = '';
  for (let last = first; last < groups.length && digits.length < 19; last += 1) {
    const group = groups[last];
    if (group === undefined || group.to - group.from > 19) return -1;
    digits += run.slice(group.from, group.to);
    if (isCard(digits)) return last;
  }
  return -1;
}

/** Visa, Mastercard, American Express, Diners Club, JCB, Discover, UnionPay, Maestro and Mir, each with its lengths. */
const ISSUED =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14,17}|6(?:011|2\d\d|4[4-9]\d|5\d\d)\d{12,15}|(?:50|5[6-8]|6[0-9])\d{11,17})$/;

/** Whether the digits have an issuer's prefix and length, and the right check digit (ISO/IEC 7812, Luhn). */
function isCard(digits: string): boolean {
  if (!ISSUED.test(digits)) return false;
  const sum = Array.from(digits, Number)
    .reverse()
    .map((digit, place) => (place % 2 === 0 ? digit : digit > 4 ? 2 * digit - 9 : 2 * digit))
    .reduce((total, digit) => total + digit, 0);
  return sum % 10 === 0;
}

const findIpv4 = matching(
  /(?<![\d.]|\bv|version[ :=])(?:(?:25[0-5]|2[0-4]\d|[01]?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|[01]?\d?\d)(?!\.?\d)/gi,
  '[ip]',
);

function findIpv6(text: string): readonly Span[] {
  return Array.from(text.matchAll(/(?<![\p{L}\p{N}_:.])[\da-f:]*:[\da-f:]+(?:\.\d{1,3}){0,3}/giu)).flatMap(
    ({ 0: found, index: from }) => {
      // A colon at the end may belong to the sentence.
      const address = [found, found.replace(/:$/, '')].find((each) => /\d/.test(each) && isIPv6(each));
      return address === undefined ? [] : [{ from, to: from + address.length, placeholder: '[ip]' }];
    },
  );
}

const BETWEEN = '[ ()./-]{0,2}';
const findPhones: readonly Finder[] = [
  // With a country code.
  matching(
    new RegExp(`(?<![\\p{L}\\p{N}_+)])(?:\\+|%2b|00(?=[1-9]))${BETWEEN}[1-9](?:${BETWEEN}\\d){6,14}(?!\\d)`, 'giu'),
    '[phone]',
  ),
  // With an area code in parentheses.
  matching(
    /(?<![\p{L}\p{N}_+])(?:1[ .-]?)?\(0?\d{2,5}\)[ /-]{0,2}\d{2,9}(?:[ ./-]\d{1,9}){0,5}/gu,
    '[phone]',
    hasDigits(8),
  ),
  // With the zero that begins a national number.
  matching(/(?<![\p{L}\p{N}_.,:+-])0[1-9]\d{8,10}(?![\d.,:-])/gu, '[phone]'),
  matching(
    /(?<![\p{L}\p{N}_.,:+-])0[1-9]\d{0,4}[ ./-]\d{2,9}(?:[ .-]\d{2,9}){0,5}(?![\d:])/gu,
    '[phone]',
    (found) => hasDigits(9)(found) && !/^\d\d([./-])\d\d\1\d{4}/.test(found),
  ),
  // As in North America.
  matching(/(?<![\p{L}\p{N}_.,:+-]|\d )(?:1[ .-])?[2-9]\d{2}[ .-][2-9]\d{2}[ .-]\d{4}(?![ .:-]?\d)/gu, '[phone]'),
  // After a word such as "phone".
  matching(
    /(?<=(?:phone|mobile|msisdn|telefon|whatsapp|\btel|\bcell|\bfax)(?:[ _-]?(?:number|no|nr)\.?)?\\?["']{0,1}\s?(?:is\s)?[:=]?\s?\\?["']?)(?<!\d)\d(?:[ ()./-]?\d){5,14}(?!\d)/giu,
    '[phone]',
  ),
];

function hasDigits(least: number): (found: string) => boolean {
  return (found) => {
    const { length } = found.replace(/\D/g, '');
    return length >= least && length <= 15;
  };
}

const FINDERS: readonly Finder[] = [findMail, findIban, findCards, findIpv6, findIpv4, ...findPhones];
