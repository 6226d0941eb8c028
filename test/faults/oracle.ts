import type { SandboxRecord } from '../../functions/sandbox/world.ts';

/**
 * What the specification (design §3) makes of what truly happened. Written from its words and from the world's own truth: it
 * imports nothing of the guard, so that a fault of the guard is not a fault of the oracle too.
 *
 * It knows two views. The *seen* one is what a guard that looks only at passes can know: a re-activation counts from the
 * first pass after it. What is due by that view must be done in that very pass. The *true* one counts from the act itself:
 * whatever the guard does must be right by it.
 */

export type Actor = 'guard' | 'operator' | 'worker';

export interface Limits {
  readonly mode: 'enforce' | 'ignore';
  readonly errorThreshold: number;
  readonly failingForMinutes: number;
  /** Null: manual recovery. */
  readonly probe: {
    readonly cooldownMinutes: number;
    readonly backoff: number;
    readonly maxCooldownMinutes: number;
    readonly maxAttempts: number;
    readonly probeErrors: number;
  } | null;
}

export interface BlastRadius {
  readonly percent: number;
  readonly floor: number;
}

const MINUTE_MS = 60_000;

/** Clocks that differ by seconds are not told apart: what is due is due so much later at the latest. */
const SECONDS_MS = 10_000;

interface Activation {
  readonly at: number;
  /** The counter then; only what came on top of it is fresh, until a delivery succeeds. */
  readonly count: number;
  readonly by: Actor;
}

interface Known {
  readonly limits: Limits;
  /** True view: the last time it was set active. */
  activation: Activation | null;
  /** Seen view. */
  seen: Activation | null;
  /** Who stopped it last; null while it is active. */
  stoppedBy: Actor | null;
  /** Whether a pass has seen it stopped since. */
  stopSeen: boolean;
  /** The circuit, as a guard that saw every pass has it. */
  circuit: 'closed' | 'open' | 'half-open';
  /** When it was stopped, and when that was first to be seen. */
  stoppedAt: number;
  openedAt: number;
  failedProbeCount: number;
  /** As many at least: fewer when only some pass that was disturbed can have seen an operator's re-activation. */
  leastProbeCount: number;
  /** An operator has had a hand in it since the guard stopped it: no probe any more. */
  handed: boolean;
  lastStatus: number;
}

/** What a pass has to do, by what it can see. */
export interface Due {
  readonly pause: ReadonlySet<string>;
  readonly probe: ReadonlySet<string>;
  /** More than the blast radius were over the limits, so none is to be paused. */
  readonly held: boolean;
}

export class Oracle {
  readonly #known = new Map<string, Known>();
  readonly #blastRadius: BlastRadius;
  #heldIds = new Set<string>();

  constructor(blastRadius: BlastRadius) {
    this.#blastRadius = blastRadius;
  }

