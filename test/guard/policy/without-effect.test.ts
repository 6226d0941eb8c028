import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLANK_ENTRY } from '../../../functions/guard/model/entry.ts';
import type { IntegrationRecord } from '../../../functions/guard/model/integration.ts';
import { decide } from '../../../functions/guard/policy/decide.ts';
import { effectivePolicy, matches, withOverride } from '../../../functions/guard/policy/effective-policy.ts';
import { assess } from '../../../functions/guard/policy/figures.ts';
import { findOutages } from '../../../functions/guard/policy/provider-outage.ts';
import {
  findWithoutEffect,
  findWithoutEffectOn,
  findWithoutEffectOnFleet,
  type WithoutEffect,
} from '../../../functions/guard/policy/without-effect.ts';
import { choosePolicy, POLICY_TAG } from '../../../functions/guard/settings/fleet.ts';
import { parseSettings, type SettingsInput } from '../../../functions/guard/settings/schema.ts';
import { aFailingRecord, aPolicy, aRecord, minutesBefore, NOON } from '../../support/builders.ts';
import { addBusy, createHarness } from '../../support/harness.ts';

/** Each setting in a warning has no effect on the policy, and settings with an effect cause no warning. */

const PATH = 'projects.p.policy';

const inPolicy = (policy: Record<string, unknown>) =>
  findWithoutEffect(parseSettings({ projects: { p: { secretName: 'x', policy } } } as SettingsInput));

const onList = (policy: Record<string, unknown>, ...records: readonly IntegrationRecord[]) =>
  findWithoutEffectOn(aPolicy(policy), 'policy', records);

const said = (found: readonly WithoutEffect[]) =>
  found.map(({ path, message, action }) => `${path} ${message} ${action}`);
const kinds = (found: readonly WithoutEffect[]) => found.map(({ kind, path }) => `${kind} ${path}`);

const AMPLITUDE = aRecord({ id: 'amp-ios', integration: 'Amplitude', title: 'Production iOS', target_platform: 'iOS' });
const WEBHOOK = aRecord({ id: 'hook', integration: 'Webhooks', title: 'CRM (staging)', target_platform: 'Stripe' });

describe('settings that have an effect', () => {
  it.each<[string, Record<string, unknown>]>([
    ['the defaults', {}],
    ['a low threshold, after which the default for low traffic is never reached', { errorThreshold: 2 }],
    ['a long span', { failingForMinutes: 24 * 60 }],
    ['observe mode with a blast radius of nothing', { mode: 'observe', blastRadius: { floor: 0, percent: 0 } }],
    ['an early warning at the threshold, which half the span reaches first', { warnThreshold: 50 }],
    ['low traffic beside the limits', { lowTraffic: { errors: 2, warnAfterHours: 2, pauseAfterHours: 24 } }],
    [
      'a list of exceptions before the rest is ignored',
      {
        overrides: [
          { match: { integration: 'Amplitude' }, mode: 'enforce' },
          { match: { title: '*' }, mode: 'ignore' },
        ],
      },
    ],
    [
      'a narrow override before a wide one',
      {
        overrides: [
          { match: { title: 'a*' }, errorThreshold: 5 },
          { match: { title: '*' }, errorThreshold: 6 },
        ],
      },
    ],
  ])('are not warned about: %s', (_, policy) => {
    expect(inPolicy(policy)).toEqual([]);
  });

  it('are not warned about with a list that they match', () => {
    const overrides = [
      { match: { integration: 'Amplitude' }, errorThreshold: 5 },
      { match: { title: '*staging*' }, mode: 'ignore' },
    ];
    const providerOutage = { except: ['Webhooks', 'Slack'].slice(0, 1) };
    expect(onList({ overrides, providerOutage }, AMPLITUDE, WEBHOOK)).toEqual([]);
    expect(onList({ overrides: [{ match: { id: 'none' }, errorThreshold: 5 }] })).toEqual([]);
  });
});

