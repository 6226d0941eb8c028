import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { table } from '../../cli/format.ts';
import { SettingsError } from '../../guard/errors.ts';
import { type Policy, parseSettings } from '../../guard/settings/schema.ts';
import { plural } from '../../guard/text/sanitize.ts';
import { figuresOf, harmDone, type Lives } from './figures.ts';
import { liveUnder } from './parallel.ts';

/**
 * Policies side by side in the same realistic worlds:
 * `npm run worlds -- [--days 30] [--integrations 200] [--seeds 1,2,3] [--policy FILE]… [--json] [--check]`. A file holds a `policy` of
 * the settings; the defaults always come first. Each policy lives through each world twice, in enforce and in observe mode.
 * With `--check` it exits with 1 when the defaults do harm (law 8).
 */
const USAGE = 'expected whole numbers above 0 for --days, --integrations and --seeds (separated by commas)';

const values = readOptions();
const days = Number(values.days);
const integrations = Number(values.integrations);
const seeds = values.seeds.split(',').map(Number);
if (![days, integrations, ...seeds].every((number) => Number.isInteger(number) && number > 0)) fail(USAGE);

const policies = [
  { name: 'defaults', policy: {} },
  ...(await Promise.all(values.policy.map(async (file) => ({ name: file, policy: await readPolicy(file) })))),
];
const lives = await liveUnder(
  policies.flatMap(({ name, policy }) =>
    (['enforce', 'observe'] as const).map((mode) => parsePolicy(name, { ...policy, mode })),
  ),
  seeds.map((seed) => ({ seed, integrations, days })),
);
const compared = policies.map(
  ({ name }, index): Lives => ({ name, enforced: lives[2 * index] ?? [], observed: lives[2 * index + 1] ?? [] }),
);

const columns = compared.map((lives) => ({ name: lives.name, figures: figuresOf(lives) }));
if (values.json) {
  console.log(JSON.stringify({ days, integrations, seeds, policies: columns }, null, 2));
} else {
  const labels = columns[0]?.figures.map(({ label }) => label) ?? [];
  const rows = labels.map((label, index) => [label, ...columns.map(({ figures }) => figures[index]?.text ?? '')]);
  const head = [
    `${plural(integrations, 'integration')}, per 30 days`.toUpperCase(),
    ...columns.map(({ name }) => name.toUpperCase()),
  ];
  console.log(table(head, rows, 120, 0));
}
if (values.check) {
  const harm = harmDone(columns[0]?.figures ?? []);
  for (const sentence of harm) console.error(sentence);
  if (harm.length > 0) process.exitCode = 1;
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        days: { type: 'string', default: '30' },
        integrations: { type: 'string', default: '200' },
        seeds: { type: 'string', default: '1,2,3' },
        policy: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

async function readPolicy(file: string): Promise<object> {
  try {
    const document: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) return document;
  } catch (error) {
    fail(`${file} cannot be read as JSON: ${error instanceof Error ? error.message : error}`);
  }
  return fail(`${file}: expected an object such as { "errorThreshold": 50 }`);
}

function parsePolicy(name: string, policy: object): Policy {
  try {
    const settings = parseSettings({ projects: { simulated: { secretName: 'simulated', policy } } }, name);
    const [project] = Object.values(settings.projects);
    if (project !== undefined) return project.policy;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    fail(error.message);
  }
  return fail(`${name} holds no policy`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
