import validate from 'asl-validator';
import jsonata from 'jsonata';
import { describe, expect, it } from 'vitest';
import { PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { describeFleetMachine } from '../../infra/fleet-machine.ts';

/**
 * The computations of the state machine, with the reference implementation of JSONata, on which Step Functions' own is
 * based. The end-to-end tests run the whole machine.
 */

type Value = unknown;
interface State {
  readonly Type: string;
  readonly QueryLanguage?: string;
  readonly Arguments?: string;
  readonly Assign?: Readonly<Record<string, string>>;
  readonly Choices?: readonly { readonly Condition: string; readonly Next: string }[];
  readonly Default?: string;
  readonly ItemProcessor?: { readonly States: Readonly<Record<string, State>> };
  readonly [field: string]: unknown;
}

function machineOf(fleet: Record<string, unknown>) {
  const settings = parseSettings({ fleet: { secretNamePrefix: 'q/', ...fleet } }).fleet;
  if (settings === undefined) throw new Error('there is a fleet');
  return describeFleetMachine(settings, {
    passFunctionArn: 'arn:of-the-pass',
    digestFunctionArn: 'arn:of-the-digest',
    partition: 'aws',
  });
}

function statesOf(fleet: Record<string, unknown> = {}): Readonly<Record<string, State>> {
  return machineOf(fleet).States as Readonly<Record<string, State>>;
}

/** Evaluates an expression, and returns the result as JSON, as Step Functions does. */
async function evaluate(text: string | undefined, bindings: Readonly<Record<string, Value>>): Promise<Value> {
  const [, expression = ''] = /^\{% (.*) %\}$/.exec(text ?? '') ?? [];
  const value: unknown = await jsonata(expression).evaluate(null, bindings);
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

async function choose({ Choices = [], Default }: State, bindings: Readonly<Record<string, Value>>) {
  for (const { Condition, Next } of Choices) if ((await evaluate(Condition, bindings)) === true) return Next;
  return Default;
}

const secret = (Name: string, ...keys: readonly string[]) => ({
  Name,
  ARN: `arn:${Name}`,
  Tags: keys.map((Key) => ({ Key, Value: 'x' })),
});

describe('reading a page of secrets', () => {
  const page = statesOf({ secretNamePrefix: 'q/' })['Read a page of secrets'];

  it('requests tagged secrets, from the end of the page before', async () => {
    expect(await evaluate(page?.Arguments, { token: null })).toEqual({
      Filters: [{ Key: 'tag-key', Values: [PROJECT_TAG] }],
      MaxResults: 50,
    });
    expect(await evaluate(page?.Arguments, { token: 'next' })).toMatchObject({ NextToken: 'next' });
  });

  it.each([
    ['no secret', [], []],
    ['one', [secret('q/a', PROJECT_TAG)], ['a']],
    ['one of several tags', [secret('q/a', 'team', PROJECT_TAG, 'cost')], ['a']],
    ['several', [secret('q/a', PROJECT_TAG), secret('q/b', PROJECT_TAG)], ['a', 'b']],
    ['one whose tag only begins like it', [secret('q/a', `${PROJECT_TAG}-not`)], []],
    ['one without tags', [{ Name: 'q/a', ARN: 'arn:a' }], []],
    ['one of another name', [secret('payroll', PROJECT_TAG)], []],
    ['names with every character there may be', [secret('q/A.b_c/d+e=f@g-1', PROJECT_TAG)], ['A.b_c/d+e=f@g-1']],
  ])('makes projects of %s', async (_what, SecretList, names) => {
    const found = names.map((project) => ({ project }));
    const states = { result: { SecretList } };
    expect(await evaluate(page?.Assign?.projects, { projects: [], states })).toEqual(found);
    const before = [{ project: 'before' }];
    expect(await evaluate(page?.Assign?.projects, { projects: before, states })).toEqual([...before, ...found]);
  });

  it('stores the end of the page, and whether it was the last', async () => {
    const token = (result: Value) => evaluate(page?.Assign?.token, { states: { result } });
    expect(await token({ SecretList: [], NextToken: 'next' })).toBe('next');
    expect(await token({ SecretList: [] })).toBe(null);
  });
});

describe('after a page', () => {
  const states = statesOf();
  const enough = states['Enough for a round?'];
  const many = (count: number) => Array.from({ length: count }, () => ({ project: 'x'.repeat(512) }));

  it('the next is read, until there are enough names for a round or no more pages', async () => {
    if (enough === undefined) throw new Error('there is a choice');
    expect(await choose(enough, { token: 'next', projects: [] })).toBe('Read a page of secrets');
    expect(await choose(enough, { token: 'next', projects: many(50) })).toBe('Read a page of secrets');
    expect(await choose(enough, { token: null, projects: many(1) })).toBe('Run the passes');
    expect(await choose(enough, { token: 'next', projects: many(400) })).toBe('Run the passes');
    expect(await choose(enough, { token: null, projects: [], passed: 5 })).toBe('Send the digests');
    expect(await choose(enough, { token: null, projects: [], passed: 0 })).toBe('No project');
  });

  it('names of any length stay below Step Functions’ limit of a variable', async () => {
    if (enough === undefined) throw new Error('there is a choice');
    let projects = many(0);
    while ((await choose(enough, { token: 'next', projects })) === 'Read a page of secrets') {
      projects = [...projects, ...many(50)];
    }
    expect(Buffer.byteLength(JSON.stringify({ projects }))).toBeLessThan(256 * 1_024);
  });

  it('the next round follows while there are secrets to read', async () => {
    const more = states['More secrets?'];
    if (more === undefined) throw new Error('there is a choice');
    expect(await choose(more, { token: 'next' })).toBe('Begin a round');
    expect(await choose(more, { token: null })).toBe('Send the digests');
  });
});

describe('a pass of the fleet', () => {
  const map = statesOf({ concurrency: 7 })['Run the passes'];
  const inner = map?.ItemProcessor?.States ?? {};

  it('is invoked with its project only, at the set concurrency, even if others fail', () => {
    expect(map).toMatchObject({ MaxConcurrency: 7, ToleratedFailurePercentage: 100, ItemsPath: '$.projects' });
    expect(inner['Run a pass']?.Arguments).toEqual({ FunctionName: 'arn:of-the-pass', Payload: '{% $states.input %}' });
  });

  it('that could not run counts as failed in the map run', async () => {
    const ran = inner['Did it run?'];
    if (ran === undefined) throw new Error('there is a choice');
    const next = (failure: Value) => choose(ran, { states: { input: { project: 'a', failure } } });
    expect(await next('the key was refused')).toBe('Not guarded, and announced');
    expect(await next(null)).toBe('Guarded');
  });
});

describe('the alerts of a run', () => {
  const states = statesOf();
  const left = states['Send what an earlier run left'];
  const last = states['Send the digests'];

  it('are sent at its end, with the number of projects; if they cannot be sent, the run fails', async () => {
    expect(last).toMatchObject({ End: true, Arguments: { FunctionName: 'arn:of-the-digest' } });
    const args = last?.Arguments as unknown as { readonly Payload: Readonly<Record<string, string>> } | undefined;
    expect(args?.Payload.release).toBe('run');
    expect(await evaluate(args?.Payload.projects, { passed: 5_000, projects: [{ project: 'a' }] })).toBe(5_001);
    expect(last?.Catch).toBeUndefined();
    // The lease of a function that died lasts 150 seconds.
    const retries = (last?.Retry ?? []) as readonly {
      readonly IntervalSeconds: number;
      readonly BackoffRate: number;
    }[];
    const waits = retries.map(({ IntervalSeconds: wait, BackoffRate: rate }) => wait * (1 + rate + rate ** 2));
    expect(Math.max(...waits)).toBeGreaterThan(150);
  });

  it('that an earlier run left are sent at its beginning, and neither stop nor delay the passes if they cannot be sent', () => {
    expect(left?.Retry).toBeUndefined();
    expect(states.Begin).toMatchObject({ Next: 'Send what an earlier run left' });
    expect(left).toMatchObject({
      Arguments: { FunctionName: 'arn:of-the-digest', Payload: { release: 'run', olderThanMinutes: 15 } },
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Begin a round' }],
      Next: 'Begin a round',
    });
  });
});

it('every state with an expression names its language', () => {
  const check = (states: Readonly<Record<string, State>>) => {
    for (const [name, { ItemProcessor, ...state }] of Object.entries(states)) {
      const language = JSON.stringify(state).includes('{%') ? 'JSONata' : state.QueryLanguage;
      expect({ name, language: state.QueryLanguage }).toEqual({ name, language });
      if (ItemProcessor !== undefined) check(ItemProcessor.States);
    }
  };
  check(statesOf());
});

it('is valid Amazon States Language: every state is reachable, and every field and expression is valid', () => {
  const { errors } = validate(machineOf({ secretNamePrefix: 'qonversion/' }));
  expect(errors.map(({ Message }) => Message)).toEqual([]);
});
