import type { GuardEvent } from '../guard/model/event.ts';
import { describeType, type Phase } from '../guard/model/event-catalogue.ts';
import { minutesBetween, plusMinutes } from '../guard/text/time.ts';

/** An integration's week, from its history in the ledger. */

export interface Segment {
  readonly phase: Phase;
  readonly from: string;
  readonly to: string;
  /** Parts of the whole, 0 to 1. */
  readonly start: number;
  readonly width: number;
}

export const TIMELINE_DAYS = 7;

/** How an integration is now, and since when, if its record says. */
export interface Present {
  readonly phase: Phase;
  readonly since: string | null;
}

/**
 * The week up to now as phases without a gap.
 * @param events of one integration, oldest first
 */
export function timelineOf(events: readonly GuardEvent[], present: Present, now: string): readonly Segment[] {
  const begin = plusMinutes(now, -TIMELINE_DAYS * 24 * 60);
  const turns: Turn[] = [];
  for (const { type, time, figures } of events) {
    const { phases } = describeType(type);
    if (phases === null || time < begin || time > now) continue;
    if (turns.length === 0) turns.push({ at: begin, phase: phases.before });
    const last = turns.at(-1);
    // The failures began before the alert.
    const since = figures === null ? time : toUtc(figures.failingSince);
    if (last?.phase === 'delivering' && since < time) {
      turns.push({ at: since < last.at ? last.at : since, phase: 'failing' });
    }
    // A suspension remains one when the guard stops probing.
    const gaveUp = type === 'integration.recovery-abandoned' && last?.phase === 'suspended';
    turns.push({ at: time, phase: gaveUp ? 'suspended' : phases.after });
  }
  const current = present.since === null ? present : { ...present, since: toUtc(present.since) };
  return toSegments([...turns, ...unreported(turns.at(-1), current, begin, now)], begin, now);
}

/** The API may write times with another offset; here they are compared as text. */
function toUtc(moment: string): string {
  return new Date(moment).toISOString();
}

interface Turn {
  readonly at: string;
  readonly phase: Phase;
}

/** The present phase, if no event has reported it yet. */
function unreported(last: Turn | undefined, { phase, since }: Present, begin: string, now: string): readonly Turn[] {
  if (last?.phase === phase) return [];
  if (last === undefined) {
    const within = since !== null && since > begin && since < now;
    return within
      ? [
          { at: begin, phase: 'delivering' },
          { at: since, phase },
        ]
      : [{ at: begin, phase }];
  }
  const from = since ?? now;
  return [{ at: from > last.at ? from : last.at, phase }];
}

/** A shorter first phase of the week gets no bar. */
const SHORTEST_MINUTES = 30;

function toSegments(turns: readonly Turn[], begin: string, now: string): readonly Segment[] {
  const segments: Segment[] = [];
  turns.forEach(({ at, phase }, index) => {
    const to = turns[index + 1]?.at ?? now;
    const last = segments.at(-1);
    const first = segments.length === 0;
    if (last?.phase === phase) segments[segments.length - 1] = segment(phase, last.from, to, begin);
    else if (at < to && !(first && to !== now && minutesBetween(at, to) < SHORTEST_MINUTES))
      segments.push(segment(phase, first ? begin : at, to, begin));
  });
  return segments;
}

function segment(phase: Phase, from: string, to: string, begin: string): Segment {
  const whole = TIMELINE_DAYS * 24 * 60;
  return {
    phase,
    from,
    to,
    start: minutesBetween(begin, from) / whole,
    width: minutesBetween(from, to) / whole,
  };
}
