import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeTogether } from '../../functions/local/write-together.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-write-'));
});

describe('files that are written together', () => {
  const at = (...names: readonly string[]) => join(folder, ...names);
  /** This name is valid, but the name of the temporary file that would replace it is too long. */
  const long = 'x'.repeat(255);

  it('are new ones in new folders, and changed ones, which keep their permissions', () => {
    writeFileSync(at('old'), 'before', { mode: 0o640 });
    writeTogether([
      { path: at('a', 'b', 'new'), before: null, after: 'new' },
      { path: at('old'), before: 'before', after: 'after' },
    ]);
    expect(readFileSync(at('a', 'b', 'new'), 'utf8')).toBe('new');
    expect(readFileSync(at('old'), 'utf8')).toBe('after');
    expect(statSync(at('old')).mode & 0o777).toBe(0o640);
  });

  it('are all restored when one cannot be written', () => {
    mkdirSync(at('a'));
    writeFileSync(at('old'), 'before');
    writeFileSync(at(long), 'before');
    const write = () =>
      writeTogether([
        { path: at('a', 'b', 'new'), before: null, after: 'new' },
        { path: at('old'), before: 'before', after: 'after' },
        { path: at(long), before: 'before', after: 'after' },
      ]);
    expect(write).toThrow('ENAMETOOLONG');
    expect(readFileSync(at('old'), 'utf8')).toBe('before');
    expect(existsSync(at('a', 'b'))).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['a', 'old', long]);
  });

  it('do not overwrite a file that was created in the meantime', () => {
    writeFileSync(at('b'), 'theirs');
    const write = () =>
      writeTogether([
        { path: at('a'), before: null, after: 'a' },
        { path: at('b'), before: null, after: 'b' },
      ]);
    expect(write).toThrow('EEXIST');
    expect(readdirSync(folder)).toEqual(['b']);
    expect(readFileSync(at('b'), 'utf8')).toBe('theirs');
  });

  it('do not overwrite a file that has changed in the meantime', () => {
    writeFileSync(at('b'), 'theirs');
    const write = () =>
      writeTogether([
        { path: at('a'), before: null, after: 'a' },
        { path: at('b'), before: 'before', after: 'b' },
      ]);
    expect(write).toThrow('has changed in the meantime');
    expect(readdirSync(folder)).toEqual(['b']);
    expect(readFileSync(at('b'), 'utf8')).toBe('theirs');
  });
});
