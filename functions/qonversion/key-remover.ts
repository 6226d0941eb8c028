/**
 * Removes a Secret Key from text of others, in whatever form it comes back (law 4): as it is, in capitals, backwards, spaced or
 * split by anything but letters and digits, in JSON, percent, HTML, quoted-printable or C escapes up to any depth, in compatibility
 * characters of Unicode, in hexadecimal, in decimal codes, in base64 once or twice. Patterns that know what keys look like
 * (`guard/text`) are the second net.
 *
 * Texts are compared by their letters and digits alone, in lower case. Sixteen of a key in a row are never chance.
 */
export interface KeyRemover {
  /** Whether the text holds the key, or a run of sixteen characters of it. */
  appearsIn(text: string): boolean;
  /** The text with `[redacted]` in its place. */
  removeFrom(text: string): string;
}

const REMOVED = '[redacted]';

/** Characters of a key in a row that are not chance. A shorter key has to be there whole. */
const MIN_RUN = 16;

/** A longer text that holds the key is dropped whole: it is not worth the memory to say where. */
const MAX_MAPPED_LENGTH = 8_192;

/** Kinds of escapes within one another. Repetitions of one kind count as one; honest text has two or three. */
const MAX_LAYERS = 8;

/** Letters and digits that are looked up at once; more would fit into no whole number. */
const GRAM = 6;

/** A form of the key as letters and digits. */
interface Needle {
  readonly codes: Uint8Array;
  /** How many of them in a row show the key. */
  readonly minRun: number;
}

/** @param key the key's text, with its prefix */
export function createKeyRemover(key: string): KeyRemover {
  const needles = needlesOf(key.replace(/^(?:test_)?sk_/, ''));
  const shortest = Math.min(key.length, ...needles.map(({ minRun }) => minRun));
  const stride = Math.max(1, Math.min(...needles.map(({ minRun }) => minRun)) - GRAM + 1);
  const grams = new Map<number, (readonly [Needle, number])[]>();
  for (const needle of needles) {
    for (let at = 0; at + GRAM <= needle.codes.length; at += 1) {
      const gram = gramAt(needle.codes, at);
      grams.set(gram, [...(grams.get(gram) ?? []), [needle, at]]);
    }
  }

  /** Calls back with each run of key characters, until it is told that one is enough. */
  function findRuns(codes: Uint8Array, found: (start: number, end: number) => 'next' | 'enough'): void {
    // Every run that counts is long enough to hold a whole gram at one of these places.
    for (let at = 0; at + GRAM <= codes.length; at += stride) {
      for (const [needle, offset] of grams.get(gramAt(codes, at)) ?? []) {
        let left = 0;
        while (left < Math.min(at, offset) && codes[at - left - 1] === needle.codes[offset - left - 1]) left += 1;
        let right = GRAM;
        const most = Math.min(codes.length - at, needle.codes.length - offset);
        while (right < most && codes[at + right] === needle.codes[offset + right]) right += 1;
        if (left + right >= needle.minRun && found(at - left, at + right) === 'enough') return;
      }
    }
  }

  function hasRun(text: string): boolean {
    let found = false;
    findRuns(codesOf(text), () => {
      found = true;
      return 'enough';
    });
    return found;
  }

  function appearsIn(text: string): boolean {
    if (text.length < shortest) return false;
    // A key of dashes has hardly any letters and digits.
    if (text.includes(key)) return true;
    if (!MAY_HAVE_ESCAPES.test(text)) return hasRun(text);
    let appears = false;
    const complete = eachLayer(text, decode, (layer) => {
      appears ||= hasRun(layer);
      return !appears;
    });
    // What is still encoded after so many layers is made to hide something.
    return appears || !complete;
  }

  return {
    appearsIn,

    removeFrom(given): string {
      if (!appearsIn(given)) return given;
      if (given.length > MAX_MAPPED_LENGTH) return REMOVED;
      const text = given.replaceAll(key, REMOVED);
      const ranges: (readonly [number, number])[] = [];
      eachLayer(unmapped(text), decodeMapped, ({ text: layer, origins }) => {
        const { codes, places } = codesAndPlaces(layer);
        findRuns(codes, (start, end) => {
          ranges.push([origins[places[start] ?? 0]?.[0] ?? 0, origins[places[end - 1] ?? 0]?.[1] ?? text.length]);
          return 'next';
        });
        return true;
      });
      const removed = cut(text, ranges);
      return appearsIn(removed) ? REMOVED : removed;
    },
  };
}

