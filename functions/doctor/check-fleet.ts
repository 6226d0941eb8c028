import { findWithoutEffectOnFleet } from '../guard/policy/without-effect.ts';
import type { Clock } from '../guard/ports.ts';
import { PROJECT_TAG } from '../guard/settings/fleet.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { plural } from '../guard/text/sanitize.ts';
import { describeMinutes, describeMoment, minutesBetween } from '../guard/text/time.ts';
import { checkSchedule, MAX_INTERVALS, notYetDue } from './check-schedule.ts';
import { checkManySafely, checkSafely, type Finding, ok, problem, warning } from './finding.ts';
import type { FleetFacts } from './inspect-stack.ts';

/** Checks of a deployed stack's fleet: its secrets, its schedule, its runs. */

/**
 * @param deployedAt the time of the last deployment; null: unknown
 * @param intervalMinutes minutes between two runs, from the settings
 */
export async function checkFleet(
  facts: FleetFacts,
  deployedAt: string | null,
  settings: Settings,
  intervalMinutes: number,
  clock: Clock,
): Promise<readonly Finding[]> {
  const now = clock.now().toISOString();
  return [
    ...(await checkManySafely('fleet', () => checkSecrets(facts, settings))),
    await checkSafely(SCHEDULE, async () => checkSchedule(await facts.schedules(), SCHEDULE)),
    ...(await checkManySafely(RUNS, () => checkRuns(facts, deployedAt, intervalMinutes, now))),
  ];
}

const SCHEDULE = 'schedule of the fleet';
const RUNS = 'runs over the fleet';

async function checkSecrets(facts: FleetFacts, settings: Settings): Promise<readonly Finding[]> {
  const secrets = await facts.secrets();
  const projects = secrets.filter(({ project }) => project !== null);
  const odd = secrets.filter(({ project, policy }) => project === null || policy === null);
  const { fleet } = settings;
  const idle =
    fleet === undefined || projects.length === 0
      ? []
      : findWithoutEffectOnFleet(
          { ...settings, fleet },
          new Set(secrets.map(({ policy }) => policy)),
          new Set(projects.flatMap(({ project }) => project ?? [])),
        );
  return [
    projects.length === 0
      ? problem(
          'fleet',
          `It has no project: no secret has the tag ${PROJECT_TAG} and a name of the fleet.`,
          'Give a secret the tag.',
        )
      : ok('fleet', `It has ${plural(projects.length, 'project')}. \`integration-guard projects\` shows them.`),
    ...odd
      .slice(0, MAX_ODD)
      .map(({ secretName, project, because }) =>
        project === null
          ? warning(
              'fleet',
              `Secret "${secretName}" has the tag but is not a project of the fleet: ${because}.`,
              'Remove the tag, or fix what the message names.',
            )
          : problem(
              'fleet',
              `Project "${project}" is not guarded: ${because}.`,
              'Fix it. The guard sees that within 15 minutes.',
            ),
      ),
    ...(odd.length <= MAX_ODD
      ? []
      : [
          warning('fleet', `${odd.length - MAX_ODD} more such secrets.`, '`npx integration-guard projects` shows all.'),
        ]),
    ...idle.map(({ path, message, action }) => warning('fleet', `${path} ${message}`, action)),
  ];
}

/** Up to this many faulty secrets are named one by one. */
const MAX_ODD = 5;

async function checkRuns(
  facts: FleetFacts,
  deployedAt: string | null,
  intervalMinutes: number,
  now: string,
): Promise<readonly Finding[]> {
  const runs = await facts.runs();
  const [latest] = runs.filter(({ endedAt }) => endedAt !== null);
  const completed = runs.find(({ status }) => status === 'SUCCEEDED');
  if (completed === undefined || completed.endedAt === null) {
    if (latest !== undefined)
      return [problem(RUNS, `None was completed. The last one ended as ${latest.status}.`, LOOK_AT_RUN)];
    return [notYetDue(RUNS, deployedAt, intervalMinutes, now) ?? problem(RUNS, 'None has ended yet.', LOOK_AT_RUN)];
  }
  const ago = minutesBetween(completed.endedAt, now);
  const when = `at ${describeMoment(completed.endedAt, now)}, ${describeMinutes(ago)} ago`;
  if (ago > MAX_INTERVALS * intervalMinutes)
    return [
      notYetDue(RUNS, deployedAt, intervalMinutes, now) ??
        problem(RUNS, `The last one was completed ${when}.`, LOOK_AT_RUN),
    ];
  const { total, failed } = await facts.passesOf(completed);
  return [
    ok(RUNS, `The last one was completed ${when}, with ${plural(total, 'pass', 'passes')}.`),
    ...(latest === undefined || latest === completed
      ? []
      : [problem(RUNS, `The one after it ended as ${latest.status}.`, LOOK_AT_RUN)]),
    ...(failed === 0
      ? []
      : [
          warning(
            RUNS,
            `${failed} of ${plural(total, 'pass', 'passes')} could not run.`,
            'The guard-failing alerts name the projects and the reasons. `npx integration-guard doctor --project NAME` checks one.',
          ),
        ]),
  ];
}

const LOOK_AT_RUN = 'Look at the execution in Step Functions: which state failed, and why.';
