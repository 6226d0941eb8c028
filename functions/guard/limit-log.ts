import type { Log } from './ports.ts';

/** How many lines with the same message are logged. */
const MAX_LINES = 100;

/**
 * Limits a log to a hundred lines per message. `end` logs how many lines were left out. Otherwise 20,000 integrations with one error
 * would log a gigabyte a day.
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
          log.warn('more lines with this message were left out', { line: message, leftOut: count - MAX_LINES });
      }
      lines.clear();
    },
  };
}
