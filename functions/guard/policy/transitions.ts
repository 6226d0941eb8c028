import {
  type Baseline,
  BLANK_SETTLED,
  type Circuit,
  type Figures,
  type GuardEvent,
  type IntegrationRecord,
  type OncePerEpisode,
  type SettledEntry,
  type Status,
  type Told,
} from '../model/entry.ts';
import { abandonedToPeople, type EventSeed, makeEvent } from '../model/event.ts';
import { plural } from '../text/sanitize.ts';
import { describeMinutes, describeMoment, isLater, isReminderDue, minutesBetween } from '../text/time.ts';
import {
  type HalfOpenCircuit,
  nextProbeAt,
  type OpenCircuit,
  probe,
  reminded,
  reopen,
  takenOver,
  trip,
} from './circuit.ts';
import {
  type Assessment,
  assess,
  baselineOf,
  changedSince,
  changedUnseen,
  deliveredSince,
  type EffectivePolicy,
  stampOf,
} from './figures.ts';
import { CALM_PASSES, countBoth, isFlapping, isUnstable, WINDOW, watchFlaps } from './flapping.ts';

/** What the policy says about one record, in one word. */
export type DecisionKind =
  /** No fresh errors. */
  | 'healthy'
  /** Fresh errors, below the limits, or already told. */
  | 'watch'
  /** The early warning. */
  | 'warn'
  /** Trip: closed → open, or the end of a failed trial. */
  | 'pause'
  /** What `pause` would be, in observe mode. */
  | 'would-pause'
  /** Over the limits, held back by the blast radius. */
  | 'held'
  /** Stopped, by us or by Qonversion's worker; nothing to do yet. */
  | 'open'
  /** Qonversion's worker has just suspended it. */
  | 'suspended'
  | 'remind'
  /** Open → half-open. */
  | 'probe'
  /** Half-open, and no verdict yet. */
  | 'trial'
  | 'recovered'
  /** Somebody re-activated what we or Qonversion had stopped. */
  | 'reactivated'
  /** Paused by somebody else: theirs. */
  | 'operator-paused'
  | 'ignored'
  /** Another pass is at work on it. */
  | 'under-way'
  /** What an operator asked for through the guard. */
  | 'operator-pause'
  | 'operator-resume'
  | 'operator-ignore'
  | 'operator-heed'
  /** In the ledger, but no longer in the project. */
  | 'gone';

export interface DecisionContext {
  readonly project: string;
  readonly now: string;
  /** False when the blast radius holds trips back (rule 8). */
  readonly mayTrip: boolean;
  /** `updated_at` moves when somebody changes an integration, and only then (`stampsTellChanges`). */
  readonly stampsTell: boolean;
}

/** What the rules make of a record, before it is wrapped as a decision. */
export interface Ruling {
  readonly kind: DecisionKind;
  readonly reason: string;
  readonly figures?: Figures;
  readonly act?: { readonly status: Status };
  readonly events?: readonly GuardEvent[];
  readonly settled: SettledEntry;
}

/** The rules of one record, with all they look at. */
export interface Case {
  readonly record: IntegrationRecord;
  readonly before: SettledEntry;
  readonly policy: EffectivePolicy;
  readonly context: DecisionContext;
}

/** The numbered rules of the policy for one record. Pure: the same case always gives the same ruling. */
export function rule(item: Case): Ruling {
  const { policy, before, context } = item;
  if (policy.mode === 'ignore') return ruleIgnored(item, 'ignored by the settings');
  if (isLater(before.ignoredUntil, context.now)) {
    return ruleIgnored(item, `ignored by an operator until ${describeMoment(before.ignoredUntil, context.now)}`);
  }
  const heeded = before.ignoredUntil === null ? item : { ...item, before: { ...before, ignoredUntil: null } };
  switch (item.record.active) {
    case 0:
      return rulePaused(heeded);
    case 1:
      return ruleActive(heeded);
    case 2:
      return ruleSuspended(heeded);
  }
}

