import { CommanderError } from 'commander';
import { describeError, GuardError, SettingsError } from '../guard/errors.ts';
import { safeSentence } from '../guard/safe-sentence.ts';

/** The failure of a command: a sentence or one JSON document, and an exit code. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** 1: tried and failed. 2: usage error (arguments, settings, key). */
  readonly exitCode: 1 | 2;
}

/** A usage error in the command line. */
export function usageFailure(complaint: string): Failure {
  const message = complaint === '' ? 'name a command; integration-guard --help shows them' : complaint;
  return { name: 'UsageError', message: safeLine(message.replace(/^error: /, '').trim()), exitCode: 2 };
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) return usageFailure(error.message);
  // The faults are already sanitized.
  if (error instanceof SettingsError) return { name: error.name, message: error.message, exitCode: 2 };
  if (error instanceof GuardError)
    return { name: error.name, message: safeLine(error.message), exitCode: MISUNDERSTOOD.has(error.name) ? 2 : 1 };
  const message = describeError(error);
  return isForeseen(error)
    ? { name: error.name, message, exitCode: 1 }
    : {
        name: 'InternalError',
        message: `internal error: ${message}; please report it, with the command and the version`,
        exitCode: 1,
      };
}

/** Errors that the caller can fix: usage errors. Everything else was tried and failed. */
const MISUNDERSTOOD: ReadonlySet<string> = new Set([
  'UsageError',
  'SecretUnusableError',
  'UnknownIntegrationError',
  'NoSuchProjectError',
]);

/** Whether the system or AWS reported the error. Any other error is a bug in this program. */
function isForeseen(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string') return !error.code.startsWith('ERR_');
  // Errors of the AWS SDK have other names than these.
  return !/^(?:Zod)?(?:\w*Range|Type|Reference|Syntax|URI|Eval|Assertion|Aggregate)?Error$/.test(error.name);
}

/** The maximum length of an argument, a name or an answer in an error. */
const LINE_CHARACTERS = 1_000;

/** Untrusted text as one line without control characters. */
export function safeLine(text: string): string {
  return safeSentence(text, LINE_CHARACTERS);
}

/** The output of `--json`. It escapes control characters and characters that reorder text; the document stays the same. */
export function toJsonText(document: unknown): string {
  const escaped = JSON.stringify(document, null, 2).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu, (character) =>
    character === '\n' ? character : escapeUnits(character),
  );
  return `${escaped}\n`;
}

function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}

/** Whether the words ask for JSON, even if they are not valid. Completion requests have their own format. */
export function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return !(args[0] === 'complete' && args[1] === '--') && (end === -1 ? args : args.slice(0, end)).includes('--json');
}

/** Prints one JSON document to standard output, or a sentence to standard error. */
export function report(
  failure: Failure,
  json: boolean,
  { out, err }: { readonly out: (text: string) => void; readonly err: (text: string) => void },
): void {
  if (json) out(toJsonText({ error: failure }));
  else err(`integration-guard: ${failure.message}\n`);
}
