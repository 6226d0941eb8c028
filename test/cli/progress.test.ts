import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { showProgress } from '../../functions/cli/progress.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A terminal or a file that records its output. */
function stream(isTTY: boolean): { readonly stream: WriteStream; readonly written: () => string } {
  const chunks: string[] = [];
  const fake = Object.assign(new PassThrough(), {
    isTTY,
    columns: 80,
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
  });
  fake.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream: fake as unknown as WriteStream, written: () => chunks.join('') };
}

describe('a progress line', () => {
  it('appears after a second', () => {
    const { stream: terminal, written } = stream(true);
    const end = showProgress(terminal, 'asking Qonversion');
    vi.advanceTimersByTime(900);
    expect(written()).toBe('');
    vi.advanceTimersByTime(200);
    expect(written()).toContain('asking Qonversion');
    end();
    const until = written();
    vi.advanceTimersByTime(5_000);
    expect(written()).toBe(until);
  });

  it('does not appear for shorter work', () => {
    const { stream: terminal, written } = stream(true);
    showProgress(terminal, 'asking Qonversion')();
    vi.advanceTimersByTime(5_000);
    expect(written()).toBe('');
  });

  it('is not written into a file or a pipe', () => {
    const { stream: file, written } = stream(false);
    showProgress(file, 'asking Qonversion');
    vi.advanceTimersByTime(5_000);
    expect(written()).toBe('');
  });
});
