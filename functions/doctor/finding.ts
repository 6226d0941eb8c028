import { describeError } from '../guard/errors.ts';
import { safeText } from '../guard/text/sanitize.ts';

/** What the doctor says of one thing it has checked. */

/** The result of one check. */
export interface Finding {
  /** What was checked, in a word or two. */
  readonly check: string;
  /** `unknown`: it could not be checked. */
  readonly level: 'ok' | 'warning' | 'problem' | 'unknown';
  readonly says: string;
  /** What to do about it; null when there is nothing to do. */
  readonly todo: string | null;
}

/** All is well: there is nothing to do. */
export function ok(check: string, says: string): Finding {
  return { check, level: 'ok', says, todo: null };
}

/** It works, and somebody should know of it. */
export function warning(check: string, says: string, todo: string): Finding {
  return { check, level: 'warning', says, todo };
}

/** It does not work. */
export function problem(check: string, says: string, todo: string): Finding {
  return { check, level: 'problem', says, todo };
}

/** Runs one check. If a permission is missing or AWS does not answer, the finding is `unknown` and the other checks go on. */
export async function checkSafely(check: string, look: () => Promise<Finding>): Promise<Finding> {
  const [finding = unknown(check, new Error('nothing found'))] = await checkManySafely(check, async () => [
    await look(),
  ]);
  return finding;
}

/** The same for a check with several findings. */
export async function checkManySafely(
  check: string,
  look: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [unknown(check, error)];
  }
}

function unknown(check: string, error: unknown): Finding {
  const says = safeText(describeError(error), 300);
  const denied = /AccessDenied|NotAuthorized|not authorized/i.test(says);
  return {
    check,
    level: 'unknown',
    says,
    todo: denied
      ? 'ask for the right it names, or let somebody look who has it'
      : 'try again; check AWS_PROFILE and AWS_REGION',
  };
}
