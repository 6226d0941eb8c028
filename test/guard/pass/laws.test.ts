import { describe, expect, it } from 'vitest';
import { LedgerUnavailableError, LostRaceError } from '../../../functions/guard/errors.ts';
import { type Attempt, BLANK_ENTRY, type Entry, isSettled } from '../../../functions/guard/model/entry.ts';
import { PASS_TIME_LIMIT_SECONDS } from '../../../functions/guard/model/lease.ts';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import { RESERVE_MS } from '../../../functions/guard/pass/time-budget.ts';
import type { IntegrationsApi, Ledger, Ports } from '../../../functions/guard/ports.ts';
import { KeyRefusedError, RequestRefusedError, UnavailableError } from '../../../functions/qonversion/errors.ts';
import { PROBE_RECOVERY } from '../../support/builders.ts';
import {
  addBusy,
  createDefaultsHarness,
  createFailingHarness,
  createHarness,
  type Harness,
  resultOf,
} from '../../support/harness.ts';
import { unreachable } from '../../support/memory-ports.ts';

/** A harness with two healthy integrations and one that the next pass pauses. */
const failingHarness = (policy: Record<string, unknown> = {}) => createFailingHarness(policy, {}, ['good-1', 'good-2']);

/** The ledger's entry for an integration that the guard has paused and announced. */
const SETTLED_OPEN = { attempt: null, outbox: [], lease: null, state: { name: 'open' } };

function entryOf(harness: Harness, id: string): Entry {
  return harness.ledger.entry('production', id) ?? BLANK_ENTRY;
}

class Killed extends Error {}

/** Ports that simulate a killed process at the n-th effect: before it, or after it. */
function killAt(ports: Ports, n: number, when: 'before' | 'after'): Ports {
  let effects = 0;
  const effect = async <T>(act: () => Promise<T>): Promise<T> => {
    const fatal = effects === n;
    effects += 1;
    // A dead process has no further effects.
    if (effects - 1 > n || (fatal && when === 'before')) throw new Killed();
    const result = await act();
    if (fatal) throw new Killed();
    return result;
  };
  return {
    ...ports,
    ledger: {
      ...ports.ledger,
      write: (...args) => effect(() => ports.ledger.write(...args)),
      appendHistory: (...args) => effect(() => ports.ledger.appendHistory(...args)),
    },
    api: { ...ports.api, list: ports.api.list, setStatus: (...args) => effect(() => ports.api.setStatus(...args)) },
    alerts: { ...ports.alerts, publish: (...args) => effect(() => ports.alerts.publish(...args)) },
  };
}

