import { redactPersonalData } from '../../functions/guard/text/personal-data.ts';
import { safeText } from '../../functions/guard/text/sanitize.ts';
import { createRandom, type Random } from '../faults/random.ts';
import type { Kind } from './kind.ts';

/** Mail addresses, phone numbers, cards, accounts and IP addresses of end users, in many spellings and wrappers. */
export const personalData: Kind = {
  name: 'personal-data',
  promise: 'Error messages keep no mail address, phone, card or account number, and no IP address of an end user.',
  attack: (size) => {
    const violations: string[] = [];
    let tried = 0;
    for (let seed = 1; seed <= (size === 'quick' ? 2 : 60); seed += 1) {
      const random = createRandom(seed);
      for (const [what, make] of Object.entries(DATA))
        for (const [where, wrap] of Object.entries(WRAPPERS)) {
          tried += 1;
          const data = respell(random, make(random));
          const text = wrap(data);
          const name = `seed ${seed}, ${what} in ${where}: ${JSON.stringify(text)}`;
          const safe = redactPersonalData(safeText(text, 500));
          if (shows(safe, data)) violations.push(`${name} became ${safe}`);
          if (redactPersonalData(safe) !== safe) violations.push(`${name} changes when redacted again`);
          if (!/\[[a-z]{2,10}\]/.test(safe)) violations.push(`${name} has no placeholder: ${safe}`);
        }
      for (const make of HARMLESS) {
        tried += 1;
        const text = make(random);
        if (redactPersonalData(text) !== text)
          violations.push(`seed ${seed}: ${text} became ${redactPersonalData(text)}`);
      }
    }
    return { tried, violations };
  },
};

const digits = (random: Random, count: number) => Array.from({ length: count }, () => random.below(10)).join('');
const nonZero = (random: Random) => String(1 + random.below(9));
const hexes = (random: Random) => (1 + random.below(0xfffe)).toString(16);

/** The number with its Luhn check digit, found by trying all ten. */
function withLuhn(number: string): string {
  const sum = (text: string) =>
    Array.from(text)
      .reverse()
      .reduce((total, each, place) => {
        const doubled = Number(each) * (place % 2 === 0 ? 1 : 2);
        return total + (doubled > 9 ? doubled - 9 : doubled);
      }, 0);
  return Array.from({ length: 10 }, (_, last) => `${number}${last}`).find((each) => sum(each) % 10 === 0) ?? number;
}

function iban(random: Random): string {
  const country = random.pick(['DE', 'GB', 'FR', 'NL']);
  const account =
    country === 'DE'
      ? digits(random, 18)
      : country === 'GB'
        ? `WEST${digits(random, 14)}`
        : country === 'FR'
          ? digits(random, 23)
          : `ABNA${digits(random, 10)}`;
  const number = `${account}${country}00`.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  return `${country}${String(98n - (BigInt(number) % 97n)).padStart(2, '0')}${account}`;
}

const grouped = (text: string, by: string) => (text.match(/.{1,4}/g) ?? []).join(by);
const NAMES = ['jane', 'jane.doe', 'j_doe', 'jane+app', "o'brien", 'JANE', 'jörg', 'мария', '山田', 'x1', '1234567'];
const DOMAINS = [
  'example.com',
  'mail.example.co.uk',
  'müller.example',
  'xn--mller-kva.example',
  'пример.рф',
  'EXAMPLE.ORG',
  'a-b.example',
];

