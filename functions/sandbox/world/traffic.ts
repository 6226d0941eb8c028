import { chanceAt, Stream, streamKey } from './chance.ts';

/** How many subscription events an integration has to forward, minute by minute. */

export const DAY_MINUTES = 24 * 60;

/** From an app that sells once a week to one of the largest. */
const LEAST_A_DAY = 0.2;
const MOST_A_DAY = 50_000 * 24;

/** Half of the integrations have fewer events a day than this; the largest have thousands an hour. */
const MEDIAN_A_DAY = 150;
const SIGMA = 2.6;

const WEEKEND = 0.7;

export class Traffic {
  readonly eventsPerDay: number;
  readonly #key: number;
  /** Events expected in each minute of a working day. */
  readonly #day = new Float64Array(DAY_MINUTES);
  readonly #weekend: number;

  constructor(seed: number, id: string) {
    const stream = new Stream(streamKey(seed, id, 'traffic'));
    this.#key = streamKey(seed, id, 'events');
    this.eventsPerDay = Math.min(MOST_A_DAY, Math.max(LEAST_A_DAY, stream.logNormal(MEDIAN_A_DAY, SIGMA)));
    this.#weekend = stream.with(0.5) ? WEEKEND : 1;
    const peak = stream.between(0, DAY_MINUTES);
    const swing = stream.between(0.3, 0.9);
    // One sender in ten collects its events and sends them at once: every hour, every six hours, or at night.
    const batch = stream.oneIn(10) ? stream.pick([60, 360, DAY_MINUTES]) : null;
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
    return (this.#day[minute % DAY_MINUTES] ?? 0) * weekend;
  }
}
