import { createInterface } from 'node:readline/promises';
import { GuardError } from '../guard/errors.ts';
import { wrap } from './wrap.ts';

/** Questions to a person at a terminal. */
export interface Prompt {
  /**
   * @returns the answer, without blanks around it
   * @throws AbortedError after Ctrl-C or Ctrl-D
   */
  readonly ask: (question: string) => Promise<string>;
  /** Prints a message about the last answer. */
  readonly say: (text: string) => void;
  readonly close: () => void;
}

/** The person ended the command instead of answering. */
export class AbortedError extends GuardError {
  override readonly name = 'AbortedError';

  constructor() {
    super('stopped; nothing was written');
  }
}

type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };
type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** Null when there is no one to answer. Questions go to standard error, so that `--json` prints only one document. */
export function openPrompt(input: Input, output: Output): Prompt | null {
  if (input.isTTY !== true || output.isTTY !== true) return null;
  // No history: an answer may be a key that was pasted by mistake, and must not be recalled.
  const lines = createInterface({ input, output, terminal: true, historySize: 0 });
  // If the input ends during a question, its promise never settles, and Node would exit with a warning.
  const ended = new AbortController();
  lines.on('SIGINT', () => lines.close());
  lines.on('close', () => ended.abort());
  return {
    ask: async (question) => {
      try {
        return (await lines.question(`${question} `, { signal: ended.signal })).trim();
      } catch (error) {
        if (!ended.signal.aborted) throw error;
        // Otherwise the next line would begin after the question.
        output.write('\n');
        throw new AbortedError();
      }
    },
    say: (text) => {
      output.write(`${wrap(text, output.columns ?? 80)}\n`);
    },
    close: () => lines.close(),
  };
}
