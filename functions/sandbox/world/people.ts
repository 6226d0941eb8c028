import type { GuardEvent } from '../../guard/model/event.ts';
import type { EventType } from '../../guard/model/event-catalogue.ts';
import { Stream, streamKey } from './chance.ts';
import type { RealisticWorld } from './realistic-world.ts';
import { DAY_MINUTES } from './traffic.ts';

/** The people who get the alerts: quick by day, and rarely there at night. They repair what is broken and resume what works. */

const MORNING = 8 * 60;
const EVENING = 20 * 60;

/** Minutes, median, until a person at work has read an alert and acted. */
const RESPONSE_MINUTES = 45;
/** The part of alerts at night and on weekends that wake a person. */
const WAKES = 0.1;
/** When a stopped integration still fails: minutes until the next look. */
const LOOK_AGAIN_MINUTES = 120;

/** Alerts that a person answers by looking at the integration. */
const ANSWERED: ReadonlySet<EventType> = new Set<EventType>([
  'integration.failing',
  'integration.would-pause',
  'integration.paused',
  'integration.suspended',
  'integration.flapping',
  'integration.recovery-abandoned',
  'integration.still-down',
]);

export class People {
  readonly #world: RealisticWorld;
  readonly #stream: Stream;
  /** When a person looks at an integration, in minutes of the world. */
  readonly #agenda = new Map<string, number>();

  constructor(world: RealisticWorld) {
    this.#world = world;
    this.#stream = new Stream(streamKey(world.options.seed, 'people'));
  }

  read(events: readonly GuardEvent[]): void {
    for (const { type, record } of events) {
      if (record === null || !ANSWERED.has(type) || this.#agenda.has(record.id)) continue;
      this.#agenda.set(record.id, this.#world.minute + this.#responseMinutes());
    }
  }

  act(): void {
    const { minute } = this.#world;
    for (const [id, at] of this.#agenda) {
      if (at > minute) continue;
      this.#agenda.delete(id);
      const delivery = this.#world.get(id);
      delivery.repair(minute);
      if (delivery.record.active === 1) continue;
      if (delivery.failingShare(minute) < 0.5) delivery.setActive(1, 'operator', minute);
      else this.#agenda.set(id, minute + Math.max(LOOK_AGAIN_MINUTES, this.#responseMinutes()));
    }
  }

  #responseMinutes(): number {
    const ofWeek = this.#world.minute % (7 * DAY_MINUTES);
    const ofDay = ofWeek % DAY_MINUTES;
    const atWork = ofWeek < 5 * DAY_MINUTES && ofDay >= MORNING && ofDay < EVENING;
    const response = this.#stream.logNormal(RESPONSE_MINUTES, 0.8);
    if (atWork || this.#stream.with(WAKES)) return response;
    const isWeekend = ofWeek >= 5 * DAY_MINUTES || (ofWeek >= 4 * DAY_MINUTES && ofDay >= EVENING);
    const morning = isWeekend
      ? 7 * DAY_MINUTES + MORNING
      : ofWeek - ofDay + MORNING + (ofDay >= EVENING ? DAY_MINUTES : 0);
    return morning - ofWeek + response;
  }
}
