import { LostRaceError } from '../../guard/errors.ts';
import type { Entry, ProjectEntry } from '../../guard/model/entry.ts';
import type { GuardEvent } from '../../guard/model/event.ts';
import { runPass } from '../../guard/pass/run-pass.ts';
import { type Ledger, PEOPLE, type Ports, type Versioned } from '../../guard/ports.ts';
import type { Policy } from '../../guard/settings/schema.ts';
import { People } from './people.ts';
import { RealisticWorld, type WorldOptions } from './realistic-world.ts';
import { DAY_MINUTES } from './traffic.ts';
import type { Trouble } from './troubles.ts';

/** A guard with some policy lives in a realistic world, and what came of it is counted. */

/** Minutes between passes: the default of the settings. */
const INTERVAL_MINUTES = 5;

/** A pause of what works again within so many minutes without a person was not worth it. */
const HEALS_WITHIN_MINUTES = 60;

/** Outages of many at once. */
const SHARED: ReadonlySet<string> = new Set(['provider', 'qonversion']);

/** Integrations by their traffic: what is broken shows sooner where more is sent. */
export const CLASSES = ['below 1', '1 to 10', '10 to 100', 'above 100'] as const;
export type TrafficClass = (typeof CLASSES)[number];

/** What a life came to. */
export interface Life {
  readonly days: number;
  readonly pauses: number;
  /** Of what would have delivered again within the hour. */
  readonly falsePauses: number;
  /** While a whole provider or Qonversion had an outage. */
  readonly sharedOutagePauses: number;
  /** True breaks above 100 events a day that nobody had repaired within a day, and how many of them were paused. */
  readonly breaksToPause: number;
  readonly breaksPaused: number;
  readonly delivered: number;
  readonly failed: number;
  readonly withheld: number;
  readonly doomed: number;
  readonly withheldByOthers: number;
  /** Paused by the guard while deliveries would have arrived. */
  readonly hoursPausedInVain: number;
  /** Digests to people, for each day. */
  readonly mailsPerDay: readonly number[];
  /** Hours from a true break to the first alert about it; infinite where there was none. */
  readonly firstAlertHours: Readonly<Record<TrafficClass, readonly number[]>>;
  /** Partial outages of an hour or more in which at least 80 % failed, or at most 20 %, and how many were reported. */
  readonly severe: Reported;
  readonly mild: Reported;
  readonly ledgerWrites: number;
  readonly requests: number;
  readonly passes: number;
}

export interface Reported {
  readonly episodes: number;
  readonly reported: number;
}

/** Lives through a world. @returns what came of it */
export async function live(options: WorldOptions, policy: Policy): Promise<Life> {
  return new Living(options, policy).live();
}

interface Alert {
  readonly minute: number;
  readonly id: string;
}

