import fc from 'fast-check';
import { listOf, sentRecord, shownOf, startHostileApi } from './hostile-api.ts';
import type { Kind } from './kind.ts';

/** Cases that an adversary found, then random combinations. */

const KEYS = [
  'sk_fake_q7Wm2ZrT9xKp4VbN8cYdL3fHs6JgA1eU',
  'test_sk_fake_0f3a9c5be81d7246f0a1b2c3d4e5f607',
  'sk_fake-Long_Key-4hT8_zQ2nX6-vB9mC3_kL7pR1wY5-dF0gJsAeUi4oP8tZ2xV6bN9mQ3',
] as const;

const each = (text: string, form: (code: number, character: string) => string) =>
  [...text].map((character) => form(character.charCodeAt(0), character)).join('');
const hex = (code: number) => code.toString(16).padStart(2, '0');

/** Encodings of a key that a machine or a person can decode. */
const ENCODINGS: Readonly<Record<string, (key: string) => string>> = {
  plain: (key) => key,
  capitals: (key) => key.toUpperCase(),
  reversed: (key) => [...key].reverse().join(''),
  spaced: (key) => [...key].join(' '),
  dotted: (key) => [...key].join('.'),
  'split by U+034F': (key) => [...key].join('\u034f'),
  'split by U+FE0F': (key) => [...key].join('\ufe0f'),
  'split by U+3164': (key) => [...key].join('\u3164'),
  'split by U+E0001': (key) => [...key].join('\u{e0001}'),
  'split by zero-width space': (key) => [...key].join('\u200b'),
  'in lines of eight': (key) => (key.match(/.{1,8}/g) ?? []).join('\r\n'),
  'percent encoded': (key) => each(key, (code) => `%${hex(code)}`),
  'percent encoded, every third': (key) =>
    [...key].map((character, at) => (at % 3 === 0 ? `%${hex(character.charCodeAt(0))}` : character)).join(''),
  'percent encoded twice': (key) => each(key, (code) => `%25${hex(code)}`),
  'in HTML, decimal': (key) => each(key, (code) => `&#${code};`),
  'in HTML, hexadecimal': (key) => each(key, (code) => `&#x${hex(code)};`),
  'in HTML, twice': (key) => each(key, (code) => `&amp;#${code};`),
  'in tags': (key) => each(key, (_code, character) => `<i>${character}</i>`),
  'in JSON escapes': (key) => each(key, (code) => `\\u00${hex(code)}`),
  'in JSON escapes, twice': (key) => each(key, (code) => `\\\\u00${hex(code)}`),
  'in C escapes': (key) => each(key, (code) => `\\x${hex(code)}`),
  'in octal escapes': (key) => each(key, (code) => `\\${code.toString(8).padStart(3, '0')}`),
  'quoted-printable': (key) => each(key, (code) => `=${hex(code).toUpperCase()}`),
  'in colours': (key) => each(key, (_code, character) => `\u001b[3${character.length}m${character}`),
  'full-width': (key) => each(key, (code) => String.fromCharCode(code + 0xfee0)),
  'in mathematical letters': (key) =>
    each(key, (code, character) => (/[a-z]/.test(character) ? String.fromCodePoint(0x1d41a + code - 0x61) : character)),
  hexadecimal: (key) => Buffer.from(key).toString('hex'),
  'hexadecimal, spaced': (key) => each(key, (code) => `${hex(code)} `),
  'C array': (key) => each(key, (code) => `0x${hex(code)}, `),
  'code points': (key) => each(key, (code) => `U+00${hex(code)} `),
  'decimal codes': (key) => each(key, (code) => `${code},`),
  base64: (key) => Buffer.from(key).toString('base64'),
  base64url: (key) => Buffer.from(key).toString('base64url'),
  'base64 of a header': (key) => Buffer.from(`Authorization: Bearer ${key}\r\n`).toString('base64'),
  'base64 of basic credentials': (key) => Buffer.from(`u:${key}`).toString('base64'),
  'base64 in lines': (key) =>
    (
      Buffer.from(key)
        .toString('base64')
        .match(/.{1,16}/g) ?? []
    ).join('\n'),
  'base64 twice': (key) => Buffer.from(Buffer.from(key).toString('base64')).toString('base64'),
  'base64 of UTF-16': (key) => Buffer.from(key, 'utf16le').toString('base64'),
  'base64 of UTF-16, big-endian': (key) => Buffer.from(key, 'utf16le').swap16().toString('base64'),
  'base64 of capitals': (key) => Buffer.from(key.toUpperCase()).toString('base64'),
  'base64 of it reversed': (key) => Buffer.from([...key].reverse().join('')).toString('base64'),
  'base64 of it spaced': (key) => Buffer.from([...key].join(' ')).toString('base64'),
  'base64 of hexadecimal': (key) => Buffer.from(Buffer.from(key).toString('hex')).toString('base64'),
  'base64 of percent escapes': (key) => Buffer.from(each(key, (code) => `%${hex(code)}`)).toString('base64'),
  'base64 of base64 in lines': (key) =>
    Buffer.from(
      (
        Buffer.from(`authorization: Bearer ${key}`)
          .toString('base64')
          .match(/.{1,40}/g) ?? []
      ).join('\n'),
    ).toString('base64'),
  'hexadecimal of base64': (key) => Buffer.from(Buffer.from(key).toString('base64')).toString('hex'),
  'hexadecimal of capitals': (key) => Buffer.from(key.toUpperCase()).toString('hex'),
  'hexadecimal in a dump': (key) =>
    (
      Buffer.from(key)
        .toString('hex')
        .match(/.{1,4}/g) ?? []
    ).join(' '),
  'decimal codes, padded': (key) => each(key, (code) => `${String(code).padStart(3, '0')} `),
  'octal dump': (key) => each(key, (code) => `${code.toString(8).padStart(3, '0')} `),
  binary: (key) => each(key, (code) => `${code.toString(2).padStart(8, '0')} `),
  'quoted-printable of percent escapes': (key) => each(key, (code) => `=25${hex(code)}`),
  'quoted-printable of HTML': (key) => each(key, (code) => `=26#${code};`),
  'quoted-printable of JSON': (key) => each(key, (code) => `=5Cu00${hex(code)}`),
  'full-width, percent encoded': (key) => encodeURIComponent(each(key, (code) => String.fromCharCode(code + 0xfee0))),
  'full-width, in C escapes': (key) =>
    [...Buffer.from(each(key, (code) => String.fromCharCode(code + 0xfee0)))].map((byte) => `\\x${hex(byte)}`).join(''),
  'full-width, %u': (key) => each(key, (code) => `%u${(code + 0xfee0).toString(16)}`),
  'split by named entities': (key) => [...key].join('&ZeroWidthSpace;'),
  'split by unfinished entities': (key) => [...key].join('&nbsp '),
  'percent escapes of named entities': (key) => each(key, (code) => `&percnt;${hex(code)}`),
  'JSON escapes of named entities': (key) => each(key, (code) => `&bsol;u00${hex(code)}`),
  'in Python escapes': (key) => each(key, (code) => `\\U000000${hex(code)}`),
  'in Perl escapes': (key) => each(key, (code) => `\\x{${hex(code)}}`),
  'digits in short octal': (key) =>
    each(key, (code, character) => (/\d/.test(character) ? `\\${code.toString(8)}` : character)),
  'split by backslashes, and one escape': (key) =>
    `${[...key.slice(0, -1)].join('\\')}%${hex(key.charCodeAt(key.length - 1))}`,
  'split by signs, and one escape': (key) =>
    `${[...key.slice(0, -1)].join('™')}%${hex(key.charCodeAt(key.length - 1))}`,
  'split by comments': (key) => [...key].join('<!-- no -->'),
  'with accents': (key) =>
    [...key]
      .map((character) => `${character}\u0301`)
      .join('')
      .normalize('NFC'),
  'full-width with accents': (key) => each(key, (code) => `${String.fromCharCode(code + 0xfee0)}\u0301`),
  'in regional indicators': (key) =>
    each(key.toLowerCase(), (code, character) =>
      /[a-z]/.test(character) ? String.fromCodePoint(0x1f1e6 + code - 0x61) : character,
    ),
  'in negative circles': (key) =>
    each(key.toLowerCase(), (code, character) =>
      /[a-z]/.test(character) ? String.fromCodePoint(0x1f150 + code - 0x61) : character,
    ),
  ...Object.fromEntries(
    [
      '\u001b[?25h',
      '\u009b31m',
      '\u001b]0;title\u0007',
      '\u001bM',
      '\u001bPabc\u001b\\',
      '\u001b[38:5:1m',
      '\u001b[!p',
      '\u001b]8;;x\u001b\\',
    ].map((separator) => [`split by ${JSON.stringify(separator)}`, (key: string) => [...key].join(separator)]),
  ),
  'masked in the middle': (key) =>
    `${key.slice(0, Math.floor(key.length / 2) - 2)}***${key.slice(Math.floor(key.length / 2) + 2)}`,
};

