import { CfnResource, Stack, Token, Validations } from 'aws-cdk-lib';
import { CfnTable } from 'aws-cdk-lib/aws-dynamodb';
import { CfnPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnEventInvokeConfig, CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnTopic } from 'aws-cdk-lib/aws-sns';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { CfnStateMachine, type StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { IConstruct } from 'constructs';
import type { Encryption, FleetSettings } from '../functions/guard/settings/schema.ts';

interface Acknowledgement {
  readonly on: (resource: CfnResource) => boolean;
  readonly ids: readonly string[];
  readonly reason: string;
}

/**
 * Every accepted finding of cdk-nag (AwsSolutions, NIST 800-53 R5, Serverless), with the reason. It is one list, so
 * that a reviewer finds all reasons in one place. The tests fail on any other finding.
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
      'Only Qonversion can create a new Secret Key, and a person starts that in its dashboard. The guard reads the new value automatically, after a 401 and every 15 minutes.',
  },
  {
    on: (resource) => resource instanceof CfnTable,
    ids: ['NIST.800.53.R5-DynamoDBInBackupPlan'],
    reason:
      'Point-in-time recovery covers 35 days, which is longer than this table’s data matters. A backup plan is the account owner’s choice.',
  },
  {
    on: (resource) => resource instanceof CfnPolicy || resource instanceof CfnRole,
    ids: ['NIST.800.53.R5-IAMNoInlinePolicy'],
    reason:
      'Each role has one policy that nothing else shares. An inline policy is deleted with its role and cannot be attached elsewhere.',
  },
  {
    on: (resource) => resource instanceof CfnFunction,
    ids: ['NIST.800.53.R5-LambdaConcurrency'],
    reason:
      'Concurrent passes are harmless, because ledger writes are conditional. Reserving concurrency fails in accounts with the small default limit. Throttling raises an alarm.',
  },
  {
    on: (resource) => resource instanceof CfnFunction || resource instanceof CfnEventInvokeConfig,
    ids: ['NIST.800.53.R5-LambdaDLQ', 'Serverless-LambdaDLQ', 'Serverless-LambdaAsyncFailureDestination'],
    reason:
      'A failed pass is not replayed. Its input is a project name, the next pass reads the current state and continues from the ledger, and an alarm fires. Events that Scheduler could not deliver go to the dead-letter queue.',
  },
  {
    on: (resource) => resource instanceof CfnFunction,
    ids: ['NIST.800.53.R5-LambdaInsideVPC'],
    reason:
      'The function calls AWS APIs and the Qonversion API over TLS, and nothing inside a network. A VPC would add a NAT gateway and no protection.',
  },
  {
    on: (resource) => resource instanceof CfnFunction,
    ids: ['Serverless-LambdaTracing'],
    reason:
      'One function with structured logs and metrics per pass; X-Ray would add cost and permissions, but no information.',
  },
  {
    on: (resource) => resource instanceof CfnStateMachine,
    ids: ['AwsSolutions-SF1'],
    reason:
      'Step Functions keeps the history of a run and the outcome of each of its passes for 90 days without a log, and every pass has its own log. Logging ALL would write each project name several times per run.',
  },
  {
    on: (resource) => resource instanceof CfnStateMachine,
    ids: ['AwsSolutions-SF2', 'Serverless-StepFunctionStateMachineXray'],
    reason:
      'A run is a list and a map over one function. Its history shows each step with its time. X-Ray would add cost and permissions, but no information.',
  },
];

/** The fleet's wildcards: the secrets, executions and lists are not known at synthesis. */
function ofFleet({ secretNamePrefix }: FleetSettings, stateMachine: StateMachine): readonly Acknowledgement[] {
  const stack = Stack.of(stateMachine);
  const machineId = stack.getLogicalId(stateMachine.node.defaultChild as CfnStateMachine);
  const wildcard = (resource: string) => [`AwsSolutions-IAM5[Resource::${resource}]`];
  // cdk-nag shows values that only the deployment knows in angle brackets.
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
        'Customers are added as secrets, without a deployment. A condition limits the functions to secrets with the tag integration-guard:project.',
    },
    {
      on: (resource) => on(resource) && resource.node.path.includes(`${stateMachine.node.scope?.node.path}/Role/`),
      ids: wildcard('*'),
      reason: 'ListSecrets returns names and tags but no values. It cannot be limited to resources.',
    },
    {
      on,
      ids: wildcard(arn('states', `execution:<${machineId}.Name>:*`)),
      reason: 'Executions get their names when they start. The resource covers this state machine only.',
    },
  ];
}

/** The findings of a guard without a KMS key. */
const WITHOUT_KEY: readonly Acknowledgement[] = [
  {
    on: (resource) => resource instanceof CfnTopic,
    ids: ['NIST.800.53.R5-SNSEncryptedKMS'],
    reason: 'The settings choose the encryption aws-owned. SNS then encrypts messages on its disks with its own key.',
  },
  {
    on: (resource) => resource instanceof CfnLogGroup,
    ids: ['NIST.800.53.R5-CloudWatchLogGroupEncrypted'],
    reason: 'The settings choose the encryption aws-owned. CloudWatch Logs then encrypts the logs with its own key.',
  },
];

/** Writes the reasons where cdk-nag reads them. */
export function acknowledge(
  scope: IConstruct,
  fleet: { readonly settings: FleetSettings; readonly stateMachine: StateMachine } | null,
  encryption: Encryption,
): void {
  const acknowledged = [
    ...ACKNOWLEDGED,
    ...(fleet === null ? [] : ofFleet(fleet.settings, fleet.stateMachine)),
    ...(encryption === 'aws-owned' ? WITHOUT_KEY : []),
  ];
  // An older CDK has no place for them.
  if ((Validations as typeof Validations | undefined) === undefined) return;
  for (const construct of scope.node.findAll()) {
    if (!(construct instanceof CfnResource)) continue;
    for (const { on, ids, reason } of acknowledged) {
      if (!on(construct)) continue;
      for (const id of ids) Validations.of(construct).acknowledge({ id, reason });
    }
  }
}
