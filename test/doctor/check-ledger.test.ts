import { execFile, execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDynamoLedger } from '../../functions/aws/ledger.ts';
import { checkLedger, checkLedgerWrite, type LedgerPlace } from '../../functions/doctor/check-ledger.ts';
import { BLANK_PROJECT_ENTRY, type Entry } from '../../functions/guard/model/entry.ts';
import { makeEvent } from '../../functions/guard/model/event.ts';
import { CHECK_MINUTES, CHECK_PROJECT, type Ledger } from '../../functions/guard/ports.ts';
import { createFileLedger } from '../../functions/local/ledger.ts';
import { CREDENTIALS, type DynamoEmulator, LEDGER_TABLE, startDynamo } from '../support/aws-emulators.ts';
import { anEntry, minutesAfter, minutesBefore, NOON } from '../support/builders.ts';
import { createMemoryLedger, createTestClock } from '../support/memory-ports.ts';

/** The doctor's checks of a ledger: it writes a test entry, and reads the entries. */

let folder: string;
let dynamo: DynamoEmulator;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-doctor-'));
  dynamo = await startDynamo();
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await dynamo.stop();
});

beforeEach(() => {
  count += 1;
});

const clock = createTestClock();
const fileOf = (name = 'ledger.json') => join(folder, `${count}-${name}`);
const read = (ledger: Pick<Ledger, 'read' | 'history'>, place: LedgerPlace, isAnswering = true) =>
  checkLedger({ ledger, name: 'p', place, now: NOON, isAnswering, of: (check) => check });

const item = (project: string) => ({
  project,
  integration: 'a',
  version: 3,
  expiresAt: null,
  schema: 3,
  entry: anEntry(),
});
const fileWith = (...items: readonly object[]) => JSON.stringify({ format: 2, items, history: [] });

const fault = (code: string, text: string) => Object.assign(new Error(`${code}: ${text}`), { code });

