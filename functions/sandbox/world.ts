import { findProvider, type TargetPlatform } from './catalog.ts';
import { chanceAt, streamKey } from './world/chance.ts';

/**
 * One Qonversion project as the API would show it, with a virtual clock: traffic flows, providers break and are repaired,
 * and Qonversion's delivery worker suspends integrations that fail for too long. Nothing here knows of the guard.
 */

export interface SandboxRecord {
  object: 'integration';
  id: string;
  url: string;
  title: string;
  integration: string;
  target_platform: TargetPlatform;
  active: 0 | 1 | 2;
  created_at: string;
  updated_at: string;
  last_delivery_at: string | null;
  last_error_at: string | null;
  last_error_message: string | null;
  delivery_error_count: number;
}

export interface WorldOptions {
  readonly startAt?: string;
  /** The worker suspends an integration after this many failures in a row … */
  readonly suspendAfterErrors?: number;
  /** … that have continued for this many minutes. */
  readonly suspendAfterMinutes?: number;
}

export interface AddOptions {
  readonly id?: string;
  readonly title?: string;
  /** Slug of the catalog. */
  readonly provider?: string;
  readonly platform?: TargetPlatform;
  readonly active?: 0 | 1;
  /** Subscription events that Qonversion has to forward each minute. Fractions add up over minutes. */
  readonly eventsPerMinute?: number;
}

interface Pipe {
  readonly record: SandboxRecord;
  eventsPerMinute: number;
  /** Fraction of an event not yet due. */
  owed: number;
  /** The provider's error from `breakDown` until `repair`; null while it is up. */
  outage: string | null;
  /** The share of events that fail while it is up, and their error. */
  flaky: { readonly share: number; readonly message: string } | null;
  /** Outages that begin and end automatically, in milliseconds of the virtual clock. */
  readonly planned: { readonly from: number; to: number; readonly message: string }[];
  /**
   * Events that arrived, that failed, and that were never sent because the pipe was stopped; `doomed` of these would have
   * failed anyway.
   */
  readonly tally: { delivered: number; failed: number; withheld: number; doomed: number };
  failingSince: number | null;
}

const MINUTE_MS = 60_000;

export class World {
  readonly #pipes = new Map<string, Pipe>();
  readonly #deleted = new Set<string>();
  readonly #suspendAfterErrors: number;
  readonly #suspendAfterMinutes: number;
  #now: number;
  /** When traffic flows next: once a minute. */
  #nextFlow: number;
  #created = 0;
  #stamped = { at: Number.NaN, text: '' };

  constructor(options: WorldOptions = {}) {
    this.#now = Date.parse(options.startAt ?? '2026-11-23T09:00:00Z');
    this.#nextFlow = this.#now + MINUTE_MS;
    this.#suspendAfterErrors = options.suspendAfterErrors ?? 1_000;
    this.#suspendAfterMinutes = options.suspendAfterMinutes ?? 120;
  }

  now(): Date {
    return new Date(this.#now);
  }

  /** All records that are not deleted, in the order of creation. */
  list(): readonly SandboxRecord[] {
    return [...this.#pipes.values()].map(({ record }) => ({ ...record }));
  }

  get(id: string): SandboxRecord | undefined {
    const pipe = this.#pipes.get(id);
    return pipe === undefined ? undefined : { ...pipe.record };
  }

  add(options: AddOptions = {}): SandboxRecord {
    const slug = options.provider ?? 'amplitude';
    const provider = findProvider(slug);
    if (provider === undefined) throw new Error(`the sandbox knows no provider "${slug}"`);
    this.#created += 1;
    const id = options.id ?? this.#newId();
    const platform = options.platform ?? 'iOS';
    const record: SandboxRecord = {
      object: 'integration',
      id,
      url: `/v4/integrations/${id}`,
      title: options.title ?? `${provider.title} ${platform}`,
      integration: provider.title,
      target_platform: platform,
      active: options.active ?? 0,
      created_at: this.#stamp(),
      updated_at: this.#stamp(),
      last_delivery_at: null,
      last_error_at: null,
      last_error_message: null,
      delivery_error_count: 0,
    };
    const tally = { delivered: 0, failed: 0, withheld: 0, doomed: 0 };
    this.#pipes.set(id, {
      record,
      eventsPerMinute: options.eventsPerMinute ?? 0,
      owed: 0,
      outage: null,
      flaky: null,
      planned: [],
      tally,
      failingSince: null,
    });
    return { ...record };
  }

