import { type ClosedState, type Entry, type Mark, NO_MARK, type StretchTopic } from '../model/entry.ts';
import type { Figures, GuardEvent } from '../model/event.ts';
import { plural } from '../text/sanitize.ts';
import { describeMinutes, describeMoment, isLater, latest, minutesBetween } from '../text/time.ts';
import { nextProbeAt, trip } from './circuit.ts';
import type { EffectivePolicy } from './effective-policy.ts';
import { assess, deliveredSince } from './figures.ts';
import { alternates, CALM_PASSES, countBoth, isFlapping, sampleFlapping, WINDOW } from './flapping.ts';
import { isDue, noticed, stretchNotice, withoutStretch } from './notices.ts';
import { changedSinceMark, eventOf, markNow, type Situation, type Verdict } from './situation.ts';

/** Active, and nothing stopped it: the limits, the early warning, flapping, and the end of a stretch of failures. */
export function whenClosed(situation: Situation, state: ClosedState): Verdict {
  const mark = currentMark(situation, state.mark);
  const { entry } = situation;
  return judgeClosed(
    mark === state.mark ? situation : { ...situation, entry: { ...entry, state: { ...state, mark } } },
  );
}

/** The same for an entry whose mark is up to date. */
export function judgeClosed(situation: Situation): Verdict {
  const { record, policy, now } = situation;
  const watched = watchFlapping(situation);
  const stretch = endStretch(situation, watched.entry);
  const { entry } = stretch;
  const alerts = [...stretch.alerts, ...watched.alerts];
  const { figures, overLimits, overWarning } = assess(record, entry.state.mark, policy, now);
  const reason = watched.reason ?? closedReason(figures, now);

  if (overLimits || (watched.reason !== null && policy.flapping === 'pause')) {
    if (policy.mode !== 'observe') return { ...pause(situation, entry, figures, reason), alerts };
    const verdict = wouldPause(situation, entry, figures, reason);
    return { ...verdict, alerts: [...alerts, ...(verdict.alerts ?? [])] };
  }
  if (overWarning) {
    const warning = warningReason(figures, policy, now);
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
  const fresh = deliveredSince(record, mark) ? { ...NO_MARK, activatedAt: mark.activatedAt } : mark;
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
  if (mark.changedAt !== null) return changedSinceMark(situation);
  if (!isLater(changedAt, latest(record.last_delivery_at ?? record.created_at, mark.activatedAt))) return false;
  return minutesBetween(record.updated_at, now) < Math.max(policy.failingForMinutes, RECENT_CHANGE_MINUTES);
}

interface Watched {
  readonly entry: Entry;
  readonly alerts: readonly GuardEvent[];
}

/** Rule 9. `reason` says so while it flaps. */
function watchFlapping(situation: Situation): Watched & { readonly reason: string | null } {
  const { record, changedAt, entry, policy, now } = situation;
  const { flapping: known, notices } = entry;
  const { flapping: notice, ...otherNotices } = notices;
  if (policy.flapping === 'off') {
    return { entry: { ...entry, flapping: null, notices: otherNotices }, alerts: [], reason: null };
  }
  const changed = known !== null && changedAt !== null && isLater(changedAt, known.seenAt);
  const flapping = sampleFlapping(record, changed ? null : known, now, policy.failingForMinutes);
  const { figures } = assess(record, entry.state.mark, policy, now);
  if (flapping === null) {
    if (known === null && notice === undefined) return { entry, alerts: [], reason: null };
    // An outage took its place: that has alerts of its own.
    const calm = notice !== undefined && figures.freshErrors === 0;
    const reason = `no failure in the last ${CALM_PASSES} passes`;
    const seed = { type: 'integration.recovered', episode: notice?.since ?? now, reason } as const;
    const next = { ...entry, flapping, notices: otherNotices };
    return { entry: next, alerts: calm ? [eventOf(situation, seed)] : [], reason: null };
  }
  const sampled = flapping === known ? entry : { ...entry, flapping };
  if (!isFlapping(flapping)) return { entry: sampled, alerts: [], reason: null };

  const reason = `both failures and deliveries in ${countBoth(flapping)} of the last ${WINDOW} passes; each delivery resets the count, so it stays below every threshold`;
  if (!isDue(notice, now, policy.remindEveryHours)) return { entry: sampled, alerts: [], reason };
  const announced = noticed(notice, flapping.since, now);
  const seed = { episode: announced.since, ordinal: announced.times - 1, reason, figures };
  return {
    entry: { ...sampled, notices: { ...notices, flapping: announced } },
    alerts: policy.flapping === 'pause' ? [] : [eventOf(situation, { ...seed, type: 'integration.flapping' })],
    reason,
  };
}

/** When a stretch of failures was announced and a delivery has succeeded since, people hear that it is over. */
function endStretch(situation: Situation, entry: Entry): Watched {
  const { record, policy, now } = situation;
  const announced = stretchNotice(entry.notices);
  // While it fails and delivers by turns, each turn would be an alert.
  if (announced === null || alternates(entry.flapping)) return { entry, alerts: [] };
  if (!isLater(record.last_delivery_at, announced.since) && record.delivery_error_count >= announced.errors) {
    return { entry, alerts: [] };
  }
  const { figures } = assess(record, entry.state.mark, policy, now);
  const at = record.last_delivery_at === null ? '' : ` at ${describeMoment(record.last_delivery_at, now)}`;
  const reason = `delivering again: a delivery succeeded${at}`;
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
  const { state } = entry;
  // From here on a later change shows.
  const mark =
    state.mark.changedAt !== null || changedAt === null
      ? state.mark
      : { ...state.mark, lastDeliveryAt: record.last_delivery_at, changedAt };
  const notice = noticed(undefined, since, now, record.delivery_error_count);
  return {
    entry: { ...entry, state: { ...state, mark }, notices: { ...entry.notices, [topic]: notice } },
    alerts: [eventOf(situation, { type: `integration.${topic}`, episode: since, reason, figures })],
  };
}

function failures(figures: Figures, now: string): string {
  return `${plural(figures.freshErrors, 'failure')} since ${describeMoment(figures.failingSince, now)}`;
}

function closedReason(figures: Figures, now: string): string {
  if (figures.freshErrors === 0) return 'no failures';
  const silence = `no delivery for ${describeMinutes(figures.failingMinutes)}`;
  return `${failures(figures, now)}, threshold ${figures.errorThreshold.toLocaleString('en-US')}; ${silence}, limit ${describeMinutes(figures.failingForMinutes)}`;
}

function warningReason(figures: Figures, policy: EffectivePolicy, now: string): string {
  const limits = `${plural(policy.errorThreshold, 'failure')} and ${describeMinutes(policy.failingForMinutes)} without a delivery`;
  const outlook = policy.mode === 'observe' ? 'the guard would pause it' : 'the guard pauses it';
  return `${failures(figures, now)}; no delivery for ${describeMinutes(figures.failingMinutes)}; ${outlook} at ${limits}`;
}
