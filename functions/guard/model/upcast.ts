import { LedgerUnavailableError } from '../errors.ts';
import type { GuardEvent, LedgerEntry, ProjectEntry } from './entry.ts';

/** How a ledger that an older version of the guard has written becomes one of today: item by item, when it is read. */

/** The shape of what is stored now. Items of version 1 of the guard carry no number. */
export const LEDGER_SCHEMA = 2;

/** @param stored an integration's entry of schema 1 */
export function upcastEntry(stored: unknown): LedgerEntry {
  return stored as LedgerEntry;
}

/** @param stored a project's entry of schema 1 */
export function upcastProjectEntry(stored: unknown): ProjectEntry {
  return stored as ProjectEntry;
}

/** @param stored an event of the history of schema 1 */
export function upcastEvent(stored: unknown): GuardEvent {
  return stored as GuardEvent;
}

/**
 * What a ledger has stored, in today's shape.
 * @param schema the number stored with it; undefined when there was none
 * @param upcast for what an older version has stored
 * @throws LedgerUnavailableError when a newer version has stored it: this one would misread it
 */
export function readStored<T>(stored: unknown, schema: unknown, upcast: (stored: unknown) => T): T {
  if (schema === undefined || schema === 1) return upcast(stored);
  // Only the guard writes a ledger, so what is stored is what it put there.
  if (schema === LEDGER_SCHEMA) return stored as T;
  throw new LedgerUnavailableError(
    `the ledger was written by a newer version of the guard (schema ${String(schema)}; this version reads up to ${LEDGER_SCHEMA}); use that version or a later one`,
  );
}
