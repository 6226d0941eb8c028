import { isDeepStrictEqual } from 'node:util';
import {
  BLANK_PROJECT_ENTRY,
  BLANK_SETTLED,
  type EventType,
  type GuardEvent,
  type Listing,
  type ProjectEntry,
  type SettledEntry,
  type SettledProjectEntry,
  type Trouble,
} from '../model/entry.ts';
import { makeEvent } from '../model/event.ts';
import { type Decision, decide, decideGone } from '../policy/decide.ts';
import { blastRadius, effectivePolicy, stampsTellChanges } from '../policy/figures.ts';
import { isUnderWay } from '../policy/resolve.ts';
import type { DecisionContext } from '../policy/transitions.ts';
import type { LedgerView, Versioned } from '../ports.ts';
import type { Policy } from '../settings/types.ts';
import { plural } from '../text/sanitize.ts';
import { isReminderDue, plusMinutes } from '../text/time.ts';

/** A decision with what is needed to write it down. */
export interface PlannedDecision extends Decision {
  /** The version of the ledger entry that was read; null when there was none. */
  readonly version: number | null;
  /** When the ledger may forget the entry once the decision is settled. */
  readonly expiresAt: string | null;
}

/** What to tell and to remember about the project as a whole. */
export interface ProjectDecision {
  readonly events: readonly GuardEvent[];
  readonly before: SettledProjectEntry;
  readonly settled: SettledProjectEntry;
  readonly version: number | null;
  readonly quiet: boolean;
}

/** Everything one pass is going to do, as data. Computed before anything is touched. */
export interface Plan {
  readonly project: string;
  readonly now: string;
  readonly decisions: readonly PlannedDecision[];
  readonly projectDecision: ProjectDecision;
  readonly invalid: Listing['invalid'];
  /** Integrations by state as the list had them. */
  readonly states: { readonly paused: number; readonly active: number; readonly suspended: number };
  /** How many integrations the blast radius lets one pass trip, and how many were over the limits. */
  readonly blastRadius: { readonly allowed: number; readonly wanted: number; readonly held: boolean };
}

/** How long the ledger keeps the entry of an integration that is gone from the list. */
const KEEP_GONE_DAYS = 30;
/** How long it keeps an entry that says nothing any more. */
const KEEP_BLANK_DAYS = 7;

/** Decides about every record of a project, then holds all trips back if there are too many at once (rule 8). */
export function makePlan(
  project: string,
  policy: Policy,
  listing: Listing,
  view: LedgerView,
  now: string,
  options: { readonly force?: boolean } = {},
): Plan {
  const stampsTell = stampsTellChanges(listing.records);
  const decideAll = (mayTrip: boolean) => {
    const context: DecisionContext = { project, now, mayTrip, stampsTell };
    return listing.records.map((record) => {
      const known = view.integrations.get(record.id) ?? null;
      return withVersion(decide(record, known?.entry ?? null, effectivePolicy(policy, record), context), known, now);
    });
  };

  const active = listing.records.filter((record) => record.active === 1).length;
  const allowed = blastRadius(policy, active);
  const wished = decideAll(true);
  const wantedIds = overLimits(wished, listing, view);
  const wanted = wantedIds.length;
  const held = wanted > allowed && options.force !== true;
  const decisions = held ? decideAll(false) : wished;

  const troubles = {
    failing: null,
    held: held
      ? `${plural(wanted, 'integration')} over the limits at once, and at most ${allowed} of ${plural(active, 'active one')} may be paused in one pass; none was paused`
      : null,
    unreadable: unreadableReason(listing),
  };
  return {
    project,
    now,
    decisions: [...decisions, ...goneDecisions(listing, view, now)],
    projectDecision: decideProject(project, policy, view.project, { ...troubles, heldIds: wantedIds }, now),
    invalid: listing.invalid,
    states: {
      paused: listing.records.filter((record) => record.active === 0).length,
      active,
      suspended: listing.records.filter((record) => record.active === 2).length,
    },
    blastRadius: { allowed, wanted, held },
  };
}

/** Whether there is nothing to write, to do or to tell (law 3). */
export function isQuiet(plan: Plan): boolean {
  return plan.projectDecision.quiet && plan.decisions.every(({ quiet }) => quiet);
}

/** What to tell when a pass cannot run at all: the list is not to be had, so nothing is known of the rest. */
export function planFailure(
  project: string,
  policy: Policy,
  known: Versioned<ProjectEntry> | null,
  reason: string,
  now: string,
): ProjectDecision {
  return decideProject(project, policy, known, { failing: reason }, now);
}

/** Closed → open by us. The end of a failed trial stops no more than was stopped before, so it does not count. */
function isTrip(decision: Decision): boolean {
  return decision.kind === 'pause' && decision.before.circuit.state === 'closed';
}

/**
 * What this pass would trip; and, while an episode of holding back lasts, what was held in it and has been suspended by
 * Qonversion since. Those are out of our hands and still speak for a common cause: without them the rest would be paused
 * as soon as the worker has thinned them out, although the operator has not decided yet.
 */
