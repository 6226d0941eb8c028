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
import type { Listing } from '../model/integration.ts';
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
import { isDue, noticed } from '../policy/notices.ts';
import { findOutages, type OutageChange, type Outages, type OutageView } from '../policy/provider-outage.ts';
import { ACCEPT_AFTER_HOURS, listedOf, suspicionOf } from '../policy/suspicious-list.ts';
import type { LedgerView, Versioned } from '../ports.ts';
import type { Policy } from '../settings/schema.ts';
import type { GuardedProject } from '../settings/types.ts';
import { fingerprint } from '../text/fingerprint.ts';
import { plural } from '../text/sanitize.ts';
import { minutesBetween } from '../text/time.ts';

/** How many integrations are in each state. */
export interface StateCounts {
  readonly paused: number;
  readonly active: number;
  readonly suspended: number;
}

/** Everything one pass is going to do, as data. Computed before anything is touched. */
export interface Plan {
  readonly project: string;
  readonly now: string;
  readonly decisions: readonly Decision[];
  readonly projectDecision: Decided<ProjectEntry>;
  readonly invalid: Listing['invalid'];
  /** Integrations by state as the list had them. */
  readonly states: StateCounts;
  /** How many integrations the blast radius lets one pass trip, and how many were over the limits. */
  readonly blastRadius: { readonly allowed: number; readonly wanted: number; readonly held: boolean };
  /** Outages that integrations share (rule 10). */
  readonly outages: readonly OutageView[];
}

/** Whether a pass is about to ask Qonversion for a status, or has found a change of state that it explains. */
export function actsOrExplains({ decisions }: Plan): boolean {
  return decisions.some(
    ({ record, known, next }) =>
      record !== null &&
      (next.attempt !== null || next.state.name !== (known?.entry ?? BLANK_ENTRY).state.name || known?.entry.attempt),
  );
}

/** Decides about every record of a project, then holds all trips back if there are too many at once (rule 11). */
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
    // Only an attempt that is open needs it.
    listedUntil: [...view.integrations.values()].some(({ entry }) => entry.attempt !== null)
      ? latestMomentOf(records)
      : null,
    firstLook: known.listed === null,
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
  // While it is calm there is nothing to add to what people know.
  const isCalm = hold.held === true && wanted <= allowed;
  const decisions = held
    ? wished.map((decision) => (isTrip(decision) ? holdBack(decision, now, hold.held === 'anew') : decision))
    : wished;

  const heldReason =
    hold.held === true
      ? `${plural(wanted, 'integration')} over the limits at once, and at most ${allowed} of ${plural(states.active, 'active one')} may be paused in one pass; none was paused`
      : null;
  const problems = {
    failing: null,
    ...(isCalm ? {} : { held: heldReason }),
    unreadable: unreadableReason(listing),
    'list-suspicious': null,
  };
  const seen = { overLimits, heldCalmSince: hold.calmSince, outages, listed: listedOf(listing) };
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

/** Whether a suspicious list has been the same for so long that it is the project's. */
function isAccepted({ notices }: ProjectEntry, now: string): boolean {
  const { 'list-suspicious': notice } = notices;
  return notice !== undefined && minutesBetween(notice.since, now) >= ACCEPT_AFTER_HOURS * 60;
}

/** Says so, delivers what is owed, and concludes nothing (rule 12). */
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

/** Whether there is nothing to write, to ask for or to deliver (law 3). */
export function isQuiet(plan: Plan): boolean {
  return plan.projectDecision.quiet && plan.decisions.every(({ quiet }) => quiet);
}

/** What is to be done when a pass cannot list: the failure is announced, and what integrations owe is delivered. */
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
 * What this pass would trip; and, while an episode of holding back lasts, what was held in it and has been suspended by
 * Qonversion since. Those are out of our hands and still speak for a common cause: without them the rest would be paused
 * as soon as the worker has thinned them out, although the operator has not decided yet.
 */
function findOverLimits(wished: readonly Decision[], view: LedgerView): readonly string[] {
  const trips = wished.filter(isTrip).map(({ id }) => id);
  if (trips.length === 0) return [];
  const heldBefore = new Set(view.project?.entry.held ?? []);
  const suspended = wished.filter(({ id, record }) => record?.active === 2 && heldBefore.has(fingerprint(id)));
  return [...trips, ...suspended.map(({ id }) => id)];
}