  created(record: SandboxRecord, limits: Limits): void {
    this.#known.set(record.id, {
      limits,
      activation: null,
      seen: null,
      stoppedBy: record.active === 1 ? null : 'operator',
      stopSeen: false,
      circuit: 'closed',
      stoppedAt: 0,
      openedAt: 0,
      failedProbeCount: 0,
      leastProbeCount: 0,
      handed: false,
      lastStatus: record.active,
    });
  }

  /** Somebody set a state. `record` is as it is afterwards. @returns what is wrong with it, if the guard did it */
  switched(record: SandboxRecord, by: Actor, at: number): string | null {
    const known = this.#of(record.id);
    if (record.active === known.lastStatus) return null;
    known.lastStatus = record.active;
    const wrong = by === 'guard' ? this.#judge(record, known, at) : null;
    if (record.active === 1) this.#activated(record, known, by, at);
    else this.#stopped(record, known, by, at);
    return wrong;
  }

  #activated(record: SandboxRecord, known: Known, by: Actor, at: number): void {
    known.activation = { at, count: record.delivery_error_count, by };
    if (by === 'guard') {
      known.circuit = 'half-open';
      // A probe begins anew, whatever an operator did that only a disturbed pass has seen.
      known.handed = false;
      known.seen = known.activation;
    } else if (known.circuit !== 'closed') {
      known.handed = true;
    }
    known.stoppedBy = null;
  }

  #stopped(record: SandboxRecord, known: Known, by: Actor, at: number): void {
    if (by !== 'operator') {
      // A probe that ends so has failed, unless a delivery had ended it before.
      const probing = known.circuit === 'half-open' && !known.handed && !deliveredSince(record, known.seen);
      if (probing) {
        known.failedProbeCount += 1;
        known.leastProbeCount += 1;
      } else {
        if (known.circuit !== 'open') known.failedProbeCount = 0;
        if (known.circuit !== 'open' || known.handed) known.leastProbeCount = 0;
      }
    }
    if (by === 'guard') {
      known.circuit = 'open';
      known.openedAt = at;
      known.handed = false;
    } else if (by === 'operator' && known.circuit !== 'closed') {
      known.handed = true;
    }
    known.stoppedBy = by;
    known.stoppedAt = at;
    known.stopSeen = false;
  }

  /** An operator set it through the guard, which therefore knows at once. */
  throughGuard(record: SandboxRecord, at: number): void {
    const known = this.#of(record.id);
    known.circuit = 'closed';
    known.handed = false;
    if (record.active === 1) known.seen = { at, count: record.delivery_error_count, by: 'operator' };
    else {
      known.stoppedBy = 'operator';
      known.stopSeen = true;
    }
  }

  /** By the truth: may the guard have set this? */
  #judge(record: SandboxRecord, known: Known, at: number): string | null {
    const { limits, activation } = known;
    if (limits.mode === 'ignore') return 'it was to be ignored';
    if (record.active === 1) {
      if (known.stoppedBy === 'operator') return 'operator overridden: it was paused by an operator';
      if (limits.probe === null) return 're-activated although recovery is manual';
      if (at + SECONDS_MS < known.stoppedAt + cooldownMs(limits.probe, known.leastProbeCount))
        return 're-activated before the cooldown was over';
      return null;
    }
    const failed = freshFailures(record, activation);
    const minutes = (at - failingSince(record, activation)) / MINUTE_MS;
    const probing = activation?.by === 'guard';
    const allowed = probing
      ? failed >= (limits.probe?.probeErrors ?? limits.errorThreshold)
      : failed >= limits.errorThreshold && minutes >= limits.failingForMinutes;
    if (allowed) return null;
    const what = `paused after ${failed} failures in ${minutes.toFixed(1)} min`;
    return activation?.by === 'operator'
      ? `operator overridden: ${what} since they re-activated it`
      : `false pause: ${what}`;
  }

  /** Whether the limits are reached now by what can be seen, for the time it takes to pause. */
  isOverLimits(record: SandboxRecord, at: number): boolean {
    const known = this.#of(record.id);
    if (record.active !== 1 || known.circuit !== 'closed' || known.limits.mode === 'ignore') return false;
    if (this.#unseenActivation(known)) return false;
    return isOver(record, known, at);
  }

  /** An activation that no pass has seen: it will count from when one does. */
  #unseenActivation(known: Known): boolean {
    return (
      known.activation !== null &&
      known.activation !== known.seen &&
      known.activation.by === 'operator' &&
      (known.seen === null || known.seen.at < known.activation.at)
    );
  }

  /** A pass that runs undisturbed is about to look: what it will see, and what it has to do. */
  beforePass(records: readonly SandboxRecord[], at: number): Due {
    const pause = new Set<string>();
    const failedProbes = new Set<string>();
    const probe = new Set<string>();
    for (const record of records) {
      const known = this.#of(record.id);
      if (record.active === 1) this.#seeActive(record, known, at);
      else this.#seeStopped(record, known, at);
      if (known.limits.mode === 'ignore') continue;

      const { probe: recovery } = known.limits;
      if (record.active === 1 && known.circuit === 'closed' && isOver(record, known, at)) pause.add(record.id);
      if (record.active === 1 && known.circuit === 'half-open' && recovery !== null) {
        if (freshFailures(record, known.seen) >= recovery.probeErrors) failedProbes.add(record.id);
      }
      if (
        record.active !== 1 &&
        known.circuit === 'open' &&
        recovery !== null &&
        known.failedProbeCount < recovery.maxAttempts
      ) {
        // Whose pause it is comes up when a probe is due: until then it stays stopped either way.
        if (at - SECONDS_MS >= known.openedAt + cooldownMs(recovery, known.failedProbeCount)) {
          if (!known.handed) probe.add(record.id);
          else if (known.stoppedBy !== 'worker') known.circuit = 'closed';
        }
      }
    }
    const active = records.filter((record) => record.active === 1).length;
    const allowed = Math.max(this.#blastRadius.floor, Math.floor((this.#blastRadius.percent * active) / 100));
    const suspended = records.filter((record) => record.active === 2 && this.#heldIds.has(record.id));
    const held = pause.size > 0 && pause.size + suspended.length > allowed;
    this.#heldIds = held ? new Set([...this.#heldIds, ...pause, ...suspended.map(({ id }) => id)]) : new Set();
    return { pause: held ? failedProbes : new Set([...pause, ...failedProbes]), probe, held };
  }

  #seeActive(record: SandboxRecord, known: Known, at: number): void {
    const open = known.circuit !== 'closed';
    if (known.circuit === 'half-open' && !known.handed && deliveredSince(record, known.seen)) known.circuit = 'closed';
    if (known.circuit !== 'closed' && known.activation?.by !== 'guard') known.circuit = 'closed';
    if (!this.#unseenActivation(known)) return;
    // Rule 5: an operator's own pause that was seen counts from the count it had then; all else, rule 4 included, from now.
    const count = known.stopSeen && !open ? (known.activation?.count ?? 0) : record.delivery_error_count;
    known.seen = { at, count, by: 'operator' };
    known.handed = false;
  }

  #seeStopped(record: SandboxRecord, known: Known, at: number): void {
    if (record.active === 2 && !known.stopSeen) {
      // Rule 6, like an open circuit.
      known.circuit = 'open';
      known.openedAt = at;
      known.handed = false;
    }
    if (record.active === 0 && known.stoppedBy === 'operator' && known.circuit === 'half-open')
      known.circuit = 'closed';
    known.stopSeen = true;
  }

  #of(id: string): Known {
    const known = this.#known.get(id);
    if (known === undefined) throw new Error(`the oracle has never heard of ${id}`);
    return known;
  }
}

