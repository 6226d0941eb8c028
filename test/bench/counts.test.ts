import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSettings } from '../../functions/guard/settings-schema.ts';
import { bundleInto, LOADED_BUDGET_BYTES } from '../../infra/guard-function.ts';
import { createSubject, type Subject } from './guard.ts';
import type { Scene } from './server.ts';
import { type Services, startServices } from './services.ts';

/** The short form of the bench: what it counts, which does not wobble as times do. */

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

describe('what a pass asks for', () => {
  it.each([0, 100, 10_000])('is one list and one query when all of %i integrations are well', async (integrations) => {
    expect(await countPass({ integrations })).toMatchObject({
      lists: 1,
      queries: 1,
      statuses: 0,
      writes: 0,
      publishes: 0,
    });
  });

  it('grows with what there is to do, and not with what there is', async () => {
    const few = await countPass({ integrations: 200, failing: 100 });
    const many = await countPass({ integrations: 2_000, failing: 100 });
    expect(many).toEqual(few);
    expect(few).toMatchObject({
      // The second look of whoever has something to write.
      lists: 2,
      statuses: 100,
      queries: 1,
      // An intent and its settling each, and the history 25 at a time.
      writes: 204,
      // Events in tens, and one digest.
      publishes: 11,
    });
  });

  it('is refused rarely where the rate is limited, and done all the same', async () => {
    const counts = await countPass({ failing: 30, perSecond: 15 });
    expect(counts.statuses).toBe(30);
    // Those that were on their way at the first 429, and a few that try whether there is more room.
    expect(counts.refused).toBeLessThanOrEqual(16);
  });
});

describe('what a function loads at its start', () => {
  it.each([
    ['pass.lambda.ts', 412],
    ['panel.lambda.ts', 426],
    ['act.lambda.ts', 458],
  ])('is within the budget, and what it was: %s', async (entry, kilobytes) => {
    const folder = await mkdtemp(join(tmpdir(), 'counts-'));
    const bytes = bundleInto(folder, entry, parseSettings({ projects: { production: { secretName: 'x' } } }));
    expect(bytes).toBeLessThanOrEqual(LOADED_BUDGET_BYTES);
    // A change of a tenth is worth a thought, and a new number here.
    expect(Math.abs(bytes / 1_000 / kilobytes - 1)).toBeLessThan(0.1);
  });
});
