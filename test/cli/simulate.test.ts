import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { factsOf } from '../../functions/cli/history-facts.ts';
import { chooseSize, type Simulation } from '../../functions/cli/simulate.ts';
import { makeEvent } from '../../functions/guard/model/event.ts';
import type { EventType } from '../../functions/guard/model/event-catalogue.ts';
import { createFileLedger } from '../../functions/local/ledger.ts';
import { startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import { aRecord } from '../support/builders.ts';
import { runCommandLine } from '../support/command-line.ts';
import { runKey } from '../support/run-key.ts';

/** Small enough for a test. */
const SMALL = '--days 2 --integrations 3 --seeds 1';

/** With this size, settings that pause after five minutes make two false pauses, and the defaults make none. */
const HASTY = '--days 4 --integrations 4 --seeds 7';

let folder: string;
let settingsFile: string;
let ledgerFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-simulate-'));
  settingsFile = join(folder, 'settings.json');
  ledgerFile = join(folder, 'ledger.json');
  await writeSettings({});
});

/** Nothing listens on this port, so a command that asks Qonversion anything fails. */
async function writeSettings(policy: Record<string, unknown>, apiUrl = 'http://127.0.0.1:9/v4', more = {}) {
  const projects = { production: { secretName: 'x', apiUrl, policy } };
  await writeFile(settingsFile, JSON.stringify({ projects, ...more }));
}

/** The variables contain no key. */
const simulate = (args: string, variables: Record<string, string> = {}) =>
  runCommandLine(`simulate ${args}`, { GUARD_SETTINGS: settingsFile, GUARD_LEDGER: ledgerFile, ...variables });

async function simulateJson(args: string, variables: Record<string, string> = {}): Promise<Simulation> {
  const { code, out } = await simulate(`${args} --json`, variables);
  expect(code).toBe(0);
  return JSON.parse(out) as Simulation;
}

