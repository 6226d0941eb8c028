import { describe, expect, it } from 'vitest';
import { runPass } from '../../../functions/guard/pass/run-pass.ts';
import { addBusy, createDefaultsHarness, type Harness } from '../../support/harness.ts';

/** Mistakes of version 1 of the rules, with the default settings. Each test was first reproduced on that version. */

const PROVIDERS = ['amplitude', 'appsflyer', 'mixpanel'] as const;
const alertTypes = ({ alerts }: Harness) => alerts.types();
const pauses = ({ api }: Harness) => api.statusCalls.filter(([, status]) => status === 0).map(([id]) => id);
const active = ({ world }: Harness, id: string) => world.get(id)?.active;
const idsOf = (count: number, prefix = 'i') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** Lets time pass minute by minute, with a pass every five minutes, and calls `happens` at its minutes. */
async function lapse(harness: Harness, minutes: number, happens: Readonly<Record<number, () => void>> = {}) {
  for (let minute = 1; minute <= minutes; minute += 1) {
    happens[minute]?.();
    harness.world.advance(1);
    if (minute % 5 === 0) await harness.pass();
  }
}

describe('silence', () => {
  it('of five hours before one minute with 60 failures is no outage', async () => {
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
    expect(alertTypes(harness)).toEqual([]);
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
    expect(alertTypes(harness)).toEqual([]);
  });
});

describe('an outage that integrations share', () => {
  it('of 20 of 40 integrations of one provider, for 90 minutes, is one alert and no pause', async () => {
    const harness = createDefaultsHarness();
    const ids = idsOf(40);
    for (const id of ids) addBusy(harness, id);
    await harness.run(10);
    // They fail one after another, as in a provider's outage.
    for (const id of idsOf(30)) harness.world.planOutage(id, 'HTTP 503', 1 + (Number(id.slice(1)) % 20), 90);
    await harness.run(180);
    expect(pauses(harness)).toEqual([]);
    expect(alertTypes(harness)).toEqual(['provider.down', 'provider.recovered']);
    expect(harness.alerts.events()[0]).toMatchObject({ provider: 'Amplitude', record: null });
    expect(ids.every((id) => active(harness, id) === 1)).toBe(true);
  });

  it('of three integrations, with 20 minutes of DNS errors, is one alert and no pause', async () => {
    const harness = createDefaultsHarness();
    for (const provider of PROVIDERS) addBusy(harness, provider, { provider });
    await harness.run(10);
    for (const id of PROVIDERS) harness.world.planOutage(id, 'getaddrinfo EAI_AGAIN', 1, 20);
    await harness.run(600);
    expect(pauses(harness)).toEqual([]);
    expect(alertTypes(harness)).toEqual(['guard.common-cause', 'guard.common-cause-ended']);
  });

  it('holds pauses back for at most holdHours, and the guard probes paused integrations as soon as it ends', async () => {
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
    expect(alertTypes(harness).filter((type) => type.startsWith('provider.'))).toEqual([
      'provider.down',
      'provider.recovered',
    ]);
  });

  it('is not declared for two integrations of a provider, nor for customers’ own webhooks', async () => {
    const harness = createDefaultsHarness();
    for (const id of idsOf(5)) addBusy(harness, id, { provider: 'webhooks' });
    for (const id of idsOf(2, 'm')) addBusy(harness, id, { provider: 'mixpanel' });
    for (const id of idsOf(9, 'w')) addBusy(harness, id);
    await harness.run(10);
    for (const id of [...idsOf(3), ...idsOf(2, 'm')]) harness.world.breakDown(id, 'HTTP 503');
    await harness.run(20);
    expect(alertTypes(harness)).toEqual([]);
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
    expect(await hours(() => alertTypes(harness).includes('integration.failing'))).toBeLessThanOrEqual(3 * 24);
    expect(await hours(() => alertTypes(harness).includes('integration.paused'))).toBeLessThanOrEqual(6 * 24);
  });

  it('of one event every ten minutes, nine of ten failing, is reported within a day', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'thin', { eventsPerMinute: 0.1 });
    await harness.run(60);
    harness.world.setFlaky('thin', 0.9);
    await harness.run(24 * 60);
    expect(alertTypes(harness)).toEqual(expect.arrayContaining([expect.stringMatching(/flapping|failing|paused/)]));
  });
});

