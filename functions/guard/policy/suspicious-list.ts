import type { Listed } from '../model/entry.ts';
import type { Listing } from '../model/integration.ts';
import { fingerprint } from '../text/fingerprint.ts';
import { plural } from '../text/sanitize.ts';

/**
 * Rule 12: a list that has suddenly lost most of a project's integrations, or all of them, is suspicious. It may be another
 * project's, or a fault at Qonversion, so nothing is concluded from it.
 */

/** So many fingerprints say how much of a project a list has, and fit into one item of the ledger. */
const SAMPLE = 32;

/** Of fewer integrations, losing some is no sign; losing all always is. */
const MIN_COUNT = 4;

/** After so long without another list this one is the project's. */
export const ACCEPT_AFTER_HOURS = 24;

/** What to remember of the list. */
export function listedOf({ records, invalid }: Listing): Listed {
  const ids = [...records.map(({ id }) => id), ...invalid.flatMap(({ id }) => (id === null ? [] : [id]))];
  return { count: ids.length, sample: ids.map(fingerprint).sort().slice(0, SAMPLE) };
}

/** Why the list is suspicious; null: it is not. */
export function suspicionOf(listing: Listing, known: Listed | null): string | null {
  // A record whose id cannot be read may be any of those that are missing.
  if (known === null || known.count === 0 || listing.invalid.some(({ id }) => id === null)) return null;
  const { count } = listedOf(listing);
  const before = plural(known.count, 'integration');
  if (count === 0) return `the list is empty, and it had ${before}; ${NOTHING_CONCLUDED}`;
  if (known.count < MIN_COUNT) return null;
  const ids = new Set([...listing.records, ...listing.invalid].map(({ id }) => fingerprint(id ?? '')));
  const left = known.sample.filter((id) => ids.has(id)).length;
  if (left * 2 >= known.sample.length) return null;
  return `the list has ${plural(count, 'integration')} and most of the ${before} it had are missing; ${NOTHING_CONCLUDED}`;
}

const NOTHING_CONCLUDED = `the guard changes nothing and takes the list as it is after ${ACCEPT_AFTER_HOURS} hours`;
