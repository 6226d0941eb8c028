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

/** The settings in a stack that was deployed with them. */
function deployedWith(document: Settings, rest: Partial<DeployedGuard> = {}): DeployedGuard {
  const names = Object.values(document.projects).flatMap(({ secretName }) => secretName ?? []);
  return {
    ...NOTHING,
    guard: {
      projects: document.projects,
      secretNamePrefix: document.fleet?.secretNamePrefix ?? null,
      encryption: document.encryption,
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
  it('causes no change if nothing is deployed and nothing was left behind', () => {
    expect(findChanges(NOTHING, A)).toEqual([]);
  });

  it('of an earlier deployment is recommended, unless the settings name one', () => {
    const left = { ...NOTHING, leftLedgers: ['L1', 'L2'] };
    expect(findChanges(left, A)).toEqual([
      {
        level: 'warning',
        says: `an earlier deployment of Stack left its ledger. Set "ledgerTableName" to "L1" or "L2" to continue with it. Otherwise the guard treats its own pauses as an operator's and never resumes them`,
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
    const says = `stack Stack uses the ledger table ${lost}, but this deployment uses another one. Set "ledgerTableName" to ${lost} (or give the table as "ledgerTable"), or every open circuit and the history will be left behind`;
    expect(findChanges(deployed, next)).toEqual(lost === null ? [] : [{ level: 'error', says }]);
  });
});

describe('a project', () => {
  const changesFrom = (before: object, next: object, rest: object = {}) =>
    findChanges(deployedWith(settings(before)), settings(next, rest));

  it('that is renamed with renamedFrom keeps its ledger', () => {
    expect(changesFrom({ a: { secretName: 'q/a' } }, { b: { secretName: 'q/a', renamedFrom: 'a' } })).toEqual([]);
  });

  it('that is renamed twice keeps the ledger of its first name', () => {
    const once = { b: { secretName: 'q/a', renamedFrom: 'a' } };
    expect(changesFrom(once, { c: { secretName: 'q/a', renamedFrom: 'a' } })).toEqual([]);
    expect(changesFrom(once, { c: { secretName: 'q/a', renamedFrom: 'b' } })).toMatchObject([
      { level: 'error', says: expect.stringContaining('Set "renamedFrom" of projects.c to "a"') },
    ]);
  });

  it('that gets its first name back keeps its ledger', () => {
    expect(changesFrom({ b: { secretName: 'q/a', renamedFrom: 'a' } }, { a: { secretName: 'q/a' } })).toEqual([]);
  });

  it.each([
    ['its secret’s name', { secretName: 'q/a' }],
    ['its secret’s ARN', { secretArn: ARN }],
  ])('that seems renamed, by %s, is an error', (_by, secret) => {
    expect(changesFrom({ a: secret }, { b: secret })).toEqual([
      {
        level: 'error',
        says: 'project a seems to have been renamed to b: both have the same secret. Set "renamedFrom" of projects.b to "a", or its circuits and history will be left behind. For a fresh start, deploy once without the project',
      },
    ]);
  });

  it('that loses or gains renamedFrom is an error', () => {
    const plain = { a: { secretName: 'q/a' } };
    const renamed = { a: { secretName: 'q/a', renamedFrom: 'old' } };
    const says = (name: string, remedy: string) =>
      `projects.a: its ledger uses the name "${name}". ${remedy}, or its circuits and history will be left behind`;
    expect(changesFrom(renamed, plain)).toEqual([{ level: 'error', says: says('old', 'Set "renamedFrom" to "old"') }]);
    expect(changesFrom(plain, renamed)).toEqual([{ level: 'error', says: says('a', 'Remove "renamedFrom"') }]);
  });

  it('that is removed causes a warning about everything that stays', () => {
    const rest = { b: { secretName: 'q/b' } };
    const [change, ...others] = changesFrom({ a: { secretName: 'q/a' }, ...rest }, rest);
    expect(others).toEqual([]);
    expect(change).toEqual({
      level: 'warning',
      says: 'project a will no longer be guarded: integrations that the guard paused stay paused (integration-guard list --project a --stack Stack shows them). Its secret "q/a" stays, and so does its history. If you renamed the project, set "renamedFrom" of its new name to "a"',
    });
  });

  it('whose secret only the deployment knew is described without its name', () => {
    const before = parseSettings({ projects: { a: { secret: 'in-stack' } } });
    const [change] = findChanges(deployedWith(before), settings({ b: { secretName: 'q/b' } }));
    expect(change?.says).toContain('. Its secret stays, and so does');
  });

  it('with the name of an inherited property is not forgotten', () => {
    const projects = { constructor: { secretName: 'q/a' } };
    expect(changesFrom(projects, projects)).toEqual([]);
    expect(changesFrom(projects, { b: { secretName: 'q/b' } })).toHaveLength(1);
    expect(changesFrom({ b: { secretName: 'q/b' } }, projects)).toHaveLength(1);
  });
});

describe('the control panel', () => {
  const withPanel = (document: Settings) => {
    const { guard, ...rest } = deployedWith(document);
    return { ...rest, guard: guard && { ...guard, hasPanel: true } };
  };

  it('is removed with a warning that says how to keep it', () => {
    expect(findChanges(withPanel(A), A)).toEqual([
      {
        level: 'warning',
        says: 'this deployment removes the dashboard with the control panel. To keep it, set "dashboard": true',
      },
    ]);
  });

  it('causes no change if it stays, or was never there', () => {
    const kept = settings({ a: { secretName: 'q/a' } }, { dashboard: true });
    expect(findChanges(withPanel(kept), kept)).toEqual([]);
    expect(findChanges(deployedWith(A), A)).toEqual([]);
  });
});

describe('a fleet', () => {
  it('that is removed causes a warning', () => {
    const before = settings({ a: { secretName: 'q/a' } }, { fleet: { secretNamePrefix: 'f/' } });
    const says =
      'the fleet will no longer be guarded: its secrets stay, and integrations that the guard paused stay paused';
    expect(findChanges(deployedWith(before), A)).toEqual([{ level: 'warning', says }]);
    expect(findChanges(deployedWith(before), before)).toEqual([]);
    expect(findChanges(deployedWith(A), before)).toEqual([]);
  });
});

describe('a secret', () => {
  const changes = (secret: Partial<DeployedSecret>, next = A) =>
    findChanges({ ...NOTHING, secrets: { 'q/a': aSecret(secret) } }, next);
  const others = settings({ b: { secretName: 'q/b' } });

  it('that exists elsewhere is adopted', () => {
    expect(changes({ arn: ARN })).toEqual([
      { level: 'info', says: `the secret "q/a" exists (${ARN}) and will be adopted` },
    ]);
    expect(changes({ arn: ARN }, others)).toEqual([]);
  });

  it('that was deleted but blocks its name is an error, with the command that restores it', () => {
    expect(changes({ arn: ARN, isDeleted: true })).toEqual([
      {
        level: 'error',
        says: 'the secret "q/a" was deleted, but its name is still taken. Restore it: aws secretsmanager restore-secret --secret-id q/a',
      },
    ]);
    expect(changes({ arn: ARN, isDeleted: true }, others)).toEqual([]);
  });

  it('that would be deleted with its key is an error, unless it is retained', () => {
    expect(changes({ logicalId: 'S', isRetained: false }, others)).toEqual([
      {
        level: 'error',
        says: 'this deployment would delete the secret "q/a" and its Secret Key. First deploy its project once as it was in stack Stack: after that the secret stays',
      },
    ]);
    expect(changes({ logicalId: 'S', isRetained: true }, others)).toEqual([]);
    expect(changes({ logicalId: 'S', isRetained: false })).toEqual([]);
  });
});

describe('any deployment', () => {
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
  /** Documents that the schema accepts: no two projects have one secret or one ledger name. */
  const anySettings = anyDocument.map(tryParse).filter((parsed) => parsed !== null);
  const isAbout = (name: string) => (change: Change) =>
    change.says.startsWith(`project ${name} `) || change.says.startsWith(`projects.${name}: `);

  it('of the same settings loses nothing', () => {
    fc.assert(
      fc.property(anySettings, (same) => {
        const changes = findChanges(deployedWith(same), same);
        expect(changes.filter(({ level }) => level !== 'info')).toEqual([]);
      }),
    );
  });

  it('reports each project whose ledger is left behind exactly once, and no other', () => {
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

  it('is the same only by its reference or its name', () => {
    expect(changesOf(OWN_LEDGER)).toEqual([]);
    expect(changesOf(LEDGER)).toEqual([]);
    expect(changesOf({ Ref: 'WatchLedger935AFF94' })).toEqual(['error']);
    expect(changesOf({ 'Fn::ImportValue': 'theirs' })).toEqual(['error']);
    expect(changesOf('another')).toEqual(['error']);
  });

  it('of an earlier deployment is recommended only if a new one would be created', () => {
    const left = { ...NOTHING, leftLedgers: ['L1'] };
    expect(changesOf(OWN_LEDGER, left)).toEqual(['warning']);
    expect(changesOf('L1', left)).toEqual([]);
  });
});

describe('projects that change their secrets', () => {
  const two = settings({ a: { secretName: 'q/a' }, b: { secretName: 'q/b' } });
  it('with each other are refused: each ledger would get the other’s integrations', () => {
    const swapped = settings({ a: { secretName: 'q/b' }, b: { secretName: 'q/a' } });
    const says = findChanges(deployedWith(two), swapped).filter(({ level }) => level === 'error');
    expect(says.map((change) => change.says.split(' ')[0])).toEqual(['projects.a', 'projects.b']);
  });

  it('for new ones are accepted', () => {
    const next = settings({ a: { secretName: 'q/a' }, b: { secretName: 'q/c' } });
    expect(findChanges(deployedWith(two), next)).toEqual([]);
  });
});

describe('a secret that is not part of the stack', () => {
  const found = (rest: Partial<DeployedSecret>) =>
    findChanges({ ...NOTHING, secrets: { 'q/a': aSecret({ arn: ARN, ...rest }) } }, A);

  it('is adopted with a warning if another stack may delete it', () => {
    expect(found({ otherStack: 'Old' })).toMatchObject([
      { level: 'warning', says: expect.stringContaining('stack Old') },
    ]);
  });

  it('is refused if it names its key by alias, which no policy can use', () => {
    expect(found({ keyAlias: 'alias/own' })).toMatchObject([
      { level: 'error', says: expect.stringContaining('alias/own') },
    ]);
  });
});

describe('a fleet', () => {
  it('causes a warning if the prefix of its secrets changes, because its ledgers are left behind', () => {
    const fleet = (secretNamePrefix: string) => settings({}, { fleet: { secretNamePrefix } });
    expect(findChanges(deployedWith(fleet('a/')), fleet('a/b/'))).toMatchObject([{ level: 'warning' }]);
    expect(findChanges(deployedWith(fleet('a/')), fleet('a/'))).toEqual([]);
  });
});

describe('the encryption', () => {
  const OF_AWS = settings({ a: { secretName: 'q/a' } }, { encryption: 'aws-owned' });
  const KEY_ARN = 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000';
  const key = (isRetained: boolean) => [{ logicalId: 'GuardKey', type: 'AWS::KMS::Key', isRetained }];
  const SWITCH =
    'this deployment encrypts topics, new logs and secrets with keys of AWS. The functions may still decrypt secrets with the former key, until the deployment after this one. ';

  it.each([
    [
      'that stays',
      key(true),
      'The former key GuardKey stays, and costs $1 a month: logs and alerts from before need it. Delete it after three months',
    ],
    ['that is deleted', key(false), 'It deletes the former key GuardKey, so no one can read the logs from before'],
    ['of the account', [], 'Keep the former key for three months: logs and alerts from before need it'],
  ])('that changes to aws-owned causes a warning about a key %s', (_which, resources, rest) => {
    expect(findChanges(deployedWith(A, { resources }), OF_AWS)).toEqual([{ level: 'warning', says: SWITCH + rest }]);
  });

  it('that changes to aws-owned in a stack of an earlier version causes the same warning', () => {
    const { guard } = deployedWith(A);
    const before = { ...deployedWith(A), guard: guard === null ? null : { ...guard, encryption: undefined } };
    expect(findChanges(before, OF_AWS)).toMatchObject([{ level: 'warning', says: expect.stringContaining(SWITCH) }]);
    expect(findChanges(before, A)).toEqual([]);
  });

  it('that changes to customer-key costs a dollar', () => {
    expect(findChanges(deployedWith(OF_AWS), A)).toEqual([
      {
        level: 'info',
        says: 'this deployment encrypts topics, new logs and secrets with a KMS key; a new one costs $1 a month',
      },
    ]);
  });

  it('that stays causes no change, unless a secret has another key', () => {
    expect(findChanges(deployedWith(OF_AWS), OF_AWS)).toEqual([]);
    const secrets = { 'q/a': aSecret({ logicalId: 'S', keyArn: KEY_ARN }) };
    expect(findChanges(deployedWith(A, { secrets }), A)).toEqual([]);
    expect(findChanges(deployedWith(OF_AWS, { secrets }), OF_AWS)).toEqual([
      {
        level: 'warning',
        says: `the secret "q/a" is still encrypted with ${KEY_ARN}, so the functions may decrypt with this key. To use the key of AWS: aws secretsmanager update-secret --secret-id q/a --kms-key-id alias/aws/secretsmanager`,
      },
    ]);
  });
});

describe('a secret that projects share', () => {
  const shared = (names: readonly string[]) =>
    settings(Object.fromEntries(names.map((name) => [name, { secretName: 'q/keys', secretField: name }])));

  it('causes no change if a project is added, and does not look like a renamed project if one is replaced', () => {
    expect(findChanges(deployedWith(shared(['a'])), shared(['a', 'b']))).toEqual([]);
    const [change, ...others] = findChanges(deployedWith(shared(['a', 'b'])), shared(['a', 'c']));
    expect(others).toEqual([]);
    expect(change).toMatchObject({
      level: 'warning',
      says: expect.stringContaining('project b will no longer be guarded'),
    });
  });

  it('identifies a renamed project by its field', () => {
    const renamed = settings({ b: { secretName: 'q/keys', secretField: 'a' } });
    expect(findChanges(deployedWith(shared(['a'])), renamed)).toMatchObject([
      { level: 'error', says: expect.stringContaining('project a seems to have been renamed to b') },
    ]);
  });

  it('must hold JSON if the projects had it without fields before, and vice versa', () => {
    const plain = settings({ a: { secretName: 'q/keys' } });
    const after = ' Passes fail until it does (docs/deploy.md, "Changing projects")';
    expect(findChanges(deployedWith(plain), shared(['a']))).toEqual([
      {
        level: 'warning',
        says: `project a will read the field "a" of the secret "q/keys", which must hold a JSON object.${after}`,
      },
    ]);
    expect(findChanges(deployedWith(shared(['a'])), plain)).toEqual([
      {
        level: 'warning',
        says: `project a will read the whole of the secret "q/keys", which must hold the Secret Key of this project only.${after}`,
      },
    ]);
  });

  it('causes only the change of the secret if a project moves to another one', () => {
    const plain = settings({ a: { secretName: 'q/a' } });
    expect(findChanges(deployedWith(plain), shared(['a']))).toEqual([]);
  });
});

describe('the property deployed', () => {
  it('accepts the result of readDeployedGuard, even after a round trip through JSON', () => {
    for (const deployed of [NOTHING, deployedWith(A)])
      expect(isDeployedGuard(JSON.parse(JSON.stringify(deployed)))).toBe(true);
  });

  it('accepts nothing else', () => {
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
