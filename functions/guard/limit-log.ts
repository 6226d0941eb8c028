import type { Log } from './ports.ts';

/** Lines of one message that are worth reading. */
const MAX_LINES = 100;

/**
 * A log that says the same at most a hundred times, and in the end how often it was silent: 20,000 integrations that fail alike
 * must not cost a gigabyte a day.
 */
export function limitLog(log: Log): { readonly log: Log; readonly end: () => void } {
  const lines = new Map<string, number>();
  const limited =
    (write: Log['info']): Log['info'] =>
    (message, fields) => {
      const count = (lines.get(message) ?? 0) + 1;
      lines.set(message, count);
      if (count <= MAX_LINES) write(message, fields);
    };
  return {
    log: {
      info: limited((message, fields) => log.info(message, fields)),
      warn: limited((message, fields) => log.warn(message, fields)),
      error: limited((message, fields) => log.error(message, fields)),
    },
    end: () => {
      for (const [message, count] of lines) {
        if (count > MAX_LINES)
          log.warn('more lines like it were left out', { line: message, leftOut: count - MAX_LINES });
      }
      lines.clear();
    },
  };
}
