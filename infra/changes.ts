import { Annotations, Aspects, CfnResource, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { CfnSubscription } from 'aws-cdk-lib/aws-sns';
import type { Construct, IConstruct } from 'constructs';
import type { DeployedGuard } from '../functions/deployed/deployed-guard.ts';
import { findChanges } from '../functions/deployed/find-changes.ts';
import { SettingsError } from '../functions/guard/errors.ts';
import type { Settings } from '../functions/guard/settings/schema.ts';

/** Compares a guard with the deployed one. A change that would lose something is an error at synthesis. */

/** @throws SettingsError if `deployed` was read from another stack, account or region */
export function checkDeployedStack(scope: Construct, { stack, account, region }: DeployedGuard): void {
  const own = Stack.of(scope);
  const pairs = [
    ['stack', own.stackName, stack],
    ['account', own.account, account],
    ['region', own.region, region],
  ] as const;
  const faults = pairs
    .filter(([, expected, found]) => !Token.isUnresolved(expected) && expected !== found)
    .map(([what, expected, found]) => `deployed: expected the ${what} ${expected}, got ${found}`);
  if (faults.length > 0) throw new SettingsError(faults, scope.node.path);
}

export interface AnnounceProps {
  readonly deployed: DeployedGuard;
  readonly settings: Settings;
  /** A reference, or a name. */
  readonly ledgerTableName: string;
  /** Of the resources that the construct creates. */
  readonly removalPolicy: RemovalPolicy;
}

/**
 * Annotates the construct with everything that the deployment would lose, leave behind or adopt. The CDK CLI shows it.
 */
export function announceChanges(scope: Construct, props: AnnounceProps): void {
  const { deployed, settings, ledgerTableName, removalPolicy } = props;
  const stack = Stack.of(scope);
  const annotations = Annotations.of(scope);
  const facts = {
    ledgerReference: JSON.stringify(stack.resolve(ledgerTableName)),
    destroys: removalPolicy === RemovalPolicy.DESTROY,
  };
  for (const { level, says } of findChanges(deployed, settings, facts)) {
    if (level === 'error') annotations.addError(says);
    else if (level === 'warning') annotations.addWarningV2('integration-guard:change', says);
    else annotations.addInfo(says);
  }
  // The stack's resources are known only at the end. With the policy DESTROY, the user has agreed to deletions.
  if (removalPolicy === RemovalPolicy.DESTROY) return;
  Aspects.of(scope).add({
    visit: (node: IConstruct) => {
      if (node === scope) announceDeletions(scope, stack, deployed);
    },
  });
}

function announceDeletions(scope: Construct, stack: Stack, { resources, secrets }: DeployedGuard): void {
  const next = new Set(
    stack.node
      .findAll()
      .filter((each): each is CfnResource => CfnResource.isCfnResource(each) && Stack.of(each) === stack)
      .map((each) => String(stack.resolve(each.logicalId))),
  );
  // The messages about secrets name the project, so these are left to them.
  const named = new Set(Object.values(secrets).flatMap(({ logicalId }) => logicalId ?? []));
  for (const { logicalId, type, isRetained } of resources) {
    if (isRetained || next.has(logicalId) || named.has(logicalId)) continue;
    Annotations.of(scope).addError(
      `this deployment would delete ${logicalId} (${type}) and its contents. First deploy it once unchanged, without removalPolicy DESTROY: after that it stays`,
    );
  }
}

/**
 * Gives subscriptions the same IDs as in the deployed stack. SNS identifies a subscription by topic and endpoint. For a
 * subscription with a new ID, CloudFormation would get the existing one from SNS, and then delete it as the old one.
 */
export function keepSubscriptionIds(scope: Construct, { subscriptions }: DeployedGuard): void {
  const stack = Stack.of(scope);
  const ids = new Map(subscriptions.map(({ identity, logicalId }) => [identity, logicalId]));
  for (const each of scope.node.findAll()) {
    if (!(each instanceof CfnSubscription)) continue;
    const { topicArn, protocol, endpoint } = each;
    const id = ids.get(JSON.stringify(stack.resolve([topicArn, protocol, endpoint])));
    if (id !== undefined && id !== stack.resolve(each.logicalId)) each.overrideLogicalId(id);
  }
}