/** Never acted on, never told of; but activations are remembered, so that the day it counts again it starts afresh. */
function ruleIgnored(item: Case, reason: string): Ruling {
  const { record, before, context } = item;
  const { circuit, ignoredUntil } = before;
  const ruling = { kind: 'ignored', reason } as const;
  if (record.active === 1 && (circuit.state !== 'closed' || before.pausedByOperator)) {
    const baseline = circuit.state === 'closed' ? before.baseline : baselineNow(item);
    return { ...ruling, settled: { ...BLANK_SETTLED, ignoredUntil, baseline, activatedAt: context.now } };
  }
  if (record.active === 0 && circuit.state !== 'open')
    return { ...ruling, settled: { ...operatorPaused(item), ignoredUntil } };
  return { ...ruling, settled: before };
}

/** `active` 0: ours while our circuit is open, otherwise an operator's choice (rule 5). */
function rulePaused(item: Case): Ruling {
  const { circuit } = item.before;
  if (circuit.state === 'open' && circuit.by === 'guard') return ruleOpen(item, circuit);
  const reason = 'paused by somebody else, or never started; left alone';
  return {
    kind: 'operator-paused',
    reason,
    events: item.before.pausedByOperator ? [] : [operatorEvent(item, 'integration.operator-paused', reason)],
    settled: operatorPaused(item),
  };
}

/** `active` 2: the worker's verdict, told once per suspension and never covered up with a 0 (rule 6). */
function ruleSuspended(item: Case): Ruling {
  const { record, before, policy, context } = item;
  // A delivery has ended the trial since, though no pass saw it: this is another outage.
  const ended = before.circuit.state === 'half-open' && deliveredSince(record, before.baseline);
  const circuit: Circuit = ended ? { state: 'closed' } : before.circuit;
  if (circuit.state === 'open' && circuit.by === 'qonversion') return ruleOpen(item, circuit);

  const { figures } = assess(record, before, policy, context.now);
  const next =
    circuit.state === 'closed'
      ? trip('qonversion', figures.failingSince, context.now)
      : circuit.state === 'open'
        ? takenOver(circuit, context.now)
        : reopen(circuit, 'qonversion', context.now);
  const trial = circuit.state === 'half-open' ? `on trial ${next.failedProbes}, ` : '';
  const reason = `${trial}Qonversion's delivery worker suspended it after ${failures(figures, context.now)}`;
  const retry = policy.mode === 'enforce' ? nextProbeAt(next, policy.recovery) : null;
  const seed = { episode: next.episode, ordinal: next.failedProbes, reason, figures, nextProbeAt: retry };
  const events = [event(item, { ...seed, type: 'integration.suspended' })];
  if (circuit.state === 'half-open' && policy.recovery.mode === 'probe' && retry === null) {
    events.push(event(item, { ...seed, type: 'integration.recovery-abandoned', reason: abandonedReason(next) }));
  }
  return {
    kind: 'suspended',
    reason,
    figures,
    events,
    settled: { ...BLANK_SETTLED, circuit: next, baseline: baselineNow(item) },
  };
}

function ruleActive(item: Case): Ruling {
  const { circuit } = item.before;
  switch (circuit.state) {
    case 'open':
      return ruleReactivated(item, circuit);
    case 'half-open':
      return ruleHalfOpen(item, circuit);
    case 'closed':
      return ruleResumed(item, ruleClosed(item));
  }
}

/** The end of an operator's pause is theirs as well: kept in the history, and no news to anybody. */
function ruleResumed(item: Case, ruling: Ruling): Ruling {
  if (!item.before.pausedByOperator) return ruling;
  const reason = 'somebody re-activated or started it';
  return { ...ruling, events: [operatorEvent(item, 'integration.operator-resumed', reason), ...(ruling.events ?? [])] };
}

