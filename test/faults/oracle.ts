import type { SandboxRecord } from '../../functions/sandbox/world.ts';

/**
 * A second implementation of the specification (docs/policy.md). It is written from the text and imports nothing from the guard, so that it
 * does not share the guard's errors.
 *
 * If a pass dies, no one knows whether it wrote its observations. So for each integration and for the project, the oracle keeps every memory
 * that a correct guard may have. An act or an event is wrong if no memory leads to it. It is missing if every memory leads to it in an
 * undisturbed pass. The oracle also knows every act of an operator, and no memory excuses an overridden operator.
 */

export type Actor = 'guard' | 'operator' | 'worker';

export interface Limits {
  readonly mode: 'enforce' | 'observe' | 'ignore';
  readonly errorThreshold: number;
  readonly failingForMinutes: number;
  readonly lowTraffic: { readonly errors: number; readonly warnAfterHours: number; readonly pauseAfterHours: number };
  readonly flapping: 'tell' | 'pause' | 'off';
  /** Null: manual recovery. */
  readonly probe: {
    readonly cooldownMinutes: number;
    readonly backoff: number;
    readonly maxCooldownMinutes: number;
    readonly maxAttempts: number;
    readonly probeErrors: number;
  } | null;
}

export interface ProjectLimits {
  readonly blastRadius: { readonly percent: number; readonly floor: number };
  readonly providerOutage: {
    readonly percent: number;
    readonly minimum: number;
    readonly holdHours: number;
    readonly except: readonly string[];
  };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** "All passes of 25 minutes", "all passes of 60 minutes". */
const OUTAGE_CALM_MS = 25 * MINUTE_MS;
const HOLD_CALM_MS = 60 * MINUTE_MS;

/** The deliveries that a pass saw. A smaller count or another last delivery later proves a success. */
interface Mark {
  readonly count: number;
  readonly deliveredAt: string | null;
}

/** A possible memory of a guard about one integration. */
interface Memory {
  readonly circuit: 'closed' | 'isolated' | 'open' | 'half-open';
  readonly by: Actor;
  readonly mark: Mark;
  readonly updatedAt: string;
  readonly stretch: (Mark & { readonly since: number }) | null;
  /** The alerts about these failures, until a delivery succeeds. */
  readonly warned: boolean;
  readonly reported: boolean;
  /** A delivery succeeded after that. The alert follows once the integration does not flap. */
  readonly recovering: boolean;
  readonly watch: {
    readonly sum: number;
    readonly deliveries: number;
    readonly errorAt: string | null;
    readonly deliveredAt: string | null;
    readonly reported: boolean;
  } | null;
  /** When deliveries first stopped in this outage, and when they stopped last. */
  readonly stoppedAt: number;
  readonly openedAt: number;
  /** When a pass saw an operator resume it. */
  readonly resumedAt: number;
  readonly failedProbes: number;
  readonly probedAt: number;
  readonly delivering: { readonly since: number; readonly deliveredAt: string | null } | null;
}

type Act = 'trip' | 'probe' | 'end probe';

/** A possible result of a pass for one integration. */
interface Outcome {
  readonly memory: Memory;
  readonly act?: Act;
  /** Types of events that the pass reports. Those with a "?" are optional. */
  readonly events?: readonly string[];
}

interface Outage {
  /** Null for a common cause. */
  readonly provider: string | null;
  readonly since: number;
  readonly calmSince: number | null;
  /** Null while it lasts. */
  readonly endedAt: number | null;
  readonly returns: number;
}

/** A possible memory of a guard about the project. */
interface ProjectMemory {
  readonly outages: readonly Outage[];
  /** Outages that ended within a day. Failures from them get a new span, and pauses from them get a probe. */
  readonly ended: readonly Outage[];
  readonly held: { readonly calmSince: number | null } | null;
}

/** The evidence of one integration about a shared outage. */
interface Evidence {
  readonly provider: string | null;
  readonly counts: boolean;
  /** Whether it delivered within the last day, so that it can show the beginning of an outage. */
  readonly worked: boolean;
  readonly fails: boolean;
}

export interface Due {
  /** Acts of every correct guard in this pass. */
  readonly acts: ReadonlyMap<string, Act>;
  /** "type subject": events of every correct guard, and events of some. */
  readonly events: ReadonlySet<string>;
  readonly possible: ReadonlySet<string>;
  /** The blast radius holds all trips. */
  readonly held: boolean;
  /** A shared outage may continue. */
  readonly spared: boolean;
  /** `still`: no act and no change of a circuit, so one list is enough. `quiet`: also no write. */
  readonly still: boolean;
  readonly quiet: boolean;
}

interface Known {
  readonly limits: Limits;
  memories: readonly Memory[];
  /** Possible results of the present pass. */
  outcomes: readonly Outcome[];
  /** Facts: the last activation, and who stopped it last. */
  activation: { readonly at: number; readonly count: number; readonly by: Actor } | null;
  stoppedBy: Actor | null;
  lastStatus: number;
}

export class Oracle {
  readonly #known = new Map<string, Known>();
  readonly #limits: ProjectLimits;
  #projects: readonly ProjectMemory[] = [{ outages: [], ended: [], held: null }];
  /** Whether a pass has seen the project. */
  #seen: 'no' | 'perhaps' | 'yes' = 'no';
  #tripsAllowed = true;
  /** The integrations that the blast radius has held in this episode. */
  readonly #held = new Set<string>();

