import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IScheduleTarget, type ScheduleTargetInput, TimeWindow } from 'aws-cdk-lib/aws-scheduler';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** Shared by all schedules of the guard. */

/**
 * A role that may start one target and write to the dead-letter queue. CDK's own targets would also allow every version
 * of the target.
 * @param group the schedule group that may use it, or a pattern such as "*"
 */
export function createSchedulerRole(
  scope: Construct,
  id: string,
  action: 'lambda:InvokeFunction' | 'states:StartExecution',
  resource: string,
  deadLetters: IQueue,
  group = 'default',
): Role {
  const { account, region, partition } = Stack.of(scope);
  const allow = (actions: string[], on: string) => new PolicyStatement({ actions, resources: [on] });
  return new Role(scope, id, {
    description: 'Lets EventBridge Scheduler start passes',
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: {
        StringEquals: { 'aws:SourceAccount': account },
        ArnLike: { 'aws:SourceArn': `arn:${partition}:scheduler:${region}:${account}:schedule-group/${group}` },
      },
    }),
    inlinePolicies: {
      StartPasses: new PolicyDocument({
        statements: [
          allow([action], resource),
          allow(['sqs:SendMessage'], deadLetters.queueArn),
          // A given queue may have its own key.
          ...(deadLetters.encryptionMasterKey === undefined
            ? []
            : [allow(['kms:Decrypt', 'kms:GenerateDataKey'], deadLetters.encryptionMasterKey.keyArn)]),
        ],
      }),
    },
  });
}

/**
 * Scheduler spreads the starts over a fifth of the interval. The passes then share the account's concurrency and the
 * API's rate limit.
 */
export function windowOf(intervalMinutes: number): TimeWindow {
  const fifth = Math.floor(intervalMinutes / 5);
  return fifth === 0 ? TimeWindow.off() : TimeWindow.flexible(Duration.minutes(Math.min(fifth, 60)));
}

export interface TargetProps {
  readonly arn: string;
  readonly input: ScheduleTargetInput;
  readonly role: Role;
  readonly deadLetters: IQueue;
  readonly intervalMinutes: number;
}

export function targetOf({ arn, input, role, deadLetters, intervalMinutes }: TargetProps): IScheduleTarget {
  return {
    bind: () => ({
      arn,
      role,
      input,
      deadLetterConfig: { arn: deadLetters.queueArn },
      // The next pass is the better retry. Events that cannot be delivered at all go to the dead-letter queue.
      retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: Math.max(1, intervalMinutes) * 60 },
    }),
  };
}
