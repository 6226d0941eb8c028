import { fullDiff, ResourceImpact, type TemplateDiff } from '@aws-cdk/cloudformation-diff';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import type { DeployedGuard } from '../../functions/deployed/deployed-guard.ts';
import { readTemplate } from '../../functions/deployed/read-deployed.ts';
import { createStack, RICH_SETTINGS } from '../infra/synthesize.ts';
import v1 from './template-v1.json' with { type: 'json' };

/**
 * CloudFormation's changes to the resources of a stack of version 0.1 when this version is deployed over it. `template-v1.json` is
 * the template of version 0.1 (commit 6abfc23) with these settings, which both versions accept. Hashes of assets are scrubbed.
 */

const { subscriptions: all } = RICH_SETTINGS.alerts;
const ALERTS = { subscriptions: all.filter((each) => !('pagerduty' in each) && !('webhook' in each)) };
const SETTINGS = { ...RICH_SETTINGS, alerts: ALERTS, fleet: { secretNamePrefix: 'fleet/' } };

const { guard, secrets, resources, subscriptions, chats } = readTemplate(
  'IntegrationGuard',
  JSON.stringify(v1),
  [],
  [{ OutputKey: 'LedgerTableName', OutputValue: 'ledger' }],
);

/** A stack of version 0.1, as `readDeployedGuard` reads it. */
const DEPLOYED: DeployedGuard = {
  stack: 'IntegrationGuard',
  account: '123456789012',
  region: 'eu-west-1',
  guard,
  // Version 0.1 did not retain secrets.
  secrets: Object.fromEntries(
    Object.entries(secrets).map(([name, secret]) => [
      name,
      { ...secret, otherStack: null, isDeleted: false, arn: null, keyArn: null, keyAlias: null },
    ]),
  ),
  resources,
  subscriptions,
  chats,
  leftLedgers: [],
};

const PERMISSIONS = [
  'WILL_CREATE AWS::Lambda::Permission GuardAlertslambda80ab240cfromTopicF955F7F9',
  'WILL_DESTROY AWS::Lambda::Permission GuardAlertslambda2a7ee4b6fromTopicEB31D476',
];

/** A project's schedule moves into a group of its own. Stack-wide and per project, alarms that nothing needs any more go. */
const OF_PROJECTS = ['other', 'production'].flatMap((project) => [
  [`WILL_CREATE AWS::Scheduler::Schedule`, `GuardPassesOf${project}`],
  [`WILL_DESTROY AWS::Scheduler::Schedule`, `GuardScheduleOf${project}`],
  [`WILL_CREATE AWS::Scheduler::ScheduleGroup`, `GuardScheduleGroupOf${project}`],
  [`WILL_CREATE AWS::CloudWatch::Alarm`, `GuardMonitoringStopped${project}`],
  [`WILL_DESTROY AWS::CloudWatch::Alarm`, `GuardMonitoringPausesFailed${project}`],
]);
const DUE_CHANGES = [
  ...OF_PROJECTS,
  ['WILL_CREATE AWS::CloudWatch::Alarm', 'GuardMonitoringFleetStopped'],
  // Sends the digests of the fleet.
  ['WILL_CREATE AWS::IAM::Policy', 'GuardDigestRoleDefaultPolicy'],
  ['WILL_CREATE AWS::IAM::Role', 'GuardDigestRole'],
  ['WILL_CREATE AWS::Lambda::EventInvokeConfig', 'GuardDigestEventInvokeConfig'],
  ['WILL_CREATE AWS::Lambda::Function', 'GuardDigest'],
  ['WILL_CREATE AWS::Logs::LogGroup', 'GuardDigestLogs'],
].map((each) => each.join(' '));

function update(deployed: DeployedGuard | undefined): TemplateDiff {
  const next = Template.fromStack(createStack({ ...SETTINGS, deployed }).stack).toJSON();
  return fullDiff(v1, JSON.parse(JSON.stringify(next).replace(/[a-f0-9]{64}/g, 'ASSET-HASH')));
}

/** "IMPACT TYPE ID" of every resource that changes, except those that are updated in place. */
function impactOf({ resources }: TemplateDiff): readonly string[] {
  const found: string[] = [];
  resources.forEachDifference((id, { changeImpact, oldResourceType, newResourceType }) => {
    if (changeImpact === ResourceImpact.NO_CHANGE || changeImpact === ResourceImpact.WILL_UPDATE) return;
    found.push(`${changeImpact} ${oldResourceType ?? newResourceType} ${id}`);
  });
  return found.sort();
}

const withoutHash = (impact: string) => impact.replace(/[0-9A-F]{8}$/, '');
const isDue = (impact: string) => !DUE_CHANGES.includes(withoutHash(impact));

describe('a stack of version 0.1 after an update to this version', () => {
  it('loses no data: besides alarms, schedules and the new function, it replaces a permission of a topic to invoke a function, which is created before the old one is deleted', () => {
    expect(subscriptions.length).toBeGreaterThan(5);
    expect(impactOf(update(DEPLOYED)).filter(isDue)).toEqual(PERMISSIONS);
  });

  it('has an alarm on stopped integrations for each project, a schedule in a group of its own, and a function for digests', () => {
    const changed = impactOf(update(DEPLOYED)).filter((each) => !isDue(each));
    expect(changed.map(withoutHash).sort()).toEqual([...DUE_CHANGES].sort());
  });

  it('would have other secrets and subscriptions if the deployed stack were not read', () => {
    const impact = impactOf(update(undefined)).filter((each) => !PERMISSIONS.includes(each));
    const isSubscription = (each: string) => each.includes(' AWS::SNS::Subscription ');
    const isOfChat = (each: string) => / AWS::Chatbot::| GuardAlerts(?:slack|teams)/.test(each);
    expect(impact.filter((each) => !isSubscription(each) && !isOfChat(each) && isDue(each))).toEqual([
      'WILL_CREATE AWS::SecretsManager::Secret GuardSecretqonversionproduction3a32e277122B16D5',
      'WILL_DESTROY AWS::SecretsManager::Secret GuardSecretOfproduction706D390E',
    ]);
    expect(impact.filter(isSubscription)).toHaveLength(2 * subscriptions.length);
  });

  it('retains the secret', () => {
    const { resources } = update(DEPLOYED);
    expect(resources.get('GuardSecretOfproduction706D390E').newValue).toMatchObject({
      DeletionPolicy: 'RetainExceptOnCreate',
    });
  });

  it('keeps every output under its name', () => {
    const removed: string[] = [];
    update(DEPLOYED).outputs.forEachDifference((name, { newValue }) => {
      if (newValue === undefined) removed.push(name);
    });
    expect(removed).toEqual([]);
  });
});
