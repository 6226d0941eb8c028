import { expect, it } from 'vitest';
import { entryCandidates } from '../../functions/cli/cdk-app.ts';

it.each([
  ['npx ts-node --prefer-ts-exts bin/shop.ts', ['bin/shop.ts']],
  ['node "src dir/app.js"', ['src dir/app.js']],
  ["node 'src dir/app.mjs' --flag", ['src dir/app.mjs']],
  ['node -r ./register.js --import ./more.mjs dist/bin/app.js', ['dist/bin/app.js']],
  ['node --require=./register.js app.js', ['app.js']],
  ['mvn -e -q compile exec:java', []],
])('the entry file of the app %s', (command, files) => {
  expect(entryCandidates(command)).toEqual(files);
});