describe('law 1: the ledger before the request, the alert before the end', () => {
  it('writes the attempt to the ledger before the request to Qonversion', async () => {
    const harness = failingHarness();
    let attempt: Attempt | null | undefined;
    const api = {
      ...harness.api,
      setStatus: async (id: string, status: 0 | 1) => {
        attempt = harness.ledger.entry('production', id)?.attempt;
        return harness.api.setStatus(id, status);
      },
    };
    await runPass({ ...harness.ports, api }, harness.project);
    expect(attempt).toMatchObject({ status: 0, alerts: [{ type: 'integration.paused' }] });
    expect(harness.ledger.entry('production', 'broken')).toMatchObject(SETTLED_OPEN);
  });

  it('writes the outcome at once, and keeps the alert with its ID until it is accepted', async () => {
    const harness = failingHarness();
    harness.alerts.refuse(() => true);
    const report = await harness.pass();
    expect(report.ok).toBe(false);
    const [undelivered] = report.undelivered;
    expect(harness.world.get('broken')?.active).toBe(0);
    expect(harness.ledger.entry('production', 'broken')).toMatchObject({
      ...SETTLED_OPEN,
      outbox: [{ event: { id: undelivered?.id }, undelivered: ['all'] }],
    });

    harness.alerts.refuse(() => false);
    await harness.run(5);
    expect(harness.alerts.events()).toMatchObject([{ id: undelivered?.id, type: 'integration.paused' }]);
    expect(isSettled(entryOf(harness, 'broken'))).toBe(true);
    expect(harness.api.statusCalls).toEqual([['broken', 0]]);
  });

  it.each([0, 1, 2, 3].flatMap((effect) => (['before', 'after'] as const).map((when) => [effect, when] as const)))(
    'loses no alert when killed at effect %i, %s it happened',
    async (effect, when) => {
      const harness = failingHarness();
      await runPass(killAt(harness.ports, effect, when), harness.project).catch(() => undefined);
      await harness.run(10);
      const paused = harness.alerts.events().filter(({ type }) => type === 'integration.paused');
      expect(harness.world.get('broken')?.active).toBe(0);
      expect(paused.length).toBeGreaterThan(0);
      expect(new Set(paused.map(({ id }) => id)).size).toBe(1);
      expect(harness.ledger.entry('production', 'broken')).toMatchObject(SETTLED_OPEN);
    },
  );

  it('settles an alert only when the history has it, without publishing it again', async () => {
    const harness = failingHarness();
    const ledger: Ledger = {
      ...harness.ledger,
      appendHistory: async () => {
        throw new LedgerUnavailableError('the history cannot be written');
      },
    };
    const report = await runPass({ ...harness.ports, ledger }, harness.project);
    expect(resultOf(report, 'broken')?.outcome).toBe('unsettled');
    expect(isSettled(entryOf(harness, 'broken'))).toBe(false);
    await harness.run(5);
    const kept = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
    expect(kept.map(({ type }) => type)).toEqual(['integration.paused']);
    expect(new Set(harness.alerts.events().map(({ id }) => id))).toEqual(new Set(kept.map(({ id }) => id)));
  });

  it('does not announce a pause that never happened', async () => {
    const harness = failingHarness();
    await runPass(killAt(harness.ports, 1, 'before'), harness.project).catch(() => undefined);
    harness.world.repair('broken');
    await harness.run(10);
    expect(harness.world.get('broken')?.active).toBe(1);
    expect(harness.alerts.types()).toEqual([]);
    expect(isSettled(entryOf(harness, 'broken'))).toBe(true);
  });

  it('explains an interrupted pause that an operator has undone, and does not repeat it', async () => {
    const harness = failingHarness();
    await runPass(killAt(harness.ports, 1, 'after'), harness.project).catch(() => undefined);
    expect(harness.world.get('broken')?.active).toBe(0);
    harness.world.advance(1);
    harness.world.repair('broken');
    harness.world.setStatus('broken', 1);
    await harness.run(10);
    expect(harness.world.get('broken')?.active).toBe(1);
    expect(harness.alerts.types()).toEqual(['integration.paused', 'integration.reactivated']);
    expect(harness.alerts.events()[0]?.reason).toContain('may not have taken effect');
  });

  it('delivers the alert even if the integration was deleted meanwhile', async () => {
    const harness = createHarness();
    addBusy(harness, 'gone', { active: 1 });
    harness.world.patch('gone', { active: 2 });
    await runPass(killAt(harness.ports, 1, 'before'), harness.project).catch(() => undefined);
    harness.world.delete('gone');
    await harness.run(5);
    expect(harness.alerts.types()).toEqual(['integration.suspended']);
  });

  it('finishes a pause even if one list lacked the integration', async () => {
    const harness = failingHarness();
    await runPass(killAt(harness.ports, 1, 'after'), harness.project).catch(() => undefined);
    expect(harness.world.get('broken')?.active).toBe(0);
    harness.world.advance(5);
    const list = async () => {
      const listing = await harness.api.list();
      return { ...listing, records: listing.records.filter(({ id }) => id !== 'broken') };
    };
    await runPass({ ...harness.ports, api: { ...harness.api, list } }, harness.project);
    await harness.run(5);
    expect(harness.alerts.types()).toEqual(['integration.paused']);
    expect(harness.ledger.entry('production', 'broken')).toMatchObject(SETTLED_OPEN);
  });

  it('finishes a pause whose answer was lost, without a second request', async () => {
    const harness = failingHarness();
    const api: IntegrationsApi = {
      ...harness.api,
      setStatus: async (id, status) => {
        await harness.api.setStatus(id, status);
        const error = new UnavailableError('Qonversion could not be reached for integration broken: ECONNRESET');
        return { outcome: 'unknown', error };
      },
    };
    await runPass({ ...harness.ports, api }, harness.project);
    await harness.run(5);
    expect(harness.api.statusCalls).toEqual([['broken', 0]]);
    expect(harness.alerts.types()).toEqual(['integration.pause-failed', 'integration.paused']);
    expect(harness.ledger.entry('production', 'broken')).toMatchObject(SETTLED_OPEN);
  });
});

