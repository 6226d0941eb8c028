import { Duration, RemovalPolicy, Stack, Tags } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression, ScheduleTargetInput, TimeWindow } from 'aws-cdk-lib/aws-scheduler';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { PanelEnvironment, PassEnvironment } from '../functions/aws/environment.ts';
import { scheduleMinutes } from '../functions/guard/settings/formats.ts';
import type { ProjectSettings, Settings } from '../functions/guard/settings/schema.ts';
import { Alerts } from './alerts.ts';
import { GuardDashboard } from './dashboard.ts';
import { Fleet, grantTaggedSecrets } from './fleet.ts';
import { createGuardFunction } from './guard-function.ts';
import { Monitoring } from './monitoring.ts';
import { acknowledge } from './nag-suppressions.ts';
import { createSchedulerRole, targetOf, windowOf } from './schedules.ts';

export interface IntegrationGuardProps {
  /** Checked settings; they are bundled with the function. */
  readonly settings: Settings;
}

/**
 * Everything the guard needs in one account: a schedule per listed project, the pass function, a secret per project, the
 * state machine of the fleet, the ledger, the alerts, the alarms about the guard itself, and a dashboard with the control
 * panel.
 */
export class IntegrationGuard extends Construct {
  /** Runs passes over listed projects; null when there is only a fleet. */
  readonly passFunction: LambdaFunction | null;
  readonly fleet: Fleet | null;
  /** Draws the control panel. */
  readonly panelFunction: LambdaFunction;
  /** Does what the control panel's buttons say. */
  readonly actFunction: LambdaFunction;
  readonly dashboardName: string;
  readonly ledger: Table;
  readonly alerts: Alerts;
  readonly deadLetters: Queue;
  /** Encrypts topics, logs and the secrets that the stack makes. */
  readonly key: Key;

  constructor(scope: Construct, id: string, props: IntegrationGuardProps) {
    super(scope, id);
    const { settings } = props;

    this.key = createKey(this);
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.ledger = new Table(this, 'Ledger', {
      partitionKey: { name: 'project', type: AttributeType.STRING },
      sortKey: { name: 'item', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: 'expires_at',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // What the guard has paused is known only here.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.alerts = new Alerts(this, 'Alerts', {
      key: this.key,
      deadLetters: this.deadLetters,
      subscriptions: settings.alerts.subscriptions,
    });

    this.dashboardName = `${Stack.of(this).stackName}-${Stack.of(this).region}`;
    const environment: PassEnvironment & { readonly [name: string]: string } = {
      LEDGER_TABLE: this.ledger.tableName,
      ALERTS_TOPIC_ARN: this.alerts.topic.topicArn,
      CHAT_TOPICS: Stack.of(this).toJsonString(this.alerts.chatTopics),
      DASHBOARD_NAME: this.dashboardName,
      STACK_NAME: Stack.of(this).stackName,
    };
    const create = (name: string, description: string, entry: string) =>
      createGuardFunction(this, name, { description, entry, settings, encryptionKey: this.key, environment });
    const minutes = scheduleMinutes(settings.schedule) ?? 5;
    const projects = Object.keys(settings.projects);

    this.passFunction = projects.length === 0 ? null : create('Pass', 'One pass over one listed project', 'pass.ts');
    this.actFunction = create(
      'Act',
      'What the buttons of the control panel do: whoever may invoke it may act',
      'panel-actions.ts',
    );
    this.panelFunction = createPanelFunction(this, settings, {
      LEDGER_TABLE: this.ledger.tableName,
      ACT_FUNCTION_ARN: this.actFunction.functionArn,
    });
    grantPass(this.actFunction, this.ledger, this.alerts, this.key);
    grantLook(this.panelFunction, this.ledger, this.key);

    if (this.passFunction !== null) {
      grantPass(this.passFunction, this.ledger, this.alerts, this.key);
      const readers = [this.passFunction, this.actFunction, this.panelFunction];
      for (const [name, project] of Object.entries(settings.projects)) {
        grantSecret(this, readers, name, project, this.key);
      }
      schedulePasses(this, projects, minutes, this.passFunction);
    }

    this.fleet =
      settings.fleet === undefined
        ? null
        : new Fleet(this, 'Fleet', {
            settings: settings.fleet,
            intervalMinutes: minutes,
            passFunction: create('FleetPass', 'One pass over one project of the fleet', 'fleet-pass.ts'),
            deadLetters: this.deadLetters,
          });
    if (this.fleet !== null) {
      grantPass(this.fleet.passFunction, this.ledger, this.alerts, this.key);
      grantTaggedSecrets(this, this.fleet.settings, [this.fleet.passFunction, this.actFunction, this.panelFunction]);
    }

    const monitoring = new Monitoring(this, 'Monitoring', {
      passFunction: this.passFunction,
      fleet: this.fleet,
      deadLetters: this.deadLetters,
      alarmsTopic: this.alerts.alarmsTopic,
      projects,
      intervalMinutes: minutes,
      runbook: settings.alerts.runbookUrl,
    });
    new GuardDashboard(this, 'Dashboard', {
      dashboardName: this.dashboardName,
      projects,
      intervalMinutes: minutes,
      passFunction: this.passFunction,
      fleet: this.fleet,
      panelFunction: this.panelFunction,
      actFunction: this.actFunction,
      ledger: this.ledger,
      alerts: this.alerts,
      deadLetters: this.deadLetters,
      monitoring,
      runbook: settings.alerts.runbookUrl,
    });
    acknowledge(this, this.fleet);
  }
}

/** A schedule for each listed project. Its input names the project and nothing else: what to do is in the bundled settings. */
function schedulePasses(
  scope: IntegrationGuard,
  projects: readonly string[],
  intervalMinutes: number,
  passFunction: LambdaFunction,
): void {
  const { deadLetters } = scope;
  const arn = passFunction.functionArn;
  const role = createSchedulerRole(scope, 'SchedulerRole', 'lambda:InvokeFunction', arn, deadLetters);
  for (const project of projects) {
    const input = ScheduleTargetInput.fromObject({ project });
    new Schedule(scope, `ScheduleOf-${project}`, {
      description: `Runs a pass over project ${project}`,
      schedule: ScheduleExpression.rate(Duration.minutes(intervalMinutes)),
      timeWindow: projects.length === 1 ? TimeWindow.off() : windowOf(intervalMinutes),
      target: targetOf({ arn, input, role, deadLetters, intervalMinutes }),
    });
  }
}

function createKey(scope: Construct): Key {
  const key = new Key(scope, 'Key', {
    description: 'Integration Guard: topics, logs and secrets',
    enableKeyRotation: true,
    // A key that is gone leaves everything it encrypted unreadable; deleting it is a person's decision.
    removalPolicy: RemovalPolicy.RETAIN,
  });
  const { account, region, partition } = Stack.of(scope);
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'AlarmsPublishToEncryptedTopic',
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': account } },
    }),
  );
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'LogsOfTheGuard',
      // CloudWatch Logs presents itself to KMS by its regional name ("Encrypt log data in CloudWatch Logs using KMS").
      principals: [new ServicePrincipal(`logs.${region}.amazonaws.com`)],
      actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      resources: ['*'],
      conditions: {
        ArnLike: { 'kms:EncryptionContext:aws:logs:arn': `arn:${partition}:logs:${region}:${account}:log-group:*` },
      },
    }),
  );
  return key;
}

