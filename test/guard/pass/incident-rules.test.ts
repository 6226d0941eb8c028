import { describe, expect, it } from 'vitest';
import { isForMachines, makeEvent } from '../../../functions/guard/model/event.ts';
import { boundOutbox, MAX_OUTBOX_BYTES, toOutbox } from '../../../functions/guard/model/outbox.ts';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import type { OperatorCommand } from '../../../functions/guard/policy/operator.ts';
import { MACHINES, PEOPLE, underName } from '../../../functions/guard/ports.ts';
import { toCloudEvent } from '../../../functions/messages/cloud-event.ts';
import { KeyRefusedError, UnavailableError } from '../../../functions/qonversion/errors.ts';
import { aPolicy, aRecord, NOON, PROBE_RECOVERY } from '../../support/builders.ts';
import { addBusy, createFailingHarness, createHarness, type Harness, QUICK } from '../../support/harness.ts';
import { IncidentTool } from '../../support/incident-tool.ts';

/** Qonversion suspends no integration. */
const OPTIONS = { audiences: [MACHINES, PEOPLE], suspendAfterErrors: Number.POSITIVE_INFINITY };
const EPISODES = { warnThreshold: 10, failingForMinutes: 30 };

/** "failing trigger warning KEY" for each message with an effect. */
function effects({ alerts }: Harness): readonly string[] {
  return alerts.published.flatMap(({ audience, events }) =>
    audience !== MACHINES
      ? []
      : events.map(toCloudEvent).flatMap(({ type, data: { incident } }) => {
          if (incident === null) return [];
          return [`${type.replace('integration.', '')} ${incident.action} ${incident.severity}`];
        }),
  );
}

function keys({ alerts }: Harness): ReadonlySet<string> {
  return new Set(alerts.events().flatMap(({ incident }) => incident?.key ?? []));
}

function people({ alerts }: Harness): readonly string[] {
  return alerts.published.flatMap(({ audience, events }) =>
    audience === PEOPLE ? events.map(({ type }) => type.replace('integration.', '')) : [],
  );
}

/** A harness with an integration, 'broken', that the guard has warned of. */
async function warned(policy: Record<string, unknown> = {}): Promise<Harness> {
  const harness = createHarness({ ...EPISODES, ...policy }, OPTIONS);
  for (const id of ['good', 'broken']) addBusy(harness, id);
  harness.world.advance(5);
  harness.world.breakDown('broken', 'HTTP 503');
  await harness.run(20);
  expect(effects(harness)).toEqual(['failing trigger warning']);
  return harness;
}

function command(harness: Harness, order: OperatorCommand) {
  harness.world.advance(3);
  return runOperatorCommand(harness.ports, harness.project, 'broken', order);
}

