import { describe, expect, it } from 'vitest';
import { formatFindings } from '../../functions/cli/format.ts';
import { checkClock } from '../../functions/doctor/check-clock.ts';
import type { Finding } from '../../functions/doctor/finding.ts';
import type { StackFacts, StackSubscription } from '../../functions/doctor/inspect-stack.ts';
import { runChecks } from '../../functions/doctor/run-checks.ts';
import { SecretUnusableError } from '../../functions/guard/errors.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { VERSION } from '../../functions/guard/version.ts';
import { parseSecretKey } from '../../functions/qonversion/secret-key.ts';
import { aRecord, minutesAfter, minutesBefore, NOON } from '../support/builders.ts';
import { addBusy, createHarness } from '../support/harness.ts';
import { unreachable } from '../support/memory-ports.ts';
import { runKey } from '../support/run-key.ts';

/** Problems that the doctor once missed, or reported by mistake. */

const subscription = (fields: Partial<StackSubscription>): StackSubscription => ({
  topic: 'alerts',
  protocol: 'email',
  endpoint: 'ops@example.com',
  confirmed: true,
  ...fields,
});

const OLD = minutesBefore(NOON, 3 * 24 * 60);

const STACK: StackFacts = {
  version: VERSION,
  deployedAt: OLD,
  status: 'UPDATE_COMPLETE',
  clockAheadMs: 0,
  schedules: async () => [{ enabled: true, expression: 'rate(5 minutes)', group: 'of-production', createdAt: OLD }],
  lastPass: async () => minutesBefore(NOON, 4),
  subscriptions: async () => [subscription({}), subscription({ topic: 'alarms' })],
  failedNotifications: async () => [],
  deadLetters: async () => 0,
  incidents: async () => null,
  alarms: async () => [],
  fleet: null,
};

interface Given {
  readonly policy?: Record<string, unknown>;
  readonly schedule?: string;
  /** Null: the guard runs on this machine. */
  readonly stack?: Partial<StackFacts> | null;
  readonly clockAheadMs?: number | null;
  readonly isKeyEmpty?: boolean;
  readonly isUnreachable?: boolean;
}

async function visit(given: Given = {}): Promise<readonly Finding[]> {
  const {
    policy = {},
    schedule = 'rate(5 minutes)',
    stack = null,
    clockAheadMs = 0,
    isKeyEmpty = false,
    isUnreachable = false,
  } = given;
  const harness = createHarness();
  addBusy(harness, 'amp-ios', { provider: 'amplitude' });
  const settings = parseSettings({ schedule, projects: { production: { secretName: 'x', policy } } });
  const { production } = settings.projects;
  if (production === undefined) throw new Error('no project');
  const key = async () => {
    if (isKeyEmpty) throw new SecretUnusableError('the secret "x" is empty; fill it with: aws …');
    return parseSecretKey(runKey(), 'the secret', 'fill it');
  };
  const list = async () => {
    if (isUnreachable) throw unreachable();
    return { ...(await harness.api.list()), clockAheadMs };
  };
  return runChecks({
    settings,
    source: 'settings.json',
    projects: [
      {
        name: 'production',
        policy: production.policy,
        apiUrl: production.apiUrl,
        key: { get: key, renew: key },
        api: { ...harness.api, traffic: harness.api.traffic, list },
        ofFleet: false,
      },
    ],
    ledger: { place: 'ledger', checkWrite: async () => undefined },
    ledgerOf: () => harness.ledger,
    clock: harness.ports.clock,
    stack: stack === null ? null : { ...STACK, ...stack },
  });
}

const bad = (findings: readonly Finding[]) => findings.filter(({ level }) => level !== 'ok');

