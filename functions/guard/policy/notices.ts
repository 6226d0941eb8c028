import type { Notice, Notices, StretchTopic } from '../model/entry.ts';
import { HOUR_MS } from '../text/time.ts';

/** "Announced once, reminded of later", for everything people hear of more than once. */

/**
 * Whether people are to hear of it now.
 * @param remindEveryHours hours between reminders; 0: once per episode
 */
export function isDue(notice: Notice | undefined, now: string, remindEveryHours: number): boolean {
  if (notice === undefined) return true;
  // A notice from far ahead is from a clock that was wrong.
  const apart = Math.abs(Date.parse(now) - Date.parse(notice.lastAt));
  return remindEveryHours > 0 && apart >= remindEveryHours * HOUR_MS;
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
