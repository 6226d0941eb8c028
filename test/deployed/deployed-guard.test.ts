import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Change,
  type DeployedGuard,
  type DeployedSecret,
  isDeployedGuard,
} from '../../functions/deployed/deployed-guard.ts';
import { findChanges } from '../../functions/deployed/find-changes.ts';
import { SettingsError } from '../../functions/guard/errors.ts';
import { parseSettings, type Settings } from '../../functions/guard/settings/schema.ts';

const LEDGER = 'Stack-GuardLedger1A2B3C4D-XYZ';
const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:q/a-AbCdEf';

const settings = (projects: object, rest: object = {}) => parseSettings({ projects, ...rest });

const OWN_LEDGER = { Ref: 'GuardLedger1A2B3C4D' };

const NOTHING: DeployedGuard = {
  stack: 'Stack',
  account: '123456789012',
  region: 'eu-west-1',
  guard: null,
  secrets: {},
  resources: [],
  subscriptions: [],
  chats: [],
  leftLedgers: [],
};

/** The settings as a stack has them that was deployed with them. */
function deployedWith(document: Settings, rest: Partial<DeployedGuard> = {}): DeployedGuard {
  const names = Object.values(document.projects).flatMap(({ secretName }) => secretName ?? []);
  return {
    ...NOTHING,
    guard: {
      projects: document.projects,
      secretNamePrefix: document.fleet?.secretNamePrefix ?? null,
      ledger: document.ledgerTableName ?? LEDGER,
      ledgerReference: JSON.stringify(document.ledgerTableName ?? OWN_LEDGER),
    },
    secrets: Object.fromEntries(names.map((name) => [name, aSecret({ logicalId: `Secret${name.length}` })])),
    ...rest,
  };
}

function aSecret(rest: Partial<DeployedSecret> = {}): DeployedSecret {
  const outside = { logicalId: null, isRetained: true, otherStack: null, arn: null };
  return { ...outside, isDeleted: false, keyArn: null, keyAlias: null, ...rest };
}

const A = settings({ a: { secretName: 'q/a' } });

describe('the ledger', () => {
  it('is no matter when nothing is deployed and nothing was left', () => {
    expect(findChanges(NOTHING, A)).toEqual([]);
  });

  it('that an earlier deployment left is recommended, unless one is named', () => {
    const left = { ...NOTHING, leftLedgers: ['L1', 'L2'] };
    expect(findChanges(left, A)).toEqual([
      {
        level: 'warning',
        says: `an earlier deployment of Stack left its ledger. Set "ledgerTableName" to "L1" or "L2" to go on with it. Otherwise the guard takes what it paused for an operator's pause and never resumes it`,
      },
    ]);
    expect(findChanges(left, settings({ a: { secretName: 'q/a' } }, { ledgerTableName: 'L1-x' }))).toEqual([]);
  });

  const given = settings({ a: { secretName: 'q/a' } }, { ledgerTableName: 'given-ledger' });
  const other = settings({ a: { secretName: 'q/a' } }, { ledgerTableName: 'other-ledger' });
  it.each<readonly [string, DeployedGuard, Settings, string | null]>([
    ['the stack’s own, as before', deployedWith(A), A, null],
    ['the given one, as before', deployedWith(given), given, null],
    [
      'the stack’s own, by its name',
      deployedWith(A),
      settings({ a: { secretName: 'q/a' } }, { ledgerTableName: LEDGER }),
      null,
    ],
    ['another instead of the stack’s own', deployedWith(A), given, LEDGER],
    ['another instead of the given one', deployedWith(given), other, 'given-ledger'],
    ['a new one instead of the given one', deployedWith(given), A, 'given-ledger'],
  ])('is %s', (_what, deployed, next, lost) => {
    const says = `stack Stack uses the ledger table ${lost}, and this deployment another one. Set "ledgerTableName" to ${lost} (or give the table as "ledgerTable"), or every open circuit and the history are left behind`;
    expect(findChanges(deployed, next)).toEqual(lost === null ? [] : [{ level: 'error', says }]);
  });
});

