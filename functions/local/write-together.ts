import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { GuardError } from '../guard/errors.ts';
import { safePath } from '../guard/safe-sentence.ts';

/** A file to create or to change. */
export interface FileChange {
  readonly path: string;
  /** The current content. Null: the file does not exist. */
  readonly before: string | null;
  readonly after: string;
}

/**
 * Writes all files or none. It never overwrites an existing file with a new one, nor a file that has changed since it was read.
 * @throws the system's error, after it has undone every change
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
    // Only empty folders: another program may have written into one.
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
    throw new GuardError(`${safePath(path)} has changed in the meantime; nothing was written; run the command again`);
  writeFileAtomic.sync(path, after);
  undo.push(() => writeFileAtomic.sync(path, before));
}
