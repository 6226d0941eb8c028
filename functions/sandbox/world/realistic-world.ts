import type { IntegrationRecord, TargetPlatform } from '../../guard/model/integration.ts';
import { Stream, streamKey } from './chance.ts';
import { Delivery } from './delivery.ts';
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

/** What projects forward their events to, as often as the name stands here. */
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
  readonly deliveries: ReadonlyMap<string, Delivery>;
  /** Everything that goes wrong, by integration, in the order of beginning. */
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
    // The API does not say what its counter counts, so half of the worlds are of either kind.
    const counts = seed % 2 === 0 ? 'attempts' : 'events';
    this.deliveries = new Map(
      victims.map((victim) => {
        const troubles = this.troubles.get(victim.id) ?? [];
        return [victim.id, new Delivery({ ...victim, seed, troubles, counts, stamp })];
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

  /** Lets one minute pass. */
  advance(): void {
    for (const delivery of this.deliveries.values()) delivery.flow(this.minute);
    this.minute += 1;
  }

  /**
   * The first minute from `minute` on in which most deliveries arrive again, if no person does anything; infinite for what
   * does not heal.
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

/** The API's times have no fraction of a second. */
function stamp(minute: number): string {
  return `${new Date(START + minute * 60_000).toISOString().slice(0, 19)}Z`;
}
