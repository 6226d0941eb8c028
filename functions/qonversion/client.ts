import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { describeError } from '../guard/errors.ts';
import type { IntegrationRecord, InvalidRecord, Listing, Status, StatusAnswer } from '../guard/model/integration.ts';
import { CLOCK_TOLERANCE_MS } from '../guard/model/lease.ts';
import type { Clock, IntegrationsApi, Traffic } from '../guard/ports.ts';
import type { PersonalData } from '../guard/settings/schema.ts';
import { plural } from '../guard/text/sanitize.ts';
import { MAX_RECORDS, readJson, type Size } from './body.ts';
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
import { BodyTooLargeError, createHttp, type Http, type HttpAnswer } from './http.ts';
import { createKeyRemover, type KeyRemover } from './key-remover.ts';
import { type ErrorEnvelope, INTEGRATION_ID, parseErrorEnvelope, parseList, parseRecord } from './schema.ts';
import type { KeySource, SecretKey } from './secret-key.ts';
import { shownText, type TextRules } from './shown-text.ts';
import { createThrottle, type Throttle } from './throttle.ts';

/**
 * A client for the integrations of the Qonversion REST API v4. One instance serves one pass. Source: the v4 reference;
 * see the README's section on the API.
 */
export interface QonversionClientOptions {
  /** From the deployed settings. The key is sent to this origin only. */
  readonly apiUrl: string;
  readonly key: KeySource;
  /** The guard's clock, which is compared with the API's. */
  readonly clock: Clock;
  /** Milliseconds until the pass must end. All tries and waits stay within them. */
  readonly remainingMs: () => number;
  /** Limit of one try, including the body. */
  readonly timeoutMs?: number;
  /** Tries after the first. */
  readonly retries?: number;
  /** The wait before the first retry. It doubles with each retry, and a random factor of up to 2 is applied. */
  readonly firstWaitMs?: number;
  /** Waits for a `Retry-After`; replaced in tests. */
  readonly sleep?: (ms: number) => Promise<unknown>;
  /**
   * Whether error messages keep personal data.
   * @default 'redact'
   */
  readonly personalData?: PersonalData;
  /** Limit of all pages of a list together, after decompression. Reading stops at the limit. */
  readonly maxBodyBytes?: number;
}

const MAX_WAIT_MS = 8_000;
const MAX_RETRY_AFTER_MS = 30_000;
/** The most that a function with 256 MB can process, even for a hostile body: about 20,000 integrations. */
const MAX_BODY_BYTES = 12 * 1024 * 1024;
/** Limit of one record. Several requests run at once. */
const MAX_RECORD_BYTES = 1024 * 1024;
/** A list with more pages than this is an error. */
const MAX_PAGES = 1_000;