describe('a policy that cannot pause', () => {
  it('has a blast radius of nothing', () => {
    expect(said(inPolicy({ blastRadius: { floor: 0, percent: 0 } }))).toEqual([
      `${PATH}.blastRadius lets no pass pause an integration by the limits: "floor" and "percent" are 0. Set "floor" to at least 1, or "mode" to "observe" if the guard must not pause.`,
    ]);
  });

  it('has one that is less than one integration of the list', () => {
    const policy = { blastRadius: { floor: 0, percent: 10 } };
    expect(inPolicy(policy)).toEqual([]);
    expect(said(onList(policy, AMPLITUDE, WEBHOOK))).toEqual([
      'policy.blastRadius lets no pass pause an integration by the limits: 10 % of 2 active integrations is less than one, and "floor" is 0. Set "floor" to at least 1, or "mode" to "observe" if the guard must not pause.',
    ]);
  });

  it.each([1, 2, 5])('pauses none of %i integrations that fail for hours, in no pass', async (count) => {
    for (const percent of [0, Math.floor(99 / count)]) {
      const harness = createHarness({ blastRadius: { floor: 0, percent } });
      for (let index = 0; index < count; index += 1) addBusy(harness, `i${index}`);
      harness.world.advance(5);
      for (let index = 0; index < count; index += 1) harness.world.breakDown(`i${index}`, 'HTTP 503');
      const { records } = await harness.api.list();
      const warnings = findWithoutEffectOn(harness.project.policy, 'policy', records);
      expect(kinds(warnings)).toContain('never-pauses policy.blastRadius');
      await harness.run(6 * 60);
      expect(harness.alerts.types()).toContain('guard.held');
      expect(harness.api.statusCalls).toEqual([]);
    }
  });

  it('ignores everything', () => {
    const overrides = [
      { match: { integration: 'Amplitude' }, mode: 'ignore' },
      { match: { title: '**' }, mode: 'ignore' },
    ];
    expect(kinds(inPolicy({ overrides }))).toEqual([`all-ignored ${PATH}.overrides.1`]);
    const each = (['iOS', 'Android', 'Stripe'] as const).map((target_platform) => ({
      match: { target_platform },
      mode: 'ignore',
    }));
    expect(kinds(inPolicy({ overrides: each }))).toEqual([]);
    expect(kinds(onList({ overrides: each }, AMPLITUDE, WEBHOOK))).toEqual(['all-ignored policy']);
  });
});