  constructor(limits: ProjectLimits) {
    this.#limits = limits;
  }

  created(record: SandboxRecord, limits: Limits): void {
    this.#known.set(record.id, {
      limits,
      memories: [{ ...closed(record, NO_MARK), updatedAt: '' }],
      outcomes: [],
      activation: null,
      stoppedBy: record.active === 1 ? null : 'operator',
      lastStatus: record.active,
    });
  }

  /**
   * Records a change of a state.
   * @param record the record after the change
   * @returns the violation, if the guard made the change and may not; otherwise null
   */
  switched(record: SandboxRecord, by: Actor, at: number): string | null {
    const known = this.#of(record.id);
    if (record.active === known.lastStatus) return null;
    known.lastStatus = record.active;
    const wrong = by === 'guard' ? this.#judge(record, known, at) : null;
    if (by === 'guard') {
      const acts: readonly Act[] = record.active === 1 ? ['probe'] : ['trip', 'end probe'];
      const fitting = known.outcomes.filter(({ act }) => act !== undefined && acts.includes(act));
      const from = (fitting.length > 0 ? fitting : known.outcomes).map(({ memory }) => memory);
      known.memories = distinct(from.map((memory) => acted(memory, record, at)));
    }
    if (record.active === 1) known.activation = { at, count: record.delivery_error_count, by };
    known.stoppedBy = record.active === 1 ? null : by;
    return wrong;
  }

  /** Records a change by an operator through the guard, which the guard knows at once. */
  throughGuard(record: SandboxRecord, at: number): void {
    const known = this.#of(record.id);
    const memory = { ...closed(record, markOf(record)), resumedAt: at };
    known.memories = [record.active === 1 ? memory : { ...memory, circuit: 'isolated' }];
  }

  /** The violation if the guard may not make this change, given the observations of its passes and the acts of operators. */
  #judge(record: SandboxRecord, known: Known, at: number): string | null {
    const { limits, activation, stoppedBy } = known;
    const may = (act: Act) => known.outcomes.some((outcome) => outcome.act === act);
    if (limits.mode !== 'enforce') return `changed although its mode is ${limits.mode}`;
    if (record.active === 1) {
      if (stoppedBy === 'operator') return 'operator overridden: an operator had paused it';
      if (limits.probe === null) return 'resumed although recovery is manual';
      return may('probe') ? null : 'resumed before the end of the cooldown, or too often';
    }
    if (may('end probe')) return null;
    const what = `paused after ${record.delivery_error_count} failures`;
    if (activation?.by === 'operator' && limits.flapping !== 'pause') {
      const since = { since: activation.at };
      const mark = { count: activation.count, deliveredAt: null };
      const delivered = record.last_delivery_at !== null && Date.parse(record.last_delivery_at) > activation.at;
      const fresh = delivered ? record.delivery_error_count : freshErrors(record, mark);
      if (!isOver(record, fresh, since, limits))
        return `operator overridden: ${what} in ${((at - activation.at) / MINUTE_MS).toFixed(0)} min since they resumed it`;
    }
    if (!may('trip')) return `false pause: ${what}`;
    return this.#tripsAllowed ? null : `false pause: ${what}, although the blast radius holds`;
  }

  /** Whether a correct guard may find its limits reached now. */
  isOverLimits(record: SandboxRecord, at: number): boolean {
    const { memories, limits } = this.#of(record.id);
    if (record.active !== 1 || record.delivery_error_count === 0 || limits.mode !== 'enforce') return false;
    return memories.some(
      (memory) =>
        memory.circuit === 'closed' &&
        memory.updatedAt === record.updated_at &&
        memory.stretch !== null &&
        Date.parse(record.last_error_at ?? '') <= at &&
        isOver(record, freshErrors(record, memory.mark), memory.stretch, limits),
    );
  }

  /**
   * Records the observations of a pass.
   * @param at the time on the pass's clock
   * @param certain whether the pass certainly writes its observations
   */
  observe(records: readonly SandboxRecord[], at: number, certain: boolean): Due {
    const before = this.#snapshot(records);
    const outages = this.#seeOutages(records, at);
    for (const record of records) this.#see(record, at, outages.projects);
    const hold = this.#seeHold(records, outages.projects, at);
    this.#tripsAllowed = hold.states.some(({ trips }) => trips);
    const acts = new Map<string, Act>();
    const events = new Set(certain ? [...outages.events, ...hold.events] : []);
    const possible = new Set([...outages.possible, ...hold.possible]);
    for (const { id } of records) {
      const { outcomes, limits } = this.#of(id);
      const act = outcomes[0]?.act;
      const all = outcomes.every((outcome) => outcome.act === act);
      if (act !== undefined && all && limits.mode === 'enforce')
        if (act !== 'trip' || hold.states.every(({ trips }) => trips)) acts.set(id, act);
      for (const type of outcomes.flatMap((outcome) => outcome.events ?? [])) {
        possible.add(`${type.replace('?', '')} ${id}`);
        if (certain && outcomes.every((outcome) => outcome.events?.includes(type)) && !type.endsWith('?'))
          events.add(`${type} ${id}`);
      }
    }
    const projects = distinct(hold.states.map(({ project }) => project));
    this.#projects = certain ? projects : distinct([...this.#projects, ...projects]);
    for (const { id } of records) {
      const known = this.#of(id);
      const left = known.outcomes.flatMap(({ memory, act }) =>
        distinct(hold.states.map(({ newSpan }) => (newSpan && act === 'trip' ? withNewSpan(memory, at) : memory))),
      );
      known.memories = distinct(certain ? left : [...known.memories, ...left]);
    }
    if (certain) this.#seen = 'yes';
    else if (this.#seen === 'no') this.#seen = 'perhaps';
    const after = this.#snapshot(records);
    const still = records.every(({ id }, index) => {
      const { outcomes } = this.#of(id);
      const was = before.memories[index] ?? [];
      const circuits = new Set([...was, ...(after.memories[index] ?? [])].map(({ circuit }) => circuit));
      return circuits.size === 1 && outcomes.every(({ act }) => act === undefined);
    });
    return {
      acts,
      events,
      possible,
      held: hold.states.every(({ trips }) => !trips),
      spared: outages.spared,
      still,
      quiet: still && possible.size === 0 && JSON.stringify(before) === JSON.stringify(after),
    };
  }

  #snapshot(records: readonly SandboxRecord[]) {
    return {
      projects: this.#projects,
      seen: this.#seen,
      memories: records.map(({ id }) => this.#of(id).memories),
    };
  }

  #see(record: SandboxRecord, at: number, projects: readonly ProjectMemory[]): void {
    const known = this.#of(record.id);
    if (known.limits.mode === 'ignore') {
      known.outcomes = known.memories.map((memory) => ({
        memory: { ...memory, circuit: IGNORED[record.active] },
      }));
      return;
    }
    const held = distinct(projects.flatMap((project) => this.#isHeld(project, record.integration, at)));
    const firsts = { no: [true], perhaps: [true, false], yes: [false] }[this.#seen];
    const ways = held.flatMap((way) => firsts.map((first) => ({ ...way, first })));
    known.outcomes = distinct(
      known.memories.flatMap((memory) => ways.flatMap((way) => see(memory, record, known.limits, { at, ...way }))),
    );
  }

  #isHeld({ outages, ended }: ProjectMemory, provider: string, at: number): readonly Pick<Sight, 'spared' | 'ended'>[] {
    const concerns = (outage: Outage) => outage.provider === null || outage.provider === provider;
    const ages = outages
      .filter(concerns)
      .map(
        ({ since, calmSince }) => calmSince !== null || at - since < this.#limits.providerOutage.holdHours * HOUR_MS,
      );
    // The specification does not say whether the hours start again if a provider's outage becomes a common cause.
    const holds = ages.length === 0 ? [false] : [ages.every(Boolean), ages.some(Boolean)];
    return holds.map((spared) => ({ spared, ended: ended.filter(concerns) }));
  }

  /** Rule 10. */
  #seeOutages(records: readonly SandboxRecord[], at: number) {
    const readings = [false, true].map((lenient) => records.map((record) => this.#evidence(record, at, lenient)));
    const ways = this.#projects.flatMap((project) =>
      // The specification does not say whether an outage can end without an attempt.
      distinct(readings).flatMap((evidence) =>
        [true, false].map((silenceIsCalm) => this.#nextOutages(project, evidence, at, silenceIsCalm)),
      ),
    );
    const [first, ...rest] = ways.map(({ events }) => events);
    const spared = ways.some(({ project }) => project.outages.length > 0);
    return {
      projects: distinct(ways.map(({ project }) => project)),
      events: (first ?? []).filter((event) => rest.every((others) => others.includes(event))),
      possible: ways.flatMap(({ events }) => events),
      spared,
    };
  }

  #evidence(record: SandboxRecord, at: number, lenient: boolean): Evidence {
    const { memories, limits } = this.#of(record.id);
    const within = (moment: string | null, ms: number) => moment !== null && at - Date.parse(moment) <= ms;
    const some = (test: (memory: Memory) => boolean) => (lenient ? memories.some(test) : memories.every(test));
    const tried =
      record.active === 1 &&
      (within(record.last_error_at, 30 * MINUTE_MS) || within(record.last_delivery_at, 30 * MINUTE_MS));
    // "Paused within the hour" may mean the last pause or the first of the outage. The hour may be just over.
    const paused =
      record.active === 0 &&
      some(
        ({ circuit, by, openedAt, stoppedAt }) =>
          circuit === 'open' &&
          by === 'guard' &&
          (lenient ? at - openedAt <= HOUR_MS : at - Math.min(openedAt, stoppedAt) < HOUR_MS),
      );
    // The specification does not say whether failures from before an operator's change count.
    const before = lenient && memories.some(({ mark }) => freshErrors(record, mark) > 0);
    const now = some((memory) => seenActive(memory, record, at).some(({ mark }) => freshErrors(record, mark) > 0));
    const failing = tried && (before || now);
    return {
      provider: this.#limits.providerOutage.except.includes(record.integration) ? null : record.integration,
      counts: (tried || paused) && limits.mode !== 'ignore',
      worked: within(record.last_delivery_at, DAY_MS),
      fails: paused || failing,
    };
  }

  #nextOutages(project: ProjectMemory, evidence: readonly Evidence[], at: number, silenceIsCalm: boolean) {
    const { percent, minimum } = this.#limits.providerOutage;
    const counted = evidence.filter(({ counts }) => counts);
    const shareOf = (of: readonly Evidence[]) => {
      const fail = of.filter(({ fails }) => fails).length;
      const worked = of.filter((item) => item.worked);
      const begun = worked.filter(({ fails }) => fails).length;
      const isDown = begun >= minimum && begun * 100 >= percent * worked.length;
      const isCalm = of.length === 0 ? silenceIsCalm : fail * 2 <= of.length;
      const isStillDown = fail >= minimum && fail * 2 > of.length;
      return { isDown, isCalm, isStillDown, canShow: of.length >= minimum, fail, silent: of.length === 0 };
    };
    const events: string[] = [];
    const over = project.ended.filter(({ endedAt }) => endedAt !== null && at - endedAt < DAY_MS);
    const ended = [...over];
    const groups = Map.groupBy(counted, ({ provider }) => provider);
    const stillDown = [...groups].filter(([provider, of]) => provider !== null && shareOf(of).isStillDown).length;
    const lasting = project.outages.flatMap((outage): readonly Outage[] => {
      const { provider, calmSince, returns } = outage;
      const { isCalm: mayBeCalm, silent } = shareOf(provider === null ? counted : (groups.get(provider) ?? []));
      const isCalm = mayBeCalm && (provider !== null || stillDown < 2 || silent);
      const calm = isCalm ? (calmSince ?? at) : silent ? calmSince : null;
      const calmMs = Math.min(OUTAGE_CALM_MS * 2 ** returns, DAY_MS / 2);
      if (!isCalm || calm === null || at - calm < calmMs) return [{ ...outage, calmSince: calm }];
      events.push(provider === null ? 'guard.common-cause-ended ' : `provider.recovered ${provider}`);
      ended.push({ ...outage, endedAt: at });
      return [];
    });
    if (lasting.some(({ provider }) => provider === null))
      return { project: { ...project, outages: lasting, ended }, events };
    const names = [...new Set(counted.flatMap(({ provider }) => provider ?? []))].sort();
    const shares = new Map(names.map((name) => [name, shareOf(counted.filter(({ provider }) => provider === name))]));
    const isLasting = (name: string) => lasting.some(({ provider }) => provider === name);
    const fresh = names.filter((name) => !isLasting(name) && shares.get(name)?.isDown);
    const down = lasting.length + fresh.length;
    const able = names.filter((name) => shares.get(name)?.canShow || isLasting(name)).length;
    const failing = [...shares.values()].filter(({ fail }) => fail > 0).length;
    const several = fresh.length > 0 && (down >= 3 || (down === 2 && able <= 3));
    const common = several || (shareOf(counted).isDown && failing >= 2);
    const begun = common ? [null] : fresh;
    for (const provider of begun) events.push(provider === null ? 'guard.common-cause ' : `provider.down ${provider}`);
    const returnsOf = (provider: string | null) => {
      const before = over.findLast((outage) => outage.provider === provider);
      return before?.endedAt != null && at - before.endedAt < DAY_MS / 4 ? before.returns + 1 : 0;
    };
    const outages = [
      ...lasting,
      ...begun.map((provider) => ({
        provider,
        since: at,
        calmSince: null,
        endedAt: null,
        returns: returnsOf(provider),
      })),
    ];
    return { project: { ...project, outages, ended }, events };
  }

  /** Rule 11. */
  #seeHold(records: readonly SandboxRecord[], projects: readonly ProjectMemory[], at: number) {
    const { percent, floor } = this.#limits.blastRadius;
    const active = records.filter((record) => record.active === 1).length;
    const allowed = Math.max(floor, Math.floor((percent * active) / 100));
    const known = records.map(({ id }) => this.#of(id)).filter(({ limits }) => limits.mode === 'enforce');
    const wants = ({ act }: Outcome) => act === 'trip';
    const least = known.filter(({ outcomes }) => outcomes.every(wants)).length;
    const trips = records.filter(
      ({ id }) => this.#of(id).limits.mode === 'enforce' && this.#of(id).outcomes.some(wants),
    );
    // The specification does not say whether a held integration stays over the limits after Qonversion suspends it.
    const suspended = records.filter(({ id, active }) => active === 2 && this.#held.has(id));
    const most = trips.length === 0 ? 0 : trips.length + suspended.length;
    const states = projects.flatMap((project) =>
      [...new Set([least, most])].map((wanted) => {
        const over = wanted > allowed;
        if (over) return { project: { ...project, held: { calmSince: null } }, trips: false, newSpan: false, over };
        if (project.held === null) return { project, trips: true, newSpan: false, over };
        const calmSince = project.held.calmSince ?? at;
        const ends = at - calmSince >= HOLD_CALM_MS;
        return { project: { ...project, held: ends ? null : { calmSince } }, trips: false, newSpan: ends, over };
      }),
    );
    if (states.every(({ project }) => project.held === null)) this.#held.clear();
    else if (states.some(({ over }) => over)) for (const { id } of trips) this.#held.add(id);
    const begins = this.#projects.every(({ held }) => held === null) && states.every(({ over }) => over);
    const begun = this.#projects.some(({ held }) => held === null) && states.some(({ over }) => over);
    return { states, events: begins ? ['guard.held '] : [], possible: begun ? ['guard.held '] : [] };
  }

  /** Whether people may have an alert that it fails, and none yet that it recovered. */
  isReported(id: string): boolean {
    return this.#of(id).memories.some(
      ({ circuit, warned, reported, recovering, watch }) =>
        circuit !== 'closed' || warned || reported || recovering || watch?.reported,
    );
  }

  /** Whether the daily summary lists it: it is stopped, not by an operator, and this pass does not resume it. */
  isStopped({ id, active }: SandboxRecord, remindAt: number): 'yes' | 'perhaps' | 'no' {
    const { outcomes, limits } = this.#of(id);
    const open = outcomes.filter(({ memory }) => memory.circuit === 'open');
    if (active === 1 || open.length === 0 || limits.mode === 'ignore') return 'no';
    return open.length === outcomes.length &&
      open.every(({ act, memory }) => act === undefined && memory.openedAt <= remindAt)
      ? 'yes'
      : 'perhaps';
  }

  #of(id: string): Known {
    const known = this.#known.get(id);
    if (known === undefined) throw new Error(`the oracle does not know ${id}`);
    return known;
  }
}

