import { describe, expect, it } from 'vitest';
import type { TaggedSecret } from '../../functions/aws/tagged-secrets.ts';
import type { Finding } from '../../functions/doctor/finding.ts';
import type { FleetFacts, FleetRun, StackFacts, StackSubscription } from '../../functions/doctor/inspect-stack.ts';
import { type DoctorInput, describeFailure, runChecks } from '../../functions/doctor/run-checks.ts';
import { GuardError, SecretUnusableError, SettingsError } from '../../functions/guard/errors.ts';
import { type ProjectSettings, parseSettings } from '../../functions/guard/settings/schema.ts';
import { VERSION } from '../../functions/guard/version.ts';
import { KeyRefusedError } from '../../functions/qonversion/errors.ts';
import { parseSecretKey } from '../../functions/qonversion/secret-key.ts';
import { minutesBefore, NOON } from '../support/builders.ts';
import { addBusy, createHarness } from '../support/harness.ts';
import { runKey } from '../support/run-key.ts';

/** The doctor's findings about a deployed stack and its settings. */

const CONFIRMED: StackSubscription = {
  topic: 'alerts',
  protocol: 'email',
  endpoint: 'ops@example.com',
  confirmed: true,
};

const HEALTHY: StackFacts = {
  version: VERSION,
  deployedAt: minutesBefore(NOON, 3 * 24 * 60),
  status: 'UPDATE_COMPLETE',
  clockAheadMs: 0,
  schedules: async () => [{ enabled: true, expression: 'rate(5 minutes)', group: 'of-production', createdAt: null }],
  lastPass: async () => minutesBefore(NOON, 4),
  subscriptions: async () => [CONFIRMED, { ...CONFIRMED, topic: 'alarms' }],
  failedNotifications: async () => [],
  deadLetters: async () => 0,
  incidents: async () => null,
  alarms: async () => [],
  fleet: null,
};

const SETTINGS = parseSettings({ projects: { production: { secretName: 'qonversion/production' } } });
const [production] = Object.values(SETTINGS.projects) as [ProjectSettings];

async function visit(
  facts: Partial<StackFacts> = {},
  change: (input: DoctorInput) => DoctorInput = (input) => input,
): Promise<readonly Finding[]> {
  const harness = createHarness();
  addBusy(harness, 'amp-ios');
  const key = async () => parseSecretKey(runKey(), 'the secret', 'fill it');
  return runChecks(
    change({
      settings: SETTINGS,
      source: 'stack IntegrationGuard',
      projects: [
        {
          name: 'production',
          policy: production.policy,
          apiUrl: production.apiUrl,
          key: { get: key, renew: key },
          api: harness.api,
          ofFleet: false,
        },
      ],
      ledger: { place: 'ledger', checkWrite: async () => undefined },
      ledgerOf: () => harness.ledger,
      clock: harness.ports.clock,
      stack: { ...HEALTHY, ...facts },
    }),
  );
}

const bad = (findings: readonly Finding[]) => findings.filter(({ level }) => level !== 'ok');