  /** The status endpoint and the dashboard's switch do this. Setting the state it already has changes nothing. */
  setStatus(id: string, status: 0 | 1): SandboxRecord | undefined {
    const pipe = this.#pipes.get(id);
    if (pipe === undefined) return undefined;
    if (pipe.record.active !== status) {
      pipe.record.active = status;
      pipe.record.updated_at = this.#stamp();
      pipe.failingSince = null;
    }
    return { ...pipe.record };
  }

  /** The delivery worker does this after repeated failures. Callers of the API cannot. */
  suspend(id: string): void {
    const { record } = this.#pipe(id);
    record.active = 2;
    record.updated_at = this.#stamp();
  }

  /** Soft delete: the record is gone from every answer, and its id is never used again. */
  delete(id: string): boolean {
    if (!this.#pipes.delete(id)) return false;
    this.#deleted.add(id);
    return true;
  }

  /** Overwrites fields of a record, for states that would take long to reach. */
  patch(id: string, fields: Partial<SandboxRecord>): void {
    Object.assign(this.#pipe(id).record, fields);
  }

  setTraffic(id: string, eventsPerMinute: number): void {
    this.#pipe(id).eventsPerMinute = eventsPerMinute;
  }

  /**
   * The provider answers everything with this message, until `repair`.
   * @param hoursAgo the record shows that it has done so for this long
   */
  breakDown(id: string, message: string, hoursAgo = 0): void {
    const pipe = this.#pipe(id);
    pipe.outage = message;
    if (hoursAgo > 0 && pipe.record.active === 1) this.#failSince(pipe, this.#now - hoursAgo * 60 * MINUTE_MS, message);
  }

  /** Rewrites the record as if nothing had been delivered since then. */
  #failSince(pipe: Pipe, since: number, message: string): void {
    const { record } = pipe;
    const failed = Math.floor((pipe.eventsPerMinute * (this.#now - since)) / MINUTE_MS);
    if (failed === 0) return;
    const begin = stampOf(since);
    if (record.created_at > begin) record.created_at = begin;
    if (record.updated_at > begin) record.updated_at = begin;
    if (record.last_delivery_at !== null && record.last_delivery_at > begin) record.last_delivery_at = begin;
    record.delivery_error_count += failed;
    record.last_error_at = this.#stamp();
    record.last_error_message = message;
    pipe.failingSince = Math.min(pipe.failingSince ?? since, since);
    pipe.tally.failed += failed;
    pipe.tally.delivered = Math.max(0, pipe.tally.delivered - failed);
  }

  /** From now on this share of events fails although the provider is up; 0: none. */
  setFlaky(id: string, share: number, message = 'HTTP 503 from upstream'): void {
    this.#pipe(id).flaky = share > 0 ? { share, message } : null;
  }

  /** The provider answers again, in every outage that is on. */
  repair(id: string): void {
    const pipe = this.#pipe(id);
    pipe.outage = null;
    for (const outage of pipe.planned) if (outage.from <= this.#now) outage.to = Math.min(outage.to, this.#now);
  }

  /** Plans an outage that begins this many minutes from now and ends automatically. */
  planOutage(id: string, message: string, inMinutes: number, minutes: number): void {
    const from = this.#now + inMinutes * MINUTE_MS;
    this.#pipe(id).planned.push({ from, to: from + minutes * MINUTE_MS, message });
  }

  /** The provider's error now; null when it is up. */
  #answerOf(pipe: Pipe): string | null {
    return pipe.outage ?? pipe.planned.find(({ from, to }) => from <= this.#now && this.#now < to)?.message ?? null;
  }

  tally(id: string): Readonly<Pipe['tally']> {
    return { ...this.#pipe(id).tally };
  }

  /** Lets time pass; traffic flows at the end of each whole minute since the beginning. */
  advance(minutes: number): void {
    const end = this.#now + minutes * MINUTE_MS;
    for (; this.#nextFlow <= end; this.#nextFlow += MINUTE_MS) {
      this.#now = this.#nextFlow;
      for (const pipe of this.#pipes.values()) this.#flow(pipe);
    }
    this.#now = end;
  }

  /** A copy of the world, which can continue differently. */
  clone(): World {
    const twin = new World({
      suspendAfterErrors: this.#suspendAfterErrors,
      suspendAfterMinutes: this.#suspendAfterMinutes,
    });
    twin.#now = this.#now;
    twin.#nextFlow = this.#nextFlow;
    twin.#created = this.#created;
    for (const [id, pipe] of this.#pipes) twin.#pipes.set(id, structuredClone(pipe));
    for (const id of this.#deleted) twin.#deleted.add(id);
    return twin;
  }

  #flow(pipe: Pipe): void {
    const { record } = pipe;
    pipe.owed += pipe.eventsPerMinute;
    const events = Math.floor(pipe.owed);
    pipe.owed -= events;
    if (events === 0) return;
    if (record.active !== 1) {
      pipe.tally.withheld += events;
      if (this.#answerOf(pipe) !== null) pipe.tally.doomed += events;
      return;
    }
    const failure = this.#answerOf(pipe);
    const { failed, inARow } = failure === null ? failuresOf(pipe, events) : { failed: events, inARow: events };
    pipe.tally.delivered += events - failed;
    pipe.tally.failed += failed;
    if (failed < events) {
      pipe.failingSince = null;
      record.last_delivery_at = this.#stamp();
      record.delivery_error_count = 0;
    }
    if (failed === 0) return;
    if (inARow > 0) pipe.failingSince ??= this.#now;
    record.delivery_error_count += inARow;
    record.last_error_at = this.#stamp();
    record.last_error_message = failure ?? pipe.flaky?.message ?? null;
    const longEnough = this.#now - (pipe.failingSince ?? this.#now) >= this.#suspendAfterMinutes * MINUTE_MS;
    if (longEnough && record.delivery_error_count >= this.#suspendAfterErrors) {
      this.suspend(record.id);
    }
  }

  #pipe(id: string): Pipe {
    const pipe = this.#pipes.get(id);
    if (pipe === undefined) throw new Error(`the sandbox has no integration "${id}"`);
    return pipe;
  }

  #stamp(): string {
    if (this.#stamped.at !== this.#now) {
      this.#stamped = { at: this.#now, text: stampOf(this.#now) };
    }
    return this.#stamped.text;
  }

  /** Eight letters and digits, the same in every run. */
  #newId(): string {
    const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    for (;;) {
      let state = (this.#created * 2_654_435_761 + this.#deleted.size) >>> 0;
      let id = '';
      for (let position = 0; position < 8; position += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        id += alphabet[(state >>> 16) % alphabet.length];
      }
      if (!this.#pipes.has(id) && !this.#deleted.has(id)) return id;
      this.#created += 1;
    }
  }
}

/** The API's times are whole seconds. */
function stampOf(at: number): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** How many of the next events fail while the provider is up, and how many of those come after the last that succeeds. */
function failuresOf(
  { record, flaky, tally }: Pipe,
  events: number,
): { readonly failed: number; readonly inARow: number } {
  if (flaky === null) return { failed: 0, inARow: 0 };
  const key = streamKey(record.id);
  const before = tally.delivered + tally.failed;
  let failed = 0;
  let inARow = 0;
  for (let event = 0; event < events; event += 1) {
    const fails = chanceAt(key, before + event) < flaky.share;
    failed += fails ? 1 : 0;
    inARow = fails ? inARow + 1 : 0;
  }
  return { failed, inARow };
}