/** The circuit of an ignored integration follows its `active`. */
const IGNORED = ['isolated', 'closed', 'open'] as const;

const NO_MARK: Mark = { count: 0, deliveredAt: '' };

function markOf(record: SandboxRecord): Mark {
  return { count: record.delivery_error_count, deliveredAt: record.last_delivery_at };
}

function closed(record: SandboxRecord, mark: Mark): Memory {
  return {
    circuit: 'closed',
    by: 'operator',
    mark,
    updatedAt: record.updated_at,
    stretch: null,
    warned: false,
    reported: false,
    recovering: false,
    watch: null,
    stoppedAt: 0,
    openedAt: 0,
    resumedAt: 0,
    failedProbes: 0,
    probedAt: 0,
    delivering: null,
  };
}

function deliveredSince(record: SandboxRecord, mark: Mark): boolean {
  return record.delivery_error_count < mark.count || record.last_delivery_at !== mark.deliveredAt;
}

/** Rule 1. */
function freshErrors(record: SandboxRecord, mark: Mark): number {
  return deliveredSince(record, mark) ? record.delivery_error_count : record.delivery_error_count - mark.count;
}

/** Rules 2 to 4. */
function spanMs(record: SandboxRecord, { since }: { readonly since: number }): number {
  return record.last_error_at === null ? 0 : Math.max(0, Date.parse(record.last_error_at) - since);
}

