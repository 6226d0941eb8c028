import { setTimeout as sleep } from 'node:timers/promises';
import { GetDashboardCommand } from '@aws-sdk/client-cloudwatch';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { CreateSecretCommand, DescribeSecretCommand, UntagResourceCommand } from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  DescribeMapRunCommand,
  DescribeStateMachineCommand,
  ListExecutionsCommand,
  ListMapRunsCommand,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseIncidentTools } from '../../functions/aws/environment.ts';
import { PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { type PagerDuty, startPagerDuty } from '../support/pagerduty.ts';
import { createPipe, type Pipe, type PipeTemplate } from '../support/pipe.ts';
import { ACCOUNT, REGION } from './cloud.ts';
import { type Deployment, deploy, must, STACK } from './deployment.ts';
import { createFleet, keyOf, ODD, PREFIX, PROJECTS, RUNNING, STRANGERS, USUAL } from './fleet-worlds.ts';
import { grantsOf, isAllowed, readPolicies } from './permissions.ts';
import { checkPolicies } from './template-policies.ts';

/** Runs the unchanged app on its schedule over dozens of customers that no setting names. Each step continues from the previous one. */

interface AlertEvent {
  readonly type: string;
  readonly data: { readonly project: string; readonly error?: string };
}

const ROUTING_KEY = '0123456789abcdef0123456789abcdef';

const fleet = createFleet();
const alerts: AlertEvent[] = [];
const mails: string[] = [];
let deployment: Deployment;
let pagerDuty: PagerDuty;
let pipe: Pipe;

beforeAll(async () => {
  pagerDuty = await startPagerDuty();
  deployment = await deploy(fleet.watched);
  const { clients, outputs, template } = deployment;
  const [tool] = parseIncidentTools((await outputs()).IncidentTools ?? '');
  pipe = createPipe(template as unknown as PipeTemplate, /pagerduty/, {
    client: clients.sqs,
    queueUrl: tool?.queueUrl ?? '',
    secrets: { 'pagerduty/guard': ROUTING_KEY },
    endpoint: pagerDuty.url,
  });
});

afterAll(async () => {
  await deployment?.stop();
  await pagerDuty?.stop();
});

const listen = async () => {
  for (const body of await deployment.receive(deployment.eventsQueue)) alerts.push(JSON.parse(body) as AlertEvent);
  mails.push(...(await deployment.receive(deployment.digestsQueue)));
};

/** Lets the pipe work until no message is visible. */
async function drain(): Promise<void> {
  while ((await pipe.poll()) !== null);
}

/** How many projects a mail reports something about. */
function projectsIn(mail: string, heading: string): number {
  const found = new RegExp(`${heading} in (\\d+) of 50 projects`).exec(mail)?.[1];
  return Number(found ?? (mail.includes(heading) ? 1 : 0));
}

/** Incidents that are open in PagerDuty: the project and the problem of each. */
const openIncidents = () =>
  pagerDuty.incidents.flatMap(({ dedupKey, state }) =>
    state === 'resolved' ? [] : [dedupKey.split('/').slice(0, -1).join('/')],
  );

const untilScheduled = (what: string, condition: () => boolean | Promise<boolean>) =>
  deployment.untilScheduled(what, async () => {
    await listen();
    return condition();
  });

/** Finished runs, the latest first. */
async function endedRuns() {
  const { FleetStateMachineArn: stateMachineArn } = await deployment.outputs();
  const { executions = [] } = await deployment.clients.sfn.send(new ListExecutionsCommand({ stateMachineArn }));
  return executions.filter(({ status }) => status !== 'RUNNING');
}

/** Starts a run like the schedule, and waits for it. */
async function runNow(): Promise<void> {
  const { FleetStateMachineArn: stateMachineArn } = await deployment.outputs();
  const { sfn } = deployment.clients;
  const { executionArn } = await sfn.send(new StartExecutionCommand({ stateMachineArn, input: '{}' }));
  while ((await sfn.send(new DescribeExecutionCommand({ executionArn }))).status === 'RUNNING') await sleep(500);
  await listen();
}

async function passesOf(executionArn: string | undefined) {
  const { mapRuns = [] } = await deployment.clients.sfn.send(new ListMapRunsCommand({ executionArn }));
  const [run] = mapRuns;
  return (await deployment.clients.sfn.send(new DescribeMapRunCommand({ mapRunArn: run?.mapRunArn }))).itemCounts;
}

const typesOf = (project: string) => alerts.filter(({ data }) => data.project === project).map(({ type }) => type);
const calls = (action: string) => deployment.cloud.calls.filter((call) => call.action === action);
const keysSeen = () => new Set(deployment.sandbox.requests.map(({ authorization }) => authorization));
const stateOf = (project: string, id: string) => fleet.world(project).get(id)?.active;

describe('a run over the fleet', () => {
  it('starts on schedule and pauses the failing integration of every project', async () => {
    await untilScheduled('a pause in each project', () => USUAL.every((project) => stateOf(project, 'broken') === 0));
    await untilScheduled('the end of the run', async () => (await endedRuns()).length > 0);
    expect(RUNNING.filter((project) => stateOf(project, 'good') !== 1)).toEqual([]);
    await untilScheduled('the alerts', () => alerts.length >= PROJECTS.length);
    for (const project of USUAL) expect(typesOf(project), project).toEqual(['integration.paused']);
  });

  it('applies the policies of tags and names', () => {
    for (const project of [ODD.observed, ODD.trial]) {
      expect(stateOf(project, 'broken')).toBe(1);
      expect(typesOf(project)).toEqual(['integration.would-pause']);
    }
  });

  it('alerts people once for each project that cannot be guarded, and guards the others', () => {
    for (const project of [ODD.revoked, ODD.empty, ODD.lost]) {
      expect(typesOf(project), project).toEqual(['guard.failing']);
    }
    expect(stateOf(ODD.lost, 'broken')).toBe(1);
  });

  it('has a count of projects in Step Functions', async () => {
    const runs = await endedRuns();
    expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 'SUCCEEDED'));
    expect(await passesOf(runs.at(-1)?.executionArn)).toMatchObject({
      total: PROJECTS.length,
      failed: 3,
      succeeded: 47,
    });
  });

  it('causes no error of the function, because people have been alerted', async () => {
    expect(await deployment.cloud.log()).not.toContain('PassUndeliveredError');
  });

  it('sends no alert and writes nothing the second time', async () => {
    const writes = () => calls('dynamodb:PutItem').length + calls('dynamodb:BatchWriteItem').length;
    const before = { alerts: alerts.length, writes: writes() };
    const passesBefore = calls('dynamodb:Query').length;
    await runNow();
    expect(calls('dynamodb:Query').length).toBeGreaterThanOrEqual(passesBefore + PROJECTS.length);
    expect({ alerts: alerts.length, writes: writes() }).toEqual(before);
  });

  it('sends people one mail for all projects', async () => {
    await listen();
    // A run that was interrupted would have left a part of them to the next one.
    expect(mails).toHaveLength(1);
    expect(mails[0]).toContain('PAUSED: 45 Amplitude iOS integrations in 45 of 50 projects');
    expect(mails[0]).toContain('WOULD BE PAUSED: 2 Amplitude iOS integrations in 2 of 50 projects');
    expect(mails[0]).toContain('THE GUARD CANNOT RUN in 3 of 50 projects');
  });

  it('opens one incident for the provider that fails in many projects, and one for each project that cannot be guarded', async () => {
    await drain();
    const own = [ODD.revoked, ODD.empty, ODD.lost].map((project) => `${project}/guard.failing`);
    expect(openIncidents().sort()).toEqual(['(fleet)/provider:Amplitude', ...own].sort());
  });

  it('never reads or sends a secret that is no project', () => {
    const touched = new Set(deployment.cloud.calls.map(({ resource }) => resource));
    for (const stranger of Object.values(STRANGERS)) expect(touched).not.toContain(stranger);
    const expected = [...RUNNING, ODD.revoked].map((project) => `Bearer ${keyOf(project)}`);
    expect([...keysSeen()].sort()).toEqual(expected.sort());
  });
});

