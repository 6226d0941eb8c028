import type { EventType, GuardEvent } from '../guard/model.ts';
import { minutesBetween, plusMinutes } from '../guard/time.ts';

/** An integration's week, told from what the ledger keeps of it. */

/** How it went: delivering, failing and still on, on trial, stopped by the guard, by Qonversion, by an operator. */
export type Phase = 'delivering' | 'failing' | 'trial' | 'paused' | 'suspended' | 'operator';

export interface Segment {
  readonly phase: Phase;
  readonly from: string;
  readonly to: string;
  /** Parts of the whole, 0 to 1. */
  readonly start: number;
  readonly width: number;
}

export const TIMELINE_DAYS = 7;

/** What an event begins, and what went before it when nothing else is known of that. */
const CHANGES: { readonly [type in EventType]?: { readonly to: Phase; readonly from: Phase } } = {
  'integration.failing': { to: 'failing', from: 'delivering' },
  'integration.would-pause': { to: 'failing', from: 'delivering' },
  'integration.unstable': { to: 'failing', from: 'delivering' },
  'integration.pause-failed': { to: 'failing', from: 'failing' },
  'integration.paused': { to: 'paused', from: 'failing' },
  'integration.suspended': { to: 'suspended', from: 'failing' },
  'integration.probing': { to: 'trial', from: 'paused' },
  'integration.recovered': { to: 'delivering', from: 'failing' },
  'integration.reactivated': { to: 'delivering', from: 'paused' },
  'integration.recovery-abandoned': { to: 'paused', from: 'paused' },
  'integration.operator-paused': { to: 'operator', from: 'delivering' },
};

/**
 * The week up to now as phases without a gap.
 * @param events of one integration, oldest first
 * @param present how it is now
 */
export function timelineOf(events: readonly GuardEvent[], present: Phase, now: string): readonly Segment[] {
  const begin = plusMinutes(now, -TIMELINE_DAYS * 24 * 60);
  const turns: { readonly at: string; readonly phase: Phase }[] = [];
  let before: Phase | null = null;
  for (const { type, time } of events) {
    const change = CHANGES[type];
    if (change === undefined || time < begin || time > now) continue;
    before ??= change.from;
    // What a worker suspended stays its verdict when the guard gives up on it.
    const gaveUp = type === 'integration.recovery-abandoned' && turns.at(-1)?.phase === 'suspended';
    turns.push({ at: time, phase: gaveUp ? 'suspended' : change.to });
  }
  const first = { at: begin, phase: before ?? present };
  const segments: Segment[] = [];
  const all = [first, ...turns];
  all.forEach(({ at, phase }, index) => {
    const to = all[index + 1]?.at ?? now;
    const last = segments.at(-1);
    if (last?.phase === phase) segments[segments.length - 1] = segment(phase, last.from, to, begin);
    else if (at !== to) segments.push(segment(phase, at, to, begin));
  });
  // What no event told (yet) shows as of now.
  const last = segments.at(-1);
  if (last !== undefined && last.phase !== present) {
    const since = plusMinutes(now, -SHORTEST_MINUTES);
    segments[segments.length - 1] = segment(last.phase, last.from, last.from > since ? last.from : since, begin);
    segments.push(segment(present, last.from > since ? last.from : since, now, begin));
  }
  return segments.filter(({ from, to }) => from < to);
}

/** Wide enough to be seen. */
const SHORTEST_MINUTES = 60;

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
