import type { ClosedState, HalfOpenState, IsolatedState, OpenState, State } from '../model/entry.ts';
import type { Active } from '../model/integration.ts';
import { describeMoment, isLater } from '../text/time.ts';
import { isolate, operatorResumed, whenIgnored, whenIsolated } from './operator.ts';
import type { Situation, Verdict } from './situation.ts';
import { whenClosed } from './when-closed.ts';
import { whenHalfOpen } from './when-half-open.ts';
import { reactivated, whenOpen } from './when-open.ts';
import { suspended, suspendedDuringProbe, suspendedWhileOpen } from './when-suspended.ts';

/** One cell for each state of the API: a pure function of the situation. */
type Row<S extends State> = Readonly<Record<Active, (situation: Situation, state: S) => Verdict>>;

/** The whole state machine: the guard's circuit × the API's `active`. */
const TRANSITIONS: {
  readonly closed: Row<ClosedState>;
  readonly isolated: Row<IsolatedState>;
  readonly open: Row<OpenState>;
  readonly suspended: Row<OpenState>;
  readonly 'half-open': Row<HalfOpenState>;
} = {
  // biome-ignore format: a table
  closed:      { 0: isolate,      1: whenClosed,      2: suspended },
  // biome-ignore format: a table
  isolated:    { 0: whenIsolated, 1: operatorResumed, 2: suspended },
  // biome-ignore format: a table (opened by the guard)
  open:        { 0: whenOpen,     1: reactivated,     2: suspendedWhileOpen },
  // biome-ignore format: a table (opened by Qonversion's worker)
  suspended:   { 0: isolate,      1: reactivated,     2: whenOpen },
  // biome-ignore format: a table
  'half-open': { 0: isolate,      1: whenHalfOpen,    2: suspendedDuringProbe },
};

/** Applies the rules of docs/policy.md to one integration. Pure: the same situation always gives the same verdict. */
export function transition(situation: Situation): Verdict {
  const { policy, entry, now, record } = situation;
  if (policy.mode === 'ignore') return whenIgnored(situation, 'ignored by the settings');
  if (isLater(entry.ignoredUntil, now)) {
    return whenIgnored(situation, `ignored by an operator until ${describeMoment(entry.ignoredUntil, now)}`);
  }
  const { state } = entry;
  const watched = entry.ignoredUntil === null ? situation : { ...situation, entry: { ...entry, ignoredUntil: null } };
  switch (state.name) {
    case 'closed':
      return TRANSITIONS.closed[record.active](watched, state);
    case 'isolated':
      return TRANSITIONS.isolated[record.active](watched, state);
    case 'open':
      return TRANSITIONS[state.by === 'guard' ? 'open' : 'suspended'][record.active](watched, state);
    case 'half-open':
      return TRANSITIONS['half-open'][record.active](watched, state);
  }
}
