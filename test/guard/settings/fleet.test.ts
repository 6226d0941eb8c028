import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  choosePolicy,
  POLICY_TAG,
  PROJECT_TAG,
  projectOf,
  secretNameOf,
} from '../../../functions/guard/settings/fleet.ts';
import { type FleetSettings, parseSettings } from '../../../functions/guard/settings/schema.ts';

function fleetOf(fleet: Record<string, unknown> = {}): FleetSettings {
  const { fleet: parsed } = parseSettings({ fleet: { secretNamePrefix: 'qonversion/', ...fleet } });
  if (parsed === undefined) throw new Error('there is a fleet');
  return parsed;
}

const tags = (more: Record<string, string> = {}) => new Map(Object.entries({ [PROJECT_TAG]: '', ...more }));

describe('the settings of a fleet', () => {
  it('need only a prefix', () => {
    expect(() => parseSettings({ fleet: {} })).toThrow('fleet.secretNamePrefix: expected the beginning of');
    const { projects, fleet } = parseSettings({ fleet: { secretNamePrefix: 'qonversion/' } });
    expect(projects).toEqual({});
    expect(fleet).toMatchObject({
      secretNamePrefix: 'qonversion/',
      apiUrl: 'https://api.qonversion.io/v4',
      concurrency: 20,
      policy: { mode: 'enforce', errorThreshold: 50 },
      policies: [],
    });
  });

  it('are allowed together with listed projects', () => {
    const both = parseSettings({
      projects: { production: { secretName: 'x' } },
      fleet: { secretNamePrefix: 'q/', concurrency: 5 },
    });
    expect(Object.keys(both.projects)).toEqual(['production']);
    expect(both.fleet?.concurrency).toBe(5);
  });

  it('let a subscription name projects that the settings do not list', () => {
    const subscriptions = [{ email: 'a@example.com', projects: ['acme'] }];
    expect(() => parseSettings({ fleet: { secretNamePrefix: 'q/' }, alerts: { subscriptions } })).not.toThrow();
    expect(() => parseSettings({ projects: { p: { secretName: 'x' } }, alerts: { subscriptions } })).toThrow('acme');
  });

  it('have policies that inherit the rest from the fleet’s own policy', () => {
    const fleet = {
      secretNamePrefix: 'q/',
      policy: { mode: 'observe', errorThreshold: 80, warnThreshold: 20 },
      policies: [
        { tag: 'gold', policy: { failingForMinutes: 5 } },
        { tag: 'loud', policy: { mode: 'enforce', warnThreshold: 0 } },
      ],
    };
    const policies = parseSettings({ fleet }).fleet?.policies.map((entry) => entry.policy);
    const own = { mode: 'observe', errorThreshold: 80, failingForMinutes: 60, warnThreshold: 20 };
    expect(policies).toMatchObject([
      { ...own, failingForMinutes: 5 },
      { ...own, mode: 'enforce', warnThreshold: 0 },
    ]);
  });

  it('match docs/fleet.md', () => {
    const [, example = ''] = /```jsonc\n("fleet": \{[\s\S]*?)```/.exec(readFileSync('docs/fleet.md', 'utf8')) ?? [];
    const fleet = parseSettings(JSON.parse(`{${example}}`)).fleet;
    expect(fleet?.policies.map(({ policy }) => policy.mode)).toEqual(['enforce', 'observe']);
  });

  it('mean the same when they are read again from the deployed stack', () => {
    const once = parseSettings({
      fleet: {
        secretNamePrefix: 'q/',
        policy: { mode: 'observe', warnThreshold: 3 },
        policies: [{ tag: 'a', policy: { errorThreshold: 9 } }],
      },
    });
    expect(parseSettings(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  it('report a fault of the fleet’s own policy once', () => {
    const fleet = { secretNamePrefix: 'q/', policy: { errorThreshold: 'x' }, policies: [{ tag: 'a', policy: {} }] };
    const faults = () => parseSettings({ fleet });
    expect(faults).toThrow('fleet.policy.errorThreshold');
    expect(faults).not.toThrow('fleet.policies');
  });

  it('refuse an inherited value that contradicts the policy', () => {
    const fleet = {
      secretNamePrefix: 'q/',
      policy: { warnThreshold: 30 },
      policies: [{ tag: 'a', policy: { errorThreshold: 10 } }],
    };
    expect(() => parseSettings({ fleet })).toThrow('fleet.policies.0.policy.warnThreshold');
  });

  it.each([
    [{ secretNamePrefix: 'a b' }, 'fleet.secretNamePrefix: expected the beginning of the secrets'],
    [{ secretNamePrefix: "a'b" }, 'fleet.secretNamePrefix: expected the beginning of the secrets'],
    [{ secretNamePrefix: '' }, 'fleet.secretNamePrefix: expected the beginning of the secrets'],
    [{ concurrency: 0 }, 'fleet.concurrency: expected a positive integer up to 1000, got 0'],
    [{ apiUrl: 'http://api.example' }, 'fleet.apiUrl: expected an https:// address'],
    [{ policies: [{ policy: {} }] }, 'fleet.policies.0: expected "tag", "match" or both'],
    [{ policies: [{ tag: 'a', policy: { mode: 'off' } }] }, 'fleet.policies.0.policy.mode: expected "enforce"'],
    [
      {
        policies: [
          { tag: 'a', policy: {} },
          { tag: 'a', policy: {} },
        ],
      },
      'fleet.policies.1.tag: expected a unique tag value, got "a"',
    ],
    [{ secretArn: 'x' }, 'fleet: unknown setting "secretArn"'],
  ])('refuse %j in one clear line', (fleet, fault) => {
    expect(() => parseSettings({ fleet: { secretNamePrefix: 'q/', ...fleet } })).toThrow(fault);
  });
});

describe('a project of the fleet', () => {
  it('has the name that follows the prefix in its secret’s name', () => {
    const fleet = fleetOf({ secretNamePrefix: 'qonversion/' });
    expect(secretNameOf(fleet, 'acme')).toBe('qonversion/acme');
    expect(projectOf(fleet, 'qonversion/acme')).toBe('acme');
    expect(projectOf(fleet, 'qonversion/')).toBeNull();
    expect(projectOf(fleet, 'payroll')).toBeNull();
  });

  it.each(['', 'a b', 'a*', "x' or 'y", 'arn:aws:secretsmanager:eu-west-1:1:secret:x', 'ü', 'x'.repeat(513)])(
    'is not named %j, which is not a valid secret name',
    (name) => {
      expect(secretNameOf(fleetOf(), name)).toBeNull();
    },
  );
});

describe('the policy of a project of the fleet', () => {
  const fleet = fleetOf({
    policy: { errorThreshold: 1 },
    policies: [
      { tag: 'careful', policy: { errorThreshold: 2 } },
      { match: 'trial-*', policy: { errorThreshold: 3 } },
      { tag: 'big', match: '*/big/*', policy: { errorThreshold: 4 } },
      { match: 'trial-x*', policy: { errorThreshold: 5 } },
    ],
  });
  const thresholdOf = (project: string, more: Record<string, string> = {}) =>
    choosePolicy(fleet, project, tags(more)).policy.errorThreshold;

  it('is the one that the secret’s tag names, else the first whose glob matches, else the fleet’s', () => {
    expect(thresholdOf('acme')).toBe(1);
    expect(thresholdOf('acme', { [POLICY_TAG]: 'careful' })).toBe(2);
    expect(thresholdOf('trial-7')).toBe(3);
    expect(thresholdOf('trial-xyz')).toBe(3);
    expect(thresholdOf('trial-7', { [POLICY_TAG]: 'careful' })).toBe(2);
    expect(thresholdOf('eu/big/acme')).toBe(4);
    expect(thresholdOf('acme', { [POLICY_TAG]: 'big' })).toBe(4);
  });

  it('is not guessed when the tag names an unknown one', () => {
    expect(() => thresholdOf('trial-7', { [POLICY_TAG]: 'carefull' })).toThrow(
      /names a policy that fleet\.policies does not have \(it has: careful, big\); fix the tag, or add the policy and deploy/,
    );
  });
});
