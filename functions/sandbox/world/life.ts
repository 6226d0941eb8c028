import { LostRaceError } from '../../guard/errors.ts';
import type { Entry } from '../../guard/model/entry.ts';
import type { GuardEvent } from '../../guard/model/event.ts';
import { runPass } from '../../guard/pass/run-pass.ts';
import { type Ledger, type LedgerView, PEOPLE, type Ports, type Versioned } from '../../guard/ports.ts';
import type { Policy } from '../../guard/settings/schema.ts';
import type { Counts, Tally } from './delivery.ts';
import { People } from './people.ts';
import { RealisticWorld, type WorldOptions } from './realistic-world.ts';
import { DAY_MINUTES, type Traffic } from './traffic.ts';
import type { Trouble, TroubleKind } from './troubles.ts';

/** Runs a guard with a policy in a realistic world, and counts the results. */

/** Minutes between passes: the default of the settings. */
export const INTERVAL_MINUTES = 5;

/** A partial outage must span at least this many busy passes (an hour). A sender of one batch a day does not show it. */
const MIN_BUSY_PASSES = 12;

/** A pause is false if deliveries would work again within this many minutes without a person. */
const HEALS_WITHIN_MINUTES = 60;

/** A break in the last days of a life may have its first alert after it, so those are no evidence. */
const LAST_DAYS = 5;

/** An outage with a smaller share of failures is a disturbance. */
const OUTAGE_SHARE = 0.3;

/** Integrations by events a day: with more traffic a break shows sooner. */
export const CLASSES = ['below 1', '1 to 10', '10 to 100', 'above 100'] as const;
export type TrafficClass = (typeof CLASSES)[number];

/** The figures of one life. */
export interface Life {
  readonly days: number;
  /** Whether its world counted every failed attempt of an event or only the first. */
  readonly counts: Counts;
  /** A probe that fails stops the integration again in the same episode; that is not counted again. */
  readonly pauses: number;
  /** Pauses of integrations that would have delivered again within the hour. */
  readonly falsePauses: number;
  /** Pauses of integrations with a true break. */
  readonly breakPauses: number;
  /** Pauses during an outage of the provider, or of one of its platforms. */
  readonly providerOutagePauses: number;
  /** Pauses during an outage of Qonversion or the network. */
  readonly qonversionOutagePauses: number;
  /** Breaks of a part or of every delivery. */
  readonly breaks: number;
  /**
   * True breaks above 100 events a day in which every delivery fails and that no one repaired within a day, and the number
   * of them that were paused. The guard must report, and not pause, an integration that still delivers a part.
   */
  readonly breaksToPause: number;
  readonly breaksPaused: number;
  readonly delivered: number;
  readonly failed: number;
  readonly withheld: number;
  readonly doomed: number;
  readonly withheldByOthers: number;
  /** For each integration with events, the share of events that were withheld and would have arrived. */
  readonly lostShares: readonly number[];
  /** Hours of pauses while deliveries would have arrived. */
  readonly hoursPausedInVain: number;
  /** Digests to people, for each day. */
  readonly mailsPerDay: readonly number[];
  /** Hours from a true break to its first alert; infinite: no alert. Breaks in the last days are left out. */
  readonly firstAlertHours: Readonly<Record<TrafficClass, readonly number[]>>;
  /** Partial outages of an hour or more with at least 80 % failures (severe) or at most 20 % (mild). */
  readonly severe: Reported;
  readonly mild: Reported;
  readonly ledgerWrites: number;
  readonly requests: number;
  readonly passes: number;
  /** Passes that listed once and wrote nothing. */
  readonly quietPasses: number;
}

export interface Reported {
  readonly episodes: number;
  readonly reported: number;
}

/**
 * Runs a guard through a world, and returns its figures.
 * @param intervalMinutes between two passes
 */
export async function live(
  options: WorldOptions,
  policy: Policy,
  intervalMinutes: number = INTERVAL_MINUTES,
): Promise<Life> {
  return new Living(options, policy, intervalMinutes).live();
}

interface Pause {
  readonly id: string;
  readonly minute: number;
  /** Minutes; infinite: a person has to repair it. */
  readonly healsIn: number;
  readonly during: ReadonlySet<TroubleKind>;
}

/** A time in which the guard had stopped an integration, in minutes; `to` is infinite while it lasts. */
interface Stop {
  readonly id: string;
  readonly from: number;
  to: number;
}

interface Alert {
  readonly minute: number;
  readonly id: string;
}

class Living {
  readonly #world: RealisticWorld;
  readonly #people: People;
  readonly #project: { readonly name: string; readonly policy: Policy };
  readonly #intervalMinutes: number;
  readonly #ports: Ports;
  readonly #mails: number[];
  readonly #alerts: Alert[] = [];
  readonly #pauses: Pause[] = [];
  /** Every true break, by integration. */
  readonly #breaks: readonly (readonly [id: string, trouble: Trouble])[];
  readonly #counts = { writes: 0, requests: 0, passes: 0, quietPasses: 0, minutesInVain: 0 };
  readonly #stops: Stop[] = [];
  /** Those that last. */
  readonly #stopped = new Map<string, Stop>();
  /** Resumed by the guard, which has not announced their recovery. */
  readonly #probed = new Set<string>();