describe('law 2: two simultaneous passes', () => {
  it('pause and alert once when both decide the same', async () => {
    const harness = failingHarness();
    const reports = await Promise.all([harness.pass(), harness.pass()]);
    expect(harness.api.statusCalls).toEqual([['broken', 0]]);
    expect(harness.alerts.types()).toEqual(['integration.paused']);
    expect(reports.map((report) => resultOf(report, 'broken')?.outcome).sort()).toEqual(['done', 'lost-race']);
  });

  it('leave an integration to the pass that wrote first', async () => {
    const harness = failingHarness();
    const ledger: Ledger = {
      ...harness.ledger,
      write: async () => {
        throw new LostRaceError('written by another pass');
      },
    };
    const report = await runPass({ ...harness.ports, ledger }, harness.project);
    expect(resultOf(report, 'broken')).toEqual({ kind: 'pause', outcome: 'lost-race' });
    expect(harness.api.statusCalls).toEqual([]);
    expect(harness.alerts.types()).toEqual([]);
  });

  it('are not misled by a list that is older than the ledger', async () => {
    const harness = failingHarness();
    let first = true;
    const api = {
      ...harness.api,
      // While this list is on its way, another pass pauses and announces it.
      list: async () => {
        const listing = await harness.api.list();
        if (first) {
          first = false;
          await harness.pass();
        }
        return listing;
      },
    };
    // The ledger is read only after the other pass has finished.
    const ledger = {
      ...harness.ledger,
      read: async (project: string) => {
        while (harness.alerts.types().length === 0) await Promise.resolve();
        return harness.ledger.read(project);
      },
    };
    await runPass({ ...harness.ports, api, ledger }, harness.project);
    expect(harness.alerts.types()).toEqual(['integration.paused']);
    expect(harness.ledger.entry('production', 'broken')).toMatchObject(SETTLED_OPEN);
  });

  it('respect a lease, and take over one that has expired', async () => {
    const harness = failingHarness();
    await runPass(killAt(harness.ports, 1, 'before'), harness.project).catch(() => undefined);
    harness.world.advance(1);
    expect(PASS_TIME_LIMIT_SECONDS).toBe(120);
    expect(resultOf(await harness.pass(), 'broken')?.kind).toBe('under-way');
    harness.world.advance(1);
    expect(resultOf(await harness.pass(), 'broken')).toEqual({ kind: 'pause', outcome: 'done' });
  });
});

describe('law 3: a quiet pass writes nothing', () => {
  it('makes one list call and one ledger query, no write and no alert', async () => {
    const harness = createHarness();
    for (let index = 0; index < 20; index += 1) addBusy(harness, `i${index}`);
    addBusy(harness, 'draft', { active: 0 });
    harness.world.advance(5);
    await harness.pass();
    const before = { ...harness.ledger.calls, requests: harness.api.traffic.requests };
    harness.world.advance(5);
    const report = await harness.pass();
    expect(harness.ledger.calls.reads - before.reads).toBe(1);
    expect(harness.ledger.calls.writes - before.writes).toBe(0);
    expect(harness.api.traffic.requests - before.requests).toBe(1);
    expect(harness.alerts.published).toEqual([]);
    expect(report.results.every(({ outcome }) => outcome === 'quiet')).toBe(true);
  });

  it('holds while circuits are open and probing too', async () => {
    const harness = failingHarness({ recovery: PROBE_RECOVERY });
    await harness.pass();
    const writes = harness.ledger.calls.writes;
    await harness.run(30);
    expect(harness.ledger.calls.writes).toBe(writes);
  });
});

