import { type Finding, ok, problem } from './finding.ts';
import type { StackSchedule } from './inspect-stack.ts';

/** Whether anything starts the passes. */
export function checkSchedule(schedules: readonly StackSchedule[], check: string): Finding {
  const [first] = schedules;
  if (first === undefined) return problem(check, 'nothing starts its passes', 'deploy the stack again');
  return schedules.some(({ enabled }) => enabled)
    ? ok(check, `enabled, ${first.expression}`)
    : problem(check, 'disabled: no pass is started', 'enable it in EventBridge Scheduler');
}
