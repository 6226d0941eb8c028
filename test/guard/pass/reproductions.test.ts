import { describe, expect, it } from 'vitest';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import { addBusy, createDefaultsHarness, type Harness } from '../../support/harness.ts';

/** What version 1 of the rules got wrong, with the defaults. Each began as a reproduction on that version. */

const PROVIDERS = ['amplitude', 'appsflyer', 'mixpanel'] as const;
const told = ({ alerts }: Harness) => alerts.types();
const pauses = ({ api }: Harness) => api.statusCalls.filter(([, status]) => status === 0).map(([id]) => id);
const active = ({ world }: Harness, id: string) => world.get(id)?.active;
const idsOf = (count: number, prefix = 'i') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** Minute by minute, with a pass at every fifth, while something happens at some of them. */
async function lapse(harness: Harness, minutes: number, happens: Readonly<Record<number, () => void>> = {}) {
  for (let minute = 1; minute <= minutes; minute += 1) {
    happens[minute]?.();
    harness.world.advance(1);
    if (minute % 5 === 0) await harness.pass();
  }
}

describe('silence', () => {
  it('of five hours and then one bad minute of 60 failures is no outage', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'quiet', { eventsPerMinute: 60 });
    await harness.run(10);
    harness.world.setTraffic('quiet', 0);
    await harness.run(300);
    const { world } = harness;
    await lapse(harness, 60, {
      1: () => {
        world.setTraffic('quiet', 60);
        world.breakDown('quiet', 'HTTP 503');
      },
      2: () => {
        world.setTraffic('quiet', 0);
        world.repair('quiet');
      },
    });
    expect(pauses(harness)).toEqual([]);
    expect(told(harness)).toEqual([]);
  });

  it('between the batches of an hourly sender does not make one bad minute an outage', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'hourly', { eventsPerMinute: 0 });
    const batch = async (isBad: boolean) => {
      harness.world.setTraffic('hourly', 100);
      if (isBad) harness.world.breakDown('hourly', 'HTTP 503');
      harness.world.advance(1);
      harness.world.setTraffic('hourly', 0);
      harness.world.repair('hourly');
      await lapse(harness, 59);
    };
    for (const isBad of [false, false, true, false, false]) await batch(isBad);
    expect(pauses(harness)).toEqual([]);
    expect(told(harness)).toEqual([]);
  });
});

describe('an outage that integrations share', () => {
  it('of 20 of 40 integrations of one provider, for 90 minutes, is one alert and no pause', async () => {
    const harness = createDefaultsHarness();
    const ids = idsOf(40);
    for (const id of ids) addBusy(harness, id);
    await harness.run(10);
    // Not all at once, as providers do.
    for (const id of idsOf(30)) harness.world.planOutage(id, 'HTTP 503', 1 + (Number(id.slice(1)) % 20), 90);
    await harness.run(180);
    expect(pauses(harness)).toEqual([]);
    expect(told(harness)).toEqual(['provider.down', 'provider.recovered']);
    expect(harness.alerts.events()[0]).toMatchObject({ provider: 'Amplitude', record: null });
    expect(ids.every((id) => active(harness, id) === 1)).toBe(true);
  });

  it('of three integrations, 20 minutes of DNS trouble, is one alert and no pause', async () => {
    const harness = createDefaultsHarness();
    for (const provider of PROVIDERS) addBusy(harness, provider, { provider });
    await harness.run(10);
    for (const id of PROVIDERS) harness.world.planOutage(id, 'getaddrinfo EAI_AGAIN', 1, 20);
    await harness.run(600);
    expect(pauses(harness)).toEqual([]);
    expect(told(harness)).toEqual(['guard.common-cause', 'guard.common-cause-ended']);
  });

  it('holds its integrations no longer than holdHours, and probes what was paused as soon as it is over', async () => {
    const harness = createDefaultsHarness(
      { providerOutage: { holdHours: 2 }, blastRadius: { percent: 100 } },
      { suspendAfterErrors: 1_000_000 },
    );
    for (const id of idsOf(4)) addBusy(harness, id);
    addBusy(harness, 'other', { provider: 'mixpanel' });
    await harness.run(10);
    for (const id of idsOf(4)) harness.world.planOutage(id, 'HTTP 503', 1, 10 * 60);
    await harness.run(115);
    expect(pauses(harness)).toEqual([]);
    await harness.run(10);
    expect(pauses(harness)).toHaveLength(4);
    await harness.run(12 * 60);
    expect(idsOf(4).every((id) => active(harness, id) === 1)).toBe(true);
    expect(told(harness).filter((type) => type.startsWith('provider.'))).toEqual([
      'provider.down',
      'provider.recovered',
    ]);
  });

  it('is not what two integrations of a provider have, nor the customers’ own webhooks', async () => {
    const harness = createDefaultsHarness();
    for (const id of idsOf(5)) addBusy(harness, id, { provider: 'webhooks' });
    for (const id of idsOf(2, 'm')) addBusy(harness, id, { provider: 'mixpanel' });
    for (const id of idsOf(9, 'w')) addBusy(harness, id);
    await harness.run(10);
    for (const id of [...idsOf(3), ...idsOf(2, 'm')]) harness.world.breakDown(id, 'HTTP 503');
    await harness.run(20);
    expect(told(harness)).toEqual([]);
  });
});