function isOver(
  record: SandboxRecord,
  fresh: number,
  stretch: { readonly since: number },
  limits: Limits,
  slackMs = 0,
): boolean {
  const span = spanMs(record, stretch) + slackMs;
  const { errors, pauseAfterHours } = limits.lowTraffic;
  return (
    (fresh >= limits.errorThreshold && span >= limits.failingForMinutes * MINUTE_MS) ||
    (fresh >= errors && span >= pauseAfterHours * HOUR_MS)
  );
}

function isToBeWarnedOf(
  record: SandboxRecord,
  fresh: number,
  stretch: { readonly since: number },
  limits: Limits,
  slackMs = 0,
) {
  const span = spanMs(record, stretch) + slackMs;
  const { errors, warnAfterHours } = limits.lowTraffic;
  return (
    (fresh >= limits.errorThreshold / 2 && span >= (limits.failingForMinutes / 2) * MINUTE_MS) ||
    (fresh >= Math.ceil(errors / 2) && span >= warnAfterHours * HOUR_MS)
  );
}

/** The memory after the guard has set a state. */
function acted(memory: Memory, record: SandboxRecord, at: number): Memory {
  const blank = closed(record, markOf(record));
  const { by, stoppedAt, openedAt, failedProbes } = memory;
  if (record.active === 1)
    return { ...blank, circuit: 'half-open', by, stoppedAt, openedAt, failedProbes, probedAt: at };
  const again = memory.circuit === 'half-open';
  const failed = again ? failedProbes + 1 : 0;
  return {
    ...blank,
    circuit: 'open',
    by: 'guard',
    stoppedAt: again ? stoppedAt : at,
    openedAt: at,
    failedProbes: failed,
  };
}