/** Rule 4: somebody re-activated it. Whatever the count says, the operator is right. */
function ruleReactivated(item: Case, circuit: OpenCircuit | HalfOpenCircuit): Ruling {
  const { record, context } = item;
  const since = (moment: string) => describeMoment(moment, context.now);
  const what =
    circuit.state === 'half-open'
      ? `somebody changed it while it was on trial since ${since(circuit.probedAt)}`
      : `somebody re-activated what ${circuit.by === 'guard' ? 'the guard paused' : 'Qonversion suspended'} at ${since(circuit.openedAt)}`;
  const reason = `${what}; failures count from ${record.delivery_error_count.toLocaleString('en-US')} on`;
  return {
    kind: 'reactivated',
    reason,
    events: [
      event(item, { type: 'integration.reactivated', episode: circuit.episode, ordinal: circuit.failedProbes, reason }),
    ],
    settled: { ...BLANK_SETTLED, baseline: baselineNow(item), activatedAt: context.now },
  };
}

/** An open circuit: probed when its cooldown is over (rule 7), reminded of while it lasts. */
function ruleOpen(item: Case, circuit: OpenCircuit): Ruling {
  const { record, before, policy, context } = item;
  const { now } = context;
  const due = policy.mode === 'enforce' ? nextProbeAt(circuit, policy.recovery) : null;
  if (due !== null && Date.parse(now) >= Date.parse(due)) return ruleProbe(item, circuit);

  const stopped = circuit.by === 'guard' ? 'paused by the guard' : "suspended by Qonversion's worker";
  const down = describeMinutes(minutesBetween(circuit.openedAt, now));
  const retry = due === null ? 'nothing will re-activate it by itself' : `next trial ${describeMoment(due, now)}`;
  const reason = `${stopped} for ${down}; ${retry}`;
  if (isReminderDue(circuit.alertedAt, policy.remindEveryHours, now)) {
    const next = reminded(circuit, now);
    const { figures } = assess(record, before, policy, now);
    const seed = { episode: circuit.episode, ordinal: next.reminders, reason, figures, nextProbeAt: due };
    return {
      kind: 'remind',
      reason,
      events: [event(item, { ...seed, type: 'integration.still-down' })],
      settled: { ...before, circuit: next },
    };
  }
  return { kind: 'open', reason, settled: before };
}

function ruleProbe(item: Case, circuit: OpenCircuit): Ruling {
  const { record, policy, context } = item;
  // Paused again by somebody who had re-activated it, between two passes: theirs now (rule 7).
  if (circuit.by === 'guard' && changedSince(record, item.before.baseline)) return ruleLeftToPeople(item, circuit);
  const attempt = circuit.failedProbes + 1;
  const most = policy.recovery.mode === 'probe' ? policy.recovery.maxAttempts : attempt;
  const stopped = describeMinutes(minutesBetween(circuit.openedAt, context.now));
  const reason = `stopped for ${stopped}; re-activated on trial, attempt ${attempt} of ${most}`;
  return {
    kind: 'probe',
    reason,
    act: { status: 1 },
    events: [
      event(item, {
        type: 'integration.probing',
        episode: circuit.episode,
        ordinal: attempt,
        reason,
        record: { ...record, active: 1 },
      }),
    ],
    settled: {
      ...BLANK_SETTLED,
      circuit: probe(circuit, context.now),
      baseline: baselineNow(item),
      activatedAt: context.now,
    },
  };
}

function ruleLeftToPeople(item: Case, circuit: OpenCircuit): Ruling {
  const { project, now } = item.context;
  const event = abandonedToPeople(item.record, { project, time: now, episode: circuit.episode });
  return { kind: 'operator-paused', reason: event.reason, events: [event], settled: operatorPaused(item) };
}

