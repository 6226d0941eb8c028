import { afterEach, describe, expect, it, vi } from 'vitest';
import { publishPass } from '../../functions/aws/metrics.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { addBusy, createFailingHarness, createHarness } from '../support/harness.ts';

/** The metrics of a pass, as they reach CloudWatch: EMF documents in the log. */

afterEach(() => {
  vi.restoreAllMocks();
});

/** The EMF documents that this writes. */
async function documentsOf(publish: () => Promise<void>): Promise<readonly Record<string, unknown>[]> {
  const written: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  await publish();
  return written
    .join('')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

const LISTED = parseSettings({ projects: { production: { secretName: 'x' } } });
const OF_FLEET = parseSettings({ fleet: { secretNamePrefix: 'q/' } });

describe('the metrics of a pass', () => {
  it('are none for a listed project with nothing stopped, so that CloudWatch bills none', async () => {
    const harness = createHarness();
    addBusy(harness, 'a');
    const report = await harness.pass();
    expect(await documentsOf(() => publishPass(report, LISTED))).toEqual([]);
  });

  it('are the number of stopped integrations while there are any', async () => {
    const harness = createFailingHarness();
    await harness.run(25);
    const report = await harness.pass();
    const [document] = await documentsOf(() => publishPass(report, LISTED));
    expect(document).toMatchObject({ service: 'integration-guard', project: 'production', Stopped: 1 });
    expect(document).not.toHaveProperty('PassesFailed');
  });

  it('say for each pass of the fleet whether it failed, and name its project beside the dimension', async () => {
    const harness = createHarness();
    addBusy(harness, 'a');
    const good = await harness.pass();
    harness.api.failList(new Error('HTTP 503'));
    const bad = await harness.pass();
    const [first] = await documentsOf(() => publishPass(good, OF_FLEET));
    expect(first).toMatchObject({ project: '(fleet)', fleetProject: 'production', PassesFailed: 0 });
    expect(first).not.toHaveProperty('Stopped');
    vi.restoreAllMocks();
    const [second] = await documentsOf(() => publishPass(bad, OF_FLEET));
    expect(second).toMatchObject({ project: '(fleet)', PassesFailed: 1 });
  });
});
