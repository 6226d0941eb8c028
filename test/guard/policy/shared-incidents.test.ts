import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GuardEvent, makeEvent } from '../../../functions/guard/model/event.ts';
import type { EventType } from '../../../functions/guard/model/event-catalogue.ts';
import {
  type Fleet,
  type OpenIncident,
  shareIncidents,
  WHOLE_FLEET,
} from '../../../functions/guard/policy/shared-incidents.ts';
import { aFailingRecord, minutesAfter, NOON } from '../../support/builders.ts';

/** A provider that fails in many projects of a fleet at once is one incident, and every problem has exactly one incident at any time. */

interface Problem {
  readonly project: string;
  /** Null: the passes of the project cannot run. */
  readonly provider: string | null;
}

const nameOf = ({ project, provider }: Problem) => `${project}/${provider ?? 'guard.failing'}`;

function change(problem: Problem, action: 'trigger' | 'resolve', now: string, episode: string): GuardEvent {
  const { project, provider } = problem;
  const type: EventType =
    provider === null
      ? action === 'trigger'
        ? 'guard.failing'
        : 'guard.recovered'
      : action === 'trigger'
        ? 'integration.paused'
        : 'integration.recovered';
  const record = provider === null ? {} : { record: aFailingRecord(61, 48, { id: provider, integration: provider }) };
  const event = makeEvent({ type, project, time: now, episode, reason: 'it fails', ...record });
  return { ...event, incident: { key: `${nameOf(problem)}/${episode}`, action, severity: event.severity } };
}

/** An incident tool: a trigger opens the incident of its key, a resolve closes it. */
class Tool {
  readonly open = new Map<string, GuardEvent>();
  calls = 0;
  opened = 0;

  take(events: readonly GuardEvent[]): void {
    for (const event of events) {
      const { incident } = event;
      if (!incident) throw new Error(`${event.type} is not about an incident`);
      this.calls += 1;
      if (incident.action === 'resolve') this.open.delete(incident.key);
      else {
        if (!this.open.has(incident.key)) this.opened += 1;
        this.open.set(incident.key, event);
      }
    }
  }
}

const at = (minute: number, projects: number | null = 100, isRepeated = false): Fleet => ({
  projects,
  isRepeated,
  except: ['Webhooks'],
  now: minutesAfter(NOON, minute),
});

/** A run's events, applied to the state and the tool. */
class Runs {
  readonly tool = new Tool();
  open: ReadonlyMap<string, OpenIncident> = new Map();

  run(events: readonly GuardEvent[], fleet: Fleet): void {
    const changes = shareIncidents(this.open, events, fleet);
    this.tool.take(changes.events);
    this.open = changes.open;
  }

  keys(): readonly string[] {
    return [...this.tool.open.keys()];
  }
}

const many = (count: number, provider: string | null = 'Amplitude', from = 0): readonly Problem[] =>
  Array.from({ length: count }, (_, index) => ({ project: `customer-${from + index}`, provider }));

const triggers = (problems: readonly Problem[], now = NOON) =>
  problems.map((each) => change(each, 'trigger', now, now));
const resolves = (problems: readonly Problem[], minute: number, began = NOON) =>
  problems.map((each) => change(each, 'resolve', minutesAfter(NOON, minute), began));

const SHARED = `${WHOLE_FLEET}/provider:Amplitude/${NOON}`;