/** Rule 2: both limits. */
function isOver(record: SandboxRecord, known: Known, at: number): boolean {
  const { errorThreshold, failingForMinutes } = known.limits;
  const minutes = Math.floor((at - SECONDS_MS - failingSince(record, known.seen)) / MINUTE_MS);
  return freshFailures(record, known.seen) >= errorThreshold && minutes >= failingForMinutes;
}

/** Rule 1. */
function freshFailures(record: SandboxRecord, activation: Activation | null): number {
  if (activation === null || deliveredSince(record, activation)) return record.delivery_error_count;
  return record.delivery_error_count - activation.count;
}

function deliveredSince(record: SandboxRecord, activation: Activation | null): boolean {
  if (activation === null) return true;
  const delivered = record.last_delivery_at;
  return (
    record.delivery_error_count < activation.count || (delivered !== null && Date.parse(delivered) > activation.at)
  );
}

/** Rule 2: the latest of the last delivery, or the creation, and the activation. */
function failingSince(record: SandboxRecord, activation: Activation | null): number {
  return Math.max(Date.parse(record.last_delivery_at ?? record.created_at), activation?.at ?? 0);
}

/** Rule 7. */
function cooldownMs(probe: NonNullable<Limits['probe']>, failedProbeCount: number): number {
  return Math.min(probe.cooldownMinutes * probe.backoff ** failedProbeCount, probe.maxCooldownMinutes) * MINUTE_MS;
}
