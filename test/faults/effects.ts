import type { Ports } from '../../functions/guard/ports.ts';

/**
 * The seam of the fault tests: every effect passes a gate before and after it takes place. The gates intercept the calls, so each new effect
 * of the guard becomes a crash point and a step of a race automatically.
 */
export interface Gate {
  /** Resolves when the effect may take place. Never resolves if the process is dead. */
  before(effect: string): Promise<void>;
  /** Resolves when the caller may get the result. */
  after(effect: string): Promise<void>;
}

export const OPEN_GATE: Gate = { before: async () => undefined, after: async () => undefined };

/** Ports without effects to interrupt. */
const NO_EFFECT: ReadonlySet<string> = new Set(['clock', 'log', 'remainingMs'] satisfies (keyof Ports)[]);

/** The same ports with a gate at every call. */
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

/** The part of an SDK client that exposes its requests. */
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

/** Adds a gate to every request of an AWS client, so that a pass can die between two requests of one call. */
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
  /** Every effect that began, in order. */
  readonly effects: readonly string[];
}

export interface CrashGate extends CountingGate {
  /** Resolves at the crash. Never resolves if there were fewer effects. */
  readonly died: Promise<void>;
}

/**
 * Crashes at the n-th effect: before it takes place, or after it but before the caller gets the result.
 * @param kill ends the process. Without it the crash is simulated: no call through this gate ever returns or throws
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
      // With several effects in flight, the crash comes at the first answer after the n-th effect began.
      if (doomed) return die();
    },
  };
}

/** Counts effects and never crashes. */
export function createCountingGate(): CountingGate {
  return createCrashGate(Number.POSITIVE_INFINITY, 'before');
}