describe('a project', () => {
  const changesFrom = (before: object, next: object, rest: object = {}) =>
    findChanges(deployedWith(settings(before)), settings(next, rest));

  it('that is renamed with renamedFrom goes on', () => {
    expect(changesFrom({ a: { secretName: 'q/a' } }, { b: { secretName: 'q/a', renamedFrom: 'a' } })).toEqual([]);
  });

  it('that is renamed twice goes on under its first name', () => {
    const once = { b: { secretName: 'q/a', renamedFrom: 'a' } };
    expect(changesFrom(once, { c: { secretName: 'q/a', renamedFrom: 'a' } })).toEqual([]);
    expect(changesFrom(once, { c: { secretName: 'q/a', renamedFrom: 'b' } })).toMatchObject([
      { level: 'error', says: expect.stringContaining('Set "renamedFrom" of projects.c to "a"') },
    ]);
  });

  it('that has its first name again goes on', () => {
    expect(changesFrom({ b: { secretName: 'q/a', renamedFrom: 'a' } }, { a: { secretName: 'q/a' } })).toEqual([]);
  });

  it.each([
    ['its secret’s name', { secretName: 'q/a' }],
    ['its secret’s ARN', { secretArn: ARN }],
  ])('that looks renamed, by %s, is an error', (_by, secret) => {
    expect(changesFrom({ a: secret }, { b: secret })).toEqual([
      {
        level: 'error',
        says: 'project a looks renamed to b: they have the same secret. Set "renamedFrom" of projects.b to "a", or its circuits and history are left behind. If it is to begin anew, deploy once without it',
      },
    ]);
  });

  it('that lost or got its renamedFrom is an error', () => {
    const plain = { a: { secretName: 'q/a' } };
    const renamed = { a: { secretName: 'q/a', renamedFrom: 'old' } };
    const says = (name: string, remedy: string) =>
      `projects.a: its ledger goes on under the name "${name}". ${remedy}, or its circuits and history are left behind`;
    expect(changesFrom(renamed, plain)).toEqual([{ level: 'error', says: says('old', 'Set "renamedFrom" to "old"') }]);
    expect(changesFrom(plain, renamed)).toEqual([{ level: 'error', says: says('a', 'Take "renamedFrom" out') }]);
  });

  it('that is taken out is a warning that says what stays', () => {
    const rest = { b: { secretName: 'q/b' } };
    const [change, ...others] = changesFrom({ a: { secretName: 'q/a' }, ...rest }, rest);
    expect(others).toEqual([]);
    expect(change).toEqual({
      level: 'warning',
      says: 'project a is no longer guarded: what the guard paused in it stays paused (integration-guard list --project a --stack Stack shows it). Its secret "q/a" stays, and so does its history. If you renamed it, set "renamedFrom" of its new name to "a"',
    });
  });

  it('of a secret that only the deployment knew is named without it', () => {
    const before = parseSettings({ projects: { a: { secret: 'in-stack' } } });
    const [change] = findChanges(deployedWith(before), settings({ b: { secretName: 'q/b' } }));
    expect(change?.says).toContain('. Its secret stays, and so does');
  });

  it('that had a name that every object has a property of is not forgotten', () => {
    const projects = { constructor: { secretName: 'q/a' } };
    expect(changesFrom(projects, projects)).toEqual([]);
    expect(changesFrom(projects, { b: { secretName: 'q/b' } })).toHaveLength(1);
    expect(changesFrom({ b: { secretName: 'q/b' } }, projects)).toHaveLength(1);
  });
});

describe('a fleet', () => {
  it('that is taken out is a warning', () => {
    const before = settings({ a: { secretName: 'q/a' } }, { fleet: { secretNamePrefix: 'f/' } });
    const says = 'the fleet is no longer guarded: its secrets stay, and what the guard paused stays paused';
    expect(findChanges(deployedWith(before), A)).toEqual([{ level: 'warning', says }]);
    expect(findChanges(deployedWith(before), before)).toEqual([]);
    expect(findChanges(deployedWith(A), before)).toEqual([]);
  });
});

describe('a secret', () => {
  const changes = (secret: Partial<DeployedSecret>, next = A) =>
    findChanges({ ...NOTHING, secrets: { 'q/a': aSecret(secret) } }, next);
  const others = settings({ b: { secretName: 'q/b' } });

  it('that exists outside of the stack is used as it is', () => {
    expect(changes({ arn: ARN })).toEqual([
      { level: 'info', says: `the secret "q/a" exists (${ARN}) and is used as it is` },
    ]);
    expect(changes({ arn: ARN }, others)).toEqual([]);
  });

  it('that was deleted and keeps its name is an error, with the command that restores it', () => {
    expect(changes({ arn: ARN, isDeleted: true })).toEqual([
      {
        level: 'error',
        says: 'the secret "q/a" was deleted and its name is still taken. Restore it: aws secretsmanager restore-secret --secret-id q/a',
      },
    ]);
    expect(changes({ arn: ARN, isDeleted: true }, others)).toEqual([]);
  });

  it('that would be deleted with its key is an error; one that is retained, or stays, is not', () => {
    expect(changes({ logicalId: 'S', isRetained: false }, others)).toEqual([
      {
        level: 'error',
        says: 'this deployment would delete the secret "q/a" with its Secret Key. Deploy once with its project as it was in stack Stack: from then on the secret stays',
      },
    ]);
    expect(changes({ logicalId: 'S', isRetained: true }, others)).toEqual([]);
    expect(changes({ logicalId: 'S', isRetained: false })).toEqual([]);
  });
});