describe('an incident of an integration', () => {
  it('has one key from the warning over the pause to the recovery, and a higher severity at the pause', async () => {
    const harness = await warned({ recovery: PROBE_RECOVERY });
    await harness.run(20);
    harness.world.repair('broken');
    await harness.run(240);
    expect(effects(harness)).toEqual(['failing trigger warning', 'paused trigger critical', 'recovered resolve info']);
    expect(keys(harness).size).toBe(1);
  });

  it('is not opened again by reminders', async () => {
    const harness = await warned();
    await harness.run(60 * 48);
    expect(people(harness).filter((type) => type === 'still-down').length).toBeGreaterThan(1);
    expect(effects(harness)).toEqual(['failing trigger warning', 'paused trigger critical']);
  });

  it('is not opened again by repeated alerts of a pause that fails', async () => {
    const harness = createFailingHarness({ remindAt: '13:00' }, OPTIONS);
    harness.api.failStatus(new UnavailableError('not allowed'), 'refused');
    for (let day = 0; day < 3; day += 1) {
      await harness.pass();
      harness.world.advance(24 * 60);
    }
    expect(people(harness).filter((type) => type === 'pause-failed').length).toBeGreaterThan(1);
    expect(effects(harness)).toEqual(['pause-failed trigger critical']);
  });

  it('ends when an operator pauses the integration at Qonversion, without an alert to people', async () => {
    const harness = await warned();
    harness.world.setStatus('broken', 0);
    await harness.run(5);
    expect(effects(harness)).toEqual(['failing trigger warning', 'operator-paused resolve info']);
    expect(people(harness)).toEqual(['failing']);
  });

  it.each(['pause', 'resume'] as const)('ends with the command "%s"', async (order) => {
    const harness = await warned();
    await command(harness, order);
    const [, ...ends] = effects(harness);
    expect(ends).toEqual([order === 'pause' ? 'operator-paused resolve info' : 'incident.closed resolve info']);
  });

  it('ends when an operator has the guard ignore it. If the problem lasts after that, another one opens', async () => {
    const harness = await warned();
    await harness.run(20);
    expect(effects(harness).at(-1)).toBe('paused trigger critical');
    await command(harness, { ignoreForMinutes: 60 });
    expect(effects(harness).at(-1)).toBe('exemption resolve info');
    await harness.run(55);
    const before = effects(harness).length;
    await harness.run(10);
    expect(effects(harness).slice(before)).toEqual(['incident.opened trigger critical']);
    harness.world.setStatus('broken', 1);
    harness.world.repair('broken');
    await harness.run(5);
    expect(effects(harness).at(-1)).toBe('reactivated resolve info');
    expect(keys(harness).size).toBe(2);
  });

  it('is not opened again with its key, if Qonversion suspends the integration while the guard ignores it', async () => {
    const harness = await warned();
    await command(harness, { ignoreForMinutes: 30 });
    harness.world.suspend('broken');
    await harness.run(40);
    expect(effects(harness).slice(1)).toEqual(['exemption resolve info', 'suspended trigger critical']);
    expect(keys(harness).size).toBe(2);
  });

  it('ends if the pass died that announced a failed pause, and the integration delivers again', async () => {
    const harness = createFailingHarness({ warnThreshold: 0 }, OPTIONS);
    harness.api.failStatus(new UnavailableError('not allowed'), 'refused');
    // It dies when it would write that the pause failed, after machines have the alert.
    let writes = 0;
    const write: typeof harness.ledger.write = (project, item, ...rest) => {
      if (item.kind === 'integration') writes += 1;
      return writes > 1 ? new Promise<never>(() => undefined) : harness.ledger.write(project, item, ...rest);
    };
    const published = Promise.withResolvers<void>();
    const publish: typeof harness.alerts.publish = async (project, events, audience) => {
      const accepted = await harness.alerts.publish(project, events, audience);
      if (audience === MACHINES) published.resolve();
      return accepted;
    };
    const ports = { ...harness.ports, ledger: { ...harness.ledger, write }, alerts: { ...harness.alerts, publish } };
    void runPass(ports, harness.project);
    await published.promise;
    expect(effects(harness)).toEqual(['pause-failed trigger critical']);
    harness.api.failStatus(null);
    harness.world.repair('broken');
    await harness.run(30);
    expect(effects(harness)).toEqual(['pause-failed trigger critical', 'incident.closed resolve info']);
    expect(keys(harness).size).toBe(1);
  });

  it('ends when the settings ignore it', async () => {
    const harness = await warned();
    harness.project.policy = aPolicy({
      ...QUICK,
      ...EPISODES,
      overrides: [{ match: { id: 'broken' }, mode: 'ignore' }],
    });
    await harness.run(30);
    expect(effects(harness)).toEqual(['failing trigger warning', 'incident.closed resolve info']);
  });

  it('ends when the settings turn the reports of flapping off', async () => {
    const harness = createHarness({}, OPTIONS);
    for (const id of ['good', 'broken']) addBusy(harness, id);
    harness.world.setFlaky('broken', 0.8);
    await harness.run(180);
    expect(effects(harness)).toEqual(['flapping trigger warning']);
    harness.project.policy = aPolicy({ ...QUICK, flapping: 'off' });
    await harness.run(5);
    expect(effects(harness)).toEqual(['flapping trigger warning', 'incident.closed resolve info']);
  });

  it('ends when the integration is deleted, but not when one list lacks it', async () => {
    const harness = await warned();
    harness.world.delete('broken');
    await harness.run(5);
    expect(effects(harness)).toHaveLength(1);
    await harness.run(5);
    expect(effects(harness).slice(1)).toEqual(['incident.closed resolve info']);
    await harness.run(30);
    expect(effects(harness)).toHaveLength(2);
  });

  it('ends with its first key after the project was renamed', async () => {
    const harness = await warned();
    const ports = { ...harness.ports, ledger: underName(harness.ledger, 'production') };
    harness.world.repair('broken');
    for (let passes = 0; passes < 20; passes += 1) {
      harness.world.advance(5);
      await runPass(ports, { ...harness.project, name: 'renamed' });
    }
    expect(effects(harness)).toEqual(['failing trigger warning', 'recovered resolve info']);
    expect(keys(harness).size).toBe(1);
  });

  it('that version 0.2 opened ends with the key of that version, and costs no write before', async () => {
    const harness = await warned();
    const view = await harness.ledger.read('production');
    const { incidents: _, ...entry } = view.integrations.get('broken')?.entry ?? { incidents: {} };
    const version = view.integrations.get('broken')?.version ?? null;
    await harness.ledger.write(
      'production',
      { kind: 'integration', id: 'broken', entry: entry as never },
      version,
      null,
    );
    const writes = harness.ledger.calls.writes;
    await harness.pass();
    expect(harness.ledger.calls.writes).toBe(writes);
    harness.world.repair('broken');
    await harness.run(90);
    expect(effects(harness)).toEqual(['failing trigger warning', 'recovered resolve info']);
    expect(keys(harness).size).toBe(1);
  });
});

