import { describeError } from '../guard/errors.ts';
import { failureOf, report } from './failure.ts';

/** Standard output and standard error of the process, which may be closed, full, or read by nobody any more. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether what is written no longer arrives. Work that was begun is carried to its end all the same. */
  readonly gone: () => boolean;
  /** The process's exit code, when the command ended with this one. */
  readonly codeOf: (code: number) => number;
  /** The last word of a process in which something has gone wrong that nobody foresaw. */
  readonly crash: (error: unknown, json: boolean) => number;
}

/**
 * 128 and the number of SIGPIPE, as a shell reports a command whose reader went away: `integration-guard list | head -1` ends like
 * `cat file | head -1` does. Node ignores the signal itself, and would print a stack trace about EPIPE.
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
      // A file is written at once, and a disk that is full shows here.
      onFault(error as NodeJS.ErrnoException);
    }
  };
  // Where errors cannot be said there is nobody to say it to.
  const err = (text: string) => attempt(stderr, text, () => undefined);
  const codeOf = (code: number) => {
    if (fault === null) return code;
    return fault.code === 'EPIPE' ? BROKEN_PIPE : Math.max(code, 1);
  };
  const onFault = (error: NodeJS.ErrnoException) => {
    if (fault !== null) return;
    fault = error;
    if (error.code !== 'EPIPE') err(`integration-guard: the output could not be written (${describeError(error)})\n`);
    // It may come to light after the command has ended.
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
