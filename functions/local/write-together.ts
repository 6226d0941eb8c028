import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { GuardError } from '../guard/errors.ts';
import { safePath } from '../guard/safe-sentence.ts';

/** A file that is written: a new one, or one that is there and says something else so far. */
export interface FileChange {
  readonly path: string;
  /** What the file holds now. Null: there is none. */
  readonly before: string | null;
  readonly after: string;
}

/**
 * Writes all of the files or none. A new file never takes the place of one that is there, and a file that has been changed since it
 * was read is left alone.
 * @throws what the system says, when everything is as it was
 */
export function writeTogether(changes: readonly FileChange[]): void {
  const undo: (() => void)[] = [];
  // Ctrl-C would end the process between two files.
  const wait = () => undefined;
  process.on('SIGINT', wait);
  try {
    for (const change of changes) {
      makeFolder(dirname(change.path), undo);
      if (change.before === null) create(change, undo);
      else replace(change.path, change.before, change.after, undo);
    }
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  } finally {
    process.off('SIGINT', wait);
  }
}

function makeFolder(folder: string, undo: (() => void)[]): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  undo.push(() => {
    // Those that are empty, and no more: others may have put something there.
    for (let each = folder; each.length >= first.length; each = dirname(each)) rmdirSync(each);
  });
}

function create({ path, after }: FileChange, undo: (() => void)[]): void {
  writeFileSync(path, '', { flag: 'wx' });
  undo.push(() => rmSync(path, { force: true }));
  writeFileSync(path, after);
}

function replace(path: string, before: string, after: string, undo: (() => void)[]): void {
  if (!readFileSync(path).equals(Buffer.from(before, 'utf8')))
    throw new GuardError(`${safePath(path)} has been changed meanwhile; nothing was written; run the command again`);
  writeFileAtomic.sync(path, after);
  undo.push(() => writeFileAtomic.sync(path, before));
}
