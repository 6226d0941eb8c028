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
  /** Says something about the last answer. */
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

/** Null when nobody could answer. Questions go to standard error, so that `--json` prints one document and nothing else. */
export function openPrompt(input: Input, output: Output): Prompt | null {
  if (input.isTTY !== true || output.isTTY !== true) return null;
  // Without a history no answer can be called up again: one of them may be a key that was pasted by mistake.
  const lines = createInterface({ input, output, terminal: true, historySize: 0 });
  // A question that is open when the input ends is never settled, and Node would end with a warning about that.
  const ended = new AbortController();
  lines.on('SIGINT', () => lines.close());
  lines.on('close', () => ended.abort());
  return {
    ask: async (question) => {
      try {
        return (await lines.question(`${question} `, { signal: ended.signal })).trim();
      } catch (error) {
        if (!ended.signal.aborted) throw error;
        // The next line of the terminal would begin behind the question.
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
