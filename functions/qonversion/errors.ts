import { GuardError } from '../guard/errors.ts';

/**
 * The details of an error of the Qonversion API. Messages are sentences for people and never contain the key. Source:
 * the error table of the API reference (v4).
 */
export interface ApiErrorDetails {
  /** HTTP status; null without an answer. */
  readonly status: number | null;
  /** `request`, `resource`, `logical` or `internal`, from the API's error envelope. */
  readonly type: string | null;
  readonly code: string | null;
  readonly details: readonly { readonly field: string; readonly message: string }[];
}

const NO_DETAILS: ApiErrorDetails = { status: null, type: null, code: null, details: [] };

/** The base class of this client's errors. */
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

/** 403: the key is valid but lacks the permission. */
export class NotPermittedError extends QonversionError {
  override readonly name = 'NotPermittedError';
}

/** 404: the integration does not exist, or was deleted. */
export class NotFoundError extends QonversionError {
  override readonly name = 'NotFoundError';
}

/** 400, 409, 422 and other 4xx: the API rejected the request. */
export class RequestRefusedError extends QonversionError {
  override readonly name = 'RequestRefusedError';
}

/** 429, after all tries. */
export class RateLimitedError extends QonversionError {
  override readonly name = 'RateLimitedError';
  override readonly retryable = true;
  /** The wait that `Retry-After` asks for, in milliseconds; null without a valid one. */
  readonly retryAfterMs: number | null;

  constructor(message: string, details: ApiErrorDetails, retryAfterMs: number | null) {
    super(message, details);
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer (network fault, timeout), 408 or 5xx, after all tries. The requested status may have been set. */
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

/** The pass ran out of time before the request was sent: its data is too old to act on. */
export class OutOfTimeError extends QonversionError {
  override readonly name = 'OutOfTimeError';
}

/** Not an answer of the API: HTML, another shape, a redirect, too large, or a record without the requested state. */
export class UnexpectedAnswerError extends QonversionError {
  override readonly name = 'UnexpectedAnswerError';
}
