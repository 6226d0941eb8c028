import { safePath, safeSentence } from './safe-sentence.ts';
import { nearest } from './text/nearest.ts';

/** Errors of the core. Each message is one sentence: what, where, what to do next; never a secret. */

/** The base class of errors that the guard throws on purpose. Their messages are safe to show. */
export class GuardError extends Error {
  override readonly name: string = 'GuardError';
}

/** The command line or the project is wrong. Nothing was tried. */
export class UsageError extends GuardError {
  override readonly name = 'UsageError';
}

/** How many faults one message lists. */
const MAX_FAULTS = 100;

/** The settings are invalid. */
export class SettingsError extends GuardError {
  override readonly name = 'SettingsError';
  /** One line per fault, which begins with the path of the fault. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[], source = 'settings') {
    const left = faults.length - MAX_FAULTS;
    const shown = left > 0 ? [...faults.slice(0, MAX_FAULTS), `… and ${left} more`] : faults;
    // A file may have any name.
    super(`${safePath(source)}: ${shown.join('\n')}`);
    this.faults = faults;
  }
}

/** Another pass wrote the ledger entry after this one read it, so this pass leaves the record to it (law 2). */
export class LostRaceError extends GuardError {
  override readonly name = 'LostRaceError';
}

/** The ledger could not be read or written. Never treat this as an empty ledger. */
export class LedgerUnavailableError extends GuardError {
  override readonly name: string = 'LedgerUnavailableError';
}

/** The ledger's content cannot be read: it is damaged, or a newer version of the guard wrote it. */
export class LedgerFormatError extends LedgerUnavailableError {
  override readonly name = 'LedgerFormatError';
  readonly fault: 'damaged' | 'newer';
  /** The problem, without the remedy. */
  readonly what: string;
  readonly remedy: string;

  constructor(fault: 'damaged' | 'newer', what: string, remedy: string, options?: { readonly cause?: unknown }) {
    super(`${what}; ${remedy}`, options);
    this.fault = fault;
    this.what = what;
    this.remedy = remedy;
  }
}

/** The Secret Key is missing, empty, a placeholder, or does not have the form of a key. */
export class SecretUnusableError extends GuardError {
  override readonly name: string = 'SecretUnusableError';
}

/** The secret could not be read at all, so nothing is known about the key in it. */
export class SecretUnreadableError extends SecretUnusableError {
  override readonly name = 'SecretUnreadableError';
}

/** An operator named an integration that the project does not have. */
export class UnknownIntegrationError extends GuardError {
  override readonly name = 'UnknownIntegrationError';

  /** @param known ids that the operator may have meant */
  constructor(project: string, id: string, known: readonly string[]) {
    const meant = nearest(id, known);
    const remedy =
      meant === null
        ? '`integration-guard list` shows the IDs it has'
        : `did you mean "${meant}"? (\`integration-guard list\` shows all)`;
    super(`project "${project}" has no integration "${id}"; ${remedy}`);
  }
}

/** A printable message for any thrown value: the message of a `GuardError`; the sanitized name and first line of others. */
export function describeError(error: unknown): string {
  if (error instanceof GuardError) return error.message;
  if (error instanceof Error) return safeSentence(`${error.name}: ${error.message.split('\n')[0] ?? ''}`, 320);
  return safeSentence(String(error), 300);
}
