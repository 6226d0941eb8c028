import { type ClosedState, type Entry, type Mark, NO_MARK, type State, type StretchTopic } from '../model/entry.ts';
import type { Figures, GuardEvent } from '../model/event.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { plural } from '../text/sanitize.ts';
import { describeMinutes, describeMoment, isLater, latest, minutesBetween } from '../text/time.ts';
import { nextProbeAt, trip } from './circuit.ts';
import type { EffectivePolicy } from './effective-policy.ts';
import { type Assessment, assess, deliveredSince, sampleStretch } from './figures.ts';
import { alternates, isFlapping, sampleFlapping } from './flapping.ts';
import { noticed, stretchNotice, withoutStretch } from './notices.ts';
import { afterOutages } from './provider-outage.ts';
import { changedSinceMark, eventOf, type HoldingOutage, markNow, type Situation, type Verdict } from './situation.ts';

/** A closed circuit: checks the limits, the early warning, flapping, and the end of a stretch of failures. */
export function whenClosed(situation: Situation, state: ClosedState): Verdict {
  const mark = currentMark(situation, state.mark);
  const { entry } = situation;
  return judgeClosed(
    mark === state.mark ? situation : { ...situation, entry: { ...entry, state: { ...state, mark } } },
  );
}

/** The same for an entry whose mark is current. */
export function judgeClosed(before: Situation): Verdict {
  const { record, policy, outage, now } = before;
  const situation = { ...before, entry: noteStretch(before) };
  const watched = watchFlapping(situation);
  const ended = endStretch(situation, watched.entry);
  const { entry } = ended;
  const alerts = [...ended.alerts, ...watched.alerts];
  const assessment = assess(record, entry, policy);
  const { figures, overLimits, overWarning } = assessment;
  const reason = watched.reason ?? closedReason(assessment, policy, now);
  const trips = overLimits || (watched.reason !== null && policy.flapping === 'pause');

  if (outage !== null && figures.freshErrors > 0) {
    const held = `${reason}; ${outageReason(outage, now)}`;
    return { kind: 'shared-outage', reason: held, figures, alerts, next: entry };
  }
  if (trips) {
    if (policy.mode !== 'observe') return { ...pause(situation, entry, figures, reason), alerts };
    const verdict = wouldPause(situation, entry, figures, reason);
    return { ...verdict, alerts: [...alerts, ...(verdict.alerts ?? [])] };
  }
  // An integration that alternates would be warned about at each change.
  if (overWarning && !alternates(entry.flapping)) {
    const warning = warningReason(assessment, policy, now);
    const announced = noticeOnce(situation, entry, 'failing', figures, warning);
    const kind = announced.alerts.length > 0 ? 'warn' : 'watch';
    return { kind, reason: warning, figures, alerts: [...alerts, ...announced.alerts], next: announced.entry };
  }
  if (watched.reason !== null) {
    return { kind: watched.alerts.length > 0 ? 'warn' : 'watch', reason, figures, alerts, next: entry };
  }
  const kind = alerts.length > 0 ? 'recovered' : figures.freshErrors > 0 ? 'watch' : 'healthy';
  return { kind, reason, figures, alerts, next: entry };
}

/** The entry with the stretch of failures that this pass sees. When one begins, the mark notes the integration's last change. */
function noteStretch({ record, changedAt, entry, endedOutages, now, isFirstPass }: Situation): Entry {
  const { state } = entry;
  const sampled = sampleStretch(record, state.mark, entry.stretch, { now, isFirstPass });
  const stretch = sampled === null ? null : afterOutages(sampled, endedOutages);
  if (stretch === entry.stretch) return entry;
  return { ...entry, stretch, state: stretch === null ? state : noteChange(state, record, changedAt) };
}

function noteChange<S extends State>(state: S, record: IntegrationRecord, changedAt: string | null): S {
  if (state.mark.changedAt !== null || changedAt === null) return state;
  return { ...state, mark: { ...state.mark, lastDeliveryAt: record.last_delivery_at, changedAt } };
}

function outageReason({ provider, since, until }: HoldingOutage, now: string): string {
  const cause = provider === null ? 'integrations of several providers fail' : `${provider} is down`;
  return `${cause} since ${describeMoment(since, now)}, so it is not paused before ${describeMoment(until, now)}`;
}

