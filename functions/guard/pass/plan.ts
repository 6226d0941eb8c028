import { isDeepStrictEqual } from 'node:util';
import {
  BLANK_ENTRY,
  BLANK_PROJECT_ENTRY,
  type Listed,
  type Notice,
  type OutboxItem,
  type ProjectEntry,
  type ProjectTopic,
} from '../model/entry.ts';
import { type GuardEvent, makeEvent } from '../model/event.ts';
import type { EventType } from '../model/event-catalogue.ts';
import type { IntegrationRecord, Listing } from '../model/integration.ts';
import { isLeased } from '../model/lease.ts';
import { toOutbox } from '../model/outbox.ts';
import { blastRadius, holdBack, isTrip, MAX_HELD, nextHold } from '../policy/blast-radius.ts';
import {
  type Decided,
  type Decision,
  type DecisionContext,
  decide,
  decideGone,
  decideUnread,
  latestMomentOf,
} from '../policy/decide.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { showsChangeTimes } from '../policy/figures.ts';
import { withProjectIncidents } from '../policy/incidents.ts';
import { isDue, noticed } from '../policy/notices.ts';
import { findOutages, type OutageChange, type Outages, type OutageView } from '../policy/provider-outage.ts';
import { ACCEPT_AFTER_HOURS, listedOf, suspicionOf } from '../policy/suspicious-list.ts';
import type { LedgerView, Versioned } from '../ports.ts';
import type { Policy } from '../settings/schema.ts';
import type { GuardedProject } from '../settings/types.ts';
import { fingerprint } from '../text/fingerprint.ts';
import { plural } from '../text/sanitize.ts';
import { describeMinutes, describeMoment, minutesBetween } from '../text/time.ts';

/** How many integrations are in each state. */
export interface StateCounts {
  readonly paused: number;
  readonly active: number;
  readonly suspended: number;
}

/** Everything that one pass will do, as data. The pass computes it before it changes anything. */
export interface Plan {
  readonly project: string;
  readonly now: string;
  readonly decisions: readonly Decision[];
  readonly projectDecision: Decided<ProjectEntry>;
  readonly invalid: Listing['invalid'];
  /** Integrations by state, from the list. */
  readonly states: StateCounts;
  /** How many integrations one pass may trip, how many are over the limits, and whether their pauses are held back. */
  readonly blastRadius: { readonly allowed: number; readonly wanted: number; readonly held: boolean };
  /** Outages that integrations share (rule 10). */
  readonly outages: readonly OutageView[];
}

/** Every record of the list; none if some could not be read, because such a list does not show which integrations are missing. */
export function recordsOf({ decisions, invalid }: Plan): readonly IntegrationRecord[] {
  if (invalid.length > 0 || decisions.some(({ kind }) => kind === 'unread')) return [];
  return decisions.flatMap(({ record }) => record ?? []);
}

/** Whether the plan makes a request to Qonversion, or explains a change of state. */
export function actsOrExplains({ decisions }: Plan): boolean {
  return decisions.some(
    ({ record, known, next }) =>
      record !== null &&
      (next.attempt !== null || next.state.name !== (known?.entry ?? BLANK_ENTRY).state.name || known?.entry.attempt),
  );
}