/** A function of its own for whoever only looks; a person waits for it, so it may not take long. */
function createPanelFunction(
  scope: IntegrationGuard,
  settings: Settings,
  environment: PanelEnvironment,
): LambdaFunction {
  const panelFunction = createGuardFunction(scope, 'Panel', {
    description: 'Draws the control panel on the dashboard: whoever may invoke it may look, and not act',
    entry: 'panel.ts',
    settings,
    encryptionKey: scope.key,
    timeout: Duration.seconds(30),
    environment: { ...environment },
  });
  // So the console knows that the function answers `describe`.
  Tags.of(panelFunction).add('cw-custom-widget', 'describe');
  return panelFunction;
}

/** Exactly what a pass uses, on exactly the resources it uses. */
function grantPass(passFunction: LambdaFunction, ledger: Table, alerts: Alerts, key: Key): void {
  ledger.grant(passFunction, 'dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:BatchWriteItem');
  const resources = [alerts.topic.topicArn, ...alerts.chatTopics.map(({ topicArn }) => topicArn)];
  passFunction.addToRolePolicy(new PolicyStatement({ actions: ['sns:Publish'], resources }));
  key.grant(passFunction, 'kms:Decrypt', 'kms:GenerateDataKey');
}

/** What it takes to look: nothing that could change or tell anything. */
function grantLook(panelFunction: LambdaFunction, ledger: Table, key: Key): void {
  ledger.grant(panelFunction, 'dynamodb:Query');
  key.grant(panelFunction, 'kms:Decrypt');
}

/** Makes the project's secret, empty, or takes the one that exists; the functions may read that one and no other. */
function grantSecret(
  scope: Construct,
  readers: readonly LambdaFunction[],
  name: string,
  project: ProjectSettings,
  key: Key,
): void {
  const resources =
    project.secretArn === undefined ? [createSecret(scope, name, project, key).ref] : [withSuffix(project.secretArn)];
  for (const reader of readers) {
    reader.addToRolePolicy(new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources }));
    if (project.secretKeyArn === undefined) continue;
    reader.addToRolePolicy(new PolicyStatement({ actions: ['kms:Decrypt'], resources: [project.secretKeyArn] }));
  }
}

/** The L2 construct would put a random password into it, which nobody could tell from a key that does not work. */
function createSecret(scope: Construct, name: string, project: ProjectSettings, key: Key): CfnSecret {
  return new CfnSecret(scope, `SecretOf-${name}`, {
    name: project.secretName ?? name,
    description: `Qonversion Secret Key of project ${name}, for Integration Guard`,
    kmsKeyId: key.keyArn,
  });
}

/** Secrets Manager appends six characters to a secret's name; an ARN without them names the secret of any suffix. */
function withSuffix(secretArn: string): string {
  return /-[A-Za-z0-9]{6}$/.test(secretArn) ? secretArn : `${secretArn}-??????`;
}
