import { lintEverything } from './lint.ts';

/** `npm run lint:prose`. */
const faults = await lintEverything();
for (const { file, line, message } of faults) console.log(`${file}:${line}: ${message}`);
console.log(faults.length === 0 ? 'The prose has no faults.' : `${faults.length} faults. test/prose has the rules.`);
process.exitCode = faults.length === 0 ? 0 : 1;
