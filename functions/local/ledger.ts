import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import pLimit from 'p-limit';
import lockfile from 'proper-lockfile';
import writeFileAtomic from 'write-file-atomic';
import * as z from 'zod';
import { describeError, GuardError, LedgerUnavailableError, LostRaceError } from '../guard/errors.ts';
import type { GuardEvent, LedgerEntry, ProjectEntry } from '../guard/model/entry.ts';
import {
  type Clock,
  HISTORY_DAYS,
  type Ledger,
  type LedgerItem,
  type LedgerView,
  type Versioned,
} from '../guard/ports.ts';
import { isLater, plusMinutes } from '../guard/text/time.ts';

/** The ledger as one JSON file: written atomically under a lock, so that two guards on one machine do not lose writes. */
export function createFileLedger(path: string, clock: Clock): Ledger {
  // One waits for the lock at a time. Two that wait for a lock which a dead process has left can both find it stale, and
  // the slower then removes what the faster has just taken.
  const oneAtATime = pLimit(1);
  return {
    async read(project): Promise<LedgerView> {
      const stored = (await readLedgerFile(path)).projects[project];
      if (stored === undefined) return { project: null, integrations: new Map() };
      const alive = Object.entries(stored.integrations).filter(([, item]) => !isExpired(item, clock.now()));
      return { project: stored.project ?? null, integrations: new Map(alive) };
    },

    write: (project, item, expected, expiresAt) =>
      change(project, (stored) => {
        const known = item.kind === 'project' ? stored.project : stored.integrations[item.id];
        const current = known === undefined || isExpired(known, clock.now()) ? null : known.version;
        if (current !== expected) throw new LostRaceError(`${nameOf(item)} was written by another pass`);
        const version = (known?.version ?? 0) + 1;
        const next =
          item.kind === 'project'
            ? { ...stored, project: { entry: item.entry, version, expiresAt } }
            : {
                ...stored,
                integrations: { ...stored.integrations, [item.id]: { entry: item.entry, version, expiresAt } },
              };
        const alive = Object.entries(next.integrations).filter(([, entry]) => !isExpired(entry, clock.now()));
        return { stored: { ...next, integrations: Object.fromEntries(alive) }, result: version };
      }),

    async appendHistory(project, events): Promise<void> {
      await change(project, (stored) => {
        const byId = new Map([...(stored.history ?? []), ...events].map((event) => [event.id, event]));
        const history = [...byId.values()].filter(isKeptStill).sort(byTime);
        return { stored: { ...stored, history }, result: undefined };
      });
    },

    async history(project, since): Promise<readonly GuardEvent[]> {
      const stored = (await readLedgerFile(path)).projects[project];
      return (stored?.history ?? []).filter((event) => isKeptStill(event) && !isLater(since, event.time));
    },
  };

  function isKeptStill(event: GuardEvent): boolean {
    return isLater(event.time, plusMinutes(clock.now().toISOString(), -HISTORY_DAYS * 24 * 60));
  }

  /** Reads, changes and writes the part of one project under the lock. */
  function change<T>(
    project: string,
    work: (stored: StoredProject) => { readonly stored: StoredProject; readonly result: T },
  ): Promise<T> {
    const locked = () =>
      withLock(path, async () => {
        const file = await readLedgerFile(path);
        const { stored, result } = work(file.projects[project] ?? { integrations: {} });
        const projects = { ...file.projects, [project]: stored };
        await writeFileAtomic(path, `${JSON.stringify({ ...file, projects }, null, 2)}\n`);
        return result;
      });
    return oneAtATime(locked);
  }
}

function byTime(left: GuardEvent, right: GuardEvent): number {
  return Date.parse(left.time) - Date.parse(right.time);
}

/** Enough to tell our own file from another: what stands inside the entries is only ever written by us. */
const anEntry = <Entry>() => z.custom<Entry>((value) => typeof value === 'object' && value !== null);

const versioned = <Entry>() =>
  z.object({ entry: anEntry<Entry>(), version: z.int().positive(), expiresAt: z.iso.datetime().nullable() });

const storedProject = z.object({
  project: versioned<ProjectEntry>().optional(),
  integrations: z.record(z.string(), versioned<LedgerEntry>()),
  history: z.array(anEntry<GuardEvent>()).optional(),
});

type StoredProject = z.output<typeof storedProject>;

const ledgerFile = z.object({ format: z.literal(1), projects: z.record(z.string(), storedProject) });

type LedgerFile = z.output<typeof ledgerFile>;

async function readLedgerFile(path: string): Promise<LedgerFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { format: 1, projects: {} };
    throw new LedgerUnavailableError(`the ledger file ${path} cannot be read (${describeError(error)})`, {
      cause: error,
    });
  }
  try {
    return ledgerFile.parse(JSON.parse(text));
  } catch (error) {
    const advice = 'move it away to begin a new one, or name another with GUARD_LEDGER';
    throw new LedgerUnavailableError(`the ledger file ${path} is not a ledger of this guard; ${advice}`, {
      cause: error,
    });
  }
}

/** A lock this old was left by a process that died; one that lives renews its own. */
const STALE_MS = 5_000;

async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    await mkdir(dirname(path), { recursive: true });
    let lost: Error | null = null;
    const release = await lockfile.lock(path, {
      realpath: false,
      stale: STALE_MS,
      // Twice as long as it takes a dead process's lock to grow stale.
      retries: { retries: 120, minTimeout: 5, maxTimeout: 100, randomize: true },
      // A machine that slept for seconds while it wrote; unhandled it would end the process.
      onCompromised: (error) => {
        lost = error;
      },
    });
    try {
      const result = await work();
      if (lost !== null) throw lost;
      return result;
    } finally {
      if (lost === null) await release();
    }
  } catch (error) {
    if (error instanceof GuardError) throw error;
    throw new LedgerUnavailableError(`the ledger file ${path} cannot be written (${describeError(error)})`, {
      cause: error,
    });
  }
}

function isExpired(item: Versioned<unknown>, now: Date): boolean {
  return item.expiresAt !== null && Date.parse(item.expiresAt) <= now.getTime();
}

function nameOf(item: LedgerItem): string {
  return item.kind === 'project' ? 'the project' : `integration ${item.id}`;
}
