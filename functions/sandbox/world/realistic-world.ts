import type { IntegrationRecord, TargetPlatform } from '../../guard/model/integration.ts';
import { Stream, streamKey } from './chance.ts';
import { type Counts, Delivery } from './delivery.ts';
import { OWN_ENDPOINT, type Trouble, troublesOf } from './troubles.ts';

/**
 * One Qonversion project in a realistic world, minute by minute, and the truth about it. The same seed gives the same
 * traffic and the same troubles under every policy.
 */

export interface WorldOptions {
  readonly seed: number;
  readonly integrations: number;
  readonly days: number;
}

/** The providers of projects. A provider that is listed twice is twice as frequent. */
const PROVIDERS = [
  'Amplitude',
  'Amplitude',
  'Amplitude',
  'AppsFlyer',
  'AppsFlyer',
  'AppsFlyer',
  'Firebase',
  'Firebase',
  'Mixpanel',
  'Mixpanel',
  'Adjust',
  'Facebook Ads',
  'Facebook Ads',
  'Braze',
  OWN_ENDPOINT,
  OWN_ENDPOINT,
  OWN_ENDPOINT,
] as const;

const PLATFORMS: readonly TargetPlatform[] = ['iOS', 'iOS', 'Android', 'Stripe'];

/** A Monday. */
const START = Date.parse('2026-01-05T00:00:00Z');

export class RealisticWorld {
  readonly options: WorldOptions;
  /** The API does not document its counter, so half of the worlds have each kind. */
  readonly counts: Counts;
  readonly deliveries: ReadonlyMap<string, Delivery>;
  /** All troubles by integration, in the order of their beginning. */
  readonly troubles: ReadonlyMap<string, readonly Trouble[]>;
  /** Minutes since the beginning. */
  minute = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    const { seed, integrations, days } = options;
    const victims = Array.from({ length: integrations }, (_, index) => {
      const stream = new Stream(streamKey(seed, index, 'kind'));
      return { id: `i${index}`, provider: stream.pick(PROVIDERS), platform: stream.pick(PLATFORMS) };
    });
    this.troubles = troublesOf(seed, victims, days * 24 * 60);
    this.counts = seed % 2 === 0 ? 'attempts' : 'events';
    const stamp = createStamps();
    this.deliveries = new Map(
      victims.map((victim) => {
        const troubles = this.troubles.get(victim.id) ?? [];
        return [victim.id, new Delivery({ ...victim, seed, troubles, counts: this.counts, stamp })];
      }),
    );
  }

  now(): Date {
    return new Date(START + this.minute * 60_000);
  }

  list(): readonly IntegrationRecord[] {
    return [...this.deliveries.values()].map(({ record }) => record);
  }

  get(id: string): Delivery {
    const delivery = this.deliveries.get(id);
    if (delivery === undefined) throw new Error(`there is no integration "${id}" in this world`);
    return delivery;
  }

  /** Lets time pass until that minute. */
  advanceTo(minute: number): void {
    // Integration by integration, which is faster than minute by minute: each has a rhythm and a queue to look into.
    for (const delivery of this.deliveries.values()) {
      for (let at = this.minute; at < minute; at += 1) delivery.flow(at);
    }
    this.minute = minute;
  }

  /**
   * The first minute from `minute` on in which most deliveries arrive again, if no person acts; infinite: it does
   * not heal.
   */
  healsAt(id: string, minute: number): number {
    const delivery = this.get(id);
    if (delivery.failingShare(minute) < 0.5) return minute;
    for (let at = minute; ; ) {
      const on = delivery.troublesAt(at);
      const until = Math.min(...on.map(({ to }) => to));
      if (!Number.isFinite(until)) return Number.POSITIVE_INFINITY;
      at = Math.max(at + 1, Math.ceil(until));
      if (delivery.failingShare(at) < 0.5) return at;
    }
  }
}

/** The API's times are whole seconds. Many records show the same minutes, so each is written once. */
function createStamps(): (minute: number) => string {
  const stamps = new Map<number, string>();
  return (minute) => {
    const known = stamps.get(minute);
    if (known !== undefined) return known;
    const stamp = `${new Date(START + minute * 60_000).toISOString().slice(0, 19)}Z`;
    stamps.set(minute, stamp);
    return stamp;
  };
}
