import type { IntegrationRecord } from '../guard/model/integration.ts';
import { isImplausible } from '../guard/pass/time-budget.ts';
import { latestMomentOf } from '../guard/policy/decide.ts';
import { describeMinutes, minutesBetween } from '../guard/text/time.ts';
import { type Finding, ok, problem, unknown, warning } from './finding.ts';

/** Compares the clock of this machine with others. */

/** Smaller differences between clocks are normal. */
const CLOCKS_APART_MS = 2 * 60_000;

const SET_CLOCK = 'Set the clock of this machine, best over the network (NTP), then run the doctor again.';

/** @param aheadMs how far Qonversion's clock is ahead; null: the answer has no time */
export function checkClock(
  check: string,
  aheadMs: number | null,
  records: readonly IntegrationRecord[],
  now: string,
): Finding {
  if (aheadMs !== null) return compare(check, aheadMs, "Qonversion's");
  const latest = latestMomentOf(records);
  const behind = latest === null ? 0 : minutesBetween(now, latest);
  if (behind * 60_000 >= CLOCKS_APART_MS)
    return problem(
      check,
      `The clock of this machine is at least ${describeMinutes(behind)} behind: Qonversion's records have later times.`,
      SET_CLOCK,
    );
  return unknown(
    check,
    "The clock of this machine was not compared: Qonversion's answer does not say its time.",
    'Compare it yourself: `date -u` shows it.',
  );
}

/** @param aheadMs how far AWS's clock is ahead; 0 when that is less than five minutes */
export function checkAwsClock(check: string, aheadMs: number): readonly Finding[] {
  return aheadMs === 0 ? [] : [compare(check, aheadMs, "AWS's")];
}

function compare(check: string, aheadMs: number, whose: string): Finding {
  if (Math.abs(aheadMs) < CLOCKS_APART_MS) return ok(check, `The clock of this machine agrees with ${whose}.`);
  const apart = describeMinutes(Math.round(Math.abs(aheadMs) / 60_000));
  const message = `The clock of this machine is ${apart} ${aheadMs > 0 ? 'behind' : 'ahead of'} ${whose}.`;
  return isImplausible(aheadMs)
    ? problem(check, `${message} A pass here would count minutes by the clock that makes less time pass.`, SET_CLOCK)
    : warning(check, `${message} The guard counts minutes by ${whose}.`, SET_CLOCK);
}
