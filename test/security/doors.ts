import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import fc from 'fast-check';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { createFileLedger } from '../../functions/local/ledger.ts';
import type { Size } from '../faults/finding.ts';
import { createStack, RICH_SETTINGS } from '../infra/synthesize.ts';
import type { Attack, Kind } from './kind.ts';

/**
 * Gaps in access control: files that other users of the machine can read, AWS services that act for any account, and
 * misleading addresses.
 */

async function attack(size: Size): Promise<Attack> {
  const parts = [attackAddresses(size), attackTemplates(size), await attackFiles()];
  return {
    tried: parts.reduce((sum, { tried }) => sum + tried, 0),
    violations: parts.flatMap(({ violations }) => violations),
  };
}

/** Addresses that mislead a reader, a parser or both about the key's destination. */
const ADDRESSES: readonly string[] = [
  'https://api.qonversion.io/v4?',
  'https://api.qonversion.io/v4#',
  'https://api.qonversion.io/v4?x=1',
  'https://api.qonversion.io/v4#x',
  'https://@api.qonversion.io/v4',
  'https://:@api.qonversion.io/v4',
  'https://user@api.qonversion.io/v4',
  'https://user:word@api.qonversion.io/v4',
  'https://api.qonversion.io@evil.example/v4',
  'https://api.qonversion.io\\@evil.example/v4',
  'https:\\\\api.qonversion.io\\v4',
  'https:/api.qonversion.io/v4',
  'https:api.qonversion.io/v4',
  'https:///api.qonversion.io/v4',
  ' https://api.qonversion.io/v4',
  'https://api.qonversion.io/v4 ',
  'https://api.qonversion.io/v4\n',
  'https://api.qonv\tersion.io/v4',
  'https://api.qonversion.io/v\u00004',
  'https://api.qonversion.io/\u200bv4',
  'https://\u0430pi.qonversion.io/v4',
  'https://api\u3002qonversion.io/v4',
  'https://api.qonversion\uff0eio/v4',
  'https://api%2eqonversion.io/v4',
  'https://%61pi.qonversion.io/v4',
  'https://api.qonversion.io./v4',
  'https://api.qonversion.io/v4/..',
  'https://api.qonversion.io/./v4',
  'https://api.qonversion.io/%2e%2e/v4',
  'https://api.qonversion.io/.%2E/v4',
  'https://api.qonversion.io/v4%2f',
  'https://api.qonversion.io/v4;x',
  'https://api.qonversion.io//v4',
  'https://api.qonversion.io:0/v4',
  'https://api.qonversion.io:/v4',
  'https://api.qonversion.io:99999/v4',
  'https://api.qonversion.io:-1/v4',
  'https://api.qonversion.io:80x/v4',
  'http://api.qonversion.io/v4',
  'http://127.1/v4',
  'http://2130706433/v4',
  'http://0x7f.0.0.1/v4',
  'http://0177.0.0.1/v4',
  'http://127.0.0.1.evil.example/v4',
  'http://localhost.evil.example/v4',
  'http://[::ffff:127.0.0.1]/v4',
  'http://[::1%25lo]/v4',
  'http://0.0.0.0/v4',
  'https://[fe80::1]/v4',
  'ftp://api.qonversion.io/v4',
  'javascript:alert(1)',
  'file:///etc/passwd',
  '//api.qonversion.io/v4',
  'api.qonversion.io/v4',
  'https://',
  '',
];

const SOUND: readonly string[] = [
  'https://api.qonversion.io/v4',
  'https://api.qonversion.io/v4/',
  'https://API.qonversion.io',
  'https://proxy-1.internal.example.com:8443/qonversion/v4_x~y',
  'http://localhost:8080/v4',
  'http://127.0.0.1:1',
  'http://[::1]:65535/v4',
];

