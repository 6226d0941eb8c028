import { describeError } from '../guard/errors.ts';
import { safeText } from '../guard/text/sanitize.ts';
import { adviceOnAws } from './advice.ts';
import { toSentence } from './to-sentence.ts';

/** The result of one check. */
export interface Finding {
  /** What was checked, in a word or two. */
  readonly check: string;
  /** `unknown`: it could not be checked, or not yet. */
  readonly level: 'ok' | 'warning' | 'problem' | 'unknown';
  /** What was found. */
  readonly message: string;
  /** What to do about it; null when there is nothing to do. */
  readonly action: string | null;
}

/** It is as it should be. */
export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, action: null };
}

/** It works, and a person should know of it. */
export function warning(check: string, message: string, action: string): Finding {
  return { check, level: 'warning', message, action };
}

/** It does not work. */
export function problem(check: string, message: string, action: string): Finding {
  return { check, level: 'problem', message, action };
}

/** It could not be checked, or not yet. */
export function unknown(check: string, message: string, action: string): Finding {
  return { check, level: 'unknown', message, action };
}

/** Runs a check that asks AWS. If a permission is missing or AWS does not answer, the finding is `unknown` and the other checks go on. */
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
