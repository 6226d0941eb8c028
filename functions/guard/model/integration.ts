/** The words of the API, as plain data. Times are ISO 8601 strings in UTC, as the API sends them. */

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
  /** What the upstream said: untrusted text. */
  readonly last_error_message: string | null;
  /** Failures since the last successful delivery. Neither a pause nor a re-activation resets it. */
  readonly delivery_error_count: number;
}

/** An element of the list that is not a record the API documents. `id` is null when even that could not be read. */
export interface InvalidRecord {
  readonly id: string | null;
  readonly problem: string;
}

/** Everything one project has, as one pass read it. */
export interface Listing {
  readonly records: readonly IntegrationRecord[];
  readonly invalid: readonly InvalidRecord[];
  /** How far the API's clock is ahead of ours, in milliseconds, as it says; 0 when it is seconds, null when it did not say. */
  readonly clockAheadMs: number | null;
}

/** What became of a status that the API was asked for. */
export type StatusAnswer =
  /** The record shows the state, and this request changed it. */
  | { readonly outcome: 'set'; readonly record: IntegrationRecord }
  /**
   * The record shows the state, and its last change is older than this request by the API's own clock: if that was the
   * change of state, an operator was faster.
   */
  | { readonly outcome: 'already'; readonly record: IntegrationRecord }
  /** The request certainly had no effect. */
  | { readonly outcome: 'refused'; readonly error: Error }
  /** The same, and it would be so for every other request: the API does not accept the key. */
  | { readonly outcome: 'key-refused'; readonly error: Error }
  /** No answer, or none that shows the state: the request may have taken effect. */
  | { readonly outcome: 'unknown'; readonly error: Error };
