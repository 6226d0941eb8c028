import * as z from 'zod/mini';
import { $ZodObjectJIT } from 'zod/v4/core';
import type { IntegrationRecord, InvalidRecord } from '../guard/model/integration.ts';
import { errorMessage, shownName, shownText, type TextRules } from './shown-text.ts';

/** `integration_id` as the reference documents it, but for "." and "..": in a URL those lead to another endpoint. */
export const INTEGRATION_ID = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,256}$/;

/** What the API sends; any other form of ISO 8601 becomes this one. */
const USUAL_MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;

const A_MOMENT = 'an ISO 8601 time';

const moment = z.iso
  .datetime({ offset: true, error: A_MOMENT })
  .check(z.refine((text) => USUAL_MOMENT.test(text) || /^\d{4}-/.test(asUsual(text) ?? ''), A_MOMENT));

/** The record as documented. Unknown fields pass (and are dropped); wrong ones refuse the record. */
const record = z.object({
  object: z.literal('integration', '"integration"'),
  id: z.string('an id').check(z.regex(INTEGRATION_ID, 'an id of letters, digits, ".", "_" and "-"')),
  url: z.string('text'),
  title: z.string('text'),
  integration: z.string('text'),
  target_platform: z.enum(['iOS', 'Android', 'Stripe'], 'iOS, Android or Stripe'),
  active: z.literal([0, 1, 2], '0, 1 or 2'),
  created_at: moment,
  updated_at: moment,
  last_delivery_at: z.nullable(moment),
  last_error_at: z.nullable(moment),
  last_error_message: z.nullable(z.string('text or null')),
  delivery_error_count: z.int('a whole number').check(z.gte(0, '0 or more')),
});

/**
 * The same, compiled at its first use: a third of the time for thousands of records. zod (mini) has it for whoever asks, under a
 * type without the shape.
 */
const compiledRecord = new $ZodObjectJIT(record._zod.def) as unknown as typeof record;

/** The list envelope. The records are looked at one by one, so that a bad one spoils nothing but itself. */
const list = z.object({
  object: z.literal('list', '"list"'),
  data: z.array(z.unknown(), 'a list'),
  has_more: z._default(z.boolean('true or false'), false),
});

const envelope = z.object({
  error: z.object({
    type: z.nullish(z.string()),
    code: z.nullish(z.string()),
    message: z.nullish(z.string()),
    details: z.nullish(z.array(z.object({ field: z.string(), message: z.string() }))),
  }),
});

/** What is wrong with more fields of a request than this helps nobody. */
const MAX_DETAILS = 10;

/** What the API says about an error; its text made safe. */
export interface ErrorEnvelope {
  readonly type: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly details: readonly { readonly field: string; readonly message: string }[];
}

type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

export function parseList(body: unknown): Parsed<z.output<typeof list>> {
  return outcome(list.safeParse(body));
}

const identified = z.object({ id: z.string().check(z.regex(INTEGRATION_ID)) });

/**
 * One record, or what is wrong with it and the id if at least that is readable. A record whose id holds the key is not readable: what
 * is shown of an integration is its id, everywhere.
 */
export function parseRecord(
  body: unknown,
  rules: TextRules,
): { readonly record: IntegrationRecord } | { readonly invalid: InvalidRecord } {
  const parsed = z.safeParse(compiledRecord, body);
  if (parsed.success) {
    const { object: _object, url: _url, ...value } = parsed.data;
    if (rules.withoutKey(value.id) !== value.id)
      return { invalid: { id: null, problem: 'id has the form of the Secret Key' } };
    return { record: bounded(value, rules) };
  }
  const id = identified.safeParse(body);
  const isShown = id.success && rules.withoutKey(id.data.id) === id.data.id;
  return { invalid: { id: isShown ? id.data.id : null, problem: describe(parsed.error) } };
}

const MAX_TITLE_LENGTH = 255;
const MAX_PROVIDER_LENGTH = 120;

/** The same with every field bounded: from here on no text of others is longer than what a person reads. */
function bounded(value: IntegrationRecord, rules: TextRules): IntegrationRecord {
  const {
    title,
    integration,
    last_error_message: message,
    last_delivery_at: deliveredAt,
    last_error_at: failedAt,
  } = value;
  return {
    ...value,
    title: shownName(title, MAX_TITLE_LENGTH, rules),
    integration: shownName(integration, MAX_PROVIDER_LENGTH, rules),
    created_at: toMoment(value.created_at),
    updated_at: toMoment(value.updated_at),
    last_delivery_at: deliveredAt === null ? null : toMoment(deliveredAt),
    last_error_at: failedAt === null ? null : toMoment(failedAt),
    last_error_message: message === null ? null : errorMessage(message, rules),
  };
}

/** ISO 8601 allows any number of digits after the second, and moments go into the ledger: milliseconds are enough. */
function toMoment(text: string): string {
  return USUAL_MOMENT.test(text) ? text : (asUsual(text) ?? text);
}

/** Null for what is no time, or one before or after what four digits of a year can say. */
function asUsual(text: string): string | null {
  const time = Date.parse(text.replace(/\.(\d{3})\d+/, '.$1'));
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** The API's error envelope, or null when the body is something else. */
export function parseErrorEnvelope(body: unknown, rules: TextRules): ErrorEnvelope | null {
  const parsed = envelope.safeParse(body);
  if (!parsed.success) return null;
  const { type, code, message, details } = parsed.data.error;
  return {
    type: type == null ? null : shownText(type, 60, rules),
    code: code == null ? null : shownText(code, 60, rules),
    message: message == null ? null : shownText(message, 200, rules),
    details: (details ?? []).slice(0, MAX_DETAILS).map((detail) => ({
      field: shownText(detail.field, 60, rules),
      message: shownText(detail.message, 200, rules),
    })),
  };
}

function outcome<T>(result: z.core.util.SafeParseResult<T>): Parsed<T> {
  return result.success ? { ok: true, value: result.data } : { ok: false, problem: describe(result.error) };
}

/** Names the field and what was expected of it; never the value, which is somebody else's text. */
function describe(error: z.core.$ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'not as documented';
  const expected = issue.message.replace(/^Invalid input: expected ([^,]+).*$/, '$1');
  return issue.path.length === 0 ? `expected ${expected}` : `${issue.path.join('.')} is not ${expected}`;
}
