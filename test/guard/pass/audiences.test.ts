import { beforeEach, describe, expect, it } from 'vitest';
import type { GuardEvent } from '../../../functions/guard/model/event.ts';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import { MACHINES, PEOPLE } from '../../../functions/guard/ports.ts';
import { addBusy, createFailingHarness, type Harness } from '../../support/harness.ts';

const CHANNEL = 'chat-ops';
const AUDIENCES = [MACHINES, PEOPLE, CHANNEL];

let harness: Harness;

/** The types of the events that an audience has accepted, in order. */
function acceptedBy(audience: string): readonly string[] {
  return harness.alerts.published.flatMap((call) => (call.audience === audience ? call.events.map(typeOf) : []));
}

const typeOf = ({ type }: GuardEvent) => type;

async function historyTypes(): Promise<readonly string[]> {
  return (await harness.ledger.history('production', '2026-01-01T00:00:00.000Z')).map(typeOf);
}

beforeEach(() => {
  const policy = { remindAt: 'never', blastRadius: { percent: 100, floor: 10 } };
  harness = createFailingHarness(policy, { audiences: AUDIENCES });
  addBusy(harness, 'later');
});

describe('one audience that refuses', () => {
  it.each(AUDIENCES)('neither stops the others nor sends them alerts twice: %s', async (refusing) => {
    harness.alerts.refuse((_, audience) => audience === refusing);
    await harness.pass();
    await harness.run(6 * 60);
    for (const audience of AUDIENCES) {
      expect(acceptedBy(audience)).toEqual(audience === refusing ? [] : ['integration.paused']);
    }
    expect(await historyTypes()).toEqual(['integration.paused']);
    expect(harness.ledger.entry('production', 'broken')).toMatchObject({
      attempt: null,
      state: { name: 'open' },
      outbox: [{ undelivered: [refusing] }],
    });
  });

  it('makes the pass report that not everything is delivered', async () => {
    harness.alerts.refuse((_, audience) => audience === CHANNEL);
    const report = await harness.pass();
    expect(report).toMatchObject({ ok: false, settled: false, delivered: [] });
    expect(report.undelivered.map(typeOf)).toEqual(['integration.paused']);
  });

  it('gets the missed alerts when it accepts again, and the others do not', async () => {
    harness.alerts.refuse((_, audience) => audience === CHANNEL);
    await harness.pass();
    harness.world.breakDown('later', 'HTTP 500');
    await harness.run(30);
    harness.alerts.refuse(() => false);
    await harness.run(10);
    const all = ['integration.paused', 'integration.failing', 'integration.paused'];
    for (const audience of AUDIENCES) expect(acceptedBy(audience)).toEqual(all);
    expect(harness.ledger.entry('production', 'broken')?.outbox).toEqual([]);
    const { writes } = harness.ledger.calls;
    await harness.run(10);
    expect(harness.ledger.calls.writes).toBe(writes);
  });

  it('costs no write while it keeps refusing', async () => {
    harness.alerts.refuse((_, audience) => audience === CHANNEL);
    await harness.pass();
    const { writes } = harness.ledger.calls;
    await harness.run(60);
    expect(harness.ledger.calls.writes).toBe(writes);
  });

  it('is forgotten once the settings no longer have it', async () => {
    harness.alerts.refuse((_, audience) => audience === CHANNEL);
    await harness.pass();
    const alerts = { ...harness.alerts, audiences: [MACHINES, PEOPLE] };
    harness.world.advance(5);
    const report = await runPass({ ...harness.ports, alerts }, harness.project);
    expect(report.ok).toBe(true);
    expect(harness.ledger.entry('production', 'broken')?.outbox).toEqual([]);
  });
});

describe('a history that refuses', () => {
  it('neither stops the audiences nor sends them alerts twice, and gets the missed events', async () => {
    const ledger = { ...harness.ledger, appendHistory: () => Promise.reject(new Error('throttled')) };
    for (let passes = 0; passes < 3; passes += 1) {
      await runPass({ ...harness.ports, ledger }, harness.project);
      harness.world.advance(5);
    }
    for (const audience of AUDIENCES) expect(acceptedBy(audience)).toEqual(['integration.paused']);
    expect(await historyTypes()).toEqual([]);
    await harness.pass();
    for (const audience of AUDIENCES) expect(acceptedBy(audience)).toEqual(['integration.paused']);
    expect(await historyTypes()).toEqual(['integration.paused']);
  });
});
