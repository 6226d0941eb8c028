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

/** Active, and nothing stopped it: the limits, the early warning, flapping, and the end of a stretch of failures. */
export function whenClosed(situation: Situation, state: ClosedState): Verdict {
  const mark = currentMark(situation, state.mark);
  const { entry } = situation;
  return judgeClosed(
    mark === state.mark ? situation : { ...situation, entry: { ...entry, state: { ...state, mark } } },
  );
}

/** The same for an entry whose mark is up to date. */
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
  // While it fails and delivers by turns, each turn would be a warning.
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

/** The entry with the stretch of failures that this pass sees. From its beginning on, a later change of the integration shows. */
function noteStretch({ record, changedAt, entry, endedOutages, now, firstLook }: Situation): Entry {
  const { state } = entry;
  const sampled = sampleStretch(record, state.mark, entry.stretch, { now, firstLook });
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
    // The event is published once the pause shows.
    record: { ...record, active: 0 },
  });
  const notices = { stopped: noticed(undefined, state.episode, now) };
  return { kind: 'pause', reason, figures, next: entry, request: { status: 0, state, notices, alerts: [event] } };
}

/** What a pause would be, in observe mode: announced once per stretch of failures. */
export function wouldPause(situation: Situation, entry: Entry, figures: Figures, reason: string): Verdict {
  const observed = `${reason}; observe mode, so nothing was changed`;
  const announced = noticeOnce(situation, entry, 'would-pause', figures, observed);
  return { kind: 'would-pause', reason, figures, alerts: announced.alerts, next: announced.entry };
}

/** The mark as it counts now: a delivery ends it, a change that no pass has seen renews it. */
function currentMark(situation: Situation, mark: Mark): Mark {
  const { record, entry } = situation;
  // The time of the last change stays: a list from before it says nothing new.
  const { activatedAt, changedAt } = mark;
  const fresh = deliveredSince(record, mark) ? { ...NO_MARK, activatedAt, changedAt } : mark;
  const over = isLater(record.last_delivery_at, mark.activatedAt);
  const current = over && fresh.activatedAt !== null ? { ...fresh, activatedAt: null } : sameOr(mark, fresh);
  const failing = record.delivery_error_count > current.count;
  return failing && changedUnseen({ ...situation, entry: { ...entry, state: { name: 'closed', mark: current } } })
    ? markNow(situation, true)
    : current;
}

/** The very same object when nothing has changed, so that healthy integrations are recognised at once. */
function sameOr(mark: Mark, fresh: Mark): Mark {
  const { count, lastDeliveryAt, changedAt } = mark;
  return count === fresh.count && lastDeliveryAt === fresh.lastDeliveryAt && changedAt === fresh.changedAt
    ? mark
    : fresh;
}

/** A change within so many minutes may be a repair, however short the limit of minutes is. */
const RECENT_CHANGE_MINUTES = 15;

/**
 * Whether an operator has changed a failing integration since its failures began to be counted, unseen by any pass: paused,
 * fixed and resumed it between two passes, perhaps. Failures from before say nothing about what it is now. Without a note of
 * the last change only a recent one counts: a change long before the first look is no repair.
 */
function changedUnseen(situation: Situation): boolean {
  const { record, changedAt, entry, policy, now } = situation;
  const { mark } = entry.state;
  // What was delivered since the change has failed anew since.
  if (!isLater(changedAt, latest(record.last_delivery_at ?? record.created_at, mark.activatedAt))) return false;
  if (mark.changedAt !== null) return changedSinceMark(situation);
  return minutesBetween(record.updated_at, now) < Math.max(policy.failingForMinutes, RECENT_CHANGE_MINUTES);
}

interface Watched {
  readonly entry: Entry;
  readonly alerts: readonly GuardEvent[];
}

/** Rule 9. `reason` says so while it flaps. */
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
    // What has not been tried for long has not recovered.
    if (notice === undefined || figures.freshErrors > 0) return { entry: sampled, alerts: [], reason: null };
    const reason = `few deliveries fail now; they had failed and succeeded by turns since ${describeMoment(notice.since, now)}`;
    const seed = { type: 'integration.recovered', episode: notice.since, reason } as const;
    return { entry: { ...sampled, notices: otherNotices }, alerts: [eventOf(situation, seed)], reason: null };
  }
  // After a failure, not after a delivery: an outage that has just ended is none.
  if (!isFlapping(flapping) || (figures.freshErrors === 0 && notice === undefined) || outage !== null)
    return { entry: sampled, alerts: [], reason: null };

  const reason = `it fails and delivers by turns since ${describeMoment(flapping.since, now)}; each delivery resets the count, so no limit is reached`;
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

/** After so many minutes without a failure a stretch is over even if flapping is still watched for. */
const CALM_MINUTES = 60;

/** When a stretch of failures was announced and deliveries succeed again, people hear that it is over. */
function endStretch(situation: Situation, entry: Entry): Watched {
  const { record, policy, now } = situation;
  const announced = stretchNotice(entry.notices);
  if (announced === null) return { entry, alerts: [] };
  // A count that fell without a delivery is from a list that lags, above all when it knows of no failure of this stretch.
  const failed = record.last_error_at === null ? CALM_MINUTES : minutesBetween(record.last_error_at, now);
  const isReset =
    record.delivery_error_count === 0 && failed >= CALM_MINUTES && isLater(record.last_error_at, announced.since);
  if (!isLater(record.last_delivery_at, announced.since) && !isReset) return { entry, alerts: [] };
  // Some deliveries long: of what fails and delivers by turns, each turn would be an alert.
  if (entry.flapping !== null && failed < CALM_MINUTES) return { entry, alerts: [] };
  const { figures } = assess(record, entry, policy);
  const at = record.last_delivery_at === null ? '' : ` at ${describeMoment(record.last_delivery_at, now)}`;
  const reason = `a delivery succeeded${at}; deliveries had failed since ${describeMoment(announced.since, now)}`;
  return {
    entry: { ...entry, notices: withoutStretch(entry.notices) },
    alerts: [eventOf(situation, { type: 'integration.recovered', episode: announced.since, reason, figures })],
  };
}

/** The alert, unless this stretch of failures has had it; and the notice of it. */
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
