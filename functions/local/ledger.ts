import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import pLimit from 'p-limit';
import pRetry, { type Options as RetryOptions } from 'p-retry';
import lockfile from 'proper-lockfile';
import writeFileAtomic from 'write-file-atomic';
import { describeError, GuardError, LedgerUnavailableError, LostRaceError } from '../guard/errors.ts';
import { BLANK_ENTRY, type Entry, type ProjectEntry } from '../guard/model/entry.ts';
import type { GuardEvent } from '../guard/model/event.ts';
import {
  CHECK_MINUTES,
  CHECK_PROJECT,
  type CheckableLedger,
  type Clock,
  HISTORY_DAYS,
  type LedgerItem,
  type LedgerView,
  type Versioned,
} from '../guard/ports.ts';
import { isLater, plusMinutes } from '../guard/text/time.ts';
import {
  ENTRY,
  EVENT,
  LEDGER_SCHEMA,
  type LedgerPlace,
  PROJECT_ENTRY,
  readingFrom,
  readStored,
  type Upcast,
} from '../ledger/upcast.ts';
import { type LedgerFile, parseLedgerFile, type StoredItem } from './ledger-file.ts';

/**
 * The ledger as one JSON file: written atomically under a lock, so that two guards on one machine do not lose writes.
 * @param writeText fills a new file of this name; replaced in tests
 */
export function createFileLedger(path: string, clock: Clock, writeText: WriteText = writeWhole): CheckableLedger {
  // One caller at a time waits for the lock. If two waited for the lock of a dead process, both could find it stale, and the
  // slower one would remove the lock that the faster one has just taken.
  const oneAtATime = pLimit(1);
  return {
    place: path,

    async read(project): Promise<LedgerView> {
      let projectEntry: Versioned<ProjectEntry> | null = null;
      const integrations = new Map<string, Versioned<Entry>>();
      for (const item of (await readLedgerFile(path)).items) {
        if (item.project !== project || isExpired(item, clock.now())) continue;
        readingFrom(placeOf(path), () => {
          if (item.integration === null) projectEntry = toVersioned(item, PROJECT_ENTRY);
          else integrations.set(item.integration, toVersioned(item, ENTRY));
        });
      }
      return { project: projectEntry, integrations };
    },

    write: (project, item, expected, expiresAt) =>
      change((file) => {
        const integration = item.kind === 'project' ? null : item.id;
        const isTheItem = (stored: StoredItem) => stored.project === project && stored.integration === integration;
        const known = file.items.find(isTheItem);
        const current = known === undefined || isExpired(known, clock.now()) ? null : known.version;
        if (current !== expected) throw new LostRaceError(`${nameOf(item)} was written by another pass`);
        const version = (known?.version ?? 0) + 1;
        const next = { project, integration, version, expiresAt, schema: LEDGER_SCHEMA, entry: item.entry };
        const others = file.items.filter((stored) => !isTheItem(stored) && !isExpired(stored, clock.now()));
        return { file: { ...file, items: [...others, next] }, result: version };
      }),

    async appendHistory(project, events): Promise<void> {
      await change((file) => {
        const appended = events.map((event) => ({ project, schema: LEDGER_SCHEMA, event }));
        const byId = new Map(
          [...file.history, ...appended].map((item) => [JSON.stringify([item.project, item.event.id]), item]),
        );
        const history = [...byId.values()].filter(({ event }) => isStillKept(event)).sort(byTime);
        return { file: { ...file, history }, result: undefined };
      });
    },

    async history(project, since): Promise<readonly GuardEvent[]> {
      const { history } = await readLedgerFile(path);
      return history
        .filter((item) => item.project === project && isStillKept(item.event) && !isLater(since, item.event.time))
        .map(({ schema, event }) => readingFrom(placeOf(path), () => readStored(event, schema, EVENT)));
    },

    checkWrite: () => oneAtATime(checkWrite),
  };

  /** Replaces the file under the lock, reads it again, and restores it byte for byte, so that no pass sees the test entry. */
  async function checkWrite(): Promise<void> {
    const target = await targetOf(path);
    await withLock(target, async () => {
      const before = await readIfThere(target);
      const { items, ...rest } = await readLedgerFile(target);
      const integration = randomUUID();
      const entry = {
        project: CHECK_PROJECT,
        integration,
        version: 1,
        expiresAt: plusMinutes(clock.now().toISOString(), CHECK_MINUTES),
        schema: LEDGER_SCHEMA,
        entry: BLANK_ENTRY,
      };
      await save(target, toText({ ...rest, items: [...items, entry] }), OWN_FILE);
      const written = await readLedgerFile(target);
      if (before === null) await rm(target);
      else await save(target, before.text, before.mode);
      if (!written.items.some((item) => item.integration === integration))
        throw new LedgerUnavailableError(`the ledger file ${path} does not keep what is written to it`);
    });
  }

  function save(target: string, text: string, mode: number): Promise<void> {
    // The library calls write once. On a full disk that writes only a part of the text and reports no error.
    return writeFileAtomic(target, '', { mode, tmpfileCreated: (temporary) => writeText(temporary, text) });
  }

  function isStillKept(event: Pick<GuardEvent, 'time'>): boolean {
    return isLater(event.time, plusMinutes(clock.now().toISOString(), -HISTORY_DAYS * 24 * 60));
  }

  /** Reads, changes and writes the file under the lock. */
  function change<T>(work: (file: LedgerFile) => { readonly file: LedgerFile; readonly result: T }): Promise<T> {
    const locked = async () => {
      const target = await targetOf(path);
      return withLock(target, async () => {
        const { file, result } = work(await readLedgerFile(target));
        await save(target, toText(file), OWN_FILE);
        return result;
      });
    };
    return oneAtATime(locked);
  }
}

