import { setImmediate as settle } from 'node:timers/promises';
import type { Gate } from './effects.ts';

/**
 * Runs several passes step by step: each waits before every effect until it is chosen. What is chosen is the schedule's
 * business: all of them in turn (`everySchedule`), or any (`Schedule` from a seeded generator).
 */

/** Picks one of `count` possibilities, 0 to count - 1. */
export type Choose = (count: number) => number;

/** A step of a race, as far as its order against others matters. */
interface Step {
  readonly name: string;
  /** Who takes it; null for what simply happens. */
  readonly actor: string | null;
  /**
   * What it looks at or changes: the world behind the API, the ledger, the alerts, whether alerts are accepted; everything,
   * for deaths and time.
   */
  readonly touches: 'api' | 'ledger' | 'alerts' | 'acceptance' | 'everything';
  readonly reads: boolean;
}

/** Whether the order of two steps makes no difference. */
function independent(left: Step, right: Step): boolean {
  if (left.touches === 'everything' || right.touches === 'everything') return false;
  const touches = [left.touches, right.touches];
  // Each alert goes to an audience or to the history, and to no other's.
  if (touches.every((touched) => touched === 'alerts')) return true;
  // One actor's steps wait for each other, but for those it begins at once.
  if (left.actor !== null && left.actor === right.actor) return left.reads && right.reads;
  if (touches.includes('acceptance')) return !touches.includes('alerts');
  return left.touches !== right.touches || (left.reads && right.reads);
}

/** Something that happens once, at any moment: an operator's act, a stalled machine, a death. */
export interface Happening {
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

  /** @param free effects that take place at once, so that there are fewer orders */
  gate(actor: string, free: readonly string[] = []): Gate {
    return {
      before: (effect) =>
        free.includes(effect)
          ? Promise.resolve()
          : new Promise<void>((go) => this.#waiting.push({ actor, effect, go })),
      // What follows the answer is the next effect's "before"; in between nothing can happen that matters.
      after: () => (this.#dead.has(actor) ? new Promise<never>(() => undefined) : Promise.resolve()),
    };
  }

  /** The actor does nothing any more, not even what it waits for. */
  kill(actor: string): void {
    this.#dead.add(actor);
    for (let index = this.#waiting.length - 1; index >= 0; index -= 1) {
      if (this.#waiting[index]?.actor === actor) this.#waiting.splice(index, 1);
    }
  }

  /** Begins an actor's work; its first effect waits to be chosen. */
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
   * One step after the other until nobody waits and everything has happened. `tick` is called before each.
   *
   * With `distinct`, of all orders that differ only in steps whose order makes no difference, the alphabetically first is
   * played; the others are given up as soon as they show. @returns whether it was played to the end
   */
  async play(
    happenings: readonly Happening[],
    choose: Choose,
    tick: () => void,
    { distinct }: { readonly distinct: boolean },
  ): Promise<boolean> {
    const left = [...happenings];
    let last: Step | null = null;
    /** What could have been taken instead of the last step. */
    let others: ReadonlySet<Waiting | Happening> = new Set();
    for (;;) {
      await settle();
      const all: readonly (Waiting | Happening)[] = [...this.#waiting, ...left];
      if (all.length === 0) return true;
      const before: Step | null = last;
      const isRepetition = (item: Waiting | Happening) =>
        before !== null && others.has(item) && isOutOfOrder(before, stepOf(item));
      const open: typeof all = distinct ? all.filter((item) => !isRepetition(item)) : all;
      if (open.length === 0) return false;
      const chosen: Waiting | Happening | undefined = open[choose(open.length)];
      if (chosen === undefined) throw new Error('the choice is one of those there are');
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

/** The history is written and never read by a pass: like an alert. */
const TOUCHES: Readonly<Record<string, Step['touches']>> = { 'ledger.appendHistory': 'alerts' };

function stepOf(item: Waiting | Happening): Step {
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

/** Whether `step`, which could have come before `before` as well, would there have been the same, earlier in the alphabet. */
function isOutOfOrder(before: Step, step: Step): boolean {
  return independent(before, step) && step.name < before.name;
}

/**
 * Every schedule once, depth first: replays a prefix of choices, then takes the first of each, until none is left.
 * @param run plays one, and tells whether to the end
 * @param enough whether to stop before all have been played
 * @returns how many were played to the end
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
    if (schedules >= limit) throw new Error(`more than ${limit} interleavings: make the case smaller`);
    prefix = [...taken.slice(0, depth), (taken[depth] ?? 0) + 1];
  }
}