describe('limits of which one always comes first', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['a span as long as that of low traffic', { failingForMinutes: 5 * 24 * 60 }, `limits-never-reached ${PATH}`],
    [
      'low traffic that the limits precede',
      { errorThreshold: 3, lowTraffic: { errors: 4, warnAfterHours: 12, pauseAfterHours: 24 } },
      `low-traffic-never-reached ${PATH}.lowTraffic`,
    ],
    [
      'an early warning at the threshold without a span',
      { errorThreshold: 10, failingForMinutes: 0, warnThreshold: 10 },
      `never-warns ${PATH}.warnThreshold`,
    ],
    [
      'a warning of low traffic at its pause',
      { lowTraffic: { errors: 1, warnAfterHours: 24, pauseAfterHours: 24 } },
      `never-warns ${PATH}.lowTraffic.warnAfterHours`,
    ],
    [
      'those of an override',
      { overrides: [{ match: { id: 'a' }, failingForMinutes: 10_000 }] },
      `limits-never-reached ${PATH}.overrides.0`,
    ],
  ])('are warned about: %s', (_, policy, expected) => {
    expect(kinds(inPolicy(policy))).toContain(expected);
  });

  it('are named with both', () => {
    expect(said(inPolicy({ failingForMinutes: 10_080 }))).toEqual([
      `${PATH} pauses nothing by errorThreshold and failingForMinutes (50 failures over 7 days): lowTraffic pauses at 3 failures over 5 days, which comes first. Set failingForMinutes or errorThreshold to less, or change lowTraffic.`,
    ]);
  });

  const NEVER = 1e9;
  const limits = fc.record({
    errorThreshold: fc.integer({ min: 1, max: 6 }),
    failingForMinutes: fc.constantFrom(0, 30, 60, 120, 240),
    warnThreshold: fc.integer({ min: 0, max: 6 }),
    lowTraffic: fc.record({
      errors: fc.integer({ min: 1, max: 6 }),
      warnAfterHours: fc.constantFrom(1, 2),
      pauseAfterHours: fc.constantFrom(2, 3, 4),
    }),
  });

  it('change no assessment when they are taken away', () => {
    const seen = new Map<string, number>();
    const record = fc.record({ errors: fc.integer({ min: 0, max: 8 }), span: fc.integer({ min: 0, max: 6 * 60 }) });
    fc.assert(
      fc.property(limits, fc.array(record, { minLength: 30, maxLength: 30 }), (given, records) => {
        fc.pre(given.warnThreshold <= given.errorThreshold);
        const policy = withOverride(aPolicy(given), undefined);
        for (const { kind, path } of inPolicy(given)) {
          const without = {
            'limits-never-reached': { ...policy, errorThreshold: NEVER, failingForMinutes: 0 },
            'low-traffic-never-reached': { ...policy, lowTraffic: { ...given.lowTraffic, pauseAfterHours: NEVER } },
            'never-warns': path.endsWith('.warnThreshold')
              ? { ...policy, warnThreshold: 0 }
              : { ...policy, lowTraffic: { ...given.lowTraffic, warnAfterHours: NEVER } },
          }[kind as 'never-warns'];
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
          for (const { errors, span } of records) {
            const stretch = { since: minutesBefore(NOON, span), count: errors, lastDeliveryAt: null };
            const entry = { ...BLANK_ENTRY, stretch };
            const failing = aRecord({ delivery_error_count: errors, last_error_at: NOON, last_delivery_at: null });
            const [with_, after] = [assess(failing, entry, policy), assess(failing, entry, without)];
            expect(after.overLimits).toBe(with_.overLimits);
            if (kind === 'never-warns' && !with_.overLimits) expect(after.overWarning).toBe(with_.overWarning);
          }
        }
      }),
      { numRuns: 300 },
    );
    expect([...seen.keys()].sort()).toEqual(['limits-never-reached', 'low-traffic-never-reached', 'never-warns']);
  });
});

