import { normalise, TERMINAL_ESCAPE } from '../guard/text/normalise.ts';

/**
 * Removes a Secret Key from external text, in any form in which it may come back (law 4): as it is, in capitals,
 * reversed, or split by anything but letters and digits. It also finds the key in nested escapes (JSON, C, URL, HTML,
 * mail), in Unicode compatibility characters, in base64, and in hexadecimal, octal or decimal codes. The key patterns
 * in `guard/text` are a second safeguard.
 *
 * Only letters and digits are compared, in lower case. A run of 12 characters of the key is no coincidence, nor are two
 * runs of 8 in one text. The cost grows with the length of the text and is considerable, so texts must be short.
 */
export interface KeyRemover {
  /** Whether the text contains the key, a run of 12 of its characters, or two runs of 8. */
  appearsIn(text: string): boolean;
  /** The text with `[redacted]` in place of the key. A text without the key is returned unchanged. */
  removeFrom(text: string): string;
}

const REMOVED = '[redacted]';

/** A run of this many characters of the key is no coincidence. A shorter key must appear whole. */
const MIN_RUN = 12;
/** Minimum length if there are several runs in one text. */
const MIN_PIECE = 8;

/** Letters and digits per lookup. A longer gram would exceed the safe integers. */
const GRAM = 6;

/** Limit of decoded layers. Ordinary text has a handful. */
const MAX_LAYERS = 64;

/** One form of the key, as letters and digits. */
interface Needle {
  readonly codes: Uint8Array;
  /** Minimum length of a single run. */
  readonly minRun: number;
  /** Minimum length of each of two runs. */
  readonly minPiece: number;
}

/** @param key the key's text, including its prefix */
export function createKeyRemover(key: string): KeyRemover {
  const needles = needlesOf(key.replace(/^(?:test_)?sk_/, ''));
  const shortest = Math.min(key.length, ...needles.map(({ minRun }) => minRun));
  const grams = new Map<number, (readonly [Needle, number])[]>();
  for (const needle of needles) {
    for (let at = 0; at + GRAM <= needle.codes.length; at += 1) {
      const gram = gramAt(needle.codes, at);
      grams.set(gram, [...(grams.get(gram) ?? []), [needle, at]]);
    }
  }
  // At this distance, every piece of the minimum length contains a whole gram at one of the positions.
  const stride = Math.max(1, Math.min(...needles.map(({ minPiece }) => minPiece)) - GRAM + 1);

  /** Calls back with each run of key characters, until the callback returns 'enough'. */
  function findRuns(
    codes: Uint8Array,
    least: 'a piece' | 'a gram',
    found: (start: number, end: number, isWhole: boolean) => 'next' | 'enough',
  ): void {
    for (let at = 0; at + GRAM <= codes.length; at += least === 'a gram' ? 1 : stride) {
      for (const [needle, offset] of grams.get(gramAt(codes, at)) ?? []) {
        let left = 0;
        while (left < Math.min(at, offset) && codes[at - left - 1] === needle.codes[offset - left - 1]) left += 1;
        let right = GRAM;
        const most = Math.min(codes.length - at, needle.codes.length - offset);
        while (right < most && codes[at + right] === needle.codes[offset + right]) right += 1;
        const length = left + right;
        if (least === 'a piece' && length < needle.minPiece) continue;
        if (found(at - left, at + right, length >= needle.minRun) === 'enough') return;
      }
    }
  }

  function hasRun(text: string): boolean {
    let has = false;
    let endOfPiece = -1;
    findRuns(codesOf(text), 'a piece', (start, end, isWhole) => {
      has ||= isWhole || (endOfPiece >= 0 && start >= endOfPiece);
      if (endOfPiece < 0) endOfPiece = end;
      return has ? 'enough' : 'next';
    });
    return has;
  }

  function appearsIn(text: string): boolean {
    if (text.length < shortest) return false;
    // A key made of dashes has almost no letters and digits.
    if (text.includes(key)) return true;
    if (!MAY_BE_ENCODED.test(text)) return hasRun(text);
    let appears = false;
    const complete = eachLayer(text, decode, (layer) => {
      appears ||= hasRun(layer);
      return !appears;
    });
    // Text that is still encoded after so many layers is meant to hide something.
    return appears || !complete;
  }

  function removeFrom(given: string): string {
    if (given.length < shortest) return given;
    const normal = normalise(given);
    if (!appearsIn(given) && (normal === given || !appearsIn(normal))) return given;
    const text = normal.replaceAll(key, REMOVED);
    const ranges: Range[] = [];
    eachLayer(unmapped(text), decodeMapped, ({ text: layer, origins }) => {
      const { codes, places } = codesAndPlaces(layer);
      // The text contains the key, so shorter pieces are no coincidence either.
      findRuns(codes, 'a gram', (start, end) => {
        ranges.push([origins[places[start] ?? 0]?.[0] ?? 0, origins[places[end - 1] ?? 0]?.[1] ?? text.length]);
        return 'next';
      });
      return true;
    });
    const removed = cut(text, ranges);
    return appearsIn(removed) ? REMOVED : removed;
  }

  return { appearsIn, removeFrom };
}

