import { chanceAt, Stream, streamKey } from './chance.ts';

/** How many subscription events an integration has to forward, minute by minute. */

export const DAY_MINUTES = 24 * 60;

/** From an app that sells once a week to one of the largest: 50,000 events an hour. */
const LEAST_A_DAY = 0.2;
const MOST_A_DAY = 50_000 * 24;

/**
 * The median lies halfway between the two in orders of magnitude. The spread gives 2 % of the integrations less than one
 * event a day and 10 % less than ten, but 70 % more than a hundred: a team that pays for forwarding has events to forward.
 */
const MEDIAN_A_DAY = 500;
const SIGMA = 3;

/** On Saturdays and Sundays half of the apps, those for work, sell this much of what they sell on other days. */
const WEEKEND = 0.7;

/**
 * On one day in twelve no events come for a while, and then all come at once: an app's server was down, or a store's
 * notifications were late. Operators of event pipelines report such delays of minutes to many hours. A typical one lasts an hour
 * and a half, and the queue is sent within ten minutes.
 */
const LULL_ONE_DAY_IN = 12;
const LULL_MINUTES = { median: 90, sigma: 0.9 } as const;
const RELEASE_MINUTES = 10;

/** A time without events, in minutes of the day. From `to` on the queue is sent. */
interface Lull {
  readonly from: number;
  readonly to: number;
  /** The events that were held back, in events of a working day, by minute of the release. */
  readonly released: number;
}

export class Traffic {
  readonly eventsPerDay: number;
  readonly #key: number;
  /** Events expected in each minute of a working day. */
  readonly #day = new Float64Array(DAY_MINUTES);
  readonly #weekend: number;
  readonly #lullKey: number;
  /** The lull of the last requested day. Callers request minutes in order. */
  #lullOf: { readonly day: number; readonly lull: Lull | null } = { day: -1, lull: null };

  constructor(seed: number, id: string) {
    const stream = new Stream(streamKey(seed, id, 'traffic'));
    this.#key = streamKey(seed, id, 'events');
    this.#lullKey = streamKey(seed, id, 'lulls');
    this.eventsPerDay = Math.min(MOST_A_DAY, Math.max(LEAST_A_DAY, stream.logNormal(MEDIAN_A_DAY, SIGMA)));
    this.#weekend = stream.with(0.5) ? WEEKEND : 1;
    const peak = stream.between(0, DAY_MINUTES);
    const swing = stream.between(0.3, 0.9);
    // One sender in eight collects its events and sends them at once: every hour, every six hours, or at night.
    const batch = stream.oneIn(8) ? stream.pick([60, 360, DAY_MINUTES]) : null;
    // Every fifth app sells in one country, where nothing happens for some hours of the night.
    const nightHours = batch === null && stream.oneIn(5) ? stream.between(4, 8) : 0;
    const offset = Math.floor(stream.between(0, batch ?? 1));
    let sum = 0;
    for (let minute = 0; minute < DAY_MINUTES; minute += 1) {
      const fromPeak = Math.abs(((minute - peak + 1.5 * DAY_MINUTES) % DAY_MINUTES) - DAY_MINUTES / 2);
      const wave = 1 + swing * Math.cos((2 * Math.PI * fromPeak) / DAY_MINUTES);
      const asleep = DAY_MINUTES / 2 - fromPeak < nightHours * 30;
      this.#day[minute] = batch === null ? (asleep ? 0 : wave) : minute % batch === offset ? wave : 0;
      sum += this.#day[minute] ?? 0;
    }
    const scale = this.eventsPerDay / sum;
    for (let minute = 0; minute < DAY_MINUTES; minute += 1) this.#day[minute] = (this.#day[minute] ?? 0) * scale;
  }

  /** Events that are due in the minute, counted from a Monday at 00:00. */
  events(minute: number): number {
    const expected = this.#expected(minute);
    if (expected === 0) return 0;
    // Most minutes of most integrations are empty, and one draw shows it; two events in one of them would be one in a thousand.
    if (expected < 0.05) return chanceAt(this.#key, minute * 64) < expected ? 1 : 0;
    return new Stream(this.#key, minute * 64).poisson(expected);
  }

  /** How busy the minute is against the average minute of a working day. */
  load(minute: number): number {
    return (this.#expected(minute) * DAY_MINUTES) / this.eventsPerDay;
  }

  #expected(minute: number): number {
    const weekend = minute % (7 * DAY_MINUTES) >= 5 * DAY_MINUTES ? this.#weekend : 1;
    const ofDay = minute % DAY_MINUTES;
    const usual = this.#day[ofDay] ?? 0;
    const lull = this.#lullAt((minute - ofDay) / DAY_MINUTES);
    if (lull === null || ofDay < lull.from || ofDay >= lull.to + RELEASE_MINUTES) return usual * weekend;
    return ofDay < lull.to ? 0 : (usual + lull.released) * weekend;
  }

  #lullAt(day: number): Lull | null {
    if (this.#lullOf.day !== day) this.#lullOf = { day, lull: this.#drawLull(day) };
    return this.#lullOf.lull;
  }

  #drawLull(day: number): Lull | null {
    const stream = new Stream(this.#lullKey, day * 64);
    if (!stream.oneIn(LULL_ONE_DAY_IN)) return null;
    const from = Math.floor(stream.between(0, DAY_MINUTES));
    const minutes = Math.ceil(stream.logNormal(LULL_MINUTES.median, LULL_MINUTES.sigma));
    // Events that a day holds back come on the same day.
    const to = Math.min(from + minutes, DAY_MINUTES - RELEASE_MINUTES);
    if (to <= from) return null;
    const held = this.#day.subarray(from, to).reduce((sum, expected) => sum + expected, 0);
    return { from, to, released: held / RELEASE_MINUTES };
  }
}