function needlesOf(core: string): readonly Needle[] {
  const forms: Needle[] = [];
  /** @param perCharacter how many letters and digits one character of the key takes */
  const add = (form: string, perCharacter = 1) => {
    const codes = codesOf(form).slice();
    if (codes.length >= GRAM) forms.push({ codes, minRun: Math.min(codes.length, Math.ceil(MIN_RUN * perCharacter)) });
  };
  add(core);
  add([...core].reverse().join(''));
  add(Buffer.from(core).toString('hex'), 2);
  add(Buffer.from(core, 'utf16le').toString('hex'), 4);
  add([...Buffer.from(core)].join(''), 2.5);
  for (const bytes of [Buffer.from(core), Buffer.from(core, 'utf16le')]) {
    const perCharacter = ((bytes.length / core.length) * 4) / 3;
    for (const once of base64Forms(bytes)) {
      add(once, perCharacter);
      for (const twice of base64Forms(Buffer.from(once))) add(twice, (perCharacter * 4) / 3);
    }
  }
  return forms;
}

/** The part of a base64 text that depends on these bytes alone, for each of the three ways they may lie in it. */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return encoded.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3));
  });
}

/** 0 to 35 for the code of a digit or of a letter in any case; -1 for all others below 128. */
const CODES = Int8Array.from({ length: 128 }, (_, unit) => {
  const value = Number.parseInt(String.fromCharCode(unit), 36);
  return Number.isNaN(value) ? -1 : value;
});

function codeOf(unit: number): number {
  return unit < 128 ? (CODES[unit] ?? -1) : -1;
}

let scratch = new Uint8Array(1_024);

/** Valid until the next call: most texts are short, and there are a hundred thousand of them. */
function codesOf(text: string): Uint8Array {
  if (scratch.length < text.length) scratch = new Uint8Array(text.length * 2);
  const codes = scratch;
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = codeOf(text.charCodeAt(at));
    if (code >= 0) {
      codes[length] = code;
      length += 1;
    }
  }
  return codes.subarray(0, length);
}

function codesAndPlaces(text: string): { readonly codes: Uint8Array; readonly places: readonly number[] } {
  const places: number[] = [];
  for (let at = 0; at < text.length; at += 1) if (codeOf(text.charCodeAt(at)) >= 0) places.push(at);
  return { codes: codesOf(text), places };
}

function gramAt(codes: Uint8Array, at: number): number {
  let gram = 0;
  for (let offset = 0; offset < GRAM; offset += 1) gram = gram * 36 + (codes[at + offset] ?? 0);
  return gram;
}

/** One layer of escapes less: what the text was made of. */
type Decode<Layer> = (layer: Layer, escapes: RegExp) => Layer | null;

/**
 * The text as it is, then with its escapes decoded, until there are none.
 * @param use returns whether to go on
 * @returns false when there were more layers than anybody needs
 */
function eachLayer<Layer>(text: Layer, decodeOnce: Decode<Layer>, use: (layer: Layer) => boolean): boolean {
  let layer: Layer | null = text;
  for (let depth = 0; depth <= MAX_LAYERS; depth += 1) {
    if (layer === null || !use(layer)) return true;
    // "=41" is an escape in mail and an assignment elsewhere, so it is decoded beside the others, not before them.
    const quotedPrintable = decodeOnce(layer, QUOTED_PRINTABLE);
    if (quotedPrintable !== null && !use(quotedPrintable)) return true;
    layer = decodeOnce(layer, ESCAPES);
  }
  return layer === null;
}

/**
 * Escapes of JSON and C, of URLs, of HTML, code points, tags and the terminal's sequences. An escape that was escaped again by its
 * own kind (`\\\\n`, `%2525`, `&amp;amp;`) is one.
 */