const WRAPPINGS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `Bearer ${text}`,
  (text) => `Bearer%20${text}`,
  (text) => `\\n${text}`,
  (text) => `\\t${text}\\t`,
  (text) => `x_${text}`,
  (text) => `401${text}`,
  (text) => `{"headers":{"authorization":"Bearer ${text}"}}`,
  (text) => JSON.stringify(JSON.stringify({ authorization: text })),
  (text) => `<pre>Authorization: ${text}</pre>`,
  (text) => `https://u:${text}@example.com/?key=${text}&x=1`,
  (text) => `${'Ä'.repeat(40)}${text}${'ß'.repeat(40)}`,
  (text) => `=?utf-8?B?${text}?=`,
];

/** Places in an answer where the API may put the key. */
const PLACES: Readonly<Record<string, (text: string) => { status?: number; body: string; type?: string }>> = {
  message: (text) => ({ body: listOf(sentRecord({ last_error_message: text })) }),
  title: (text) => ({ body: listOf(sentRecord({ title: text })) }),
  provider: (text) => ({ body: listOf(sentRecord({ integration: text })) }),
  id: (text) => ({ body: listOf(sentRecord({ id: text })) }),
  // Limited to the characters that an ID allows.
  'ID of the allowed characters': (text) => ({
    body: listOf(sentRecord({ id: /^[\w.-]+$/.test(text) ? text.slice(0, 256) : 'another' })),
  }),
  platform: (text) => ({ body: listOf(sentRecord({ target_platform: text, [text]: text })) }),
  time: (text) => ({ body: listOf(sentRecord({ updated_at: text })) }),
  'an error': (text) => ({
    status: 422,
    body: JSON.stringify({
      error: { type: text, code: text, message: text, details: [{ field: text, message: text }] },
    }),
  }),
  'a refusal of the key': (text) => ({ status: 401, body: JSON.stringify({ error: { message: text } }) }),
  'no JSON': (text) => ({ status: 200, body: text }),
  'a content type': (text) => ({ body: 'x', type: /^[\x20-\x7e]+$/.test(text) ? text : 'text/plain' }),
  'a field name': (text) => ({ body: listOf(sentRecord({ [text]: 1, active: 7 })) }),
};