describe('a state that the guard or an operator may have set', () => {
  const PROBING = { recovery: { ...PROBE_RECOVERY, cooldownMinutes: 1 } };

  it('is the operator’s if it was set before the request: announced, and never undone', async () => {
    const harness = failingHarness(PROBING);
    const api = {
      ...harness.api,
      setStatus: async (id: string, status: 0 | 1) => {
        harness.world.setStatus(id, status);
        harness.world.advance(1);
        return harness.api.setStatus(id, status);
      },
    };
    const report = await runPass({ ...harness.ports, api }, harness.project);
    expect(resultOf(report, 'broken')).toEqual({ kind: 'pause', outcome: 'overtaken' });
    expect(harness.alerts.events()).toMatchObject([
      { type: 'integration.paused', nextProbeAt: null, reason: expect.stringContaining('it is left to the operator') },
    ]);
    await harness.run(60);
    expect(harness.world.get('broken')?.active).toBe(0);
  });

  it.each([
    ['the guard’s if it changed within the time of the killed pass', 1, 1],
    ['an operator’s if it changed long after it', 10, 0],
  ])('is, after a crash, %s', async (_name, minutes, active) => {
    const harness = failingHarness(PROBING);
    await runPass(killAt(harness.ports, 0, 'after'), harness.project).catch(() => undefined);
    harness.world.advance(minutes);
    harness.world.setStatus('broken', 0);
    harness.world.advance(5);
    await harness.pass();
    expect(harness.alerts.types()[0]).toBe('integration.paused');
    harness.world.repair('broken');
    await harness.run(10);
    expect(harness.world.get('broken')?.active).toBe(active);
  });
});

describe('a clock that differs from the API’s', () => {
  it.each([-7, 7])('by %s minutes does not count: the guard uses the API’s clock', async (minutes) => {
    const harness = createHarness();
    addBusy(harness, 'broken');
    harness.world.advance(1);
    harness.world.breakDown('broken', 'HTTP 503');
    const clock = { now: () => new Date(harness.world.now().getTime() + minutes * 60_000) };
    const api = {
      ...harness.api,
      list: async () => ({ ...(await harness.api.list()), clockAheadMs: -minutes * 60_000 }),
    };
    const ports = { ...harness.ports, clock, api };
    harness.world.advance(14);
    await runPass(ports, harness.project);
    expect(harness.world.get('broken')?.active).toBe(1);
    harness.world.advance(1);
    await runPass(ports, harness.project);
    expect(harness.world.get('broken')?.active).toBe(0);
  });

  it('does not make a lease from the future count as a running pass', async () => {
    const harness = failingHarness();
    const ahead = { now: () => new Date(harness.world.now().getTime() + 86_400_000) };
    await runPass(killAt({ ...harness.ports, clock: ahead }, 1, 'after'), harness.project).catch(() => undefined);
    await harness.pass();
    expect(harness.alerts.types()).toEqual(['integration.paused']);
    expect(isSettled(entryOf(harness, 'broken'))).toBe(true);
  });

  describe('and was a year ahead for one pass', () => {
    const aYearAhead = (harness: Harness) => ({
      ...harness.ports,
      clock: { now: () => new Date(harness.world.now().getTime() + 365 * 24 * 60 * 60_000) },
    });

    it.each([
      ['probe', { recovery: PROBE_RECOVERY }, 'integration.probing'],
      ['reminder', { recovery: { mode: 'manual' } }, 'integration.still-down'],
    ])('delays no %s', async (_what, policy, expected) => {
      const harness = failingHarness(policy);
      await runPass(aYearAhead(harness), harness.project);
      expect(harness.alerts.types()).toEqual(['integration.paused']);
      await harness.run(25 * 60);
      const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
      expect(history.map(({ type }) => type)).toContain(expected);
    });

    it('delays no pause', async () => {
      const harness = failingHarness();
      await harness.pass();
      harness.world.advance(5);
      harness.world.setStatus('broken', 1);
      harness.world.advance(1);
      await runPass(aYearAhead(harness), harness.project);
      expect(harness.alerts.types()).toEqual(['integration.paused', 'integration.reactivated']);
      await harness.run(30);
      expect(harness.alerts.types()).toContain('integration.failing');
      expect(harness.alerts.types().at(-1)).toBe('integration.paused');
    });
  });
});