/** Closed → open. */
function pause(situation: Situation, entry: Entry, figures: Figures, reason: string): Verdict {
  const { record, policy, now } = situation;
  const state = trip('guard', figures.failingSince, now, markNow(situation));
  const event = eventOf(situation, {
    type: 'integration.paused',
    episode: state.episode,
    reason,
    figures,
    nextProbeAt: nextProbeAt(state, policy.recovery),
    // The event is published after the pause has taken effect.
    record: { ...record, active: 0 },
  });
  const notices = { stopped: noticed(undefined, state.episode, now) };
  return { kind: 'pause', reason, figures, next: entry, request: { status: 0, state, notices, alerts: [event] } };
}

/** In observe mode, an alert in place of a pause, once per stretch of failures. */
export function wouldPause(situation: Situation, entry: Entry, figures: Figures, reason: string): Verdict {
  const observed = `${reason}; observe mode, so nothing was changed`;
  const announced = noticeOnce(situation, entry, 'would-pause', figures, observed);
  return { kind: 'would-pause', reason, figures, alerts: announced.alerts, next: announced.entry };
}

/** The mark that counts now: a delivery clears it, and a change between two passes sets it to this moment. */
function currentMark(situation: Situation, mark: Mark): Mark {
  const { record, entry } = situation;
  // The time of the last change stays, so that an older list is recognised.
  const { activatedAt, changedAt } = mark;
  const fresh = deliveredSince(record, mark) ? { ...NO_MARK, activatedAt, changedAt } : mark;
  const hasDelivered = isLater(record.last_delivery_at, mark.activatedAt);
  const current =
    hasDelivered && fresh.activatedAt !== null ? { ...fresh, activatedAt: null } : unchangedOr(mark, fresh);
  const failing = record.delivery_error_count > current.count;
  return failing &&
    changedBetweenPasses({ ...situation, entry: { ...entry, state: { name: 'closed', mark: current } } })
    ? markNow(situation, true)
    : current;
}

/** Returns the same object when nothing has changed, so that comparing healthy integrations costs nothing. */
function unchangedOr(mark: Mark, fresh: Mark): Mark {
  const { count, lastDeliveryAt, changedAt } = mark;
  return count === fresh.count && lastDeliveryAt === fresh.lastDeliveryAt && changedAt === fresh.changedAt
    ? mark
    : fresh;
}

/** A change within this time may be a fix, even if `failingForMinutes` is shorter. */
const RECENT_CHANGE_MINUTES = 15;

/**
 * Whether an operator changed a failing integration between two passes: they may have paused, fixed and resumed it. Failures from
 * before the change say nothing about the integration now. If no earlier change was noted, only a recent one counts: a change long
 * before the first pass is no fix.
 */
function changedBetweenPasses(situation: Situation): boolean {
  const { record, changedAt, entry, policy, now } = situation;
  const { mark } = entry.state;
  // A delivery since the change means that the failures are newer than the change.
  if (!isLater(changedAt, latest(record.last_delivery_at ?? record.created_at, mark.activatedAt))) return false;
  if (mark.changedAt !== null) return changedSinceMark(situation);
  return minutesBetween(record.updated_at, now) < Math.max(policy.failingForMinutes, RECENT_CHANGE_MINUTES);
}

interface Watched {
  readonly entry: Entry;
  readonly alerts: readonly GuardEvent[];
}

/** Rule 9. `reason` is null unless it flaps. */
function watchFlapping(situation: Situation): Watched & { readonly reason: string | null } {
  const { record, entry, policy, outage, now } = situation;
  const { flapping: known, notices } = entry;
  const { flapping: notice, ...otherNotices } = notices;
  if (policy.flapping === 'off') {
    if (known === null && notice === undefined) return { entry, alerts: [], reason: null };
    return { entry: { ...entry, flapping: null, notices: otherNotices }, alerts: [], reason: null };
  }
  const { figures } = assess(record, entry, policy);
  const flapping = sampleFlapping(record, figures.freshErrors, known, now);
  const sampled = flapping === known ? entry : { ...entry, flapping };
  if (flapping === null) {
    // An integration that still fails was not tried for long, and has not recovered.
    if (notice === undefined || figures.freshErrors > 0) return { entry: sampled, alerts: [], reason: null };
    const reason = `few deliveries fail now; they had failed and succeeded alternately since ${describeMoment(notice.since, now)}`;
    const seed = { type: 'integration.recovered', episode: notice.since, reason } as const;
    return { entry: { ...sampled, notices: otherNotices }, alerts: [eventOf(situation, seed)], reason: null };
  }
  // Flapping is reported only after a failure: after a delivery it may be an outage that has just ended.
  if (!isFlapping(flapping) || (figures.freshErrors === 0 && notice === undefined) || outage !== null)
    return { entry: sampled, alerts: [], reason: null };

  const reason = `it has failed and delivered alternately since ${describeMoment(flapping.since, now)}; each delivery resets the count, so no limit is reached`;
  // Once per episode; a pause has an alert of its own.
  if (notice !== undefined || policy.flapping === 'pause') return { entry: sampled, alerts: [], reason };
  const announced = noticed(undefined, flapping.since, now);
  const seed = { episode: announced.since, reason, figures };
  return {
    entry: { ...sampled, notices: { ...notices, flapping: announced } },
    alerts: [eventOf(situation, { ...seed, type: 'integration.flapping' })],
    reason,
  };
}