describe('resuming, through the guard, what an operator had paused', () => {
  it.each(['before a pass saw the pause', 'after a pass saw the pause'])('alerts no one: %s', async (when) => {
    const harness = createHarness({}, OPTIONS);
    addBusy(harness, 'broken');
    await harness.run(5);
    harness.world.setStatus('broken', 0);
    if (when.startsWith('after')) await harness.run(5);
    await command(harness, 'resume');
    expect(harness.world.get('broken')?.active).toBe(1);
    expect(harness.alerts.events()).toEqual([]);
    const history = await harness.ledger.history('production', NOON);
    expect(history.at(-1)?.type).toBe('integration.operator-resumed');
  });
});

describe('an incident of a project', () => {
  it('ends with the hold of the blast radius, and reminders do not open it again', async () => {
    const harness = createHarness({ blastRadius: { percent: 0, floor: 1 } }, OPTIONS);
    for (const id of ['a', 'b', 'c']) addBusy(harness, id);
    harness.world.advance(5);
    for (const id of ['a', 'b', 'c']) harness.world.breakDown(id, 'HTTP 503');
    await harness.run(60 * 48);
    expect(people(harness).filter((type) => type === 'guard.held').length).toBeGreaterThan(1);
    expect(effects(harness).filter((effect) => effect.startsWith('guard.held'))).toHaveLength(1);
    for (const id of ['a', 'b', 'c']) harness.world.repair(id);
    await harness.run(120);
    expect(effects(harness).filter((effect) => effect.includes('resolve'))).toContain('incident.closed resolve info');
    expect(keys(harness).size).toBe(keysOf(harness, 'trigger').size);
    expect(keysOf(harness, 'resolve')).toEqual(keysOf(harness, 'trigger'));
  });

  it('has a key of its own if two begin in one pass', async () => {
    const harness = createHarness({ blastRadius: { percent: 0, floor: 1 } }, OPTIONS);
    for (const id of ['a', 'b', 'c']) addBusy(harness, id);
    harness.world.advance(5);
    for (const id of ['a', 'b', 'c']) harness.world.breakDown(id, 'HTTP 503');
    harness.world.advance(20);
    harness.world.add({ id: 'odd', active: 1 });
    harness.world.patch('odd', { active: 7 as never });
    await harness.pass();
    expect(people(harness)).toEqual(['guard.held', 'guard.unreadable']);
    expect(keys(harness).size).toBe(2);
  });

  it('ends when passes run again. A second refusal of the key before that changes nothing', async () => {
    const harness = createFailingHarness({}, OPTIONS);
    const error = new KeyRefusedError('refused (401)');
    const api = { ...harness.api, setStatus: async () => ({ outcome: 'key-refused', error }) as const };
    for (let passes = 0; passes < 2; passes += 1) {
      await runPass({ ...harness.ports, api }, harness.project);
      harness.world.advance(5);
    }
    expect(effects(harness)).toEqual(['guard.failing trigger critical']);
    await harness.pass();
    expect(effects(harness)).toContain('guard.recovered resolve info');
    expect(effects(harness).filter((effect) => effect.startsWith('guard.'))).toHaveLength(2);
  });

  it('does not open while the ledger cannot be read, because no pass could close it', async () => {
    const harness = createFailingHarness({}, OPTIONS);
    harness.ledger.failWith('throttled');
    await expect(harness.pass()).rejects.toThrow();
    expect(harness.alerts.types()).toEqual(['guard.failing']);
    expect(effects(harness)).toEqual([]);
  });
});