function needlesOf(core: string): readonly Needle[] {
  const forms: Needle[] = [];
  /** @param perCharacter letters and digits per character of the key */
  const add = (form: string, perCharacter = 1) => {
    const codes = codesOf(form).slice();
    const atMost = (characters: number) => Math.min(codes.length, Math.ceil(characters * perCharacter));
    if (codes.length >= GRAM) forms.push({ codes, minRun: atMost(MIN_RUN), minPiece: atMost(MIN_PIECE) });
  };
  add(core);
  add([...core].reverse().join(''));
  // These forms also match if letters stand beside the key, or if it is not at the beginning.
  add(Buffer.from(core).toString('hex'), 2);
  add(Buffer.from(core, 'utf16le').toString('hex'), 4);
  add([...Buffer.from(core)].join(''), 3.5);
  for (const bytes of [Buffer.from(core), Buffer.from(core, 'utf16le')]) {
    const perCharacter = ((bytes.length / core.length) * 4) / 3;
    for (const once of base64Forms(bytes)) {
      add(once, perCharacter);
      for (const twice of base64Forms(Buffer.from(once))) add(twice, (perCharacter * 4) / 3);
    }
  }
  return forms;
}

/** The part of a base64 text that depends on these bytes alone, for each of the three possible alignments. */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return encoded.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3));
  });
}

/** The code of a digit or letter, ignoring case: 0 to 35; -1 for all other characters below 128. */
const CODES = Int8Array.from({ length: 128 }, (_, unit) => {
  const value = Number.parseInt(String.fromCharCode(unit), 36);
  return Number.isNaN(value) ? -1 : value;
});

function codeOf(unit: number): number {
  return unit < 128 ? (CODES[unit] ?? -1) : -1;
}

let scratch = new Uint8Array(1_024);

/** Valid until the next call. The buffer is reused because there are tens of thousands of short texts. */
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

/** One encoding of text as other text. */
interface Encoding {
  readonly pattern: RegExp;
  /** Decodes a match of the pattern. */
  readonly meaning: (matched: string) => string;
}

/** A quick check that skips the decoding of most texts. */
const MAY_BE_ENCODED = /[\\%&<=\u001b]|[^\x00-\x7f]|0x|u\+|[\w+/]{22}|(?:[0-9a-f]{2,8}[\s:,;.-]{1,4}){11}/i;

/**
 * Repetitions of one escape (`\\\\n`, `%2525`, `&amp;amp;`) count as one. Consecutive bytes may be one UTF-8 character.
 */
const NUMERIC = [
  String.raw`(?<!\\)\\+(?:u[0-9a-f]{4}|u\{[0-9a-f]{1,6}\}|U[0-9a-f]{8}|x\{[0-9a-f]{1,6}\}|[0-7]{2,3}|x[0-9a-f]{2}(?:\\+x[0-9a-f]{2})*)`,
  '%u[0-9a-f]{4}|(?:%(?:25)*[0-9a-f]{2})+',
  String.raw`&(?:amp;)*#(?:x0{0,8}[0-9a-f]{1,6}|0{0,8}\d{1,7});?`,
  String.raw`0x[0-9a-f]{2}[\s,;]{0,4}`,
  String.raw`u\+[0-9a-f]{4,6}\s{0,4}`,
];

