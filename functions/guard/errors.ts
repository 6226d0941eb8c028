import { safePath, safeSentence } from './safe-sentence.ts';
import { nearest } from './text/nearest.ts';

/** Errors of the core. Each message is one sentence: what, where, what to do next; never a secret. */

/** Base of everything the guard throws on purpose: its message may be shown to a person as it stands. */
export class GuardError extends Error {
  override readonly name: string = 'GuardError';
}

/** What the operator asked for cannot be meant: another command line, or another project, is. Nothing was tried. */
export class UsageError extends GuardError {
  override readonly name = 'UsageError';
}

/** Faults that are worth reading at once. */
const MAX_FAULTS = 100;

/** The settings do not say what they must; `faults` has one line per fault, each beginning with its path. */
export class SettingsError extends GuardError {
  override readonly name = 'SettingsError';
  /** One line each. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[], source = 'settings') {
    const left = faults.length - MAX_FAULTS;
    const shown = left > 0 ? [...faults.slice(0, MAX_FAULTS), `… and ${left} more`] : faults;
    // A file may have any name.
    super(`${safePath(source)}: ${shown.join('\n')}`);
    this.faults = faults;
  }
}

/** Another pass wrote the ledger entry since we read it: leave that record to them (law 2). */
export class LostRaceError extends GuardError {
  override readonly name = 'LostRaceError';
}

/** The ledger could not be read or written. Never to be taken for "nothing is remembered". */
export class LedgerUnavailableError extends GuardError {
  override readonly name = 'LedgerUnavailableError';
}

/** The Secret Key is missing, empty, a placeholder or not of the form of a key. */
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
        ? '`integration-guard list` shows the ids it has'
        : `did you mean "${meant}"? (\`integration-guard list\` shows all)`;
    super(`project "${project}" has no integration "${id}"; ${remedy}`);
  }
}

/** What to print of anything thrown: our own messages as they stand, others' by name and first line, made safe and cut short. */
export function describeError(error: unknown): string {
  if (error instanceof GuardError) return error.message;
  if (error instanceof Error) return safeSentence(`${error.name}: ${error.message.split('\n')[0] ?? ''}`, 320);
  return safeSentence(String(error), 300);
}
