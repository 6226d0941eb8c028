import type { Construct } from 'constructs';
import { IntegrationGuardStack } from '../../../infra/index.ts';

/** Every secret `qonversion/NAME` with the tag `integration-guard:project` is a project, without another deployment. */
export class FleetStack extends IntegrationGuardStack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      fleet: {
        secretNamePrefix: 'qonversion/',
        concurrency: 50,
        policies: [{ match: 'trial-*', policy: { mode: 'observe' } }],
      },
      alerts: { subscriptions: [{ slack: { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' } }] },
    });
  }
}