function figure(simulation: Simulation, policy: string, name: string): number | null {
  const figures = simulation.policies.find((each) => each.name === policy)?.figures;
  const found = figures?.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no figure ${name} of ${policy}`);
  return found.value;
}

/** Writes these events to the ledger file, each with its hours before now. */
async function writeHistory(...events: readonly (readonly [hoursAgo: number, type: EventType])[]): Promise<void> {
  const now = new Date();
  await createFileLedger(ledgerFile, { now: () => now }).appendHistory('production', eventsBefore(now, events));
}

function eventsBefore(now: Date, events: readonly (readonly [hoursAgo: number, type: EventType])[]) {
  return events.map(([hoursAgo, type]) => {
    const time = new Date(now.getTime() - hoursAgo * 3_600_000).toISOString();
    return makeEvent({ type, project: 'production', time, episode: time, reason: 'a test', record: aRecord() });
  });
}

describe('guard simulate', () => {
  it('shows the settings beside the defaults, without a key, a network or a ledger', async () => {
    const { code, out, err } = await simulate(SMALL);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(
      /^production, simulated: 3 integrations, 2 days, 1 world \(seed 1\), a pass every 5 min\.\nPER 30 DAYS +THESE SETTINGS +DEFAULTS\npauses +[\d.]+ +[\d.]+\nfalse pauses/,
    );
    for (const row of [
      'events withheld',
      'events lost',
      'hours paused although deliveries would arrive',
      'mails a day',
      'first alert',
    ])
      expect(out).toMatch(new RegExp(`^${row}`, 'm'));
    expect(out).not.toContain('HISTORY');
    expect(existsSync(ledgerFile)).toBe(false);
  });

  it('gives the defaults the same figures as settings that say nothing', async () => {
    const { policies } = await simulateJson(SMALL);
    expect(policies.map(({ name }) => name)).toEqual(['these settings', 'defaults']);
    expect(policies[0]?.figures).toEqual(policies[1]?.figures);
  });

  it('shows no pauses for settings that only observe, and their pauses in enforce mode', async () => {
    await writeSettings({ mode: 'observe', failingForMinutes: 5 });
    const simulation = await simulateJson(HASTY);
    for (const name of ['pauses', 'falsePauses', 'eventsWithheld', 'hoursPausedInVain'])
      expect(figure(simulation, 'these settings', name)).toBe(0);
    expect(figure(simulation, 'these in enforce mode', 'pauses')).toBeGreaterThan(0);
  });

  it('shows more false pauses for settings that pause after five minutes', async () => {
    await writeSettings({ failingForMinutes: 5 });
    const simulation = await simulateJson(HASTY);
    const falsePauses = (policy: string) => figure(simulation, policy, 'falsePauses') ?? 0;
    expect(falsePauses('these settings')).toBeGreaterThan(falsePauses('defaults'));
  });

  it('runs its passes by the schedule of the settings', async () => {
    await writeSettings({}, undefined, { schedule: 'rate(1 hour)' });
    const { out } = await simulate(SMALL);
    expect(out).toContain('a pass every 1 h.');
  });

  it('names the overrides that fit no simulated integration', async () => {
    await writeSettings({ overrides: [{ match: { id: 'gNl6hyM6' }, errorThreshold: 500 }] });
    const { notes } = await simulateJson(SMALL);
    expect(notes).toEqual(['1 override names an id or a title, so it fits no simulated integration.']);
  });
});

describe('the size of a simulation', () => {
  it('is the number of integrations that the project has, if its key is there', async () => {
    const sandbox = await startSandbox({ production: new World({ startAt: new Date().toISOString() }) });
    try {
      sandbox.regenerateKey(runKey());
      for (const id of ['a', 'b']) sandbox.production.add({ id, active: 1 });
      await writeSettings({}, sandbox.url);
      const simulation = await simulateJson('--days 1 --seeds 1', { QONVERSION_SECRET_KEY: runKey() });
      expect(simulation).toMatchObject({ size: { integrations: 2, days: 1, seeds: [1] }, notes: [] });
    } finally {
      await sandbox.close();
    }
  });

  it('is 12 integrations if Qonversion does not answer, and the output says so', async () => {
    const simulation = await simulateJson('--days 1 --seeds 1', { QONVERSION_SECRET_KEY: runKey() });
    expect(simulation.size.integrations).toBe(12);
    expect(simulation.notes).toEqual([expect.stringContaining('--integrations sets it')]);
  });

  it('is a month of three worlds, one world for a big project, and fewer days for a bigger one', () => {
    expect(chooseSize({}, null, 2)).toEqual({ integrations: 12, days: 30, seeds: [1, 2, 3] });
    expect(chooseSize({}, 100, 2)).toEqual({ integrations: 100, days: 30, seeds: [1] });
    expect(chooseSize({}, 400, 2)).toEqual({ integrations: 400, days: 10, seeds: [1] });
    expect(chooseSize({}, 9_000, 2)).toEqual({ integrations: 1_000, days: 7, seeds: [1] });
  });

  it('is the size that the user gave, without a limit', () => {
    const asked = { integrations: 5_000, days: 90, seeds: [4, 5] };
    expect(chooseSize(asked, null, 2)).toEqual(asked);
  });
});

describe('the figures from the history', () => {
  it('follow the simulated figures, with their limit', async () => {
    await writeHistory(
      [240, 'integration.paused'],
      [239, 'integration.probing'],
      [238, 'integration.recovered'],
      [3, 'integration.failing'],
    );
    const { out } = await simulate(SMALL);
    expect(out).toMatch(/HISTORY, LAST 1[01] DAYS +TOTAL +PER 30 DAYS\npauses +1 /);
    expect(out).toMatch(/recoveries of a pause +1 /);
    expect(out).toMatch(/hours stopped by the guard +1\.0 /);
    expect(out).toContain('it cannot show the effect of other settings');
  });

  it('count alerts a day, recoveries of pauses only, and the hours of a pause that has not ended', () => {
    const now = new Date('2026-11-23T12:00:00.000Z');
    const events = eventsBefore(now, [
      [240, 'integration.failing'],
      [239, 'integration.recovered'],
      [100, 'integration.paused'],
      [99, 'integration.probing'],
      [98, 'integration.probe-failed'],
      [97, 'integration.reactivated'],
      [10, 'integration.paused'],
    ]);
    expect(factsOf(events, now)).toEqual({
      days: 10,
      pauses: 2,
      recoveries: 0,
      alertsPerDay: 0.5,
      hoursStopped: { guard: 1 + 1 + 10, operator: 0, Qonversion: 0 },
    });
  });

  it('are left out with the reason when the ledger cannot be read', async () => {
    await writeFile(ledgerFile, 'no ledger');
    const { inFact, notes } = await simulateJson(SMALL);
    expect(inFact).toBeNull();
    expect(notes).toEqual([expect.stringMatching(/^The figures from the history are left out: .*is not a ledger/)]);
  });
});

describe('guard simulate refuses', () => {
  it.each([
    ['--days 0', 'Give a whole number from 1 to 365.'],
    ['--days 2.5', 'Give a whole number from 1 to 365.'],
    ['--integrations many', 'Give a whole number from 1 to 10,000.'],
    ['--seeds 1,,2', 'Give whole numbers above 0'],
    ['--seeds 1,1', 'Give whole numbers above 0'],
  ])('%s', async (args, sentence) => {
    const { code, out, err } = await simulate(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(sentence);
  });

  it('settings that cannot be read, and projects that they do not have', async () => {
    expect(await simulate(`${SMALL} --project other`)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/^integration-guard: .*has no project "other"; it has: production\n$/),
    });
    expect(await simulate(SMALL, { GUARD_SETTINGS: join(folder, 'nowhere.json') })).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot be read'),
    });
  });
});