const DATA: Readonly<Record<string, (random: Random) => string>> = {
  mail: (r) => `${r.pick(NAMES)}@${r.pick(DOMAINS)}`,
  'encoded mail': (r) => `${r.pick(['jane', 'jane.doe', 'j%2Bx'])}%40example.com`,
  'phone with its country': (r) =>
    `+${r.pick(['49 30 ', '49 (0)30 ', '1 ', '44 20 ', '7-', '86', '33 '])}${digits(r, 3)}${r.pick([' ', '-', ''])}${digits(r, 4)}`,
  'phone with 00': (r) => `0049 ${nonZero(r)}${digits(r, 2)} ${digits(r, 6)}`,
  'encoded phone': (r) => `%2B49${nonZero(r)}${digits(r, 9)}`,
  'phone with its area': (r) => `(0${nonZero(r)}${digits(r, 2)}) ${digits(r, 6)}`,
  'phone with a slash': (r) => `0${nonZero(r)}${digits(r, 2)}/${digits(r, 7)}`,
  'mobile phone': (r) => `01${nonZero(r)}${digits(r, 1)} ${digits(r, 8)}`,
  'French phone': (r) => `06 ${[0, 0, 0, 0].map(() => digits(r, 2)).join(' ')}`,
  'British phone': (r) => `020 ${digits(r, 4)} ${digits(r, 4)}`,
  'American phone': (r) =>
    `${r.pick(['', '1-'])}${2 + r.below(8)}${digits(r, 2)}${r.pick(['-', '.'])}${2 + r.below(8)}${digits(r, 2)}-${digits(r, 4)}`,
  'American phone with parentheses': (r) =>
    `(${2 + r.below(8)}${digits(r, 2)}) ${2 + r.below(8)}${digits(r, 2)}-${digits(r, 4)}`,
  'Visa card': (r) => grouped(withLuhn(`4${digits(r, 14)}`), r.pick(['', ' ', '-'])),
  Mastercard: (r) => grouped(withLuhn(`5${1 + r.below(5)}${digits(r, 13)}`), r.pick(['', ' ', '-'])),
  'American Express': (r) => withLuhn(`37${digits(r, 12)}`),
  IBAN: (r) => grouped(iban(r), r.pick(['', ' '])),
  IPv4: (r) => [1 + r.below(255), r.below(256), r.below(256), r.below(256)].join('.'),
  IPv6: (r) => Array.from({ length: 8 }, () => hexes(r)).join(':'),
  'short IPv6': (r) => `2001:db8::${hexes(r)}${r.pick(['', `:${hexes(r)}`])}`,
  'mapped IPv4': (r) => `::ffff:${[203, 0, 113, r.below(256)].join('.')}`,
};

const WRAPPERS: Readonly<Record<string, (text: string) => string>> = {
  nothing: (text) => text,
  'a sentence': (text) => `User ${text} was not found.`,
  'the end of a sentence': (text) => `No such user: ${text}.`,
  quotes: (text) => `invalid user '${text}'`,
  JSON: (text) => JSON.stringify({ error: 'invalid', user: text, code: 400 }),
  'JSON in JSON': (text) => JSON.stringify({ body: JSON.stringify({ user: text }) }),
  brackets: (text) => `rejected [${text}] (400)`,
  'a query': (text) => `GET /users?q=${text}&limit=1`,
  'a form': (text) => `user=${text}; retry`,
  'a list': (text) => `${text}, 203 others`,
  XML: (text) => `<user>${text}</user>`,
  'a redacted neighbour': (text) => `password=hunter2xyz, user ${text}`,
};

/** Digits and signs as East Asian keyboards write them. */
function respell(random: Random, text: string): string {
  return random.oneIn(8) ? text.replace(/[0-9+@]/g, (each) => String.fromCharCode(each.charCodeAt(0) + 0xfee0)) : text;
}

/** Whether the data is visible, or the part without its last third. */
function shows(text: string, data: string): boolean {
  return text.includes(data) || text.includes(data.slice(0, Math.ceil((data.length * 2) / 3)));
}

/** Numbers that identify no one. */
const HARMLESS: readonly ((random: Random) => string)[] = [
  (r) => `order ${nonZero(r)}${digits(r, 9)} not found`,
  (r) => `HTTP ${400 + r.below(200)} after ${r.below(10_000)} ms`,
  (r) => `at 1${digits(r, 12)}, in 17${digits(r, 8)}`,
  (r) => `version ${r.below(20)}.${r.below(20)}.${r.below(200)}`,
  (r) => `SDK ${r.below(9)}.${r.below(9)}.${r.below(9)}-beta.${r.below(9)}`,
  (r) =>
    `2026-${10 + r.below(3)}-${10 + r.below(19)} ${10 + r.below(14)}:${10 + r.below(50)}:${10 + r.below(50)}+01:00`,
  (r) => `${10 + r.below(19)}/11/2026 and ${10 + r.below(19)}.11.2026`,
  (r) => `${1 + r.below(999)},${digits(r, 3)},${digits(r, 3)} of ${digits(r, 4)}`,
  (r) => `${1 + r.below(99)} of ${100 + r.below(900)} events, ${r.below(100)}.${r.below(99)}%`,
  (r) => `line ${r.below(999)}, column ${r.below(99)}, bytes ${r.below(9999)}-${r.below(99_999)}`,
  (r) => `ratio ${r.below(9)}:${r.below(9)}, std::vector<int>::at (${r.below(99)})`,
];
