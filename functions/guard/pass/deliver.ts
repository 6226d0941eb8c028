import { describeError } from '../errors.ts';
import type { OutboxItem } from '../model/entry.ts';
import { type GuardEvent, isAuditOnly, isForMachines } from '../model/event.ts';
import { HISTORY } from '../model/outbox.ts';
import { type Audience, MACHINES, type Ports } from '../ports.ts';

/** Delivers outboxes to each audience independently: if one refuses, the others get every alert, and get it once (law 7). */

/** The events that each audience has accepted in this pass. */
export class Deliveries {
  readonly #accepted = new Map<string, Set<string>>();
  readonly #audiences: readonly string[];
  /** "audience key" of the incidents of which it refused a message in this pass. */
  readonly #refused = new Set<string>();

  constructor(audiences: readonly string[]) {
    this.#audiences = audiences;
  }

  accept(audience: string, eventIds: Iterable<string>): void {
    for (const id of eventIds) this.#accepted.set(id, (this.#accepted.get(id) ?? new Set()).add(audience));
  }

  refuse(audience: string, events: readonly GuardEvent[]): void {
    for (const { id, incident } of events)
      if (incident && this.#accepted.get(id)?.has(audience) !== true) this.#refused.add(`${audience} ${incident.key}`);
  }

  /** Whether the next pass sends it, after an earlier message about the incident: a trigger after its resolve would stay open. */
  mustWait(audience: string, { incident }: GuardEvent): boolean {
    return isMachine(audience) && this.#refused.has(`${audience} ${incident?.key}`);
  }

  /** The audiences that have not accepted the event. An audience that is no longer in the settings does not count. */
  undelivered({ event, undelivered }: OutboxItem): readonly string[] {
    const audiences = isAuditOnly(event) ? this.#audiences.filter(isMachine) : this.#audiences;
    const wanted = isForMachines(event) ? [HISTORY, ...audiences] : [HISTORY];
    const accepted = this.#accepted.get(event.id);
    return wanted.filter((audience) => (undelivered?.includes(audience) ?? true) && accepted?.has(audience) !== true);
  }

  /** The outbox without the alerts that every audience has accepted. */
  remaining(outbox: readonly OutboxItem[]): readonly OutboxItem[] {
    return outbox.flatMap((item) => {
      const undelivered = this.undelivered(item);
      if (undelivered.length === 0) return [];
      return [this.#accepted.has(item.event.id) ? { ...item, undelivered } : item];
    });
  }
}

/** Whether programs read it: machines, or one incident tool ('incident-…'). They get the audit-only events that change an incident. */
function isMachine(audience: Audience): boolean {
  return audience === MACHINES || audience.startsWith('incident-');
}

/** Publishes the events of the outboxes, appends them to the history, and notes which audience accepted which event. */
export async function deliver(
  ports: Ports,
  project: string,
  outbox: readonly OutboxItem[],
  deliveries: Deliveries,
): Promise<void> {
  if (outbox.length === 0) return;
  const dueFor = (audience: string): readonly GuardEvent[] => {
    const due = outbox.filter(
      (item) => deliveries.undelivered(item).includes(audience) && !deliveries.mustWait(audience, item.event),
    );
    return [...new Map(due.map(({ event }) => [event.id, event])).values()];
  };
  const publish = async (audience: string, events: readonly GuardEvent[]) => {
    if (audience !== HISTORY) return ports.alerts.publish(project, events, audience);
    await ports.ledger.appendHistory(project, events);
    return events.map(({ id }) => id);
  };
  await Promise.all(
    [HISTORY, ...ports.alerts.audiences].map(async (audience) => {
      const events = dueFor(audience);
      if (events.length === 0) return;
      try {
        deliveries.accept(audience, await publish(audience, events));
      } catch (error) {
        const problem = describeError(error);
        ports.log.error('not accepted; the next pass delivers it', { project, audience, problem });
      }
      deliveries.refuse(audience, events);
    }),
  );
}