describe('little traffic', () => {
  it('of one event a day with a revoked key is reported within days, and paused', async () => {
    const harness = createDefaultsHarness({ remindAt: 'never' });
    addBusy(harness, 'rare', { eventsPerMinute: 1 / (24 * 60) });
    await harness.run(25 * 60);
    harness.world.breakDown('rare', 'HTTP 401');
    const hours = async (until: () => boolean) => {
      for (let hour = 1; hour <= 24 * 12; hour += 1) {
        await harness.run(60);
        if (until()) return hour;
      }
      return Number.POSITIVE_INFINITY;
    };
    expect(await hours(() => told(harness).includes('integration.failing'))).toBeLessThanOrEqual(3 * 24);
    expect(await hours(() => told(harness).includes('integration.paused'))).toBeLessThanOrEqual(6 * 24);
  });

  it('of which nine of ten events fail, one every ten minutes, is reported within a day', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'thin', { eventsPerMinute: 0.1 });
    await harness.run(60);
    harness.world.setFlaky('thin', 0.9);
    await harness.run(24 * 60);
    expect(told(harness)).toEqual(expect.arrayContaining([expect.stringMatching(/flapping|failing|paused/)]));
  });
});

describe('quiet ledgers and people', () => {
  it('one integration of which 1 % fails costs few writes and no second list', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'chronic', { eventsPerMinute: 300 });
    await harness.run(10);
    harness.world.setFlaky('chronic', 0.01);
    const { writes } = harness.ledger.calls;
    const { requests } = harness.api.traffic;
    await harness.run(24 * 60);
    expect(harness.ledger.calls.writes - writes).toBeLessThan(10);
    expect(harness.api.traffic.requests - requests).toBe(288);
    expect(told(harness)).toEqual([]);
  });

  it('twelve integrations stopped at different hours are one mail a day', async () => {
    const harness = createDefaultsHarness({ recovery: { mode: 'manual' }, providerOutage: 'off' });
    for (const id of idsOf(24)) addBusy(harness, id);
    await harness.run(10);
    for (const id of idsOf(12)) {
      harness.world.breakDown(id, 'HTTP 401');
      await harness.run(120);
    }
    await harness.run(24 * 60);
    const since = harness.world.now().toISOString();
    await harness.run(48 * 60);
    const mails = harness.alerts.published.filter(({ events }) => events.some(({ time }) => time > since));
    expect(mails.map(({ events }) => events.length)).toEqual([12, 12]);
  });

  it('a provider that accepts the first event of each probe is one alert, and the cooldown grows', async () => {
    const harness = createDefaultsHarness({ providerOutage: 'off' });
    addBusy(harness, 'tease', { eventsPerMinute: 20 });
    await harness.run(10);
    harness.world.breakDown('tease', 'HTTP 429');
    let wasActive = true;
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      const isActive = active(harness, 'tease') === 1;
      // One minute of the first event alone, then nothing but refusals.
      if (isActive && !wasActive) {
        harness.world.repair('tease');
        harness.world.setTraffic('tease', 1);
      } else if (isActive && harness.world.get('tease')?.delivery_error_count === 0 && minute > 90) {
        harness.world.breakDown('tease', 'HTTP 429');
        harness.world.setTraffic('tease', 20);
      }
      wasActive = isActive;
      harness.world.advance(1);
      if (minute % 5 === 4) await harness.pass();
    }
    expect(told(harness).filter((type) => type !== 'integration.still-down')).toEqual([
      'integration.failing',
      'integration.paused',
    ]);
    expect(pauses(harness).length).toBeLessThanOrEqual(8);
  });

  it('bad for 20 minutes and good for 40 is no stream of mails', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'wobbly', { eventsPerMinute: 60 });
    await harness.run(10);
    for (let hour = 0; hour < 24; hour += 1) {
      harness.world.breakDown('wobbly', 'HTTP 503');
      await harness.run(20);
      harness.world.repair('wobbly');
      await harness.run(40);
    }
    expect(told(harness).length).toBeLessThanOrEqual(2);
    expect(pauses(harness)).toEqual([]);
  });
});

