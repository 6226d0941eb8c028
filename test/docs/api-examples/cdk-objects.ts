import { Stack } from 'aws-cdk-lib';
import { AccountRootPrincipal, ManagedPolicy, Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { IntegrationGuard } from '../../../infra/index.ts';

export class PlatformStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const guard = new IntegrationGuard(this, 'Guard', {
      projects: { production: {} },
      secrets: { production: Secret.fromSecretNameV2(this, 'SecretKey', 'qonversion/production') },
      dashboard: true,
      encryptionKey: new Key(this, 'Key', { enableKeyRotation: true }),
      alerts: { subscriptions: [{ sqs: new Queue(this, 'Alerts', { enforceSSL: true }) }] },
    });
    const onCall = new Role(this, 'OnCall', { assumedBy: new AccountRootPrincipal() });
    onCall.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName('CloudWatchReadOnlyAccess'));
    guard.grantOperate(onCall);
    guard.metricStopped('production').createAlarm(this, 'ManyStopped', { threshold: 5, evaluationPeriods: 1 });
  }
}
