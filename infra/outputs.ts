import { createHash } from 'node:crypto';
import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { ChatTopic } from '../functions/aws/environment.ts';
import { fillSecretCommand } from '../functions/aws/secret.ts';
import type { ProjectSettings } from '../functions/guard/settings/schema.ts';
import { secretArnOutput } from '../functions/guard/settings/types.ts';
import type { IncidentTools } from './incident-tools.ts';
import type { GuardFleet } from './props.ts';
import type { ProjectSecrets } from './secrets.ts';

interface Guard extends Construct {
  readonly alertsTopic: ITopic;
  readonly alarmsTopic: ITopic;
  readonly ledger: ITable;
  readonly passFunction: LambdaFunction | null;
  readonly fleet: GuardFleet | null;
  readonly dashboardName: string | null;
  readonly panelFunction: LambdaFunction | null;
  readonly actFunction: LambdaFunction | null;
  readonly deadLetters: IQueue;
}

/** Writes the facts about a deployed guard that a person or the command line needs, as outputs of the stack. */
export function addOutputs(
  guard: Guard,
  projects: Readonly<Record<string, ProjectSettings>>,
  chatTopics: readonly ChatTopic[],
  incidents: IncidentTools,
  secrets: ProjectSecrets,
): ReadonlyMap<string, CfnOutput> {
  const outputs = new Map<string, CfnOutput>();
  const output = (name: string, value: string, description: string) =>
    outputs.set(name, new CfnOutput(guard, name, { value, description }));
  output('AlertsTopicArn', guard.alertsTopic.topicArn, 'Topic of the alerts; subscribe further endpoints here');
  output('AlarmsTopicArn', guard.alarmsTopic.topicArn, 'Topic of the CloudWatch alarms about the guard itself');
  output('LedgerTableName', guard.ledger.tableName, 'Table with the state that the guard keeps between passes');
  if (guard.passFunction !== null) {
    const says = 'Function that runs a pass over a listed project; its input is {"project": NAME}';
    output('PassFunctionName', guard.passFunction.functionName, says);
  }
  if (guard.fleet !== null) {
    const { passFunction, stateMachine } = guard.fleet;
    const says = 'Function that runs a pass over a project of the fleet; its input is {"project": NAME}';
    output('FleetPassFunctionName', passFunction.functionName, says);
    output('FleetStateMachineArn', stateMachine.stateMachineArn, 'State machine of the runs over the fleet');
  }
  const { dashboardName, panelFunction, actFunction } = guard;
  if (dashboardName !== null && panelFunction !== null && actFunction !== null) {
    output('DashboardName', dashboardName, 'CloudWatch dashboard with the control panel');
    output('PanelFunctionName', panelFunction.functionName, 'Draws the control panel; invoking it changes nothing');
    output(
      'ActFunctionName',
      actFunction.functionName,
      'Executes the panel’s buttons; invoking it can pause and resume integrations',
    );
  }
  output('DeadLetterQueueUrl', guard.deadLetters.queueUrl, 'Queue of events and alerts that could not be delivered');
  const toJson = Stack.of(guard).toJsonString(chatTopics);
  output('ChatTopics', toJson, 'Topics of the chat channels, and their filters');
  output(
    'IncidentTools',
    Stack.of(guard).toJsonString(incidents.tools),
    'Queues of the incident tools, and their filters',
  );
  if (incidents.deadLetters !== null) {
    const says = 'Queue of incidents that PagerDuty or a webhook did not accept';
    output('IncidentDeadLetterQueueUrl', incidents.deadLetters.queueUrl, says);
  }
  const names = Object.keys(projects);
  for (const [name, arn] of secrets.arnsInStack) output(secretArnOutput(name), arn, `Secret of project ${name}`);
  const arnsInStack = new Map(secrets.arnsInStack);
  for (const [name, { secretArn, secretName, secretField }] of Object.entries(projects)) {
    // The app that creates a secret also fills it, unless projects share it.
    const id = secretArn ?? secretName ?? (secretField === undefined ? undefined : arnsInStack.get(name));
    if (id === undefined) continue;
    const command = fillSecretCommand({ id, field: secretField ?? null });
    output(`FillSecretOf${outputWord(name, names)}`, command, `Puts the Secret Key of project ${name} into its secret`);
  }
  return outputs;
}

/**
 * The project's name as a part of an output's name, which allows only letters and digits. Names that would collide get
 * different suffixes.
 */
function outputWord(name: string, names: readonly string[]): string {
  const plain = (text: string) => text.replace(/[^A-Za-z0-9]/g, '');
  const isUnique = names.every((other) => other === name || plain(other) !== plain(name));
  return isUnique ? plain(name) : `${plain(name)}${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}
