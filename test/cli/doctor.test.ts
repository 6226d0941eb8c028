import { describe, expect, it } from 'vitest';
import type { StackFacts, StackSubscription } from '../../functions/aws/inspect.ts';
import { examine, examineFailure, type Finding, type Surgery } from '../../functions/cli/doctor.ts';
import { GuardError, SecretUnusableError, SettingsError } from '../../functions/guard/errors.ts';
import { parseSettings } from '../../functions/guard/settings-schema.ts';
import { KeyRefusedError } from '../../functions/qonversion/errors.ts';
import { parseSecretKey } from '../../functions/qonversion/secret-key.ts';
import { minutesBefore, NOON } from '../support/builders.ts';
import { addBusy, createHarness } from '../support/harness.ts';
import { runKey } from '../support/run-key.ts';

/** What the doctor makes of a deployed stack, and of what it is told. */

const CONFIRMED: StackSubscription = {
  topic: 'alerts',
  protocol: 'email',
  endpoint: 'ops@example.com',
  confirmed: true,
};

const HEALTHY: StackFacts = {
  schedules: async () => [{ enabled: true, expression: 'rate(5 minutes)' }],
  lastPass: async () => minutesBefore(NOON, 4),
  subscriptions: async () => [CONFIRMED, { ...CONFIRMED, topic: 'alarms' }],
  deadLetters: async () => 0,
  alarms: async () => [],
};

async function visit(
  facts: Partial<StackFacts> = {},
  change: (surgery: Surgery) => Surgery = (surgery) => surgery,
): Promise<readonly Finding[]> {
  const harness = createHarness();
  addBusy(harness, 'amp-ios');
  const settings = parseSettings({ projects: { production: { secretName: 'qonversion/production' } } });
  const { production } = settings.projects;
  if (production === undefined) throw new Error('the project just parsed is there');
  const key = async () => parseSecretKey(runKey(), 'the secret', 'fill it');
  return examine(
    change({
      settings,
      source: 'stack IntegrationGuard',
      patients: [{ name: 'production', settings: production, key: { get: key, renew: key }, api: harness.api }],
      ledger: harness.ledger,
      clock: harness.ports.clock,
      place: { stack: 'IntegrationGuard', facts: { ...HEALTHY, ...facts } },
    }),
  );
}

const bad = (findings: readonly Finding[]) => findings.filter(({ level }) => level !== 'ok');

describe('the doctor', () => {
  it('finds nothing in a healthy stack', async () => {
    const findings = await visit();
    expect(bad(findings)).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual([
      'settings',
      'secret key',
      'Qonversion API',
      'ledger',
      'policy',
      'schedule',
      'last pass',
      'subscriptions',
      'dead letters',
      'alarms',
    ]);
  });

  it.each<[string, Partial<StackFacts>, Partial<Finding>]>([
    ['a schedule that is gone', { schedules: async () => [] }, { check: 'schedule', todo: 'deploy the stack again' }],
    [
      'a schedule that is switched off',
      { schedules: async () => [{ enabled: false, expression: 'rate(5 minutes)' }] },
      { check: 'schedule', todo: 'enable it in EventBridge Scheduler' },
    ],
    [
      'passes that have stopped',
      { lastPass: async () => minutesBefore(NOON, 40) },
      { check: 'last pass', level: 'problem', says: 'succeeded at 11:20 UTC, 40 min ago' },
    ],
    ['no pass at all', { lastPass: async () => null }, { check: 'last pass', says: 'no pass has succeeded for a day' }],
    [
      'a subscription that nobody has confirmed',
      {
        subscriptions: async () => [
          CONFIRMED,
          { ...CONFIRMED, topic: 'alarms' },
          { ...CONFIRMED, endpoint: 'new@example.com', confirmed: false },
        ],
      },
      { level: 'problem', says: 'email new@example.com gets no alerts: it is not confirmed' },
    ],
    [
      'alarms that nobody gets',
      { subscriptions: async () => [CONFIRMED] },
      { level: 'warning', says: 'nobody is told of alarms' },
    ],
    ['dead letters', { deadLetters: async () => 2 }, { level: 'warning', says: '2 messages could not be delivered' }],
    [
      'an alarm',
      { alarms: async () => ['IntegrationGuard-NoPass'] },
      { level: 'problem', says: 'on: IntegrationGuard-NoPass' },
    ],
    [
      'what it may not look at, and looks at the rest',
      {
        alarms: () =>
          Promise.reject(new GuardError('AccessDenied: not authorized to perform cloudwatch:DescribeAlarms')),
      },
      { check: 'alarms', level: 'unknown', todo: 'ask for the right it names, or let somebody look who has it' },
    ],
  ])('finds %s', async (_, facts, finding) => {
    expect(bad(await visit(facts))).toEqual([expect.objectContaining(finding)]);
  });

  it('finds an empty secret, and does not ask Qonversion without a key', async () => {
    const none = () => Promise.reject(new SecretUnusableError('the secret "x" is empty; fill it with: aws …'));
    const findings = await visit({}, (surgery) => ({
      ...surgery,
      patients: surgery.patients.map((patient) => ({ ...patient, key: { get: none, renew: none } })),
    }));
    expect(bad(findings)).toMatchObject([
      { check: 'secret key', level: 'problem', says: expect.stringContaining('fill it with') },
    ]);
    expect(findings.map(({ check }) => check)).not.toContain('Qonversion API');
  });

  it('finds a key that Qonversion refuses', async () => {
    const refused = () => Promise.reject(new KeyRefusedError('Qonversion refused the Secret Key (401)'));
    const findings = await visit({}, (surgery) => ({
      ...surgery,
      patients: surgery.patients.map((patient) => ({
        ...patient,
        api: { ...patient.api, traffic: patient.api.traffic, list: refused },
      })),
    }));
    expect(bad(findings)).toMatchObject([{ check: 'Qonversion API', level: 'problem' }]);
  });

  it('finds settings that are wrong, one line per fault', () => {
    expect(examineFailure(new SettingsError(['a: expected b', 'c: expected d'], 'cdk.json'))).toMatchObject([
      { check: 'settings', level: 'problem', says: 'cdk.json: a: expected b\nc: expected d' },
    ]);
  });
});