describe('overrides', () => {
  const first = { match: { integration: 'Amplitude' }, errorThreshold: 5 };

  it('that an earlier one always precedes never apply', () => {
    const overrides = [first, { match: { integration: 'Amplitude', title: '*staging*' }, mode: 'ignore' }];
    expect(said(inPolicy({ overrides }))).toEqual([
      `${PATH}.overrides.1 never applies: ${PATH}.overrides.0 matches everything that it matches, and comes first. Put it before ${PATH}.overrides.0, or remove it.`,
    ]);
  });

  it('whose integrations others take first apply to none of the list', () => {
    const overrides = [
      { match: { id: 'amp-ios' }, errorThreshold: 5 },
      { match: { target_platform: 'iOS' }, errorThreshold: 6 },
    ];
    expect(inPolicy({ overrides })).toEqual([]);
    expect(kinds(onList({ overrides }, AMPLITUDE, WEBHOOK))).toEqual(['override-never-applies policy.overrides.1']);
  });

  it('that ignore do not use limits', () => {
    const overrides = [{ match: { id: 'a' }, mode: 'ignore', errorThreshold: 5, flapping: 'pause' }];
    expect(said(inPolicy({ overrides }))).toEqual([
      `${PATH}.overrides.0 does not use errorThreshold, flapping: the guard ignores its integrations. Remove them, or change the mode.`,
    ]);
    const policy = effectivePolicy(aPolicy({ overrides }), aRecord({ id: 'a' }));
    const context = { project: 'p', now: NOON, changeTimesShown: false, firstLook: true };
    expect(decide(aFailingRecord(1_000, 600, { id: 'a' }), null, policy, context).kind).toBe('ignored');
  });

  it.each<[Record<string, unknown>, string, string]>([
    [
      { integration: 'amplitude' },
      'none is of the provider "amplitude"',
      'Did you mean "Amplitude"? `integration-guard list` shows all.',
    ],
    [
      { integration: 'Amp*' },
      'none is of the provider "Amp*"',
      'Give the provider\'s whole name: only "title" takes a glob. Compare it with `integration-guard list`, or remove it.',
    ],
    [
      { integration: 'Production iOS' },
      'none is of the provider "Production iOS"',
      'That is a title: use "title" instead of "integration".',
    ],
    [{ title: 'Webhooks' }, 'no title is like "Webhooks"', 'That is a provider: use "integration" instead of "title".'],
    [{ title: 'staging' }, 'no title is like "staging"', 'Write "*staging*": a title has to fit as a whole.'],
    [
      { title: 'production ios' },
      'no title is like "production ios"',
      'Did you mean "Production iOS"? `integration-guard list` shows all.',
    ],
    [{ id: 'AMP-IOS' }, 'none has the id "AMP-IOS"', 'Did you mean "amp-ios"? `integration-guard list` shows all.'],
    [{ target_platform: 'Android' }, 'none is for Android', 'Compare it with `integration-guard list`, or remove it.'],
    [
      { integration: 'Webhooks', target_platform: 'iOS' },
      'none fits "match" as a whole',
      'Compare it with `integration-guard list`, or remove it.',
    ],
  ])('that match nothing say so, and what is near: %o', (match, why, action) => {
    const found = onList({ overrides: [{ match, errorThreshold: 5 }] }, AMPLITUDE, WEBHOOK);
    expect(said(found)).toEqual([`policy.overrides.0 matches no integration (the list has 2): ${why}. ${action}`]);
  });

  it('that never apply according to a warning match no record', () => {
    const letters = fc.constantFrom('a', 'b', '*', '?', '\u{1f680}');
    const glob = fc.array(letters, { minLength: 1, maxLength: 4 }).map((each) => each.join(''));
    const title = fc.array(fc.constantFrom('a', 'b', '\u{1f680}'), { maxLength: 5 }).map((each) => each.join(''));
    const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
    const match = fc
      .record({ integration: optional(fc.constantFrom('X', 'Y')), title: optional(glob) })
      .filter((each) => each.integration !== undefined || each.title !== undefined);
    const overrides = fc.array(
      match.map((each) => ({ match: each, errorThreshold: 7 })),
      { minLength: 2, maxLength: 5 },
    );
    const records = fc.array(fc.record({ integration: fc.constantFrom('X', 'Y'), title }), {
      minLength: 20,
      maxLength: 20,
    });
    let count = 0;
    fc.assert(
      fc.property(overrides, records, (given, list) => {
        const policy = aPolicy({ overrides: given });
        const never = inPolicy({ overrides: given }).flatMap(({ kind, path }) =>
          kind === 'override-never-applies' ? [Number(path.split('.').at(-1))] : [],
        );
        count += never.length;
        for (const each of list) {
          const index = policy.overrides.findIndex((override) => matches(override.match, aRecord(each)));
          expect(never).not.toContain(index);
        }
      }),
      { numRuns: 500 },
    );
    expect(count).toBeGreaterThan(100);
  });
});

describe("providers' outages", () => {
  it('except providers that the project has', () => {
    const providerOutage = { except: ['Webhooks', 'webhook', 'amplitude'] };
    expect(said(onList({ providerOutage }, AMPLITUDE))).toEqual([
      'policy.providerOutage.except.1 matches no provider: no integration is of "webhook". Compare it with `integration-guard list`, or remove it.',
      'policy.providerOutage.except.2 matches no provider: no integration is of "amplitude". Did you mean "Amplitude"? `integration-guard list` shows all.',
    ]);
  });

  it('are never found when no provider has as many integrations', () => {
    const policy = { providerOutage: { minimum: 4, percent: 30 } };
    const list = Array.from({ length: 3 }, (_, index) =>
      aFailingRecord(9, 20, { id: `i${index}`, integration: 'Adjust' }),
    );
    expect(said(onList(policy, ...list, WEBHOOK))).toEqual([
      'policy.providerOutage.minimum finds no provider\'s outage: no provider has 4 integrations (Adjust has most, 3). Set it to less, or providerOutage to "off".',
    ]);
    const changes = (records: readonly IntegrationRecord[]) =>
      findOutages(records, { integrations: new Map() }, [], aPolicy(policy), NOON).changes;
    const recent = list.map((record) => ({
      ...record,
      last_error_at: NOON,
      last_delivery_at: minutesBefore(NOON, 20),
    }));
    expect(changes(recent)).toEqual([]);
    const fourth = { ...aFailingRecord(9, 20, { id: 'fourth', integration: 'Adjust' }), last_error_at: NOON };
    // With one more they are: it is the number that decides.
    expect(changes([...recent, fourth])).toMatchObject([{ kind: 'begun', outage: { provider: 'Adjust' } }]);
    expect(onList(policy, ...recent, fourth)).toEqual([]);
  });
});

