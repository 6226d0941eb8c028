import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { describeError } from '../guard/errors.ts';
import type { IntegrationRecord, InvalidRecord, Listing, Status, StatusAnswer } from '../guard/model/integration.ts';
import { CLOCK_TOLERANCE_MS } from '../guard/model/lease.ts';
import type { Clock, IntegrationsApi, Traffic } from '../guard/ports.ts';
import { safeText } from '../guard/text/sanitize.ts';
import {
  type ApiErrorDetails,
  KeyRefusedError,
  NotFoundError,
  NotPermittedError,
  OutOfTimeError,
  QonversionError,
  RateLimitedError,
  RequestRefusedError,
  UnavailableError,
  UnexpectedAnswerError,
} from './errors.ts';
import { type ErrorEnvelope, INTEGRATION_ID, parseErrorEnvelope, parseList, parseRecord } from './schema.ts';
import type { KeySource, SecretKey } from './secret-key.ts';
import { createPace, type Pace } from './throttle.ts';

/**
 * The Qonversion REST API v4, as far as integrations go. One instance serves one pass.
 * Source: the v4 reference; see the README's section on the API.
 */
export interface QonversionClientOptions {
  /** From the deployed settings; the key is sent to this origin and nowhere else. */
  readonly apiUrl: string;
  readonly key: KeySource;
  /** Ours, to be compared with the API's own. */
  readonly clock: Clock;
  /** Milliseconds until the pass must be done; tries and waits stay within it. */
  readonly remainingMs: () => number;
  /** One try, body included. */
  readonly timeoutMs?: number;
  /** Tries after the first. */
  readonly retries?: number;
  /** The wait before the first retry; doubled each time and stretched by up to as much again at random. */
  readonly firstWaitMs?: number;
  /** Waits out a `Retry-After`; replaced in tests. */
  readonly sleep?: (ms: number) => Promise<unknown>;
  /** A body larger than this is refused unread. */
  readonly maxBodyBytes?: number;
}

const MAX_WAIT_MS = 8_000;
const MAX_RETRY_AFTER_MS = 30_000;
/** A list of this many pages is not a list any more. */
const MAX_PAGES = 1_000;

export function createQonversionClient(options: QonversionClientOptions): IntegrationsApi {
  const traffic = { requests: 0, retries: 0, waitedMs: 0 };
  const pace = createPace({
    wait: options.sleep ?? sleep,
    now: () => options.clock.now().getTime(),
    canWait: (ms) => ms <= Math.min(MAX_RETRY_AFTER_MS, options.remainingMs()),
  });
  const call = (request: ApiRequest, sent: Sent = { mayHaveTakenEffect: false }) =>
    send(options, traffic, pace, request, sent);

  return {
    traffic,

    async list(): Promise<Listing> {
      const records = new Map<string, IntegrationRecord>();
      const invalid: InvalidRecord[] = [];
      let after: string | null = null;
      let clockAheadMs = 0;
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const query: string = after === null ? '' : `?starting_after=${encodeURIComponent(after)}`;
        const what = 'the list of integrations';
        const answer = await call({ what, method: 'GET', path: `/integrations${query}` });
        if (page === 0) clockAheadMs = answer.clockAheadMs ?? 0;
        const parsed = parseList(answer.body);
        if (!parsed.ok) throw new UnexpectedAnswerError(`Qonversion's answer is not ${what}: ${parsed.problem}`);
        const known = records.size + invalid.length;
        let last: string | null = null;
        for (const element of parsed.value.data) {
          const result = parseRecord(element);
          if ('invalid' in result) {
            invalid.push(result.invalid);
            last = result.invalid.id ?? last;
          } else {
            // A record that shifted to the next page while we were paging comes twice.
            records.set(result.record.id, result.record);
            last = result.record.id;
          }
        }
        if (!parsed.value.has_more) return { records: [...records.values()], invalid, clockAheadMs };
        if (last === null || last === after || records.size + invalid.length === known) {
          throw new UnexpectedAnswerError(
            `Qonversion says ${what} goes on after page ${page + 1}, but sends nothing new`,
          );
        }
        after = last;
      }
      throw new UnexpectedAnswerError(`Qonversion's list of integrations does not end after ${MAX_PAGES} pages`);
    },

    async setStatus(id: string, status: Status): Promise<StatusAnswer> {
      const sent: Sent = { mayHaveTakenEffect: false };
      try {
        return await askForStatus(id, status, sent);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (sent.mayHaveTakenEffect) return { outcome: 'unknown', error };
        return { outcome: error instanceof KeyRefusedError ? 'key-refused' : 'refused', error };
      }
    },
  };

  async function askForStatus(id: string, status: Status, sent: Sent): Promise<StatusAnswer> {
    if (!INTEGRATION_ID.test(id))
      throw new RequestRefusedError('an integration id is 1 to 256 letters, digits, ".", "_" or "-"');
    const what = `integration ${id}`;
    const path = `/integrations/${encodeURIComponent(id)}/status`;
    const took = stopwatch(options.clock);
    const answer = await call({ what, method: 'POST', path, body: { status } }, sent);
    const tookMs = took();
    // From here on the API has accepted the request, whatever it shows.
    sent.mayHaveTakenEffect = true;
    const parsed = parseRecord(answer.body);
    if ('invalid' in parsed) {
      throw new UnexpectedAnswerError(`Qonversion's answer is not the record of ${what}: ${parsed.invalid.problem}`);
    }
    const { record } = parsed;
    if (record.id !== id || record.active !== status) {
      const shown = record.id === id ? `active ${record.active}` : 'another integration';
      throw new UnexpectedAnswerError(
        `Qonversion accepted status ${status} for ${what}, but its record shows ${shown}`,
      );
    }
    const ageMs = answer.answeredAt === null ? 0 : answer.answeredAt - Date.parse(record.updated_at);
    return { outcome: ageMs > tookMs + CLOCK_TOLERANCE_MS ? 'already' : 'set', record };
  }
}