describe('a list that lags', () => {
  it('behind our own pause is no operator who resumed it', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'good');
    addBusy(harness, 'broken');
    await harness.run(10);
    harness.world.breakDown('broken', 'HTTP 401');
    await harness.run(60);
    const before = await harness.api.list();
    await harness.run(5);
    expect(pauses(harness)).toEqual(['broken']);
    const api = { ...harness.api, list: async () => before };
    harness.world.advance(2);
    await runPass({ ...harness.ports, api }, harness.project);
    harness.world.repair('broken');
    await harness.run(60);
    expect(active(harness, 'broken')).toBe(1);
    expect(told(harness)).not.toContain('integration.reactivated');
    expect(told(harness).at(-1)).toBe('integration.recovered');
  });

  it('behind the failures is no recovery', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'good');
    addBusy(harness, 'broken');
    await harness.run(10);
    const before = await harness.api.list();
    harness.world.breakDown('broken', 'HTTP 401');
    await harness.run(45);
    expect(told(harness)).toEqual(['integration.failing']);
    await runPass({ ...harness.ports, api: { ...harness.api, list: async () => before } }, harness.project);
    expect(told(harness)).toEqual(['integration.failing']);
  });

  it('is empty for two days: said once, and nothing concluded', async () => {
    const harness = createDefaultsHarness();
    for (const id of idsOf(6)) addBusy(harness, id);
    await harness.run(10);
    const list = async () => ({ records: [], invalid: [], clockAheadMs: 0 });
    const ports = { ...harness.ports, api: { ...harness.api, list } };
    for (let passed = 0; passed < 23 * 60; passed += 5) {
      harness.world.advance(5);
      await runPass(ports, harness.project);
    }
    expect(new Set(told(harness))).toEqual(new Set(['guard.list-suspicious']));
    await harness.pass();
    expect(told(harness).at(-1)).toBe('guard.recovered');
  });

  it('is another project’s: nothing is done to its integrations for a day', async () => {
    const harness = createDefaultsHarness();
    for (const id of idsOf(6)) addBusy(harness, id);
    await harness.run(10);
    for (const id of idsOf(6)) harness.world.delete(id);
    for (const id of idsOf(6, 'foreign')) addBusy(harness, id);
    harness.world.advance(5);
    harness.world.breakDown('foreign0', 'HTTP 401');
    await harness.run(23 * 60);
    expect(pauses(harness)).toEqual([]);
    await harness.run(4 * 60);
    expect(pauses(harness)).toContain('foreign0');
  });
});

