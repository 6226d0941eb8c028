import { DEFAULT_SCHEDULE_GROUP } from '../aws/metric-names.ts';
import type { Clock } from '../guard/ports.ts';
import { scheduleMinutes } from '../guard/settings/formats.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { plural } from '../guard/text/sanitize.ts';
import { describeMinutes, describeMoment, latest, minutesBetween } from '../guard/text/time.ts';
import { VERSION } from '../guard/version.ts';
import { checkAwsClock } from './check-clock.ts';
import { checkFleet } from './check-fleet.ts';
import type { ProjectCheck } from './check-project.ts';
import { checkSchedule, isFresh, notYetDue, usualMinutes } from './check-schedule.ts';
import { checkManySafely, checkSafely, type Finding, ok, problem, warning } from './finding.ts';
import type { StackFacts, StackSchedule } from './inspect-stack.ts';

/** Checks of a deployed stack: schedules, last passes, subscriptions, dead letters, alarms. */

/** The part of the doctor's input that these checks need. */
interface StackInput {
  readonly settings: Settings;
  readonly projects: readonly ProjectCheck[];
  readonly clock: Clock;
  /** Projects without a usable key. Another finding already says that their passes fail. */
  readonly withoutKey: ReadonlySet<string>;
}

/** A missing permission becomes a finding. */
export async function checkStack(facts: StackFacts, input: StackInput): Promise<readonly Finding[]> {
  const { settings, projects, clock, withoutKey } = input;
  const minutes = scheduleMinutes(settings.schedule) ?? 5;
  const now = clock.now().toISOString();
  const several = projects.length > 1;
  const findings: Finding[] = [
    ...checkDeployment(facts, now),
    checkVersion(facts.version),
    ...checkAwsClock('clock', facts.clockAheadMs),
  ];
  for (const { name, ofFleet } of projects) {
    if (ofFleet) continue;
    const of = (check: string) => (several ? `${check} of ${name}` : check);
    let schedules: readonly StackSchedule[] = [];
    findings.push(
      await checkSafely(of('schedule'), async () => {
        schedules = await facts.schedules(name);
        return checkSchedule(schedules, of('schedule'));
      }),
    );
    const [schedule] = schedules;
    if (withoutKey.has(name) || schedule === undefined || schedule.group === DEFAULT_SCHEDULE_GROUP) continue;
    const begun = beginningOf(facts, schedules);
    findings.push(
      await checkSafely(of('last pass'), () =>
        checkLastPass(facts, schedule.group, of('last pass'), begun, minutes, now),
      ),
    );
  }
  if (facts.fleet !== null)
    findings.push(...(await checkFleet(facts.fleet, facts.deployedAt, settings, minutes, clock)));
  findings.push(...(await checkManySafely('subscriptions', () => checkSubscriptions(facts))));
  findings.push(await checkSafely('deliveries', () => checkDeliveries(facts)));
  findings.push(await checkSafely('dead letters', () => checkDeadLetters(facts)));
  findings.push(...(await checkManySafely('incidents', () => checkIncidents(facts))));
  findings.push(await checkSafely('alarms', () => checkAlarms(facts, minutes, now)));
  return findings;
}

/** The schedule of a project that was added later is younger than the stack's last deployment. */
function beginningOf({ deployedAt }: StackFacts, schedules: readonly StackSchedule[]): string | null {
  return deployedAt === null ? null : latest(deployedAt, ...schedules.map(({ createdAt }) => createdAt));
}

function checkDeployment({ status, deployedAt }: StackFacts, now: string): readonly Finding[] {
  const check = 'deployment';
  const when = deployedAt === null ? '' : `, ${describeMinutes(minutesBetween(deployedAt, now))} ago`;
  if (/ROLLBACK|FAILED/.test(status))
    return [
      problem(
        check,
        `CloudFormation says ${status}${when}: the last deployment failed, so the deployed version is older than your settings.`,
        'Look at the events of the stack in CloudFormation, fix what they name, and deploy again.',
      ),
    ];
  if (/IN_PROGRESS/.test(status))
    return [
      warning(check, `CloudFormation says ${status}${when}.`, 'Wait until it has ended, then run the doctor again.'),
    ];
  return [ok(check, `CloudFormation says ${status}${when}.`)];
}

function checkVersion(deployed: string | null): Finding {
  const check = 'version';
  if (deployed === VERSION) return ok(check, `Stack and command line are of version ${VERSION}.`);
  const message = `The stack is of ${deployed === null ? 'a version before 0.2.0' : `version ${deployed}`}, and this command line of ${VERSION}.`;
  const other = deployed === null ? '' : `, or use \`npx integration-guard@${deployed}\``;
  return warning(check, message, `Deploy the stack with this version${other}.`);
}

/** A shorter time would hide when passes stopped. */
const MIN_LOOK_BACK_MINUTES = 24 * 60;

