import type { Flapping } from '../model/entry.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { isLater, latest } from '../text/time.ts';

/**
 * Integrations that alternate between failing and delivering (rule 9). Each success resets the API's count, so no limit is reached.
 * Each pass takes a sample: did the last attempt fail? A one-sided cumulative sum (CUSUM) over the samples detects a high share of
 * failures at any traffic and any interval of passes. Source: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954).
 */

/** The share of failures that is tolerated, and the share that is reported. */
const TOLERATED = 0.2;
const REPORTED = 0.6;

/** The change of the score with one sample: the log-likelihood ratio of the reported share to the tolerated one. */
const FAILED = Math.log(REPORTED / TOLERATED);
const DELIVERED = Math.log((1 - REPORTED) / (1 - TOLERATED));

/** The score at which flapping is reported: after five failed samples in a row, or about eight when 80 % fail. */
const LIMIT = 5;
/** The score's upper limit, so that it can come down again after many failures. */
const MAX_SCORE = 2 * LIMIT;
/** With fewer deliveries than this it is an outage, which the limits detect. Its length must not raise the score any further. */
const MIN_DELIVERIES = 2;
const MAX_OUTAGE_SCORE = 3;

/** Failures in a row after which the guard begins to take samples. */
const START_ERRORS = 3;

/** After a break this long, earlier samples are discarded. */
const FORGET_HOURS = 24;

/**
 * Adds the sample of one pass, if there was an attempt since the last sample.
 * @returns null when the integration needs no samples, so that a healthy one costs no write; the same object when nothing changes
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
  const maxScore = deliveries < MIN_DELIVERIES ? MAX_OUTAGE_SCORE : MAX_SCORE;
  const sum = flapping.score + (freshErrors > 0 ? FAILED : DELIVERED);
  if (sum <= 0) return null;
  const score = Math.min(maxScore, sum);
  // At the upper limit another failure changes nothing, so an outage costs no write per pass.
  if (score === flapping.score && deliveries === flapping.deliveries) return flapping;
  return { ...flapping, score, deliveries, lastErrorAt, lastDeliveryAt };
}

/** Whether it alternates between failing and delivering, so that a warning and a recovery each time would be noise. */
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