describe('a ledger file', () => {
  it('that can be written is unchanged afterwards, byte for byte', async () => {
    const file = fileOf();
    const before = '{"format":1,"projects":{}}';
    await writeFile(file, before, { mode: 0o640 });
    await chmod(file, 0o640);
    expect(await checkLedgerWrite(createFileLedger(file, clock), 'file')).toMatchObject({
      level: 'ok',
      check: 'ledger file',
    });
    expect(await readFile(file, 'utf8')).toBe(before);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it('that does not exist is not created', async () => {
    const file = join(folder, `${count}-new/nested/ledger.json`);
    expect(await checkLedgerWrite(createFileLedger(file, clock), 'file')).toMatchObject({ level: 'ok' });
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it('survives many checks and passes at the same time', async () => {
    const file = fileOf();
    const ledgers = Array.from({ length: 4 }, () => createFileLedger(file, clock));
    await Promise.all([
      ...ledgers.map((ledger) => ledger.checkWrite()),
      ...ledgers.map((ledger, index) =>
        ledger.write('p', { kind: 'integration', id: `i${index}`, entry: anEntry() }, null, null),
      ),
    ]);
    const { items } = JSON.parse(await readFile(file, 'utf8'));
    expect(items.map(({ integration }: { integration: string }) => integration).sort()).toEqual([
      'i0',
      'i1',
      'i2',
      'i3',
    ]);
  });

  it('keeps what a check that died has left, unseen, for an hour', async () => {
    const file = fileOf();
    await writeFile(file, fileWith(item('p')));
    let writes = 0;
    const dying = createFileLedger(file, clock, async (target, text) => {
      writes += 1;
      if (writes > 1) throw fault('EIO', 'killed');
      await writeFile(target, text);
    });
    await expect(dying.checkWrite()).rejects.toThrow('EIO');
    const left = JSON.parse(await readFile(file, 'utf8'));
    expect(left.items).toMatchObject([
      { project: 'p' },
      { project: CHECK_PROJECT, expiresAt: minutesAfter(NOON, CHECK_MINUTES) },
    ]);
    const later = createTestClock(minutesAfter(NOON, CHECK_MINUTES));
    const ledger = createFileLedger(file, later);
    expect([...(await ledger.read('p')).integrations.keys()]).toEqual(['a']);
    await ledger.write('p', { kind: 'integration', id: 'b', entry: anEntry() }, null, null);
    expect((await readFile(file, 'utf8')).includes(CHECK_PROJECT)).toBe(false);
  });

  it.each([
    [
      'ENOSPC',
      'no space left on device',
      'Free some space on that disk, or set GUARD_LEDGER to a file on another disk.',
    ],
    ['EROFS', 'read-only file system', 'That disk is read-only. Set GUARD_LEDGER to a file on another disk.'],
    [
      'EACCES',
      'permission denied',
      'Give yourself permission to write the file and its folder, or set GUARD_LEDGER to another file.',
    ],
  ])('that cannot be written (%s) is a problem, and is left as it is', async (code, text, action) => {
    const file = fileOf();
    const before = fileWith(item('p'));
    await writeFile(file, before);
    const ledger = createFileLedger(file, clock, () => Promise.reject(fault(code, text)));
    expect(await checkLedgerWrite(ledger, 'file')).toEqual({
      check: 'ledger file',
      level: 'problem',
      message: `The ledger file ${file} cannot be written (Error: ${code}: ${text}).`,
      action,
    });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('that is a folder, or lies under a file, is a problem', async () => {
    const path = fileOf();
    await mkdir(path);
    expect(await checkLedgerWrite(createFileLedger(path, clock), 'file')).toMatchObject({
      level: 'problem',
      action: 'That is a folder. Set GUARD_LEDGER to a file.',
    });
    const file = fileOf('file');
    await writeFile(file, '');
    expect(await checkLedgerWrite(createFileLedger(join(file, 'x'), clock), 'file')).toMatchObject({
      level: 'problem',
      action: 'A part of that path is a file, not a folder. Set GUARD_LEDGER to another file.',
    });
  });

  it('whose lock cannot be made is a problem, without another try', async () => {
    // With the lock's ending, the name is too long for the file system. Another try would wait for this clock.
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      const ledger = createFileLedger(fileOf('x'.repeat(250)), clock);
      expect(await checkLedgerWrite(ledger, 'file')).toMatchObject({
        level: 'problem',
        message: expect.stringContaining('ENAMETOOLONG'),
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it.skipIf(process.getuid?.() === 0)('in a folder that is read-only is a problem', async () => {
    const path = join(folder, `${count}-read-only`);
    await mkdir(path, { mode: 0o500 });
    expect(await checkLedgerWrite(createFileLedger(join(path, 'x'), clock), 'file')).toMatchObject({
      level: 'problem',
    });
  });

  it.each([
    ['cut off', fileWith(item('p')).slice(0, 60), 'is not a ledger of this guard, or a part of it is missing', true],
    ['another document', '{"precious": true}', 'is not a ledger of this guard', true],
    [
      'with a damaged entry',
      fileWith({ ...item('p'), entry: { state: 'closed' } }),
      'one of its entries is damaged',
      true,
    ],
    [
      'of a newer format',
      '{"format":3}',
      'written by a newer version of the guard (format 3; this version reads up to 2)',
      false,
    ],
    [
      'with an entry of a newer version',
      fileWith({ ...item('p'), schema: 9, entry: {} }),
      'written by a newer version of the guard (schema 9; this version reads up to 3)',
      false,
    ],
  ])('that is %s is named, with advice that fits a file', async (_, text, what, isDamaged) => {
    const file = fileOf();
    await writeFile(file, text);
    const [finding] = await read(createFileLedger(file, clock), 'file');
    expect(finding).toMatchObject({ check: 'ledger', level: 'problem' });
    expect(finding?.message).toContain(`The ledger file ${file} cannot be read: `);
    expect(finding?.message).toContain(what);
    expect(finding?.action).toMatch(
      isDamaged ? /^Restore it from a backup, name another with GUARD_LEDGER, or move/ : /^Use that version/,
    );
    expect(finding?.action).not.toMatch(/AWS/);
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});

const canMount = (() => {
  try {
    execFileSync('unshare', ['--user', '--map-root-user', '--mount', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!canMount)('a ledger file on a disk that is really full', () => {
  it('is a problem, and nothing of it is cut off', async () => {
    const disk = join(folder, `${count}-disk`);
    const settings = fileOf('settings.json');
    await mkdir(disk);
    await writeFile(settings, JSON.stringify({ projects: { p: { secretName: 'x', apiUrl: 'http://127.0.0.1:1' } } }));
    // A ledger of 40 KB on 64 KB: there is room for a part of its copy.
    const ledger = fileWith({ ...item('p'), entry: { ...anEntry(), padding: 'x'.repeat(40_000) } });
    await writeFile(fileOf('given.json'), ledger);
    const script =
      'mount -t tmpfs -o size=64k none "$1" && cp "$2" "$1/ledger.json" && "$3" functions/cli/main.ts doctor --json; echo "---"; cat "$1/ledger.json"; ls "$1"';
    const { stdout } = await promisify(execFile)(
      'unshare',
      ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', disk, fileOf('given.json'), process.execPath],
      { env: { PATH: process.env.PATH, GUARD_SETTINGS: settings, GUARD_LEDGER: join(disk, 'ledger.json') } },
    );
    const [document = '', rest] = stdout.split('---\n');
    expect(JSON.parse(document).findings).toContainEqual({
      check: 'ledger file',
      level: 'problem',
      message: expect.stringContaining('ENOSPC: no space left on device'),
      action: 'Free some space on that disk, or set GUARD_LEDGER to a file on another disk.',
    });
    expect(rest).toBe(`${ledger}ledger.json\n`);
  });
});

describe('a ledger table', () => {
  const ledgerOf = (table = LEDGER_TABLE) => createDynamoLedger(dynamo.client, table, clock);
  const items = async () =>
    (await DynamoDBDocumentClient.from(dynamo.client).send(new ScanCommand({ TableName: LEDGER_TABLE }))).Items ?? [];

  /** A client of the same table that gets this answer from AWS for these commands. */
  function clientThatRefuses(commands: RegExp, error: Error): DynamoDBClient {
    const client = new DynamoDBClient({ ...CREDENTIALS, endpoint: dynamo.endpoint });
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        (args) =>
          commands.test(commandName) ? Promise.reject(error) : next(args),
      { step: 'initialize' },
    );
    return client;
  }

  it('that can be written is unchanged afterwards, even after simultaneous checks', async () => {
    await ledgerOf().write('kept', { kind: 'integration', id: 'a', entry: anEntry() }, null, null);
    const before = await items();
    const found = await Promise.all(Array.from({ length: 5 }, () => checkLedgerWrite(ledgerOf(), 'stack')));
    expect(found).toEqual(
      Array.from({ length: 5 }, () => ({
        check: 'ledger table',
        level: 'ok',
        message: `${LEDGER_TABLE} can be written: a test entry was written and removed.`,
        action: null,
      })),
    );
    expect(await items()).toEqual(before);
  });

  it('keeps what a check that died has left, with a time to live', async () => {
    const before = (await items()).length;
    const refusing = clientThatRefuses(/^BatchWrite/, new Error('killed'));
    await expect(createDynamoLedger(refusing, LEDGER_TABLE, clock).checkWrite()).rejects.toThrow('killed');
    const after = await items();
    expect(after).toHaveLength(before + 1);
    expect(after.find(({ project }) => project === CHECK_PROJECT)).toMatchObject({
      expires_at: Date.parse(minutesAfter(NOON, CHECK_MINUTES)) / 1_000,
    });
    expect((await ledgerOf().read('p')).integrations.size).toBe(0);
    await expect(ledgerOf().checkWrite()).resolves.toBeUndefined();
  });

  it('that is gone is a problem', async () => {
    expect(await checkLedgerWrite(ledgerOf('no-such-table'), 'stack')).toMatchObject({
      level: 'problem',
      message: expect.stringMatching(/^The ledger table no-such-table cannot be written \(ResourceNotFoundException/),
      action: expect.stringContaining('set "ledgerTableName" in the settings to that name'),
    });
  });

  it.each([
    [
      'AccessDeniedException',
      'User x is not authorized to perform: dynamodb:PutItem',
      /^Ask for the permission that the message names/,
    ],
    [
      'AccessDeniedException',
      'KMS key access denied error: User x is not authorized to perform: kms:Decrypt',
      /^Ask for permission to use the KMS key \(kms:Decrypt/,
    ],
    ['ExpiredTokenException', 'The security token included in the request is expired', /^Sign in to AWS/],
  ])('that refuses the write (%s: %s) is a problem', async (name, message, action) => {
    const client = clientThatRefuses(/./, Object.assign(new Error(message), { name }));
    expect(await checkLedgerWrite(createDynamoLedger(client, LEDGER_TABLE, clock), 'stack')).toMatchObject({
      level: 'problem',
      message: expect.stringContaining(name),
      action: expect.stringMatching(action),
    });
  });

  it.each([
    ['damaged', { entry: 'x', schema: 3 }, 'one of its entries is damaged', /^Restore the table to a moment before/],
    ['newer', { entry: {}, schema: 4 }, 'written by a newer version of the guard', /^Use that version of the guard/],
  ])('with an entry that is %s is named', async (name, fields, what, action) => {
    const Item = { project: name, item: 'integration#a', version: 1, ...fields };
    await DynamoDBDocumentClient.from(dynamo.client).send(new PutCommand({ TableName: LEDGER_TABLE, Item }));
    const of = (check: string) => check;
    const [finding] = await checkLedger({ ledger: ledgerOf(), name, place: 'stack', now: NOON, isAnswering: true, of });
    expect(finding).toMatchObject({ level: 'problem', action: expect.stringMatching(action) });
    expect(finding?.message).toContain(`The ledger table ${LEDGER_TABLE} cannot be read`);
    expect(finding?.message).toContain(what);
  });
});

describe('the findings about a project in the ledger', () => {
  const event = (type: 'guard.held' | 'guard.failing', minutes: number) =>
    makeEvent({ type, project: 'p', time: minutesBefore(NOON, minutes), episode: NOON, reason: 'the key was refused' });

  it('report alerts that a pass should have published', async () => {
    const ledger = createMemoryLedger(clock);
    const entry = (minutes: number) =>
      anEntry({ outbox: [{ event: event('guard.held', minutes), undelivered: ['people'], merged: null }] });
    await ledger.write('p', { kind: 'integration', id: 'a', entry: entry(5) }, null, null);
    expect((await read(ledger, 'stack')).map(({ level }) => level)).toEqual(['ok']);
    await ledger.write('p', { kind: 'integration', id: 'b', entry: entry(90) }, null, null);
    expect(await read(ledger, 'stack')).toContainEqual(
      expect.objectContaining({ level: 'warning', message: '1 alert not delivered yet, the oldest from 10:30 UTC.' }),
    );
  });

  it('report why passes fail', async () => {
    const ledger = createMemoryLedger(clock);
    const since = minutesBefore(NOON, 90);

    const entry = { ...BLANK_PROJECT_ENTRY, notices: { failing: { since, lastAt: since, times: 1, errors: 0 } } };
    await ledger.write('p', { kind: 'project', entry }, null, null);
    await ledger.appendHistory('p', [event('guard.failing', 90)]);
    expect(await read(ledger, 'stack')).toContainEqual({
      check: 'passes',
      level: 'problem',
      message: 'Passes have failed since 10:30 UTC: The key was refused.',
      action: 'Fix what it names. The next pass then runs.',
    });
  });

  it.each([
    ['Qonversion refused the Secret Key (401)', true, 'warning'],
    ['Qonversion could not be reached for the list: timeout', true, 'warning'],
    ['the secret "q/p" is empty; fill it with: aws …', true, 'warning'],
    ['the secret "q/p" has no field "ios"; store the Secret Key', true, 'warning'],
    ['the field "ios" of the secret "q/p" is empty; store the Secret Key', true, 'warning'],
    ['QONVERSION_SECRET_KEY is empty; set it', true, 'warning'],
    ['Qonversion refused the Secret Key (401)', false, 'problem'],
    // The role of the passes may differ from that of the doctor.
    ['the secret "q/p" cannot be read (AccessDenied)', true, 'problem'],
    ['the ledger table guard cannot be read', true, 'problem'],
  ])('report "%s" while Qonversion answers (%s) as a %s', async (reason, isAnswering, level) => {
    const ledger = createMemoryLedger(clock);
    const since = minutesBefore(NOON, 90);
    const entry = { ...BLANK_PROJECT_ENTRY, notices: { failing: { since, lastAt: since, times: 1, errors: 0 } } };
    await ledger.write('p', { kind: 'project', entry }, null, null);
    await ledger.appendHistory('p', [{ ...event('guard.failing', 90), reason }]);
    const found = (await read(ledger, 'stack', isAnswering)).find(({ check }) => check === 'passes');
    expect(found?.level).toBe(level);
    if (level === 'warning')
      expect(found).toMatchObject({
        message: `Passes have failed since 10:30 UTC (${reason}). The cause seems fixed: Qonversion now accepts the key and answers.`,
        action: 'Run a pass (`npx integration-guard run`), or wait for the next one.',
      });
  });

  it('say how many integrations are stopped, probed or paused by an operator', async () => {
    const ledger = createMemoryLedger(clock);
    const { state: closed } = anEntry();
    if (closed.name !== 'closed') throw new Error('a blank entry is closed');
    const outage = { by: 'guard', episode: NOON, stoppedAt: NOON, openedAt: NOON, failedProbes: 0 } as const;
    const { mark } = closed;
    const states: readonly Entry['state'][] = [
      closed,
      { ...closed, name: 'isolated' },
      { ...outage, mark, name: 'open' },
      { ...outage, mark, name: 'half-open', probedAt: NOON, delivering: null },
    ];
    for (const state of states)
      await ledger.write('p', { kind: 'integration', id: state.name, entry: anEntry({ state }) }, null, null);
    expect(await read(ledger, 'stack')).toMatchObject([
      {
        message:
          'It can be read, and has entries of 4 integrations (1 stopped by the guard or Qonversion, 1 being probed, 1 paused by an operator).',
      },
    ]);
  });
});
