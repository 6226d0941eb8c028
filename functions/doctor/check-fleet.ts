import type { Clock } from '../guard/ports.ts';
import { PROJECT_TAG } from '../guard/settings/fleet.ts';
import { plural } from '../guard/text/sanitize.ts';
import { describeMinutes, describeMoment, minutesBetween } from '../guard/text/time.ts';
import { checkSchedule } from './check-schedule.ts';
import { checkManySafely, checkSafely, type Finding, ok, problem, warning } from './finding.ts';
import type { FleetFacts } from './inspect-stack.ts';

/** Checks of a deployed stack's fleet: its secrets, its schedule, its runs. */

/** `intervalMinutes`: minutes between two runs, by the settings. */
export async function checkFleet(
  facts: FleetFacts,
  intervalMinutes: number,
  clock: Clock,
): Promise<readonly Finding[]> {
  const schedule = 'schedule of the fleet';
  return [
    ...(await checkManySafely('fleet', () => checkSecrets(facts))),
    await checkSafely(schedule, async () => checkSchedule(await facts.schedules(), schedule)),
    ...(await checkManySafely(RUNS, () => checkRuns(facts, intervalMinutes, clock))),
  ];
}

const RUNS = 'runs over the fleet';

async function checkSecrets(facts: FleetFacts): Promise<readonly Finding[]> {
  const secrets = await facts.secrets();
  const projects = secrets.filter(({ project }) => project !== null);
  const odd = secrets.filter(({ project, policy }) => project === null || policy === null);
  return [
    projects.length === 0
      ? problem('fleet', `no project: no secret has the tag ${PROJECT_TAG} and a name of the fleet`, 'tag one')
      : ok('fleet', `${plural(projects.length, 'project')}; \`integration-guard projects\` shows them`),
    ...odd
      .slice(0, MAX_ODD)
      .map(({ secretName, project, because }) =>
        project === null
          ? warning(
              'fleet',
              `secret "${secretName}" has the tag and is not a project of the fleet: ${because}`,
              FIX_SECRET,
            )
          : problem(
              'fleet',
              `project "${project}" is not guarded: ${because}`,
              'mend it; that is seen within 15 minutes',
            ),
      ),
    ...(odd.length <= MAX_ODD
      ? []
      : [
          warning(
            'fleet',
            `${odd.length - MAX_ODD} more such`,
            'ask `npx integration-guard projects`, which shows all',
          ),
        ]),
  ];
}

/** Of so many secrets that are not as they should be, each is named. */
const MAX_ODD = 5;

const FIX_SECRET = 'take the tag off, or mend what it says';

async function checkRuns(facts: FleetFacts, intervalMinutes: number, clock: Clock): Promise<readonly Finding[]> {
  const runs = await facts.runs();
  const [latest] = runs.filter(({ endedAt }) => endedAt !== null);
  const completed = runs.find(({ status }) => status === 'SUCCEEDED');
  if (completed === undefined || completed.endedAt === null) {
    const says =
      latest === undefined ? 'none has ended yet' : `none was completed; the last one ended as ${latest.status}`;
    return [problem(RUNS, says, LOOK_AT_RUN)];
  }
  const now = clock.now().toISOString();
  const ago = minutesBetween(completed.endedAt, now);
  const when = `completed at ${describeMoment(completed.endedAt, now)}, ${describeMinutes(ago)} ago`;
  if (ago > 3 * intervalMinutes) return [problem(RUNS, `the last one was ${when}`, LOOK_AT_RUN)];
  const { total, failed } = await facts.passesOf(completed);
  return [
    ok(RUNS, `the last one was ${when}, with ${plural(total, 'pass', 'passes')}`),
    ...(latest === undefined || latest === completed
      ? []
      : [problem(RUNS, `the one after it ended as ${latest.status}`, LOOK_AT_RUN)]),
    ...(failed === 0
      ? []
      : [
          warning(
            RUNS,
            `${failed} of ${plural(total, 'pass', 'passes')} could not run`,
            'the guard-failing alerts say of which project, and why; or ask `npx integration-guard doctor --project NAME`',
          ),
        ]),
  ];
}

const LOOK_AT_RUN = 'look at the execution in Step Functions: which state failed, and why';
