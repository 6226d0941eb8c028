import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { table } from '../../cli/format.ts';
import { SettingsError } from '../../guard/errors.ts';
import { type Policy, parseSettings } from '../../guard/settings/schema.ts';
import { figuresOf, type Lives } from './figures.ts';
import { liveAll } from './parallel.ts';

/**
 * Policies side by side in the same realistic worlds:
 * `npm run worlds -- [--days 30] [--integrations 200] [--seeds 1,2,3] [--policy FILE]… [--json]`. A file holds a `policy` of
 * the settings; the defaults always come first. Each policy lives through each world twice, in enforce and in observe mode.
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
const tasks = policies.flatMap(({ name, policy }) =>
  (['enforce', 'observe'] as const).flatMap((mode) => {
    const parsed = parsePolicy(name, { ...policy, mode });
    return seeds.map((seed) => ({ options: { seed, integrations, days }, policy: parsed }));
  }),
);
const lives = await liveAll(tasks);
const compared = policies.map(({ name }, index): Lives => {
  const from = 2 * index * seeds.length;
  const enforced = lives.slice(from, from + seeds.length);
  return { name, enforced, observed: lives.slice(from + seeds.length, from + 2 * seeds.length) };
});

const columns = compared.map((lives) => ({ name: lives.name, figures: figuresOf(lives) }));
if (values.json) {
  console.log(JSON.stringify({ days, integrations, seeds, policies: columns }, null, 2));
} else {
  const labels = columns[0]?.figures.map(({ label }) => label) ?? [];
  const rows = labels.map((label, index) => [label, ...columns.map(({ figures }) => figures[index]?.text ?? '')]);
  const head = [`${integrations} INTEGRATIONS, PER 30 DAYS`, ...columns.map(({ name }) => name.toUpperCase())];
  console.log(table(head, rows, 120, 0));
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
