import { describe, expect, it } from 'vitest';
import { LedgerUnavailableError } from '../../../functions/guard/errors.ts';
import { runOperatorCommand } from '../../../functions/guard/pass/operator-command.ts';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import { ALERT_RESERVE_MS, RESERVE_MS } from '../../../functions/guard/pass/time-budget.ts';
import type { Ledger } from '../../../functions/guard/ports.ts';
import { KeyRefusedError, RequestRefusedError, UnavailableError } from '../../../functions/qonversion/errors.ts';
import { addBusy, createFailingHarness, createHarness, type Harness, resultOf } from '../../support/harness.ts';

/** A harness with a paused integration whose alert no audience has accepted. */
async function undeliveredHarness(): Promise<Harness> {
  const harness = createFailingHarness();
  harness.alerts.refuse(() => true);
  await harness.pass();
  harness.alerts.refuse(() => false);
  harness.world.advance(5);
  return harness;
}

describe('an undelivered alert', () => {
  it('is delivered by a pass that cannot list because its key was revoked', async () => {
    const harness = await undeliveredHarness();
    harness.api.failList(new KeyRefusedError('Qonversion refused the Secret Key (401)'));
    const report = await harness.pass();
    expect([...harness.alerts.types()].sort()).toEqual(['guard.failing', 'integration.paused']);
    expect(report).toMatchObject({ ok: false, settled: true });
    expect(harness.ledger.entry('production', 'broken')?.outbox).toEqual([]);
  });

  it('leaves a pass that cannot list unsettled while it is refused', async () => {
    const harness = await undeliveredHarness();
    harness.api.failList(new KeyRefusedError('Qonversion refused the Secret Key (401)'));
    harness.alerts.refuse(({ type }) => type === 'integration.paused');
    expect(await harness.pass()).toMatchObject({ ok: false, settled: false });
  });

  it.each([
    ['its own record', 'broken', { delivery_error_count: -1 }],
    ['a record without a readable ID', 'good', { id: '../etc' }],
  ])('is delivered while %s cannot be read', async (_name, id, fields) => {
    const harness = await undeliveredHarness();
    harness.world.patch(id, fields);
    await harness.pass();
    expect(harness.alerts.types()).toContain('integration.paused');
    expect(harness.ledger.entry('production', 'broken')).toMatchObject({ outbox: [], state: { name: 'open' } });
  });

  it('is delivered once by a pass without time for new work', async () => {
    const harness = await undeliveredHarness();
    const report = await runPass({ ...harness.ports, remainingMs: () => RESERVE_MS - 1 }, harness.project);
    expect(resultOf(report, 'broken')?.outcome).toBe('not-started');
    await harness.run(10);
    expect(harness.alerts.types()).toEqual(['integration.paused']);
  });

  it('for the history alone never becomes an alert to people, even if 200 are merged', async () => {
    const harness = createHarness();
    addBusy(harness, 'mine');
    const ledger: Ledger = { ...harness.ledger, appendHistory: () => Promise.reject(new Error('throttled')) };
    for (let times = 0; times < 200; times += 1) {
      harness.world.advance(1);
      await runOperatorCommand({ ...harness.ports, ledger }, harness.project, 'mine', { ignoreForMinutes: 60 });
    }
    await harness.run(10);
    expect(harness.alerts.types()).toEqual([]);
    const history = await harness.ledger.history('production', '2026-01-01T00:00:00.000Z');
    expect(history.map(({ type }) => type)).toContain('guard.backlog');
  });
});

describe('a pass that could not list until its time was nearly over', () => {
  it('still announces the failure', async () => {
    const harness = createHarness();
    addBusy(harness, 'good');
    harness.api.failList(new UnavailableError('Qonversion could not be reached: no answer within 10000 ms'));
    const report = await runPass({ ...harness.ports, remainingMs: () => ALERT_RESERVE_MS }, harness.project);
    expect(harness.alerts.types()).toEqual(['guard.failing']);
    expect(report).toMatchObject({ ok: false, settled: true });
  });
});

describe('two simultaneous passes with an alert about the project', () => {
  it('both succeed, and one of them publishes it', async () => {
    const harness = createHarness();
    addBusy(harness, 'bad');
    harness.world.patch('bad', { delivery_error_count: -1 });
    const reports = await Promise.all([harness.pass(), harness.pass()]);
    expect(reports.map(({ ok, failure }) => [ok, failure])).toEqual([
      [true, null],
      [true, null],
    ]);
    expect(harness.alerts.types()).toEqual(['guard.unreadable']);
  });
});

describe('a request that failed', () => {
  it('is unsettled when its outcome cannot be written', async () => {
    const harness = createHarness();
    addBusy(harness, 'broken');
    harness.world.advance(5);
    harness.world.breakDown('broken', 'HTTP 503');
    harness.world.advance(20);
    harness.api.failStatus(new RequestRefusedError('Qonversion refused the request (403)'), 'refused');
    let writes = 0;
    const ledger: Ledger = {
      ...harness.ledger,
      write: (...args) => {
        writes += 1;
        if (writes > 1) throw new LedgerUnavailableError('throttled');
        return harness.ledger.write(...args);
      },
    };
    const report = await runPass({ ...harness.ports, ledger }, harness.project);
    expect(resultOf(report, 'broken')?.outcome).toBe('unsettled');
    expect(report).toMatchObject({ ok: false, settled: false });
  });
});

describe('a timestamp with hundreds of thousands of digits', () => {
  it.each(['last_delivery_at', 'last_error_at', 'created_at', 'updated_at'])(
    'in %s does not prevent a pause',
    async (field) => {
      const harness = createHarness();
      addBusy(harness, 'broken');
      harness.world.advance(5);
      harness.world.breakDown('broken', 'HTTP 503');
      harness.world.advance(20);
      const moment = harness.world.get('broken')?.[field as 'created_at'] ?? '';
      harness.world.patch('broken', { [field]: moment.replace('Z', `.${'1'.repeat(500_000)}Z`) });
      const report = await harness.pass();
      expect(resultOf(report, 'broken')).toEqual({ kind: 'pause', outcome: 'done' });
      expect(harness.alerts.types()).toEqual(['integration.paused']);
    },
  );
});
