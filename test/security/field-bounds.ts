import fc from 'fast-check';
import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { toCloudEvent } from '../../functions/messages/cloud-event.ts';
import { toDigest } from '../../functions/messages/digest.ts';
import { aPolicy } from '../support/builders.ts';
import { itemSize } from '../support/item-size.ts';
import { createMemoryAlerts, createMemoryLedger, silentLog } from '../support/memory-ports.ts';
import { A_KEY, type HostileApi, listOf, sentRecord, startHostileApi } from './hostile-api.ts';
import type { Kind } from './kind.ts';

/** Limit of an entry whose external text is only names and times. SNS accepts 256 KiB. */
const MAX_ENTRY_BYTES = 32 * 1024;
const MAX_MESSAGE_BYTES = 16 * 1024;

/** A time in every format of ISO 8601, with this many digits after the second. */
const timeForms: readonly ((digits: number) => string)[] = [
  (digits) => `2026-11-23T11:59:00.${'0'.repeat(digits)}Z`,
  (digits) => `2026-11-23T11:59:00.${'9'.repeat(digits)}Z`,
  (digits) => `2026-11-23T11:59:00.${'123456789'.repeat(Math.ceil(digits / 9)).slice(0, digits)}+00:00`,
  (digits) => `2026-11-23T17:29:00.${'5'.repeat(digits)}+05:30`,
];

const TEXT_UNITS = ['x', 'ß', '漢', '😀', 'e\u0301\u0302', '"', '\\', '\u0000', '\u202e', ' ', '\n', '<', '\ud800'];

interface Sent {
  readonly field: string;
  readonly value: unknown;
  /** Whether the record stays valid, however long the field is. */
  readonly readable: boolean;
}

const TEXT_FIELDS = ['title', 'integration', 'last_error_message', 'url', 'invented_next_year'] as const;
const TIME_FIELDS = ['created_at', 'updated_at', 'last_delivery_at', 'last_error_at'] as const;

function inputs(numRuns: number): readonly Sent[] {
  const listed: readonly Sent[] = [
    ...TIME_FIELDS.flatMap((field) =>
      [265_000, 450_000].map((digits) => ({ field, value: timeForms[1]?.(digits), readable: true })),
    ),
    ...TEXT_FIELDS.map((field) => ({ field, value: 'x'.repeat(1_000_000), readable: true })),
    { field: 'id', value: 'x'.repeat(257), readable: false },
    { field: 'id', value: 'x'.repeat(1_000_000), readable: false },
    { field: 'target_platform', value: 'iOS'.repeat(100_000), readable: false },
    { field: 'object', value: 'integration'.repeat(100_000), readable: false },
    { field: 'delivery_error_count', value: '9'.repeat(100_000), readable: false },
    { field: 'x'.repeat(1_000_000), value: 1, readable: true },
  ];
  const length = fc.integer({ min: 1, max: 17 }).map((power) => 2 ** power);
  const time = fc
    .record({ field: fc.constantFrom(...TIME_FIELDS), form: fc.constantFrom(...timeForms), length })
    .map(({ field, form, length: digits }): Sent => ({ field, value: form(digits), readable: true }));
  const text = fc
    .record({ field: fc.constantFrom(...TEXT_FIELDS), unit: fc.constantFrom(...TEXT_UNITS), length })
    .map(({ field, unit, length: times }): Sent => ({ field, value: unit.repeat(times), readable: true }));
  return [...listed, ...fc.sample(fc.oneof(time, text), { seed: 1, numRuns })];
}

async function attackWith(api: HostileApi, { field, value, readable }: Sent): Promise<readonly string[]> {
  const wrong: string[] = [];
  const record = sentRecord({ last_delivery_at: '2026-11-23T02:00:00Z', [field]: value });
  // Kept from affecting the rules: only its length is tested.
  if (field === 'last_delivery_at') record.created_at = '2026-11-23T00:00:00Z';
  let active = 1;
  api.answer = (response, path) => {
    if (path.endsWith('/status')) active = 0;
    const shown = { ...record, active, ...(active === 0 ? { updated_at: '2026-11-23T12:00:00Z' } : {}) };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(path.endsWith('/status') ? JSON.stringify(shown) : listOf(shown));
  };
  let minutes = 0;
  const clock = { now: () => new Date(Date.parse('2026-11-23T12:00:00Z') + minutes * 60_000) };
  const ledger = createMemoryLedger(clock);
  const alerts = createMemoryAlerts();
  const policy = aPolicy({
    failingForMinutes: 0,
    lowTraffic: 'off',
    providerOutage: 'off',
    recovery: { mode: 'manual' },
  });
  const ports = { ledger, alerts, clock, log: silentLog, remainingMs: () => 60_000 };
  const project = { name: 'production', policy };
  for (; minutes <= 10; minutes += 5) await runPass({ ...ports, api: api.client({ clock }) }, project);

  const paused = alerts.types().includes('integration.paused');
  if (readable && active === 1) wrong.push('it was not paused');
  if (readable && !paused) wrong.push('its pause was not announced');
  if (!readable && alerts.events().length === 0) wrong.push('no alert reports that it cannot be read');
  const view = await ledger.read('production');
  for (const { entry } of [...view.integrations.values(), ...(view.project === null ? [] : [view.project])]) {
    const bytes = itemSize({ entry });
    if (bytes > MAX_ENTRY_BYTES) wrong.push(`its entry has ${bytes} bytes`);
  }
  const context = { project: 'production', place: null, stack: null, runbook: 'docs/runbook.md', panel: null };
  for (const event of alerts.events()) {
    const bytes = Buffer.byteLength(JSON.stringify(toCloudEvent(event)) + toDigest([event], context).text);
    if (bytes > MAX_MESSAGE_BYTES) wrong.push(`its alert ${event.type} has ${bytes} bytes`);
  }
  const length = typeof value === 'string' ? value.length : field.length;
  const name = `${field.slice(0, 30)} of ${length} characters (${JSON.stringify(String(value).slice(0, 24))})`;
  return wrong.map((problem) => `${name}: ${problem}`);
}

export const fieldBounds: Kind = {
  name: 'field-bounds',
  promise: 'A field of any length prevents no decision about an integration, and no alert.',
  attack: async (size) => {
    const violations: string[] = [];
    const api = await startHostileApi(A_KEY);
    const all = inputs(size === 'quick' ? 20 : 600);
    for (const input of all) violations.push(...(await attackWith(api, input)));
    await api.close();
    return { tried: all.length, violations };
  },
};