describe('a key that is revoked in the middle of a pass of 40 pauses', () => {
  it('is one alert, and the next pass goes on', async () => {
    const harness = createDefaultsHarness({ providerOutage: 'off', blastRadius: { percent: 100 } });
    for (const id of idsOf(40)) addBusy(harness, id);
    await harness.run(10);
    for (const id of idsOf(40)) harness.world.breakDown(id, 'HTTP 401');
    await harness.run(60);
    const before = told(harness).length;
    let left = 9;
    const error = new Error('Qonversion refused the Secret Key (401)');
    const setStatus: typeof harness.api.setStatus = async (id, status) => {
      left -= 1;
      return left < 0 ? { outcome: 'key-refused', error } : harness.api.setStatus(id, status);
    };
    harness.world.advance(5);
    const api = { ...harness.api, setStatus };
    const report = await runPass({ ...harness.ports, api }, harness.project);
    expect(report.failure).toContain('401');
    expect(pauses(harness)).toHaveLength(9);
    const news = told(harness).slice(before);
    expect(news.filter((type) => type !== 'integration.paused')).toEqual(['guard.failing']);
    await harness.run(5);
    expect(pauses(harness)).toHaveLength(40);
    expect(
      told(harness)
        .slice(before)
        .filter((type) => !type.endsWith('paused')),
    ).toEqual(['guard.failing', 'guard.recovered']);
  });
});

describe('a clock that is far off', () => {
  it.each([31, 45, 300, -45, -300])('by %s minutes pauses nothing that delivered minutes ago', async (minutes) => {
    const harness = createDefaultsHarness({ failingForMinutes: 15 });
    addBusy(harness, 'blip', { eventsPerMinute: 60 });
    const clock = { now: () => new Date(harness.world.now().getTime() + minutes * 60_000) };
    const list = async () => ({ ...(await harness.api.list()), clockAheadMs: -minutes * 60_000 });
    const ports = { ...harness.ports, clock, api: { ...harness.api, list } };
    const logged: unknown[] = [];
    const log = { ...ports.log, warn: (message: string) => void logged.push(message) };
    const pass = () => runPass({ ...ports, log }, harness.project);
    harness.world.advance(5);
    await pass();
    harness.world.advance(7);
    harness.world.breakDown('blip', 'HTTP 503');
    harness.world.advance(3);
    await pass();
    await pass();
    expect(pauses(harness)).toEqual([]);
    expect(logged).toContain('clocks disagree');
  });
});

