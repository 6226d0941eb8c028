import type { GuardEvent } from '../guard/model/event.ts';
import { type Actor, describeType, type Phase } from '../guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import { PASS_TIME_LIMIT_SECONDS } from '../guard/model/lease.ts';
import { isLater, plusMs } from '../guard/text/time.ts';

/** Times in which an integration's events were not forwarded, read from the history. They need to be filled in from an export. */

export interface Gap {
  readonly id: string;
  /** The integration when the gap began. */
  readonly record: IntegrationRecord;
  readonly from: string;
  /** Null: the gap has not ended, according to the history. */
  readonly to: string | null;
  readonly by: Actor;
}

/** The phases without forwarding, each with the actor that stopped the integration. */
const STOPPED = {
  paused: 'guard',
  suspended: 'Qonversion',
  operator: 'operator',
} as const satisfies { readonly [phase in Phase]?: Actor };

/**
 * The gaps of every integration in the history, oldest first.
 * @param events oldest first; a gap that began earlier begins at the first event
 */
export function gapsOf(events: readonly GuardEvent[]): readonly Gap[] {
  const gaps: Gap[] = [];
  const open = new Map<string, Gap>();
  for (const event of events) {
    const { record } = event;
    const phase = phaseAfter(event);
    if (record === null || phase === null) continue;
    const { id } = record;
    const by = isStopped(phase) ? STOPPED[phase] : null;
    const current = open.get(id);
    if (current?.by === by || (current === undefined && by === null)) continue;
    const at = momentOf(event, record.updated_at, current?.from ?? null);
    if (current !== undefined) {
      gaps[gaps.indexOf(current)] = { ...current, to: isLater(at, current.from) ? at : current.from };
      open.delete(id);
    }
    if (by === null) continue;
    const gap = { id, record, from: at, to: null, by };
    open.set(id, gap);
    gaps.push(gap);
  }
  return gaps.filter(({ from, to }) => from !== to);
}

/** One line per gap, for a spreadsheet or a script. Ids have no commas or quotes. */
export function toCsv(gaps: readonly Gap[]): string {
  return ['id,from,to,by', ...gaps.map(({ id, from, to, by }) => [id, from, to ?? '', by].join(','))].join('\n');
}

/** The integration's phase after an event; null: the event does not change it. */
function phaseAfter({ type, record }: GuardEvent): Phase | null {
  const after = describeType(type).phases?.after ?? null;
  // When the guard gives up, a suspended integration stays suspended.
  return after === 'paused' && record?.active === 2 ? 'suspended' : after;
}

/**
 * The time of an event. A change by Qonversion or an operator happened when the record last changed, not in the pass that noticed
 * it. A change during the pass that paused the integration may be the pause itself, so the event's own time applies.
 */
function momentOf({ type, time }: GuardEvent, updatedAt: string, stoppedAt: string | null): string {
  if (type !== 'integration.reactivated' && type !== 'integration.suspended') return time;
  const notBefore = stoppedAt === null ? null : plusMs(new Date(stoppedAt), PASS_TIME_LIMIT_SECONDS * 1_000);
  return isLater(time, updatedAt) && isLater(updatedAt, notBefore) ? new Date(updatedAt).toISOString() : time;
}

function isStopped(phase: Phase): phase is keyof typeof STOPPED {
  return phase in STOPPED;
}
