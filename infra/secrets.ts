import { createHash } from 'node:crypto';
import { type RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { DeployedGuard } from '../functions/deployed/deployed-guard.ts';
import type { ProjectSettings } from '../functions/guard/settings/schema.ts';
import type { GivenSecret } from './read-props.ts';

export interface ProjectSecretsProps {
  readonly projects: Readonly<Record<string, ProjectSettings>>;
  /** Secrets that are no plain ARN, by project. */
  readonly given: ReadonlyMap<string, GivenSecret>;
  /** Encrypts those that are created. */
  readonly key: IKey;
  /** Of those that are created. */
  readonly removalPolicy: RemovalPolicy;
  readonly deployed: DeployedGuard | null;
}

interface Access {
  readonly arns: readonly string[];
  readonly keyArns: readonly string[];
}

/** The secrets of listed projects: created empty, or taken as they exist. */
export class ProjectSecrets {
  /** JSON: ARNs by project, of those that only the deployment knows; null when there are none. */
  readonly inStack: string | null;
  /** The same, one by one. */
  readonly arnsInStack: readonly (readonly [project: string, arn: string])[];
  readonly #access: readonly Access[];

  constructor(scope: Construct, props: ProjectSecretsProps) {
    this.#access = Object.entries(props.projects).flatMap(([name, project]) => accessTo(scope, name, project, props));
    this.arnsInStack = [...props.given].flatMap(([name, { arn }]) => (arn === null ? [] : [[name, arn] as const]));
    this.inStack =
      this.arnsInStack.length === 0 ? null : Stack.of(scope).toJsonString(Object.fromEntries(this.arnsInStack));
  }

  /** Lets a principal read these secrets and no others. */
  grantRead(grantee: IGrantable): void {
    const allow = (action: string, resources: readonly string[]) =>
      grantee.grantPrincipal.addToPrincipalPolicy(
        new PolicyStatement({ actions: [action], resources: [...resources] }),
      );
    for (const { arns, keyArns } of this.#access) {
      allow('secretsmanager:GetSecretValue', arns);
      if (keyArns.length > 0) allow('kms:Decrypt', keyArns);
    }
  }
}

/**
 * A CDK object is not asked to grant: it would write the functions' roles into the policy of its key, which is a cycle for a secret
 * of another stack, and nothing at all for an imported key.
 */
function accessTo(
  scope: Construct,
  name: string,
  project: ProjectSettings,
  { given, key, removalPolicy, deployed }: ProjectSecretsProps,
): readonly Access[] {
  const own = given.get(name);
  const secretKeyArn = own?.keyArn ?? project.secretKeyArn;
  const keyArns = secretKeyArn === undefined ? [] : [secretKeyArn];
  if (own !== undefined && own.secret !== null) {
    const { secretFullArn, secretArn, encryptionKey } = own.secret;
    const arns = [secretFullArn ?? `${secretArn}-??????`];
    return [{ arns, keyArns: encryptionKey === undefined ? keyArns : [...keyArns, encryptionKey.keyArn] }];
  }
  const arn = own?.arn ?? project.secretArn;
  if (arn !== undefined && arn !== null) return [{ arns: withSuffix(arn), keyArns }];
  const secretName = project.secretName ?? name;
  const found =
    deployed !== null && Object.hasOwn(deployed.secrets, secretName) ? deployed.secrets[secretName] : undefined;
  if (found !== undefined && found.arn !== null && found.logicalId === null) {
    return [{ arns: [found.arn], keyArns: found.keyArn === null ? [] : [found.keyArn] }];
  }
  const secret = createSecret(scope, name, secretName, key);
  secret.applyRemovalPolicy(removalPolicy);
  // As an earlier version named it: CloudFormation takes another id for another secret.
  if (found !== undefined && found.logicalId !== null) secret.overrideLogicalId(found.logicalId);
  return [{ arns: [secret.ref], keyArns: [] }];
}

/**
 * The L2 construct would put a random password into it, which nobody could tell from a key that does not work. Its id comes from
 * its name, so that a project that is renamed keeps it.
 */
function createSecret(scope: Construct, project: string, secretName: string, key: IKey): CfnSecret {
  const readable = secretName.replace(/[^A-Za-z0-9]/g, '').slice(-40);
  const hash = createHash('sha256').update(secretName).digest('hex').slice(0, 8);
  return new CfnSecret(scope, `Secret-${readable}-${hash}`, {
    name: secretName,
    description: `Qonversion Secret Key of project ${project}, for Integration Guard`,
    kmsKeyId: key.keyArn,
  });
}

/**
 * Secrets Manager appends six characters to a secret's name; an ARN without them names the secret of any suffix. The end of a name
 * such as "prod-mobile" looks like one: then both are meant.
 */
function withSuffix(secretArn: string): readonly string[] {
  // A reference to a resource is its whole ARN; of a text that only has references in it the end is known.
  if (Token.isUnresolved(secretArn) && secretArn.endsWith('}')) return [secretArn];
  const suffix = /-([A-Za-z0-9]{6})$/.exec(secretArn)?.[1];
  const anySuffix = `${secretArn}-??????`;
  return suffix === undefined ? [anySuffix] : /^[a-z]+$/.test(suffix) ? [secretArn, anySuffix] : [secretArn];
}
