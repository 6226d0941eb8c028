import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectivePolicy } from '../../../functions/guard/policy/effective-policy.ts';
import { migrateSettings } from '../../../functions/guard/settings/migrate.ts';
import { parseSettings } from '../../../functions/guard/settings/schema.ts';
import { editJson } from '../../../functions/local/edit-json.ts';
import { findSettings } from '../../../functions/local/settings-file.ts';
import { aRecord } from '../../support/builders.ts';
import { settingsV1 } from '../../upgrade/settings-v1.ts';

const project = (policy: unknown, rest: Record<string, unknown> = {}) => ({
  projects: { p: { secretName: 'x', policy, ...rest } },
});
const override = (...overrides: unknown[]) => project({ overrides });
const alerts = (entry: Record<string, unknown>) => ({ ...project({}), alerts: entry });
const a = { id: 'a' };

function migrate(text: string): string {
  const json = text.replace(/^\ufeff/, '');
  const { document, at } = findSettings(text, 'settings.json');
  const edits = migrateSettings(document).changes.map(({ path, to }) => ({ path: [...at, ...path], to }));
  return `${text.slice(0, text.length - json.length)}${editJson(json, edits)}`;
}

const migrated = (document: unknown) => JSON.parse(migrate(JSON.stringify(document)));

function policyOfV1(document: unknown) {
  const policy = settingsV1.parse(document).projects.p?.policy;
  if (policy === undefined) throw new Error('there is no project p');
  return policy;
}

function policyOfToday(document: unknown) {
  const policy = parseSettings(document).projects.p?.policy;
  if (policy === undefined) throw new Error('there is no project p');
  return policy;
}