export function createQonversionClient(options: QonversionClientOptions): IntegrationsApi {
  const traffic = { requests: 0, retries: 0, waitedMs: 0 };
  const throttle = createThrottle({
    wait: options.sleep ?? sleep,
    now: () => options.clock.now().getTime(),
    canWait: (ms) => ms <= Math.min(MAX_RETRY_AFTER_MS, options.remainingMs()),
  });
  const keyRemovers = new Map<string, KeyRemover>();
  const rules: TextRules = {
    personalData: options.personalData ?? 'redact',
    withoutKey: (text) => {
      let rest = text;
      for (const remover of keyRemovers.values()) rest = remover.removeFrom(rest);
      return rest;
    },
  };
  const connection: Connection = { options, http: createHttp(), keyRemovers, rules };
  const call = (request: ApiRequest, sent: Sent = { mayHaveTakenEffect: false }) =>
    send(connection, traffic, throttle, request, sent);

  return {
    traffic,

    async list(): Promise<Listing> {
      const records = new Map<string, IntegrationRecord>();
      const invalid: InvalidRecord[] = [];
      let after: string | null = null;
      let clockAheadMs: number | null = null;
      let read: Size = { bytes: 0, values: 0 };
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const query: string = after === null ? '' : `?starting_after=${encodeURIComponent(after)}`;
        const what = 'the list of integrations';
        const answer = await call({ what, method: 'GET', path: `/integrations${query}`, read });
        read = answer.read;
        if (page === 0) clockAheadMs = answer.clockAheadMs;
        const parsed = parseList(answer.body);
        if (!parsed.ok) throw new UnexpectedAnswerError(`Qonversion's answer is not ${what}: ${parsed.problem}`);
        const known = records.size + invalid.length;
        if (known + parsed.value.data.length > MAX_RECORDS)
          throw new UnexpectedAnswerError(
            `Qonversion's list has more than ${MAX_RECORDS.toLocaleString('en-US')} integrations, more than the guard can read`,
          );
        let last: string | null = null;
        for (const [index, element] of parsed.value.data.entries()) {
          // Text that is crafted to be slow must not use up the time for alerts.
          if (index % 64 === 0 && options.remainingMs() <= 0)
            throw new OutOfTimeError(`no time was left to read ${what}`);
          const result = parseRecord(element, rules);
          if ('invalid' in result) {
            invalid.push(result.invalid);
            last = result.invalid.id ?? last;
          } else {
            // A record that moves to the next page between two requests comes twice.
            records.set(result.record.id, result.record);
            last = result.record.id;
          }
        }
        if (!parsed.value.has_more) return { records: [...records.values()], invalid, clockAheadMs };
        if (last === null || last === after || records.size + invalid.length === known) {
          throw new UnexpectedAnswerError(
            `Qonversion says that ${what} continues after page ${page + 1}, but sends nothing new`,
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
      throw new RequestRefusedError('an integration ID is 1 to 256 letters, digits, ".", "_" or "-"');
    const what = `integration ${id}`;
    const path = `/integrations/${encodeURIComponent(id)}/status`;
    const took = stopwatch(options.clock);
    const answer = await call({ what, method: 'POST', path, body: { status } }, sent);
    const tookMs = took();
    // The API has accepted the request, even if its answer is unusable.
    sent.mayHaveTakenEffect = true;
    const parsed = parseRecord(answer.body, rules);
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

/** The state of a request across its tries. */
interface Sent {
  /** Whether a try may have had an effect. */
  mayHaveTakenEffect: boolean;
}

/**
 * Measures elapsed milliseconds by the clock port, because they are compared with its times. If that clock is set back,
 * the system's monotonic clock sets the minimum.
 */
function stopwatch(clock: Clock): () => number {
  const [ours, steady] = [clock.now().getTime(), performance.now()];
  return () => Math.max(clock.now().getTime() - ours, performance.now() - steady);
}

/** Shared by the requests of one client. */
interface Connection {
  readonly options: QonversionClientOptions;
  readonly http: Http;
  /** One for each key that was sent: an answer to the second key may still contain the first. */
  readonly keyRemovers: Map<string, KeyRemover>;
  readonly rules: TextRules;
}

/** The body of a 2xx answer, and the API's time. */
interface ApiAnswer {
  readonly body: unknown;
  /** Everything that was read for the request so far, including earlier pages. */
  readonly read: Size;
  /** The `Date` header in epoch milliseconds; null without one. */
  readonly answeredAt: number | null;
  /** The API's clock minus the guard's; 0 for a few seconds, null without a `Date` header. */
  readonly clockAheadMs: number | null;
}

interface ApiRequest {
  /** The subject of the request, for messages. */
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** Size of the list's earlier pages, which counts towards the limits. */
  readonly read?: Size;
}

/** Sends a request with retries (law 6). After a 401 it reads the key again (law 4). */
async function send(
  connection: Connection,
  traffic: { -readonly [name in keyof Traffic]: Traffic[name] },
  throttle: Throttle,
  request: ApiRequest,
  sent: Sent,
): Promise<ApiAnswer> {
  const { options } = connection;
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
        throttle.run(async () => {
          // Time may have run out while the request waited for its turn.
          if (options.remainingMs() <= 0) throw new OutOfTimeError(`no time was left to request ${request.what}`);
          if (throttle.closed)
            throw new OutOfTimeError(
              `Qonversion asked for a pause (Retry-After), so ${request.what} was not requested`,
            );
          traffic.requests += 1;
          if (attempt > 1) traffic.retries += 1;
          const sentAt = performance.now();
          try {
            return await attemptOnce(connection, request, secret);
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
          // A try without an answer may have had an effect, even if a later try is refused.
          sent.mayHaveTakenEffect ||= !isRefusal(error) && !(error instanceof OutOfTimeError);
          if (throttle.closed) throw error;
        },
      },
    );
  }
}

/** Whether the API refused the request without any effect: every 4xx except 408. */
function isRefusal(error: Error): boolean {
  return (
    error instanceof QonversionError &&
    error.status !== null &&
    error.status >= 400 &&
    error.status < 500 &&
    error.status !== 408
  );
}

async function attemptOnce(connection: Connection, request: ApiRequest, key: SecretKey): Promise<ApiAnswer> {
  const { options, http, keyRemovers, rules } = connection;
  if (!keyRemovers.has(key.reveal())) keyRemovers.set(key.reveal(), createKeyRemover(key.reveal()));
  const read = request.read ?? { bytes: 0, values: 0 };
  const maxBytes = request.method === 'GET' ? (options.maxBodyBytes ?? MAX_BODY_BYTES) : MAX_RECORD_BYTES;
  const timeoutMs = Math.max(1, Math.min(options.timeoutMs ?? 10_000, options.remainingMs()));
  // One signal covers the whole try.
  const signal = AbortSignal.timeout(timeoutMs);
  let answer: HttpAnswer;
  try {
    answer = await http.send({
      url: `${options.apiUrl}${request.path}`,
      method: request.method,
      headers: {
        authorization: `Bearer ${key.reveal()}`,
        accept: 'application/json',
        'user-agent': 'integration-guard',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal,
      maxBytes: maxBytes - read.bytes,
    });
  } catch (error) {
    if (error instanceof BodyTooLargeError) {
      throw new UnexpectedAnswerError(
        `Qonversion's answer about ${request.what} is larger than ${maxBytes / 1024 / 1024} MiB and was not read to its end`,
      );
    }
    const cause = signal.aborted ? `no answer within ${timeoutMs} ms` : shownText(networkFault(error), 300, rules);
    // The error is not attached as the cause: some errors hold the bytes that were received.
    throw new UnavailableError(`Qonversion could not be reached for ${request.what}: ${cause}`);
  }
  const answeredAt = readDate(answer);
  const clockAheadMs = answeredAt === null ? null : describeSkew(answeredAt - options.clock.now().getTime());
  const moment = answeredAt ?? options.clock.now().getTime();
  return { ...interpret(answer, request.what, moment, rules, read), answeredAt, clockAheadMs };
}

function describeSkew(aheadMs: number): number {
  // Rounding to seconds and latency explain a difference of this size.
  return Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS ? 0 : aheadMs;
}

/** The time of the answer, by the API's clock. */
function readDate(answer: HttpAnswer): number | null {
  const date = Date.parse(answer.header('date') ?? '');
  return Number.isNaN(date) ? null : date;
}

/** @throws QonversionError if the status is not 2xx, or the body is not JSON */
function interpret(
  answer: HttpAnswer,
  what: string,
  answeredAt: number,
  rules: TextRules,
  read: Size,
): Pick<ApiAnswer, 'body' | 'read'> {
  const { status } = answer;
  const json = readJson(answer.body, read);
  if (status >= 200 && status < 300) {
    if (json.ok) return { body: json.value, read: json.read };
    const kind = shownText(answer.header('content-type') ?? 'no content type', 60, rules);
    throw new UnexpectedAnswerError(
      `Qonversion's answer about ${what} ${json.problem} (${kind}, ${plural(answer.body.length, 'byte')})`,
      { ...NO_ENVELOPE, status },
    );
  }
  if (status >= 300 && status < 400) {
    throw new UnexpectedAnswerError(
      `Qonversion answered ${what} with a redirect (${status}), which is not followed; check apiUrl`,
      { ...NO_ENVELOPE, status },
    );
  }
  const retryAfterMs = parseRetryAfter(answer.header('retry-after'), answeredAt);
  throw toError(status, parseErrorEnvelope(json.ok ? json.value : null, rules), retryAfterMs, what);
}

/** One error class per kind of refusal. The message ends with the API's own message, sanitized. */
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
  const said = envelope?.message == null ? '' : ` (${envelope.message})`;
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
      const wait = retryAfterMs === null ? '' : `, and asks for a wait of ${Math.ceil(retryAfterMs / 1_000)} s`;
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

/** Longer waits are cut to this. */
const MAX_RETRY_AFTER_SECONDS = 1_000_000_000;

/**
 * Parses `Retry-After`: seconds, or an HTTP date by the server's clock. Returns milliseconds after the answer; null if
 * it is invalid.
 */
function parseRetryAfter(header: string | null, answeredAt: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.min(Number(text), MAX_RETRY_AFTER_SECONDS) * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) || !/[a-z]/i.test(text) ? null : Math.max(0, date - answeredAt);
}

/** The system's error code if there is one: it says more than the message of a failed connection. */
function networkFault(error: unknown): string {
  return error instanceof Error && 'code' in error && error.code !== undefined
    ? String(error.code)
    : describeError(error);
}

const NO_ENVELOPE: ApiErrorDetails = { status: null, type: null, code: null, details: [] };