class Living {
  readonly #world: RealisticWorld;
  readonly #people: People;
  readonly #project: { readonly name: string; readonly policy: Policy };
  readonly #ports: Ports;
  readonly #mails: number[];
  readonly #alerts: Alert[] = [];
  readonly #pauses: {
    readonly id: string;
    readonly minute: number;
    readonly healsIn: number;
    readonly shared: boolean;
  }[] = [];
  /** Every true break, by integration. */
  readonly #breaks: readonly (readonly [id: string, trouble: Trouble])[];
  /** When a true break was no more: repaired by a person. */
  readonly #repaired = new Map<string, number>();
  readonly #counts = { writes: 0, requests: 0, passes: 0, minutesInVain: 0 };
  readonly #stopped = new Set<string>();

  constructor(options: WorldOptions, policy: Policy) {
    this.#world = new RealisticWorld(options);
    this.#people = new People(this.#world);
    this.#breaks = [...this.#world.troubles].flatMap(([id, troubles]) =>
      troubles.flatMap((trouble) => (trouble.kind === 'break' ? [[id, trouble] as const] : [])),
    );
    this.#project = { name: 'production', policy };
    this.#mails = Array.from({ length: options.days }, () => 0);
    this.#ports = this.#createPorts();
  }

  async live(): Promise<Life> {
    const end = this.#world.options.days * DAY_MINUTES;
    while (this.#world.minute < end) {
      this.#world.advance();
      this.#people.act();
      this.#countMinute();
      if (this.#world.minute % INTERVAL_MINUTES !== 0) continue;
      this.#counts.passes += 1;
      await runPass(this.#ports, this.#project);
    }
    return this.#sum();
  }

  #createPorts(): Ports {
    const setStatus: Ports['api']['setStatus'] = async (id, status) => {
      this.#counts.requests += 1;
      const delivery = this.#world.get(id);
      const changed = delivery.setActive(status, 'guard', this.#world.minute);
      if (changed && status === 0) this.#notePause(id);
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
    for (const { record } of events) if (record !== null) this.#alerts.push({ minute, id: record.id });
    this.#people.read(events);
  }

  #notePause(id: string): void {
    const { minute } = this.#world;
    const healsIn = this.#world.healsAt(id, minute) - minute;
    const shared = this.#world
      .get(id)
      .troublesAt(minute)
      .some(({ kind, share }) => SHARED.has(kind) && share >= 0.3);
    this.#pauses.push({ id, minute, healsIn, shared });
    this.#stopped.add(id);
  }

  #countMinute(): void {
    for (const id of this.#stopped) {
      const delivery = this.#world.get(id);
      if (delivery.stoppedBy !== 'guard') this.#stopped.delete(id);
      else if (delivery.failingShare(this.#world.minute) < 0.5) this.#counts.minutesInVain += 1;
    }
    for (const [id, trouble] of this.#breaks) {
      if (trouble.from > this.#world.minute || this.#repaired.has(id)) continue;
      if (!this.#world.get(id).troublesAt(this.#world.minute).includes(trouble))
        this.#repaired.set(id, this.#world.minute);
    }
  }

  #sum(): Life {
    const { days } = this.#world.options;
    const tallies = [...this.#world.deliveries.values()].map(({ tally }) => tally);
    const total = (field: keyof (typeof tallies)[number]) => tallies.reduce((sum, tally) => sum + tally[field], 0);
    const toPause = this.#breaks.filter(([id, { from }]) => {
      const until = this.#repaired.get(id) ?? days * DAY_MINUTES;
      return this.#world.get(id).traffic.eventsPerDay > 100 && until - from >= DAY_MINUTES;
    });
    const wasPaused = ([id, { from }]: readonly [string, Trouble]) =>
      this.#pauses.some((pause) => pause.id === id && pause.minute >= from);
    return {
      days,
      pauses: this.#pauses.length,
      falsePauses: this.#pauses.filter(({ healsIn }) => healsIn <= HEALS_WITHIN_MINUTES).length,
      sharedOutagePauses: this.#pauses.filter(({ shared }) => shared).length,
      breaksToPause: toPause.length,
      breaksPaused: toPause.filter(wasPaused).length,
      delivered: total('delivered'),
      failed: total('failed'),
      withheld: total('withheld'),
      doomed: total('doomed'),
      withheldByOthers: total('withheldByOthers'),
      hoursPausedInVain: this.#counts.minutesInVain / 60,
      mailsPerDay: this.#mails,
      firstAlertHours: this.#firstAlerts(),
      severe: this.#reported((share) => share >= 0.8),
      mild: this.#reported((share) => share <= 0.2),
      ledgerWrites: this.#counts.writes,
      requests: this.#counts.requests,
      passes: this.#counts.passes,
    };
  }

  #firstAlerts(): Life['firstAlertHours'] {
    const hours: Record<TrafficClass, number[]> = { 'below 1': [], '1 to 10': [], '10 to 100': [], 'above 100': [] };
    for (const [id, { from }] of this.#breaks) {
      const first = this.#alerts.find((alert) => alert.id === id && alert.minute >= from);
      const { eventsPerDay } = this.#world.get(id).traffic;
      hours[classOf(eventsPerDay)].push(first === undefined ? Number.POSITIVE_INFINITY : (first.minute - from) / 60);
    }
    return hours;
  }

  /** Partial outages of an hour or more in which there were deliveries to see them by. */
  #reported(isSuch: (share: number) => boolean): Reported {
    let episodes = 0;
    let reported = 0;
    for (const [id, troubles] of this.#world.troubles) {
      const { eventsPerDay } = this.#world.get(id).traffic;
      for (const { kind, from, to, share } of troubles) {
        if (kind !== 'partial' || to - from < 60 || !isSuch(share)) continue;
        if ((eventsPerDay * (to - from)) / DAY_MINUTES < 20) continue;
        episodes += 1;
        if (this.#alerts.some((alert) => alert.id === id && alert.minute >= from && alert.minute <= to + 30))
          reported += 1;
      }
    }
    return { episodes, reported };
  }
}

function classOf(eventsPerDay: number): TrafficClass {
  if (eventsPerDay < 1) return 'below 1';
  if (eventsPerDay < 10) return '1 to 10';
  return eventsPerDay < 100 ? '10 to 100' : 'above 100';
}

/** A ledger for one project that keeps what it is given: entries are never changed in place. */
function createLedger(onWrite: () => void): Ledger {
  const integrations = new Map<string, Versioned<Entry>>();
  let project: Versioned<ProjectEntry> | null = null;
  return {
    read: async () => ({ project, integrations: new Map(integrations) }),
    write: async (_project, item, expected, expiresAt) => {
      onWrite();
      const known = item.kind === 'project' ? project : (integrations.get(item.id) ?? null);
      if ((known?.version ?? null) !== expected) throw new LostRaceError('written by another pass');
      const version = (known?.version ?? 0) + 1;
      if (item.kind === 'project') project = { entry: item.entry, version, expiresAt };
      else integrations.set(item.id, { entry: item.entry, version, expiresAt });
      return version;
    },
    appendHistory: async () => undefined,
    history: async () => [],
  };
}