/** Decides about every record of a project, then holds back all trips if there are too many at once (rule 11). */
export function makePlan(
  project: string,
  policy: Policy,
  listing: Listing,
  view: LedgerView,
  now: string,
  options: { readonly force?: boolean } = {},
): Plan {
  const { records, invalid } = listing;
  const known = view.project?.entry ?? BLANK_PROJECT_ENTRY;
  const suspicion = suspicionOf(listing, known.listed);
  if (suspicion !== null && !isAccepted(known, now))
    return planSuspicious(project, policy, listing, view, suspicion, now);

  const outages = findOutages(records, view, known.outages, policy, now);
  const context = {
    project,
    now,
    changeTimesShown: showsChangeTimes(records, view),
    // Needed only while the outcome of an attempt is unknown.
    listedUntil: [...view.integrations.values()].some(({ entry }) => entry.attempt !== null)
      ? latestMomentOf(records)
      : null,
    isFirstPass: known.listed === null,
    holding: outages.holding,
    ended: outages.ended,
  };
  const wished = records.map((record) =>
    decide(record, view.integrations.get(record.id) ?? null, effectivePolicy(policy, record), context),
  );
  const count = (active: number) => records.filter((record) => record.active === active).length;
  const states = { paused: count(0), active: count(1), suspended: count(2) };
  const allowed = blastRadius(policy, states.active);
  const overLimits = findOverLimits(wished, view);
  const wanted = overLimits.length;
  const hold =
    options.force === true
      ? { held: false, calmSince: null }
      : nextHold(
          { lasting: known.notices.held !== undefined, calmSince: known.heldCalmSince },
          { wanted, allowed },
          now,
        );
  const held = hold.held !== false;
  // While the hold is calm, people need no reminder.
  const isCalm = hold.held === true && wanted <= allowed;
  const decisions = held
    ? wished.map((decision) => (isTrip(decision) ? holdBack(decision, now, hold.held === 'last') : decision))
    : wished;

  const heldReason =
    hold.held === true
      ? `${plural(wanted, 'integration')} reached the limits at once; the guard may pause at most ${allowed} of ${plural(states.active, 'active one')} in one pass, so it paused none`
      : null;
  const problems = {
    failing: null,
    ...(isCalm ? {} : { held: heldReason }),
    unreadable: unreadableReason(listing),
    'list-suspicious': null,
  };
  const seen = {
    overLimits,
    heldCalmSince: hold.calmSince,
    outages,
    listed: listedOf(listing),
    isAccepted: suspicion !== null,
    failing: wished.filter(({ record, figures }) => record?.active === 1 && (figures?.freshErrors ?? 0) > 0).length,
    stopped: wished.filter(({ record, next: { state } }) => record?.active !== 1 && state.name === 'open').length,
  };
  return {
    project,
    now,
    decisions: [...decisions, ...decideAbsent(listing, view, context)],
    projectDecision: decideProject(project, policy, view.project, problems, now, seen),
    invalid,
    states,
    blastRadius: { allowed, wanted, held },
    outages: outages.views,
  };
}

/** Whether a suspicious list has been the same for so long that the guard accepts it. */
function isAccepted({ notices }: ProjectEntry, now: string): boolean {
  const { 'list-suspicious': notice } = notices;
  return notice !== undefined && minutesBetween(notice.since, now) >= ACCEPT_AFTER_HOURS * 60;
}

/** The plan for a suspicious list: alerts about it, delivers the outboxes, and concludes nothing (rule 12). */
function planSuspicious(
  project: string,
  policy: Policy,
  { records, invalid }: Listing,
  view: LedgerView,
  suspicion: string,
  now: string,
): Plan {
  const context = { project, now, changeTimesShown: false };
  const unread = [...view.integrations].map(([id, entry]) =>
    decideUnread(id, entry, context, 'the list is suspicious'),
  );
  const problems = { failing: null, 'list-suspicious': suspicion };
  const count = (active: number) => records.filter((record) => record.active === active).length;
  return {
    project,
    now,
    decisions: unread.filter(({ quiet }) => !quiet),
    projectDecision: decideProject(project, policy, view.project, problems, now),
    invalid,
    states: { paused: count(0), active: count(1), suspended: count(2) },
    blastRadius: { allowed: blastRadius(policy, count(1)), wanted: 0, held: false },
    outages: [],
  };
}

/** The plan for a pass that cannot list integrations: announces the failure, and delivers the outboxes. */
export function planFailure(
  project: string,
  policy: Policy,
  view: LedgerView,
  reason: string,
  now: string,
): Pick<Plan, 'decisions' | 'projectDecision'> {
  const context = { project, now, changeTimesShown: false };
  const unread = [...view.integrations].map(([id, known]) => decideUnread(id, known, context));
  return {
    decisions: unread.filter(({ quiet }) => !quiet),
    projectDecision: decideProject(project, policy, view.project, { failing: reason }, now),
  };
}

/**
 * The integrations that this pass would trip. During a hold, also held ones that Qonversion has suspended since: they still point
 * to a common cause. Without them the guard would pause the rest as soon as Qonversion had suspended enough, before an operator
 * decides.
 */
function findOverLimits(wished: readonly Decision[], view: LedgerView): readonly string[] {
  const trips = wished.filter(isTrip).map(({ id }) => id);
  if (trips.length === 0) return [];
  const heldBefore = new Set(view.project?.entry.held ?? []);
  const suspended = wished.filter(({ id, record }) => record?.active === 2 && heldBefore.has(fingerprint(id)));
  return [...trips, ...suspended.map(({ id }) => id)];
}

