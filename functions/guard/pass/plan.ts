import { isDeepStrictEqual } from 'node:util';
import { BLANK_PROJECT_ENTRY, type Notice, type ProjectEntry, type ProjectTopic } from '../model/entry.ts';
import { type GuardEvent, makeEvent } from '../model/event.ts';
import type { EventType } from '../model/event-catalogue.ts';
import type { Listing } from '../model/integration.ts';
import { isLeased } from '../model/lease.ts';
import { toOutbox } from '../model/outbox.ts';
import { blastRadius, holdBack, isTrip, MAX_HELD } from '../policy/blast-radius.ts';
import {
  type Decided,
  type Decision,
  type DecisionContext,
  decide,
  decideGone,
  decideUnread,
} from '../policy/decide.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { showsChangeTimes } from '../policy/figures.ts';
import { isDue, noticed } from '../policy/notices.ts';
import type { LedgerView, Versioned } from '../ports.ts';
import type { Policy } from '../settings/schema.ts';
import { fingerprint } from '../text/fingerprint.ts';
import { plural } from '../text/sanitize.ts';

/** Everything one pass is going to do, as data. Computed before anything is touched. */
export interface Plan {
  readonly project: string;
  readonly now: string;
  readonly decisions: readonly Decision[];
  readonly projectDecision: Decided<ProjectEntry>;
  readonly invalid: Listing['invalid'];
  /** Integrations by state as the list had them. */
  readonly states: { readonly paused: number; readonly active: number; readonly suspended: number };
  /** How many integrations the blast radius lets one pass trip, and how many were over the limits. */
  readonly blastRadius: { readonly allowed: number; readonly wanted: number; readonly held: boolean };
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
  const context = { project, now, changeTimesShown: showsChangeTimes(records, view) };
  const wished = records.map((record) =>
    decide(record, view.integrations.get(record.id) ?? null, effectivePolicy(policy, record), context),
  );
  const count = (active: number) => records.filter((record) => record.active === active).length;
  const states = { paused: count(0), active: count(1), suspended: count(2) };
  const allowed = blastRadius(policy, states.active);
  const overLimits = findOverLimits(wished, view);
  const wanted = overLimits.length;
  const held = wanted > allowed && options.force !== true;
  const decisions = held ? wished.map((decision) => (isTrip(decision) ? holdBack(decision, now) : decision)) : wished;

  const problems = {
    failing: null,
    held: held
      ? `${plural(wanted, 'integration')} over the limits at once, and at most ${allowed} of ${plural(states.active, 'active one')} may be paused in one pass; none was paused`
      : null,
    unreadable: unreadableReason(listing),
  };
  return {
    project,
    now,
    decisions: [...decisions, ...decideAbsent(listing, view, context)],
    projectDecision: decideProject(project, policy, view.project, problems, now, overLimits),
    invalid,
    states,
    blastRadius: { allowed, wanted, held },
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
} as const satisfies Record<ProjectTopic, EventType>;

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
  overLimits: readonly string[] = [],
): Decided<ProjectEntry> {
  const stored = known?.entry ?? BLANK_PROJECT_ENTRY;
  if (isLeased(stored.lease, now)) {
    return { known, current: stored, next: stored, expiresAt: null, changed: false, quiet: true };
  }
  const alerts: GuardEvent[] = [];
  const notices: { [topic in ProjectTopic]?: Notice } = { ...stored.notices };
  const seed = { project, time: now };
  for (const topic of ['failing', 'held', 'unreadable'] as const) {
    const reason = problems[topic];
    const notice = notices[topic];
    if (reason === undefined) continue;
    if (reason === null) {
      delete notices[topic];
      if (topic === 'failing' && notice !== undefined) {
        const recovered = { ...seed, type: 'guard.recovered', episode: notice.since } as const;
        alerts.push(makeEvent({ ...recovered, reason: 'passes run again' }));
      }
    } else if (isDue(notice, now, policy.remindEveryHours)) {
      const next = noticed(notice, now, now);
      notices[topic] = next;
      const type = PROJECT_EVENTS[topic];
      alerts.push(makeEvent({ ...seed, type, episode: next.since, ordinal: next.times - 1, reason }));
    }
  }
  const held = notices.held === undefined ? [] : rememberHeld(stored.held, problems.held, overLimits);
  const next = { notices, held, lease: null, outbox: [...stored.outbox, ...toOutbox(alerts)] };
  const changed = !isDeepStrictEqual(next, stored);
  return { known, current: stored, next, expiresAt: null, changed, quiet: !changed && stored.outbox.length === 0 };
}

function rememberHeld(
  held: readonly string[],
  reason: string | null | undefined,
  overLimits: readonly string[],
): readonly string[] {
  if (reason === undefined) return held;
  return [...new Set([...held, ...overLimits.map(fingerprint)])].sort().slice(0, MAX_HELD);
}