/** On trial: a delivery closes it, a few failures open it again. */
function ruleHalfOpen(item: Case, circuit: HalfOpenCircuit): Ruling {
  const { record, before, policy, context } = item;
  const { now } = context;
  if (deliveredSince(record, before.baseline)) {
    const reason = `a delivery succeeded after it was re-activated on trial at ${describeMoment(circuit.probedAt, now)}`;
    return {
      kind: 'recovered',
      reason,
      events: [
        event(item, { type: 'integration.recovered', episode: circuit.episode, ordinal: circuit.failedProbes, reason }),
      ],
      settled: BLANK_SETTLED,
    };
  }
  // An operator's choice during a trial wins (rule 7), even if it came and went between two passes.
  if (changedSince(record, before.baseline)) {
    return ruleReactivated(item, circuit);
  }
  const { figures, overLimits } = assess(record, before, policy, now);
  const { recovery } = policy;
  const failed = recovery.mode === 'probe' ? figures.freshErrors >= recovery.probeErrors : overLimits;
  if (!failed) {
    const reason = `on trial since ${describeMoment(circuit.probedAt, now)}; ${plural(figures.freshErrors, 'failure')} and no delivery yet`;
    return { kind: 'trial', reason, figures, settled: before };
  }

  const next = reopen(circuit, 'guard', now);
  const due = nextProbeAt(next, recovery);
  const trial = `trial ${next.failedProbes} failed: ${plural(figures.freshErrors, 'failure')} since ${describeMoment(circuit.probedAt, now)}`;
  if (policy.mode === 'observe') return ruleWouldPause(item, before, figures, trial);
  const givenUp = recovery.mode === 'probe' && due === null;
  const reason = givenUp
    ? `${trial}; ${abandonedReason(next)}`
    : due === null
      ? trial
      : `${trial}; next trial ${describeMoment(due, now)}`;
  const type = givenUp ? 'integration.recovery-abandoned' : 'integration.paused';
  return {
    kind: 'pause',
    reason,
    figures,
    act: { status: 0 },
    events: [
      pausedEvent(item, { type, episode: next.episode, ordinal: next.failedProbes, reason, figures, nextProbeAt: due }),
    ],
    settled: { ...BLANK_SETTLED, circuit: next, baseline: baselineNow(item) },
  };
}

/** Active, and nothing stopped it: rules 1 to 3, the early warning, and the end of a stretch that people were told of. */
function ruleClosed(item: Case): Ruling {
  const { record, policy, context } = item;
  const { now } = context;
  const watched = watchUnstable(item, freshen(item));
  const stretch = endStretch(item, watched.entry);
  const { entry } = stretch;
  const events = stretch.events.length > 0 ? stretch.events : watched.events;
  const assessment = assess(record, entry, policy, now);
  const { figures } = assessment;
  const reason = watched.reason ?? closedReason(assessment, now);
  const tooMuch = assessment.overLimits || (watched.reason !== null && policy.unstable === 'pause');

  if (tooMuch && policy.mode === 'observe') {
    const ruling = ruleWouldPause(item, entry, figures, reason);
    return { ...ruling, events: [...events, ...(ruling.events ?? [])] };
  }
  if (tooMuch && !context.mayTrip) {
    return { kind: 'held', reason: `${reason}; held back by the blast radius`, figures, events, settled: entry };
  }
  if (tooMuch) {
    const circuit = trip('guard', figures.failingSince, now);
    const due = nextProbeAt(circuit, policy.recovery);
    const paused = pausedEvent(item, {
      type: 'integration.paused',
      episode: circuit.episode,
      reason,
      figures,
      nextProbeAt: due,
    });
    return {
      kind: 'pause',
      reason,
      figures,
      act: { status: 0 },
      events: [...events, paused],
      settled: { ...BLANK_SETTLED, circuit, baseline: baselineNow(item) },
    };
  }
  if (assessment.overWarning) {
    const warning = warningReason(figures, policy, now);
    const told = tell(item, entry, 'integration.failing', figures, warning);
    return {
      kind: told.event === null ? 'watch' : 'warn',
      reason: warning,
      figures,
      events: [...events, ...present(told.event)],
      settled: told.entry,
    };
  }
  if (watched.reason !== null) {
    return { kind: watched.events.length > 0 ? 'warn' : 'watch', reason, figures, events, settled: entry };
  }
  const kind = events.length > 0 ? 'recovered' : figures.freshErrors > 0 ? 'watch' : 'healthy';
  return { kind, reason, figures, events, settled: entry };
}