/** Rule 11: after a hold, failures get a new span. */
function withNewSpan(memory: Memory, at: number): Memory {
  return memory.stretch === null ? memory : { ...memory, stretch: { ...memory.stretch, since: at } };
}

interface Sight {
  readonly at: number;
  /** Whether a shared outage holds it (rule 10). */
  readonly spared: boolean;
  /** Its ended outages. */
  readonly ended: readonly Outage[];
  /** Whether this is the first look at the project (rule 2). */
  readonly first: boolean;
}

/** Every possible result of a pass for one integration. */
function see(memory: Memory, record: SandboxRecord, limits: Limits, sight: Sight): readonly Outcome[] {
  if (record.active !== 1) return seeStopped(memory, record, limits, sight);
  const events = memory.circuit === 'open' || memory.circuit === 'half-open' ? ['integration.reactivated'] : [];
  return seenActive(memory, record, sight.at).flatMap((next) =>
    next.circuit === 'half-open'
      ? seeProbe(next, record, limits, sight)
      : seeClosed(next, record, limits, sight).map((outcome) => ({
          ...outcome,
          events: [...events, ...(outcome.events ?? [])],
        })),
  );
}

/** Rules 5, 6 and 8: an operator may have resumed it, before or during a probe, or between two passes. */
function seenActive(memory: Memory, record: SandboxRecord, at: number): readonly Memory[] {
  const { circuit, mark, stretch, watch, updatedAt } = memory;
  if (circuit !== 'open' && circuit !== 'isolated' && updatedAt === record.updated_at) return [memory];
  const resumed = { ...closed(record, circuit === 'isolated' ? mark : markOf(record)), resumedAt: at };
  if (circuit === 'open' || circuit === 'half-open') return [resumed];
  // The specification does not say whether failures that outlast an operator's pause need new alerts.
  const { warned, reported } = memory;
  const recovering = memory.recovering || ((warned || reported) && deliveredSince(record, stretch ?? mark));
  const ways = [
    resumed,
    { ...resumed, warned: warned && !recovering, reported: reported && !recovering, recovering, watch },
  ];
  // A quiet pass writes nothing, so the guard need not remember when a healthy integration was changed.
  const isBlank = circuit === 'closed' && stretch === null && watch === null;
  return distinct(isBlank ? [{ ...memory, updatedAt: record.updated_at }, ...(updatedAt === '' ? [] : ways)] : ways);
}

