import { createHash } from 'node:crypto';
import { Annotations, ArnFormat, type CfnOutput, Duration, RemovalPolicy, Stack, TimeZone } from 'aws-cdk-lib';
import { Metric, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, BillingMode, type ITable, Table } from 'aws-cdk-lib/aws-dynamodb';
import { type IGrantable, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import {
  CfnScheduleGroup,
  type IScheduleGroup,
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
  TimeWindow,
} from 'aws-cdk-lib/aws-scheduler';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { PassEnvironment } from '../functions/aws/environment.ts';
import { METRIC, METRICS_NAMESPACE, METRICS_SERVICE, PROJECT_DIMENSION } from '../functions/aws/metric-names.ts';
import { SettingsError } from '../functions/guard/errors.ts';
import { DIGEST_TIME_LIMIT_SECONDS } from '../functions/guard/model/lease.ts';
import { findWithoutEffect } from '../functions/guard/policy/without-effect.ts';
import { scheduleMinutes } from '../functions/guard/settings/formats.ts';
import { nameOfQuietHours, type QuietHours } from '../functions/guard/settings/quiet-hours.ts';
import type { Settings } from '../functions/guard/settings/schema.ts';
import { VERSION } from '../functions/guard/version.ts';
import { Alerts } from './alerts.ts';
import { announceChanges, checkDeployedStack, keepSubscriptionIds } from './changes.ts';
import { GuardDashboard } from './dashboard.ts';
import { dashboardAddress } from './dashboard-address.ts';
import { checkEnvironmentSize } from './environment-size.ts';
import { Fleet, grantTaggedSecrets } from './fleet.ts';
import { createGuardFunction } from './guard-function.ts';
import { IncidentTools } from './incident-tools.ts';
import { Monitoring } from './monitoring.ts';
import { acknowledge } from './nag-suppressions.ts';
import { addOutputs } from './outputs.ts';
import { createPanelFunctions } from './panel-functions.ts';
import type { GuardFleet, IntegrationGuardProps } from './props.ts';
import { type GivenProps, readProps } from './read-props.ts';
import { createSchedulerRole, targetOf, windowOf } from './schedules.ts';
import { ProjectSecrets } from './secrets.ts';

/** Metrics that `IntegrationGuard.metric` gives. */
export type GuardMetric = keyof typeof METRIC;

/**
 * Everything the guard needs in one account: a schedule per listed project, the pass function, a secret per project, the
 * state machine of the fleet, the ledger, the alerts, the alarms, and, if `dashboard` is set, a dashboard with the control
 * panel. A stack has at most one guard, because `--stack` identifies it.
 *
 * @example
 * new IntegrationGuard(this, 'Guard', {
 *   projects: { production: { secretName: 'qonversion/production' } },
 *   alerts: { subscriptions: [{ email: 'ops@example.com' }] },
 * });
 */
export class IntegrationGuard extends Construct {
  /** Runs passes over listed projects; null if there is only a fleet. */
  readonly passFunction: LambdaFunction | null;
  /** The state machine of the fleet and its pass function; null without a fleet. */
  readonly fleet: GuardFleet | null;
  /** Draws the control panel; null without `dashboard`. */
  readonly panelFunction: LambdaFunction | null;
  /** Executes the buttons of the control panel; null without `dashboard`. */
  readonly actFunction: LambdaFunction | null;
  /** Name of the dashboard with the control panel; null without `dashboard`. */
  readonly dashboardName: string | null;
  /** The table with the state that the guard keeps between passes. */
  readonly ledger: ITable;
  /** Alerts go here. */
  readonly alertsTopic: ITopic;
  /** CloudWatch alarms about the guard itself go here. */
  readonly alarmsTopic: ITopic;
  /** Receives events and alerts that schedules and subscriptions could not deliver. */
  readonly deadLetters: IQueue;
  /** Encrypts topics, logs and the secrets that the construct creates; null with the encryption `aws-owned`. */
  readonly key: IKey | null;
  /** The stack's outputs that the command line reads, by name. */
  readonly outputs: ReadonlyMap<string, CfnOutput>;

  readonly #chatTopicArns: readonly string[];
  readonly #incidents: IncidentTools;
  readonly #secrets: ProjectSecrets;
  readonly #fleet: Fleet | null;
  readonly #scheduleGroups: ReadonlyMap<string, IScheduleGroup>;

  /** @throws SettingsError with one line per invalid property */
  constructor(scope: Construct, id: string, props: IntegrationGuardProps) {
    super(scope, id);
    const stack = Stack.of(this);
    refuseSecond(this, stack);
    const given = readProps(props, this.node.path);
    const { settings } = given;
    if (props.deployed !== undefined) checkDeployedStack(this, props.deployed);
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;

    this.key = settings.encryption === 'aws-owned' ? null : keyOf(this, props.encryptionKey, settings, removalPolicy);
    if (this.key !== null) letAlarmsAndLogsUse(this.key, stack);
    this.deadLetters =
      props.deadLetterQueue ??
      new Queue(this, 'DeadLetters', {
        encryption: QueueEncryption.SQS_MANAGED,
        enforceSSL: true,
        retentionPeriod: Duration.days(14),
      });
    this.ledger =
      props.ledgerTable ??
      (settings.ledgerTableName === undefined
        ? createLedger(this, removalPolicy)
        : Table.fromTableName(this, 'Ledger', settings.ledgerTableName));
    const alerts = new Alerts(this, 'Alerts', {
      key: this.key,
      deadLetters: this.deadLetters,
      subscriptions: settings.alerts.subscriptions,
      endpoints: given.endpoints,
      topic: props.alerts?.topic,
      alarmsTopic: props.alerts?.alarmsTopic,
      chatNames: new Map(props.deployed?.chats.map(({ identity, name }) => [identity, name])),
    });
    this.alertsTopic = alerts.topic;
    this.alarmsTopic = alerts.alarmsTopic;
    this.#chatTopicArns = alerts.chatTopics.map(({ topicArn }) => topicArn);
    this.#incidents = new IncidentTools(this, 'Incidents', settings.alerts.subscriptions);
    this.#secrets = new ProjectSecrets(this, {
      projects: settings.projects,
      given: given.secrets,
      key: this.key,
      removalPolicy,
      deployed: props.deployed ?? null,
    });

    this.dashboardName = settings.dashboard ? `${stack.stackName}-${stack.region}` : null;
    const secretArns = this.#secrets.inStack;
    const readVariables = {
      LEDGER_TABLE: this.ledger.tableName,
      ...(secretArns === null ? {} : { SECRET_ARNS: secretArns }),
    };
    const environment: PassEnvironment & { readonly [name: string]: string } = {
      ...readVariables,
      ALERTS_TOPIC_ARN: this.alertsTopic.topicArn,
      CHAT_TOPICS: stack.toJsonString(alerts.chatTopics),
      INCIDENT_TOOLS: stack.toJsonString(this.#incidents.tools),
      ...(this.dashboardName === null ? {} : { DASHBOARD_NAME: this.dashboardName }),
      STACK_NAME: stack.stackName,
    };
    checkEnvironmentSize(this, environment);
    const common = { settings, encryptionKey: this.key };
    const minutes = scheduleMinutes(settings.schedule) ?? 5;
    const projects = Object.keys(settings.projects);

    this.passFunction =
      projects.length === 0
        ? null
        : createGuardFunction(this, 'Pass', {
            ...common,
            description: 'One pass over one listed project',
            entry: 'pass',
            environment,
          });
    const panel = settings.dashboard ? createPanelFunctions(this, { common, readVariables, environment }) : null;
    this.actFunction = panel?.actFunction ?? null;
    this.panelFunction = panel?.panelFunction ?? null;
    if (panel !== null) {
      this.grantPass(panel.actFunction);
      this.grantPanel(panel.panelFunction);
    }
    const panelFunctions = panel === null ? [] : [panel.actFunction, panel.panelFunction];

    if (this.passFunction !== null) {
      this.grantPass(this.passFunction);
      for (const reader of [this.passFunction, ...panelFunctions]) this.#secrets.grantRead(reader);
    }
    const quietHours = quietHoursOf(settings);
    const digestFunction =
      settings.fleet === undefined && quietHours.length === 0
        ? null
        : createGuardFunction(this, 'Digest', {
            ...common,
            description:
              'Sends alerts that wait for the end of a run or of quiet hours, as one digest for each audience',
            entry: 'digest',
            timeout: Duration.seconds(DIGEST_TIME_LIMIT_SECONDS),
            // The alerts of 10,000 projects take more than twice the memory of a pass.
            memoryMb: 1_024,
            environment,
          });
    if (digestFunction !== null) {
      this.grantPass(digestFunction);
      scheduleDigests(this, quietHours, digestFunction);
    }
    this.#fleet =
      digestFunction === null
        ? null
        : this.createFleet(given, environment, minutes, { digestFunction, panelFunctions });
    this.#scheduleGroups =
      this.passFunction === null ? new Map() : schedulePasses(this, projects, minutes, this.passFunction);
    this.fleet = this.#fleet;

    const runbook = settings.alerts.runbookUrl ?? null;
    const about = {
      passFunction: this.passFunction,
      fleet: this.#fleet,
      digestFunction: quietHours.length === 0 ? null : digestFunction,
      deadLetters: this.deadLetters,
      incidents: this.#incidents,
      projects,
      runbook,
      intervalMinutes: minutes,
      metricStopped: (project: string) => this.metricStopped(project),
    };
    const monitoring = new Monitoring(this, 'Monitoring', {
      ...about,
      alarmsTopic: this.alarmsTopic,
      panel: this.dashboardName === null ? null : dashboardAddress(this, this.dashboardName),
      metricPasses: (project) => this.metricPasses(project),
    });
    if (panel !== null && this.dashboardName !== null)
      new GuardDashboard(this, 'Dashboard', {
        ...about,
        ...panel,
        dashboardName: this.dashboardName,
        alerts,
        monitoring,
      });
    acknowledge(this, this.#fleet, settings.encryption);

    this.outputs = addOutputs(this, settings.projects, alerts.chatTopics, this.#incidents, this.#secrets);
    // The command line works with the deployed settings, not with a local file.
    stack.addMetadata(METADATA_KEY, {
      Version: VERSION,
      Settings: settings,
      Outputs: Object.fromEntries([...this.outputs].map(([name, output]) => [name, output.logicalId])),
    });
    if (settings.alerts.subscriptions.length === 0 && props.alerts?.topic === undefined) {
      const hint = 'add at least one, for instance { "email": "you@example.com" }, or subscribe to the topics yourself';
      const says = `alerts.subscriptions is empty, so no one receives an alert; ${hint}`;
      Annotations.of(this).addWarningV2('integration-guard:no-subscription', says);
    }
    for (const { kind, path, message, action } of findWithoutEffect(settings))
      Annotations.of(this).addWarningV2(`integration-guard:${kind}:${path}`, `${path} ${message} ${action}`);
    if (props.deployed !== undefined) {
      const { deployed } = props;
      keepSubscriptionIds(this, deployed);
      announceChanges(this, { deployed, settings, ledgerTableName: this.ledger.tableName, removalPolicy });
    }
  }

  /**
   * Lets a role or a user view the control panel, without its buttons and without access to the Secret Keys.
   * @throws SettingsError without `dashboard`
   */
  grantView(grantee: IGrantable): void {
    if (this.panelFunction === null) throw this.noPanel('grantView');
    this.panelFunction.grantInvoke(grantee);
    const { partition, account } = Stack.of(this);
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['cloudwatch:GetDashboard'],
        resources: [`arn:${partition}:cloudwatch::${account}:dashboard/${this.dashboardName}*`],
      }),
    );
  }

  /**
   * Lets a role or a user view the control panel and use its buttons, without access to the Secret Keys.
   * @throws SettingsError without `dashboard`
   */
  grantOperate(grantee: IGrantable): void {
    if (this.actFunction === null) throw this.noPanel('grantOperate');
    this.grantView(grantee);
    this.actFunction.grantInvoke(grantee);
  }

  /**
   * Lets a role or a user run every command with `--stack` except `changes`. This includes access to the Secret Keys.
   */
  grantCommandLine(grantee: IGrantable): void {
    const stack = Stack.of(this);
    this.grantPass(grantee);
    this.#secrets.grantRead(grantee);
    if (this.#fleet !== null) {
      grantTaggedSecrets(this, this.#fleet.settings, this.#fleet.secretKeyArn, [grantee]);
      // `projects` lists the fleet. The action cannot be limited to resources.
      grantee.grantPrincipal.addToPrincipalPolicy(
        new PolicyStatement({ actions: ['secretsmanager:ListSecrets'], resources: ['*'] }),
      );
    }
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['cloudformation:DescribeStacks', 'cloudformation:GetTemplate'],
        resources: [
          stack.formatArn({ service: 'cloudformation', resource: 'stack', resourceName: `${stack.stackName}/*` }),
        ],
      }),
    );
    this.grantDoctor(grantee);
  }

  /** The permissions of `doctor` beyond those of a pass. */
  private grantDoctor(grantee: IGrantable): void {
    const stack = Stack.of(this);
    const allow = (actions: string[], ...resources: string[]) =>
      grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }));
    // These actions cannot be limited to resources.
    allow(['cloudwatch:DescribeAlarms', 'cloudwatch:GetMetricData', 'scheduler:ListSchedules'], '*');
    allow(
      ['scheduler:GetSchedule'],
      stack.formatArn({ service: 'scheduler', resource: 'schedule', resourceName: '*' }),
    );
    const topics = [this.alertsTopic.topicArn, this.alarmsTopic.topicArn, ...this.#chatTopicArns];
    allow(['sns:ListSubscriptionsByTopic'], ...topics);
    allow(['sqs:GetQueueAttributes'], this.deadLetters.queueArn);
    this.#incidents.grantCount(grantee);
    if (this.#fleet === null) return;
    const { stateMachineArn, stateMachineName } = this.#fleet.stateMachine;
    const ofRuns = (resource: string, rest: string) =>
      stack.formatArn({
        service: 'states',
        resource,
        resourceName: `${stateMachineName}${rest}`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    allow(['states:ListExecutions'], stateMachineArn);
    allow(['states:ListMapRuns'], ofRuns('execution', ':*'));
    allow(['states:DescribeMapRun'], ofRuns('mapRun', '/*'));
  }

  /** Lets a role or a user start passes by hand. */
  grantRun(grantee: IGrantable): void {
    this.passFunction?.grantInvoke(grantee);
    this.fleet?.passFunction.grantInvoke(grantee);
  }

  /**
   * A metric that the guard writes. Every other figure of a pass is in its log line.
   * @param project its name in `projects`; projects of the fleet share their metrics under the name `(fleet)`
   */
  metric(name: GuardMetric, project: string, options: MetricOptions = {}): Metric {
    return new Metric({
      namespace: METRICS_NAMESPACE,
      metricName: METRIC[name],
      dimensionsMap: { service: METRICS_SERVICE, [PROJECT_DIMENSION]: project },
      statistic: 'Maximum',
      ...options,
    }).attachTo(this);
  }

  /**
   * Integrations of a project that are stopped, and not by an operator. It has no value while there are none.
   * @param project its name in `projects`; `(fleet)` for the project of the fleet that has the most
   */
  metricStopped(project: string, options: MetricOptions = {}): Metric {
    return this.metric('stopped', project, options);
  }

  /**
   * Passes over a listed project that its schedule started. EventBridge Scheduler writes this metric free of charge.
   * @throws SettingsError if the project is not in `projects`
   */
  metricPasses(project: string, options: MetricOptions = {}): Metric {
    const group = this.#scheduleGroups.get(project);
    if (group !== undefined) return group.metricAttempts({ statistic: 'Sum', ...options });
    const says = `metricPasses: expected the name of a project in "projects", got ${JSON.stringify(project)}. For a fleet, use guard.fleet.stateMachine.metricSucceeded()`;
    throw new SettingsError([says], this.node.path);
  }

  private noPanel(method: string): SettingsError {
    return new SettingsError([`${method}: this guard has no control panel. Set "dashboard": true`], this.node.path);
  }

  /** Exactly the permissions of a pass, on exactly its resources. */
  private grantPass(grantee: IGrantable): void {
    this.ledger.grant(grantee, 'dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:BatchWriteItem');
    const resources = [this.alertsTopic.topicArn, ...this.#chatTopicArns];
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: ['sns:Publish'], resources }));
    this.#incidents.grantSend(grantee);
    this.key?.grant(grantee, 'kms:Decrypt', 'kms:GenerateDataKey');
    // A given table and topic may have their own keys.
    this.ledger.encryptionKey?.grant(grantee, ...TABLE_KEY_ACTIONS);
    this.alertsTopic.masterKey?.grant(grantee, 'kms:Decrypt', 'kms:GenerateDataKey');
  }

  /** The permissions for drawing the panel: nothing that could change or publish anything. */
  private grantPanel(grantee: IGrantable): void {
    this.ledger.grant(grantee, 'dynamodb:Query');
    this.key?.grant(grantee, 'kms:Decrypt');
    this.ledger.encryptionKey?.grant(grantee, ...TABLE_KEY_ACTIONS);
  }

  private createFleet(
    { settings, fleetKeyArn }: GivenProps,
    environment: { readonly [name: string]: string },
    intervalMinutes: number,
    functions: { readonly digestFunction: LambdaFunction; readonly panelFunctions: readonly LambdaFunction[] },
  ): Fleet | null {
    const { digestFunction, panelFunctions } = functions;
    if (settings.fleet === undefined) return null;
    const passFunction = createGuardFunction(this, 'FleetPass', {
      settings,
      encryptionKey: this.key,
      description: 'One pass over one project of the fleet',
      entry: 'fleet-pass',
      environment,
    });
    const fleet = new Fleet(this, 'Fleet', {
      settings: settings.fleet,
      secretKeyArn: fleetKeyArn,
      intervalMinutes,
      passFunction,
      digestFunction,
      deadLetters: this.deadLetters,
    });
    this.grantPass(passFunction);
    grantTaggedSecrets(this, settings.fleet, fleetKeyArn, [passFunction, ...panelFunctions]);
    return fleet;
  }
}