/** Decisions about ledger entries whose integrations were not read. */
function decideAbsent({ records, invalid }: Listing, view: LedgerView, context: DecisionContext): readonly Decision[] {
  const read = new Set(records.map(({ id }) => id));
  // A record without a readable ID may be any of the missing ones, so none of them counts as gone.
  const nameless = invalid.some(({ id }) => id === null);
  const unreadable = new Set(invalid.map(({ id }) => id));
  return [...view.integrations]
    .filter(([id]) => !read.has(id))
    .map(([id, known]) =>
      nameless || unreadable.has(id) ? decideUnread(id, known, context) : decideGone(id, known, context),
    )
    .filter(({ kind, quiet }) => kind !== 'unread' || !quiet);
}

function unreadableReason({ invalid, records }: Listing): string | null {
  const [first] = invalid;
  if (first === undefined) return null;
  const all = invalid.length + records.length;
  const name = first.id === null ? 'one without a readable id' : first.id;
  return `${invalid.length} of ${plural(all, 'integration')} could not be read and so ${invalid.length === 1 ? 'is' : 'are'} not guarded (${name}: ${first.problem})`;
}

const PROJECT_EVENTS = {
  failing: 'guard.failing',
  held: 'guard.held',
  unreadable: 'guard.unreadable',
  'list-suspicious': 'guard.list-suspicious',
} as const satisfies Record<ProjectTopic, EventType>;

const PROJECT_TOPICS = Object.keys(PROJECT_EVENTS) as readonly ProjectTopic[];

/** The findings of a pass that could list the project's integrations. */
interface Seen {
  readonly overLimits: readonly string[];
  readonly heldCalmSince: string | null;
  readonly outages: Outages;
  readonly listed: Listed;
  /** Whether the list was suspicious for so long that it is the project's. */
  readonly isAccepted: boolean;
  /** Integrations that fail now, and those that the guard or Qonversion has stopped. */
  readonly failing: number;
  readonly stopped: number;
}

/** The time in which the guard did not watch, and the consequence for the integrations. */
function overReason(
  topic: 'failing' | 'list-suspicious',
  since: string,
  listed: Listed | null,
  seen: Seen | null,
  now: string,
): string {
  const minutes = minutesBetween(since, now);
  const span =
    minutes === 0
      ? 'for less than a minute'
      : `from ${describeMoment(since, now)} to ${describeMoment(now, now)} (${describeMinutes(minutes)})`;
  if (topic === 'list-suspicious') {
    const why =
      seen?.isAccepted === true
        ? `the list has been the same for ${ACCEPT_AFTER_HOURS} hours, so the guard accepts it`
        : 'the list has the project’s integrations again';
    return `${why}; ${span} the guard did not trust it`;
  }
  const missed =
    listed === null
      ? ''
      : `, so ${plural(listed.count, 'integration')} ${listed.count === 1 ? 'was' : 'were'} not watched`;
  const state =
    seen === null
      ? ''
      : seen.failing + seen.stopped === 0
        ? '; now no integration fails'
        : `; now ${plural(seen.failing, 'integration')} ${seen.failing === 1 ? 'fails' : 'fail'} and ${seen.stopped} ${seen.stopped === 1 ? 'is' : 'are'} stopped`;
  return `passes could not run ${span}${missed}${state}`;
}

function outageEvent(project: string, { kind, outage, reason }: OutageChange, time: string): GuardEvent {
  const { provider, since: episode } = outage;
  const begun = kind === 'begun';
  const type =
    provider === null
      ? begun
        ? 'guard.common-cause'
        : 'guard.common-cause-ended'
      : begun
        ? 'provider.down'
        : 'provider.recovered';
  return makeEvent({ type, project, time, episode, provider, reason });
}

/**
 * Decides about the project as a whole. Each problem is announced once per episode and in reminders while it lasts.
 * @param problems the reason of each problem; null: the problem does not exist; left out: unknown
 */
