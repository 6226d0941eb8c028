import type { Listed } from '../model/entry.ts';
import type { Listing } from '../model/integration.ts';
import { fingerprint } from '../text/fingerprint.ts';
import { plural } from '../text/sanitize.ts';

/**
 * Rule 12: a list that suddenly lacks most or all integrations of a project is suspicious. It may belong to another project or come
 * from a fault at Qonversion, so the guard concludes nothing from it.
 */

/** The number of fingerprints to remember: enough to estimate which share of a project is missing, few enough for the ledger. */
const SAMPLE = 32;

/** With fewer integrations than this, only an empty list is suspicious. */
const MIN_COUNT = 4;

/** The guard accepts a suspicious list that has stayed the same for this long. */
export const ACCEPT_AFTER_HOURS = 24;

/** The part of the list that the ledger remembers. */
export function listedOf({ records, invalid }: Listing): Listed {
  const ids = [...records.map(({ id }) => id), ...invalid.flatMap(({ id }) => (id === null ? [] : [id]))];
  return { count: ids.length, sample: ids.map(fingerprint).sort().slice(0, SAMPLE) };
}

/** Why the list is suspicious; null: it is not. */
export function suspicionOf(listing: Listing, known: Listed | null): string | null {
  // A record without a readable ID may be any of the missing ones.
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
