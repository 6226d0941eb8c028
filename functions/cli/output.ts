import { describeError } from '../guard/errors.ts';
import { failureOf, report } from './failure.ts';

/** The process's standard output and standard error. They may be closed or full, or their reader may be gone. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether output can no longer be written. The command still finishes its work. */
  readonly gone: () => boolean;
  /** The process's exit code, given the command's exit code. */
  readonly codeOf: (code: number) => number;
  /** Reports an unexpected error. @returns the exit code */
  readonly crash: (error: unknown, json: boolean) => number;
}

/**
 * 128 plus the number of SIGPIPE, a shell's exit code for a command whose reader is gone: `integration-guard list | head -1` ends
 * like `cat file | head -1`. Node ignores the signal and would print a stack trace about EPIPE.
 */
const BROKEN_PIPE = 141;

type Stream = Pick<NodeJS.WriteStream, 'write' | 'on'>;

export function openOutput(stdout: Stream, stderr: Stream): Output {
  let fault: NodeJS.ErrnoException | null = null;
  let hasWritten = false;

  const attempt = (stream: Stream, text: string, onFault: (error: NodeJS.ErrnoException) => void) => {
    try {
      stream.write(text);
    } catch (error) {
      // Writes to a file are synchronous, so a full disk throws here.
      onFault(error as NodeJS.ErrnoException);
    }
  };
  // If standard error fails, there is no other place to report it.
  const err = (text: string) => attempt(stderr, text, () => undefined);
  const codeOf = (code: number) => {
    if (fault === null) return code;
    return fault.code === 'EPIPE' ? BROKEN_PIPE : Math.max(code, 1);
  };
  const onFault = (error: NodeJS.ErrnoException) => {
    if (fault !== null) return;
    fault = error;
    if (error.code !== 'EPIPE') err(`integration-guard: the output could not be written (${describeError(error)})\n`);
    // The fault may occur after the command has ended.
    if (process.exitCode !== undefined) process.exitCode = codeOf(Number(process.exitCode));
  };
  stdout.on('error', onFault);
  stderr.on('error', () => undefined);

  const out = (text: string) => {
    if (fault !== null) return;
    hasWritten = true;
    attempt(stdout, text, onFault);
  };
  return {
    out,
    err,
    gone: () => fault !== null,
    codeOf,
    crash: (error, json) => {
      const failure = failureOf(error);
      report(failure, json && !hasWritten, { out, err });
      return codeOf(failure.exitCode);
    },
  };
}