describe('the end of a shared outage', () => {
  const provider = (harness: Harness, kind: string) =>
    told(harness).filter((type) => type === `provider.${kind}`).length;
  const start = async (policy: Record<string, unknown> = {}) => {
    const harness = createDefaultsHarness(policy, { suspendAfterErrors: 1_000_000 });
    for (const id of idsOf(6)) addBusy(harness, id);
    for (const id of idsOf(8, 'b')) addBusy(harness, id, { provider: 'braze' });
    await harness.run(60);
    return harness;
  };
  const down = ({ world }: Harness, ids: readonly string[], minutes: number, inMinutes = 0) => {
    for (const id of ids) world.planOutage(id, 'HTTP 503', inMinutes, minutes);
  };

  it('comes when two of six stay broken, those are paused, and the next outage is another', async () => {
    const harness = await start();
    down(harness, idsOf(6), 60);
    down(harness, ['i0', 'i1'], 47 * 60);
    await harness.run(5 * 60);
    expect(provider(harness, 'recovered')).toBe(1);
    expect(pauses(harness)).toEqual(expect.arrayContaining(['i0', 'i1']));
    await harness.run(41 * 60);
    down(harness, ['i2', 'i3', 'i4', 'i5'], 240);
    await harness.run(24 * 60);
    expect(provider(harness, 'down')).toBe(2);
    expect(pauses(harness).filter((id) => /i[2-5]/.test(id))).toEqual([]);
  });

  it('of two providers comes once, however small their part of the project is', async () => {
    const harness = createDefaultsHarness({}, { suspendAfterErrors: 1_000_000 });
    for (const name of ['amplitude', 'appsflyer'])
      for (const id of idsOf(3, name)) addBusy(harness, id, { provider: name });
    for (const id of idsOf(20, 'b')) addBusy(harness, id, { provider: 'braze' });
    await harness.run(60);
    down(harness, [...idsOf(3, 'amplitude'), ...idsOf(3, 'appsflyer')], 22 * 60);
    await harness.run(24 * 60);
    expect(told(harness)).toEqual(['guard.common-cause', 'guard.common-cause-ended']);
  });

  it('of two providers does not become one of a common cause because their neighbours fall silent', async () => {
    const harness = createDefaultsHarness({}, { suspendAfterErrors: 1_000_000 });
    const providers = ['amplitude', 'appsflyer', 'mixpanel', 'braze'];
    for (const name of providers) for (const id of idsOf(3, name)) addBusy(harness, id, { provider: name });
    for (const id of idsOf(6, 'webhooks')) addBusy(harness, id, { provider: 'webhooks' });
    await harness.run(60);
    down(harness, [...idsOf(3, 'amplitude'), ...idsOf(3, 'appsflyer')], 5 * 60);
    await harness.run(60);
    for (const name of ['mixpanel', 'braze']) for (const id of idsOf(3, name)) harness.world.setTraffic(id, 0);
    await harness.run(9 * 60);
    expect(told(harness)).toEqual(['provider.down', 'provider.down', 'provider.recovered', 'provider.recovered']);
  });

  it('is no news while none is tried, and everything is probed as soon as it is over', async () => {
    const harness = createDefaultsHarness();
    for (const id of idsOf(6)) addBusy(harness, id);
    for (const id of idsOf(8, 'b')) addBusy(harness, id, { provider: 'braze' });
    await harness.run(60);
    // Qonversion's worker suspends them meanwhile.
    down(harness, idsOf(6), 40 * 60);
    await harness.run(39 * 60);
    expect(provider(harness, 'recovered')).toBe(0);
    await harness.run(26 * 60);
    expect(provider(harness, 'recovered')).toBe(1);
    expect(idsOf(6).every((id) => active(harness, id) === 1)).toBe(true);
  });

  it('is not lost on an integration that the pass did not reach', async () => {
    const harness = await start();
    down(harness, idsOf(6), 180);
    await harness.run(175);
    // Its next batch is hours away: the last attempt lies in the outage.
    harness.world.setTraffic('i0', 0);
    const { write } = harness.ledger;
    const ledger: typeof harness.ledger = {
      ...harness.ledger,
      write: (project, item, ...rest) =>
        item.kind === 'integration' && item.id === 'i0'
          ? Promise.reject(new Error('throttled'))
          : write(project, item, ...rest),
    };
    for (let minutes = 0; minutes < 40; minutes += 5) {
      harness.world.advance(5);
      await runPass({ ...harness.ports, ledger }, harness.project);
    }
    await harness.run(120);
    expect(provider(harness, 'recovered')).toBe(1);
    expect(pauses(harness)).toEqual([]);
  });

  it('of one that comes and goes all day is few mails', async () => {
    const harness = await start();
    for (let minute = 0; minute < 24 * 60; minute += 60) down(harness, idsOf(6), 20, minute);
    await harness.run(30 * 60);
    expect(told(harness).length).toBeLessThanOrEqual(6);
    expect(pauses(harness)).toEqual([]);
  });
});

describe('a pause whose answer was lost', () => {
  it('is the guard’s own although the next pass gets the list that this one had', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'good');
    addBusy(harness, 'broken');
    await harness.run(10);
    harness.world.breakDown('broken', 'HTTP 401');
    await harness.run(60);
    harness.world.advance(5);
    const before = await harness.api.list();
    const list = async () => before;
    const setStatus: typeof harness.api.setStatus = async (id, status) => {
      await harness.api.setStatus(id, status);
      return { outcome: 'unknown', error: new Error('no answer') };
    };
    await runPass({ ...harness.ports, api: { ...harness.api, list, setStatus } }, harness.project);
    harness.world.advance(5);
    await runPass({ ...harness.ports, api: { ...harness.api, list } }, harness.project);
    harness.world.repair('broken');
    await harness.run(120);
    expect(active(harness, 'broken')).toBe(1);
    expect(told(harness)).toContain('integration.paused');
    expect(told(harness).at(-1)).toBe('integration.recovered');
  });
});