function keysOf({ alerts }: Harness, action: 'trigger' | 'resolve'): ReadonlySet<string> {
  return new Set(alerts.events().flatMap(({ incident }) => (incident?.action === action ? [incident.key] : [])));
}

describe('an outbox that is too large', () => {
  it.each([
    ['the end of an incident that is open', 'resolve', 0],
    ['the beginning of an incident that lasts', 'trigger', 1],
  ] as const)('keeps %s when it merges older alerts', (_what, action, open) => {
    const tool = new IncidentTool();
    const seed = { project: 'production', time: NOON, reason: 'HTTP 503 '.repeat(50) };
    const change = (number: number, effect: 'trigger' | 'resolve', episode: string) => {
      const type = effect === 'trigger' ? ('integration.failing' as const) : ('integration.recovered' as const);
      const event = makeEvent({ ...seed, type, episode, ordinal: number, record: aRecord() });
      return { ...event, incident: { key: `production/amp-ios/${episode}`, action: effect, severity: event.severity } };
    };
    // The tool has the first incident, and then refuses.
    tool.receive([change(0, 'trigger', 'first')]);
    const fillers = Array.from({ length: 100 }, (_, number) =>
      makeEvent({ ...seed, type: 'integration.flapping', episode: NOON, ordinal: number, record: aRecord() }),
    );
    const pending = [change(1, 'resolve', 'first'), change(2, 'trigger', 'second')];
    const events = [...(action === 'resolve' ? [...pending, change(3, 'resolve', 'second')] : pending), ...fillers];
    let outbox = toOutbox([]);
    for (const event of events) outbox = boundOutbox([...outbox, ...toOutbox([event])]);
    expect(JSON.stringify(outbox).length).toBeLessThanOrEqual(MAX_OUTBOX_BYTES);
    expect(outbox.some(({ event }) => event.type === 'guard.backlog')).toBe(true);
    tool.receive(outbox.map(({ event }) => event));
    expect(tool.open()).toHaveLength(open);
    expect(tool.violations).toEqual([]);
  });
});

describe('the messages about one incident', () => {
  it('reach machines in order, even if the topic refuses the first call of a pass', async () => {
    const harness = createHarness(EPISODES, OPTIONS);
    for (const id of ['good', 'broken']) addBusy(harness, id);
    harness.world.advance(5);
    harness.world.breakDown('broken', 'HTTP 503');
    harness.alerts.refuse((_, audience) => audience === MACHINES);
    await harness.run(20);
    expect(people(harness)).toEqual(['failing']);
    harness.world.setStatus('broken', 0);
    let calls = 0;
    const publish: typeof harness.alerts.publish = (project, events, audience) => {
      if (audience === MACHINES) calls += 1;
      return audience === MACHINES && calls === 1
        ? Promise.reject(new UnavailableError('throttled'))
        : harness.alerts.publish(project, events, audience);
    };
    harness.alerts.refuse(() => false);
    harness.world.advance(5);
    await runPass({ ...harness.ports, alerts: { ...harness.alerts, publish } }, harness.project);
    await harness.run(5);
    expect(effects(harness)).toEqual(['failing trigger warning', 'operator-paused resolve info']);
  });
});

describe('an event that people do not get', () => {
  it('goes to machines only if it changes an incident', () => {
    const event = makeEvent({ type: 'incident.closed', project: 'p', time: NOON, episode: NOON, reason: 'over' });
    expect(isForMachines(event)).toBe(false);
    expect(isForMachines({ ...event, incident: { key: 'k', action: 'resolve', severity: 'info' } })).toBe(true);
  });
});