describe('law 6: absolute states, within the time limit', () => {
  it('starts nothing new when time runs short, reports that, and the next pass continues', async () => {
    const harness = failingHarness();
    const short = { ...harness.ports, remainingMs: () => RESERVE_MS - 1 };
    const report = await runPass(short, harness.project);
    expect(resultOf(report, 'broken')).toEqual({ kind: 'pause', outcome: 'not-started' });
    expect(harness.api.statusCalls).toEqual([]);
    expect(harness.ledger.entry('production', 'broken')).toBeUndefined();
    expect(resultOf(await harness.pass(), 'broken')).toEqual({ kind: 'pause', outcome: 'done' });
  });

  it('alerts once per episode about a pause that fails, and tries again', async () => {
    const harness = failingHarness();
    harness.api.failStatus(
      new RequestRefusedError('Qonversion refused the request about integration broken (409)'),
      'refused',
    );
    const report = await harness.pass();
    await harness.run(30);
    expect(resultOf(report, 'broken')).toEqual({ kind: 'pause', outcome: 'failed' });
    expect(harness.alerts.types()).toEqual(['integration.pause-failed']);
    expect(harness.world.get('broken')?.active).toBe(1);
    harness.api.failStatus(null);
    await harness.run(5);
    expect(harness.world.get('broken')?.active).toBe(0);
    expect(harness.alerts.types()).toEqual(['integration.pause-failed', 'integration.paused']);
  });

  it("treats an operator's pause after a refusal as the operator's, not as its own", async () => {
    const harness = failingHarness({ recovery: PROBE_RECOVERY });
    const refusal = new RequestRefusedError('Qonversion does not permit this key to use integration broken (403)');
    harness.api.failStatus(refusal, 'refused');
    await harness.pass();
    harness.world.setStatus('broken', 0);
    harness.api.failStatus(null);
    await harness.run(300);
    expect(harness.world.get('broken')?.active).toBe(0);
    expect(harness.ledger.entry('production', 'broken')).toMatchObject({ state: { name: 'isolated' }, attempt: null });
    expect(harness.alerts.types()).toEqual(['integration.pause-failed']);
  });

  it('alerts about a probe that cannot be started, and tries again', async () => {
    const harness = failingHarness({ recovery: PROBE_RECOVERY });
    await harness.pass();
    harness.api.failStatus(
      new RequestRefusedError('Qonversion refused the request about integration broken (409)'),
      'refused',
    );
    await harness.run(70);
    expect(harness.alerts.types()).toEqual(['integration.paused', 'integration.activation-failed']);
    harness.api.failStatus(null);
    await harness.run(5);
    expect(harness.world.get('broken')?.active).toBe(1);
  });
});

