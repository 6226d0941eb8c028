import { writeFileSync } from 'node:fs';
import { availableParallelism, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { table } from '../../functions/cli/format.ts';
import { drawChart } from './chart.ts';
import { describeColdStarts, describeCost, MEASURED, type Measured } from './cost.ts';
import { measureDigest } from './digest.ts';
import { measureEnvironment, measureRuns, simulateFleet } from './fleet.ts';
import {
  type Figure,
  measureBusy,
  measureColdStart,
  measureGrowth,
  measureLimit,
  measureMemory,
  measurePass,
  measureQuiet,
  meets,
} from './measure.ts';
import { startServices } from './services.ts';

/**
 * `npm run bench`: every figure with its aim. `--size quick` takes a minute; `--write` writes the results into docs/.
 * `--cost` measures nothing, and writes docs/cost.md from the last measurements.
 */

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'full' },
    write: { type: 'boolean', default: false },
    cost: { type: 'boolean', default: false },
  },
});
const toFile = (name: string) => fileURLToPath(new URL(name, import.meta.url));
if (values.cost) {
  writeFileSync(toFile('../../docs/cost.md'), describeCost(MEASURED));
  process.exit();
}
const quick = values.size === 'quick';
const rounds = quick ? 5 : 15;

const services = await startServices();
const figures: Figure[] = [];
const show = async (name: string, measured: Promise<readonly Figure[]>) => {
  process.stderr.write(`${name} …\n`);
  figures.push(...(await measured));
};
await show('quiet pass', measureQuiet(services, quick ? [100, 1_000] : [100, 1_000, 10_000], rounds));
await show('busy pass', measureBusy(services, [5, 50], quick ? 1 : 3));
await show('rate limit', measureLimit(services));
process.stderr.write('cold start …\n');
const { figures: ofColdStart, ...loads } = await measureColdStart(quick ? 7 : 21);
figures.push(...ofColdStart);
await show('memory', measureMemory(services, [1_000, 10_000]));
const growth = await measureGrowth(
  services,
  quick ? [10, 100, 1_000, 10_000] : [10, 100, 1_000, 10_000, 100_000],
  quick ? 3 : 7,
);
figures.push(...growth.figures);
await show('fleet', measureRuns());
await show('digest', measureDigest(quick ? [1_000] : [1_000, 10_000]));
await show('fleet, one environment', measureEnvironment(services, quick ? 500 : 10_000));
const passes = await measurePass(services);
await services.stop();

const rows = figures.map((figure) => [
  figure.part,
  figure.what,
  format(figure.value, figure.unit),
  describeAim(figure),
  { true: 'met', false: 'NOT MET', null: '' }[String(meets(figure)) as 'true' | 'false' | 'null'],
]);
const head = ['PART', 'WHAT', 'FIGURE', 'AIM', ''];
console.log(table(head, rows, 140, 1));

if (values.write) {
  const run = await simulateFleet(10_000, 100);
  const measured: Measured = { ...passes, ...loads, transitions: run.transitions / run.passes.length };
  const machine = `${availableParallelism()} cores, ${type()} ${process.arch}, Node ${process.version}`;
  const lines = [
    '# Benchmarks',
    '',
    '`npm run bench -- --write` generates this page. The bench runs on loopback, against services in a separate process. They answer after',
    `an injected latency and do nothing else (${machine}). Times on shared machines have no meaning alone, so the bench compares`,
    'each with its lower bound, measured alternately in the same run. [The notes below](#notes) explain the aims.',
    '',
    '| part | what | figure | aim | |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
    '![Figures relative to their aims, and the time by number of integrations](bench.svg)',
    '',
    NOTES(measured),
  ];
  writeFileSync(toFile('../../docs/bench.md'), lines.join('\n'));
  writeFileSync(toFile('measured.json'), `${JSON.stringify(measured, null, 2)}\n`);
  writeFileSync(toFile('../../docs/cost.md'), describeCost(measured));
  writeFileSync(toFile('../../docs/bench.svg'), drawChart(figures, growth.points));
}

function format(value: number, unit: string): string {
  const digits = unit === '×' || (unit === '' && !Number.isInteger(value)) ? 2 : unit === 'µs' ? 1 : 0;
  return `${value.toFixed(digits)}${unit === '' ? '' : ` ${unit}`}`;
}

function describeAim({ aim, unit }: Figure): string {
  if (aim === null) return '';
  return 'atMost' in aim ? `≤ ${aim.atMost} ${unit}`.trim() : `≥ ${aim.atLeast} ${unit}`.trim();
}

function NOTES(measured: Measured): string {
  return `## Notes

- **Quiet pass.** The bound is a bare \`fetch\` and \`JSON.parse\` of the same list beside one query of the SDK: the slower of the two counts.
  A quiet pass makes one list request and one query, in parallel, and no write. \`npm test\` also asserts the number of requests.
- **Busy pass.** Law 1 (write the attempt, send the request, publish, write the outcome) needs sequential round trips: for the list, for
  attempts, pauses and outcomes eight at a time, and for alerts ten at a time. The bound is their number times one round trip. The guard
  also lists a second time ([decision 4](decisions/0004-re-list-before-writing.md)), writes the history, and sends four batches of alerts
  in parallel.
${describeColdStarts(measured)}- **Memory.** The peak resident memory of a Node process that loads the real bundle and runs three passes, with the same heap size as in
  Lambda.
- **Fleet.** A run evaluates the definition and expressions of the deployed state machine, in virtual time. It assumes 0.25 s for a page
  of secrets and 0.5 s for a pass. An API that hangs occupies a pass for its limit of two minutes, and one key in fifty is revoked. The
  counts are exact, and \`npm test\` asserts them; [fleet.md](fleet.md) compares them with AWS's quotas. The environment is the real bundle
  with 256 MB, as if it alone got every project, twice.
- **Digest.** The release of a run's alerts by the real code, with the table in an emulator that is slower than DynamoDB. Before, each project sent a
  message of its own.
- **Rate limit.** The limit applies to status requests. After a 429, the guard sends at half of the rate that succeeded in the second
  before, and raises it by one request per second each second. The rest of the limit remains for other clients of the same key: here, two
  requests per second.
`;
}
