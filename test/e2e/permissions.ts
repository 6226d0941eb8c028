import { runSimulation } from '@cloud-copilot/iam-simulate';
import { ACCOUNT, REGION } from './cloud.ts';

/** A policy document as the deployed role has it. */
export interface RolePolicy {
  readonly name: string;
  readonly policy: {
    readonly Statement: readonly {
      readonly Action: string | readonly string[];
      readonly Resource: string | readonly string[];
    }[];
  };
}

/** Whether the role's policies allow the call, by an IAM evaluator that others wrote. */
export async function isAllowed(
  role: string,
  policies: readonly RolePolicy[],
  action: string,
  resource: string,
): Promise<boolean> {
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${ACCOUNT}:role/${role}`,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: { 'aws:RequestedRegion': REGION },
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

/** What CDK gives every key: identity policies of the account decide. */
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
