import type { Ports } from '../../functions/guard/ports.ts';

/**
 * The seam of all fault tests: every effect passes a gate before and after it takes place. The effects are found, not
 * listed, so whatever the guard learns to do becomes a point to be killed or interleaved at by itself.
 */
export interface Gate {
  /** Resolves when the effect may take place; never, when the process is dead. */
  before(effect: string): Promise<void>;
  /** Resolves when whoever asked for it may learn of it. */
  after(effect: string): Promise<void>;
}

export const OPEN_GATE: Gate = { before: async () => undefined, after: async () => undefined };

/** Ports that only answer or only speak: nothing to interrupt. */
const NO_EFFECT: ReadonlySet<string> = new Set(['clock', 'log', 'remainingMs'] satisfies (keyof Ports)[]);

/** Ports with a gate at every call. */
export function gated(ports: Ports, gate: Gate): Ports {
  const wrapped = Object.entries(ports).map(([name, port]) =>
    NO_EFFECT.has(name) ? [name, port] : [name, gatedPort(name, port as object, gate)],
  );
  return Object.fromEntries(wrapped) as Ports;
}

function gatedPort(name: string, port: object, gate: Gate): object {
  return new Proxy(port, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function' || typeof property !== 'string') return member;
      return (...args: unknown[]) =>
        throughGate(gate, `${name}.${property}`, () => member.apply(target, args) as Promise<unknown>);
    },
  });
}

export async function throughGate<T>(gate: Gate, effect: string, act: () => Promise<T>): Promise<T> {
  await gate.before(effect);
  try {
    return await act();
  } finally {
    await gate.after(effect);
  }
}

/** As much of an SDK client as it takes to see its requests. */
interface Instrumentable {
  readonly middlewareStack: {
    add(
      middleware: <A, R>(
        next: (args: A) => Promise<R>,
        context: { readonly commandName?: string },
      ) => (args: A) => Promise<R>,
      options: { readonly step: 'initialize'; readonly name: string },
    ): void;
  };
}

/** An AWS client with a gate at every request, so that one port's call of several requests can die between them. */
export function gatedClient<Client extends Instrumentable>(client: Client, gate: Gate): Client {
  client.middlewareStack.add(
    (next, { commandName = 'a request' }) =>
      (args) =>
        throughGate(gate, `aws.${commandName}`, () => next(args)),
    { step: 'initialize', name: 'gate' },
  );
  return client;
}

export type Moment = 'before' | 'after';

export const MOMENTS: readonly Moment[] = ['before', 'after'];

export interface CountingGate extends Gate {
  /** Every effect begun, in order. */
  readonly effects: readonly string[];
}

export interface CrashGate extends CountingGate {
  /** Resolves at the moment of death; never, when there were fewer effects. */
  readonly died: Promise<void>;
}

/**
 * Dies at the n-th effect: before it takes place, or after it, before whoever asked learns of it.
 * @param kill what it is to die; left out: nothing that goes through this gate ever goes on, not even a catch block
 */
export function createCrashGate(n: number, when: Moment, kill: () => void = () => undefined): CrashGate {
  const effects: string[] = [];
  const forever = () => new Promise<never>(() => undefined);
  const death = Promise.withResolvers<void>();
  let dead = false;
  let doomed = false;
  const die = () => {
    dead = true;
    kill();
    death.resolve();
    return forever();
  };
  return {
    died: death.promise,
    effects,
    async before(effect) {
      if (dead) return forever();
      const index = effects.push(effect) - 1;
      if (index !== n) return;
      if (when === 'before') return die();
      doomed = true;
    },
    async after() {
      if (dead) return forever();
      // With several in flight, the first answer after the n-th was begun is the moment.
      if (doomed) return die();
    },
  };
}

/** Counts effects and kills nothing. */
export function createCountingGate(): CountingGate {
  return createCrashGate(Number.POSITIVE_INFINITY, 'before');
}
