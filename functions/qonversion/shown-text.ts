import type { PersonalData } from '../guard/settings/schema.ts';
import { normalise } from '../guard/text/normalise.ts';
import { redactPersonalData } from '../guard/text/personal-data.ts';
import { safeText, shorten } from '../guard/text/sanitize.ts';

/** Prepares text of the API for storage and display. Each function finally removes the key (decision 11). */

/** How the API's text is processed before it is stored or shown. */
export interface TextRules {
  /** Whether error messages keep personal data. */
  readonly personalData: PersonalData;
  /** Removes the Secret Key from a text. */
  readonly withoutKey: (text: string) => string;
}

const MAX_MESSAGE_LENGTH = 1_000;
/** Characters of a message that are read, including escapes. */
const MAX_RAW_MESSAGE_LENGTH = 4_096;
/** A few megabytes. */
const MAX_KNOWN_TEXTS = 2_048;

/** Names are matched with the settings, so only the key is removed from them. */
export function shownName(text: string, maxLength: number, { withoutKey }: TextRules): string {
  return shorten(withoutKey(normalise(text.slice(0, 4 * maxLength))), maxLength);
}

/**
 * The text without credentials and, unless `personalData` is "show", without personal data. It is shortened last,
 * because a cut could leave half of a redacted part.
 */
function errorText(text: string, maxLength: number, personalData: PersonalData): string {
  const safe = safeText(text, 2 * maxLength);
  return shorten(personalData === 'show' ? safe : redactPersonalData(safe), maxLength);
}

/** Any other text of an answer, for a message. */
export function shownText(text: string, maxLength: number, { withoutKey }: TextRules): string {
  return withoutKey(errorText(text, maxLength, 'redact'));
}

/** `last_error_message`: text of the provider about the customer's users. */
export function errorMessage(text: string, rules: TextRules): string {
  return rules.withoutKey(knownErrorText(text, rules.personalData));
}

const errorTexts = new Map<string, string>();

/**
 * Caches sanitized messages: most are the same as in the previous pass, and sanitizing takes longer than parsing a
 * record.
 */
function knownErrorText(text: string, personalData: PersonalData): string {
  const begin = text.slice(0, MAX_RAW_MESSAGE_LENGTH);
  const key = `${personalData} ${begin}`;
  const known = errorTexts.get(key);
  if (known !== undefined) return known;
  const safe = errorText(begin, MAX_MESSAGE_LENGTH, personalData);
  if (errorTexts.size >= MAX_KNOWN_TEXTS) errorTexts.clear();
  errorTexts.set(key, safe);
  return safe;
}
