import type { WriteStream } from 'node:tty';
import spinner from 'yocto-spinner';

/** Shorter work needs no progress line. */
const PATIENCE_MS = 1_000;

/**
 * Shows a line with a spinner once the work has taken a second, on a terminal only.
 * @returns a function that removes the line
 */
export function showProgress(stream: WriteStream, text: string): () => void {
  if (!stream.isTTY) return () => undefined;
  const line = spinner({ text, stream });
  const timer = setTimeout(() => line.start(), PATIENCE_MS);
  return () => {
    clearTimeout(timer);
    if (line.isSpinning) line.stop();
  };
}