/** Separators between letters, and other forms of a letter. */
const ORNAMENTS = [
  String.raw`(?<!\\)\\+[abefnrtv0"'/]`,
  '&(?:amp;)*(?:[a-z]{2,31};|(?:nbsp|shy|quot|amp|lt|gt)(?![a-z]))',
  '<!--[^>]{0,300}-->|<[/!]?[a-z][^<>]{0,300}>',
  String.raw`[^\x00-\x7f]{1,32}`,
];

const BYTES = /(?:%(?:25)*|\\+x|=)([0-9a-f]{2})/gi;

function meaningOfEscape(matched: string): string {
  if (/^(?:%(?:25)*[0-9a-f]{2}|\\+x[0-9a-f]{2}|=[0-9a-f]{2})/i.test(matched)) {
    return bytesAsText(Array.from(matched.matchAll(BYTES), ([, digits]) => Number.parseInt(digits ?? '', 16)));
  }
  const octal = /^\\+([0-7]{2,3})$/.exec(matched)?.[1];
  if (octal !== undefined) return character(Number.parseInt(octal, 8));
  const decimal = /^&(?:amp;)*#0*(\d+);?$/.exec(matched)?.[1];
  if (decimal !== undefined) return character(Number.parseInt(decimal, 10));
  const sixteen = /^(?:\\+[ux]\{?|%u|&(?:amp;)*#x|0x|u\+)0*([0-9a-f]{1,6})/i.exec(matched)?.[1];
  if (sixteen !== undefined) return character(Number.parseInt(sixteen, 16));
  const named = /^&(?:amp;)*([a-z]+);?$/i.exec(matched)?.[1];
  if (named !== undefined) return ENTITIES[named.toLowerCase()] ?? '';
  return matched.charCodeAt(0) < 0x80 ? '' : fold(matched);
}

/** The entities that other escapes are made of. */
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  percnt: '%',
  bsol: '\\',
  equals: '=',
  num: '#',
  plus: '+',
  semi: ';',
};

/** Maps "ｓ", "ⓢ" and "ś" to "s". All other characters are removed. */
function fold(text: string): string {
  const letters = text.replace(
    /[\u{1f130}-\u{1f149}\u{1f150}-\u{1f169}\u{1f170}-\u{1f189}\u{1f1e6}-\u{1f1ff}]/gu,
    (one) => {
      const code = one.codePointAt(0) ?? 0;
      const first = [0x1f1e6, 0x1f170, 0x1f150, 0x1f130].find((begin) => code >= begin) ?? code;
      return String.fromCharCode(0x41 + code - first);
    },
  );
  return letters.normalize('NFKD').replace(/[^\x20-\x7e]/g, '');
}

function character(codePoint: number): string {
  return codePoint <= 0x10_ffff ? String.fromCodePoint(codePoint) : '';
}

function bytesAsText(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('utf8');
}

/** The decoded text, or `otherwise` if the bytes are no text: most words look like base64. */
function readable(bytes: Buffer, otherwise: string): string {
  const text = bytes.toString('utf8');
  const strange = text.match(/[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/g)?.length ?? 0;
  return strange > text.length / 8 ? otherwise : text;
}

function escapes(patterns: readonly string[]): Encoding {
  return { pattern: new RegExp(patterns.join('|'), 'gi'), meaning: meaningOfEscape };
}

/** Decodes from the letter at `offset`: text before the encoded part may look like a part of it. */
const base64From = (offset: number): Encoding => ({
  pattern: /(?<![\w+/-])[\w+/-](?:[\r\n]{0,2}[\w+/-]){21,}/g,
  meaning: (matched) => readable(Buffer.from(matched.replace(/[\r\n]/g, '').slice(offset), 'base64'), matched),
});

const hexFrom = (offset: number): Encoding => ({
  pattern: /[0-9a-f](?:[\s:,;.-]{0,2}[0-9a-f]){21,}/gi,
  meaning: (matched) => readable(Buffer.from(matched.replace(/[^0-9a-f]/gi, '').slice(offset), 'hex'), matched),
});

const codesIn = (radix: 2 | 8 | 10, pattern: RegExp): Encoding => ({
  pattern,
  meaning: (matched) =>
    Array.from(matched.matchAll(/\d+/g), ([digits]) => character(Number.parseInt(digits, radix))).join(''),
});

const ENCODINGS: readonly Encoding[] = [
  escapes([...NUMERIC, ...ORNAMENTS]),
  { pattern: TERMINAL_ESCAPE, meaning: () => '' },
  // The patterns for ornaments may have consumed a letter of the key.
  escapes(NUMERIC),
  // "=41" is an escape in mail and an assignment elsewhere.
  { pattern: /(?:=[0-9a-f]{2})+|=\r?\n/gi, meaning: meaningOfEscape },
  base64From(0),
  base64From(1),
  base64From(2),
  base64From(3),
  hexFrom(0),
  hexFrom(1),
  codesIn(10, /\d{2,3}(?:[\s,;.]{1,4}\d{2,3}){11,}/g),
  codesIn(8, /[0-7]{2,3}(?:[\s,;.]{1,4}[0-7]{2,3}){11,}/g),
  codesIn(2, /[01]{7,8}(?:[\s,;.]{1,4}[01]{7,8}){11,}/g),
];

/**
 * Visits the text, then every layer that results from undoing an encoding.
 * @param use returns whether to continue
 * @returns false if there were too many layers
 */
function eachLayer<Layer extends string | Mapped>(
  text: Layer,
  undo: (layer: Layer, encoding: Encoding) => Layer | null,
  use: (layer: Layer) => boolean,
): boolean {
  const textOf = (layer: Layer) => (typeof layer === 'string' ? layer : layer.text);
  const seen = new Set([textOf(text)]);
  const layers = [text];
  for (const layer of layers) {
    if (!use(layer)) return true;
    for (const encoding of ENCODINGS) {
      const decoded = undo(layer, encoding);
      if (decoded === null || seen.has(textOf(decoded))) continue;
      if (layers.length >= MAX_LAYERS) return false;
      seen.add(textOf(decoded));
      layers.push(decoded);
    }
  }
  return true;
}

function decode(text: string, { pattern, meaning }: Encoding): string | null {
  pattern.lastIndex = 0;
  return pattern.test(text) ? text.replace(pattern, (matched) => meaning(matched)) : null;
}

/** Start and end in the text. */
type Range = readonly [number, number];

/** A layer that knows the origin of each character in the text. */
interface Mapped {
  readonly text: string;
  /** One for each UTF-16 unit. */
  readonly origins: readonly Range[];
}

function unmapped(text: string): Mapped {
  return { text, origins: Array.from({ length: text.length }, (_, at) => [at, at + 1] as const) };
}

function decodeMapped({ text, origins }: Mapped, { pattern, meaning }: Encoding): Mapped | null {
  const parts: string[] = [];
  const mapped: Range[] = [];
  let end = 0;
  const take = (part: string, of: readonly Range[]) => {
    parts.push(part);
    for (const origin of of) mapped.push(origin);
  };
  for (const { 0: matched, index } of text.matchAll(pattern)) {
    take(text.slice(end, index), origins.slice(end, index));
    end = index + matched.length;
    const meant = meaning(matched);
    const origin: Range = [origins[index]?.[0] ?? 0, origins[end - 1]?.[1] ?? 0];
    take(
      meant,
      Array.from({ length: meant.length }, () => origin),
    );
  }
  if (end === 0) return null;
  take(text.slice(end), origins.slice(end));
  return { text: parts.join(''), origins: mapped };
}

function cut(text: string, ranges: readonly Range[]): string {
  let rest = '';
  let end = 0;
  for (const [from, to] of [...ranges].sort(([left], [right]) => left - right)) {
    if (from >= end) rest += `${text.slice(end, from)}${REMOVED}`;
    end = Math.max(end, to);
  }
  return rest + text.slice(end);
}
