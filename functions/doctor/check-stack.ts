import type { Clock } from '../guard/ports.ts';
import { scheduleMinutes } from '../guard/settings/formats.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { plural } from '../guard/text/sanitize.ts';
import { describeMinutes, describeMoment, minutesBetween } from '../guard/text/time.ts';
import { VERSION } from '../guard/version.ts';
import { checkFleet } from './check-fleet.ts';
import type { ProjectCheck } from './check-project.ts';
import { checkSchedule } from './check-schedule.ts';
import { checkManySafely, checkSafely, type Finding, ok, problem, warning } from './finding.ts';
import type { StackFacts } from './inspect-stack.ts';

/** Checks of a deployed stack: schedules, last passes, subscriptions, dead letters, alarms. */

/** What of the doctor's input these checks need. */
interface StackInput {
  readonly settings: Settings;
  readonly projects: readonly ProjectCheck[];
  readonly clock: Clock;
}

/** Permissions that are missing become findings. */
export async function checkStack(facts: StackFacts, input: StackInput): Promise<readonly Finding[]> {
  const { settings, projects, clock } = input;
  const minutes = scheduleMinutes(settings.schedule) ?? 5;
  const several = projects.length > 1;
  const findings: Finding[] = [checkVersion(facts.version)];
  for (const { name, ofFleet } of projects) {
    if (ofFleet) continue;
    const of = (check: string) => (several ? `${check} of ${name}` : check);
    findings.push(
      await checkSafely(of('schedule'), async () => checkSchedule(await facts.schedules(name), of('schedule'))),
    );
    findings.push(
      await checkSafely(of('last pass'), () => checkLastPass(facts, name, of('last pass'), minutes, clock)),
    );
  }
  if (facts.fleet !== null) findings.push(...(await checkFleet(facts.fleet, minutes, clock)));
  findings.push(...(await checkManySafely('subscriptions', () => checkSubscriptions(facts))));
  findings.push(await checkSafely('dead letters', () => checkDeadLetters(facts)));
  findings.push(await checkSafely('alarms', () => checkAlarms(facts)));
  return findings;
}

function checkVersion(deployed: string | null): Finding {
  const check = 'version';
  if (deployed === VERSION) return ok(check, `stack and command line are of version ${VERSION}`);
  const says = `the stack is of ${deployed === null ? 'a version before 0.2.0' : `version ${deployed}`}, and this command line of ${VERSION}`;
  const other = deployed === null ? '' : `, or use \`npx integration-guard@${deployed}\``;
  return warning(check, says, `deploy the stack with this version${other}`);
}

async function checkLastPass(
  facts: StackFacts,
  project: string,
  check: string,
  intervalMinutes: number,
  clock: Clock,
): Promise<Finding> {
  const now = clock.now().toISOString();
  const last = await facts.lastPass(project);
  const todo = 'look at the log of the pass function; `npx integration-guard run` runs one by hand';
  if (last === null) return problem(check, 'no pass has succeeded for a day', todo);
  const ago = minutesBetween(last, now);
  const says = `succeeded at ${describeMoment(last, now)}, ${describeMinutes(ago)} ago`;
  // Metrics take a few minutes to show.
  return ago > 3 * intervalMinutes + METRIC_DELAY_MINUTES ? problem(check, says, todo) : ok(check, says);
}

const METRIC_DELAY_MINUTES = 5;

async function checkSubscriptions(facts: StackFacts): Promise<readonly Finding[]> {
  const subscriptions = await facts.subscriptions();
  const subscribers = (topic: 'alerts' | 'alarms') =>
    subscriptions.filter((subscription) => subscription.topic === topic && subscription.confirmed).length;
  const pending = subscriptions.filter(({ confirmed }) => !confirmed);
  const nobody = (['alerts', 'alarms'] as const).filter((topic) => subscribers(topic) === 0);
  return [
    ...pending.map(({ topic, protocol, endpoint }) =>
      problem(
        'subscription',
        `${protocol} ${endpoint} gets no ${topic}: it is not confirmed`,
        'confirm it by the link in the mail that SNS sent; deploying anew sends another',
      ),
    ),
    ...nobody.map((topic) =>
      warning('subscriptions', `nobody gets ${topic}`, 'add a subscription to alerts.subscriptions, and deploy'),
    ),
    ...(pending.length === 0 && nobody.length === 0
      ? [
          ok(
            'subscriptions',
            `${plural(subscribers('alerts'), 'subscriber')} of alerts, ${plural(subscribers('alarms'), 'subscriber')} of alarms, all confirmed`,
          ),
        ]
      : []),
  ];
}

async function checkDeadLetters(facts: StackFacts): Promise<Finding> {
  const count = await facts.deadLetters();
  return count === 0
    ? ok('dead letters', 'none')
    : warning(
        'dead letters',
        `${plural(count, 'message')} could not be delivered`,
        'look at them in the queue, mend the endpoint, then delete them',
      );
}

async function checkAlarms(facts: StackFacts): Promise<Finding> {
  const alarms = await facts.alarms();
  return alarms.length === 0
    ? ok('alarms', 'none is on')
    : problem('alarms', `on: ${alarms.join(', ')}`, 'the description of each says what it means and where to look');
}
