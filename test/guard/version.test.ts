import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { VERSION } from '../../functions/guard/version.ts';

it('the version is that of package.json, and has a section in the changelog', () => {
  expect(JSON.parse(readFileSync('package.json', 'utf8'))).toHaveProperty('version', VERSION);
  expect(readFileSync('CHANGELOG.md', 'utf8')).toMatch(new RegExp(`^## ${VERSION.replaceAll('.', '\\.')}\\b`, 'm'));
});
