import { readFileSync } from 'node:fs';
import { App } from 'aws-cdk-lib';
import { IntegrationGuardStack } from '../../infra/stack.ts';

/** Settings with every kind of project and subscription. */
export const RICH_SETTINGS = {
  schedule: 'rate(5 minutes)',
  dashboard: true,
  projects: {
    production: { secretName: 'qonversion/production' },
    other: {
      secretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:qonversion/other-AbCdEf',
      secretKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000',
      policy: { mode: 'observe' },
    },
  },
  alerts: {
    subscriptions: [
      { email: 'ops@example.com', minSeverity: 'warning' },
      { sms: '+15551230000', minSeverity: 'critical', projects: ['production'] },
      { sqs: 'arn:aws:sqs:eu-west-1:123456789012:alerts' },
      { lambda: 'arn:aws:lambda:eu-west-1:123456789012:function:on-alert', minSeverity: 'warning' },
      { https: 'https://example.com/hooks/guard', alarms: true },
      { slack: { workspaceId: 'T0ABCDEF1', channelId: 'C0ABCDEF1' }, minSeverity: 'warning' },
      {
        teams: {
          tenantId: '0f1e2d3c-0000-4000-8000-000000000001',
          teamId: '0f1e2d3c-0000-4000-8000-000000000002',
          channelId: '19%3aabc%40thread.tacv2',
        },
        projects: ['production'],
        alarms: false,
      },
      { pagerduty: { routingKeySecret: 'pagerduty/guard' }, minSeverity: 'warning' },
      {
        webhook: { url: 'https://api.example.com/alerts', headerSecret: 'oncall/header' },
        projects: ['production'],
      },
    ],
  },
} as const;

/** The stack of the CDK app, without bundling, which has its own test. */
export function createStack(document: object = RICH_SETTINGS): {
  readonly app: App;
  readonly stack: IntegrationGuardStack;
} {
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
  const app = new App({ context: { ...context, 'aws:cdk:bundling-stacks': [], 'aws:cdk:version-reporting': false } });
  return { app, stack: new IntegrationGuardStack(app, 'IntegrationGuard', document) };
}
