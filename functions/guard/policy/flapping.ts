import type { Flapping } from '../model/entry.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { isLater, latest } from '../text/time.ts';

/**
 * Integrations that fail and deliver by turns (rule 9). Each success resets the API's count, so no limit is reached. A one-sided
 * cumulative sum (CUSUM) over samples of whether the last attempt failed detects the share that fails, whatever the traffic and
 * the interval of passes. Source: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954).
 */

/** A share of failures that is tolerated, and one that is to be reported. */
const TOLERATED = 0.2;
const REPORTED = 0.6;

/** What one sample adds: the logarithm of how much more probable it is under the share to be reported. */
const FAILED = Math.log(REPORTED / TOLERATED);
const DELIVERED = Math.log((1 - REPORTED) / (1 - TOLERATED));

/** Reported at this score. In the realistic world it takes five failed samples, or eight at 80 %. */
const LIMIT = 5;
/** A longer series of failures than this says no more, and the score has to come down again. */
const MAX_SCORE = 2 * LIMIT;
/** Before two deliveries have been seen it is an outage, which the limits detect; its length must not count. */
const MIN_DELIVERIES = 2;
const MAX_OUTAGE_SCORE = 3;

/** Failures in a row that begin the watching. */
const START_ERRORS = 3;

/** Samples from before a break this long say nothing about now. */
const FORGET_HOURS = 24;

/**
 * What one more pass adds to what the passes before it saw: a sample, if there was an attempt since.
 * @returns null while nothing is to be watched, so that healthy integrations cost no write; the same object when nothing changes
 */
export function sampleFlapping(
  record: IntegrationRecord,
  freshErrors: number,
  known: Flapping | null,
  now: string,
): Flapping | null {
  const { last_error_at: lastErrorAt, last_delivery_at: lastDeliveryAt } = record;
  const flapping = known === null || isForgotten(known, now) ? null : known;
  if (flapping === null) {
    if (freshErrors < START_ERRORS) return null;
    return { since: now, score: FAILED, deliveries: 0, lastErrorAt, lastDeliveryAt };
  }
  const delivered = isLater(lastDeliveryAt, flapping.lastDeliveryAt);
  if (!delivered && !isLater(lastErrorAt, flapping.lastErrorAt)) return flapping;
  const deliveries = Math.min(MIN_DELIVERIES, flapping.deliveries + (delivered ? 1 : 0));
  const most = deliveries < MIN_DELIVERIES ? MAX_OUTAGE_SCORE : MAX_SCORE;
  const sum = flapping.score + (freshErrors > 0 ? FAILED : DELIVERED);
  if (sum <= 0) return null;
  const score = Math.min(most, sum);
  // At the most, a further failure changes nothing: an outage costs no write per pass.
  if (score === flapping.score && deliveries === flapping.deliveries) return flapping;
  return { ...flapping, score, deliveries, lastErrorAt, lastDeliveryAt };
}

/** Failing and delivering by turns: neither a warning nor its end is worth an alert each time. */
export function alternates(flapping: Flapping | null): boolean {
  return flapping !== null && flapping.deliveries >= MIN_DELIVERIES;
}

export function isFlapping(flapping: Flapping | null): flapping is Flapping {
  return alternates(flapping) && (flapping?.score ?? 0) >= LIMIT;
}

function isForgotten({ lastErrorAt, lastDeliveryAt, since }: Flapping, now: string): boolean {
  const last = latest(lastErrorAt ?? since, lastDeliveryAt);
  return Date.parse(now) - Date.parse(last) > FORGET_HOURS * 60 * 60_000;
}
