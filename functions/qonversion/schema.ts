import * as z from 'zod/mini';
import { $ZodObjectJIT } from 'zod/v4/core';
import type { IntegrationRecord, InvalidRecord } from '../guard/model/integration.ts';
import { errorMessage, shownName, shownText, type TextRules } from './shown-text.ts';

/** `integration_id` as documented, except "." and "..": in a URL they lead to another endpoint. */
export const INTEGRATION_ID = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,256}$/;

/** The format that the API sends. Any other ISO 8601 time is converted to it. */
const USUAL_MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;

const A_MOMENT = 'an ISO 8601 time';

const moment = z.iso
  .datetime({ offset: true, error: A_MOMENT })
  .check(z.refine((text) => USUAL_MOMENT.test(text) || /^\d{4}-/.test(asUsual(text) ?? ''), A_MOMENT));

/** The record as documented. Unknown fields are dropped. A record with an invalid field is rejected. */
const record = z.object({
  object: z.literal('integration', '"integration"'),
  id: z.string('an ID').check(z.regex(INTEGRATION_ID, 'an ID of letters, digits, ".", "_" and "-"')),
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
 * The same schema, compiled at first use, which takes a third of the time for thousands of records. The exported type
 * of zod (mini) lacks the shape.
 */
const compiledRecord = new $ZodObjectJIT(record._zod.def) as unknown as typeof record;

/** The list envelope. Records are parsed one by one, so that an invalid one affects no other. */
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

/** More field errors of one request help no one. */
const MAX_DETAILS = 10;

/** The API's error, with sanitized text. */
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
 * Parses one record. If it is invalid, returns the problem, and the ID if that is valid. A record whose ID contains the
 * key is invalid, because the guard shows IDs everywhere.
 */
export function parseRecord(
  body: unknown,
  rules: TextRules,
): { readonly record: IntegrationRecord } | { readonly invalid: InvalidRecord } {
  const parsed = z.safeParse(compiledRecord, body);
  if (parsed.success) {
    const { object: _object, url: _url, ...value } = parsed.data;
    if (rules.withoutKey(value.id) !== value.id)
      return { invalid: { id: null, problem: 'the ID contains the Secret Key' } };
    return { record: bounded(value, rules) };
  }
  const id = identified.safeParse(body);
  const isShown = id.success && rules.withoutKey(id.data.id) === id.data.id;
  return { invalid: { id: isShown ? id.data.id : null, problem: describe(parsed.error) } };
}

const MAX_TITLE_LENGTH = 255;
const MAX_PROVIDER_LENGTH = 120;

/** The record with every text sanitized and cut to a readable length. */
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

/** ISO 8601 allows any number of fractional digits. The ledger stores times in milliseconds. */
function toMoment(text: string): string {
  return USUAL_MOMENT.test(text) ? text : (asUsual(text) ?? text);
}

/** Null if the text is no time, or its year does not have four digits. */
function asUsual(text: string): string | null {
  const time = Date.parse(text.replace(/\.(\d{3})\d+/, '.$1'));
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** The API's error envelope; null if the body is something else. */
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

/** Names the field and its expected value, never the actual value, which is external text. */
function describe(error: z.core.$ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'not as documented';
  const expected = issue.message.replace(/^Invalid input: expected ([^,]+).*$/, '$1');
  return issue.path.length === 0 ? `expected ${expected}` : `${issue.path.join('.')} is not ${expected}`;
}