function seeStopped(memory: Memory, record: SandboxRecord, limits: Limits, { at, ended }: Sight): readonly Outcome[] {
  const isolated: Memory = { ...closed(record, markOf(record)), circuit: 'isolated' };
  const { circuit, by, failedProbes } = memory;
  const moved = memory.updatedAt !== record.updated_at;
  if (record.active === 0) {
    if (circuit === 'closed' || circuit === 'isolated')
      return [{ memory: { ...isolated, warned: memory.warned, reported: memory.reported } }];
    const left: Outcome = { memory: isolated, events: ['integration.recovery-abandoned?'] };
    if (circuit === 'half-open' || by === 'worker') return [left];
    // An operator changed it between two passes. The guard must notice that before the next probe.
    if (moved) return [{ memory }, left];
  } else if (circuit !== 'open' || by === 'guard' || moved) {
    const again = circuit === 'half-open' ? [failedProbes + 1] : circuit === 'open' ? [0, failedProbes] : [0];
    const stoppedAt = circuit === 'open' || circuit === 'half-open' ? memory.stoppedAt : at;
    return again.map((failed) => ({
      memory: { ...isolated, circuit: 'open', by: 'worker', stoppedAt, openedAt: at, failedProbes: failed },
      events: suspension(memory, record),
    }));
  }
  const { probe, mode } = limits;
  const isDue = probe !== null && mode === 'enforce' && failedProbes < probe.maxAttempts;
  const isTime = ended.some(
    ({ since, endedAt }) => endedAt !== null && memory.openedAt > since && memory.openedAt <= endedAt,
  );
  const isCool = isDue && at - memory.openedAt >= cooldownMs(probe, failedProbes);
  return [isCool || (isDue && isTime) ? { memory, act: 'probe' } : { memory }];
}