/** Unusual parts of an address besides host, port and path, inserted into a valid one. */
const STRANGE = fc
  .tuple(
    fc.constantFrom(...SOUND),
    fc.constantFrom(
      '?',
      '#',
      '@',
      '\\',
      ' ',
      '\t',
      '\n',
      '\r',
      '\u0000',
      '\u0085',
      '\u00a0',
      '\u2028',
      '\u202e',
      '\ufeff',
      '%41',
      '%2e',
      '%',
      '/../',
      '/./',
      'é',
      '\u3002',
      '"',
      "'",
      '`',
      '<',
      '|',
      '{',
      '^',
      '$(x)',
    ),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map(([address, strange, place]) => {
    // Not inside the scheme, which would change it.
    const at = 8 + Math.round(place * (address.length - 8));
    return `${address.slice(0, at)}${strange}${address.slice(at)}`;
  });

const SEED = 15_001;

function attackAddresses(size: Size): Attack {
  const strange = fc.sample(STRANGE, { seed: SEED, numRuns: size === 'quick' ? 300 : 5_000 });
  const kinds = {
    'a project': (apiUrl: string) => ({ projects: { p: { secretName: 'x', apiUrl } } }),
    'a fleet': (apiUrl: string) => ({ fleet: { secretNamePrefix: 'q/', apiUrl } }),
  };
  let tried = 0;
  const violations: string[] = [];
  for (const [kind, document] of Object.entries(kinds)) {
    for (const [wanted, addresses] of [
      [false, [...ADDRESSES, ...strange]],
      [true, SOUND],
    ] as const) {
      for (const address of addresses) {
        tried += 1;
        if (isAccepted(document(address)) === wanted) continue;
        const what = `${JSON.stringify(address)} as the apiUrl of ${kind}`;
        violations.push(wanted ? `${what} is refused` : `${what} is accepted (seed ${SEED})`);
      }
    }
  }
  return { tried, violations };
}

function isAccepted(document: unknown): boolean {
  try {
    parseSettings(document);
    return true;
  } catch {
    return false;
  }
}

/** Every combination of properties that creates different resources. */
function variants(size: Size): readonly object[] {
  const { projects, alerts, schedule } = RICH_SETTINGS;
  const fleet = { secretNamePrefix: 'q/', secretKeyArn: projects.other.secretKeyArn };
  const all = { schedule, projects, alerts, fleet };
  if (size === 'quick') return [all];
  return [
    all,
    { fleet, alerts: { subscriptions: alerts.subscriptions.slice(0, 1) } },
    { projects, alerts: { subscriptions: alerts.subscriptions.slice(0, 2) } },
    { projects: { a: { secretName: 'x' } }, alerts: { subscriptions: alerts.subscriptions.slice(0, 1) } },
    ...alerts.subscriptions.flatMap((subscription) => [
      { projects, alerts: { subscriptions: [{ ...subscription, alarms: true }] } },
      { fleet, projects, alerts: { subscriptions: [{ ...subscription, alarms: false }] } },
    ]),
  ];
}

/** A permission that a template gives to an AWS service. */
interface ServiceStatement {
  readonly resource: string;
  readonly services: readonly string[];
  readonly conditions: unknown;
  readonly actions: unknown;
}

function attackTemplates(size: Size): Attack {
  let tried = 0;
  const violations: string[] = [];
  variants(size).forEach((document, index) => {
    const { Resources } = Template.fromStack(createStack(document).stack).toJSON() as {
      readonly Resources: Readonly<Record<string, Resource>>;
    };
    for (const statement of serviceStatements(Resources)) {
      tried += 1;
      if (isExempt(statement) || namesTheAccount(statement.conditions)) continue;
      violations.push(
        `variant ${index}: ${statement.resource} lets ${statement.services.join(', ')} act for any account: ${JSON.stringify(statement.conditions)}`,
      );
    }
  });
  return { tried, violations };
}

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

function serviceStatements(resources: Readonly<Record<string, Resource>>): readonly ServiceStatement[] {
  return Object.entries(resources).flatMap(([resource, { Type, Properties = {} }]) => {
    if (Type === 'AWS::Lambda::Permission') {
      const { Principal, SourceArn, SourceAccount, Action } = Properties;
      return [{ resource, services: [String(Principal)], conditions: { SourceArn, SourceAccount }, actions: Action }];
    }
    return statementsIn(Properties).flatMap(({ Effect, Principal, Condition, Action }) => {
      const services = isRecord(Principal) && 'Service' in Principal ? [Principal.Service].flat() : [];
      if (Effect !== 'Allow' || services.length === 0) return [];
      const names = services.map((service) => JSON.stringify(service));
      return [{ resource, services: names, conditions: Condition ?? null, actions: Action }];
    });
  });
}

function statementsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (Array.isArray(value)) return value.flatMap(statementsIn);
  if (!isRecord(value)) return [];
  return [...('Effect' in value ? [value] : []), ...Object.values(value).flatMap(statementsIn)];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Lambda assumes a function's role for that function only, and documents no condition for it. */
function isExempt({ services, actions }: ServiceStatement): boolean {
  return actions === 'sts:AssumeRole' && services.every((service) => service === '"lambda.amazonaws.com"');
}

/**
 * Whether the conditions that AWS documents against a confused deputy name this account or a resource of this stack.
 * CloudWatch Logs names its log group in the encryption context instead of the source.
 */
function namesTheAccount(conditions: unknown): boolean {
  const keys = [
    'aws:SourceAccount',
    'aws:SourceArn',
    'SourceArn',
    'SourceAccount',
    'kms:EncryptionContext:aws:logs:arn',
  ];
  const values = keys.flatMap((key) => valuesOf(conditions, key));
  return values.some((value) => /"AWS::AccountId"|"Ref":"(?!AWS::)|"Fn::GetAtt"/.test(JSON.stringify(value)));
}

function valuesOf(value: unknown, key: string): readonly unknown[] {
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === key && inner !== undefined ? [inner] : valuesOf(inner, key),
  );
}

/** The files that the guard writes on a shared machine, with a umask that leaves everything open. */
async function attackFiles(): Promise<Attack> {
  const folder = mkdtempSync(join(tmpdir(), 'guard-doors-'));
  const umask = process.umask(0);
  const clock = { now: () => new Date('2026-11-23T12:00:00Z') };
  let tried = 0;
  const violations: string[] = [];
  const check = (moment: string) => {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      tried += 1;
      const path = join(entry.parentPath, entry.name);
      const open = statSync(path).mode & 0o077;
      if (open !== 0) violations.push(`${path.slice(folder.length)} is open to others (${open.toString(8)}) ${moment}`);
    }
  };
  try {
    // A file of an earlier version.
    const old = join(folder, 'old.json');
    writeFileSync(old, '{"format":2,"items":[],"history":[]}', { mode: 0o644 });
    for (const path of [join(folder, 'deep', 'er', 'ledger.json'), join(folder, 'ledger.json'), old]) {
      const ledger = createFileLedger(path, clock);
      await ledger.appendHistory('p', []);
      await ledger.appendHistory('p', []);
    }
    check('after writing');
    // During a write, the lock and the temporary file exist.
    const ledger = createFileLedger(join(folder, 'busy', 'ledger.json'), clock);
    let isDone = false;
    const writing = ledger.appendHistory('p', []).then(() => {
      isDone = true;
    });
    while (!isDone) {
      try {
        check('while it writes');
      } catch (error) {
        // Removed between the list and the check.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
  } finally {
    process.umask(umask);
    rmSync(folder, { recursive: true });
  }
  return { tried, violations: [...new Set(violations)] };
}

export const doors: Kind = {
  name: 'doors',
  promise:
    'Only their owner can read the guard’s files, AWS services act only for this account, and the key is sent only to the address as shown.',
  attack,
};