async function checkLastPass(
  facts: StackFacts,
  scheduleGroup: string,
  check: string,
  begun: string | null,
  intervalMinutes: number,
  now: string,
): Promise<Finding> {
  const usual = usualMinutes(intervalMinutes);
  const lookBack = Math.max(MIN_LOOK_BACK_MINUTES, Math.ceil(usual));
  const last = await facts.lastPass(scheduleGroup, lookBack);
  const ago = last === null ? null : minutesBetween(last, now);
  const when = last === null ? '' : `at ${describeMoment(last, now)}, ${describeMinutes(ago ?? 0)} ago`;
  if (ago !== null && ago <= usual) return ok(check, `Its schedule started it ${when}.`);
  const message =
    last === null
      ? `The schedule has started none for ${describeMinutes(lookBack)}.`
      : `The schedule started the last one ${when}.`;
  return (
    notYetDue(check, begun, intervalMinutes, now) ??
    problem(
      check,
      message,
      'Look at the schedule in EventBridge Scheduler. `npx integration-guard run` runs a pass by hand.',
    )
  );
}

async function checkSubscriptions(facts: StackFacts): Promise<readonly Finding[]> {
  const subscriptions = await facts.subscriptions();
  const subscribers = (topic: 'alerts' | 'alarms') =>
    subscriptions.filter((subscription) => subscription.topic === topic && subscription.confirmed).length;
  const pending = subscriptions.filter(({ confirmed }) => !confirmed);
  const silent = (['alerts', 'alarms'] as const).filter((topic) => subscribers(topic) === 0);
  return [
    ...pending.map(({ topic, protocol, endpoint }) =>
      protocol === 'chat'
        ? problem(
            'subscription',
            `The chat channel of topic ${endpoint} receives no ${topic}: the chat service is not subscribed.`,
            'Authorise the workspace or team in the console of Amazon Q Developer in chat applications, then deploy again.',
          )
        : problem(
            'subscription',
            `${protocol} ${endpoint} receives no ${topic}: it is not confirmed.`,
            'Confirm it by the link in the mail that SNS sent. To get another mail, deploy again after the subscription has expired (two days).',
          ),
    ),
    ...silent.map((topic) =>
      warning('subscriptions', `No one receives ${topic}.`, 'Add a subscription to alerts.subscriptions, and deploy.'),
    ),
    ...(pending.length === 0 && silent.length === 0
      ? [
          ok(
            'subscriptions',
            `${plural(subscribers('alerts'), 'subscriber')} of alerts, ${plural(subscribers('alarms'), 'subscriber')} of alarms, all confirmed.`,
          ),
        ]
      : []),
  ];
}

async function checkDeliveries(facts: StackFacts): Promise<Finding> {
  const failed = await facts.failedNotifications();
  if (failed.length === 0) return ok('deliveries', 'SNS reports no failed delivery within the last day.');
  const topics = failed.map(({ topic, count }) => `${count.toLocaleString('en-US')} of topic ${topic}`).join(', ');
  return warning(
    'deliveries',
    `SNS failed to deliver within the last day: ${topics}.`,
    'Check the subscribed endpoints. The undelivered messages are in the dead-letter queue.',
  );
}

async function checkDeadLetters(facts: StackFacts): Promise<Finding> {
  const count = await facts.deadLetters();
  return count === 0
    ? ok('dead letters', 'The queue is empty.')
    : warning(
        'dead letters',
        `${plural(count, 'message')} could not be delivered.`,
        'Look at them in the queue, fix the endpoint, then delete them.',
      );
}

/** Nothing for a stack without incident tools. */
async function checkIncidents(facts: StackFacts): Promise<readonly Finding[]> {
  const check = 'incidents';
  const incidents = await facts.incidents();
  if (incidents === null) return [];
  const { waiting, deadLetters } = incidents;
  const delayed = waiting.filter(({ count }) => count > 0);
  const findings = [
    ...(deadLetters === 0
      ? []
      : [
          warning(
            check,
            `${plural(deadLetters, 'message')} could not be delivered to an incident tool.`,
            'Look at the dead-letter queue of incidents, fix the cause, open or close the incidents by hand, then delete the messages.',
          ),
        ]),
    ...delayed.map(({ tool, count }) =>
      warning(
        check,
        `${plural(count, 'message')} for ${tool} waits in its queue.`,
        'If it waits for more than a minute, check the connection and the pipe in the EventBridge console.',
      ),
    ),
  ];
  const tools = waiting.map(({ tool }) => tool).join(', ');
  return findings.length > 0 ? findings : [ok(check, `Nothing waits for ${tools}.`)];
}

async function checkAlarms(facts: StackFacts, intervalMinutes: number, now: string): Promise<Finding> {
  const alarms = await facts.alarms();
  if (alarms.length === 0) return ok('alarms', 'None is on.');
  const message = `On: ${alarms.join(', ')}.`;
  // The alarm on missing passes is on until the first one.
  return isFresh(facts.deployedAt, intervalMinutes, now)
    ? warning('alarms', message, 'The stack was deployed recently. Run the doctor again after a few passes.')
    : problem('alarms', message, 'The description of each says what it means and where to look.');
}
