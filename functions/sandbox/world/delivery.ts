import type { Active, IntegrationRecord, TargetPlatform } from '../../guard/model/integration.ts';
import { Stream, streamKey } from './chance.ts';
import { Traffic } from './traffic.ts';
import type { Trouble } from './troubles.ts';

/** Qonversion's delivery of one integration's events: attempts, retries, and the record that the API shows of them. */

/** Minutes between the attempts to deliver an event. After the last one it is lost. */
export const RETRY_AFTER = [1, 5, 15, 60, 240] as const;

const ATTEMPTS = RETRY_AFTER.length + 1;
/** Longer than the longest wait, and a power of two. */
const RING = 256;

/** The worker suspends an integration after this long without a delivery and this many failures. */
const SUSPEND_AFTER_MINUTES = 5 * 24 * 60;
const SUSPEND_AFTER_ERRORS = 1_000;

/** How many events of one integration were delivered, failed and withheld. */
export interface Tally {
  delivered: number;
  /** Every attempt failed. */
  failed: number;
  /** Not sent, because it was stopped by the guard. */
  withheld: number;
  /** The number of withheld events that would have failed anyway. */
  doomed: number;
  /** Not sent, because Qonversion or an operator had stopped it. */
  withheldByOthers: number;
}

/** Whether `delivery_error_count` counts every failed attempt or only the first of each event: the API does not say. */
export type Counts = 'attempts' | 'events';

export interface DeliveryOptions {
  readonly seed: number;
  readonly id: string;
  readonly provider: string;
  readonly platform: TargetPlatform;
  readonly troubles: readonly Trouble[];
  readonly counts: Counts;
  readonly stamp: (minute: number) => string;
}

