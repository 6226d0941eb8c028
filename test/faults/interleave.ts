import { setImmediate as settle } from 'node:timers/promises';
import type { Gate } from './effects.ts';

/**
 * Runs several passes step by step: each waits before every effect until the schedule chooses it. A schedule tries every order
 * (`everySchedule`) or chooses at random (from a seeded generator).
 */

/** Chooses one of `count` possibilities, from 0 to count - 1. */
export type Choose = (count: number) => number;

/** A step of a race, with the properties that decide whether its order matters. */
interface Step {
  readonly name: string;
  /** The pass or command that takes the step. Null for an external event. */
  readonly actor: string | null;
  /**
   * The state that it reads or changes: the world behind the API, the ledger, the alerts, or whether audiences accept alerts. Deaths and time
   * touch everything.
   */
  readonly touches: 'api' | 'ledger' | 'alerts' | 'acceptance' | 'everything';
  readonly reads: boolean;
}

/** Whether the order of two steps makes no difference. */
function independent(left: Step, right: Step): boolean {
  if (left.touches === 'everything' || right.touches === 'everything') return false;
  const touches = [left.touches, right.touches];
  // Two publications commute: each goes to one audience or to the history.
  if (touches.every((touched) => touched === 'alerts')) return true;
  // The steps of one actor have an order, except for reads that it begins together.
  if (left.actor !== null && left.actor === right.actor) return left.reads && right.reads;
  if (touches.includes('acceptance')) return !touches.includes('alerts');
  return left.touches !== right.touches || (left.reads && right.reads);
}

/** An event that happens once, at any moment: an operator's act, a stalled machine, a death. */
export interface ExternalEvent {
  readonly name: string;
  readonly touches: 'api' | 'acceptance' | 'everything';
  readonly does: () => void | Promise<void>;
}

interface Waiting {
  readonly actor: string;
  readonly effect: string;
  readonly go: () => void;
}

export class Interleaving {
  readonly #waiting: Waiting[] = [];
  readonly #dead = new Set<string>();
  readonly trace: string[] = [];
  #running = 0;

  /** @param free effects that take place immediately, which reduces the number of orders */
  gate(actor: string, free: readonly string[] = []): Gate {
    return {
      before: (effect) =>
        free.includes(effect)
          ? Promise.resolve()
          : new Promise<void>((go) => this.#waiting.push({ actor, effect, go })),
      // Between the answer and the next effect no other step matters, so the answer does not wait.
      after: () => (this.#dead.has(actor) ? new Promise<never>(() => undefined) : Promise.resolve()),
    };
  }

  /** Stops the actor. Its waiting effects never take place. */
  kill(actor: string): void {
    this.#dead.add(actor);
    for (let index = this.#waiting.length - 1; index >= 0; index -= 1) {
      if (this.#waiting[index]?.actor === actor) this.#waiting.splice(index, 1);
    }
  }

  /** Begins an actor's work. Its first effect waits until it is chosen. */
  start(work: Promise<unknown>): void {
    this.#running += 1;
    work.then(
      () => {
        this.#running -= 1;
      },
      () => {
        this.#running -= 1;
      },
    );
  }

  /**
   * Takes one step after the other until no actor waits and every external event has happened. Calls `tick` before each step.
   *
   * With `distinct`, plays only one of the orders that differ in independent steps: the alphabetically first. It abandons the others as soon as
   * it recognises them.
   * @returns whether the order was played to its end
   */
  async play(
    externalEvents: readonly ExternalEvent[],
    choose: Choose,
    tick: () => void,
    { distinct }: { readonly distinct: boolean },
  ): Promise<boolean> {
    const left = [...externalEvents];
    let last: Step | null = null;
    /** The alternatives to the last step. */
    let others: ReadonlySet<Waiting | ExternalEvent> = new Set();
    for (;;) {
      await settle();
      const all: readonly (Waiting | ExternalEvent)[] = [...this.#waiting, ...left];
      if (all.length === 0) return true;
      const before: Step | null = last;
      const isRepetition = (item: Waiting | ExternalEvent) =>
        before !== null && others.has(item) && isOutOfOrder(before, stepOf(item));
      const open: typeof all = distinct ? all.filter((item) => !isRepetition(item)) : all;
      if (open.length === 0) return false;
      const chosen: Waiting | ExternalEvent | undefined = open[choose(open.length)];
      if (chosen === undefined) throw new Error('the choice is out of range');
      others = new Set(all.filter((item) => item !== chosen));
      last = stepOf(chosen);
      tick();
      this.trace.push(last.name);
      if ('go' in chosen) {
        this.#go(chosen);
      } else {
        left.splice(left.indexOf(chosen), 1);
        await chosen.does();
      }
    }
  }

  #go(waiting: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    waiting.go();
  }
}

/** A pass writes the history and never reads it, like alerts. */
const TOUCHES: Readonly<Record<string, Step['touches']>> = { 'ledger.appendHistory': 'alerts' };

function stepOf(item: Waiting | ExternalEvent): Step {
  if (!('go' in item)) return { name: item.name, actor: null, touches: item.touches, reads: false };
  const [port = '', call = ''] = item.effect.split('.');
  const touches =
    TOUCHES[item.effect] ?? (port === 'api' || port === 'ledger' || port === 'alerts' ? port : 'everything');
  return {
    name: `${item.actor}:${item.effect}`,
    actor: item.actor,
    touches,
    reads: call === 'list' || call === 'read',
  };
}

/** Whether `step` is independent of `before` and alphabetically earlier, so that another order covers this one. */
function isOutOfOrder(before: Step, step: Step): boolean {
  return independent(before, step) && step.name < before.name;
}

/**
 * Plays every schedule once, depth first: replays a prefix of choices, then always takes the first, until none is left.
 * @param run plays a schedule, and returns whether it came to its end
 * @param enough whether to stop early
 * @returns the number of schedules that came to their end
 * @throws above `limit` schedules
 */
export async function everySchedule(
  run: (choose: Choose) => Promise<boolean>,
  limit: number,
  enough: () => boolean = () => false,
): Promise<number> {
  let prefix: number[] = [];
  let played = 0;
  for (let schedules = 1; ; schedules += 1) {
    const counts: number[] = [];
    const taken: number[] = [];
    const toTheEnd = await run((count) => {
      const choice = prefix[counts.length] ?? 0;
      counts.push(count);
      taken.push(choice);
      return choice;
    });
    if (toTheEnd) played += 1;
    if (enough()) return played;
    let depth = counts.length - 1;
    while (depth >= 0 && (taken[depth] ?? 0) + 1 >= (counts[depth] ?? 0)) depth -= 1;
    if (depth < 0) return played;
    if (schedules >= limit) throw new Error(`more than ${limit} interleavings; use a smaller case`);
    prefix = [...taken.slice(0, depth), (taken[depth] ?? 0) + 1];
  }
}
