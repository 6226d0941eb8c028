import type { Entry, ProjectEntry } from '../model/entry.ts';
import type { LedgerView } from '../ports.ts';
import { isLater } from '../text/time.ts';
import type { Result } from './execute.ts';

/**
 * How many integrations of a project are stopped although no operator stopped them: the guard or Qonversion did, the guard probes
 * them, or Qonversion refused the pause that the guard asked for. Integrations count too while a shared outage or the blast radius
 * holds their pauses back, at least one of them. Integrations that were not read in this pass count as the ledger has them.
 * @param project the project's entry after the pass
 */
export function countStopped(
  view: LedgerView,
  results: readonly Result[],
  project: Pick<ProjectEntry, 'notices' | 'outages'>,
  now: string,
): number {
  const entries = new Map([...view.integrations].map(([id, { entry }]) => [id, isStopped(entry, now)]));
  for (const result of results) entries.set(result.decision.id, isStoppedAfter(result, now));
  const count = [...entries.values()].filter((stopped) => stopped).length;
  const isHeld = project.notices.held !== undefined || project.outages.some(({ endedAt }) => endedAt === null);
  return isHeld ? Math.max(count, 1) : count;
}

function isStoppedAfter({ decision, outcome }: Result, now: string): boolean {
  const { kind, current, next, record } = decision;
  switch (outcome) {
    // Another pass handles it, or the next one does.
    case 'lost-race':
    case 'not-started':
    case 'ledger-failed':
      return isStopped(current, now);
    case 'overtaken':
      return false;
    case 'failed':
      return isStopped(next, now) || next.attempt?.status === 0;
    case 'quiet':
    case 'noted':
    case 'done':
    case 'unsettled':
      break;
    default:
      return outcome satisfies never;
  }
  if (kind === 'gone' || kind === 'ignored') return false;
  if (kind === 'held' || kind === 'shared-outage') return true;
  return isStopped(record !== null && next.attempt !== null ? { ...next, ...next.attempt } : next, now);
}

function isStopped({ state, notices, ignoredUntil }: Pick<Entry, 'state' | 'notices' | 'ignoredUntil'>, now: string) {
  if (isLater(ignoredUntil, now)) return false;
  return state.name === 'open' || state.name === 'half-open' || notices['pause-failed'] !== undefined;
}