// A pass repeats its requests for a while.
describe('Qonversion fails for all projects', { timeout: 400_000 }, () => {
  it('people get one mail for the run, and PagerDuty one incident', async () => {
    const [before, runs, incidents] = [mails.length, (await endedRuns()).length, pagerDuty.incidents.length];
    deployment.sandbox.faults.add({ fault: { kind: 'status', status: 503 } });
    await runNow();
    const reported = () => mails.slice(before).reduce((sum, mail) => sum + projectsIn(mail, 'THE GUARD CANNOT RUN'), 0);
    await untilScheduled('a mail about each project', () => reported() === RUNNING.length);
    // A scheduled run may overlap.
    expect(mails.length - before).toBeLessThanOrEqual((await endedRuns()).length - runs);
    await drain();
    // It is opened, and the three of single projects become a part of it.
    expect(openIncidents().sort()).toEqual(['(fleet)/provider:Amplitude', '(fleet)/provider:Qonversion']);
    expect(pagerDuty.incidents.length - incidents).toBe(1);
  });

  it('the incident closes when it works again, and those that are left have their own', async () => {
    const [before, runs] = [mails.length, (await endedRuns()).length];
    deployment.sandbox.faults.clear();
    await runNow();
    const reported = () =>
      mails.slice(before).reduce((sum, mail) => sum + projectsIn(mail, 'THE GUARD WORKS AGAIN'), 0);
    await untilScheduled('a mail about each project', () => reported() === RUNNING.length);
    expect(mails.length - before).toBeLessThanOrEqual((await endedRuns()).length - runs);
    await drain();
    const own = [ODD.revoked, ODD.empty, ODD.lost].map((project) => `${project}/guard.failing`);
    expect(openIncidents().sort()).toEqual(['(fleet)/provider:Amplitude', ...own].sort());
  });
});

