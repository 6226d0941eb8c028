import { CfnResource, Stack, Token, Validations } from 'aws-cdk-lib';
import { CfnTable } from 'aws-cdk-lib/aws-dynamodb';
import { CfnPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnEventInvokeConfig, CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { CfnStateMachine, type StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { IConstruct } from 'constructs';
import type { FleetSettings } from '../functions/guard/settings/schema.ts';

interface Acknowledgement {
  readonly on: (resource: CfnResource) => boolean;
  readonly ids: readonly string[];
  readonly reason: string;
}

/**
 * Every finding of cdk-nag (AwsSolutions, NIST 800-53 R5, Serverless) that is left as it is, with the reason. One list, so
 * that a reviewer reads them in one place; the tests fail on any finding that is not here.
 */
const ACKNOWLEDGED: readonly Acknowledgement[] = [
  {
    on: (resource) => resource instanceof CfnQueue,
    ids: ['AwsSolutions-SQS3', 'Serverless-SQSRedrivePolicy'],
    reason: 'This queue is the dead-letter queue; an alarm watches its depth.',
  },
  {
    on: (resource) => resource instanceof CfnSecret,
    ids: ['AwsSolutions-SMG4', 'NIST.800.53.R5-SecretsManagerRotationEnabled'],
    reason:
      'Only Qonversion can make a new Secret Key, and a person starts that in its dashboard. The guard picks up a new value by itself, after a 401 and every 15 minutes.',
  },
  {
    on: (resource) => resource instanceof CfnTable,
    ids: ['NIST.800.53.R5-DynamoDBInBackupPlan'],
    reason:
      'Point-in-time recovery covers 35 days, longer than anything in this table matters; a backup plan is the account owner’s choice.',
  },
  {
    on: (resource) => resource instanceof CfnPolicy || resource instanceof CfnRole,
    ids: ['NIST.800.53.R5-IAMNoInlinePolicy'],
    reason:
      'Each role has one policy that nothing else may share: inline, it lives and dies with its role and cannot be attached elsewhere.',
  },
  {
    on: (resource) => resource instanceof CfnFunction,
    ids: ['NIST.800.53.R5-LambdaConcurrency'],
    reason:
      'Passes at the same time are harmless (ledger writes are conditional), and reserving concurrency fails in accounts with the small default limit. Throttling raises an alarm.',
  },
  {
    on: (resource) => resource instanceof CfnFunction || resource instanceof CfnEventInvokeConfig,
    ids: ['NIST.800.53.R5-LambdaDLQ', 'Serverless-LambdaDLQ', 'Serverless-LambdaAsyncFailureDestination'],
    reason:
      'A failed pass is not replayed: its input is a project name, the next schedule evaluates the present state, attempts and outboxes in the ledger carry over what was begun, and an alarm fires. What Scheduler could not deliver goes to the dead-letter queue.',
  },
  {
    on: (resource) => resource instanceof CfnFunction,
    ids: ['NIST.800.53.R5-LambdaInsideVPC'],
    reason:
      'The function talks to AWS APIs and the Qonversion API over TLS and to nothing inside a network; a VPC would add a NAT gateway and no protection.',
  },
  {
    on: (resource) => resource instanceof CfnFunction,
    ids: ['Serverless-LambdaTracing'],
    reason:
      'One function with structured logs and metrics per pass; X-Ray would add cost and permissions and answer nothing more.',
  },
  {
    on: (resource) => resource instanceof CfnStateMachine,
    ids: ['AwsSolutions-SF1'],
    reason:
      'Step Functions keeps the history of a run and the outcome of each of its passes for 90 days without a log, and every pass logs itself. Logging ALL would write each project name several times per run.',
  },
  {
    on: (resource) => resource instanceof CfnStateMachine,
    ids: ['AwsSolutions-SF2', 'Serverless-StepFunctionStateMachineXray'],
    reason:
      'A run is a list and a map over one function; its history shows each step with its time, and X-Ray would add cost and permissions and answer nothing more.',
  },
];

/** Wildcards of the fleet: which secrets, executions and lists there will be nobody knows at synthesis. */
function ofFleet({ secretNamePrefix }: FleetSettings, stateMachine: StateMachine): readonly Acknowledgement[] {
  const stack = Stack.of(stateMachine);
  const machineId = stack.getLogicalId(stateMachine.node.defaultChild as CfnStateMachine);
  const wildcard = (resource: string) => [`AwsSolutions-IAM5[Resource::${resource}]`];
  // As cdk-nag shows it: what only the deployment knows is in angle brackets.
  const known = (value: string, otherwise: string) => (Token.isUnresolved(value) ? `<AWS::${otherwise}>` : value);
  const scope = [known(stack.region, 'Region'), known(stack.account, 'AccountId')].join(':');
  const arn = (service: string, rest: string) =>
    `arn:${known(stack.partition, 'Partition')}:${service}:${scope}:${rest}`;
  const on = (resource: CfnResource) => resource instanceof CfnPolicy;
  return [
    {
      on,
      ids: wildcard(arn('secretsmanager', `secret:${secretNamePrefix}*`)),
      reason:
        'Adding a customer is adding a secret, without a deployment. A condition lets functions read only those with the tag integration-guard:project.',
    },
    {
      on: (resource) => on(resource) && resource.node.path.includes(`${stateMachine.node.scope?.node.path}/Role/`),
      ids: wildcard('*'),
      reason: 'ListSecrets, which tells names and tags and no value, knows no resource to be limited to.',
    },
    {
      on,
      ids: wildcard(arn('states', `execution:<${machineId}.Name>:*`)),
      reason: 'Executions get their names when they start; these are those of the one state machine.',
    },
  ];
}

/** Writes the reasons down where cdk-nag looks for them. */
export function acknowledge(
  scope: IConstruct,
  fleet: { readonly settings: FleetSettings; readonly stateMachine: StateMachine } | null,
): void {
  const acknowledged =
    fleet === null ? ACKNOWLEDGED : [...ACKNOWLEDGED, ...ofFleet(fleet.settings, fleet.stateMachine)];
  // An older CDK has nothing to write them to.
  if ((Validations as typeof Validations | undefined) === undefined) return;
  for (const construct of scope.node.findAll()) {
    if (!(construct instanceof CfnResource)) continue;
    for (const { on, ids, reason } of acknowledged) {
      if (!on(construct)) continue;
      for (const id of ids) Validations.of(construct).acknowledge({ id, reason });
    }
  }
}