describe('any two deployments', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'constructor');
  const aProject = fc.record(
    { secretName: fc.constantFrom('q/1', 'q/2', 'q/3', 'q/4'), renamedFrom: names },
    { requiredKeys: ['secretName'] },
  );
  const anyDocument = fc.record(
    {
      projects: fc.dictionary(names, aProject, { minKeys: 1 }),
      fleet: fc.constant({ secretNamePrefix: 'f/' }),
      ledgerTableName: fc.constantFrom('ledger-1', 'ledger-2'),
    },
    { requiredKeys: ['projects'] },
  );
  /** Those that the schema takes: of two projects with one secret or one ledger name there are none. */
  const anySettings = anyDocument.map(tryParse).filter((parsed) => parsed !== null);
  const isAbout = (name: string) => (change: Change) =>
    change.says.startsWith(`project ${name} `) || change.says.startsWith(`projects.${name}: `);

  it('of the same settings lose nothing', () => {
    fc.assert(
      fc.property(anySettings, (same) => {
        const changes = findChanges(deployedWith(same), same);
        expect(changes.filter(({ level }) => level !== 'info')).toEqual([]);
      }),
    );
  });

  it('say once of each project whether its ledger is left behind, and of no other', () => {
    fc.assert(
      fc.property(anySettings, anySettings, (before, next) => {
        const changes = findChanges(deployedWith(before), next);
        const goOn = Object.entries(next.projects).map(([name, { renamedFrom }]) => renamedFrom ?? name);
        for (const [name, { renamedFrom }] of Object.entries(before.projects)) {
          const isLeft = !goOn.includes(renamedFrom ?? name);
          expect(changes.filter(isAbout(name))).toHaveLength(isLeft ? 1 : 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function tryParse(document: unknown): Settings | null {
  try {
    return parseSettings(document);
  } catch (error) {
    if (error instanceof SettingsError) return null;
    throw error;
  }
}

describe('the ledger of a construct', () => {
  const changesOf = (reference: unknown, deployed = deployedWith(A)) =>
    findChanges(deployed, A, { ledgerReference: JSON.stringify(reference) }).map(({ level }) => level);

  it('is the same by its reference or by its name, and by nothing else', () => {
    expect(changesOf(OWN_LEDGER)).toEqual([]);
    expect(changesOf(LEDGER)).toEqual([]);
    expect(changesOf({ Ref: 'WatchLedger935AFF94' })).toEqual(['error']);
    expect(changesOf({ 'Fn::ImportValue': 'theirs' })).toEqual(['error']);
    expect(changesOf('another')).toEqual(['error']);
  });

  it('that was left is recommended only when a new one would be made', () => {
    const left = { ...NOTHING, leftLedgers: ['L1'] };
    expect(changesOf(OWN_LEDGER, left)).toEqual(['warning']);
    expect(changesOf('L1', left)).toEqual([]);
  });
});

describe('projects that change their secrets', () => {
  const two = settings({ a: { secretName: 'q/a' }, b: { secretName: 'q/b' } });
  it('among each other are refused: each ledger would get the other’s integrations', () => {
    const swapped = settings({ a: { secretName: 'q/b' }, b: { secretName: 'q/a' } });
    const says = findChanges(deployedWith(two), swapped).filter(({ level }) => level === 'error');
    expect(says.map((change) => change.says.split(' ')[0])).toEqual(['projects.a', 'projects.b']);
  });

  it('to one of their own are not', () => {
    const next = settings({ a: { secretName: 'q/a' }, b: { secretName: 'q/c' } });
    expect(findChanges(deployedWith(two), next)).toEqual([]);
  });
});

describe('a secret outside of the stack', () => {
  const found = (rest: Partial<DeployedSecret>) =>
    findChanges({ ...NOTHING, secrets: { 'q/a': aSecret({ arn: ARN, ...rest }) } }, A);

  it('of another stack is used with a warning, since that stack may delete it', () => {
    expect(found({ otherStack: 'Old' })).toMatchObject([
      { level: 'warning', says: expect.stringContaining('stack Old') },
    ]);
  });

  it('under an alias of a key is refused: no policy can name a key by it', () => {
    expect(found({ keyAlias: 'alias/own' })).toMatchObject([
      { level: 'error', says: expect.stringContaining('alias/own') },
    ]);
  });
});

describe('a fleet', () => {
  it('whose secrets get another prefix leaves its ledgers behind, and that is said', () => {
    const fleet = (secretNamePrefix: string) => settings({}, { fleet: { secretNamePrefix } });
    expect(findChanges(deployedWith(fleet('a/')), fleet('a/b/'))).toMatchObject([{ level: 'warning' }]);
    expect(findChanges(deployedWith(fleet('a/')), fleet('a/'))).toEqual([]);
  });
});

describe('what is given as deployed', () => {
  it('is what readDeployedGuard returns, also after a trip through JSON', () => {
    for (const deployed of [NOTHING, deployedWith(A)])
      expect(isDeployedGuard(JSON.parse(JSON.stringify(deployed)))).toBe(true);
  });

  it('is nothing else', () => {
    for (const value of [
      null,
      undefined,
      'Stack',
      {},
      { ...NOTHING, guard: undefined },
      { ...NOTHING, secrets: { x: null } },
    ])
      expect(isDeployedGuard(value)).toBe(false);
  });
});