describe('a clock', () => {
  const DAY = 24 * 60 * 60_000;

  it.each([
    [DAY, 'problem', "The clock of this machine is 24 h behind Qonversion's."],
    [-DAY, 'problem', "The clock of this machine is 24 h ahead of Qonversion's."],
    [-31 * 60_000, 'problem', "The clock of this machine is 31 min ahead of Qonversion's."],
    [5 * 60_000, 'warning', "The clock of this machine is 5 min behind Qonversion's."],
    [null, 'unknown', 'The clock of this machine was not compared'],
  ])("that is %s ms apart from Qonversion's is reported: %s", async (clockAheadMs, level, message) => {
    expect(bad(await visit({ clockAheadMs }))).toMatchObject([
      { check: 'clock', level, message: expect.stringContaining(message) },
    ]);
  });

  it('that is behind moments of the records is a problem, although the answer does not say the time', () => {
    const record = aRecord({ last_delivery_at: minutesAfter(NOON, 24 * 60) });
    expect(checkClock('clock', null, [record], NOON)).toMatchObject({
      level: 'problem',
      message: "The clock of this machine is at least 24 h behind: Qonversion's records have later times.",
    });
  });

  it("that is apart from AWS's is a problem, although Qonversion does not answer", async () => {
    expect(bad(await visit({ stack: { clockAheadMs: -DAY }, isUnreachable: true }))).toMatchObject([
      { check: 'Qonversion API', action: 'Check the network, and "apiUrl" in the settings.' },
      { check: 'clock', level: 'problem', message: expect.stringContaining("24 h ahead of AWS's") },
    ]);
  });
});

describe('a deployment', () => {
  const fresh = { deployedAt: minutesBefore(NOON, 1), lastPass: async () => null };

  it('of a minute ago has no pass yet, and that is no problem', async () => {
    const stack = { ...fresh, alarms: async () => ['NoPass-production'] };
    expect(bad(await visit({ stack }))).toEqual([
      {
        check: 'last pass',
        level: 'unknown',
        message: 'The stack was deployed 1 min ago. The first pass since then is due at 12:04 UTC.',
        action: 'Run the doctor again after 12:09 UTC.',
      },
      expect.objectContaining({ check: 'alarms', level: 'warning' }),
    ]);
  });

  it('of long ago with a schedule of a minute ago neither: the project was added', async () => {
    const schedules = async () => [
      { enabled: true, expression: 'rate(5 minutes)', group: 'of-production', createdAt: minutesBefore(NOON, 1) },
    ];
    expect(bad(await visit({ stack: { lastPass: async () => null, schedules } }))).toMatchObject([
      { level: 'unknown' },
    ]);
  });

  it('of half an hour ago without a pass is a problem', async () => {
    const stack = { ...fresh, deployedAt: minutesBefore(NOON, 30) };
    expect(bad(await visit({ stack }))).toMatchObject([
      { check: 'last pass', level: 'problem', message: 'The schedule has started none for 24 h.' },
    ]);
  });

  it.each([
    ['rate(5 minutes)', 24 * 60, '24 h'],
    ['rate(1 day)', (3 * 24 + 1) * 60 + 5, '3 days'],
  ])('with %s is healthy if a pass started within three intervals, and one that old is found', async (...given) => {
    const [schedule, lookedBack, described] = given;
    const schedules = async () => [{ enabled: true, expression: schedule, group: 'of-production', createdAt: null }];
    const old = { deployedAt: minutesBefore(NOON, 30 * 24 * 60), schedules };
    const spans: number[] = [];
    const started = (minutesAgo: number) => async (_: string, within: number) => {
      spans.push(within);
      return minutesAgo <= within ? minutesBefore(NOON, minutesAgo) : null;
    };
    const interval = schedule === 'rate(1 day)' ? 24 * 60 : 5;
    expect(bad(await visit({ schedule, stack: { ...old, lastPass: started(3 * interval) } }))).toEqual([]);
    expect(bad(await visit({ schedule, stack: { ...old, lastPass: started(lookedBack + 1) } }))).toMatchObject([
      { check: 'last pass', level: 'problem', message: `The schedule has started none for ${described}.` },
    ]);
    expect(spans).toEqual([lookedBack, lookedBack]);
  });

  it('with an empty secret has one problem, which comes first', async () => {
    const stack = { ...fresh, deployedAt: minutesBefore(NOON, 60) };
    expect(bad(await visit({ stack, isKeyEmpty: true }))).toMatchObject([
      { check: 'secret key', level: 'problem', message: expect.stringContaining('is empty') },
    ]);
  });

  it('that failed is a problem', async () => {
    expect(bad(await visit({ stack: { status: 'UPDATE_ROLLBACK_COMPLETE' } }))).toMatchObject([
      { check: 'deployment', level: 'problem' },
    ]);
  });
});