describe('without a deployment', () => {
  it('a tagged secret adds a customer', async () => {
    await deployment.clients.secrets.send(new CreateSecretCommand(fleet.welcome('newcomer')));
    await runNow();
    expect(typesOf('newcomer')).toEqual(['integration.paused']);
    expect(stateOf('newcomer', 'broken')).toBe(0);
    expect(stateOf('newcomer', 'good')).toBe(1);
  });

  it('and the customer leaves when the tag is removed', async () => {
    await deployment.clients.secrets.send(
      new UntagResourceCommand({ SecretId: `${PREFIX}newcomer`, TagKeys: [PROJECT_TAG] }),
    );
    const asked = () =>
      deployment.sandbox.requests.filter(({ authorization }) => authorization === `Bearer ${keyOf('newcomer')}`).length;
    // A scheduled run may have started before, and still include the customer.
    await runNow();
    const before = asked();
    expect(before).toBeGreaterThan(0);
    await runNow();
    expect(asked()).toBe(before);
  });
});

describe('the functions', () => {
  it.each([
    [{ project: 'untagged' }, 'no project "untagged"'],
    [{ project: 'nearly' }, 'no project "nearly"'],
    [{ project: 'nobody' }, 'no project "nobody"'],
    [{ project: '../payroll' }, 'no project "../payroll"'],
    [{ project: 'customer-01', apiUrl: 'https://evil.example' }, 'takes {"project": NAME} and nothing else'],
    [{}, 'takes {"project": NAME} and nothing else'],
  ])('refuse the input %j', async (input, sentence) => {
    const before = keysSeen();
    const { error, body } = await deployment.invoke('FleetPassFunctionName', input);
    expect(error).toBe('Unhandled');
    expect((body as { errorMessage: string }).errorMessage).toContain(sentence);
    // A scheduled run may send requests at the same time, with the keys of its projects.
    expect(keysSeen()).toEqual(before);
  });

  it('draw one panel for all projects, and execute its buttons', async () => {
    const { DashboardName } = await deployment.outputs();
    const { DashboardBody = '' } = await deployment.clients.cloudwatch.send(new GetDashboardCommand({ DashboardName }));
    expect(DashboardBody.match(/"params":\{"fleet":true\}/g)).toHaveLength(1);

    const look = async (fleetProject: string) =>
      String(
        (
          await deployment.invoke('PanelFunctionName', {
            fleet: true,
            widgetContext: { forms: { all: { fleetProject } } },
          })
        ).body,
      );
    expect(await look('')).toContain('<input name="fleetProject" value=""');
    expect(await look('customer-02')).toContain('aria-label="Integrations of project customer-02"');
    expect(await look('untagged')).not.toContain('Integrations of project');
    const press = async (action: string) =>
      String(
        (await deployment.invoke('ActFunctionName', { fleet: true, project: 'customer-02', action, id: 'good' })).body,
      );
    expect(await press('pause')).toContain('good is paused');
    expect(stateOf('customer-02', 'good')).toBe(0);
    expect(await press('resume')).toContain('good is active again');
    expect(stateOf('customer-02', 'good')).toBe(1);
  });
});

