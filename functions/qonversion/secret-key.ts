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
  const fail = (problem: string): never => {
    throw new SecretUnusableError(`${place} ${problem}; ${remedy}`);
  };
  if (content === '') return fail('is empty');
  if (!content.startsWith('{')) return isKey(content) ? new SecretKey(content) : fail(notAKey(content));

  const fields = jsonFields(content);
  if (fields === null) return fail('looks like JSON but is not valid JSON');
  const [key, ...others] = fields.filter(isKey);
  if (key === undefined)
    return fail(
      fields.some((field) => OF_STRIPE.test(field))
        ? STRIPE
        : 'is JSON without a field that holds a Secret Key (sk_… or test_sk_…)',
    );
  if (others.length > 0) return fail('is JSON with more than one Secret Key; leave only one');
  return new SecretKey(key);
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

function jsonFields(content: string): readonly string[] | null {
  try {
    const parsed: unknown = JSON.parse(content);
    if (typeof parsed !== 'object' || parsed === null) return null;
    return Object.values(parsed).flatMap((value) => (typeof value === 'string' ? [value.trim()] : []));
  } catch {
    return null;
  }
}