const skeleton = (text: string) =>
  text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');

/**
 * Whether half of the sent text, or 12 consecutive characters of the key, are visible. Only letters and digits count.
 */
function shows(shown: string, sent: string, key: string): boolean {
  const where = skeleton(shown);
  const hasRunOf = (what: string, length: number) => {
    for (let at = 0; at + length <= what.length; at += 1) if (where.includes(what.slice(at, at + length))) return true;
    return false;
  };
  const what = skeleton(sent);
  return (
    shown.includes(sent) ||
    hasRunOf(skeleton(key.replace(/^(?:test_)?sk_/, '')), 12) ||
    hasRunOf(what, Math.max(16, Math.floor(what.length / 2)))
  );
}

export const keyEcho: Kind = {
  name: 'key-echo',
  promise: 'The client never shows the Secret Key, in any encoding and from any place in the API’s answer.',
  attack: async (size) => {
    const violations: string[] = [];
    let tried = 0;
    const entries = Object.entries(ENCODINGS);
    const places = Object.entries(PLACES);
    for (const key of KEYS) {
      const api = await startHostileApi(key);
      const attempt = async (name: string, encoded: string, text: string, place: string) => {
        const { status = 200, body, type = 'application/json' } = PLACES[place]?.(text) ?? { body: '' };
        api.answer = (response) => {
          response.writeHead(status, { 'content-type': type });
          response.end(body);
        };
        tried += 1;
        const shown = shownOf(
          await api
            .client()
            .list()
            .catch((error: unknown) => error),
        );
        if (shows(shown, encoded, key))
          violations.push(`${name} of ${key.slice(0, 6)}… as ${place}: ${shown.slice(0, 300)}`);
      };
      for (const [index, [name, encode]] of entries.entries()) {
        const encoded = encode(key);
        const chosen = size === 'quick' ? places.filter((_, at) => at % 4 === index % 4) : places;
        for (const [place] of chosen) {
          const wrap = WRAPPINGS[(index + place.length) % WRAPPINGS.length] ?? ((text) => text);
          await attempt(name, encoded, wrap(encoded), place);
        }
      }
      // Any encoding of a long enough part, escaped again, in any wrapper.
      const arbitrary = fc.record({
        encoding: fc.constantFrom(...entries.filter(([name]) => !name.startsWith('base64') && name !== 'hexadecimal')),
        escaping: fc.constantFrom<(text: string) => string>(
          (text) => text,
          encodeURIComponent,
          (text) => JSON.stringify(text).slice(1, -1),
          (text) => text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`),
        ),
        wrapping: fc.constantFrom(...WRAPPINGS),
        place: fc.constantFrom(...places.map(([place]) => place)),
        start: fc.nat(8),
      });
      const numRuns = size === 'quick' ? 40 : 1_500;
      for (const { encoding, escaping, wrapping, place, start } of fc.sample(arbitrary, { seed: 1, numRuns })) {
        const encoded = escaping(encoding[1](key.replace(/^(test_)?sk_/, '').slice(start)));
        await attempt(`${encoding[0]}, escaped,`, encoded, wrapping(encoded), place);
      }
      await api.close();
    }
    return { tried, violations };
  },
};