/**
 * The permissions that DynamoDB requires of a caller if the table has a customer-managed key ("Amazon DynamoDB and
 * KMS").
 */
const TABLE_KEY_ACTIONS = ['kms:Decrypt', 'kms:Encrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'];

/** The key of the guard's entry in the stack's metadata, which the command line reads. */
const METADATA_KEY = 'IntegrationGuard';

function refuseSecond(guard: IntegrationGuard, stack: Stack): void {
  const other = stack.node
    .findAll()
    .find((each) => each instanceof IntegrationGuard && each !== guard && Stack.of(each) === stack);
  if (other === undefined) return;
  const says = `stack ${stack.node.path || stack.stackName} already has an IntegrationGuard (${other.node.path}). Put ${guard.node.path} into another stack: "--stack" identifies a guard by its stack`;
  throw new SettingsError([says], guard.node.path);
}

/**
 * Creates a schedule for each listed project. Its input is the project's name only; everything else is in the bundled
 * settings. Each has a group of its own, because EventBridge Scheduler writes its metrics by group: they show without
 * charge that a project gets its passes.
 */
function schedulePasses(
  scope: IntegrationGuard,
  projects: readonly string[],
  intervalMinutes: number,
  passFunction: LambdaFunction,
): ReadonlyMap<string, IScheduleGroup> {
  const { deadLetters } = scope;
  const arn = passFunction.functionArn;
  // The ARNs of all groups would not fit into the role.
  const role = createSchedulerRole(scope, 'SchedulerRole', 'lambda:InvokeFunction', arn, deadLetters, '*');
  const groups = new Map<string, IScheduleGroup>();
  for (const project of projects) {
    const input = ScheduleTargetInput.fromObject({ project });
    // CloudFormation names it, so that stacks of the same app do not collide.
    const { ref } = new CfnScheduleGroup(scope, `ScheduleGroupOf-${project}`);
    const scheduleGroup = ScheduleGroup.fromScheduleGroupName(scope, `GroupOf-${project}`, ref);
    groups.set(project, scheduleGroup);
    // Before version 0.3, its ID was ScheduleOf. A schedule cannot change its group, so this one replaces it.
    new Schedule(scope, `PassesOf-${project}`, {
      description: `Runs a pass over project ${project}`,
      schedule: ScheduleExpression.rate(Duration.minutes(intervalMinutes)),
      scheduleGroup,
      timeWindow: projects.length === 1 ? TimeWindow.off() : windowOf(intervalMinutes),
      target: targetOf({ arn, input, role, deadLetters, intervalMinutes }),
    });
  }
  return groups;
}