function overLimits(wished: readonly Decision[], listing: Listing, view: LedgerView): readonly string[] {
  const trips = wished.filter(isTrip).map(({ id }) => id);
  if (trips.length === 0) return [];
  const known = view.project?.entry ?? BLANK_PROJECT_ENTRY;
  const heldBefore = new Set((known.intent?.settled ?? known).heldIds);
  const suspended = listing.records.filter(({ id, active }) => active === 2 && heldBefore.has(id)).map(({ id }) => id);
  return [...trips, ...suspended];
}

/** Adds what is needed to write a decision down: the version it was made from, and when the entry may be forgotten. */
export function withVersion<Entry>(decision: Decision, known: Versioned<Entry> | null, now: string): PlannedDecision {
  // Of the healthy majority nothing is written, so nothing has to be found out.
  if (known === null && decision.quiet) return { ...decision, version: null, expiresAt: null };
  const version = known?.version ?? null;
  const expiresAt = known?.expiresAt ?? null;
  if (decision.kind === 'under-way') return { ...decision, version, expiresAt };
  const days = decision.kind === 'gone' ? KEEP_GONE_DAYS : isBlank(decision.settled) ? KEEP_BLANK_DAYS : null;
  const wanted = days === null ? null : (expiresAt ?? plusMinutes(now, days * 24 * 60));
  const expiryMoves = known !== null && (wanted === null) !== (expiresAt === null);
  return { ...decision, version, expiresAt: wanted, quiet: decision.quiet && !expiryMoves };
}

function isBlank(entry: SettledEntry): boolean {
  return isDeepStrictEqual(entry, BLANK_SETTLED);
}

function goneDecisions(listing: Listing, view: LedgerView, now: string): readonly PlannedDecision[] {
  if (view.integrations.size === 0) return [];
  // A record whose id cannot be read may be any of those we miss, so none counts as gone.
  if (listing.invalid.some(({ id }) => id === null)) return [];
  const present = new Set([...listing.records.map(({ id }) => id), ...listing.invalid.map(({ id }) => id)]);
  return [...view.integrations]
    .filter(([id]) => !present.has(id))
    .map(([id, known]) => withVersion(decideGone(id, known.entry, now), known, now));
}

function unreadableReason(listing: Listing): string | null {
  const [first] = listing.invalid;
  if (first === undefined) return null;
  const all = listing.invalid.length + listing.records.length;
  const name = first.id === null ? 'one without a readable id' : first.id;
  return `${listing.invalid.length} of ${plural(all, 'integration')} could not be read and so ${listing.invalid.length === 1 ? 'is' : 'are'} not guarded (${name}: ${first.problem})`;
}

const TROUBLE_EVENTS = {
  failing: 'guard.failing',
  held: 'guard.held',
  unreadable: 'guard.unreadable',
} as const satisfies Record<string, EventType>;

type TroubleKind = keyof typeof TROUBLE_EVENTS;

/** Troubles of the project as a whole: each is told once per episode and again as a reminder while it lasts. */
function decideProject(
  project: string,
  policy: Policy,
  known: Versioned<ProjectEntry> | null,
  /** The reason of each trouble there is, null for each there is not; a trouble that is left out is not known. */
  troubles: { readonly [kind in TroubleKind]?: string | null } & { readonly heldIds?: readonly string[] },
  now: string,
): ProjectDecision {
  const { intent, ...recorded } = known?.entry ?? BLANK_PROJECT_ENTRY;
  const version = known?.version ?? null;
  if (intent !== null && isUnderWay(intent, now)) {
    return { events: [], before: recorded, settled: recorded, version, quiet: true };
  }
  const before = intent?.settled ?? recorded;
  const owed = intent?.events ?? [];
  const events: GuardEvent[] = [];
  const after: Record<TroubleKind, Trouble | null> = {
    failing: before.failing,
    held: before.held,
    unreadable: before.unreadable,
  };
  const seed = { project, time: now };

  for (const kind of ['failing', 'held', 'unreadable'] as const) {
    const reason = troubles[kind];
    const trouble = before[kind];
    if (reason === undefined) continue;
    if (reason === null) {
      after[kind] = null;
      if (kind === 'failing' && trouble !== null) {
        events.push(
          makeEvent({ ...seed, type: 'guard.recovered', episode: trouble.since, reason: 'passes run again' }),
        );
      }
    } else if (trouble === null) {
      after[kind] = { since: now, alertedAt: now, reminders: 0 };
      events.push(makeEvent({ ...seed, type: TROUBLE_EVENTS[kind], episode: now, reason }));
    } else if (isReminderDue(trouble.alertedAt, policy.remindEveryHours, now)) {
      const reminders = trouble.reminders + 1;
      after[kind] = { ...trouble, alertedAt: now, reminders };
      const type = TROUBLE_EVENTS[kind];
      events.push(makeEvent({ ...seed, type, episode: trouble.since, ordinal: reminders, reason }));
    }
  }
  const ids = after.held === null ? [] : [...new Set([...before.heldIds, ...(troubles.heldIds ?? [])])].sort();
  const settled: SettledProjectEntry = { ...after, heldIds: ids };
  const quiet = intent === null && events.length === 0 && isDeepStrictEqual(before, settled);
  return { events: [...owed, ...events], before: recorded, settled, version, quiet };
}