function toVersioned<Entry>(item: StoredItem, upcast: Upcast<Entry>): Versioned<Entry> {
  const { version, expiresAt } = item;
  return { entry: readStored(item.entry, item.schema, upcast), version, expiresAt };
}

function byTime(left: { readonly event: { readonly time: string } }, right: typeof left): number {
  return Date.parse(left.event.time) - Date.parse(right.event.time);
}

async function readLedgerFile(path: string): Promise<LedgerFile> {
  const stored = await readIfThere(path);
  if (stored === null) return { format: 2, items: [], history: [] };
  return readingFrom(placeOf(path), () => parseLedgerFile(stored.text));
}

interface StoredText {
  readonly text: string;
  /** The file's permissions. */
  readonly mode: number;
}

/** @returns null when there is no such file */
async function readIfThere(path: string): Promise<StoredText | null> {
  try {
    return { text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & PERMISSIONS };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new LedgerUnavailableError(`${placeOf(path).name} cannot be read (${describeError(error)})`, {
      cause: error,
    });
  }
}

function placeOf(path: string): LedgerPlace {
  return {
    name: `the ledger file ${path}`,
    remedy:
      'restore it from a backup, name another with GUARD_LEDGER, or move it away to start a new one (the guard then attributes its own pauses to an operator)',
  };
}

/** Resolves links, so that every path to the file uses the same lock. */
function targetOf(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

type WriteText = (file: string, text: string) => Promise<void>;

const writeWhole: WriteText = (file, text) => writeFile(file, text, { flag: 'r+' });

function toText(file: LedgerFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** On a shared machine, other users must not read the titles and error messages of integrations. */
const OWN_FILE = 0o600;
const OWN_FOLDER = 0o700;
const PERMISSIONS = 0o777;

/** The lock is a folder, which the library creates with this function. */
interface LockFolders {
  readonly mkdir: (folder: string, done: (error: NodeJS.ErrnoException | null) => void) => void;
}

/** A lock this old belongs to a dead process. A live process renews its lock. */
const STALE_MS = 5_000;

/** The library's own retries would also repeat what a new try cannot fix, such as a read-only disk. */
const LOCK_RETRY = {
  // Twice the time after which a dead process's lock becomes stale.
  retries: 120,
  minTimeout: 5,
  maxTimeout: 100,
  randomize: true,
  shouldRetry: ({ error }) => 'code' in error && error.code === 'ELOCKED',
} as const satisfies RetryOptions;

async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: OWN_FOLDER });
    let lost: Error | null = null;
    const lock = () =>
      lockfile.lock(path, {
        realpath: false,
        fs: { ...fs, mkdir: (folder, done) => fs.mkdir(folder, OWN_FOLDER, done) } satisfies LockFolders,
        stale: STALE_MS,
        // The machine slept for seconds during the write. Without a handler, this would end the process.
        onCompromised: (error) => {
          lost = error;
        },
      });
    const release = await pRetry(lock, LOCK_RETRY);
    try {
      const result = await work();
      if (lost !== null) throw lost;
      return result;
    } finally {
      if (lost === null) await release();
    }
  } catch (error) {
    if (error instanceof GuardError) throw error;
    throw new LedgerUnavailableError(`${placeOf(path).name} cannot be written (${describeError(error)})`, {
      cause: error,
    });
  }
}

function isExpired(item: Pick<StoredItem, 'expiresAt'>, now: Date): boolean {
  return item.expiresAt !== null && Date.parse(item.expiresAt) <= now.getTime();
}

function nameOf(item: LedgerItem): string {
  return item.kind === 'project' ? 'the project' : `integration ${item.id}`;
}
