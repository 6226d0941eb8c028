import * as z from 'zod';

/** Faults of the sandbox. Each applies to some requests, or until it is cleared. */
const kind = z.discriminatedUnion('kind', [
  /** Answers late. */
  z.strictObject({ kind: z.literal('latency'), ms: z.int().min(0) }),
  /** Answers with a status and the error envelope, or with `body` unchanged. The request has no effect. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(300).max(599),
    retryAfter: z.string().optional(),
    body: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
  }),
  /** Resets the connection before the request takes effect. */
  z.strictObject({ kind: z.literal('reset') }),
  /** Lets the request take effect, then resets the connection: the answer is lost. */
  z.strictObject({ kind: z.literal('reset-after') }),
  /** Answers 200 and resets the connection in the middle of the body. */
  z.strictObject({ kind: z.literal('cut') }),
  /** Answers 200 with this text as the body. */
  z.strictObject({ kind: z.literal('body'), body: z.string(), contentType: z.string().optional() }),
  /** Answers 200 with this many bytes of JSON whitespace before the end. */
  z.strictObject({ kind: z.literal('oversize'), bytes: z.int().positive() }),
  /** Accepts the request and never answers. */
  z.strictObject({ kind: z.literal('silence') }),
  /** Sends the body a few bytes at a time. */
  z.strictObject({ kind: z.literal('drip'), everyMs: z.int().positive() }),
]);

export const faultSchema = z.strictObject({
  fault: kind,
  /** Only requests of this method; left out: all. */
  method: z.enum(['GET', 'POST', 'DELETE']).optional(),
  /** Only requests whose path contains this. */
  path: z.string().optional(),
  /** The number of requests; left out: all until `clear`. */
  times: z.int().positive().optional(),
});

export type Fault = z.output<typeof kind>;
export type FaultRule = z.output<typeof faultSchema>;

/** The active rules. They apply in the order they were added. */
export class Faults {
  #rules: { rule: FaultRule; left: number }[] = [];

  add(rule: FaultRule): void {
    this.#rules.push({ rule, left: rule.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#rules = [];
  }

  list(): readonly FaultRule[] {
    return this.#rules.map(({ rule }) => rule);
  }

  /** The fault for this request, which uses up one of the rule's `times`; null: none. */
  take(method: string, path: string): Fault | null {
    const found = this.#rules.find(
      ({ rule, left }) => left > 0 && (rule.method ?? method) === method && path.includes(rule.path ?? ''),
    );
    if (found === undefined) return null;
    found.left -= 1;
    this.#rules = this.#rules.filter(({ left }) => left > 0);
    return found.rule.fault;
  }
}