  constructor(options: WorldOptions, policy: Policy, intervalMinutes: number) {
    this.#world = new RealisticWorld(options);
    this.#people = new People(this.#world);
    this.#breaks = [...this.#world.troubles].flatMap(([id, troubles]) =>
      troubles.flatMap((trouble) => (trouble.kind === 'break' ? [[id, trouble] as const] : [])),
    );
    this.#project = { name: 'production', policy };
    this.#intervalMinutes = intervalMinutes;
    this.#mails = Array.from({ length: options.days }, () => 0);
    this.#ports = this.#createPorts();
  }

  async live(): Promise<Life> {
    const end = this.#world.options.days * DAY_MINUTES;
    for (let pass = this.#intervalMinutes; pass <= end; pass += this.#intervalMinutes) {
      while (this.#world.minute < pass) {
        const next = Math.max(this.#world.minute + 1, Math.min(pass, this.#people.nextAt));
        for (let minute = this.#world.minute + 1; minute < next; minute += 1) this.#countMinute(minute);
        this.#world.advanceTo(next);
        this.#people.act();
        this.#countMinute(next);
      }
      const { writes, requests } = this.#counts;
      await runPass(this.#ports, this.#project);
      this.#counts.passes += 1;
      if (this.#counts.writes === writes && this.#counts.requests === requests + 1) this.#counts.quietPasses += 1;
    }
    return this.#sum();
  }

  #createPorts(): Ports {
    const setStatus: Ports['api']['setStatus'] = async (id, status) => {
      this.#counts.requests += 1;
      const delivery = this.#world.get(id);
      const changed = delivery.setActive(status, 'guard', this.#world.minute);
      if (changed && status === 0) this.#noteStop(id);
      if (changed && status === 1) this.#probed.add(id);
      return { outcome: changed ? 'set' : 'already', record: delivery.record };
    };
    return {
      api: {
        traffic: { requests: 0, retries: 0, waitedMs: 0 },
        list: async () => {
          this.#counts.requests += 1;
          return { records: this.#world.list(), invalid: [], clockAheadMs: 0 };
        },
        setStatus,
      },
      ledger: createLedger(() => {
        this.#counts.writes += 1;
      }),
      alerts: {
        audiences: [PEOPLE],
        publish: async (_project, events) => {
          this.#read(events);
          return new Set(events.map(({ id }) => id));
        },
      },
      clock: { now: () => this.#world.now() },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      remainingMs: () => Number.POSITIVE_INFINITY,
    };
  }

  #read(events: readonly GuardEvent[]): void {
    if (events.length === 0) return;
    const { minute } = this.#world;
    const day = Math.min(this.#mails.length - 1, Math.floor(minute / DAY_MINUTES));
    this.#mails[day] = (this.#mails[day] ?? 0) + 1;
    for (const { record, type } of events) {
      if (record === null) continue;
      this.#alerts.push({ minute, id: record.id });
      if (type === 'integration.recovered') this.#probed.delete(record.id);
    }
    this.#people.read(events);
  }

  #noteStop(id: string): void {
    const { minute } = this.#world;
    const stop: Stop = { id, from: minute, to: Number.POSITIVE_INFINITY };
    this.#stops.push(stop);
    this.#stopped.set(id, stop);
    if (this.#probed.delete(id)) return;
    const healsIn = this.#world.healsAt(id, minute) - minute;
    const troubles = this.#world.get(id).troublesAt(minute);
    const during = new Set(troubles.filter(({ share }) => share >= OUTAGE_SHARE).map(({ kind }) => kind));
    this.#pauses.push({ id, minute, healsIn, during });
  }

  #countMinute(minute: number): void {
    for (const [id, stop] of this.#stopped) {
      const delivery = this.#world.get(id);
      if (delivery.stoppedBy === 'guard') {
        if (delivery.failingShare(minute) < 0.5) this.#counts.minutesInVain += 1;
        continue;
      }
      stop.to = minute;
      this.#stopped.delete(id);
    }
  }

  #sum(): Life {
    const { days } = this.#world.options;
    const tallies = [...this.#world.deliveries.values()].map(({ tally }) => tally);
    const total = (field: keyof (typeof tallies)[number]) => tallies.reduce((sum, tally) => sum + tally[field], 0);
    const unrepaired = this.#breaks.map(([id, trouble]) => {
      const delivery = this.#world.get(id);
      const to = delivery.repairedAt(trouble) ?? days * DAY_MINUTES;
      return { id, from: trouble.from, to, share: trouble.share, eventsPerDay: delivery.traffic.eventsPerDay };
    });
    const toPause = unrepaired.filter(
      ({ from, to, share, eventsPerDay }) => share === 1 && eventsPerDay > 100 && to - from >= DAY_MINUTES,
    );
    const paused = toPause.filter(({ id, from, to }) =>
      this.#stops.some((stop) => stop.id === id && stop.from < to && stop.to > from),
    );
    const pausedDuring = (kind: TroubleKind) => this.#pauses.filter(({ during }) => during.has(kind)).length;
    return {
      days,
      counts: this.#world.counts,
      pauses: this.#pauses.length,
      falsePauses: this.#pauses.filter(({ healsIn }) => healsIn <= HEALS_WITHIN_MINUTES).length,
      breakPauses: pausedDuring('break'),
      providerOutagePauses: pausedDuring('provider'),
      qonversionOutagePauses: pausedDuring('qonversion'),
      breaks: this.#breaks.length,
      breaksToPause: toPause.length,
      breaksPaused: paused.length,
      delivered: total('delivered'),
      failed: total('failed'),
      withheld: total('withheld'),
      doomed: total('doomed'),
      withheldByOthers: total('withheldByOthers'),
      lostShares: tallies.flatMap((tally) => lostShare(tally)),
      hoursPausedInVain: this.#counts.minutesInVain / 60,
      mailsPerDay: this.#mails,
      firstAlertHours: this.#firstAlerts(),
      severe: this.#reported((share) => share >= 0.8),
      mild: this.#reported((share) => share <= 0.2),
      ledgerWrites: this.#counts.writes,
      requests: this.#counts.requests,
      passes: this.#counts.passes,
      quietPasses: this.#counts.quietPasses,
    };
  }

  #firstAlerts(): Life['firstAlertHours'] {
    const hours: Record<TrafficClass, number[]> = { 'below 1': [], '1 to 10': [], '10 to 100': [], 'above 100': [] };
    const end = (this.#world.options.days - LAST_DAYS) * DAY_MINUTES;
    for (const [id, { from }] of this.#breaks) {
      if (from >= end) continue;
      const first = this.#alerts.find((alert) => alert.id === id && alert.minute >= from);
      const { eventsPerDay } = this.#world.get(id).traffic;
      hours[classOf(eventsPerDay)].push(first === undefined ? Number.POSITIVE_INFINITY : (first.minute - from) / 60);
    }
    return hours;
  }

  /** Partial outages of an hour or more with enough deliveries to show them. */
  #reported(isSuch: (share: number) => boolean): Reported {
    let episodes = 0;
    let reported = 0;
    for (const [id, troubles] of this.#world.troubles) {
      const { traffic } = this.#world.get(id);
      for (const { kind, from, to, share } of troubles) {
        if (kind !== 'partial' || to - from < 60 || !isSuch(share)) continue;
        if (busyPasses(traffic, from, Math.min(to, this.#world.minute)) < MIN_BUSY_PASSES) continue;
        episodes += 1;
        if (this.#alerts.some((alert) => alert.id === id && alert.minute >= from && alert.minute <= to + 30))
          reported += 1;
      }
    }
    return { episodes, reported };
  }
}

/** The number of intervals between two passes that had events. */
function busyPasses(traffic: Traffic, from: number, to: number): number {
  const busy = new Set<number>();
  for (let minute = Math.ceil(from); minute < to; minute += 1)
    if (traffic.events(minute) > 0) busy.add(Math.floor(minute / INTERVAL_MINUTES));
  return busy.size;
}

function lostShare({ delivered, failed, withheld, doomed, withheldByOthers }: Tally): readonly number[] {
  const events = delivered + failed + withheld + withheldByOthers;
  return events === 0 ? [] : [(withheld - doomed) / events];
}

function classOf(eventsPerDay: number): TrafficClass {
  if (eventsPerDay < 1) return 'below 1';
  if (eventsPerDay < 10) return '1 to 10';
  return eventsPerDay < 100 ? '10 to 100' : 'above 100';
}

/** A ledger in memory for one project. Entries are never changed in place. */
function createLedger(onWrite: () => void): Ledger {
  let project: LedgerView['project'] = null;
  let integrations = new Map<string, Versioned<Entry>>();
  // A map that was returned does not change: the next write copies it.
  let isHandedOut = false;
  return {
    read: async () => {
      isHandedOut = true;
      return { project, integrations };
    },
    write: async (_project, item, expected, expiresAt) => {
      onWrite();
      const known = item.kind === 'project' ? project : (integrations.get(item.id) ?? null);
      if ((known?.version ?? null) !== expected) throw new LostRaceError('written by another pass');
      const version = (known?.version ?? 0) + 1;
      if (item.kind === 'project') {
        project = { entry: item.entry, version, expiresAt };
        return version;
      }
      if (isHandedOut) integrations = new Map(integrations);
      isHandedOut = false;
      integrations.set(item.id, { entry: item.entry, version, expiresAt });
      return version;
    },
    appendHistory: async () => undefined,
    history: async () => [],
  };
}
