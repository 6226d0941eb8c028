import { UnknownIntegrationError } from '../errors.ts';
import { type Decision, decideForOperator } from '../policy/decide.ts';
import { effectivePolicy } from '../policy/effective-policy.ts';
import { showsChangeTimes } from '../policy/figures.ts';
import type { OperatorCommand } from '../policy/operator.ts';
import type { Ports } from '../ports.ts';
import type { GuardedProject } from '../settings/types.ts';
import { isLater } from '../text/time.ts';
import { execute, type Result } from './execute.ts';
import { createPassTime } from './time-budget.ts';

/** The outcome of an operator's command. */
export interface CommandResult extends Result {
  /** Whether the integration was already in that state, so there is nothing to undo. */
  readonly already: boolean;
}

/**
 * Carries out an operator's command. The ledger records that it was the operator's choice: the guard never resumes an integration
 * that an operator paused, and failures count from zero when an operator resumes one (rules 5 and 6).
 * @throws UnknownIntegrationError when the project has no such integration
 */
export async function runOperatorCommand(
  ports: Ports,
  project: GuardedProject,
  id: string,
  command: OperatorCommand,
): Promise<CommandResult> {
  const startedAt = ports.clock.now();
  // The ledger first: a list that is older than the ledger would contradict another pass that has just finished.
  const view = await ports.ledger.read(project.name);
  const listing = await ports.api.list();
  const record = listing.records.find((candidate) => candidate.id === id);
  if (record === undefined) {
    throw new UnknownIntegrationError(
      project.name,
      id,
      listing.records.map((each) => each.id),
    );
  }
  const time = createPassTime(ports, startedAt, listing.clockAheadMs);
  const changeTimesShown = showsChangeTimes(listing.records, view);
  const context = { project: project.name, now: time.startedAt, changeTimesShown };
  const known = view.integrations.get(id) ?? null;
  const decision = decideForOperator(record, known, effectivePolicy(project.policy, record), command, context);
  const { results } = await execute(ports, project, [decision], null, time);
  const [result] = results;
  if (result === undefined) throw new Error('an executed decision has a result');
  return { ...result, already: isAlready(decision, command, context.now) };
}

function isAlready({ record, current }: Decision, command: OperatorCommand, now: string): boolean {
  const { name } = current.state;
  // The guard ends its own pauses and judges its probes. After a command, it does neither.
  if (command === 'pause') return record?.active === 0 && name !== 'open' && name !== 'half-open';
  if (command === 'resume') return record?.active === 1 && name !== 'half-open';
  return command === 'unignore' && !isLater(current.ignoredUntil, now);
}
