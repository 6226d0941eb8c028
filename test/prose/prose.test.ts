import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lintEverything, lintText } from './lint.ts';

describe('the prose linter', () => {
  it.each([
    ['Ask whoever deploys it.', 'Avoid using “whoever”, use “the person who” instead (dialect)'],
    ['The function tells people.', 'Avoid using “tells”, use “reports” instead (dialect)'],
    ['It is mended at the provider.', 'Avoid using “mended”, use “fixed” instead (dialect)'],
    ['What you pause is never resumed.', 'Name the actor first: “What you pause is never resumed.” (free-relatives)'],
    ['Set the json document.', 'Incorrect term: “json”, use “JSON” instead (terminology)'],
    ['Due to the fact that it failed.', '"Due to the fact that" is wordy or unneeded (write-good)'],
    ['The the guard.', '"the" is repeated (write-good)'],
    [`It ${'goes and '.repeat(25)}stops.`, 'Exceeds the maximum word count of 45. (en-max-word-count)'],
  ])('objects to %j', async (text, message) => {
    expect((await lintText(text)).map((fault) => fault.message)).toEqual([message]);
  });

  it.each([
    'The guard never resumes what you paused.',
    'What does it cost?',
    'The value is `"tell"`, and `whoever` is code.',
  ])('accepts %j', async (text) => {
    expect(await lintText(text)).toEqual([]);
  });
});

describe('README.md', () => {
  it('is read in five minutes: at most 120 lines and 900 words', () => {
    const text = readFileSync('README.md', 'utf8');
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(120);
    expect(text.match(/\S+/g)?.length).toBeLessThanOrEqual(900);
  });
});

describe('the prose of the repository', () => {
  it('has no faults; to list them: npm run lint:prose', async () => {
    expect((await lintEverything()).map(({ file, line, message }) => `${file}:${line}: ${message}`)).toEqual([]);
  }, 120_000);
});
