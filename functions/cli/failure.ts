import { CommanderError } from 'commander';
import { describeError, GuardError, SettingsError } from '../guard/errors.ts';
import { safeSentence } from '../guard/safe-sentence.ts';

/** How a command reports that it failed: a sentence or one JSON document, and an exit code. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** 1: tried and failed. 2: usage error (arguments, settings, key). */
  readonly exitCode: 1 | 2;
}

/** A faulty command line. */
export function usageFailure(complaint: string): Failure {
  const message = complaint === '' ? 'name a command; integration-guard --help shows them' : complaint;
  return { name: 'UsageError', message: safeLine(message.replace(/^error: /, '').trim()), exitCode: 2 };
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) return usageFailure(error.message);
  // Its faults were made safe one by one.
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

/** The caller fixes names and keys. Everything else was tried and failed. */
const MISUNDERSTOOD: ReadonlySet<string> = new Set([
  'UsageError',
  'SecretUnusableError',
  'UnknownIntegrationError',
  'NoSuchProjectError',
]);

/** What the system or AWS reports, as opposed to a fault of this program. */
function isForeseen(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string') return !error.code.startsWith('ERR_');
  // Errors of the AWS SDK have names of their own.
  return !/^(?:Zod)?(?:\w*Range|Type|Reference|Syntax|URI|Eval|Assertion|Aggregate)?Error$/.test(error.name);
}

/** The most of an argument, a name or an answer that an error repeats. */
const LINE_CHARACTERS = 1_000;

/** Text that may hold untrusted text, as one line that a terminal only shows. */
export function safeLine(text: string): string {
  return safeSentence(text, LINE_CHARACTERS);
}

/** What `--json` prints. Characters that a terminal obeys, or that reorder text, are escaped: it is the same document. */
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

/** Whether words that may not be understood ask for a JSON document. What completes a line has a form of its own. */
export function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return !(args[0] === 'complete' && args[1] === '--') && (end === -1 ? args : args.slice(0, end)).includes('--json');
}

/** Says it on standard output as the one document, or on standard error as a sentence. */
export function report(
  failure: Failure,
  json: boolean,
  { out, err }: { readonly out: (text: string) => void; readonly err: (text: string) => void },
): void {
  if (json) out(toJsonText({ error: failure }));
  else err(`integration-guard: ${failure.message}\n`);
}
