import type { Flapping } from '../model/entry.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { isLater, minutesBetween } from '../text/time.ts';

/**
 * Integrations that fail again and again although some deliveries succeed (rule 9). Each success resets the API's count, so
 * limits never see them; the changes from pass to pass do.
 */

/** Passes that are looked back upon: an hour, at one every five minutes. */
export const WINDOW = 12;
/** Both failures and deliveries in so many of them: flapping. */
export const FLAPPING_PASSES = 9;
/** After so many without a failure it is over. */
export const CALM_PASSES = 6;

/** A failure that is no older begins the watching: an older one was over before. */
const FRESH_MINUTES = 15;

/** Without a pass for so long, what the passes before saw says nothing about now. */
const UNSEEN_MINUTES = 180;

/** In a pass since the one before: failures and deliveries, failures alone, no failure. */
const BOTH = 'x';
const FAILED = 'e';
const CALM = '.';

/**
 * What one more pass adds to what the passes before it saw. Null while nothing fails, so that healthy integrations cost no
 * write; and in an outage, which the limits detect.
 */
export function sampleFlapping(
  record: IntegrationRecord,
  flapping: Flapping | null,
  now: string,
  outageMinutes: number,
): Flapping | null {
  const { last_error_at: lastErrorAt, last_delivery_at: lastDeliveryAt } = record;
  if (lastErrorAt === null || lastDeliveryAt === null || minutesBetween(lastDeliveryAt, now) >= outageMinutes)
    return null;
  const seen = { seenAt: now, lastErrorAt, lastDeliveryAt };
  if (flapping === null || minutesBetween(flapping.seenAt, now) > UNSEEN_MINUTES) {
    const fresh = minutesBetween(lastErrorAt, now) < FRESH_MINUTES;
    return fresh ? { ...seen, since: now, marks: '' } : null;
  }
  // The same pass once more, or one started by hand right after another: nothing could show yet.
  if (minutesBetween(flapping.seenAt, now) < 1) return flapping;
  const failed = isLater(lastErrorAt, flapping.lastErrorAt);
  const delivered = isLater(lastDeliveryAt, flapping.lastDeliveryAt);
  const mark = failed ? (delivered ? BOTH : FAILED) : CALM;
  const marks = `${flapping.marks}${mark}`.slice(-WINDOW);
  return marks.endsWith(CALM.repeat(CALM_PASSES)) ? null : { ...flapping, ...seen, marks };
}

/** Failing and delivering by turns: neither a warning nor its end is worth an alert each time. */
export function alternates(flapping: Flapping | null): boolean {
  return flapping !== null && countBoth(flapping) >= 2;
}

export function isFlapping(flapping: Flapping | null): flapping is Flapping {
  return flapping !== null && flapping.marks.length === WINDOW && countBoth(flapping) >= FLAPPING_PASSES;
}

/** In how many of the passes that are looked back upon there were both failures and deliveries. */
export function countBoth({ marks }: Flapping): number {
  return marks.split(BOTH).length - 1;
}