describe('policies of a fleet', () => {
  const fleetOf = (policies: readonly Record<string, unknown>[], more: Record<string, unknown> = {}) =>
    parseSettings({
      fleet: { secretNamePrefix: 'qonversion/', policies: policies.map((each) => ({ policy: {}, ...each })) },
      ...more,
    } as SettingsInput);

  it('that no project can get are never used', () => {
    const settings = fleetOf([
      { match: 'trial-*' },
      { match: 'trial-eu-*' },
      { match: 'a b' },
      { tag: 'x', match: 'trial-*' },
    ]);
    expect(said(findWithoutEffect(settings))).toEqual([
      'fleet.policies.1 applies to no project: fleet.policies.0 matches all names that it matches, and comes first. Put it before fleet.policies.0, or remove it.',
      'fleet.policies.2 applies to no project: no name of a project can be like "a b". Names of projects have letters, digits and /_+=.@- only.',
    ]);
    const name = fc.array(fc.constantFrom('trial-', 'eu-', 'a', 'b'), { maxLength: 4 }).map((each) => each.join(''));
    fc.assert(
      fc.property(name, (project) => {
        const chosen = settings.fleet && choosePolicy(settings.fleet, project, new Map());
        const index = settings.fleet?.policies.findIndex(({ policy }) => policy === chosen?.policy);
        expect([1, 2]).not.toContain(index);
      }),
    );
  });

  it('repeat nothing that was said of the fleet’s own policy', () => {
    const settings = parseSettings({
      fleet: {
        secretNamePrefix: 'q/',
        policy: { failingForMinutes: 10_080 },
        policies: [
          { tag: 'a', policy: {} },
          { tag: 'b', policy: { blastRadius: { floor: 0, percent: 0 } } },
        ],
      },
    });
    expect(kinds(findWithoutEffect(settings))).toEqual([
      'limits-never-reached fleet.policy',
      'never-pauses fleet.policies.1.policy.blastRadius',
    ]);
  });

  it('that no project has are named, and so are projects of subscriptions that there are not', () => {
    const subscription = { email: 'a@example.com', projects: ['acme', 'Bolt', 'listed'] };
    const settings = fleetOf([{ tag: 'calm' }, { tag: 'new', match: 'qonversion/trial-*' }], {
      projects: { listed: { secretName: 'x' } },
      alerts: { subscriptions: [subscription] },
    });
    const { fleet } = settings;
    if (fleet === undefined) throw new Error('no fleet');
    const { policy } = choosePolicy(fleet, 'acme', new Map([[POLICY_TAG, 'calm']]));
    const found = findWithoutEffectOnFleet({ ...settings, fleet }, new Set([policy]), new Set(['acme', 'bolt']));
    expect(said(found)).toEqual([
      'fleet.policies.1 applies to no project: no secret asks for it with the tag value "new", and no project gets it by its name, which would be like "qonversion/trial-*". The name of a project is what follows secretNamePrefix. Take "qonversion/" out of "match".',
      'alerts.subscriptions.0.projects.1 names an unknown project: "Bolt". Did you mean "bolt"? `integration-guard projects` shows all.',
    ]);
  });
});