describe('a provider that fails in many projects at once', () => {
  it('is one incident, which closes when it works again in each', () => {
    const runs = new Runs();
    runs.run(triggers(many(50)), at(0, 50));
    expect(runs.keys()).toEqual([SHARED]);
    expect(runs.tool.open.get(SHARED)?.reason).toBe(
      'Amplitude fails in 50 of 50 projects of the fleet at once: customer-0, customer-1, customer-2, customer-3, customer-4 and 45 more',
    );
    runs.run(resolves(many(50), 30), at(30, 50));
    expect(runs.keys()).toEqual([]);
    expect(runs.tool.calls).toBe(2);
  });

  it('found in one run after the other, is one incident from the moment on that there are enough', () => {
    const runs = new Runs();
    runs.run(triggers(many(3)), at(0));
    expect(runs.keys()).toHaveLength(3);
    runs.run(triggers(many(4, 'Amplitude', 3), minutesAfter(NOON, 5)), at(5));
    expect(runs.keys()).toEqual([SHARED]);
    runs.run(triggers(many(60, 'Amplitude', 7), minutesAfter(NOON, 10)), at(10));
    expect(runs.keys()).toEqual([SHARED]);
  });

  it('leaves those that fail on with incidents of their own, under their own keys', () => {
    const runs = new Runs();
    runs.run(triggers(many(50)), at(0, 50));
    runs.run(resolves(many(48), 30), at(30, 50));
    expect(runs.keys()).toEqual(['customer-48/Amplitude', 'customer-49/Amplitude'].map((name) => `${name}/${NOON}`));
    runs.run(resolves(many(2, 'Amplitude', 48), 300), at(300, 50));
    expect(runs.keys()).toEqual([]);
  });

  it('closes when it works again in most projects, and does not open again for those that are left', () => {
    const runs = new Runs();
    runs.run(triggers(many(50)), at(0, 50));
    runs.run(resolves(many(40), 20), at(20, 50));
    expect(runs.keys()).toEqual([SHARED]);
    runs.run(resolves(many(1, 'Amplitude', 40), 25), at(25, 50));
    expect(runs.keys()).toHaveLength(9);
    expect(runs.keys()).not.toContain(SHARED);
    const before = runs.tool.calls;
    runs.run([], at(30, 50));
    expect(runs.tool.calls).toBe(before);
  });

  it('that fails again after a day is an incident of its own, even if some projects have failed since the first', () => {
    const runs = new Runs();
    runs.run(triggers(many(8)), at(0));
    runs.run(resolves(many(2), 30), at(30));
    expect(runs.keys()).toEqual([SHARED]);
    const day = 24 * 60;
    const now = minutesAfter(NOON, day);
    runs.run(triggers(many(40, 'Amplitude', 50), now), at(day));
    expect(runs.keys()).toEqual([`${WHOLE_FLEET}/provider:Amplitude/${now}`]);
    expect(runs.tool.opened).toBe(2);
    runs.run(
      [...resolves(many(6, 'Amplitude', 2), day + 30), ...resolves(many(40, 'Amplitude', 50), day + 30, now)],
      at(day + 30),
    );
    expect(runs.keys()).toEqual([]);
  });

  it('is not shared while the number of projects is unknown', () => {
    const runs = new Runs();
    runs.run(triggers(many(12)), at(0, null));
    expect(runs.keys()).toHaveLength(12);
    runs.run([], at(5, 10_000));
    expect(runs.keys()).toHaveLength(12);
  });

  it('is less severe if no project is worse off', () => {
    const runs = new Runs();
    const events = triggers(many(8)).map((event) => ({
      ...event,
      incident: event.incident ? { ...event.incident, severity: 'warning' as const } : null,
    }));
    runs.run(events, at(0));
    expect(runs.tool.open.get(SHARED)).toMatchObject({ severity: 'warning', incident: { severity: 'warning' } });
  });

  it('closes an incident that opened before a change of the settings', () => {
    const runs = new Runs();
    const [problem] = many(1);
    if (problem === undefined) throw new Error('there is one');
    runs.tool.take(triggers([problem]));
    runs.run(resolves([problem], 5), at(5));
    expect(runs.keys()).toEqual([]);
  });

  it('beside another provider is an incident of its own', () => {
    const runs = new Runs();
    runs.run([...triggers(many(9)), ...triggers(many(9, 'AppsFlyer')), ...triggers(many(9, null))], at(0));
    expect(runs.keys().map((key) => /provider:(\w+)/.exec(key)?.[1])).toEqual(['Amplitude', 'AppsFlyer', 'Qonversion']);
  });

  it('is not shared if the integrations share no endpoint, or if they began to fail days apart', () => {
    const webhooks = new Runs();
    webhooks.run(triggers(many(50, 'Webhooks')), at(0));
    expect(webhooks.keys()).toHaveLength(50);
    const apart = new Runs();
    many(20).forEach((problem, day) => {
      const minute = day * 24 * 60;
      apart.run(triggers([problem], minutesAfter(NOON, minute)), at(minute));
    });
    expect(apart.keys()).toHaveLength(20);
  });

  it('needs one per cent of a large fleet', () => {
    const runs = new Runs();
    runs.run(triggers(many(99)), at(0, 10_000));
    expect(runs.keys()).toHaveLength(99);
    runs.run(triggers(many(1, 'Amplitude', 99), minutesAfter(NOON, 5)), at(5, 10_000));
    expect(runs.keys()).toEqual([SHARED]);
  });
});