/** The quiet hours of the subscriptions, each once. */
function quietHoursOf({ alerts }: Settings): readonly QuietHours[] {
  const all = alerts.subscriptions.flatMap(({ quietHours }) => quietHours ?? []);
  return [...new Map(all.map((hours) => [nameOfQuietHours(hours), hours])).values()];
}

/**
 * Sends the alerts of quiet hours when these end. The function is invoked every hour and sends nothing in quiet hours. It therefore repeats
 * what failed, and a change to summer time skips nothing.
 */
function scheduleDigests(scope: IntegrationGuard, all: readonly QuietHours[], digestFunction: LambdaFunction): void {
  if (all.length === 0) return;
  const { deadLetters } = scope;
  const arn = digestFunction.functionArn;
  const role = createSchedulerRole(scope, 'DigestSchedulerRole', 'lambda:InvokeFunction', arn, deadLetters);
  for (const hours of all) {
    const release = nameOfQuietHours(hours);
    new Schedule(scope, `EndOf-${createHash('sha256').update(release).digest('hex').slice(0, 8)}`, {
      description: `Sends the alerts of the quiet hours ${release}`,
      schedule: ScheduleExpression.cron({
        minute: String(Number(hours.to.slice(3))),
        timeZone: TimeZone.of(hours.timeZone),
      }),
      timeWindow: TimeWindow.off(),
      target: targetOf({
        arn,
        input: ScheduleTargetInput.fromObject({ release }),
        role,
        deadLetters,
        intervalMinutes: MINUTES_TO_SEND_DIGESTS,
      }),
    });
  }
}