function decideProject(
  project: string,
  policy: Policy,
  known: Versioned<ProjectEntry> | null,
  problems: { readonly [topic in ProjectTopic]?: string | null },
  now: string,
  seen: Seen | null = null,
): Decided<ProjectEntry> {
  const stored = known?.entry ?? BLANK_PROJECT_ENTRY;
  if (isLeased(stored.lease, now)) {
    return { known, current: stored, next: stored, expiresAt: null, changed: false, quiet: true };
  }
  const alerts: GuardEvent[] = [];
  const notices: { [topic in ProjectTopic]?: Notice } = { ...stored.notices };
  const seed = { project, time: now };
  for (const topic of PROJECT_TOPICS) {
    const reason = problems[topic];
    const notice = notices[topic];
    if (reason === undefined) continue;
    if (reason === null) {
      delete notices[topic];
      if (notice !== undefined && (topic === 'failing' || topic === 'list-suspicious')) {
        const over = overReason(topic, notice.since, stored.listed, seen, now);
        alerts.push(
          makeEvent({ ...seed, type: 'guard.recovered', episode: notice.since, ordinal: topic, reason: over }),
        );
      }
    } else if (isDue(notice, now, policy.remindAt)) {
      const next = noticed(notice, now, now);
      notices[topic] = next;
      const type = PROJECT_EVENTS[topic];
      const lasting = notice === undefined ? '' : `; since ${describeMoment(notice.since, now)}`;
      alerts.push(
        makeEvent({ ...seed, type, episode: next.since, ordinal: next.times - 1, reason: `${reason}${lasting}` }),
      );
    }
  }
  if (seen !== null) alerts.push(...seen.outages.changes.map((change) => outageEvent(project, change, now)));
  const held = notices.held === undefined ? [] : rememberHeld(stored.held, problems.held, seen?.overLimits ?? []);
  const decided: ProjectEntry = {
    ...stored,
    notices,
    held,
    heldCalmSince: seen === null ? stored.heldCalmSince : seen.heldCalmSince,
    outages: seen === null ? stored.outages : seen.outages.remembered,
    listed: seen === null ? stored.listed : seen.listed,
    lease: null,
    outbox: [...stored.outbox, ...toOutbox(alerts)],
  };
  const next = withProjectIncidents(stored, decided, { project, now });
  const changed = !isDeepStrictEqual(next, stored);
  return { known, current: stored, next, expiresAt: null, changed, quiet: !changed && stored.outbox.length === 0 };
}

/** The same decision, except that the next pass counts as the first one again, since this one did not finish. */
export function withoutFirstPass(decided: Decided<ProjectEntry>): Decided<ProjectEntry> {
  const { current, next } = decided;
  return current.listed === null ? { ...decided, next: { ...next, listed: null } } : decided;
}

/** The decision about the project when the API refuses its key during a pass: announced like a pass that cannot run. */
export function withKeyRefused(
  decided: Decided<ProjectEntry>,
  { name: project, policy }: GuardedProject,
  reason: string,
  now: string,
): Decided<ProjectEntry> {
  const { current, next } = decided;
  const { failing: notice } = current.notices;
  if (isLeased(current.lease, now)) return decided;
  // This pass must not announce that passes run again. Undelivered alerts of earlier passes stay.
  const isFalse = ({ event }: OutboxItem) => event.type === 'guard.recovered' && event.time === now;
  const outbox = next.outbox.filter((item) => !isFalse(item) || current.outbox.includes(item));
  if (!isDue(notice, now, policy.remindAt)) {
    const kept = {
      ...next,
      outbox,
      notices: { ...next.notices, ...(notice === undefined ? {} : { failing: notice }) },
    };
    return { ...decided, next: withProjectIncidents(current, kept, { project, now }) };
  }
  const failing = noticed(notice, now, now);
  const seed = { project, time: now, episode: failing.since, ordinal: failing.times - 1, reason } as const;
  const alerts = toOutbox([makeEvent({ ...seed, type: 'guard.failing' })]);
  const announced = { ...next, outbox: [...outbox, ...alerts], notices: { ...next.notices, failing } };
  return { ...decided, next: withProjectIncidents(current, announced, { project, now }), changed: true, quiet: false };
}

function rememberHeld(
  held: readonly string[],
  reason: string | null | undefined,
  overLimits: readonly string[],
): readonly string[] {
  if (reason === undefined) return held;
  return [...new Set([...held, ...overLimits.map(fingerprint)])].sort().slice(0, MAX_HELD);
}