describe('law 7: nothing fails silently', () => {
  it('alerts once per episode when passes cannot run, and when they run again', async () => {
    const harness = failingHarness();
    harness.api.failList(new KeyRefusedError('Qonversion refused the Secret Key (401)'));
    const report = await harness.pass();
    await harness.run(15);
    expect(report).toMatchObject({ ok: false, failure: 'Qonversion refused the Secret Key (401)' });
    expect(harness.alerts.types()).toEqual(['guard.failing']);
    harness.api.failList(null);
    harness.world.repair('broken');
    await harness.run(5);
    expect(harness.alerts.types()).toEqual(['guard.failing', 'guard.recovered']);
  });

  it('says from when to when passes could not run, what was not watched, and how it is now', async () => {
    const harness = createDefaultsHarness();
    for (const id of ['a', 'b', 'c']) addBusy(harness, id);
    await harness.run(10);
    harness.api.failList(unreachable());
    await harness.run(90);
    harness.world.breakDown('b', 'HTTP 503');
    harness.api.failList(null);
    await harness.run(5);
    expect(harness.alerts.events().at(-1)).toMatchObject({
      type: 'guard.recovered',
      reason:
        'passes could not run from 12:15 UTC to 13:45 UTC (1 h 30 min), so 3 integrations were not watched; now 1 integration fails and 0 are stopped',
    });
  });

  it('names no span when passes could not run for less than a minute', async () => {
    const harness = createDefaultsHarness();
    harness.api.failList(unreachable());
    await harness.pass();
    harness.api.failList(null);
    await harness.pass();
    expect(harness.alerts.events().at(-1)).toMatchObject({
      type: 'guard.recovered',
      reason: 'passes could not run for less than a minute; now no integration fails',
    });
  });

  it('reminds while passes cannot run, and says since when', async () => {
    const harness = createHarness();
    harness.api.failList(unreachable());
    await harness.pass();
    await harness.run(24 * 60);
    expect(harness.alerts.types()).toEqual(['guard.failing', 'guard.failing']);
    expect(harness.alerts.events().at(-1)?.reason).toMatch(/; since 2026-11-23 12:00 UTC$/);
    expect(new Set(harness.alerts.events().map(({ id }) => id)).size).toBe(2);
  });

  it('changes nothing when the ledger cannot be read, since an error is not an empty ledger', async () => {
    const harness = failingHarness();
    harness.ledger.failWith('throttled');
    await expect(harness.pass()).rejects.toThrow(LedgerUnavailableError);
    expect(harness.api.statusCalls).toEqual([]);
    expect(harness.alerts.published).toMatchObject([{ audience: 'machines', events: [{ type: 'guard.failing' }] }]);
  });

  it('changes nothing when the attempt cannot be written', async () => {
    const harness = failingHarness();
    const ledger: Ledger = {
      ...harness.ledger,
      write: async () => {
        throw new LedgerUnavailableError('the ledger cannot be written');
      },
    };
    const report = await runPass({ ...harness.ports, ledger }, harness.project);
    expect(resultOf(report, 'broken')?.outcome).toBe('ledger-failed');
    expect(report.ok).toBe(false);
    expect(harness.api.statusCalls).toEqual([]);
  });

  it('settles nine and keeps the tenth when one alert of ten is refused', async () => {
    const harness = createHarness({ blastRadius: { percent: 100, floor: 10 } });
    for (let index = 0; index < 10; index += 1) addBusy(harness, `i${index}`);
    harness.world.advance(5);
    for (let index = 0; index < 10; index += 1) harness.world.breakDown(`i${index}`, 'HTTP 503');
    harness.world.advance(20);
    harness.alerts.refuse((event) => event.record?.id === 'i7');
    const report = await harness.pass();
    expect(report.results.filter(({ outcome }) => outcome === 'done')).toHaveLength(9);
    expect(resultOf(report, 'i7')).toEqual({ kind: 'pause', outcome: 'unsettled' });
    harness.alerts.refuse(() => false);
    await harness.run(5);
    expect(harness.alerts.events()).toHaveLength(10);
    expect(isSettled(entryOf(harness, 'i7'))).toBe(true);
  });
});

