import { Duration, Stack } from 'aws-cdk-lib';
import { Effect, type IGrantable, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { DefinitionBody, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { PROJECT_TAG } from '../functions/guard/settings/fleet.ts';
import type { FleetSettings } from '../functions/guard/settings/schema.ts';
import { describeFleetMachine } from './fleet-machine.ts';
import { createSchedulerRole, targetOf, windowOf } from './schedules.ts';

export interface FleetMachineProps {
  readonly settings: FleetSettings;
  /** ARN of the customer-managed key of the secrets. It may be a token. */
  readonly secretKeyArn: string | undefined;
  readonly intervalMinutes: number;
  /** Runs a pass over one project of the fleet. */
  readonly passFunction: LambdaFunction;
  /** Sends the alerts of a run. */
  readonly digestFunction: LambdaFunction;
  /** Receives events that Scheduler could not deliver. */
  readonly deadLetters: IQueue;
}

/**
 * Passes over every project that a secret's tag defines. A schedule starts a state machine, which reads the tagged
 * secrets and invokes the pass function for each. To add a customer, add a secret: no deployment is necessary.
 */
export class Fleet extends Construct {
  /** The settings of the fleet, with their defaults. */
  readonly settings: FleetSettings;
  /** ARN of the customer-managed key of the secrets; undefined without one. */
  readonly secretKeyArn: string | undefined;
  /** Runs a pass over one project of the fleet. */
  readonly passFunction: LambdaFunction;
  /** Runs the passes. */
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: FleetMachineProps) {
    super(scope, id);
    const { settings, intervalMinutes, passFunction, digestFunction, deadLetters } = props;
    this.settings = settings;
    this.secretKeyArn = props.secretKeyArn;
    this.passFunction = passFunction;
    const role = new Role(this, 'Role', {
      description: 'Lets a run over the fleet list secrets and invoke passes',
      assumedBy: new ServicePrincipal('states.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    });
    role.addToPolicy(allow('secretsmanager:ListSecrets', '*'));
    for (const { functionArn } of [passFunction, digestFunction])
      role.addToPolicy(allow('lambda:InvokeFunction', functionArn));
    this.stateMachine = new StateMachine(this, 'Runs', {
      definitionBody: DefinitionBody.fromString(
        JSON.stringify(
          describeFleetMachine(settings, {
            passFunctionArn: passFunction.functionArn,
            digestFunctionArn: digestFunction.functionArn,
            partition: Stack.of(this).partition,
          }),
        ),
      ),
      role,
      comment: 'A pass for every secret with the tag',
    });
    const mayRunMaps = this.letRunMaps(role);

    const schedule = new Schedule(this, 'Schedule', {
      description: 'Starts a run over the fleet',
      schedule: ScheduleExpression.rate(Duration.minutes(intervalMinutes)),
      timeWindow: windowOf(intervalMinutes),
      target: targetOf({
        arn: this.stateMachine.stateMachineArn,
        input: ScheduleTargetInput.fromObject({}),
        role: createSchedulerRole(
          this,
          'SchedulerRole',
          'states:StartExecution',
          this.stateMachine.stateMachineArn,
          deadLetters,
        ),
        deadLetters,
        intervalMinutes,
      }),
    });
    schedule.node.addDependency(mayRunMaps);
  }

  /**
   * Lets the distributed map start executions of its own machine ("IAM policies for using Distributed Map states"). The
   * policy names the machine, so it is created afterwards.
   */
  private letRunMaps(role: Role): Policy {
    const { partition, region, account } = Stack.of(this);
    const { stateMachineArn, stateMachineName } = this.stateMachine;
    const executions = `arn:${partition}:states:${region}:${account}:execution:${stateMachineName}:*`;
    return new Policy(this, 'MayRunMaps', {
      roles: [role],
      statements: [
        allow('states:StartExecution', stateMachineArn),
        new PolicyStatement({
          actions: ['states:DescribeExecution', 'states:StopExecution'],
          resources: [executions],
        }),
      ],
    });
  }
}

/** Lets functions describe and read the secrets of the fleet: those with the tag and the settings' name prefix. */
export function grantTaggedSecrets(
  scope: Construct,
  { secretNamePrefix }: Pick<FleetSettings, 'secretNamePrefix'>,
  secretKeyArn: string | undefined,
  readers: readonly IGrantable[],
): void {
  const { partition, region, account } = Stack.of(scope);
  for (const reader of readers) {
    reader.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
        resources: [`arn:${partition}:secretsmanager:${region}:${account}:secret:${secretNamePrefix}*`],
        // The tag exists, with any value.
        conditions: { Null: { [`aws:ResourceTag/${PROJECT_TAG}`]: 'false' } },
      }),
    );
    if (secretKeyArn !== undefined) reader.grantPrincipal.addToPrincipalPolicy(allow('kms:Decrypt', secretKeyArn));
  }
}

function allow(action: string, resource: string): PolicyStatement {
  return new PolicyStatement({ actions: [action], resources: [resource] });
}
