import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SettingsError } from '../../../functions/guard/errors.ts';
import { CONTEXT_KEY, readSettingsFile } from '../../../functions/local/settings-file.ts';
import { loadSettings } from '../../../infra/load-settings.ts';

/** Bad settings in the places that people use: a file for the command line, a file or cdk.json for CDK. */

interface BadSettings {
  readonly name: string;
  readonly text: string;
  readonly faults: readonly string[];
}

const BAD = readFileSync(new URL('bad-settings.txt', import.meta.url), 'utf8')
  .split(/^== /m)
  .slice(1)
  .map((part): BadSettings => {
    const [, name = '', text = '', faults = ''] = /^(.*)\n([\s\S]*?)\n((?:-> .*\n)+)\n?$/.exec(part) ?? [];
    return { name, text, faults: [...faults.matchAll(/^-> (.*)$/gm)].map(([, fault = '']) => fault) };
  });

const folder = mkdtempSync(join(tmpdir(), 'guard-bad-settings-'));

function fileOf(content: string | Uint8Array): string {
  const file = join(folder, 'settings.json');
  writeFileSync(file, content);
  return file;
}

function refusalOf(read: () => unknown): SettingsError {
  try {
    read();
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
  throw new Error('the settings were taken');
}

const faultsOf = (content: string | Uint8Array) => refusalOf(() => readSettingsFile(fileOf(content))).faults;

/** Words from parsers, schemas, JavaScript and operating systems. */
const JARGON =
  /Unexpected token|invalid_|unrecognized|Zod|undefined(?!$)|\[object|EISDIR|ENOENT|EACCES|ENXIO|\bat \w+[. ].*:\d+|SyntaxError|TypeError|RangeError|Maximum call|ValueExpected|InvalidSymbol|Invalid input|safeParse|node:/;

/** The rules for every sentence about a fault. */
function complaintAbout(fault: string): string | null {
  if (fault.length > 200) return 'is longer than two lines of a terminal';
  if (JARGON.test(fault)) return 'has jargon';
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(fault))
    return 'has characters that are not seen, or more lines than one';
  if (/sk_fake_0|AKIAFAKE|XXXXXXXX|user:password/.test(fault)) return 'shows a secret';
  if (
    !/^(?:\S.*?: )?(?:expected .+(?:, (?:got|but this looks like) .| name$)|unknown setting "|only allowed together with )/.test(
      fault,
    )
  )
    return 'does not say what is expected or unknown';
  return /[\s:,;(]$/.test(fault) ? 'does not end' : null;
}

describe('bad settings', () => {
  it('are more than two hundred, all different', () => {
    expect(new Set(BAD.map(({ name }) => name)).size).toBe(BAD.length);
    expect(new Set(BAD.map(({ text }) => text)).size).toBe(BAD.length);
    expect(BAD.length).toBeGreaterThanOrEqual(200);
  });

  it.each(BAD)('get one sentence per fault: $name', ({ text, faults }) => {
    const found = faultsOf(text);
    expect(found).toEqual(faults);
    expect(new Set(found).size).toBe(found.length);
    expect(found.map(complaintAbout).filter((complaint) => complaint !== null)).toEqual([]);
    // The same file for CDK.
    const file = fileOf(text);
    const app = new App({ context: { settings: file } });
    expect(refusalOf(() => loadSettings(app, {})).message).toBe(`${file}: ${faults.join('\n')}`);
  });

  const asContext = BAD.flatMap(({ name, text, faults }) => {
    try {
      const document: unknown = JSON.parse(text);
      const isOther = /"context"|"app"|one entry of this name|a finite number/.test(text + faults.join());
      return isOther ? [] : [{ name, document, faults }];
    } catch {
      return [];
    }
  });

  it.each(asContext)('get the same sentences in cdk.json: $name', ({ document, faults }) => {
    const app = new App({ context: { [CONTEXT_KEY]: document } });
    expect(refusalOf(() => loadSettings(app, {})).faults).toEqual(faults);
  });
});

describe('a settings file', () => {
  const remedy = 'name the settings file with GUARD_SETTINGS';
  const refused = (path: string) => refusalOf(() => readSettingsFile(path)).faults;
  const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
  const sound = '{ "projects": { "a": { "secretName": "x" } } }';

  it('may begin with a byte-order mark, and end its lines in any way', () => {
    expect(readSettingsFile(fileOf(`\ufeff${sound.replaceAll(' ', '\r\n')}`)).projects).toHaveProperty('a');
  });

  it('that does not exist is named as the person named it', () => {
    const file = join(folder, 'nowhere.json');
    expect(refused(file)).toEqual([`cannot be read: there is no such file; ${remedy}`]);
    expect(refusalOf(() => loadSettings(new App({ context: { settings: file } }), {})).faults).toEqual([
      'cannot be read: there is no such file; name the settings file with -c settings=FILE',
    ]);
    expect(refusalOf(() => loadSettings(new App(), { GUARD_SETTINGS: file })).faults).toEqual([
      `cannot be read: there is no such file; ${remedy}`,
    ]);
  });

  it('is not a folder, a pipe or a device', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    mkdirSync(join(folder, 'inner'));
    expect(refused(join(folder, 'inner'))).toEqual([`expected a file, got a folder; ${remedy}`]);
    expect(refused(pipe)).toEqual([`expected a file, got a device or a pipe; ${remedy}`]);
    expect(refused('/dev/zero')).toEqual([`expected a file, got a device or a pipe; ${remedy}`]);
    expect(refused(join(fileOf(sound), 'x'))).toEqual([`cannot be read: there is no such file; ${remedy}`]);
  });

  it('is not a file of a hundred megabytes', () => {
    const file = join(folder, 'huge.json');
    writeFileSync(file, '{');
    truncateSync(file, 100_000_000);
    expect(refused(file)).toEqual([`expected a file of at most 10 MB, got 100 MB; ${remedy}`]);
  });

  it.each([
    ['UTF-16', utf16(sound), 'UTF-16'],
    ['UTF-16 in the other order', utf16(sound).swap16(), 'UTF-16'],
    ['UTF-16 without a mark', Buffer.from(sound, 'utf16le'), 'UTF-16 or binary data'],
    ['Latin-1', Buffer.from(sound.replace('x', 'größe'), 'latin1'), 'text in another encoding'],
    ['a NUL byte', Buffer.from(sound.replace('{ "a"', '\n\0{ "a"')), 'a NUL byte (line 2)'],
  ])('is UTF-8, and not %s', (_, bytes, what) => {
    expect(faultsOf(bytes)).toEqual([`expected UTF-8, got ${what}; save the file in UTF-8`]);
  });

  it.each([
    ['lists', '['.repeat(200_000), 101],
    ['objects', '{"a":'.repeat(200_000), 501],
    ['lists that are closed', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, 101],
  ])('is not nested too deep: %s', (_, text, column) => {
    expect(faultsOf(text)).toEqual([
      `line 1, column ${column}: expected at most 100 levels of { and [, got something that is nested too deep`,
    ]);
  });

  it('with half a character in names and values gets a sentence that a terminal shows', () => {
    const faults = faultsOf('{ "projects": { "\\ud800": { "secretName": "\\udfff" } }, "\\udbff": 1 }');
    expect(faults.map(complaintAbout).filter((complaint) => complaint !== null)).toEqual([]);
    expect(faults).toHaveLength(3);
  });

  it('with very many faults shows the first hundred', () => {
    const projects = Object.fromEntries(
      Array.from({ length: 150 }, (__, index) => [`p-${index}x`, { secretName: '' }]),
    );
    const { message } = refusalOf(() => readSettingsFile(fileOf(JSON.stringify({ projects }))));
    expect(message.split('\n')).toHaveLength(101);
    expect(message).toMatch(/\n… and \d+ more$/);
  });
});

/** All settings, so that the test can put a mistake anywhere. */
const FULL = {
  schedule: 'rate(10 minutes)',
  projects: {
    production: {
      secretName: 'qonversion/production',
      apiUrl: 'https://api.example.com/v4',
      personalData: 'show',
      policy: {
        mode: 'observe',
        errorThreshold: 20,
        failingForMinutes: 30,
        warnThreshold: 5,
        lowTraffic: { errors: 3, warnAfterHours: 10, pauseAfterHours: 50 },
        blastRadius: { percent: 40, floor: 2 },
        recovery: { mode: 'probe', cooldownMinutes: 10, backoff: 1.5, maxAttempts: 7 },
        providerOutage: { percent: 50, minimum: 4, holdHours: 5, except: ['Webhooks'] },
        remindAt: '07:30',
        flapping: 'pause',
        overrides: [{ match: { integration: 'Amplitude', title: '*staging*' }, mode: 'ignore', errorThreshold: 9 }],
      },
    },
    staging: { secretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf', renamedFrom: 'test' },
  },
  fleet: {
    secretNamePrefix: 'fleet/',
    concurrency: 9,
    policies: [{ tag: 'gold', match: 'gold-*', policy: { errorThreshold: 8 } }],
  },
  alerts: {
    runbookUrl: 'https://example.com/runbook',
    subscriptions: [
      { email: 'ops@example.com', minSeverity: 'critical', projects: ['production'], alarms: false },
      { slack: { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' } },
      { sqs: 'arn:aws:sqs:eu-west-1:123456789012:alerts' },
    ],
  },
};

type Path = readonly (string | number)[];

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [...(path.length === 0 ? [] : [path]), ...entries.flatMap(([key, inner]) => pathsIn(inner, [...path, key]))];
}

type Slip = (holder: Record<string | number, unknown>, key: string | number) => void;

const putting =
  (value: unknown): Slip =>
  (holder, key) => {
    holder[key] = value;
  };

const renamed =
  (name: (key: string) => string): Slip =>
  (holder, key) => {
    const value = holder[key];
    delete holder[key];
    holder[name(String(key))] = value;
  };

const slip: fc.Arbitrary<Slip> = fc.oneof(
  fc
    .constantFrom<unknown>(
      null,
      true,
      'yes',
      '',
      -1,
      0.5,
      1e15,
      [],
      [[]],
      {},
      { a: 1 },
      '50',
      '\u202ex',
      'x'.repeat(5_000),
    )
    .map(putting),
  fc.jsonValue({ maxDepth: 2 }).map(putting),
  fc.string({ unit: 'binary', maxLength: 40 }).map(putting),
  fc.constant<Slip>((holder, key) => void delete holder[key]),
  fc.constantFrom<Slip>(
    renamed((key) => key.toUpperCase()),
    renamed((key) => `${key}s`),
    renamed((key) => key.replace(/[a-z]/, '\u0430')),
    renamed((key) => `${key}\u200b`),
    renamed((key) => key.slice(1)),
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }).map((name): Slip => renamed(() => name)),
);

describe('any mistake in any setting', () => {
  const paths = pathsIn(FULL);

  it('is accepted, or refused with one clear sentence for each fault', () => {
    expect(readSettingsFile(fileOf(JSON.stringify(FULL))).projects).toHaveProperty('production');
    let refusedCount = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...paths), slip), { minLength: 1, maxLength: 3 }), (slips) => {
        const document = structuredClone(FULL) as unknown;
        for (const [path, make] of slips) {
          const holder = path.slice(0, -1).reduce<unknown>((value, key) => Object(value)[key], document);
          const key = path.at(-1);
          if (typeof holder === 'object' && holder !== null && key !== undefined)
            make(holder as Record<string | number, unknown>, key);
        }
        const file = fileOf(JSON.stringify(document));
        try {
          readSettingsFile(file);
        } catch (error) {
          if (!(error instanceof SettingsError)) throw error;
          refusedCount += 1;
          const complaints = error.faults.flatMap((fault) => {
            const complaint = complaintAbout(fault);
            return complaint === null ? [] : [`${complaint}: ${fault}`];
          });
          expect(complaints).toEqual([]);
          // One for each unknown name, and one for each other path.
          const subjects = error.faults.map((fault) => fault.replace(/^(.*?): expected .*$/, '$1'));
          expect([...new Set(subjects)]).toEqual(subjects);
        }
      }),
      { numRuns: 600, seed: 26_11 },
    );
    expect(refusedCount).toBeGreaterThan(300);
  });

  it('in the syntax is refused with its place', () => {
    const text = JSON.stringify(FULL, null, 2);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: text.length }),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom('', '{', '}', '[', ']', ',', ':', '"', "'", 'x', '\\', '/*', '#', '\t', '1e999', '\u00a0'),
        (at, removed, added) => {
          const file = fileOf(text.slice(0, at) + added + text.slice(at + removed));
          try {
            readSettingsFile(file);
          } catch (error) {
            if (!(error instanceof SettingsError)) throw error;
            expect(error.faults.filter((fault) => complaintAbout(fault) !== null)).toEqual([]);
          }
        },
      ),
      { numRuns: 600, seed: 26_11 },
    );
  });
});