describe('a command of an operator', () => {
  it('pauses permanently: the guard never resumes the integration', async () => {
    const harness = createHarness({ recovery: PROBE_RECOVERY });
    addBusy(harness, 'mine');
    const result = await runOperatorCommand(harness.ports, harness.project, 'mine', 'pause');
    await harness.run(300);
    expect(result.outcome).toBe('done');
    expect(harness.world.get('mine')?.active).toBe(0);
    expect(harness.ledger.entry('production', 'mine')).toMatchObject({ state: { name: 'isolated' }, attempt: null });
    expect(harness.alerts.types()).toEqual([]);
  });

  it('resumes with a count of zero', async () => {
    const harness = failingHarness();
    await harness.pass();
    await runOperatorCommand(harness.ports, harness.project, 'broken', 'resume');
    await harness.run(5);
    expect(harness.world.get('broken')?.active).toBe(1);
    expect(harness.alerts.types()).toContain('integration.reactivated');
    const { figures } = (await harness.plan()).decisions.find(({ id }) => id === 'broken') ?? {};
    expect(figures?.baseline).toBeGreaterThan(0);
  });

  it('is in the history, and alerts no one', async () => {
    const harness = failingHarness();
    await runOperatorCommand(harness.ports, harness.project, 'good-1', 'pause');
    const [kept] = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
    expect(kept).toMatchObject({ type: 'integration.operator-paused', record: { id: 'good-1', active: 0 } });
    expect(harness.alerts.events()).toEqual([]);
  });

  it('exempts an integration for some time: no pause, no alert, and guarded again afterwards', async () => {
    const harness = failingHarness();
    await runOperatorCommand(harness.ports, harness.project, 'broken', { ignoreForMinutes: 60 });
    await harness.run(55);
    expect(harness.world.get('broken')?.active).toBe(1);
    expect(harness.alerts.events()).toEqual([]);
    expect((await harness.plan()).decisions.find(({ id }) => id === 'broken')).toMatchObject({
      kind: 'ignored',
      reason: 'ignored by an operator until 13:25 UTC',
      quiet: true,
    });
    await harness.run(30);
    expect(harness.world.get('broken')?.active).toBe(0);
    expect(harness.alerts.types()).toEqual(['integration.failing', 'integration.paused']);
    expect(harness.ledger.entry('production', 'broken')?.ignoredUntil).toBeNull();
    const kept = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
    expect(kept.map(({ type }) => type)).toEqual([
      'integration.exemption',
      'integration.failing',
      'integration.paused',
    ]);
  });

  it('ends an exemption early', async () => {
    const harness = failingHarness();
    await runOperatorCommand(harness.ports, harness.project, 'broken', { ignoreForMinutes: 60 });
    await runOperatorCommand(harness.ports, harness.project, 'broken', 'unignore');
    await harness.run(5);
    expect(harness.world.get('broken')?.active).toBe(0);
  });

  it('exempts an integration even while its state changes', async () => {
    const harness = failingHarness({ recovery: { ...PROBE_RECOVERY, cooldownMinutes: 5 } });
    await harness.run(5);
    await runOperatorCommand(harness.ports, harness.project, 'broken', { ignoreForMinutes: 120 });
    await harness.run(30);
    expect(harness.world.get('broken')?.active).toBe(0);
    harness.world.setStatus('broken', 1);
    await harness.run(30);
    harness.world.setStatus('broken', 0);
    await harness.run(30);
    harness.world.setStatus('broken', 1);
    await harness.run(20);
    expect(harness.world.get('broken')?.active).toBe(1);
    await harness.run(30);
    expect(harness.alerts.types().filter((type) => type === 'integration.paused')).not.toHaveLength(1);
  });

  it('fails with one sentence when there is no such integration', async () => {
    const harness = createHarness();
    await expect(runOperatorCommand(harness.ports, harness.project, 'nope', 'pause')).rejects.toThrow(
      'project "production" has no integration "nope"; `integration-guard list` shows the IDs it has',
    );
  });

  it('returns a refusal as its result, not as an alert', async () => {
    const harness = createHarness();
    addBusy(harness, 'mine');
    harness.api.failStatus(new RequestRefusedError('Qonversion refused the request about integration mine (409)'));
    const result = await runOperatorCommand(harness.ports, harness.project, 'mine', 'pause');
    expect(result).toMatchObject({ outcome: 'failed', problem: expect.stringContaining('409') });
    expect(harness.alerts.types()).toEqual([]);
  });
});