/** What the last passes saw of an integration that fails and delivers by turns; `reason` says so while it is unstable. */
function watchUnstable(
  item: Case,
  entry: SettledEntry,
): { readonly entry: SettledEntry; readonly events: readonly GuardEvent[]; readonly reason: string | null } {
  const { record, policy, context } = item;
  const { now } = context;
  if (policy.unstable === 'off') return { entry: { ...entry, flaps: null }, events: [], reason: null };
  const flaps = watchFlaps(record, entry.flaps, now, policy.failingForMinutes);
  if (!isUnstable(flaps)) {
    const told = entry.flaps?.told ?? null;
    // An outage took its place: that has alerts of its own.
    const calm = flaps === null && told !== null && assess(record, entry, policy, now).figures.freshErrors === 0;
    const reason = `no failure in the last ${CALM_PASSES} passes`;
    const seed = { type: 'integration.recovered', episode: entry.flaps?.since ?? now, reason } as const;
    return {
      entry: flaps === entry.flaps ? entry : { ...entry, flaps },
      events: calm ? [event(item, seed)] : [],
      reason: null,
    };
  }
  const { figures } = assess(record, entry, policy, now);
  const reason = `both failures and deliveries in ${countBoth(flaps)} of the last ${WINDOW} passes; each delivery resets the count, so it stays below every threshold`;
  const { told } = flaps;
  if (told !== null && !isReminderDue(told.at, policy.remindEveryHours, now)) {
    return { entry: { ...entry, flaps }, events: [], reason };
  }
  const times = (told?.times ?? 0) + 1;
  const seed = { type: 'integration.flapping', episode: flaps.since, ordinal: times - 1, reason, figures } as const;
  return {
    entry: { ...entry, flaps: { ...flaps, told: { at: now, times } } },
    events: policy.unstable === 'pause' ? [] : [event(item, seed)],
    reason,
  };
}

function ruleWouldPause(item: Case, entry: SettledEntry, figures: Figures, reason: string): Ruling {
  const told = tell(item, entry, 'integration.would-pause', figures, `${reason}; observe mode, so nothing was touched`);
  return { kind: 'would-pause', reason, figures, events: present(told.event), settled: told.entry };
}

/** Brings the memory of an active integration up to date: an activation we now see, a baseline that no longer counts. */
function freshen(item: Case): SettledEntry {
  const { record, before, policy, context } = item;
  const { now } = context;
  if (before.pausedByOperator) {
    // Rule 5: the count remembered while it was paused is the baseline from here on.
    const baseline = { ...before.baseline, updatedAt: stampOf(record, before.baseline, context.stampsTell) };
    return withoutWhatIsOver(record, { ...before, pausedByOperator: false, activatedAt: now, told: null, baseline });
  }
  const entry = withoutWhatIsOver(record, before);
  const failing = record.delivery_error_count > entry.baseline.count;
  if (!failing || !changedUnseen(record, entry, policy, context)) return entry;
  return { ...entry, baseline: baselineNow(item), activatedAt: now };
}

/** A delivery ends what a baseline or an activation was remembered for. */
function withoutWhatIsOver(record: IntegrationRecord, entry: SettledEntry): SettledEntry {
  const baseline = deliveredSince(record, entry.baseline) ? BLANK_SETTLED.baseline : entry.baseline;
  const activatedAt = isLater(record.last_delivery_at, entry.activatedAt) ? null : entry.activatedAt;
  const same = baseline === entry.baseline && activatedAt === entry.activatedAt;
  return same ? entry : { ...entry, baseline, activatedAt };
}

/** When people were told of a stretch of failures and a delivery has succeeded since, they hear that it is over. */
function endStretch(item: Case, entry: SettledEntry): { entry: SettledEntry; events: readonly GuardEvent[] } {
  const { record, policy, context } = item;
  const { told } = entry;
  // While it fails and delivers by turns, each turn would be an alert.
  if (told === null || isFlapping(entry.flaps)) return { entry, events: [] };
  const { figures } = assess(record, entry, policy, context.now);
  const over = isLater(record.last_delivery_at, told.since) || record.delivery_error_count < told.errors;
  if (!over) return { entry, events: [] };
  const reason = `delivering again: a delivery succeeded${record.last_delivery_at === null ? '' : ` at ${describeMoment(record.last_delivery_at, context.now)}`}`;
  return {
    entry: { ...entry, told: null },
    events: [event(item, { type: 'integration.recovered', episode: told.since, reason, figures })],
  };
}

