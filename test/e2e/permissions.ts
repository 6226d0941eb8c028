import {
  GetRolePolicyCommand,
  type IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam';
import { runSimulation } from '@cloud-copilot/iam-simulate';
import { ACCOUNT, REGION } from './cloud.ts';

/** An inline policy of a deployed role. */
export interface RolePolicy {
  readonly name: string;
  readonly policy: {
    readonly Statement: readonly {
      readonly Action: string | readonly string[];
      readonly Resource: string | readonly string[];
      readonly Condition?: unknown;
    }[];
  };
}

/**
 * The policies of a role.
 * @param revive a reviver for JSON.parse that translates the emulator's names into AWS's
 * @throws when the role has attached policies
 */
export async function readPolicies(
  iam: IAMClient,
  roleArn: string,
  revive?: (key: string, value: unknown) => unknown,
): Promise<{ readonly role: string; readonly policies: readonly RolePolicy[] }> {
  const RoleName = roleArn.split('/').at(-1) ?? '';
  const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  if (AttachedPolicies.length > 0) throw new Error(`${RoleName} has attached policies`);
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  const policies = await Promise.all(
    PolicyNames.map(async (PolicyName) => {
      const { PolicyDocument = '' } = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
      const text = PolicyDocument.startsWith('{') ? PolicyDocument : decodeURIComponent(PolicyDocument);
      return { name: PolicyName, policy: JSON.parse(text, revive) as RolePolicy['policy'] };
    }),
  );
  return { role: RoleName, policies };
}

/**
 * Whether the role's policies allow the call, according to `@cloud-copilot/iam-simulate`.
 * @param tags the resource's tags, by IAM context key
 */
export async function isAllowed(
  role: string,
  policies: readonly RolePolicy[],
  action: string,
  resource: string,
  tags: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${ACCOUNT}:role/${role}`,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: { 'aws:RequestedRegion': REGION, ...tags },
      },
      identityPolicies: policies.map(({ name, policy }) => ({ name, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(resource.includes(':key/') ? { resourcePolicy: ACCOUNT_TRUSTING_KEY_POLICY } : {}),
    },
    {},
  );
  if (result.resultType === 'error')
    throw new Error(`${action} on ${resource} cannot be evaluated: ${JSON.stringify(result.errors)}`);
  return result.overallResult === 'Allowed';
}

/** CDK's default key policy: the identity policies of the account decide. */
const ACCOUNT_TRUSTING_KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' }],
};

/** Every pair of action and resource that the policies name. */
export function grantsOf(
  policies: readonly RolePolicy[],
): readonly { readonly action: string; readonly resource: string }[] {
  return policies.flatMap(({ policy }) =>
    policy.Statement.flatMap(({ Action, Resource }) =>
      [Action]
        .flat()
        .flatMap((action) =>
          [Resource].flat().map((resource) => ({ action: String(action), resource: String(resource) })),
        ),
    ),
  );
}