describe('alerts', () => {
  it('that SNS fails to deliver are a warning', async () => {
    const failedNotifications = async () => [{ topic: 'guard-alerts', count: 12 }];
    expect(bad(await visit({ stack: { failedNotifications } }))).toMatchObject([
      {
        check: 'deliveries',
        level: 'warning',
        message: 'SNS failed to deliver within the last day: 12 of topic guard-alerts.',
      },
    ]);
  });

  it('reach people by a chat channel alone, and not by one that the chat service does not serve', async () => {
    const alarms = subscription({ topic: 'alarms', protocol: 'https' });
    const chat = (confirmed: boolean) => subscription({ protocol: 'chat', endpoint: 'slack-topic', confirmed });
    expect(bad(await visit({ stack: { subscriptions: async () => [chat(true), alarms] } }))).toEqual([]);
    expect(bad(await visit({ stack: { subscriptions: async () => [chat(false), alarms] } }))).toMatchObject([
      {
        level: 'problem',
        message: 'The chat channel of topic slack-topic receives no alerts: the chat service is not subscribed.',
      },
      { level: 'warning', message: 'No one receives alerts.' },
    ]);
  });
});

describe('settings that can have no effect', () => {
  it('are warnings: an override that matches nothing, and a policy that cannot pause', async () => {
    const overrides = [{ match: { integration: 'amplitude' }, errorThreshold: 500 }];
    const policy = { overrides, blastRadius: { percent: 0, floor: 0 } };
    expect(bad(await visit({ policy }))).toMatchObject([
      { check: 'policy', level: 'warning', message: expect.stringMatching(/^policy\.blastRadius lets no pass pause/) },
      {
        check: 'policy',
        level: 'warning',
        message: 'policy.overrides.0 matches no integration (the list has 1): none is of the provider "amplitude".',
        action: 'Did you mean "Amplitude"? `integration-guard list` shows all.',
      },
    ]);
  });

  it.each([
    ['every integration by a pattern', { title: '*' }, 'policy.overrides.0'],
    ['the only provider of the list', { integration: 'Amplitude' }, 'policy'],
  ])('that ignore %s are one warning: the guard does nothing', async (_, match, path) => {
    const policy = { overrides: [{ match, mode: 'ignore' }] };
    expect(bad(await visit({ policy }))).toMatchObject([
      {
        check: 'policy',
        level: 'warning',
        message: `The guard does nothing for this project: ${path} has the guard ignore every integration: it neither pauses nor reports any.`,
      },
    ]);
  });

  it('are found without a key as far as the settings show them', async () => {
    const findings = bad(await visit({ policy: { blastRadius: { percent: 0, floor: 0 } }, isKeyEmpty: true }));
    expect(findings.map(({ check }) => check)).toEqual(['secret key', 'policy']);
  });
});

describe('the findings', () => {
  it('can be read at 40 columns, each name on one line', async () => {
    const text = formatFindings(await visit({ stack: { deadLetters: async () => 2 } }), 40);
    const lines = text.split('\n');
    for (const name of ['warning dead letters', 'ok Qonversion API', 'ok subscriptions']) expect(lines).toContain(name);
    expect(lines.filter((line) => line.length > 40)).toEqual([]);
  });
});
