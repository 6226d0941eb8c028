import { describeError } from '../guard/errors.ts';
import { HISTORY_DAYS } from '../guard/ports.ts';
import { DEFAULT_POLICY, type Policy } from '../guard/settings/schema.ts';
import { plural } from '../guard/text/sanitize.ts';
import { plusMs } from '../guard/text/time.ts';
import { type NamedFigure, summaryOf } from '../sandbox/world/figures.ts';
import { liveUnder } from '../sandbox/world/parallel.ts';
import { factsOf, type HistoryFacts } from './history-facts.ts';
import type { SettingsAndHistory } from './open-project.ts';

/** Simulated figures for a project's settings and for the defaults, and the real figures from its history. */

export interface SimulationSize {
  readonly integrations: number;
  readonly days: number;
  readonly seeds: readonly number[];
}

export interface Simulation {
  readonly project: string;
  readonly size: SimulationSize;
  /** The minutes between two passes. */
  readonly intervalMinutes: number;
  readonly policies: readonly SimulatedPolicy[];
  /** Null: the ledger does not exist, cannot be read, or has no history. */
  readonly inFact: HistoryFacts | null;
  /** Sentences about the limits of the figures. */
  readonly notes: readonly string[];
}

export interface SimulatedPolicy {
  readonly name: 'these settings' | 'these in enforce mode' | 'defaults';
  readonly figures: readonly NamedFigure[];
}

/** The default when the project's number of integrations is unknown. */
const USUAL_INTEGRATIONS = 12;
const USUAL_DAYS = 30;
const USUAL_SEEDS = [1, 2, 3] as const;

/** The maximum, unless the user asks for more. */
const MAX_INTEGRATIONS = 1_000;

/** Only breaks that begin at least five days before the end count for first alerts, so shorter simulations have none. */
const MIN_DAYS = 7;

/** The number of simulated integration days that take two cores about half a minute. */
const MAX_INTEGRATION_DAYS = 8_000;

export async function simulate(opened: SettingsAndHistory, asked: Partial<SimulationSize>): Promise<Simulation> {
  const { project, intervalMinutes } = opened;
  const policies = policiesOf(project.policy);
  const known = asked.integrations === undefined ? await opened.countIntegrations() : null;
  const size = chooseSize(asked, known, policies.length);
  const { inFact, problem } = await readFacts(opened);
  const lives = await liveUnder(
    policies.map(({ policy }) => policy),
    size.seeds.map((seed) => ({ seed, integrations: size.integrations, days: size.days })),
    intervalMinutes,
  );
  return {
    project: project.name,
    size,
    intervalMinutes,
    policies: policies.map(({ name }, index) => ({ name, figures: summaryOf(lives[index] ?? []) })),
    inFact,
    notes: [
      ...sizeNotes(asked, known, size),
      ...policyNotes(project.policy),
      ...(problem === null ? [] : [`The figures from the history are left out: ${problem}.`]),
    ],
  };
}

interface NamedPolicy {
  readonly name: SimulatedPolicy['name'];
  readonly policy: Policy;
}

/** Settings that only observe pause nothing, so the reader also gets their figures in enforce mode. */
function policiesOf(policy: Policy): readonly NamedPolicy[] {
  const enforced = { name: 'these in enforce mode', policy: { ...policy, mode: 'enforce' } } as const;
  return [
    { name: 'these settings', policy },
    ...(policy.mode === 'observe' ? [enforced] : []),
    { name: 'defaults', policy: DEFAULT_POLICY },
  ];
}

/**
 * Keeps every number that the user gave, and chooses the others so that the simulation takes less than a minute: a big
 * project gets one seed, and a bigger one fewer days.
 * @param known how many integrations the project has
 */
export function chooseSize(asked: Partial<SimulationSize>, known: number | null, policies: number): SimulationSize {
  const integrations = asked.integrations ?? Math.min(MAX_INTEGRATIONS, Math.max(1, known ?? USUAL_INTEGRATIONS));
  const most = MAX_INTEGRATION_DAYS / (integrations * policies);
  const wantedDays = asked.days ?? USUAL_DAYS;
  const seeds = asked.seeds ?? (wantedDays * USUAL_SEEDS.length <= most ? USUAL_SEEDS : USUAL_SEEDS.slice(0, 1));
  const fewerDays = Math.max(MIN_DAYS, Math.min(USUAL_DAYS, Math.floor(most / seeds.length)));
  return { integrations, days: asked.days ?? fewerDays, seeds };
}

function sizeNotes(asked: Partial<SimulationSize>, known: number | null, size: SimulationSize): readonly string[] {
  const { integrations, days, seeds } = size;
  const notes: string[] = [];
  if (asked.integrations === undefined && known === null)
    notes.push(
      `The project's own number of integrations was not read from Qonversion (no key, or no answer). --integrations sets it.`,
    );
  if (known !== null && known > integrations)
    notes.push(`The project has ${plural(known, 'integration')}; the simulation has ${integrations}.`);
  const isShort = (asked.days === undefined && days < USUAL_DAYS) || (asked.seeds === undefined && seeds.length < 3);
  if (isShort)
    notes.push(
      `The simulation has ${plural(days, 'day')} of ${plural(seeds.length, 'world')}, so that it takes less than a minute. Use --days and --seeds for more.`,
    );
  return notes;
}

function policyNotes({ overrides }: Policy): readonly string[] {
  const named = overrides.filter(({ match }) => match.id !== undefined || match.title !== undefined).length;
  if (named === 0) return [];
  const fits = named === 1 ? 'names an id or a title, so it fits' : 'name an id or a title, so they fit';
  return [`${plural(named, 'override')} ${fits} no simulated integration.`];
}

/** If the ledger cannot be read, the simulation runs without the figures from the history. */
async function readFacts({ ledger, project, clock }: SettingsAndHistory): Promise<{
  readonly inFact: HistoryFacts | null;
  readonly problem: string | null;
}> {
  const now = clock.now();
  try {
    const events = await ledger.history(project.name, plusMs(now, -HISTORY_DAYS * 24 * 60 * 60_000));
    return { inFact: factsOf(events, now), problem: null };
  } catch (error) {
    return { inFact: null, problem: describeError(error) };
  }
}
