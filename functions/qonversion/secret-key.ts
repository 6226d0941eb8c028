import { inspect } from 'node:util';
import { SecretUnusableError } from '../guard/errors.ts';

/** A project's Secret Key. It prints as a placeholder everywhere; only the request header reads its text (law 4). */
export class SecretKey {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** For the Authorization header only. */
  reveal(): string {
    return this.#text;
  }

  equals(other: SecretKey): boolean {
    return this.#text === other.#text;
  }

  toString(): string {
    return '[secret key]';
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** The source of a project's key. The client reads it again after a 401. */
export interface KeySource {
  get(): Promise<SecretKey>;
  /** Reads the key again: it may have just been regenerated. */
  renew(): Promise<SecretKey>;
}

/**
 * Parses the text of a secret: the key itself, or JSON with the key in one of its fields.
 * @param place names the secret, for the message
 * @param remedy completes "…; fill it with …"
 * @throws SecretUnusableError with the problem, without any part of the text
 */
export function parseSecretKey(text: string | undefined, place: string, remedy: string): SecretKey {
  const content = text?.trim() ?? '';
  const fail = failer(place, remedy);
  if (!content.startsWith('{')) return plainKey(content, fail);

  const fields = parseObject(content);
  if (fields === null) return fail('looks like JSON but is not valid JSON');
  const texts = Object.values(fields).flatMap((value) => (typeof value === 'string' ? [value.trim()] : []));
  const [key, ...others] = texts.filter(isKey);
  if (key === undefined)
    return fail(
      texts.some((field) => OF_STRIPE.test(field))
        ? STRIPE
        : 'is JSON without a field that holds a Secret Key (sk_… or test_sk_…)',
    );
  if (others.length > 0)
    return fail('is JSON with more than one Secret Key; leave only one, or name the field with "secretField"');
  return new SecretKey(key);
}

/**
 * Parses the text of a secret that projects share: a JSON object with the key in this field. The result and the messages
 * contain no part of the other fields.
 * @param place names the secret, for the message
 * @param remedy completes "…; …" with the next step
 * @throws SecretUnusableError with the problem, without any part of the text
 */
export function parseSecretField(text: string | undefined, field: string, place: string, remedy: string): SecretKey {
  const content = text?.trim() ?? '';
  const fail = failer(place, remedy);
  if (content === '') return fail('is empty');
  const fields = parseObject(content);
  if (fields === null) return fail(`is not a JSON object, so it has no field "${field}"`);
  const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (value === undefined) return fail(`has no field "${field}"`);
  return plainKey(
    typeof value === 'string' ? value.trim() : 'not text',
    failer(`the field "${field}" of ${place}`, remedy),
  );
}

type Fail = (problem: string) => never;

function failer(place: string, remedy: string): Fail {
  return (problem) => {
    throw new SecretUnusableError(`${place} ${problem}; ${remedy}`);
  };
}

function plainKey(content: string, fail: Fail): SecretKey {
  if (content === '') return fail('is empty');
  return isKey(content) ? new SecretKey(content) : fail(notAKey(content));
}

const KEY = /^(?:test_)?sk_[A-Za-z0-9_-]{8,256}$/;

/** Placeholders for keys that are filled in later. */
const PLACEHOLDER = /^(?:test_)?sk_(?:[xX_-]+|0+|your.*|.*(?:placeholder|changeme|change_me|replace|todo).*)$/i;

/** Stripe's keys resemble Qonversion's, and must be sent to Stripe only. */
const OF_STRIPE = /^(?:test_)?(?:sk|rk|pk)_(?:live|test|org)_/i;

const STRIPE =
  'holds a Stripe key, which the guard does not send to Qonversion; it must hold the Secret Key of the Qonversion project (sk_… or test_sk_…)';

function isKey(text: string): boolean {
  return KEY.test(text) && !PLACEHOLDER.test(text) && !OF_STRIPE.test(text);
}

function notAKey(content: string): string {
  if (OF_STRIPE.test(content)) return STRIPE;
  return PLACEHOLDER.test(content) || !/sk_/.test(content)
    ? 'holds a placeholder or something else that is not a Secret Key (sk_… or test_sk_…)'
    : 'holds something that does not look like a Secret Key (sk_… or test_sk_…)';
}

/** Null for anything but a JSON object. A parser's own message would show a part of the text. */
function parseObject(content: string): Readonly<Record<string, unknown>> | null {
  try {
    const parsed: unknown = JSON.parse(content);
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    return isObject ? (parsed as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
