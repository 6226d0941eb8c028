import { runPass } from '../../functions/guard/pass/run-pass.ts';
import type { Log } from '../../functions/guard/ports.ts';
import { aPolicy } from '../support/builders.ts';
import { createMemoryAlerts, createMemoryLedger } from '../support/memory-ports.ts';
import { A_KEY, listOf, sentRecord, startHostileApi } from './hostile-api.ts';
import type { Kind } from './kind.ts';

/** Identical failures of thousands of integrations. */
const LISTS: Readonly<Record<string, (id: string) => unknown>> = {
  'no object': () => null,
  'no id': () => ({ object: 'integration' }),
  'a wrong id': (id) => sentRecord({ id: `${id}/..` }),
  'a wrong platform': (id) => sentRecord({ id, target_platform: 'Windows' }),
  'a wrong state': (id) => sentRecord({ id, active: 3 }),
  'a wrong time': (id) => sentRecord({ id, updated_at: 'yesterday' }),
  'a wrong count': (id) => sentRecord({ id, delivery_error_count: -1 }),
  'a long wrong name': (id) => sentRecord({ id, object: 'x'.repeat(300) }),
  'an invalid title': (id) => sentRecord({ id, title: { id } }),
  'a status that is refused': (id) => sentRecord({ id }),
};

const MAX_LOG_BYTES = 64 * 1024;

export const logVolume: Kind = {
  name: 'log-volume',
  promise: 'A pass writes at most 64 KiB of log, even if many integrations fail alike.',
  attack: async (size) => {
    const violations: string[] = [];
    let tried = 0;
    const api = await startHostileApi(A_KEY);
    for (const count of size === 'quick' ? [1_000] : [1, 1_000, 18_000]) {
      for (const [name, record] of Object.entries(LISTS)) {
        for (const ledgerFails of [false, true]) {
          // A pause, or a failed write, for each integration: thousands of them are enough.
          if ((ledgerFails || name === 'a status that is refused') && count > 1_000) continue;
          const body = listOf(...Array.from({ length: count }, (_, index) => record(`i${index}`)));
          api.answer = (response, path) => {
            response.writeHead(path.endsWith('/status') ? 422 : 200, { 'content-type': 'application/json' });
            response.end(path.endsWith('/status') ? '{"error":{"message":"No."}}' : body);
          };
          let lines = 0;
          let bytes = 0;
          const write: Log['info'] = (message, fields) => {
            lines += 1;
            bytes += JSON.stringify({ message, ...fields }).length;
          };
          const log: Log = { info: write, warn: write, error: write };
          const clock = { now: () => new Date('2026-11-23T12:00:00Z') };
          const ledger = createMemoryLedger(clock);
          const failing = {
            ...ledger,
            write: ledgerFails ? () => Promise.reject(new Error('throttled')) : ledger.write,
          };
          const policy = aPolicy({
            lowTraffic: 'off',
            providerOutage: 'off',
            blastRadius: { percent: 100, floor: 100_000 },
          });
          const remainingMs = () => 600_000;
          const ports = {
            api: api.client({ remainingMs }),
            ledger: failing,
            alerts: createMemoryAlerts(),
            clock,
            log,
            remainingMs,
          };
          await runPass(ports, { name: 'production', policy });
          tried += 1;
          if (bytes > MAX_LOG_BYTES)
            violations.push(`${count} × ${name}${ledgerFails ? ', ledger fails' : ''}: ${lines} lines, ${bytes} bytes`);
        }
      }
    }
    await api.close();
    return { tried, violations };
  },
};
