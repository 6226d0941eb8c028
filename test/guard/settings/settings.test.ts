import { describe, expect, it } from 'vitest';
import { SettingsError } from '../../../functions/guard/errors.ts';
import { scheduleMinutes } from '../../../functions/guard/settings/formats.ts';
import { parseSettings } from '../../../functions/guard/settings/schema.ts';

const project = (policy: unknown, rest: Record<string, unknown> = {}) => ({
  projects: { production: { secretName: 'qonversion/production', policy, ...rest } },
});
const alerts = (...subscriptions: unknown[]) => ({
  projects: { production: { secretName: 'qonversion/production' } },
  alerts: { subscriptions },
});

function faultsOf(document: unknown): readonly string[] {
  try {
    parseSettings(document, 'cdk.json');
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
}

describe('settings', () => {
  it('need a project and its secret, and have defaults for the rest', () => {
    expect(parseSettings({ projects: { production: { secretName: 'qonversion/production' } } })).toEqual({
      schedule: 'rate(5 minutes)',
      projects: {
        production: {
          secretName: 'qonversion/production',
          apiUrl: 'https://api.qonversion.io/v4',
          personalData: 'redact',
          policy: {
            mode: 'enforce',
            errorThreshold: 50,
            failingForMinutes: 60,
            lowTraffic: { errors: 3, warnAfterHours: 12, pauseAfterHours: 120 },
            blastRadius: { percent: 50, floor: 3 },
            recovery: {
              mode: 'probe',
              cooldownMinutes: 15,
              backoff: 2,
              maxCooldownMinutes: 1_440,
              maxAttempts: 12,
              probeErrors: 3,
            },
            providerOutage: { percent: 60, minimum: 3, holdHours: 48, except: ['Webhooks'] },
            remindAt: '08:00',
            flapping: 'tell',
            overrides: [],
          },
        },
      },
      alerts: { subscriptions: [] },
      dashboard: false,
      encryption: 'customer-key',
    });
  });

  it.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    'take a project named "%s" like any other',
    (name) => {
      const { projects } = parseSettings({ projects: { [name]: { secretName: 'x' } } });
      expect(Object.keys(projects)).toEqual([name]);
      expect(projects[name]?.secretName).toBe('x');
    },
  );

  it.each([
    ['{ "projects": { "__proto__": { "secretName": "x" } } }', 'projects.__proto__: expected another name'],
    [
      '{ "projects": { "a": { "secretName": "x", "policy": { "overrides": [{ "__proto__": {} }] } } } }',
      'projects.a.policy.overrides.0.__proto__: expected another name',
    ],
  ])('refuse the name __proto__ with one sentence: %s', (text, fault) => {
    expect(faultsOf(JSON.parse(text))).toEqual([fault]);
  });

  it('do not treat an inherited property as a project in a subscription', () => {
    expect(faultsOf(alerts({ email: 'ops@example.com', projects: ['constructor'] }))).toEqual([
      'alerts.subscriptions.0.projects.0: expected one of the projects (production), got "constructor"',
    ]);
  });

  it('give probe recovery its defaults', () => {
    expect(parseSettings(project({ recovery: { mode: 'probe' } })).projects.production?.policy.recovery).toEqual({
      mode: 'probe',
      cooldownMinutes: 15,
      backoff: 2,
      maxCooldownMinutes: 1_440,
      maxAttempts: 12,
      probeErrors: 3,
    });
  });

  it.each([
    ['email', 'ops@example.com'],
    ['sqs', 'arn:aws:sqs:eu-west-1:123456789012:alerts'],
    ['slack', { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' }],
  ])('subscribe an endpoint once: %s', (kind, endpoint) => {
    const faults = faultsOf(alerts({ [kind]: endpoint }, { [kind]: endpoint, minSeverity: 'critical' }));
    expect(faults).toEqual([
      expect.stringMatching(
        new RegExp(`^alerts\\.subscriptions\\.1\\.${kind}: expected an endpoint of its own \\(AWS allows one`),
      ),
    ]);
    expect(faultsOf(alerts({ https: 'https://a.example' }, { https: 'https://b.example' }))).toEqual([]);
  });

  it('allow eight chat channels', () => {
    const channels = (count: number) => ({
      projects: { production: { secretName: 'qonversion/production' } },
      alerts: {
        subscriptions: Array.from({ length: count }, (_, index) => ({
          slack: { workspaceId: 'T0ABCDEF1', channelId: `C${index}` },
        })),
      },
    });
    expect(faultsOf(channels(8))).toEqual([]);
    expect(faultsOf(channels(9))[0]).toMatch(/^alerts\.subscriptions: expected at most 8 chat channels, got /);
  });

  it('accept eight incident tools, and compare webhooks by their address', () => {
    const tools = (count: number) => ({
      projects: { production: { secretName: 'x' } },
      alerts: {
        subscriptions: Array.from({ length: count }, (_, index) =>
          index % 2 === 0
            ? { pagerduty: { routingKeySecret: `pagerduty/${index}` }, minSeverity: 'critical' }
            : { webhook: { url: `https://example.com/${index}`, headerSecret: 'oncall' }, projects: ['production'] },
        ),
      },
    });
    const [first, second] = parseSettings(tools(8)).alerts.subscriptions;
    expect(first?.pagerduty).toEqual({ routingKeySecret: 'pagerduty/0', region: 'us' });
    expect(second?.webhook).toMatchObject({ header: 'Authorization' });
    expect(faultsOf(tools(9))).toEqual([
      'alerts.subscriptions: expected at most 8 subscriptions of pagerduty and webhook, got 9',
    ]);
  });

  it.each([
    [
      'a wrong type',
      project({ errorThreshold: 'fifty' }),
      'projects.production.policy.errorThreshold: expected a positive integer, got "fifty"',
    ],
    [
      'a threshold of 0',
      project({ errorThreshold: 0 }),
      'projects.production.policy.errorThreshold: expected a positive integer, got 0',
    ],
    [
      'a fraction',
      project({ errorThreshold: 1.5 }),
      'projects.production.policy.errorThreshold: expected a positive integer, got 1.5',
    ],
    [
      'an unknown key',
      project({ errorTreshold: 5 }),
      'projects.production.policy: unknown setting "errorTreshold"; did you mean "errorThreshold"?',
    ],
    [
      'an unknown key at the top',
      { ...project({}), shedule: 'x' },
      '(top level): unknown setting "shedule"; did you mean "schedule"?',
    ],
    [
      'a bad mode',
      project({ mode: 'on' }),
      'projects.production.policy.mode: expected "enforce" or "observe", got "on"',
    ],
    [
      'a warning above the threshold',
      project({ errorThreshold: 10, warnThreshold: 11 }),
      'projects.production.policy.warnThreshold: expected at most errorThreshold (10), got 11',
    ],
    [
      'a threshold of an override below the warning',
      project({ warnThreshold: 20, overrides: [{ match: { id: 'a' }, errorThreshold: 10 }] }),
      "projects.production.policy.overrides.0.errorThreshold: expected at least the policy's warnThreshold (20), got 10",
    ],
    [
      'an override that matches nothing',
      project({ overrides: [{ match: {}, mode: 'ignore' }] }),
      'projects.production.policy.overrides.0.match: expected at least one of id, integration, target_platform and title, got {}',
    ],
    [
      'an override that changes nothing',
      project({ overrides: [{ match: { id: 'a' } }] }),
      'projects.production.policy.overrides.0: expected at least one setting besides "match", got none',
    ],
    [
      'a wrong platform',
      project({ overrides: [{ match: { target_platform: 'ios' }, mode: 'ignore' }] }),
      'projects.production.policy.overrides.0.match.target_platform: expected "iOS", "Android" or "Stripe", got "ios"',
    ],
    [
      'a reminder by the hour, as in the version before',
      project({ remindEveryHours: 24 }),
      'projects.production.policy: unknown setting "remindEveryHours"; use "remindAt", a time of day for one summary a day, or "never" (integration-guard settings migrate changes it for you)',
    ],
    [
      'a time of day that is none',
      project({ remindAt: '8:00' }),
      'projects.production.policy.remindAt: expected a time of day in UTC such as "08:00", or "never", got "8:00"',
    ],
    [
      'low traffic that is paused before it is warned of',
      project({ lowTraffic: { warnAfterHours: 200 } }),
      'projects.production.policy.lowTraffic.pauseAfterHours: expected at least warnAfterHours (200), got 120',
    ],
    [
      'a provider outage of few',
      project({ providerOutage: { percent: 10 } }),
      'projects.production.policy.providerOutage.percent: expected a whole number from 30 to 100, got 10',
    ],
    [
      'a provider outage that is neither on nor off',
      project({ providerOutage: true }),
      'projects.production.policy.providerOutage: expected "off" or { "percent": 60, "minimum": 3, "holdHours": 48, "except": ["Webhooks"] }, got true',
    ],
    ['no projects', { projects: {} }, 'projects: expected at least one project (or "fleet"), got none'],
    [
      'an empty project',
      { projects: { a: {} } },
      'projects.a: expected exactly one of secretName and secretArn, got neither',
    ],
    [
      'an empty name',
      { projects: { '': { secretName: 'a' } } },
      'projects."": expected a project name of letters, digits, "-" and "_" (64 at most), got ""',
    ],
    [
      'two projects of one secret',
      { projects: { a: { secretName: 'x' }, b: { secretName: 'x' } } },
      'projects.b.secretName: expected a secret or a secretField of its own (projects.a has this one, and each project has one Secret Key), got "x"',
    ],
    [
      'plain HTTP to a remote host',
      project({}, { apiUrl: 'http://api.qonversion.io/v4' }),
      'projects.production.apiUrl: expected an https:// address of host, port and path and nothing else (http:// only for loopback hosts), got "http://api.qonversion.io/v4"',
    ],
    [
      'plain HTTP to a host that only looks like loopback',
      project({}, { apiUrl: 'http://127.0.0.1.evil.example/v4' }),
      'projects.production.apiUrl: expected an https:// address of host, port and path and nothing else (http:// only for loopback hosts), got "http://127.0.0.1.evil.example/v4"',
    ],
    [
      'a bad schedule',
      { ...project({}), schedule: 'every 5 minutes' },
      'schedule: expected rate(1 minute), rate(N minutes), rate(1 hour), rate(N hours) or rate(1 day), up to 1 day, got "every 5 minutes"',
    ],
    [
      'a subscription without an endpoint',
      alerts({ minSeverity: 'info' }),
      'alerts.subscriptions.0: expected exactly one of email, sms, sqs, lambda, https, slack, teams, pagerduty, webhook, got none',
    ],
    [
      'plain HTTP for alerts',
      alerts({ https: 'http://example.com' }),
      'alerts.subscriptions.0.https: expected an https:// address, got "http://example.com"',
    ],
    [
      'a Slack channel without its workspace',
      alerts({ slack: { channelId: 'C0ABCDEF1' } }),
      'alerts.subscriptions.0.slack.workspaceId: expected the id of a Slack workspace such as "T0ABCDEF1", got nothing',
    ],
    [
      'a Teams channel by its name',
      alerts({
        teams: {
          tenantId: '0f1e2d3c-0000-4000-8000-000000000001',
          teamId: '0f1e2d3c-0000-4000-8000-000000000002',
          channelId: 'ops',
        },
      }),
      'alerts.subscriptions.0.teams.channelId: expected the id of a Teams channel as in its link ("19%3a…%40thread.tacv2"), got "ops"',
    ],
    [
      'a project nobody has',
      alerts({ email: 'a@example.com', projects: ['other'] }),
      'alerts.subscriptions.0.projects.0: expected one of the projects (production), got "other"',
    ],
    ['something else altogether', 'hello', '(top level): expected an object, got "hello"'],
  ])('refuse %s in one clear line', (_name, document, fault) => {
    expect(faultsOf(document)).toEqual([fault]);
  });

  it('report every fault at once', () => {
    expect(
      faultsOf({ schedule: 'no', projects: { a: { secretName: 'x', policy: { errorThreshold: -1, mode: 'on' } } } }),
    ).toHaveLength(3);
  });

  it('never show a key in place of a name', () => {
    const [fault] = faultsOf(project({}, { secretName: undefined, secretArn: 'sk_fake_0123456789' }));
    expect(fault).toContain('projects.production.secretArn: expected no secret, but this looks like');
    expect(fault).not.toContain('0123456789');
  });

  it.each([
    'qonversion/production',
    'task_management/qonversion',
    'risk_live_data',
    'prod/qonversion-secret-key-2026',
    'Team.Mobile@eu=1+x',
  ])('take "%s" for the name of a secret, and not for a secret', (secretName) => {
    expect(faultsOf(project({}, { secretName }))).toEqual([]);
  });

  it.each([
    'https://example.com/hooks/guard',
    'https://a1b2c3d4e5f6.execute-api.eu-west-1.amazonaws.com/prod/alerts?team=mobile',
    'https://alerts.example.com:8443/v2/integration-guard/production',
  ])('take "%s" as an endpoint for alerts', (https) => {
    expect(faultsOf(alerts({ https }))).toEqual([]);
  });

  it('suggest another subscription for a webhook address', () => {
    const https = 'https://hooks.example.com/in/9f8e7d6c5b4a39281706';
    expect(faultsOf(alerts({ https }))).toEqual([
      'alerts.subscriptions.0.https: expected no secret, but this looks like a webhook address whose path or query is a secret; remove it and use "slack", "teams" or the topic AlertsTopicArn',
    ]);
  });

  it.each(['https://api.example.com/v4/', 'http://localhost:8080/v4', 'http://127.0.0.1:1/v4', 'http://[::1]:1/v4'])(
    'allow %s as apiUrl',
    (apiUrl) => {
      expect(parseSettings(project({}, { apiUrl })).projects.production?.apiUrl).toBe(apiUrl.replace(/\/$/, ''));
    },
  );

  it.each([
    ['rate(1 minute)', 1],
    ['rate(5 minutes)', 5],
    ['rate(1 hour)', 60],
    ['rate(1 day)', 1_440],
    ['rate(1 minutes)', null],
    ['rate(5 minute)', null],
    ['rate(0 minutes)', null],
    ['cron(0 * * * ? *)', null],
  ])('read %s as %s minutes, as AWS does', (expression, minutes) => {
    expect(scheduleMinutes(expression)).toBe(minutes);
  });
});
