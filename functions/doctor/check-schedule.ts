import { describeMinutes, describeMoment, latest, minutesBetween, plusMinutes } from '../guard/text/time.ts';
import { type Finding, ok, problem, unknown } from './finding.ts';
import type { StackSchedule } from './inspect-stack.ts';

/** Whether anything starts the passes, and whether they have had the time to begin. */

export function checkSchedule(schedules: readonly StackSchedule[], check: string): Finding {
  const [first] = schedules;
  if (first === undefined)
    return problem(check, 'There is no schedule, so no pass is started.', 'Deploy the stack again.');
  return schedules.some(({ enabled }) => enabled)
    ? ok(check, `It is enabled: ${first.expression}.`)
    : problem(check, 'It is disabled, so no pass is started.', 'Enable it in EventBridge Scheduler.');
}

/** Metrics take a few minutes to show. */
export const METRIC_DELAY_MINUTES = 5;

/** So many intervals without a pass are no coincidence. */
export const MAX_INTERVALS = 3;

/**
 * Finds nothing wrong with passes that are not there yet, because the stack was deployed lately.
 * @param deployedAt when that was; null: not known
 * @returns null when there was time enough
 */
export function notYetDue(
  check: string,
  deployedAt: string | null,
  intervalMinutes: number,
  now: string,
): Finding | null {
  if (!isFresh(deployedAt, intervalMinutes, now)) return null;
  const due = plusMinutes(deployedAt, intervalMinutes);
  const age = describeMinutes(minutesBetween(deployedAt, now));
  const later = describeMoment(plusMinutes(latest(due, now), METRIC_DELAY_MINUTES), now);
  return unknown(
    check,
    `The stack was deployed ${age} ago. The first pass since then is due at ${describeMoment(due, now)}.`,
    `Run the doctor again after ${later}.`,
  );
}

/** Whether there may be no pass yet since the last deployment. */
export function isFresh(deployedAt: string | null, intervalMinutes: number, now: string): deployedAt is string {
  if (deployedAt === null) return false;
  return minutesBetween(deployedAt, now) <= MAX_INTERVALS * intervalMinutes + METRIC_DELAY_MINUTES;
}