describe('few writes and few mails', () => {
  it('an integration with 1 % failures costs few writes and no second list', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'chronic', { eventsPerMinute: 300 });
    await harness.run(10);
    harness.world.setFlaky('chronic', 0.01);
    const { writes } = harness.ledger.calls;
    const { requests } = harness.api.traffic;
    await harness.run(24 * 60);
    expect(harness.ledger.calls.writes - writes).toBeLessThan(10);
    expect(harness.api.traffic.requests - requests).toBe(288);
    expect(alertTypes(harness)).toEqual([]);
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
      // The first event is accepted within a minute, and all others are refused.
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
    expect(alertTypes(harness).filter((type) => type !== 'integration.still-down')).toEqual([
      'integration.failing',
      'integration.paused',
    ]);
    expect(pauses(harness).length).toBeLessThanOrEqual(8);
  });

  it('an integration that fails for 20 minutes of every hour sends few mails', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'wobbly', { eventsPerMinute: 60 });
    await harness.run(10);
    for (let hour = 0; hour < 24; hour += 1) {
      harness.world.breakDown('wobbly', 'HTTP 503');
      await harness.run(20);
      harness.world.repair('wobbly');
      await harness.run(40);
    }
    expect(alertTypes(harness).length).toBeLessThanOrEqual(2);
    expect(pauses(harness)).toEqual([]);
  });
});

describe('a list that lags', () => {
  it('behind the guard’s own pause does not look like an operator who resumed it', async () => {
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
    expect(alertTypes(harness)).not.toContain('integration.reactivated');
    expect(alertTypes(harness).at(-1)).toBe('integration.recovered');
  });

  it('behind the failures is no recovery', async () => {
    const harness = createDefaultsHarness();
    addBusy(harness, 'good');
    addBusy(harness, 'broken');
    await harness.run(10);
    const before = await harness.api.list();
    harness.world.breakDown('broken', 'HTTP 401');
    await harness.run(45);
    expect(alertTypes(harness)).toEqual(['integration.failing']);
    await runPass({ ...harness.ports, api: { ...harness.api, list: async () => before } }, harness.project);
    expect(alertTypes(harness)).toEqual(['integration.failing']);
  });

  it('and is empty for almost a day is announced, and nothing is concluded from it', async () => {
    const harness = createDefaultsHarness();
    for (const id of idsOf(6)) addBusy(harness, id);
    await harness.run(10);
    const list = async () => ({ records: [], invalid: [], clockAheadMs: 0 });
    const ports = { ...harness.ports, api: { ...harness.api, list } };
    for (let passed = 0; passed < 23 * 60; passed += 5) {
      harness.world.advance(5);
      await runPass(ports, harness.project);
    }
    expect(new Set(alertTypes(harness))).toEqual(new Set(['guard.list-suspicious']));
    await harness.pass();
    expect(harness.alerts.events().at(-1)).toMatchObject({
      type: 'guard.recovered',
      reason:
        'the list has the project’s integrations again; from 2026-11-23 12:15 UTC to 11:10 UTC (22 h 55 min) the guard did not trust it',
    });
  });

  it('and belongs to another project changes nothing for a day', async () => {
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
    expect(harness.alerts.events().find(({ type }) => type === 'guard.recovered')?.reason).toMatch(
      /^the list has been the same for 24 hours, so the guard accepts it; from /,
    );
  });
});

describe('a key that is revoked during a pass with 40 pauses', () => {
  it('is one alert, and the next pass continues', async () => {
    const harness = createDefaultsHarness({ providerOutage: 'off', blastRadius: { percent: 100 } });
    for (const id of idsOf(40)) addBusy(harness, id);
    await harness.run(10);
    for (const id of idsOf(40)) harness.world.breakDown(id, 'HTTP 401');
    await harness.run(60);
    const before = alertTypes(harness).length;
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
    const news = alertTypes(harness).slice(before);
    expect(news.filter((type) => type !== 'integration.paused')).toEqual(['guard.failing']);
    await harness.run(5);
    expect(pauses(harness)).toHaveLength(40);
    expect(
      alertTypes(harness)
        .slice(before)
        .filter((type) => !type.endsWith('paused')),
    ).toEqual(['guard.failing', 'guard.recovered']);
  });
});

