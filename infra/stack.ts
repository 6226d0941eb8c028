import { createHash } from 'node:crypto';
import { Annotations, CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { fillSecret } from '../functions/aws/secret.ts';
import type { Settings } from '../functions/guard/settings/schema.ts';
import { secretIdOf } from '../functions/guard/settings/types.ts';
import { IntegrationGuard } from './integration-guard.ts';

export interface GuardStackProps extends StackProps {
  readonly settings: Settings;
}

/** The guard as a stack of its own, with the outputs that a person and the command line need. */
export class GuardStack extends Stack {
  constructor(scope: Construct, id: string, props: GuardStackProps) {
    super(scope, id, {
      description: 'Pauses Qonversion integrations that keep failing, and tells people',
      // With many projects every kilobyte of the megabyte that CloudFormation takes counts.
      suppressTemplateIndentation: true,
      ...props,
    });
    const { settings } = props;
    const guard = new IntegrationGuard(this, 'Guard', { settings });

    if (settings.alerts.subscriptions.length === 0) {
      const hint = 'add at least one, for instance { "email": "you@example.com" }, or subscribe to the topics yourself';
      Annotations.of(this).addWarningV2(
        'integration-guard:no-subscription',
        `alerts.subscriptions is empty, so nobody gets an alert; ${hint}`,
      );
    }

    // `integration-guard … --stack NAME` works with the settings that are deployed, not with those of the checkout it runs from.
    this.addMetadata('IntegrationGuard', { Settings: settings });

    const output = (name: string, value: string, description: string) =>
      new CfnOutput(this, name, { value, description });
    output('AlertsTopicArn', guard.alerts.topic.topicArn, 'Topic of the alerts; subscribe more endpoints here');
    output(
      'AlarmsTopicArn',
      guard.alerts.alarmsTopic.topicArn,
      'Topic of the CloudWatch alarms about the guard itself',
    );
    output('LedgerTableName', guard.ledger.tableName, 'Table with what the guard remembers between passes');
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
    output('DashboardName', guard.dashboardName, 'CloudWatch dashboard with the control panel');
    output('PanelFunctionName', guard.panelFunction.functionName, 'Draws the control panel: invoke it to look');
    output('ActFunctionName', guard.actFunction.functionName, 'Behind the panel’s buttons: invoke it to act');
    output('DeadLetterQueueUrl', guard.deadLetters.queueUrl, 'Queue with what could not be delivered');
    output(
      'ChatTopics',
      this.toJsonString(guard.alerts.chatTopics),
      'Topics of the chat channels, and what goes there',
    );
    for (const [name, project] of Object.entries(settings.projects)) {
      const command = fillSecret(secretIdOf(project)).replace('fill it with: ', '');
      output(
        `FillSecretOf${outputWord(name, Object.keys(settings.projects))}`,
        command,
        `Puts the Secret Key of project ${name} into its secret`,
      );
    }
  }
}

/** An output's name takes letters and digits only; of projects that differ in nothing else, each gets a suffix of its own. */
function outputWord(name: string, names: readonly string[]): string {
  const plain = (text: string) => text.replace(/[^A-Za-z0-9]/g, '');
  const isUnique = names.every((other) => other === name || plain(other) !== plain(name));
  return isUnique ? plain(name) : `${plain(name)}${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}
