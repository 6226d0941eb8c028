import { inspect } from 'node:util';
import { SecretUnusableError } from '../guard/errors.ts';

/** A project's Secret Key. Prints as a placeholder wherever it may end up; only the request header asks for its text (law 4). */
export class SecretKey {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** For the Authorization header and for nothing else. */
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

/** Where the client gets the key from, and where it asks again after a 401. */
export interface KeySource {
  get(): Promise<SecretKey>;
  /** Reads the key anew: it may have been regenerated a moment ago. */
  renew(): Promise<SecretKey>;
}

/**
 * Reads a key out of a secret's text: the key itself, or JSON with the key in one of its fields.
 * @param place names the secret, for the message
 * @param remedy completes "…; fill it with …"
 * @throws SecretUnusableError that says what is wrong without showing any of it
 */
export function parseSecretKey(text: string | undefined, place: string, remedy: string): SecretKey {
  const content = text?.trim() ?? '';
  const fail = (problem: string): never => {
    throw new SecretUnusableError(`${place} ${problem}; ${remedy}`);
  };
  if (content === '') return fail('is empty');
  if (!content.startsWith('{')) return isKey(content) ? new SecretKey(content) : fail(notAKey(content));

  const fields = jsonFields(content);
  if (fields === null) return fail('looks like JSON and is not');
  const [key, ...others] = fields.filter(isKey);
  if (key === undefined)
    return fail(
      fields.some((field) => OF_STRIPE.test(field))
        ? STRIPE
        : 'is JSON without a field that holds a Secret Key (sk_… or test_sk_…)',
    );
  if (others.length > 0) return fail('is JSON with more than one Secret Key, so it is not clear which to use');
  return new SecretKey(key);
}

const KEY = /^(?:test_)?sk_[A-Za-z0-9_-]{8,256}$/;

/** What people leave in a secret when they mean to fill it later. */
const PLACEHOLDER = /^(?:test_)?sk_(?:[xX_-]+|0+|your.*|.*(?:placeholder|changeme|change_me|replace|todo).*)$/i;

/** Stripe's keys have the form of Qonversion's, and must not be sent to anybody but Stripe. */
const OF_STRIPE = /^(?:test_)?(?:sk|rk|pk)_(?:live|test|org)_/i;

const STRIPE =
  'holds a key of Stripe, which is not sent to Qonversion; it needs the Secret Key of the Qonversion project (sk_… or test_sk_…)';

function isKey(text: string): boolean {
  return KEY.test(text) && !PLACEHOLDER.test(text) && !OF_STRIPE.test(text);
}

function notAKey(content: string): string {
  if (OF_STRIPE.test(content)) return STRIPE;
  return PLACEHOLDER.test(content) || !/sk_/.test(content)
    ? 'holds a placeholder or something else that is not a Secret Key (sk_… or test_sk_…)'
    : 'holds something that is not of the form of a Secret Key (sk_… or test_sk_…)';
}

function jsonFields(content: string): readonly string[] | null {
  try {
    const parsed: unknown = JSON.parse(content);
    if (typeof parsed !== 'object' || parsed === null) return null;
    return Object.values(parsed).flatMap((value) => (typeof value === 'string' ? [value.trim()] : []));
  } catch {
    return null;
  }
}