/** Decisions about entries of the ledger whose integrations were not read. */
function decideAbsent({ records, invalid }: Listing, view: LedgerView, context: DecisionContext): readonly Decision[] {
  const read = new Set(records.map(({ id }) => id));
  // A record whose id cannot be read may be any of those we miss, so none counts as gone.
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

/** What a pass that could list saw of the project. */
interface Seen {
  readonly overLimits: readonly string[];
  readonly heldCalmSince: string | null;
  readonly outages: Outages;
  readonly listed: Listed;
}

const WHEN_OVER = {
  failing: 'passes run again',
  'list-suspicious': 'the list is the project’s again, or has been the same for a day',
} as const;

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
 * Problems of the project as a whole: each is announced once per episode and again as a reminder while it lasts.
 * @param problems the reason of each problem there is, null for each there is not; one that is left out is not known
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
      const over = topic === 'failing' || topic === 'list-suspicious' ? WHEN_OVER[topic] : null;
      if (over !== null && notice !== undefined)
        alerts.push(
          makeEvent({ ...seed, type: 'guard.recovered', episode: notice.since, ordinal: topic, reason: over }),
        );
    } else if (isDue(notice, now, policy.remindAt)) {
      const next = noticed(notice, now, now);
      notices[topic] = next;
      const type = PROJECT_EVENTS[topic];
      alerts.push(makeEvent({ ...seed, type, episode: next.since, ordinal: next.times - 1, reason }));
    }
  }
  if (seen !== null) alerts.push(...seen.outages.changes.map((change) => outageEvent(project, change, now)));
  const held = notices.held === undefined ? [] : rememberHeld(stored.held, problems.held, seen?.overLimits ?? []);
  const next: ProjectEntry = {
    notices,
    held,
    heldCalmSince: seen === null ? stored.heldCalmSince : seen.heldCalmSince,
    outages: seen === null ? stored.outages : seen.outages.remembered,
    listed: seen === null ? stored.listed : seen.listed,
    lease: null,
    outbox: [...stored.outbox, ...toOutbox(alerts)],
  };
  const changed = !isDeepStrictEqual(next, stored);
  return { known, current: stored, next, expiresAt: null, changed, quiet: !changed && stored.outbox.length === 0 };
}

/** The decision about the project when some of what it has was left to the next pass: that one is the first look then. */
export function withoutLook(decided: Decided<ProjectEntry>): Decided<ProjectEntry> {
  const { current, next } = decided;
  return current.listed === null ? { ...decided, next: { ...next, listed: null } } : decided;
}

/** The decision about the project when its key is refused in the middle of a pass: announced once, like a pass that cannot run. */
export function withKeyRefused(
  decided: Decided<ProjectEntry>,
  { name: project, policy }: GuardedProject,
  reason: string,
  now: string,
): Decided<ProjectEntry> {
  const { current, next } = decided;
  const { failing: notice } = current.notices;
  if (isLeased(current.lease, now)) return decided;
  // That passes run again is not announced with that they cannot; what earlier passes owe stays.
  const isFalse = ({ event }: OutboxItem) => event.type === 'guard.recovered' && event.time === now;
  const outbox = next.outbox.filter((item) => !isFalse(item) || current.outbox.includes(item));
  if (!isDue(notice, now, policy.remindAt)) {
    const kept = {
      ...next,
      outbox,
      notices: { ...next.notices, ...(notice === undefined ? {} : { failing: notice }) },
    };
    return { ...decided, next: kept };
  }
  const failing = noticed(notice, now, now);
  const seed = { project, time: now, episode: failing.since, ordinal: failing.times - 1, reason } as const;
  const alerts = toOutbox([makeEvent({ ...seed, type: 'guard.failing' })]);
  const announced = { ...next, outbox: [...outbox, ...alerts], notices: { ...next.notices, failing } };
  return { ...decided, next: announced, changed: true, quiet: false };
}

function rememberHeld(
  held: readonly string[],
  reason: string | null | undefined,
  overLimits: readonly string[],
): readonly string[] {
  if (reason === undefined) return held;
  return [...new Set([...held, ...overLimits.map(fingerprint)])].sort().slice(0, MAX_HELD);
}
