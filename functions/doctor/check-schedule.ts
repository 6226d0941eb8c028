import { describeMinutes, describeMoment, latest, minutesBetween, plusMinutes } from '../guard/text/time.ts';
import { type Finding, ok, problem, unknown } from './finding.ts';
import type { StackSchedule } from './inspect-stack.ts';

/** Checks whether a schedule starts the passes, and whether the first one is due yet. */

export function checkSchedule(schedules: readonly StackSchedule[], check: string): Finding {
  const [first] = schedules;
  if (first === undefined)
    return problem(check, 'The stack has no schedule, so no pass is started.', 'Deploy the stack again.');
  return schedules.some(({ enabled }) => enabled)
    ? ok(check, `It is enabled: ${first.expression}.`)
    : problem(check, 'It is disabled, so no pass is started.', 'Enable it in EventBridge Scheduler.');
}

/** The delay until CloudWatch shows a metric. */
export const METRIC_DELAY_MINUTES = 5;

/** After this many intervals without a pass, something is wrong. */
export const MAX_INTERVALS = 3;

/** The longest usual time since the last pass that CloudWatch shows: the schedule may also start a pass late, within its time window. */
export function usualMinutes(intervalMinutes: number): number {
  return MAX_INTERVALS * intervalMinutes + Math.min(intervalMinutes / 5, MAX_WINDOW_MINUTES) + METRIC_DELAY_MINUTES;
}

/** The longest time window that a schedule gets. See infra/schedules.ts. */
const MAX_WINDOW_MINUTES = 60;

/**
 * The finding when no pass has run because the stack was deployed recently.
 * @param deployedAt the time of the deployment; null: unknown
 * @returns null when a pass was due since then
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

/** Whether the last deployment is so recent that no pass may have run since. */
export function isFresh(deployedAt: string | null, intervalMinutes: number, now: string): deployedAt is string {
  if (deployedAt === null) return false;
  return minutesBetween(deployedAt, now) <= usualMinutes(intervalMinutes);
}