/** What is known of a request whose tries are under way. */
interface Sent {
  /** A try ended without an answer that rules out an effect. */
  mayHaveTakenEffect: boolean;
}

/** Milliseconds from now on: by the clock port, since they are held against its times, and no fewer should it be set back meanwhile. */
function stopwatch(clock: Clock): () => number {
  const [ours, steady] = [clock.now().getTime(), performance.now()];
  return () => Math.max(clock.now().getTime() - ours, performance.now() - steady);
}

/** A body of a 2xx answer, and what the API's own clock said. */
interface ApiAnswer {
  readonly body: unknown;
  /** The `Date` of the answer, in epoch milliseconds; null without one. */
  readonly answeredAt: number | null;
  /** That clock less ours; 0 when it is seconds, null when unknown or past belief. */
  readonly clockAheadMs: number | null;
}

interface ApiRequest {
  /** What the request is about, for messages. */
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
}

/** One request with its retries (law 6), and a second reading of the key after a 401 (law 4). */
async function send(
  options: QonversionClientOptions,
  traffic: { -readonly [name in keyof Traffic]: Traffic[name] },
  pace: Pace,
  request: ApiRequest,
  sent: Sent,
): Promise<ApiAnswer> {
  const key = await options.key.get();
  try {
    return await sendWith(key);
  } catch (error) {
    if (!(error instanceof KeyRefusedError)) throw error;
    const renewed = await options.key.renew();
    if (renewed.equals(key)) throw error;
    return sendWith(renewed);
  }

  async function sendWith(secret: SecretKey): Promise<ApiAnswer> {
    return pRetry(
      (attempt) =>
        pace.run(async () => {
          // A request that had to wait for its turn may find that there is no time left.
          if (options.remainingMs() <= 0) throw new OutOfTimeError(`there was no time left to ask for ${request.what}`);
          if (pace.closed)
            throw new OutOfTimeError(`Qonversion has asked to be left alone, so it was not asked for ${request.what}`);
          traffic.requests += 1;
          if (attempt > 1) traffic.retries += 1;
          const sentAt = performance.now();
          try {
            return await attemptOnce(options, request, secret);
          } finally {
            traffic.waitedMs += performance.now() - sentAt;
          }
        }),
      {
        retries: options.retries ?? 4,
        minTimeout: options.firstWaitMs ?? 250,
        maxTimeout: MAX_WAIT_MS,
        factor: 2,
        randomize: true,
        shouldRetry: ({ error }) => error instanceof QonversionError && error.retryable && options.remainingMs() > 0,
        onFailedAttempt: ({ error }) => {
          // A try without an answer may have taken effect, whatever a later try is told.
          sent.mayHaveTakenEffect ||= !isRefusal(error) && !(error instanceof OutOfTimeError);
          if (pace.closed) throw error;
        },
      },
    );
  }
}

/** The API said no before doing anything: every 4xx but a time-out. */
function isRefusal(error: Error): boolean {
  return (
    error instanceof QonversionError &&
    error.status !== null &&
    error.status >= 400 &&
    error.status < 500 &&
    error.status !== 408
  );
}

