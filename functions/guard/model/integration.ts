/** The API's data under the API's names. Times are ISO 8601 strings in UTC. */

export type TargetPlatform = 'iOS' | 'Android' | 'Stripe';

/** 0 paused or draft, 1 forwarding events, 2 suspended by Qonversion's delivery worker. */
export type Active = 0 | 1 | 2;

/** The states a caller may ask for; 2 belongs to Qonversion's worker alone. */
export type Status = 0 | 1;

/** One integration as `GET /v4/integrations` reports it, under the API's own field names. */
export interface IntegrationRecord {
  readonly id: string;
  /** The customer's own title: untrusted text. */
  readonly title: string;
  /** The provider's display title ("Amplitude"). */
  readonly integration: string;
  readonly target_platform: TargetPlatform;
  readonly active: Active;
  readonly created_at: string;
  readonly updated_at: string;
  /** The last successful delivery; null when there never was one. */
  readonly last_delivery_at: string | null;
  readonly last_error_at: string | null;
  /** The provider's error message: untrusted text. */
  readonly last_error_message: string | null;
  /** Failures since the last successful delivery. Pausing and resuming do not reset it. */
  readonly delivery_error_count: number;
}

/** An element of the list that does not match the documented record. `id` is null when it could not be read either. */
export interface InvalidRecord {
  readonly id: string | null;
  readonly problem: string;
}

/** The integrations of one project, as one pass read them. */
export interface Listing {
  readonly records: readonly IntegrationRecord[];
  readonly invalid: readonly InvalidRecord[];
  /** How far the API's clock is ahead of this machine's, in milliseconds; 0 for a few seconds, null when the API gave no time. */
  readonly clockAheadMs: number | null;
}

/** The API's answer to a requested status. */
export type StatusAnswer =
  /** The record shows the state, and this request changed it. */
  | { readonly outcome: 'set'; readonly record: IntegrationRecord }
  /**
   * The record shows the state, but its last change is older than this request by the API's clock. An operator may have changed
   * the state first.
   */
  | { readonly outcome: 'already'; readonly record: IntegrationRecord }
  /** The request certainly had no effect. */
  | { readonly outcome: 'refused'; readonly error: Error }
  /** The same, because the API does not accept the key, so every other request would fail too. */
  | { readonly outcome: 'key-refused'; readonly error: Error }
  /** No answer, or an answer without the state: the request may have taken effect. */
  | { readonly outcome: 'unknown'; readonly error: Error };
