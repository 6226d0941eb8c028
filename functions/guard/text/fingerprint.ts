import { createHash } from 'node:crypto';

/** A short hash of an ID. Thousands of them fit into one item of the ledger. */
export function fingerprint(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 11);
}