/** After this long without a failure a stretch is over, even if the guard still samples for flapping. */
const CALM_MINUTES = 60;

/** Announces the recovery when a stretch of failures was announced and deliveries succeed again. */
function endStretch(situation: Situation, entry: Entry): Watched {
  const { record, policy, now } = situation;
  const announced = stretchNotice(entry.notices);
  if (announced === null) return { entry, alerts: [] };
  // A count that fell without a delivery may come from a lagging list, so the last failure must be old and of this stretch.
  const failed = record.last_error_at === null ? CALM_MINUTES : minutesBetween(record.last_error_at, now);
  const isReset =
    record.delivery_error_count === 0 && failed >= CALM_MINUTES && isLater(record.last_error_at, announced.since);
  if (!isLater(record.last_delivery_at, announced.since) && !isReset) return { entry, alerts: [] };
  // An integration that alternates must stay calm first, or each delivery would be an alert.
  if (entry.flapping !== null && failed < CALM_MINUTES) return { entry, alerts: [] };
  const { figures } = assess(record, entry, policy);
  const at = record.last_delivery_at === null ? '' : ` at ${describeMoment(record.last_delivery_at, now)}`;
  const reason = `a delivery succeeded${at}; deliveries had failed since ${describeMoment(announced.since, now)}`;
  return {
    entry: { ...entry, notices: withoutStretch(entry.notices) },
    alerts: [eventOf(situation, { type: 'integration.recovered', episode: announced.since, reason, figures })],
  };
}

/** Announces the topic and notes it, unless it was announced for this stretch of failures. */
function noticeOnce(
  situation: Situation,
  entry: Entry,
  topic: Extract<StretchTopic, 'failing' | 'would-pause'>,
  figures: Figures,
  reason: string,
): Watched {
  if (entry.notices[topic] !== undefined) return { entry, alerts: [] };
  const since = stretchNotice(entry.notices)?.since ?? figures.failingSince;
  const { record, changedAt, now } = situation;
  const state = noteChange(entry.state, record, changedAt);
  const notice = noticed(undefined, since, now, record.delivery_error_count);
  return {
    entry: { ...entry, state, notices: { ...entry.notices, [topic]: notice } },
    alerts: [eventOf(situation, { type: `integration.${topic}`, episode: since, reason, figures })],
  };
}

function failures({ freshErrors, failingSince, failingMinutes }: Figures, now: string): string {
  const span = `over ${describeMinutes(failingMinutes)}`;
  return `${plural(freshErrors, 'failure')} and no delivery since ${describeMoment(failingSince, now)}, ${span}`;
}

function closedReason({ figures, lowTraffic }: Assessment, policy: EffectivePolicy, now: string): string {
  if (figures.freshErrors === 0) return 'no failures';
  return `${failures(figures, now)} (limits: ${limitsOf(policy, lowTraffic)})`;
}

function warningReason({ figures, lowTraffic }: Assessment, policy: EffectivePolicy, now: string): string {
  const pauses = policy.mode === 'observe' ? 'the guard would pause it' : 'the guard pauses it';
  return `${failures(figures, now)}; ${pauses} at ${limitsOf(policy, lowTraffic)}`;
}

/** "50 failures over 1 h". */
function limitsOf({ errorThreshold, failingForMinutes, lowTraffic }: EffectivePolicy, isLow: boolean): string {
  return isLow && lowTraffic !== 'off'
    ? `${plural(lowTraffic.errors, 'failure')} over ${describeMinutes(lowTraffic.pauseAfterHours * 60)}`
    : `${plural(errorThreshold, 'failure')} over ${describeMinutes(failingForMinutes)}`;
}