const ESCAPES = new RegExp(
  [
    String.raw`\\+(?:u(?<u>[0-9a-f]{4})|u\{(?<brace>[0-9a-f]{1,6})\}|x(?<x>[0-9a-f]{2})|(?<octal>[0-7]{3})|[abefnrtv0"'/])`,
    '%(?:25)*(?:u00)?(?<percent>[0-9a-f]{2})',
    String.raw`&(?:amp;)*(?:#x0{0,8}(?<hex>[0-9a-f]{1,6});?|#0{0,8}(?<decimal>\d{1,7});?|[a-z]{2,8};)`,
    String.raw`0x(?<zero>[0-9a-f]{2})[\s,;]{0,4}`,
    String.raw`u\+(?<point>[0-9a-f]{4,6})\s{0,4}`,
    '<[/!]?[a-z][^<>]{0,100}>',
    String.raw`\u001b\[[0-9;]{0,20}[a-z]`,
    String.raw`[^\x00-\x7f]+`,
  ].join('|'),
  'gi',
);

/** Cheaper than to look for them. */
const MAY_HAVE_ESCAPES = /[\\%&<=\u001b]|[^\x00-\x7f]|0x|u\+/i;

const QUOTED_PRINTABLE = /=(?:(?<hex>[0-9a-f]{2})|\r?\n)/gi;

/** What an escape stands for; nothing where it stands for no letter or digit. */
function meaningOf(matched: string, groups: Readonly<Record<string, string | undefined>>): string {
  const { u, brace, x, octal, percent, hex, decimal, zero, point } = groups;
  const sixteen = u ?? brace ?? x ?? percent ?? hex ?? zero ?? point;
  if (sixteen !== undefined) return character(Number.parseInt(sixteen, 16));
  if (octal !== undefined) return character(Number.parseInt(octal, 8));
  if (decimal !== undefined) return character(Number.parseInt(decimal, 10));
  if (matched.charCodeAt(0) < 0x80) return '';
  // "ｓ" and "ⓢ" are "s". Anything else is neither a letter nor a digit of a key.
  return matched.normalize('NFKC').replace(/[^\x20-\x7e]/g, '');
}

function character(codePoint: number): string {
  return codePoint <= 0x10_ffff ? String.fromCodePoint(codePoint) : '';
}

function decode(text: string, escapes: RegExp): string | null {
  escapes.lastIndex = 0;
  if (!escapes.test(text)) return null;
  return text.replace(escapes, (matched, ...rest) => meaningOf(matched, rest.at(-1) as Record<string, string>));
}

/** A layer that knows where in the text each of its characters comes from. */
interface Mapped {
  readonly text: string;
  /** For each UTF-16 unit the beginning and the end of its origin. */
  readonly origins: readonly (readonly [number, number])[];
}

function unmapped(text: string): Mapped {
  return { text, origins: Array.from({ length: text.length }, (_, at) => [at, at + 1] as const) };
}

function decodeMapped({ text, origins }: Mapped, escapes: RegExp): Mapped | null {
  const parts: string[] = [];
  const mapped: (readonly [number, number])[] = [];
  let end = 0;
  const take = (part: string, of: Mapped['origins']) => {
    parts.push(part);
    for (const origin of of) mapped.push(origin);
  };
  for (const match of text.matchAll(escapes)) {
    const [matched] = match;
    take(text.slice(end, match.index), origins.slice(end, match.index));
    end = match.index + matched.length;
    const meaning = meaningOf(matched, match.groups ?? {});
    const origin = [origins[match.index]?.[0] ?? 0, origins[end - 1]?.[1] ?? 0] as const;
    take(
      meaning,
      Array.from({ length: meaning.length }, () => origin),
    );
  }
  if (end === 0) return null;
  take(text.slice(end), origins.slice(end));
  return { text: parts.join(''), origins: mapped };
}

function cut(text: string, ranges: readonly (readonly [number, number])[]): string {
  let rest = '';
  let end = 0;
  for (const [from, to] of [...ranges].sort(([left], [right]) => left - right)) {
    if (from >= end) rest += `${text.slice(end, from)}${REMOVED}`;
    end = Math.max(end, to);
  }
  return rest + text.slice(end);
}