function suspension(memory: Memory, record: SandboxRecord): readonly string[] {
  const { circuit, by, mark } = memory;
  // A second suspension between two passes looks like the first.
  if (circuit === 'open' && by === 'worker') return ['integration.suspended?'];
  // Without a delivery since the probe, it is the failure of the probe.
  if (circuit === 'half-open' && by === 'worker' && !deliveredSince(record, mark)) return [];
  return ['integration.suspended'];
}

/** Rule 8. */
function seeProbe(memory: Memory, record: SandboxRecord, limits: Limits, { at }: Sight): readonly Outcome[] {
  const { probe } = limits;
  const fresh = freshErrors(record, memory.mark);
  if (probe === null) return [{ memory }];
  if (fresh >= probe.probeErrors) return [{ memory, act: 'end probe' }];
  const seen = { since: at, deliveredAt: record.last_delivery_at };
  const delivering = memory.delivering ?? (deliveredSince(record, memory.mark) ? seen : null);
  const goesOn = { ...memory, delivering };
  const recovered = { memory: closed(record, memory.mark), events: ['integration.recovered'] };
  const later = delivering !== null && record.last_delivery_at !== delivering.deliveredAt;
  const lasted = delivering === null ? 0 : at - delivering.since;
  if (later) {
    if (lasted < cooldownMs(probe, memory.failedProbes)) return [{ memory: goesOn }];
    // The planned cooldown or the actual one: a missed pass makes the actual one longer.
    return lasted >= memory.probedAt - memory.openedAt ? [recovered] : [recovered, { memory: goesOn }];
  }
  return lasted >= DAY_MS ? [recovered] : [{ memory: goesOn }];
}

const SLACK_MS = MINUTE_MS;

