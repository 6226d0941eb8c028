import type { Notice, Notices, StretchTopic } from '../model/entry.ts';
import { HOUR_MS } from '../text/time.ts';

/** When people are alerted: once at first, then as a reminder in each daily summary. */

/** An alert that is younger than this is not repeated in the daily summary, but in the next one. */
const REST_MS = 6 * HOUR_MS;

/**
 * Whether an alert or a reminder is due: the first at once, then one in each daily summary. All reminders are due at the same
 * time of day, so one mail has them all.
 * @param remindAt a time of day in UTC such as "08:00"; "never": no reminders
 * @param since when the condition began; one that began after today's summary waits for the next
 */
export function isDue(notice: Notice | undefined, now: string, remindAt: string, since: string | null = null): boolean {
  if (notice === undefined) return true;
  if (remindAt === 'never') return false;
  const lastMs = Date.parse(notice.lastAt);
  // A notice far in the future comes from a wrong clock.
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

/** The notice after one more alert. Its `times - 1` is the ordinal of the event. */
export function noticed(notice: Notice | undefined, since: string, now: string, errors = 0): Notice {
  return { since: notice?.since ?? since, lastAt: now, times: (notice?.times ?? 0) + 1, errors };
}

const STRETCH_TOPICS: readonly StretchTopic[] = ['failing', 'would-pause', 'pause-failed', 'activation-failed'];

/** The latest notice about the current stretch of failures; null: none. */
export function stretchNotice(notices: Notices): Notice | null {
  const given = STRETCH_TOPICS.flatMap((topic) => notices[topic] ?? []);
  return given.length === 0 ? null : given.reduce((last, next) => (next.lastAt > last.lastAt ? next : last));
}

/** The notices without those about a stretch of failures. */
export function withoutStretch(notices: Notices): Notices {
  const { failing: _1, 'would-pause': _2, 'pause-failed': _3, 'activation-failed': _4, ...rest } = notices;
  return rest;
}