const MINUTES_TO_SEND_DIGESTS = 60;

function createLedger(scope: Construct, removalPolicy: RemovalPolicy): ITable {
  const ledger: Table = new Table(scope, 'Ledger', {
    partitionKey: { name: 'project', type: AttributeType.STRING },
    sortKey: { name: 'item', type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: 'expires_at',
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    // The ledger is the only record of the integrations that the guard paused.
    removalPolicy,
  });
  // CDK's own types disagree about a property that may be undefined.
  return ledger as ITable;
}

/** The given key, or a new one. */
function keyOf(
  scope: Construct,
  given: IKey | undefined,
  { encryptionKeyArn }: Settings,
  removalPolicy: RemovalPolicy,
): IKey {
  if (given !== undefined) return given;
  return encryptionKeyArn === undefined
    ? createKey(scope, removalPolicy)
    : Key.fromKeyArn(scope, 'Key', encryptionKeyArn);
}

/** The key is retained by default: without it, everything that it encrypted is unreadable. */
function createKey(scope: Construct, removalPolicy: RemovalPolicy): Key {
  return new Key(scope, 'Key', {
    description: 'Integration Guard: topics, logs and secrets',
    enableKeyRotation: true,
    removalPolicy,
  });
}

/**
 * Without this, CloudWatch can publish no alarm and create no log group. The owner of an imported key maintains its
 * policy.
 */
function letAlarmsAndLogsUse(key: IKey, { account, region, partition, urlSuffix }: Stack): void {
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
      // CloudWatch Logs uses its regional name with KMS ("Encrypt log data in CloudWatch Logs using KMS").
      principals: [new ServicePrincipal(`logs.${region}.${urlSuffix}`)],
      actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      resources: ['*'],
      conditions: {
        ArnLike: { 'kms:EncryptionContext:aws:logs:arn': `arn:${partition}:logs:${region}:${account}:log-group:*` },
      },
    }),
  );
}