describe('the command line', () => {
  const guard = (...args: string[]) => deployment.cloud.guard([...args, '--stack', STACK]);

  it('lists the projects, and says why a secret is not one', async () => {
    const { projects } = JSON.parse(await must(guard('projects', '--json'))) as {
      projects: { project: string | null; secretName: string; because: string; policy: { mode: string } | null }[];
    };
    expect(projects.flatMap(({ project }) => project ?? []).sort()).toEqual([...PROJECTS].sort());
    const of = (secretName: string) => projects.find((each) => each.secretName === secretName);
    expect(of(`${PREFIX}${ODD.observed}`)).toMatchObject({ because: 'tag careful', policy: { mode: 'observe' } });
    expect(of(`${PREFIX}${ODD.trial}`)).toMatchObject({ because: 'name like trial-*', policy: { mode: 'observe' } });
    expect(of(`${PREFIX}${ODD.lost}`)).toMatchObject({ policy: null });
    expect(of(STRANGERS.payroll)).toMatchObject({ project: null, because: `its name does not begin with "${PREFIX}"` });
    console.log((await must(guard('projects'))).split('\n').slice(-8).join('\n'));
  });

  it('works with any project', async () => {
    expect(await must(guard('list', '--project', 'customer-03'))).toMatch(/broken\s+Amplitude iOS/);
    expect(await must(guard('resume', 'broken', '--project', 'customer-03'))).toContain(
      '--project customer-03 --stack',
    );
    expect(stateOf('customer-03', 'broken')).toBe(1);
    expect(await guard('plan')).toMatchObject({
      code: 2,
      output: expect.stringContaining('has a fleet; name a project with --project'),
    });
    expect(await guard('plan', '--project', 'untagged')).toMatchObject({
      code: 2,
      output: expect.stringContaining(`its secret would be "${STRANGERS.untagged}", with the tag ${PROJECT_TAG}`),
    });
  });

  it('has a doctor that checks secrets, schedule and runs, and a project on request', async () => {
    const { output } = await guard('doctor', '--json', '--project', 'customer-04');
    const { findings } = JSON.parse(output) as { findings: { check: string; level: string; message: string }[] };
    const of = (check: string) => findings.filter((finding) => finding.check === check);
    expect(of('secret key')).toMatchObject([{ level: 'ok' }]);
    expect(of('Qonversion API')).toMatchObject([{ level: 'ok', message: expect.stringContaining('2 integrations') }]);
    expect(of('schedule of the fleet')).toMatchObject([{ level: 'ok', message: 'It is enabled: rate(1 minute).' }]);
    expect(of('runs over the fleet')).toMatchObject([
      { level: 'ok', message: expect.stringContaining('with 50 passes') },
      { level: 'warning', message: '3 of 50 passes could not run.' },
    ]);
    expect(of('fleet').map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'ok: It has 50 projects. `integration-guard projects` shows them.',
      expect.stringMatching(/^problem: Project "acme\/lost-policy" is not guarded/),
      expect.stringMatching(/^warning: Secret "payroll" has the tag but is not a project of the fleet/),
      'warning: alerts.subscriptions.2.projects.0 names an unknown project: "production".',
    ]);
    expect(of('last pass')).toEqual([]);
  });
});

