import { LedgerFormatError } from '../guard/errors.ts';
import { KeyRefusedError, NotPermittedError, RateLimitedError, UnavailableError } from '../qonversion/errors.ts';
import { toSentence } from './to-sentence.ts';

/** Advice about an error, by its place: a file, AWS, or Qonversion. */

/** Advice about a failed request to AWS. */
export function adviceOnAws(error: unknown): string {
  const text = textOf(error);
  if (/\bKMS|kms:/.test(text) && DENIED.test(text))
    return 'Ask for permission to use the KMS key (kms:Decrypt and kms:GenerateDataKey), in your role and in the key policy.';
  if (DENIED.test(text))
    return 'Ask for the permission that the message names, or ask a person who has it to run the doctor.';
  if (/Credential|ExpiredToken|UnrecognizedClient|InvalidClientTokenId|SSO|TokenProvider/i.test(text))
    return 'Sign in to AWS, and check AWS_PROFILE and AWS_REGION.';
  if (/Throttl|TooManyRequests|RequestLimit|SlowDown/i.test(text)) return 'Wait a minute, then run the doctor again.';
  return 'Run the doctor again. If that does not help, check the network, AWS_PROFILE and AWS_REGION.';
}

const DENIED = /AccessDenied|NotAuthorized|not authorized/i;

/** Advice about a failed request to the ledger's table. */
export function adviceOnLedgerTable(error: unknown): string {
  if (error instanceof LedgerFormatError) return toSentence(error.remedy);
  if (/ResourceNotFound/.test(textOf(error)))
    return 'The table was deleted, or it is in another region. Restore it to an earlier time under another name, set "ledgerTableName" in the settings to that name, and deploy.';
  return adviceOnAws(error);
}

/** Advice about a ledger file that cannot be read or written. */
export function adviceOnLedgerFile(error: unknown): string {
  if (error instanceof LedgerFormatError) return toSentence(error.remedy);
  const codes = causesOf(error).flatMap((cause) => ('code' in cause ? [String(cause.code)] : []));
  const advice = codes.map((code) => ADVICE_ON_FILE[code]).find((each) => each !== undefined);
  return advice ?? ELSEWHERE;
}

const ELSEWHERE = 'Set GUARD_LEDGER to a file that you can write.';

const RIGHTS = 'Give yourself permission to write the file and its folder, or set GUARD_LEDGER to another file.';

const NO_FOLDER = 'A part of that path is a file, not a folder. Set GUARD_LEDGER to another file.';

const ADVICE_ON_FILE: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space on that disk, or set GUARD_LEDGER to a file on another disk.',
  EDQUOT: 'Your disk quota is used up. Free some space, or set GUARD_LEDGER to a file on another disk.',
  EROFS: 'That disk is read-only. Set GUARD_LEDGER to a file on another disk.',
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  EISDIR: 'That is a folder. Set GUARD_LEDGER to a file.',
  ENOTDIR: NO_FOLDER,
  EEXIST: NO_FOLDER,
  EBUSY: 'The file cannot be replaced. If it is mounted into a container, mount its folder instead.',
  ELOCKED: 'Another process holds the lock. Wait until it ends, then run the doctor again.',
};

/** Advice about a failed request to Qonversion. */
export function adviceOnQonversion(error: unknown, where: 'file' | 'stack'): string {
  if (error instanceof KeyRefusedError) {
    const place = where === 'file' ? 'set QONVERSION_SECRET_KEY to it' : 'fill the secret with it';
    return `Copy the project's Secret Key from Qonversion's settings, and ${place}.`;
  }
  if (error instanceof NotPermittedError)
    return 'Check in Qonversion that the key belongs to the right project, and that this project has access to integrations.';
  if (error instanceof RateLimitedError) return 'Wait a minute, then run the doctor again.';
  if (error instanceof UnavailableError)
    return /cert/i.test(error.message)
      ? 'Check the network and the clock of this machine. With a wrong clock, valid certificates are refused.'
      : 'Check the network, and "apiUrl" in the settings.';
  return 'Check "apiUrl" in the settings. If it is right, update the guard.';
}

/** The error, followed by its causes. */
function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < MAX_CAUSES; cause = cause.cause) causes.push(cause);
  return causes;
}

const MAX_CAUSES = 10;

function textOf(error: unknown): string {
  return causesOf(error)
    .map(({ name, message }) => `${name}: ${message}`)
    .join('\n');
}