describe('the doctor', () => {
  it.each([
    ['0.1.9', 'The stack is of version 0.1.9', 'integration-guard@0.1.9'],
    [null, 'The stack is of a version before 0.2.0', 'Deploy the stack with this version'],
  ])('says when the stack is of another version: %s', async (version, message, action) => {
    const [finding] = bad(await visit({ version }));
    expect(finding).toMatchObject({ check: 'version', level: 'warning' });
    expect(finding?.message).toContain(message);
    expect(finding?.action).toContain(action);
  });

  it('finds nothing in a healthy stack', async () => {
    const findings = await visit();
    expect(bad(findings)).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual([
      'settings',
      'ledger table',
      'secret key',
      'Qonversion API',
      'clock',
      'ledger',
      'policy',
      'deployment',
      'version',
      'schedule',
      'last pass',
      'subscriptions',
      'deliveries',
      'dead letters',
      'alarms',
    ]);
  });

  it.each<[string, Partial<StackFacts>, Partial<Finding>]>([
    [
      'a schedule that is gone',
      { schedules: async () => [] },
      { check: 'schedule', action: 'Deploy the stack again.' },
    ],
    [
      'a schedule that is switched off',
      {
        schedules: async () => [
          { enabled: false, expression: 'rate(5 minutes)', group: 'of-production', createdAt: null },
        ],
      },
      { check: 'schedule', action: 'Enable it in EventBridge Scheduler.' },
    ],
    [
      'passes that have stopped',
      { lastPass: async () => minutesBefore(NOON, 40) },
      { check: 'last pass', level: 'problem', message: 'The schedule started the last one at 11:20 UTC, 40 min ago.' },
    ],
    [
      'no pass at all',
      { lastPass: async () => null },
      { check: 'last pass', message: 'The schedule has started none for 24 h.' },
    ],
    [
      'a subscription that is not confirmed',
      {
        subscriptions: async () => [
          CONFIRMED,
          { ...CONFIRMED, topic: 'alarms' },
          { ...CONFIRMED, endpoint: 'new@example.com', confirmed: false },
        ],
      },
      { level: 'problem', message: 'email new@example.com receives no alerts: it is not confirmed.' },
    ],
    [
      'alarms that no one receives',
      { subscriptions: async () => [CONFIRMED] },
      { level: 'warning', message: 'No one receives alarms.' },
    ],
    [
      'dead letters',
      { deadLetters: async () => 2 },
      { level: 'warning', message: '2 messages could not be delivered.' },
    ],
    [
      'incidents that a tool refused for good',
      { incidents: async () => ({ waiting: [{ tool: 'pagerduty', count: 0 }], deadLetters: 2 }) },
      { level: 'warning', message: '2 messages could not be delivered to an incident tool.' },
    ],
    [
      'incidents that a tool has not accepted yet',
      { incidents: async () => ({ waiting: [{ tool: 'pagerduty', count: 1 }], deadLetters: 0 }) },
      { level: 'warning', message: '1 message for pagerduty waits in its queue.' },
    ],
    [
      'an alarm',
      { alarms: async () => ['IntegrationGuard-NoPass'] },
      { level: 'problem', message: 'On: IntegrationGuard-NoPass.' },
    ],
    [
      'what it may not look at, and looks at the rest',
      {
        alarms: () =>
          Promise.reject(new GuardError('AccessDenied: not authorized to perform cloudwatch:DescribeAlarms')),
      },
      {
        check: 'alarms',
        level: 'unknown',
        action: 'Ask for the permission that the message names, or ask a person who has it to run the doctor.',
      },
    ],
  ])('finds %s', async (_, facts, finding) => {
    expect(bad(await visit(facts))).toEqual([expect.objectContaining(finding)]);
  });

  it('finds an empty secret, and does not ask Qonversion without a key', async () => {
    const none = () => Promise.reject(new SecretUnusableError('the secret "x" is empty; fill it with: aws …'));
    const findings = await visit({}, (input) => ({
      ...input,
      projects: input.projects.map((project) => ({ ...project, key: { get: none, renew: none } })),
    }));
    expect(bad(findings)).toMatchObject([
      { check: 'secret key', level: 'problem', message: expect.stringContaining('fill it with') },
    ]);
    expect(findings.map(({ check }) => check)).not.toContain('Qonversion API');
  });

  it('finds a key that Qonversion refuses', async () => {
    const refused = () => Promise.reject(new KeyRefusedError('Qonversion refused the Secret Key (401)'));
    const findings = await visit({}, (input) => ({
      ...input,
      projects: input.projects.map((project) => ({
        ...project,
        api: { ...project.api, traffic: project.api.traffic, list: refused },
      })),
    }));
    expect(bad(findings)).toMatchObject([{ check: 'Qonversion API', level: 'problem' }]);
  });

  it('finds settings that are wrong, one line per fault', () => {
    expect(describeFailure(new SettingsError(['a: expected b', 'c: expected d'], 'cdk.json'))).toMatchObject([
      { check: 'settings', level: 'problem', message: 'cdk.json: a: expected b\nc: expected d' },
    ]);
  });
});

