import type { Notice, Notices, StretchTopic } from '../model/entry.ts';
import { HOUR_MS } from '../text/time.ts';

/** "Announced once, reminded of in the daily summary", for everything people hear of more than once. */

/** What was announced so shortly before the daily summary is left to the next one. */
const REST_MS = 6 * HOUR_MS;

/**
 * Whether people are to hear of it now: at once the first time, and then in the daily summary. All reminders are due at the same
 * time of day, so one mail has them all.
 * @param remindAt a time of day in UTC such as "08:00"; "never": once per episode
 * @param since since when it has been so without a break; what began after that time of day waits for the next
 */
export function isDue(notice: Notice | undefined, now: string, remindAt: string, since: string | null = null): boolean {
  if (notice === undefined) return true;
  if (remindAt === 'never') return false;
  const lastMs = Date.parse(notice.lastAt);
  // A notice from far ahead is from a clock that was wrong.
  const summaryMs = summaryBefore(now, remindAt);
  if (since !== null && Date.parse(since) > summaryMs) return false;
  return lastMs <= summaryMs - REST_MS || lastMs - Date.parse(now) >= DAY_MS;
}

const DAY_MS = 24 * HOUR_MS;

/** The last moment at which a summary was due, in epoch milliseconds. */
function summaryBefore(now: string, remindAt: string): number {
  const today = Date.parse(`${now.slice(0, 10)}T${remindAt}:00Z`);
  return today <= Date.parse(now) ? today : today - DAY_MS;
}

/** The notice once it has been announced (again). Its `times - 1` is the ordinal of the event. */
export function noticed(notice: Notice | undefined, since: string, now: string, errors = 0): Notice {
  return { since: notice?.since ?? since, lastAt: now, times: (notice?.times ?? 0) + 1, errors };
}

const STRETCH_TOPICS: readonly StretchTopic[] = ['failing', 'would-pause', 'pause-failed', 'activation-failed'];

/** What was announced about the current stretch of failures, as one notice: the episode and the last count; null: nothing. */
export function stretchNotice(notices: Notices): Notice | null {
  const given = STRETCH_TOPICS.flatMap((topic) => notices[topic] ?? []);
  return given.length === 0 ? null : given.reduce((last, next) => (next.lastAt > last.lastAt ? next : last));
}

/** The notices once the stretch of failures is over. */
export function withoutStretch(notices: Notices): Notices {
  const { failing: _1, 'would-pause': _2, 'pause-failed': _3, 'activation-failed': _4, ...rest } = notices;
  return rest;
}
