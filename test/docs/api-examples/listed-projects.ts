import { Duration, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { IntegrationGuard } from '../../../infra/index.ts';

export class PaymentsStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new IntegrationGuard(this, 'Guard', {
      schedule: Duration.minutes(5),
      projects: {
        // The stack creates this secret, empty. An output says how to fill it.
        production: { secretName: 'qonversion/production', policy: { mode: 'observe' } },
      },
      alerts: { subscriptions: [{ email: 'ops@example.com', minSeverity: 'warning' }] },
    });
  }
}