describe('settings of version 0.1', () => {
  it.each([
    ['unstable is flapping', project({ unstable: 'pause' }), project({ flapping: 'pause' })],
    ['so it is in an override', override({ match: a, unstable: 'off' }), override({ match: a, flapping: 'off' })],
    ['reminders are one summary a day', project({ remindEveryHours: 6 }), project({ remindAt: '08:00' })],
    ['no reminders are no summary', project({ remindEveryHours: 0 }), project({ remindAt: 'never' })],
    [
      'reminders of an override go',
      override({ match: a, remindEveryHours: 6, mode: 'observe' }),
      override({ match: a, mode: 'observe' }),
    ],
    [
      'and the override with them if nothing else is in it',
      override(
        { match: a, errorThreshold: 9 },
        { match: { id: 'b' }, remindEveryHours: 6 },
        { match: a, remindEveryHours: 0 },
      ),
      override({ match: a, errorThreshold: 9 }),
    ],
    [
      'unless it hides another',
      override({ match: a, remindEveryHours: 6 }, { match: a, mode: 'ignore' }),
      override({ match: a, lowTraffic: {} }, { match: a, mode: 'ignore' }),
    ],
    [
      'an address is written as it is read',
      project({}, { apiUrl: 'https:\\\\bücher.example/x/../v4//?#' }),
      project({}, { apiUrl: 'https://xn--bcher-kva.example/v4' }),
    ],
    [
      'loopback, too',
      project({}, { apiUrl: 'http://0x7f.1:8080/v4' }),
      project({}, { apiUrl: 'http://127.0.0.1:8080/v4' }),
    ],
    [
      'an endpoint has a path before its query',
      alerts({ subscriptions: [{ https: 'https://alerts.example.com?team=ops' }] }),
      alerts({ subscriptions: [{ https: 'https://alerts.example.com/?team=ops' }] }),
    ],
    [
      'characters that end a link are encoded in the address of the runbook',
      alerts({ runbookUrl: 'https://wiki.example.com/it\'s"here"' }),
      alerts({ runbookUrl: 'https://wiki.example.com/it%27s%22here%22' }),
    ],
    [
      'a fleet and its policies',
      {
        fleet: {
          secretNamePrefix: 'q/',
          policy: { remindEveryHours: 0 },
          policies: [{ tag: 't', policy: { remindEveryHours: 1, unstable: 'off' } }],
        },
      },
      {
        fleet: {
          secretNamePrefix: 'q/',
          policy: { remindAt: 'never' },
          policies: [{ tag: 't', policy: { remindAt: '08:00', flapping: 'off' } }],
        },
      },
    ],
  ])('%s', (_, before, after) => {
    expect(settingsV1.safeParse(before).error).toBeUndefined();
    expect(() => parseSettings(before)).toThrow();
    expect(migrated(before)).toEqual(after);
    expect(() => parseSettings(after)).not.toThrow();
    expect(migrated(after)).toEqual(after);
  });

  it('need a person to decide when both names are present', () => {
    const { changes, conflicts } = migrateSettings(project({ unstable: 'off', flapping: 'tell' }));
    expect(changes).toEqual([]);
    expect(conflicts).toEqual([{ path: ['projects', 'p', 'policy'], old: 'unstable', name: 'flapping' }]);
  });

  it.each([
    ['no prefix of a fleet', { fleet: {} }, 'fleet.secretNamePrefix'],
    [
      'an alias of a key',
      project(
        {},
        {
          secretName: undefined,
          secretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:x',
          secretKeyArn: 'arn:aws:kms:eu-west-1:123456789012:alias/x',
        },
      ),
      'projects.p.secretKeyArn',
    ],
    [
      'a wildcard',
      project({}, { secretName: undefined, secretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:*' }),
      'projects.p.secretArn',
    ],
    [
      'a queue that is none',
      alerts({ subscriptions: [{ sqs: 'arn:aws:sqs:eu-west-1:123456789012:a/b' }] }),
      'alerts.subscriptions.0.sqs',
    ],
    [
      'a function by a path',
      alerts({ subscriptions: [{ lambda: 'arn:aws:lambda:eu-west-1:123456789012:a/b' }] }),
      'alerts.subscriptions.0.lambda',
    ],
    ['an encoded address', project({}, { apiUrl: 'https://api.example.com/%20' }), 'projects.p.apiUrl'],
    ['a key in place of its name', project({}, { secretName: 'sk_fake_key_of_a_test_1' }), 'projects.p.secretName'],
  ])('%s stays as it is, and is refused', (_, document, path) => {
    expect(settingsV1.safeParse(document).error).toBeUndefined();
    expect(migrateSettings(document).changes).toEqual([]);
    expect(() => parseSettings(document)).toThrow(path);
  });

  it('report every changed default, with its old value', () => {
    const document = { projects: { p: { secretName: 'x' } } };
    const { unstable, remindEveryHours, ...old } = policyOfV1(document);
    const renamed = { ...old, flapping: unstable, remindAt: `every ${remindEveryHours} hours` };
    const was: Record<string, unknown> = { lowTraffic: 'off', providerOutage: 'off', ...renamed };
    const changed = Object.entries(policyOfToday(document)).filter(
      ([name, value]) => !isDeepStrictEqual(was[name], value),
    );
    const { defaults } = migrateSettings(document);
    expect(new Map(defaults.map(({ path, from }) => [path, from]))).toEqual(
      new Map([...changed.map(([name]) => [`….policy.${name}`, was[name]] as const), ['….personalData', 'show']]),
    );
    for (const [name, value] of changed) {
      const to = defaults.find(({ path }) => path === `….policy.${name}`)?.to;
      expect(isObject(value) ? { ...value, ...(to as object) } : to).toEqual(value);
    }
  });

  it('report the changed defaults of a probe', () => {
    const before = override({ match: a, recovery: { mode: 'probe' } });
    const was = policyOfV1(before).overrides[0]?.recovery ?? {};
    const now = policyOfToday(before).overrides[0]?.recovery ?? {};
    const changed = Object.entries(now).filter(([name, value]) => Reflect.get(was, name) !== value);
    const said = migrateSettings(before).defaults.filter(({ path }) => path.startsWith('….policy.recovery.'));
    expect(said.map(({ path, from, to }) => [path, from, to])).toEqual(
      changed.map(([name, value]) => [`….policy.recovery.${name}`, Reflect.get(was, name), value]),
    );
  });

  it('do not report a setting that is present, also in a fleet’s own policy', () => {
    const own = {
      failingForMinutes: 90,
      recovery: { mode: 'manual' },
      lowTraffic: 'off',
      providerOutage: 'off',
      remindAt: 'never',
    };
    const fleet = {
      secretNamePrefix: 'q/',
      personalData: 'show',
      policy: own,
      policies: [{ tag: 't', policy: { mode: 'observe' } }],
    };
    expect(migrateSettings({ fleet })).toEqual({ changes: [], conflicts: [], defaults: [], reread: [] });
  });

  it('report globs and minutes with another meaning', () => {
    const { reread } = migrateSettings({
      ...override(
        { match: { title: '{a,b}*' }, failingForMinutes: 15 },
        { match: { title: '*a?' }, failingForMinutes: 60 },
      ),
      fleet: { secretNamePrefix: 'q/', policies: [{ match: '!trial', policy: {} }] },
    });
    expect(reread.map(({ path }) => path.join('.'))).toEqual([
      'projects.p.policy.overrides.0.match.title',
      'fleet.policies.0.match',
      'projects.p.policy.overrides.0.failingForMinutes',
    ]);
  });
});

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const without = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
const fields = (model: Record<string, fc.Arbitrary<unknown>>) => fc.record(model).map(without);

const anId: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'constructor');
const recovery = fc.oneof(
  fc.constant({ mode: 'manual' }),
  fields({
    mode: fc.constant('probe'),
    cooldownMinutes: maybe(fc.integer({ min: 1, max: 1_000 })),
    backoff: maybe(fc.constantFrom(1, 1.5, 10)),
    maxCooldownMinutes: maybe(fc.integer({ min: 1_000, max: 44_640 })),
    maxAttempts: maybe(fc.integer({ min: 1, max: 100 })),
    probeErrors: maybe(fc.integer({ min: 1, max: 9 })),
  }),
);
const shared = {
  errorThreshold: maybe(fc.integer({ min: 50, max: 1_000_000 })),
  failingForMinutes: maybe(fc.integer({ min: 0, max: 44_640 })),
  warnThreshold: maybe(fc.integer({ min: 0, max: 50 })),
  remindEveryHours: maybe(fc.integer({ min: 0, max: 744 })),
  unstable: maybe(fc.constantFrom('tell', 'pause', 'off')),
  recovery: maybe(recovery),
};
const anOverride = fc
  .record({
    match: fields({
      id: maybe(anId),
      integration: maybe(fc.constantFrom('Amplitude', 'A  B')),
      target_platform: maybe(fc.constantFrom('iOS', 'Android', 'Stripe')),
      title: maybe(fc.constantFrom('*', '*staging*', '[x] {a,b}', '// no comment', '"')),
    }).filter((match) => Object.keys(match).length > 0),
    rest: fc.oneof(
      fields({ remindEveryHours: shared.remindEveryHours }),
      fields({ mode: maybe(fc.constantFrom('enforce', 'observe', 'ignore')), ...shared }),
    ),
  })
  .filter(({ rest }) => Object.keys(rest).length > 0)
  .map(({ match, rest }) => ({ match, ...rest }));
const aPolicy = fields({
  mode: maybe(fc.constantFrom('enforce', 'observe')),
  ...shared,
  blastRadius: maybe(fields({ percent: maybe(fc.integer({ min: 0, max: 100 })), floor: maybe(fc.nat(1_000_000)) })),
  overrides: maybe(fc.array(anOverride, { maxLength: 5 })),
});
const anApiUrl = fc.constantFrom(
  'https://api.qonversion.io/v4',
  'https://api.qonversion.io/v4/',
  'https://api.qonversion.io/v4///',
  'https:\\\\api.example.com\\v4',
  ' https://api.example.com/v4 ',
  'https://bücher.example/./v4?',
  'http://[::1]:8080',
  'http://2130706433/v4#',
);
const owner = { apiUrl: maybe(anApiUrl), policy: maybe(aPolicy) };
const arn = (service: string, resource: string) => `arn:aws:${service}:eu-west-1:123456789012:${resource}`;
const aSubscription = fc
  .record({
    endpoint: fc.constantFrom(
      { email: 'ops@example.com' },
      { sms: '+15551230000' },
      { sqs: arn('sqs', 'alerts.fifo') },
      { lambda: arn('lambda', 'function:alerts:live') },
      { https: 'https://alerts.example.com' },
      { https: 'https://alerts.example.com?team=ops' },
      { https: 'https://alerts.example.com/ops/ü' },
      { slack: { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' } },
    ),
    rest: fields({
      minSeverity: maybe(fc.constantFrom('info', 'warning', 'critical')),
      alarms: maybe(fc.boolean()),
    }),
  })
  .map(({ endpoint, rest }) => ({ ...endpoint, ...rest }));

const endpointOf = ({ minSeverity: _, alarms: __, ...endpoint }: Readonly<Record<string, unknown>>) =>
  JSON.stringify(endpoint);

/** Settings that version 0.1 accepted and that can be migrated. */
const aDocumentOfV1 = fields({
  schedule: maybe(fc.constantFrom('rate(5 minutes)', 'rate(1 day)')),
  projects: fc
    .uniqueArray(fc.constantFrom('production', 'dev_2', 'constructor', 'flapping'), { minLength: 1 })
    .chain((names) =>
      fc.record(
        Object.fromEntries(
          names.map((name) => [name, fields(owner).map((rest) => ({ secretName: `q/${name}`, ...rest }))]),
        ),
      ),
    ),
  fleet: maybe(
    fields({
      secretNamePrefix: fc.constant('fleet/'),
      secretKeyArn: maybe(fc.constant(arn('kms', 'key/1234'))),
      concurrency: maybe(fc.integer({ min: 1, max: 1_000 })),
      ...owner,
      policies: maybe(
        fc
          .array(aPolicy, { maxLength: 3 })
          .map((policies) => policies.map((policy, index) => ({ tag: `t${index}`, match: 'trial-*', policy }))),
      ),
    }),
  ),
  alerts: maybe(
    fields({
      // No stack can have two subscriptions of one endpoint.
      subscriptions: maybe(fc.uniqueArray(aSubscription, { maxLength: 3, selector: endpointOf })),
      runbookUrl: maybe(
        fc.constantFrom('docs/runbook.md', 'https://wiki.example.com?page=guard', 'https://wiki.example.com/a"b'),
      ),
    }),
  ),
}).filter((document) => settingsV1.safeParse(document).success);

/** The text as people write it: a comment on each line, trailing commas, CRLF, a byte-order mark. */
const aFileOfV1 = fc
  .record({
    document: aDocumentOfV1,
    inCdkJson: fc.boolean(),
    indent: fc.constantFrom('', '  ', '\t'),
    trailing: fc.boolean(),
    crlf: fc.boolean(),
    mark: fc.boolean(),
  })
  .map(({ document, inCdkJson, indent, trailing, crlf, mark }) => {
    const whole = inCdkJson ? { app: 'x', context: { 'integration-guard': document, unstable: 'not ours' } } : document;
    const plain = JSON.stringify(whole, null, indent);
    const lines = (trailing ? plain.replace(/(?<=[\]}"\w])(?=\n\s*[\]}])/g, ',') : plain).split('\n');
    const text = lines
      .map((line, index) => `${line}${index % 2 === 0 ? ` // c${index};` : ` /* c${index}; */`}`)
      .join(crlf ? '\r\n' : '\n');
    return { document, text: `${mark ? '\ufeff' : ''}${text}${crlf ? '\r\n' : '\n'}` };
  });

const MIGRATED = new Set([
  'unstable',
  'flapping',
  'remindEveryHours',
  'remindAt',
  'lowTraffic',
  'apiUrl',
  'https',
  'runbookUrl',
]);

/** The parts that no migration changes. A project may have the name of a setting. */
function untouched(value: unknown, areNames = false): unknown {
  if (Array.isArray(value)) return value.map((each) => untouched(each)).filter((each) => !isOnlyMatch(each));
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([name]) => areNames || !MIGRATED.has(name));
  return Object.fromEntries(kept.map(([name, inner]) => [name, untouched(inner, name === 'projects')]));
}

function isOnlyMatch(value: unknown): boolean {
  return isObject(value) && Object.keys(value).join() === 'match';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

describe('any settings that version 0.1 accepted', () => {
  it('become settings that today’s schema accepts; a second migration changes nothing, and the rest stays', () => {
    fc.assert(
      fc.property(aFileOfV1, ({ document, text }) => {
        const after = migrate(text);
        const { document: result } = findSettings(after, 'settings.json');
        parseSettings(result);
        expect(migrate(after)).toBe(after);
        expect(untouched(result)).toEqual(untouched(document));
        expect(after.match(/c\d+;/g)).toEqual(text.match(/c\d+;/g));
        expect(after.startsWith('\ufeff')).toBe(text.startsWith('\ufeff'));
        expect(/(?<!\r)\n/.test(after)).toBe(/(?<!\r)\n/.test(text));
        expect(after.includes('not ours')).toBe(text.includes('not ours'));
      }),
      { numRuns: 300 },
    );
  });

  it('mean the same for every integration as before', () => {
    fc.assert(
      fc.property(aPolicy, anId, fc.constantFrom('iOS' as const, 'Android' as const), (policy, id, target_platform) => {
        const before = { projects: { p: { secretName: 'x', policy } } };
        fc.pre(settingsV1.safeParse(before).success);
        const was = policyOfV1(before);
        const record = aRecord({ id, target_platform, integration: 'Amplitude', title: 'my staging' });
        const hit = was.overrides.find(
          ({ match }) =>
            [id, undefined].includes(match.id) &&
            ['Amplitude', undefined].includes(match.integration) &&
            [target_platform, undefined].includes(match.target_platform as 'iOS') &&
            ['*', '*staging*', undefined].includes(match.title),
        );
        expect(effectivePolicy(policyOfToday(migrated(before)), record)).toMatchObject({
          mode: hit?.mode ?? was.mode,
          errorThreshold: hit?.errorThreshold ?? was.errorThreshold,
          flapping: hit?.unstable ?? was.unstable,
          lowTraffic: { errors: 3, warnAfterHours: 12, pauseAfterHours: 120 },
        });
      }),
      { numRuns: 300 },
    );
  });

  it('stay unchanged if today’s schema accepts them', () => {
    fc.assert(
      fc.property(aDocumentOfV1, (document) => {
        const { changes } = migrateSettings(document);
        expect(changes.length === 0).toBe(isTakenToday(document));
      }),
    );
  });
});

function isTakenToday(document: unknown): boolean {
  try {
    parseSettings(document);
    return true;
  } catch {
    return false;
  }
}