describe('the doctor of a fleet', () => {
  const secret = (project: string): TaggedSecret => ({
    secretName: `q/${project}`,
    project,
    policy: production.policy,
    because: 'default',
  });
  const run = (minutesAgo: number | null, status = 'SUCCEEDED'): FleetRun => ({
    id: `run ${minutesAgo}`,
    status,
    endedAt: minutesAgo === null ? null : minutesBefore(NOON, minutesAgo),
  });
  const FLEET: FleetFacts = {
    schedules: async () => [{ enabled: true, expression: 'rate(5 minutes)', group: 'of-production', createdAt: null }],
    secrets: async () => [secret('acme'), secret('bolt')],
    runs: async () => [run(null, 'RUNNING'), run(4), run(9)],
    passesOf: async () => ({ total: 2, failed: 0 }),
  };
  const visitFleet = async (facts: Partial<FleetFacts> = {}) =>
    (await visit({ fleet: { ...FLEET, ...facts } })).filter(({ check }) => check.includes('fleet'));

  it('finds nothing in a healthy fleet', async () => {
    expect(await visitFleet()).toEqual([
      {
        check: 'fleet',
        level: 'ok',
        message: 'It has 2 projects. `integration-guard projects` shows them.',
        action: null,
      },
      { check: 'schedule of the fleet', level: 'ok', message: 'It is enabled: rate(5 minutes).', action: null },
      {
        check: 'runs over the fleet',
        level: 'ok',
        message: 'The last one was completed at 11:56 UTC, 4 min ago, with 2 passes.',
        action: null,
      },
    ]);
  });

  it('names some of many faulty secrets, and says where the others are', async () => {
    const lost = (project: string) => ({ ...secret(project), policy: null, because: 'its policy is not there' });
    const names = Array.from({ length: 40 }, (_, index) => `customer-${index}`);
    const findings = bad(await visitFleet({ secrets: async () => names.map(lost) }));
    expect(findings).toHaveLength(6);
    expect(findings.at(-1)).toMatchObject({
      message: '35 more such secrets.',
      action: '`npx integration-guard projects` shows all.',
    });
  });

  it('looks at the project it is asked about without a schedule of its own', async () => {
    const findings = await visit({ fleet: FLEET, schedules: async () => [] }, (input) => ({
      ...input,
      projects: input.projects.map((project) => ({ ...project, ofFleet: true })),
    }));
    expect(bad(findings)).toEqual([]);
    expect(findings.map(({ check }) => check)).not.toContain('last pass');
  });

  it.each<[string, Partial<FleetFacts>, Partial<Finding>]>([
    ['no project', { secrets: async () => [] }, { level: 'problem', action: 'Give a secret the tag.' }],
    [
      'a secret that has the tag in vain',
      {
        secrets: async () => [secret('acme'), { ...secret('x'), project: null, policy: null, because: 'of its name' }],
      },
      { level: 'warning', message: 'Secret "q/x" has the tag but is not a project of the fleet: of its name.' },
    ],
    [
      'a project whose policy is not there',
      { secrets: async () => [secret('acme'), { ...secret('x'), policy: null, because: 'its policy is not there' }] },
      { level: 'problem', message: 'Project "x" is not guarded: its policy is not there.' },
    ],
    ['a schedule that is gone', { schedules: async () => [] }, { action: 'Deploy the stack again.' }],
    ['that no run was started', { runs: async () => [] }, { level: 'problem', message: 'None has ended yet.' }],
    [
      'that all runs break off',
      { runs: async () => [run(2, 'FAILED'), run(7, 'TIMED_OUT')] },
      { level: 'problem', message: 'None was completed. The last one ended as FAILED.' },
    ],
    [
      'that the last one broke off',
      { runs: async () => [run(2, 'FAILED'), run(7)] },
      { level: 'problem', message: 'The one after it ended as FAILED.' },
    ],
    [
      'that runs have ceased',
      { runs: async () => [run(40)] },
      { level: 'problem', message: 'The last one was completed at 11:20 UTC, 40 min ago.' },
    ],
    [
      'passes that could not run',
      { passesOf: async () => ({ total: 50, failed: 3 }) },
      { level: 'warning', message: '3 of 50 passes could not run.' },
    ],
    [
      'what it may not look at',
      { runs: () => Promise.reject(new GuardError('AccessDenied: not authorized')) },
      { check: 'runs over the fleet', level: 'unknown' },
    ],
  ])('finds %s', async (_what, facts, expected) => {
    expect(bad(await visitFleet(facts))).toEqual([expect.objectContaining(expected)]);
  });
});
