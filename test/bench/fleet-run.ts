import jsonata from 'jsonata';
import { PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import type { FleetSettings } from '../../functions/guard/settings/schema.ts';
import { describeFleetMachine } from '../../infra/fleet-machine.ts';

/**
 * A run over the fleet in virtual time. It evaluates the definition and expressions of the deployed state machine, over
 * simulated secrets and passes that only take time. It counts the units of AWS's quotas.
 */

export interface FleetWorld {
  /** Names of all tagged secrets, in the order of the list. */
  readonly secrets: readonly string[];
  readonly pageSeconds: number;
  /** Duration of a pass, including the start of the function. */
  passSeconds(project: string): number;
  /** Why the pass cannot run; null if it can. */
  failure(project: string): string | null;
}

export interface FleetRunFigures {
  /** Whether the run succeeded. */
  readonly succeeded: boolean;
  readonly seconds: number;
  /** Projects in the order in which their passes started. */
  readonly passes: readonly string[];
  readonly failed: number;
  readonly pages: number;
  readonly mapRuns: number;
  /** State transitions of the run, which is a standard workflow. Transitions of the passes are not billed. */
  readonly transitions: number;
  /** Entries of the run's history. */
  readonly historyEvents: number;
  /** Size of the largest variable, result or map input. */
  readonly maxBytes: number;
  readonly mostAtOnce: number;
  /** The inputs of the digest function, in their order. */
  readonly digests: readonly unknown[];
}

interface State {
  readonly Type: 'Pass' | 'Task' | 'Choice' | 'Map' | 'Succeed' | 'Fail';
  readonly Next?: string;
  readonly End?: boolean;
  readonly Arguments?: unknown;
  readonly Assign?: Readonly<Record<string, unknown>>;
  readonly Output?: unknown;
  readonly Choices?: readonly { readonly Condition: string; readonly Next: string; readonly Output?: unknown }[];
  readonly Default?: string;
  readonly MaxConcurrency?: number;
  readonly ItemProcessor?: Machine;
}

interface Machine {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

const FUNCTIONS = {
  passFunctionArn: 'the pass function',
  digestFunctionArn: 'the digest function',
  partition: 'aws',
} as const;

/**
 * Entries of the history by type of state. Each state has "entered" and "exited". A task also has "scheduled",
 * "started" and "succeeded". A distributed map also has its own start and success, and those of its map run.
 */
const HISTORY_EVENTS: Readonly<Record<State['Type'], number>> = {
  Pass: 2,
  Choice: 2,
  Succeed: 2,
  Fail: 1,
  Task: 5,
  Map: 6,
};
/** The execution's own start and end. */
const EXECUTION_EVENTS = 2;

type TaskArguments = { readonly MaxResults: number } | { readonly FunctionName: string; readonly Payload: unknown };

type Bindings = Readonly<Record<string, unknown>>;

/** @throws if the machine names an unknown state, or passes over something that is no project */
export async function simulateRun(settings: FleetSettings, world: FleetWorld): Promise<FleetRunFigures> {
  // As text, as it is deployed.
  const machine = JSON.parse(JSON.stringify(describeFleetMachine(settings, FUNCTIONS))) as Machine;
  const counts = { seconds: 0, failed: 0, pages: 0, mapRuns: 0, transitions: 0, maxBytes: 0, mostAtOnce: 0 };
  let historyEvents = EXECUTION_EVENTS;
  const passes: string[] = [];
  const digests: unknown[] = [];
  const weigh = (value: unknown) => {
    counts.maxBytes = Math.max(counts.maxBytes, Buffer.byteLength(JSON.stringify(value ?? null)));
  };

  const readPage = (args: { readonly MaxResults: number; readonly NextToken?: string }) => {
    counts.pages += 1;
    counts.seconds += world.pageSeconds;
    const from = Number(args.NextToken ?? 0);
    const to = from + args.MaxResults;
    const page = {
      SecretList: world.secrets.slice(from, to).map(describeSecret),
      ...(to < world.secrets.length ? { NextToken: String(to) } : {}),
    };
    weigh(page);
    return page;
  };

  const runMap = async (map: State, items: readonly { readonly project: string }[]): Promise<void> => {
    counts.mapRuns += 1;
    weigh(items);
    const { ItemProcessor, MaxConcurrency = 0 } = map;
    if (ItemProcessor === undefined) throw new Error('the map has no processor');
    // When each slot becomes free.
    const slots = Array.from({ length: Math.min(MaxConcurrency, items.length) }, () => counts.seconds);
    counts.mostAtOnce = Math.max(counts.mostAtOnce, slots.length);
    for (const item of items) {
      passes.push(item.project);
      const first = slots.indexOf(Math.min(...slots));
      slots[first] = (slots[first] ?? 0) + world.passSeconds(item.project);
      if ((await runPass(ItemProcessor, item, world)) === 'Fail') counts.failed += 1;
    }
    counts.seconds = Math.max(counts.seconds, ...slots);
  };

  let input: unknown = {};
  let variables: Bindings = {};
  let succeeded = false;
  for (let name: string | undefined = machine.StartAt; name !== undefined; ) {
    const state = stateOf(machine, name);
    succeeded = state.End === true;
    counts.transitions += 1;
    historyEvents += HISTORY_EVENTS[state.Type];
    let result: unknown = null;
    if (state.Type === 'Task') {
      const args = (await fill(state.Arguments, { ...variables, states: { input } })) as TaskArguments;
      if ('MaxResults' in args) result = readPage(args);
      else if (args.FunctionName === FUNCTIONS.digestFunctionArn) digests.push(args.Payload);
      else throw new Error(`the run starts something unknown: ${args.FunctionName}`);
    } else if (state.Type === 'Map') {
      await runMap(state, (input as { readonly projects: readonly { readonly project: string }[] }).projects);
    }
    const bindings = { ...variables, states: { input, result } };
    const choice = state.Type === 'Choice' ? await choose(state, bindings) : state;
    const assigned = (await fill(state.Assign ?? {}, bindings)) as Bindings;
    for (const value of Object.values(assigned)) weigh(value);
    variables = { ...variables, ...assigned };
    if (choice.Output !== undefined) input = await fill(choice.Output, bindings);
    weigh(input);
    name = choice.Next;
  }
  return { ...counts, succeeded, passes, digests, historyEvents };
}

/** @returns the type of the last state of the pass's own workflow */
async function runPass(machine: Machine, item: { readonly project: string }, world: FleetWorld): Promise<string> {
  let input: unknown = item;
  for (let name: string | undefined = machine.StartAt; ; ) {
    const state = stateOf(machine, name);
    if (state.Type === 'Task') {
      const args = (await fill(state.Arguments, { states: { input } })) as { readonly Payload: unknown };
      if (JSON.stringify(args.Payload) !== JSON.stringify(item))
        throw new Error('the input of a pass is not its project alone');
      input = { project: item.project, failure: world.failure(item.project) };
    }
    const next = state.Type === 'Choice' ? await choose(state, { states: { input } }) : state;
    if (next.Next === undefined) return state.Type;
    name = next.Next;
  }
}

function stateOf(machine: Machine, name: string | undefined): State {
  const state = machine.States[name ?? ''];
  if (state === undefined) throw new Error(`there is no state "${name}"`);
  return state;
}

async function choose(state: State, bindings: Bindings): Promise<Pick<State, 'Next' | 'Output'>> {
  for (const choice of state.Choices ?? []) if ((await fill(choice.Condition, bindings)) === true) return choice;
  return state.Default === undefined ? {} : { Next: state.Default };
}

const compiled = new Map<string, ReturnType<typeof jsonata>>();

/** Evaluates the expressions in a value of the definition, and converts the result to JSON and back. */
async function fill(value: unknown, bindings: Bindings): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map((each) => fill(each, bindings)));
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(async ([key, each]) => [key, await fill(each, bindings)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }
  const [, text] = /^\{% (.*) %\}$/.exec(String(value)) ?? [];
  if (text === undefined) return value;
  const expression = compiled.get(text) ?? jsonata(text);
  compiled.set(text, expression);
  const result: unknown = await expression.evaluate(null, bindings);
  return result === undefined ? undefined : JSON.parse(JSON.stringify(result));
}

/** A secret as Secrets Manager lists it, with a usual description and tags. */
function describeSecret(Name: string) {
  return {
    ARN: `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${Name}-AbCdEf`,
    Name,
    Description: 'Qonversion Secret Key of a customer, for Integration Guard',
    KmsKeyId: 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000001',
    LastChangedDate: '2026-11-01T00:00:00.000Z',
    LastAccessedDate: '2026-11-24T00:00:00.000Z',
    CreatedDate: '2026-11-01T00:00:00.000Z',
    SecretVersionsToStages: { '0f1e2d3c-0000-4000-8000-000000000002': ['AWSCURRENT'] },
    Tags: [PROJECT_TAG, 'team', 'cost-centre', 'environment'].map((Key) => ({ Key, Value: 'whatever it may be' })),
  };
}