describe('least privilege', () => {
  const tagged = { [`aws:ResourceTag/${PROJECT_TAG}`]: 'yes' };
  const secretArn = async (SecretId: string) =>
    (await deployment.clients.secrets.send(new DescribeSecretCommand({ SecretId }))).ARN ?? '';
  const roleOf = async (output: string) => {
    const FunctionName = (await deployment.outputs())[output];
    const { Role = '' } = await deployment.clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
    return readPolicies(deployment.clients.iam, Role);
  };

  it.each([['FleetPassFunctionName'], ['ActFunctionName'], ['PanelFunctionName']])(
    'lets %s read tagged secrets of the fleet, and no others',
    async (output) => {
      const { role, policies } = await roleOf(output);
      const project = await secretArn(`${PREFIX}customer-01`);
      const payroll = await secretArn(STRANGERS.payroll);
      const may = (action: string, resource: string, tags = {}) =>
        isAllowed(role, policies, `secretsmanager:${action}`, resource, tags);
      for (const action of ['DescribeSecret', 'GetSecretValue']) {
        expect(await may(action, project, tagged)).toBe(true);
        expect(await may(action, project)).toBe(false);
        expect(await may(action, await secretArn(STRANGERS.untagged))).toBe(false);
        expect(await may(action, payroll, tagged)).toBe(false);
      }
      for (const action of ['PutSecretValue', 'UpdateSecret', 'TagResource', 'DeleteSecret']) {
        expect(await may(action, project, tagged), action).toBe(false);
      }
      expect(await may('ListSecrets', '*')).toBe(false);
    },
  );

  it('allows every call of the passes', async () => {
    const { role, policies } = await roleOf('FleetPassFunctionName');
    const { LedgerTableName, AlertsTopicArn = '' } = await deployment.outputs();
    const arnOf = (action: string, resource: string) =>
      action.startsWith('secretsmanager:')
        ? `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${resource}-AbCdEf`
        : resource === LedgerTableName
          ? `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${resource}`
          : resource;
    const made = new Map(deployment.cloud.calls.map((call) => [`${call.action} ${call.resource}`, call]));
    const refused: string[] = [];
    for (const [name, { action, resource }] of made) {
      // Calls about other secrets, from the refused inputs above.
      if (action === 'secretsmanager:DescribeSecret' && !PROJECTS.some((each) => resource === `${PREFIX}${each}`))
        continue;
      const tags = action.startsWith('secretsmanager:') ? tagged : {};
      if (!(await isAllowed(role, policies, action, arnOf(action, resource), tags))) refused.push(name);
    }
    expect(refused).toEqual([]);
    expect(made.size).toBeGreaterThan(2 * RUNNING.length);
    expect(await isAllowed(role, policies, 'sns:Publish', AlertsTopicArn)).toBe(true);
  });

  it('lets a run list secrets and start its function, but read no value', async () => {
    const { FleetStateMachineArn: stateMachineArn, ...outputs } = await deployment.outputs();
    const { roleArn = '' } = await deployment.clients.sfn.send(new DescribeStateMachineCommand({ stateMachineArn }));
    const { role, policies } = await readPolicies(deployment.clients.iam, roleArn);
    const may = (action: string, resource: string) => isAllowed(role, policies, action, resource, tagged);
    const functionArn = (output: string) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${outputs[output]}`;
    expect(await may('secretsmanager:ListSecrets', '*')).toBe(true);
    expect(await may('lambda:InvokeFunction', functionArn('FleetPassFunctionName'))).toBe(true);
    expect(await may('states:StartExecution', stateMachineArn ?? '')).toBe(true);
    const project = await secretArn(`${PREFIX}customer-01`);
    for (const [action, resource] of [
      ['secretsmanager:GetSecretValue', project],
      ['secretsmanager:DescribeSecret', project],
      ['lambda:InvokeFunction', functionArn('ActFunctionName')],
      ['lambda:InvokeFunction', functionArn('PanelFunctionName')],
      ['states:StartExecution', (stateMachineArn ?? '').replace(/:[^:]*$/, ':other')],
    ] as const) {
      expect({ action, resource, allowed: await may(action, resource) }).toEqual({ action, resource, allowed: false });
    }
    expect(grantsOf(policies).map(({ action }) => action)).not.toContain('lambda:*');
  });
});

describe('the deployment', () => {
  it('shows no other difference without changes, and its template passes cfn-lint', async () => {
    const { output } = await deployment.cloud.cdk(['diff'], deployment.settingsFile);
    // Only the resources that the emulator does not have.
    const different = [...output.matchAll(/^\[([+~-])\] (\S+)/gm)].map(([, how, type]) => `${how} ${type}`);
    expect(different.sort()).toEqual([
      '+ AWS::Events::ApiDestination',
      '+ AWS::Events::Connection',
      '+ AWS::Pipes::Pipe',
    ]);
    expect(
      await deployment.cloud.python('cfn-lint', ['--non-zero-exit-code', 'error', deployment.cloud.template(STACK)]),
    ).toMatchObject({ code: 0 });
    expect((await checkPolicies(deployment.cloud, deployment.cloud.template(STACK))).refused).toEqual([]);
  });

  it('leaves nothing in the dead-letter queue', async () => {
    expect(await deployment.receive((await deployment.outputs()).DeadLetterQueueUrl ?? '')).toEqual([]);
  });
});
