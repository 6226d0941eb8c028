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
/** The share of alerts at night and on weekends that wake a person. */
const WAKES = 0.05;
/** The share of early warnings that a person investigates: most are over before. A person always investigates a stopped integration. */
const WARNINGS_ANSWERED = 0.5;
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
  /** When a person looks at an integration, in minutes of the world. */
  readonly #agenda = new Map<string, number>();

  constructor(world: RealisticWorld) {
    this.#world = world;
  }

  read(events: readonly GuardEvent[]): void {
    for (const { type, record } of events) {
      if (record === null || !ANSWERED.has(type) || this.#agenda.has(record.id)) continue;
      if (type === 'integration.failing' && !this.#chance(record.id, 'answers').with(WARNINGS_ANSWERED)) continue;
      this.#agenda.set(record.id, this.#world.minute + this.#responseMinutes(record.id));
    }
  }

  /** The minute of the next action of a person; infinite: none is planned. */
  get nextAt(): number {
    return Math.ceil(Math.min(...this.#agenda.values()));
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
      else this.#agenda.set(id, minute + Math.max(LOOK_AGAIN_MINUTES, this.#responseMinutes(id)));
    }
  }

  /** The same for one integration on one day under every policy, so that chance does not favour a policy. */
  #chance(id: string, what: string): Stream {
    const { seed } = this.#world.options;
    return new Stream(streamKey(seed, 'people', what, id, Math.floor(this.#world.minute / DAY_MINUTES)));
  }

  #responseMinutes(id: string): number {
    const ofWeek = this.#world.minute % (7 * DAY_MINUTES);
    const ofDay = ofWeek % DAY_MINUTES;
    const atWork = ofWeek < 5 * DAY_MINUTES && ofDay >= MORNING && ofDay < EVENING;
    const response = this.#chance(id, 'response').logNormal(RESPONSE_MINUTES, 0.8);
    if (atWork || this.#chance(id, 'wakes').with(WAKES)) return response;
    const isWeekend = ofWeek >= 5 * DAY_MINUTES || (ofWeek >= 4 * DAY_MINUTES && ofDay >= EVENING);
    const morning = isWeekend
      ? 7 * DAY_MINUTES + MORNING
      : ofWeek - ofDay + MORNING + (ofDay >= EVENING ? DAY_MINUTES : 0);
    return morning - ofWeek + response;
  }
}
