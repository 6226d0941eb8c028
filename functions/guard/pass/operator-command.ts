import { UnknownIntegrationError } from '../errors.ts';
import { decideForOperator, type Order } from '../policy/decide.ts';
import { stampsTellChanges } from '../policy/figures.ts';
import type { Ports } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { carryOutAlone, createPassTime, type Result } from './execute.ts';
import { withVersion } from './plan.ts';

/**
 * What an operator asks for. It goes through the ledger, so that the guard knows whose choice it was: what an operator pauses
 * is never re-activated, and what an operator resumes starts with a clean count (rules 4 and 5).
 * @throws UnknownIntegrationError when the project has no such integration
 */
export async function operate(ports: Ports, project: GuardedProject, id: string, order: Order): Promise<Result> {
  const startedAt = ports.clock.now();
  // In this order: a list that is older than the ledger would speak against what another pass has just done.
  const view = await ports.ledger.read(project.name);
  const listing = await ports.api.list();
  const record = listing.records.find((candidate) => candidate.id === id);
  if (record === undefined) {
    throw new UnknownIntegrationError(
      `project "${project.name}" has no integration "${id}"; \`guard list\` shows the ids it has`,
    );
  }
  const time = createPassTime(ports, startedAt, listing.clockAheadMs);
  const now = time.startedAt;
  const known = view.integrations.get(id) ?? null;
  const stampsTell = stampsTellChanges(listing.records);
  const context = { project: project.name, now, mayTrip: true, stampsTell };
  const decision = decideForOperator(record, known?.entry ?? null, order, context);
  return carryOutAlone(ports, project, withVersion(decision, known, now), time);
}