/** The event, unless this episode has had it; and the memory of having told it. */
function tell(
  item: Case,
  entry: SettledEntry,
  type: OncePerEpisode,
  figures: Figures,
  reason: string,
): { readonly event: GuardEvent | null; readonly entry: SettledEntry } {
  const told = rememberTold(entry.told, type, item.record, figures.failingSince, item.context.now);
  if (entry.told?.alerts[type] !== undefined) return { event: null, entry };
  return {
    event: event(item, { type, episode: told.since, reason, figures }),
    entry: { ...entry, told, baseline: noting(entry.baseline, item) },
  };
}

/** From here on a later change shows. */
function noting(baseline: Baseline, { record, context }: Case): Baseline {
  if (baseline.updatedAt !== null || !context.stampsTell) return baseline;
  return { ...baseline, lastDeliveryAt: record.last_delivery_at, updatedAt: record.updated_at };
}

/** Notes that people have been told; `told.since` stays the episode while the stretch lasts. */
export function rememberTold(
  told: Told | null,
  type: OncePerEpisode,
  record: IntegrationRecord,
  since: string,
  now: string,
): Told {
  const times = (told?.alerts[type]?.times ?? 0) + 1;
  return {
    since: told?.since ?? since,
    errors: record.delivery_error_count,
    alerts: { ...told?.alerts, [type]: { at: now, times } },
  };
}

function operatorPaused(item: Case): SettledEntry {
  return { ...BLANK_SETTLED, pausedByOperator: true, baseline: baselineNow(item) };
}

/** Failures count from here on. */
function baselineNow({ record, before, context }: Case): Baseline {
  return baselineOf(record, before.baseline, context.stampsTell);
}

function event(item: Case, seed: Omit<EventSeed, 'project' | 'time'>): GuardEvent {
  return makeEvent({ record: item.record, ...seed, project: item.context.project, time: item.context.now });
}

/** For the history alone. It happened when the record was changed last, if that stamp tells. */
function operatorEvent(
  item: Case,
  type: 'integration.operator-paused' | 'integration.operator-resumed',
  reason: string,
): GuardEvent {
  const { project, now, stampsTell } = item.context;
  const { record } = item;
  const time = stampsTell ? new Date(record.updated_at).toISOString() : now;
  return makeEvent({ type, project, time, episode: record.updated_at, reason, record });
}

/** The record of a `paused` event shows what it is about to be: the event is told only once the pause shows. */
function pausedEvent(item: Case, seed: Omit<EventSeed, 'project' | 'time'>): GuardEvent {
  return event(item, { ...seed, record: { ...item.record, active: 0 } });
}

function present<T>(value: T | null): readonly T[] {
  return value === null ? [] : [value];
}

function failures(figures: Figures, now: string): string {
  return `${plural(figures.freshErrors, 'failure')} since ${describeMoment(figures.failingSince, now)}`;
}

function closedReason({ figures }: Assessment, now: string): string {
  if (figures.freshErrors === 0) return 'no failures';
  const silence = `no delivery for ${describeMinutes(figures.failingMinutes)}`;
  return `${failures(figures, now)}, threshold ${figures.errorThreshold.toLocaleString('en-US')}; ${silence}, limit ${describeMinutes(figures.failingForMinutes)}`;
}

function warningReason(figures: Figures, policy: EffectivePolicy, now: string): string {
  const limits = `${plural(policy.errorThreshold, 'failure')} and ${describeMinutes(policy.failingForMinutes)} without a delivery`;
  const outlook = policy.mode === 'observe' ? 'the guard would pause it' : 'the guard pauses it';
  return `${failures(figures, now)}; no delivery for ${describeMinutes(figures.failingMinutes)}; ${outlook} at ${limits}`;
}

function abandonedReason(circuit: OpenCircuit): string {
  return `the guard has tried ${plural(circuit.failedProbes, 'time')} and will not try again by itself`;
}