describe('a clock that is far off', () => {
  it.each([31, 45, 300, -45, -300])(
    'by %s minutes does not pause an integration that delivered minutes ago',
    async (minutes) => {
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
    },
  );
});

describe('the end of a shared outage', () => {
  const provider = (harness: Harness, kind: string) =>
    alertTypes(harness).filter((type) => type === `provider.${kind}`).length;
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

  it('comes even if two of six stay broken; those are paused, and the next outage is a new one', async () => {
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

  it('of two providers is one alert, even if they are a small part of the project', async () => {
    const harness = createDefaultsHarness({}, { suspendAfterErrors: 1_000_000 });
    for (const name of ['amplitude', 'appsflyer'])
      for (const id of idsOf(3, name)) addBusy(harness, id, { provider: name });
    for (const id of idsOf(20, 'b')) addBusy(harness, id, { provider: 'braze' });
    await harness.run(60);
    down(harness, [...idsOf(3, 'amplitude'), ...idsOf(3, 'appsflyer')], 22 * 60);
    await harness.run(24 * 60);
    expect(alertTypes(harness)).toEqual(['guard.common-cause', 'guard.common-cause-ended']);
  });

  it('of two providers stays separate when other providers are no longer tried', async () => {
    const harness = createDefaultsHarness({}, { suspendAfterErrors: 1_000_000 });
    const providers = ['amplitude', 'appsflyer', 'mixpanel', 'braze'];
    for (const name of providers) for (const id of idsOf(3, name)) addBusy(harness, id, { provider: name });
    for (const id of idsOf(6, 'webhooks')) addBusy(harness, id, { provider: 'webhooks' });
    await harness.run(60);
    down(harness, [...idsOf(3, 'amplitude'), ...idsOf(3, 'appsflyer')], 5 * 60);
    await harness.run(60);
    for (const name of ['mixpanel', 'braze']) for (const id of idsOf(3, name)) harness.world.setTraffic(id, 0);
    await harness.run(9 * 60);
    expect(alertTypes(harness)).toEqual(['provider.down', 'provider.down', 'provider.recovered', 'provider.recovered']);
  });

  it('is not announced while no integration is tried, and the guard probes all as soon as it is', async () => {
    const harness = createDefaultsHarness();
    for (const id of idsOf(6)) addBusy(harness, id);
    for (const id of idsOf(8, 'b')) addBusy(harness, id, { provider: 'braze' });
    await harness.run(60);
    // Meanwhile Qonversion's worker suspends them.
    down(harness, idsOf(6), 40 * 60);
    await harness.run(39 * 60);
    expect(provider(harness, 'recovered')).toBe(0);
    await harness.run(26 * 60);
    expect(provider(harness, 'recovered')).toBe(1);
    expect(idsOf(6).every((id) => active(harness, id) === 1)).toBe(true);
  });

  it('counts for an integration whose entry could not be written then', async () => {
    const harness = await start();
    down(harness, idsOf(6), 180);
    await harness.run(175);
    // Its next batch is hours away, so its last attempt was in the outage.
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

  it('of an outage that comes and goes all day sends few mails', async () => {
    const harness = await start();
    for (let minute = 0; minute < 24 * 60; minute += 60) down(harness, idsOf(6), 20, minute);
    await harness.run(30 * 60);
    expect(alertTypes(harness).length).toBeLessThanOrEqual(6);
    expect(pauses(harness)).toEqual([]);
  });
});

describe('a pause whose answer was lost', () => {
  it('is the guard’s own, even if the next pass gets the same list', async () => {
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
    expect(alertTypes(harness)).toContain('integration.paused');
    expect(alertTypes(harness).at(-1)).toBe('integration.recovered');
  });
});
