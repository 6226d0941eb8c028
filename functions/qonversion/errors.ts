import { GuardError } from '../guard/errors.ts';

/**
 * What can go wrong between us and the Qonversion API. Messages are sentences for people and never hold the key.
 * Source: the error table of the API reference (v4).
 */
export interface ApiErrorDetails {
  /** HTTP status; null when there was no answer. */
  readonly status: number | null;
  /** `request`, `resource`, `logical` or `internal`, as the API's envelope says it. */
  readonly type: string | null;
  readonly code: string | null;
  readonly details: readonly { readonly field: string; readonly message: string }[];
}

const NO_DETAILS: ApiErrorDetails = { status: null, type: null, code: null, details: [] };

/** Base of all errors of this client. */
export class QonversionError extends GuardError implements ApiErrorDetails {
  override readonly name: string = 'QonversionError';
  readonly status: number | null;
  readonly type: string | null;
  readonly code: string | null;
  readonly details: ApiErrorDetails['details'];
  /** Whether the same request may succeed a moment later (law 6). */
  readonly retryable: boolean = false;

  constructor(message: string, details: ApiErrorDetails = NO_DETAILS, options?: ErrorOptions) {
    super(message, options);
    this.status = details.status;
    this.type = details.type;
    this.code = details.code;
    this.details = details.details;
  }
}

/** 401: the key is wrong, or was regenerated. */
export class KeyRefusedError extends QonversionError {
  override readonly name = 'KeyRefusedError';
}

/** 403: the key is right and may not do this. */
export class NotPermittedError extends QonversionError {
  override readonly name = 'NotPermittedError';
}

/** 404: no such integration, or a deleted one. */
export class NotFoundError extends QonversionError {
  override readonly name = 'NotFoundError';
}

/** 400, 409, 422 and other 4xx: the API understood and said no. */
export class RequestRefusedError extends QonversionError {
  override readonly name = 'RequestRefusedError';
}

/** 429, after all tries. */
export class RateLimitedError extends QonversionError {
  override readonly name = 'RateLimitedError';
  override readonly retryable = true;
  /** What `Retry-After` asked for, in milliseconds; null when it said nothing usable. */
  readonly retryAfterMs: number | null;

  constructor(message: string, details: ApiErrorDetails, retryAfterMs: number | null) {
    super(message, details);
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer (network fault, timeout), 408 or 5xx, after all tries. A status that was asked for may have been set. */
export class UnavailableError extends QonversionError {
  override readonly name = 'UnavailableError';
  override readonly retryable = true;
  readonly retryAfterMs: number | null;

  constructor(
    message: string,
    details: ApiErrorDetails = NO_DETAILS,
    retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, details, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The pass's time was over before the request was sent: what it saw is too old to be acted on. */
export class OutOfTimeError extends QonversionError {
  override readonly name = 'OutOfTimeError';
}

/** An answer, but not the API's: HTML, another shape, a redirect, too large, or a record without the asked-for state. */
export class UnexpectedAnswerError extends QonversionError {
  override readonly name = 'UnexpectedAnswerError';
}
