import { PASS_TIME_LIMIT_SECONDS } from '../../functions/guard/model/lease.ts';
import { type FleetSettings, parseSettings } from '../../functions/guard/settings/schema.ts';
import { MEMORY_MB } from '../../infra/guard-function.ts';
import { type FleetRunFigures, simulateRun } from './fleet-run.ts';
import { type Figure, figure, heapOf, memoryIn, runBundle } from './measure.ts';
import type { Services } from './services.ts';

/** What a fleet asks of AWS: runs in virtual time, and one environment of the pass function that gets every project. */

const INTERVAL_SECONDS = 5 * 60;

/** What Step Functions takes in a variable, a result or the items of a map. */
export const PAYLOAD_QUOTA_BYTES = 256 * 1_024;
/** Entries of one execution's history. */
export const HISTORY_QUOTA = 25_000;

/** A list of secrets, and a pass that finds everything well, its function started new now and then; assumed, on the high side. */
const PAGE_SECONDS = 0.25;
const PASS_SECONDS = 0.5;
/** One in so many cannot be guarded: a key that was revoked. */
const FAILS_ONE_IN = 50;
/** One project in so many has an API that hangs until the pass gives up, in the runs where some do. */
const HANGS_ONE_IN = 1_000;

/** A run over so many projects. */
export function simulateFleet(projects: number, concurrency: number, someHang = false): Promise<FleetRunFigures> {
  const isOneIn = (many: number, project: string) => Number(/\d+$/.exec(project)?.[0]) % many === 0;
  return simulateRun(createFleetSettings('https://api.qonversion.io/v4', concurrency), {
    secrets: Array.from({ length: projects }, (_, index) => `${PREFIX}${nameOf(index)}`),
    pageSeconds: PAGE_SECONDS,
    passSeconds: (project) => (someHang && isOneIn(HANGS_ONE_IN, project) ? PASS_TIME_LIMIT_SECONDS : PASS_SECONDS),
    failure: (project) => (isOneIn(FAILS_ONE_IN, project) ? 'its key was revoked' : null),
  });
}

const PREFIX = 'qonversion/';
const nameOf = (index: number) => `customer-number-${String(index).padStart(8, '0')}`;

export function createFleetSettings(apiUrl: string, concurrency: number): FleetSettings {
  const { fleet } = parseSettings({ fleet: { secretNamePrefix: PREFIX, apiUrl, concurrency } });
  if (fleet === undefined) throw new Error('there is a fleet');
  return fleet;
}

/** How long runs take and what they ask for, by projects and concurrency. */
export async function measureRuns(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [projects, concurrency] of RUNS) {
    const what = `${projects.toLocaleString('en-US')} projects, ${concurrency} at once: a run, in virtual time`;
    const calm = await simulateFleet(projects, concurrency);
    figures.push(figure('fleet', what, 's', calm.seconds, { atMost: INTERVAL_SECONDS }));
    const { seconds } = await simulateFleet(projects, concurrency, true);
    figures.push(figure('fleet', `the same, when one API in a thousand hangs`, 's', seconds, null));
  }
  const run = await simulateFleet(10_000, 100);
  const of = (counted: string) => `10,000 projects: ${counted}`;
  return [
    ...figures,
    figure('fleet', of('requests for pages of secrets'), '', run.pages, { atMost: 200 }),
    figure('fleet', of('the most bytes in a state'), '', run.mostBytes, { atMost: PAYLOAD_QUOTA_BYTES }),
    figure('fleet', of("entries of the run's history"), '', run.historyEvents, { atMost: HISTORY_QUOTA }),
    figure('fleet', of('state transitions of the run itself'), '', run.transitions, null),
  ];
}

/** The default takes a thousand within five minutes; ten thousand ask for more. */
const RUNS = [
  [100, 20],
  [1_000, 20],
  [10_000, 100],
] as const;

/** The real bundle, as if one environment got every project, and the same ones again. */
export async function measureEnvironment(services: Services, projects: number): Promise<readonly Figure[]> {
  const settings = { fleet: createFleetSettings(`${services.origin}/v4`, 20) };
  const once = `Array.from({ length: ${projects} }, (_, index) => 'customer-number-' + String(index).padStart(8, '0'))`;
  const work = { entry: 'fleet-pass', settings, integrations: 10 } as const;
  const requestsOf = async () => {
    const counts = await services.set({ integrations: 0, failing: 0, latencyMs: 0, perSecond: null });
    return counts.lists + counts.queries + counts.secrets + counts.looks + counts.writes + counts.publishes;
  };
  // The first look at a project writes down what it has listed.
  await runBundle(services, { ...work, names: once }, heapOf(MEMORY_MB));
  await requestsOf();
  await runBundle(services, { ...work, names: once }, heapOf(MEMORY_MB));
  const first = await requestsOf();
  const { stderr } = await runBundle(services, { ...work, names: `[...${once}, ...${once}]` }, heapOf(MEMORY_MB));
  const both = await requestsOf();
  const of = (counted: string) => `one environment, ${projects.toLocaleString('en-US')} projects: ${counted}`;
  return [
    figure('fleet', of('requests of a first pass'), '', first / projects, { atMost: 4 }),
    figure('fleet', of('requests of one within 15 minutes'), '', (both - first) / projects, { atMost: 2 }),
    figure('fleet', of('the most memory'), 'MB', memoryIn(stderr), { atMost: MEMORY_MB }),
  ];
}
