import { UnknownIntegrationError } from '../guard/errors.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import { HISTORY_DAYS } from '../guard/ports.ts';
import { plusMs } from '../guard/text/time.ts';
import type { OpenedProject } from './open-project.ts';

/**
 * Checks that an integration with this id exists or existed, before a command reports that it has no history.
 * @param events the project's events that were already read
 * @throws UnknownIntegrationError when history, ledger and Qonversion do not know the id
 * @throws QonversionError when neither history nor ledger knows the id and Qonversion does not answer
 */
export async function requireKnown(
  { ports, project }: OpenedProject,
  id: string,
  events: readonly GuardEvent[],
): Promise<void> {
  if (idsIn(events).includes(id)) return;
  const { integrations } = await ports.ledger.read(project.name);
  if (integrations.has(id)) return;
  const { records, invalid } = await ports.api.list();
  const listed = [...records.map((record) => record.id), ...invalid.flatMap((record) => record.id ?? [])];
  if (listed.includes(id)) return;
  const since = plusMs(ports.clock.now(), -HISTORY_DAYS * 24 * 60 * 60_000);
  const gone = idsIn(await ports.ledger.history(project.name, since));
  if (gone.includes(id)) return;
  throw new UnknownIntegrationError(project.name, id, [...new Set([...listed, ...integrations.keys(), ...gone])]);
}

function idsIn(events: readonly GuardEvent[]): readonly string[] {
  return events.flatMap(({ record }) => record?.id ?? []);
}
