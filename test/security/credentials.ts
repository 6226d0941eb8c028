import { redactCredentials } from '../../functions/guard/text/credentials.ts';
import { safeText } from '../../functions/guard/text/sanitize.ts';
import { createRandom, type Random } from '../faults/random.ts';
import * as corpus from './credential-corpus.ts';
import type { Kind } from './kind.ts';

/** Credentials of providers in error messages: each of the corpus, in each wrapper, in several spellings. */
export const credentials: Kind = {
  name: 'credentials',
  promise: 'Sanitized text contains no part of a credential, in any of the usual wrappers.',
  attack: (size) => {
    const violations: string[] = [];
    let tried = 0;
    const rounds = size === 'quick' ? 1 : 6;
    for (let seed = 1; seed <= rounds; seed += 1) {
      for (const [wrapped, { parts }, what] of allOf(createRandom(seed))) {
        tried += 1;
        const name = `seed ${seed}, ${what}: ${JSON.stringify(wrapped.slice(0, 300))}`;
        const safe = safeText(wrapped, 1_000);
        const shown = parts.find((part) => shows(safe, part));
        if (shown !== undefined) violations.push(`${name} shows ${shown}: ${safe}`);
        if (redactCredentials(safe) !== safe) violations.push(`${name} changes when redacted again: ${safe}`);
        const short = safeText(wrapped, 60);
        if (safeText(short, 60) !== short) violations.push(`${name}, cut, changes when sanitized again: ${short}`);
        const late = safeText(`${'a long story '.repeat(40)}${wrapped}`, 600);
        if (parts.some((part) => shows(late, part))) violations.push(`${name} is visible at the end: ${late}`);
      }
    }
    return { tried, violations };
  },
};

type Case = readonly [text: string, secret: corpus.Secret, what: string];

function* allOf(random: Random): Generator<Case> {
  for (const { of, make } of corpus.SPEAKING)
    for (const { name, wrap } of [...corpus.PLACES, ...corpus.ASSIGNMENTS]) {
      const secret = make(random);
      yield [wrap('detail', secret.text), secret, `${of} in ${name}`];
    }
  yield* named(random, corpus.SECRET_NAMES, corpus.NAMED, [...corpus.ASSIGNMENTS, ...corpus.ADDRESSES]);
  yield* named(random, corpus.PHRASE_NAMES, corpus.PHRASES, corpus.ASSIGNMENTS);
  yield* named(random, corpus.PHRASE_NAMES, corpus.NAMED, corpus.ADDRESSES);
  for (const scheme of corpus.SCHEMES)
    for (const { of, make } of corpus.NAMED)
      for (const header of ['Authorization', 'Proxy-Authorization', 'X-Authorization']) {
        const secret = make(random);
        const { name, wrap } = random.pick(corpus.ASSIGNMENTS);
        const spelt = respell(random, `${scheme} `);
        yield [wrap(respell(random, header), `${spelt}${secret.text}`), secret, `${scheme} ${of} in ${name}`];
      }
  for (const { of, make } of corpus.MADE)
    for (const { name, wrap } of corpus.SENTENCES) {
      const secret = make(random);
      yield [wrap('', secret.text), secret, `${of} in ${name}`];
    }
  for (const { of, make } of corpus.PHRASES)
    for (const is of ['is', 'was', 'is:']) {
      const secret = make(random);
      yield [`The ${respell(random, 'password')} ${is} ${secret.text}`, secret, `${of} in a sentence`];
    }
}

function* named(
  random: Random,
  names: readonly string[],
  credentialsOf: readonly corpus.Credential[],
  wrappers: readonly corpus.Wrapper[],
): Generator<Case> {
  for (const { of, make } of credentialsOf)
    for (const { name: where, wrap } of wrappers)
      for (const name of random.some(names, 4)) {
        const secret = make(random);
        yield [wrap(respell(random, name), secret.text), secret, `${name}, ${of} in ${where}`];
      }
}

function respell(random: Random, name: string): string {
  return random.pick([name, name, name.toLowerCase(), name.toUpperCase()]);
}

/** Eight consecutive characters identify a key. A short key or a word must appear whole. */
function shows(text: string, secret: string): boolean {
  if (secret.length <= 8) return text.includes(secret);
  return Array.from({ length: secret.length - 7 }, (_, at) => secret.slice(at, at + 8)).some((part) =>
    text.includes(part),
  );
}