it('an incident that begins and ends within a run is not opened', () => {
  const runs = new Runs();
  runs.run([...triggers(many(1)), ...resolves(many(1), 1)], at(5));
  expect(runs.tool.opened).toBe(0);
});

it('every problem has exactly one incident, its own or a shared one, even if releases fail or die', () => {
  const problem = fc.record({
    project: fc.integer({ min: 0, max: 14 }).map((index) => `customer-${index}`),
    provider: fc.constantFrom('Amplitude', 'AppsFlyer', 'Webhooks', null),
  });
  const run = fc.record({
    flips: fc.array(problem, { maxLength: 25 }),
    minutes: fc.constantFrom(5, 5, 5, 70),
    // The process dies: before the tool gets anything, after it got everything, or not at all.
    dies: fc.constantFrom('no', 'no', 'no', 'before', 'after'),
  });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 14 }), fc.constantFrom(15, 600, null), (all, projects) => {
      const runs = new Runs();
      const failing = new Map<string, { readonly problem: Problem; readonly since: string }>();
      let minute = 0;
      let spool: GuardEvent[] = [];
      let isRepeated = false;
      const check = () => {
        const shared = [...runs.tool.open.values()].filter(({ project }) => project === WHOLE_FLEET);
        for (const { problem: each, since } of failing.values()) {
          const own = runs.tool.open.has(`${nameOf(each)}/${since}`);
          const isShared = shared.some(({ provider }) => provider === (each.provider ?? 'Qonversion'));
          const known = runs.open.get(`${nameOf(each)}/${since}`);
          expect({ each, incidents: Number(own) + Number(known?.is === 'shared' && isShared) }).toEqual({
            each,
            incidents: 1,
          });
        }
        const keys = new Set([...failing.values()].map(({ problem: each, since }) => `${nameOf(each)}/${since}`));
        for (const [key, event] of runs.tool.open) if (event.project !== WHOLE_FLEET) expect(keys).toContain(key);
      };
      for (const { flips, minutes, dies } of all) {
        minute += minutes;
        const now = minutesAfter(NOON, minute);
        for (const each of new Map(flips.map((flip) => [nameOf(flip), flip])).values()) {
          const known = failing.get(nameOf(each));
          spool.push(change(each, known === undefined ? 'trigger' : 'resolve', now, known?.since ?? now));
          if (known === undefined) failing.set(nameOf(each), { problem: each, since: now });
          else failing.delete(nameOf(each));
        }
        const fleet = at(minute, projects, isRepeated);
        if (dies === 'no') {
          runs.run(spool, fleet);
          spool = [];
          isRepeated = false;
          check();
          continue;
        }
        isRepeated = true;
        // The state has the shared incidents before the tool does.
        const changes = shareIncidents(runs.open, spool, fleet);
        const early = [...changes.open].filter(([, { event }]) => event.project === WHOLE_FLEET);
        runs.open = new Map([...runs.open, ...early]);
        if (dies === 'after') runs.tool.take(changes.events);
      }
      minute += 5;
      runs.run(spool, at(minute, projects, isRepeated));
      check();
      const rest = [...failing.values()].map(({ problem: each, since }) =>
        change(each, 'resolve', minutesAfter(NOON, minute + 5), since),
      );
      failing.clear();
      runs.run(rest, at(minute + 5, projects));
      check();
      expect(runs.keys()).toEqual([]);
      expect(runs.open.size).toBe(0);
    }),
    { numRuns: 300 },
  );
});
