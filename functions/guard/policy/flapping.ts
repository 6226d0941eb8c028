import type { Flaps, IntegrationRecord } from '../model/entry.ts';
import { isLater, minutesBetween } from '../text/time.ts';

/**
 * Integrations that fail again and again although some deliveries succeed. Each success resets the API's count, so limits
 * never see them; what passes see from one to the next does.
 */

/** Passes that are looked back upon: an hour, at one every five minutes. */
export const WINDOW = 12;
/** In so many of them both failures and deliveries: unstable. */
export const UNSTABLE_PASSES = 9;
/** After so many without a failure it is over. */
export const CALM_PASSES = 6;

/** A failure that is no older begins the watching: what is older was over before. */
const FRESH_MINUTES = 15;

/** In a pass since the one before: failures and deliveries, failures alone, no failure. */
const BOTH = 'x';
const FAILED = 'e';
const CALM = '.';

/**
 * What one more pass adds to what the passes before it saw. Null while nothing fails, so that healthy integrations cost no
 * write; and in an outage, which is the limits' business.
 */
export function watchFlaps(
  record: IntegrationRecord,
  flaps: Flaps | null,
  now: string,
  outageMinutes: number,
): Flaps | null {
  const { last_error_at: lastErrorAt, last_delivery_at: lastDeliveryAt } = record;
  if (lastErrorAt === null || lastDeliveryAt === null || minutesBetween(lastDeliveryAt, now) >= outageMinutes)
    return null;
  const seen = { seenAt: now, lastErrorAt, lastDeliveryAt };
  if (flaps === null) {
    const fresh = minutesBetween(lastErrorAt, now) < FRESH_MINUTES;
    return fresh ? { ...seen, since: now, marks: '', told: null } : null;
  }
  // The same pass once more, or one started by hand right after another: nothing could show yet.
  if (minutesBetween(flaps.seenAt, now) < 1) return flaps;
  const failed = isLater(lastErrorAt, flaps.lastErrorAt);
  const delivered = isLater(lastDeliveryAt, flaps.lastDeliveryAt);
  const mark = failed ? (delivered ? BOTH : FAILED) : CALM;
  const marks = `${flaps.marks}${mark}`.slice(-WINDOW);
  return marks.endsWith(CALM.repeat(CALM_PASSES)) ? null : { ...flaps, ...seen, marks };
}

/** Failing and delivering by turns: neither a warning nor its end is worth an alert each time. */
export function isFlapping(flaps: Flaps | null): boolean {
  return flaps !== null && countBoth(flaps) >= 2;
}

export function isUnstable(flaps: Flaps | null): flaps is Flaps {
  return flaps !== null && flaps.marks.length === WINDOW && countBoth(flaps) >= UNSTABLE_PASSES;
}

/** In how many of the passes that are looked back upon there were both failures and deliveries. */
export function countBoth({ marks }: Flaps): number {
  return marks.split(BOTH).length - 1;
}
