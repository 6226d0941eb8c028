import { PASS_TIME_LIMIT_SECONDS } from '../../functions/guard/model/lease.ts';
import { type FleetSettings, parseSettings } from '../../functions/guard/settings/schema.ts';
import { MEMORY_MB } from '../../infra/guard-function.ts';
import { type FleetRunFigures, simulateRun } from './fleet-run.ts';
import { type Figure, figure, heapOf, memoryIn, runBundle } from './measure.ts';
import type { Services } from './services.ts';

/**
 * The load of a fleet on AWS: runs in virtual time, and one environment of the pass function that gets every project.
 */

const INTERVAL_SECONDS = 5 * 60;

/** Limit of Step Functions for a variable, a result and the items of a map. */
export const PAYLOAD_QUOTA_BYTES = 256 * 1_024;
/** Limit of entries in one execution's history. */
export const HISTORY_QUOTA = 25_000;

/** Duration of a list of secrets, and of a quiet pass including occasional cold starts; assumed, on the high side. */
const PAGE_SECONDS = 0.25;
const PASS_SECONDS = 0.5;
/** One project in this many has a revoked key. */
const FAILS_ONE_IN = 50;
/** In some runs, one project in this many has an API that hangs until the pass gives up. */
const HANGS_ONE_IN = 1_000;

/** Simulates a run over this many projects. */
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
  if (fleet === undefined) throw new Error('the settings have no fleet');
  return fleet;
}

/** Duration and requests of runs, by projects and concurrency. */
export async function measureRuns(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [projects, concurrency] of RUNS) {
    const what = `${projects.toLocaleString('en-US')} projects, ${concurrency} at once: a run, in virtual time`;
    const calm = await simulateFleet(projects, concurrency);
    figures.push(figure('fleet', what, 's', calm.seconds, { atMost: INTERVAL_SECONDS }));
    const { seconds } = await simulateFleet(projects, concurrency, true);
    figures.push(figure('fleet', `the same, if one API in a thousand hangs`, 's', seconds, null));
  }
  const run = await simulateFleet(10_000, 100);
  const of = (counted: string) => `10,000 projects: ${counted}`;
  return [
    ...figures,
    figure('fleet', of('requests for pages of secrets'), '', run.pages, { atMost: 200 }),
    figure('fleet', of('bytes of the largest state'), '', run.maxBytes, { atMost: PAYLOAD_QUOTA_BYTES }),
    figure('fleet', of("entries of the run's history"), '', run.historyEvents, { atMost: HISTORY_QUOTA }),
    figure('fleet', of('state transitions of the run itself'), '', run.transitions, null),
  ];
}

/** The default concurrency is enough for a thousand projects within five minutes; ten thousand need more. */
const RUNS = [
  [100, 20],
  [1_000, 20],
  [10_000, 100],
] as const;

/** Measures the real bundle, as if one environment got every project twice. */
export async function measureEnvironment(services: Services, projects: number): Promise<readonly Figure[]> {
  const settings = { fleet: createFleetSettings(`${services.origin}/v4`, 20) };
  const once = `Array.from({ length: ${projects} }, (_, index) => 'customer-number-' + String(index).padStart(8, '0'))`;
  const work = { entry: 'fleet-pass', settings, integrations: 10 } as const;
  const requestsOf = async () => {
    const counts = await services.set({ integrations: 0, failing: 0, latencyMs: 0, perSecond: null });
    return counts.lists + counts.queries + counts.secrets + counts.describes + counts.writes + counts.publishes;
  };
  // The first pass over a project writes a record of it.
  await runBundle(services, { ...work, names: once }, heapOf(MEMORY_MB));
  await requestsOf();
  await runBundle(services, { ...work, names: once }, heapOf(MEMORY_MB));
  const first = await requestsOf();
  const { stderr } = await runBundle(services, { ...work, names: `[...${once}, ...${once}]` }, heapOf(MEMORY_MB));
  const both = await requestsOf();
  const of = (counted: string) => `one environment, ${projects.toLocaleString('en-US')} projects: ${counted}`;
  return [
    figure('fleet', of('requests of a first pass'), '', first / projects, { atMost: 4 }),
    figure('fleet', of('requests of a second pass within 15 minutes'), '', (both - first) / projects, { atMost: 2 }),
    figure('fleet', of('peak memory'), 'MB', memoryIn(stderr), { atMost: MEMORY_MB }),
  ];
}
