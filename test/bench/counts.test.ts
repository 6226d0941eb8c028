import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFunctions, type FunctionName } from '../../infra/bundle-functions.ts';
import { SNS_LIMIT_BYTES } from '../support/sns-bytes.ts';
import { runDigest } from './digest.ts';
import { createFleetSettings, HISTORY_QUOTA, measureEnvironment, PAYLOAD_QUOTA_BYTES, simulateFleet } from './fleet.ts';
import { simulateRun } from './fleet-run.ts';
import { createSubject, type Subject } from './guard.ts';
import type { Scene } from './server.ts';
import { type Services, startServices } from './services.ts';

/** The short form of the bench: the counts, which do not vary as times do. */

let services: Services;
let subject: Subject;

beforeAll(async () => {
  services = await startServices();
  subject = createSubject(services.origin);
});

afterAll(async () => {
  subject.destroy();
  await services.stop();
});

async function countPass(scene: Partial<Scene>) {
  const whole: Scene = { integrations: 1_000, failing: 0, latencyMs: 0, perSecond: null, ...scene };
  await services.set(whole);
  const report = await subject.pass();
  expect(report.ok).toBe(true);
  return services.set(whole);
}

describe('the requests of a pass', () => {
  it.each([0, 100, 10_000])('are one list and one query if all %i integrations deliver', async (integrations) => {
    await countPass({ integrations });
    expect(await countPass({ integrations })).toMatchObject({
      lists: 1,
      queries: 1,
      statuses: 0,
      writes: 0,
      publishes: 0,
    });
  });

  it('grow with the work, not with the number of integrations', async () => {
    const few = await countPass({ integrations: 200, failing: 100 });
    const many = await countPass({ integrations: 2_000, failing: 100 });
    expect(many).toEqual(few);
    expect(few).toMatchObject({
      // A pass lists again before it writes.
      lists: 2,
      statuses: 100,
      queries: 1,
      // An attempt and an outcome each, the history 25 at a time, and the record of the project's pass.
      writes: 205,
      // Events ten at a time, and one digest.
      publishes: 11,
    });
  });

  it('are rarely refused under a rate limit, and all succeed', async () => {
    const counts = await countPass({ failing: 30, perSecond: 15 });
    expect(counts.statuses).toBe(30);
    // Requests that were sent before the first 429, and a few that test the limit again.
    expect(counts.refused).toBeLessThanOrEqual(16);
  });
});

describe('the code that a function loads at its start', () => {
  const EXPECTED_KILOBYTES: Readonly<Record<FunctionName, number>> = {
    pass: 464,
    panel: 476,
    'panel-actions': 506,
    'fleet-pass': 465,
    digest: 500,
  };

  it('is within the budget and has not changed', async () => {
    const { loadedBytes: loaded } = bundleFunctions(await mkdtemp(join(tmpdir(), 'counts-')));
    // A change of a tenth deserves a review, and a new number here.
    for (const [name, bytes] of Object.entries(loaded)) {
      expect.soft(Math.abs(bytes / 1_000 / EXPECTED_KILOBYTES[name as FunctionName] - 1), name).toBeLessThan(0.1);
    }
  });
});

describe('the alerts of a run over a thousand projects', () => {
  it('are one message to people that SNS accepts, and one incident for each provider', async () => {
    const { messages, bytes, incidents } = await runDigest(1_000);
    expect({ messages, incidents }).toEqual({ messages: 1, incidents: 3 });
    expect(bytes).toBeLessThanOrEqual(SNS_LIMIT_BYTES);
  });
});

describe('a run over the fleet, in virtual time', () => {
  it('passes each project once, in pages of fifty, within the quotas of Step Functions', async () => {
    const run = await simulateFleet(10_000, 100);
    expect(new Set(run.passes).size).toBe(10_000);
    expect(run.passes).toHaveLength(10_000);
    expect(run).toMatchObject({
      succeeded: true,
      pages: 200,
      mapRuns: 2,
      transitions: 409,
      failed: 200,
      mostAtOnce: 100,
    });
    expect(run.maxBytes).toBeLessThanOrEqual(PAYLOAD_QUOTA_BYTES);
    expect(run.historyEvents).toBeLessThanOrEqual(HISTORY_QUOTA);
  });

  it('accepts the longest names of Secrets Manager, in more rounds', async () => {
    const run = await simulateRun(createFleetSettings('https://api.qonversion.io/v4', 100), {
      secrets: Array.from({ length: 2_000 }, (_, index) => `qonversion/${String(index).padStart(500, 'x')}`),
      pageSeconds: 1,
      passSeconds: () => 1,
      failure: () => null,
    });
    expect(new Set(run.passes).size).toBe(2_000);
    expect(run.maxBytes).toBeLessThanOrEqual(PAYLOAD_QUOTA_BYTES);
    expect(run.mapRuns).toBeGreaterThan(2);
  });

  it('fails if the fleet is empty, and succeeds if the last pages contain only other secrets', async () => {
    const runOver = (secrets: readonly string[]) =>
      simulateRun(createFleetSettings('https://api.qonversion.io/v4', 100), {
        secrets,
        pageSeconds: 1,
        passSeconds: () => 1,
        failure: () => null,
      });
    const others = Array.from({ length: 120 }, (_, index) => `others/${index}`);
    expect(await runOver([])).toMatchObject({ succeeded: false, pages: 1, mapRuns: 0 });
    expect(await runOver(others)).toMatchObject({ succeeded: false, pages: 3, mapRuns: 0 });
    expect(await runOver(['qonversion/acme', ...others])).toMatchObject({ succeeded: true, passes: ['acme'] });
    // Enough long names for a round, then a page of other secrets.
    const many = Array.from({ length: 450 }, (_, index) => `qonversion/${String(index).padStart(500, 'x')}`);
    const run = await runOver([...many, ...others]);
    expect(run).toMatchObject({ succeeded: true, mapRuns: 2 });
    expect(run.passes).toHaveLength(450);
  });

  it('grows linearly with the projects, in pages and time', async () => {
    const [few, many] = [await simulateFleet(1_000, 20), await simulateFleet(4_000, 20)];
    expect(many.pages).toBe(4 * few.pages);
    expect(many.seconds / few.seconds).toBeCloseTo(4, 1);
  });
});

describe('one environment of the fleet’s pass function', () => {
  it('reads a project’s tags and key once, and the list and the ledger each time', async () => {
    const figures = await measureEnvironment(services, 25);
    const of = (what: string) => figures.find((figure) => figure.what.endsWith(what))?.value;
    expect(of('requests of a first pass')).toBe(4);
    expect(of('requests of a second pass within 15 minutes')).toBe(2);
  }, 30_000);
});