/** Rules 2 to 4 and 9. */
function seeClosed(before: Memory, record: SandboxRecord, limits: Limits, sight: Sight): readonly Outcome[] {
  const { at, spared, ended, first } = sight;
  const fresh = freshErrors(record, before.mark);
  const events: string[] = [];
  let { stretch, warned, reported, recovering } = before;
  if ((warned || reported) && deliveredSince(record, stretch ?? before.mark)) {
    recovering = true;
    warned = false;
    reported = false;
  }
  if (stretch !== null && deliveredSince(record, stretch)) stretch = null;
  for (const { since, endedAt } of ended)
    if (stretch !== null && endedAt !== null && stretch.since >= since - 30 * MINUTE_MS && stretch.since < endedAt)
      stretch = { ...stretch, since: endedAt };
  let watch = limits.flapping === 'off' ? null : nextWatch(before.watch, record, fresh, at);
  const recovered = recovering || before.watch?.reported;
  if (recovered)
    events.push(watch === null && before.watch?.reported ? 'integration.recovered' : 'integration.recovered?');
  recovering &&= watch !== null;
  const flaps = watch !== null && watch.sum >= 5 && fresh > 0 && !spared;
  if (flaps && watch !== null && !watch.reported) {
    events.push('integration.flapping');
    watch = { ...watch, reported: true };
  }
  // Rare attempts count each, from an hour after the last delivery, or also after a later resume.
  const alive = Date.parse(record.last_delivery_at ?? record.created_at);
  const isRare = (since: number) => Date.parse(record.last_error_at ?? '') - since >= HOUR_MS;
  const begins = fresh >= 3 || (fresh >= 1 && isRare(alive));
  const mayWait = fresh < 3 && !isRare(Math.max(alive, before.resumedAt));
  const begun = { ...markOf(record), since: first ? alive : at };
  const stretches = stretch === null && begins ? (mayWait ? [begun, null] : [begun]) : [stretch];
  return stretches.flatMap((stretch) => {
    // Within a minute of a limit, both results are right, because whole minutes and two clocks decide.
    const either = (is: (slackMs: number) => boolean) => [...new Set([is(-SLACK_MS), is(SLACK_MS)])];
    const overs = either((slack) => stretch !== null && isOver(record, fresh, stretch, limits, slack) && !spared);
    const warns = either((slack) => stretch !== null && isToBeWarnedOf(record, fresh, stretch, limits, slack));
    return overs.flatMap((over) => warns.map((toWarn) => judged(stretch, over, toWarn)));
  });

  function judged(stretch: Memory['stretch'], over: boolean, toWarn: boolean): Outcome {
    const mark = deliveredSince(record, before.mark) ? NO_MARK : before.mark;
    const memory = { ...before, mark, stretch, warned, reported, recovering, watch };
    if (over || (flaps && limits.flapping === 'pause')) {
      if (limits.mode === 'observe')
        return {
          memory: { ...memory, reported: true },
          events: reported ? events : [...events, recovering ? 'integration.would-pause?' : 'integration.would-pause'],
        };
      return {
        memory,
        act: 'trip',
        events: [...events.map((type) => `${type.replace('?', '')}?`), 'integration.failing?'],
      };
    }
    if (warned || spared || stretch === null || !toWarn) return { memory, events };
    // "During the episode it does not warn of each failure", but a failure without a delivery may have a warning.
    const warning = watch?.reported || recovering ? 'integration.failing?' : 'integration.failing';
    return { memory: { ...memory, warned: true }, events: [...events, warning] };
  }
}

/** Rule 9. */
function nextWatch(watch: Memory['watch'], record: SandboxRecord, fresh: number, at: number): Memory['watch'] {
  const { last_error_at: errorAt, last_delivery_at: deliveredAt } = record;
  const failed = Math.log(0.6 / 0.2);
  const lastAttempt = Math.max(Date.parse(watch?.errorAt ?? '') || 0, Date.parse(watch?.deliveredAt ?? '') || 0);
  if (watch === null || at - lastAttempt >= DAY_MS)
    return fresh < 3 ? null : { sum: failed, deliveries: 0, errorAt, deliveredAt, reported: false };
  if (watch.errorAt === errorAt && watch.deliveredAt === deliveredAt) return watch;
  const deliveries = Math.min(2, watch.deliveries + (watch.deliveredAt === deliveredAt ? 0 : 1));
  const sum = Math.min(deliveries < 2 ? 3 : 10, watch.sum + (fresh > 0 ? failed : Math.log(0.4 / 0.8)));
  return sum <= 0 ? null : { ...watch, sum, deliveries, errorAt, deliveredAt };
}

function cooldownMs(probe: NonNullable<Limits['probe']>, failedProbes: number): number {
  return Math.min(probe.cooldownMinutes * probe.backoff ** failedProbes, probe.maxCooldownMinutes) * MINUTE_MS;
}

/** The items without duplicates. */
function distinct<T>(items: readonly T[]): readonly T[] {
  return items.length < 2 ? items : [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