async function attemptOnce(options: QonversionClientOptions, request: ApiRequest, key: SecretKey): Promise<ApiAnswer> {
  const timeoutMs = Math.max(1, Math.min(options.timeoutMs ?? 10_000, options.remainingMs()));
  // One signal for the whole try: a body that drips in forever ends like a connection that never answers.
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(`${options.apiUrl}${request.path}`, {
      method: request.method,
      headers: {
        authorization: `Bearer ${key.reveal()}`,
        accept: 'application/json',
        'user-agent': 'integration-guard',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      // A redirect would carry the key to wherever it points.
      redirect: 'manual',
      signal,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const answeredAt = readDate(response.headers);
    const clockAheadMs = answeredAt === null ? null : describeSkew(answeredAt - options.clock.now().getTime());
    const text = await readBody(response, options.maxBodyBytes ?? 32 * 1024 * 1024, request.what);
    const moment = answeredAt ?? options.clock.now().getTime();
    return { body: interpret(response, text, request.what, moment), answeredAt, clockAheadMs };
  } catch (error) {
    if (error instanceof QonversionError) throw error;
    const cause = signal.aborted ? `no answer within ${timeoutMs} ms` : networkFault(error);
    throw new UnavailableError(`Qonversion could not be reached for ${request.what}: ${cause}`, undefined, null, {
      cause: error,
    });
  }
}

function describeSkew(aheadMs: number): number {
  // Whole seconds and the way explain that much.
  return Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS ? 0 : aheadMs;
}

/** The moment the API answered, by its own clock. */
function readDate(headers: Headers): number | null {
  const date = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(date) ? null : date;
}

async function readBody(response: Response, maxBytes: number, what: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new UnexpectedAnswerError(
        `Qonversion's answer about ${what} is larger than ${Math.round(maxBytes / 1024 / 1024)} MiB and was not read to its end`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function interpret(response: Response, text: string, what: string, answeredAt: number): unknown {
  const { status } = response;
  const body = parseJson(text);
  if (status >= 200 && status < 300) {
    if (body !== undefined) return body;
    const kind = response.headers.get('content-type') ?? 'no content type';
    throw new UnexpectedAnswerError(
      `Qonversion's answer about ${what} is not JSON (${safeText(kind, 60)}, ${text.length} characters)`,
      { ...NO_ENVELOPE, status },
    );
  }
  if (status >= 300 && status < 400) {
    throw new UnexpectedAnswerError(
      `Qonversion answered ${what} with a redirect (${status}), which is not followed; check apiUrl`,
      { ...NO_ENVELOPE, status },
    );
  }
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), answeredAt);
  throw toError(status, parseErrorEnvelope(body), retryAfterMs, what);
}

/** One class per kind of refusal; the message ends with what the API itself said, made safe. */
function toError(
  status: number,
  envelope: ErrorEnvelope | null,
  retryAfterMs: number | null,
  what: string,
): QonversionError {
  const details: ApiErrorDetails = {
    status,
    type: envelope?.type ?? null,
    code: envelope?.code ?? null,
    details: envelope?.details ?? [],
  };
  const said = envelope?.message == null ? '' : ` (${safeText(envelope.message, 200)})`;
  switch (status) {
    case 401:
      return new KeyRefusedError(
        `Qonversion refused the Secret Key (401): put the project's current key into its secret${said}`,
        details,
      );
    case 403:
      return new NotPermittedError(`Qonversion does not permit this key to use ${what} (403)${said}`, details);
    case 404:
      return new NotFoundError(
        `Qonversion does not know ${what} (404); it may have been deleted, or apiUrl is wrong${said}`,
        details,
      );
    case 408:
      return new UnavailableError(`Qonversion timed out on ${what} (408)${said}`, details, retryAfterMs);
    case 429: {
      const wait = retryAfterMs === null ? '' : `, and asks to wait ${Math.ceil(retryAfterMs / 1_000)} s`;
      return new RateLimitedError(
        `Qonversion limits the rate of requests (429) on ${what}${wait}${said}`,
        details,
        retryAfterMs,
      );
    }
    default:
      return status >= 500
        ? new UnavailableError(`Qonversion failed on ${what} (${status})${said}`, details, retryAfterMs)
        : new RequestRefusedError(`Qonversion refused the request about ${what} (${status})${said}`, details);
  }
}

/** Seconds, or an HTTP date by the clock of whoever sent it, in milliseconds from when it was answered; null for nonsense. */
function parseRetryAfter(header: string | null, answeredAt: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) || !/[a-z]/i.test(text) ? null : Math.max(0, date - answeredAt);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** "fetch failed" says nothing; its cause has the system's code. */
function networkFault(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : null;
  return code ?? describeError(cause ?? error);
}

const NO_ENVELOPE: ApiErrorDetails = { status: null, type: null, code: null, details: [] };
