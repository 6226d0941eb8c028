import type { GuardEvent } from '../../functions/guard/model/event.ts';
import { type CloudEvent, toCloudEvent } from '../../functions/messages/cloud-event.ts';

/**
 * A small model of an incident tool such as PagerDuty: a trigger of an unknown or closed key opens an incident, a trigger of an open key
 * changes nothing, and a resolve closes the incident. A second copy of a message changes nothing.
 */
export class IncidentTool {
  readonly #seen = new Set<string>();
  readonly #incidents = new Map<string, KnownIncident>();
  /** The messages that no guard may send, one sentence each. */
  readonly violations: string[] = [];

  receive(events: readonly GuardEvent[]): void {
    for (const event of events) this.hear(toCloudEvent(event));
  }

  /** The open incidents. */
  open(): readonly KnownIncident[] {
    return [...this.#incidents.values()].filter(({ isOpen }) => isOpen);
  }

  /** Everything that was opened so far. */
  opened(): readonly KnownIncident[] {
    return [...this.#incidents.values()];
  }

  /** A person closes every incident in the tool. */
  closeByHand(): void {
    for (const [key, incident] of this.#incidents)
      if (incident.isOpen) this.#incidents.set(key, { ...incident, isOpen: false, byHand: true });
  }

  hear({ id, type, time, subject, data }: CloudEvent): void {
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    if (data.incident === null) return;
    const { key, action, severity } = data.incident;
    const known = this.#incidents.get(key);
    if (action === 'resolve') {
      if (known !== undefined) this.#incidents.set(key, { ...known, isOpen: false });
      return;
    }
    if (known?.isOpen) {
      if (RANK[severity] > RANK[known.severity]) this.#incidents.set(key, { ...known, severity });
      return;
    }
    // After a person has closed it, only worse news may open it again.
    if (known !== undefined && !(known.byHand && RANK[severity] > RANK[known.severity]))
      this.violations.push(`${type} of ${subject ?? data.provider ?? 'the project'} at ${time} opens ${key} again`);
    this.#incidents.set(key, { key, subject: subject ?? null, severity, type, time, isOpen: true, byHand: false });
  }
}

export interface KnownIncident {
  readonly key: string;
  /** The ID of the integration; null: it is about a provider or the project. */
  readonly subject: string | null;
  readonly severity: keyof typeof RANK;
  /** The type and the time of the event that opened it. */
  readonly type: string;
  readonly time: string;
  readonly isOpen: boolean;
  /** Whether a person closed it in the tool. */
  readonly byHand: boolean;
}

const RANK = { info: 0, warning: 1, critical: 2 } as const;
