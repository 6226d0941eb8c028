import { describeError } from '../guard/errors.ts';
import { safeText } from '../guard/text/sanitize.ts';
import { adviceOnAws } from './advice.ts';
import { toSentence } from './to-sentence.ts';

/** The result of one check. */
export interface Finding {
  /** The name of the check. */
  readonly check: string;
  /** `unknown`: the check could not be made, or not yet. */
  readonly level: 'ok' | 'warning' | 'problem' | 'unknown';
  /** The result, as a sentence. */
  readonly message: string;
  /** The next step for the reader; null: none. */
  readonly action: string | null;
}

/** The check passed. */
export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, action: null };
}

/** It works, but a person should look at it. */
export function warning(check: string, message: string, action: string): Finding {
  return { check, level: 'warning', message, action };
}

/** It does not work. */
export function problem(check: string, message: string, action: string): Finding {
  return { check, level: 'problem', message, action };
}

/** The check could not be made, or not yet. */
export function unknown(check: string, message: string, action: string): Finding {
  return { check, level: 'unknown', message, action };
}

/** Runs a check that asks AWS. If a permission is missing or AWS does not answer, the finding is `unknown` and the other checks continue. */
export async function checkSafely(check: string, run: () => Promise<Finding>): Promise<Finding> {
  try {
    return await run();
  } catch (error) {
    return notChecked(check, error);
  }
}

/** The same for a check with several findings. */
export async function checkManySafely(
  check: string,
  run: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await run();
  } catch (error) {
    return [notChecked(check, error)];
  }
}

function notChecked(check: string, error: unknown): Finding {
  return unknown(check, toSentence(safeText(describeError(error), 300)), adviceOnAws(error));
}