export class Delivery {
  readonly id: string;
  readonly provider: string;
  readonly traffic: Traffic;
  readonly tally: Tally = { delivered: 0, failed: 0, withheld: 0, doomed: 0, withheldByOthers: 0 };
  readonly #options: DeliveryOptions;
  readonly #key: number;
  /** Events due for their next attempt, by minute and by the attempts they have had. */
  readonly #due = new Float64Array(RING * ATTEMPTS);
  /** Troubles that a person has ended. */
  readonly #repaired = new Map<Trouble, number>();
  #waiting = 0;
  /** Troubles before this one are over. */
  #firstTrouble = 0;
  /** No trouble is on before this minute. Only for minutes in the future. */
  #calmUntil = 0;
  #failingSince: number | null = null;
  #record: IntegrationRecord;
  /** Changes since the record was last shown: a busy integration changes every minute and is shown every fifth. */
  #news: { lastDelivery: number | null; lastError: number | null; message: string | null } | null = null;
  #errors = 0;
  /** The actor that stopped it; null while it is active. */
  stoppedBy: 'guard' | 'operator' | 'worker' | null = null;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.id = options.id;
    this.provider = options.provider;
    this.#key = streamKey(options.seed, options.id, 'outcomes');
    this.traffic = new Traffic(options.seed, options.id);
    this.#record = {
      id: options.id,
      title: `${options.provider} ${options.id}`,
      integration: options.provider,
      target_platform: options.platform,
      active: 1,
      created_at: options.stamp(-90 * 24 * 60),
      updated_at: options.stamp(-60 * 24 * 60),
      // It has been delivering for months.
      last_delivery_at: options.stamp(-1),
      last_error_at: null,
      last_error_message: null,
      delivery_error_count: 0,
    };
  }

  /** As the API shows it now. A record that has not changed is the same object. */
  get record(): IntegrationRecord {
    if (this.#news !== null) {
      const { lastDelivery, lastError, message } = this.#news;
      const { stamp } = this.#options;
      this.#record = {
        ...this.#record,
        ...(lastDelivery === null ? {} : { last_delivery_at: stamp(lastDelivery) }),
        ...(lastError === null ? {} : { last_error_at: stamp(lastError), last_error_message: message }),
        delivery_error_count: this.#errors,
      };
      this.#news = null;
    }
    return this.#record;
  }

  setActive(active: Active, by: 'guard' | 'operator' | 'worker', minute: number): boolean {
    if (this.#record.active === active) return false;
    this.stoppedBy = active === 1 ? null : by;
    this.#record = { ...this.record, active, updated_at: this.#options.stamp(minute) };
    return true;
  }

  /** A person repairs every break. */
  repair(minute: number): void {
    for (const trouble of this.#options.troubles)
      if (trouble.kind === 'break' && trouble.from <= minute && !this.#repaired.has(trouble))
        this.#repaired.set(trouble, minute);
  }

  /** When a person ended the trouble; null: no one has. */
  repairedAt(trouble: Trouble): number | null {
    return this.#repaired.get(trouble) ?? null;
  }

  /** The share of deliveries that fails in that minute if no one acts until then. */
  failingShare(minute: number): number {
    return 1 - this.#workingShare(minute).share;
  }

  /** The troubles that are on in that minute. */
  troublesAt(minute: number): readonly Trouble[] {
    return this.#options.troubles.filter((trouble) => this.#isOn(trouble, minute));
  }

  #isOn(trouble: Trouble, minute: number): boolean {
    if (trouble.from > minute || minute >= Math.min(trouble.to, this.#repaired.get(trouble) ?? Infinity)) return false;
    return trouble.kind !== 'rate-limit' || this.traffic.load(minute) > 1.5;
  }

  #workingShare(minute: number): { readonly share: number; readonly message: string | null } {
    const { troubles } = this.#options;
    let share = 1;
    let message: string | null = null;
    for (let index = this.#firstTrouble; index < troubles.length; index += 1) {
      const trouble = troubles[index];
      if (trouble === undefined || trouble.from > minute) break;
      if (!this.#isOn(trouble, minute)) continue;
      share *= 1 - trouble.share;
      message = trouble.message;
    }
    return { share, message };
  }

  /** Plays the events of one minute. */
  flow(minute: number): void {
    const fresh = this.traffic.events(minute);
    if (fresh === 0 && this.#waiting === 0) return;
    const slot = (minute % RING) * ATTEMPTS;
    if (this.#record.active !== 1) this.#withhold(fresh, slot, minute);
    else if (!this.#isCalm(minute)) this.#deliver(fresh, slot, minute);
    else if (this.#waiting === 0) this.#noteDelivery(fresh, minute);
    else this.#deliverAll(fresh, slot, minute);
  }

  /** Whether no trouble is on. Most minutes of most integrations are calm, so this must be quick. */
  #isCalm(minute: number): boolean {
    if (minute < this.#calmUntil) return true;
    const { troubles } = this.#options;
    while ((troubles[this.#firstTrouble]?.to ?? Infinity) <= minute) this.#firstTrouble += 1;
    for (let index = this.#firstTrouble; ; index += 1) {
      const trouble = troubles[index];
      if (trouble === undefined || trouble.from > minute) {
        this.#calmUntil = trouble?.from ?? Infinity;
        return true;
      }
      if (minute < Math.min(trouble.to, this.#repaired.get(trouble) ?? Infinity)) return false;
    }
  }

  #noteDelivery(events: number, minute: number): void {
    this.tally.delivered += events;
    this.#failingSince = null;
    this.#errors = 0;
    this.#news ??= { lastDelivery: null, lastError: null, message: null };
    this.#news.lastDelivery = minute;
  }

  #deliverAll(fresh: number, slot: number, minute: number): void {
    let events = fresh;
    for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
      const due = this.#due[slot + attempt] ?? 0;
      if (due === 0) continue;
      this.#take(slot + attempt, due);
      events += due;
    }
    if (events > 0) this.#noteDelivery(events, minute);
  }

  #deliver(fresh: number, slot: number, minute: number): void {
    const { share, message } = this.#workingShare(minute);
    const stream = new Stream(this.#key, minute * 1_024);
    let tried = 0;
    let failed = 0;
    let counted = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const events = attempt === 0 ? fresh : (this.#due[slot + attempt] ?? 0);
      if (events === 0) continue;
      if (attempt > 0) this.#take(slot + attempt, events);
      const lost = stream.binomial(events, 1 - share);
      tried += events;
      failed += lost;
      if (attempt === 0 || this.#options.counts === 'attempts') counted += lost;
      if (lost > 0) this.#retry(lost, attempt, minute);
    }
    if (tried === 0) return;
    if (tried > failed) this.#noteDelivery(tried - failed, minute);
    if (failed > 0) this.#noteFailures(minute, tried, failed, counted, message, stream);
  }

  #take(index: number, events: number): void {
    this.#due[index] = 0;
    this.#waiting -= events;
  }

  #retry(events: number, attempt: number, minute: number): void {
    const wait = RETRY_AFTER[attempt];
    if (wait === undefined) {
      this.tally.failed += events;
      return;
    }
    const index = ((minute + wait) % RING) * ATTEMPTS + attempt + 1;
    this.#due[index] = (this.#due[index] ?? 0) + events;
    this.#waiting += events;
  }

  #withhold(fresh: number, slot: number, minute: number): void {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const events = attempt === 0 ? fresh : (this.#due[slot + attempt] ?? 0);
      if (events === 0) continue;
      if (attempt > 0) this.#take(slot + attempt, events);
      if (this.stoppedBy !== 'guard') {
        this.tally.withheldByOthers += events;
        continue;
      }
      this.tally.withheld += events;
      this.tally.doomed += events * this.#chanceThatAllFail(attempt, minute);
    }
  }

  /** The chance that this attempt and all its retries fail. */
  #chanceThatAllFail(attempt: number, minute: number): number {
    let chance = this.failingShare(minute);
    let at = minute;
    for (const wait of RETRY_AFTER.slice(attempt)) {
      if (chance === 0) return 0;
      at += wait;
      chance *= this.failingShare(at);
    }
    return chance;
  }

  #noteFailures(
    minute: number,
    tried: number,
    failed: number,
    counted: number,
    message: string | null,
    stream: Stream,
  ): void {
    this.#news ??= { lastDelivery: null, lastError: null, message: null };
    this.#news.lastError = minute;
    this.#news.message = message;
    if (failed < tried) {
      // The order is random: the failures after the last success are the new count.
      this.#errors = Math.min(counted, trailingFailures(tried, failed, stream));
      return;
    }
    this.#failingSince ??= minute;
    this.#errors += counted;
    const suspends = minute - this.#failingSince >= SUSPEND_AFTER_MINUTES;
    if (suspends && this.#errors >= SUSPEND_AFTER_ERRORS) this.setActive(2, 'worker', minute);
  }
}

/** The number of failures after the last success, if the failed attempts are in a random order. */
function trailingFailures(tried: number, failed: number, stream: Stream): number {
  let trailing = 0;
  while (trailing < failed && stream.next() * (tried - trailing) < failed - trailing) trailing += 1;
  return trailing;
}
