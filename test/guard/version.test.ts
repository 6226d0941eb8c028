import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { VERSION } from '../../functions/guard/version.ts';

it('the version that log, panel and command line report is the package’s, and has its part of the changelog', () => {
  expect(JSON.parse(readFileSync('package.json', 'utf8'))).toHaveProperty('version', VERSION);
  expect(readFileSync('CHANGELOG.md', 'utf8')).toMatch(new RegExp(`^## ${VERSION.replaceAll('.', '\\.')}\\b`, 'm'));
});
