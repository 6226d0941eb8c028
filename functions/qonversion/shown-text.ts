import type { PersonalData } from '../guard/settings/schema.ts';
import { normalise } from '../guard/text/normalise.ts';
import { redactPersonalData } from '../guard/text/personal-data.ts';
import { safeText, shorten } from '../guard/text/sanitize.ts';

/** Makes text of the API fit to be kept and shown. Each function ends with the removal of the key (decision 11). */

/** What is done to text of the API before it is kept or shown. */
export interface TextRules {
  /** Whether error messages keep what identifies a person. */
  readonly personalData: PersonalData;
  /** Takes the Secret Key out of a text. */
  readonly withoutKey: (text: string) => string;
}

const MAX_MESSAGE_LENGTH = 1_000;
/** What is looked at of a message, escapes and all. */
const MAX_RAW_MESSAGE_LENGTH = 4_096;
/** Some megabytes. */
const MAX_KNOWN_TEXTS = 2_048;

/** Names are matched with the settings, so nothing but the key is taken out of them here. */
export function shownName(text: string, maxLength: number, { withoutKey }: TextRules): string {
  return shorten(withoutKey(normalise(text.slice(0, 4 * maxLength))), maxLength);
}

/**
 * What is kept from here on is what is shown: credentials and, unless it is wanted, personal data are gone. The cut comes last, or it
 * would leave a half of what is blanked.
 */
function errorText(text: string, maxLength: number, personalData: PersonalData): string {
  const safe = safeText(text, 2 * maxLength);
  return shorten(personalData === 'show' ? safe : redactPersonalData(safe), maxLength);
}

/** Any other text of an answer, for a message. */
export function shownText(text: string, maxLength: number, { withoutKey }: TextRules): string {
  return withoutKey(errorText(text, maxLength, 'redact'));
}

/** `last_error_message`, the provider's prose about the customer's users. */
export function errorMessage(text: string, rules: TextRules): string {
  return rules.withoutKey(knownErrorText(text, rules.personalData));
}

const errorTexts = new Map<string, string>();

/** Most messages are those of the pass before, and to make one safe takes longer than to read its record. */
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
