import { Annotations, Aspects, CfnResource, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { CfnSubscription } from 'aws-cdk-lib/aws-sns';
import type { Construct, IConstruct } from 'constructs';
import type { DeployedGuard } from '../functions/deployed/deployed-guard.ts';
import { findChanges } from '../functions/deployed/find-changes.ts';
import { SettingsError } from '../functions/guard/errors.ts';
import type { Settings } from '../functions/guard/settings/schema.ts';

/** Compares a guard with what is deployed already: what would be lost is an error at synthesis. */

/** @throws SettingsError when it was read of another stack */
export function checkDeployedStack(scope: Construct, { stack, account, region }: DeployedGuard): void {
  const own = Stack.of(scope);
  const pairs = [
    ['stack', own.stackName, stack],
    ['account', own.account, account],
    ['region', own.region, region],
  ] as const;
  const faults = pairs
    .filter(([, expected, found]) => !Token.isUnresolved(expected) && expected !== found)
    .map(
      ([what, expected, found]) => `deployed: expected what is deployed in ${what} ${expected}, got that of ${found}`,
    );
  if (faults.length > 0) throw new SettingsError(faults, scope.node.path);
}

export interface AnnounceProps {
  readonly deployed: DeployedGuard;
  readonly settings: Settings;
  /** A reference, or a name. */
  readonly ledgerTableName: string;
  /** Of what the construct creates. */
  readonly removalPolicy: RemovalPolicy;
}

/** Writes what the deployment would lose, leave behind or take over to the construct, where the CDK CLI shows it. */
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
  // Only at the end is it known what the stack has; the policy to destroy is the user's own word.
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
  // Of these the sentence names the project.
  const named = new Set(Object.values(secrets).flatMap(({ logicalId }) => logicalId ?? []));
  for (const { logicalId, type, isRetained } of resources) {
    if (isRetained || next.has(logicalId) || named.has(logicalId)) continue;
    Annotations.of(scope).addError(
      `this deployment would delete ${logicalId} (${type}) with what it holds. Deploy once with it as it was and without removalPolicy DESTROY: from then on it stays`,
    );
  }
}

/**
 * Gives subscriptions the ids that they have in the deployed stack. SNS knows a subscription by topic and endpoint: of one with a
 * new id it would give CloudFormation the old one, which CloudFormation then deletes as no longer needed.
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
