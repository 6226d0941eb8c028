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
  /** Secrets of the CDK app, by project. */
  readonly given: ReadonlyMap<string, GivenSecret>;
  /** Encrypts the secrets that the construct creates. */
  readonly key: IKey;
  /** Of the secrets that the construct creates. */
  readonly removalPolicy: RemovalPolicy;
  readonly deployed: DeployedGuard | null;
}

interface Access {
  readonly arns: readonly string[];
  readonly keyArns: readonly string[];
}

/** The secrets of listed projects: created empty, or existing ones. */
export class ProjectSecrets {
  /** JSON: by project, the ARNs that are known only at deployment; null without any. */
  readonly inStack: string | null;
  /** The same ARNs, as pairs. */
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
 * Does not use the grant methods of CDK: they would add the functions' roles to the policy of the secret's key. That is
 * a cycle for a secret of another stack, and has no effect on an imported key.
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
  // The ID of an earlier version is kept: CloudFormation would treat another ID as another secret.
  if (found !== undefined && found.logicalId !== null) secret.overrideLogicalId(found.logicalId);
  return [{ arns: [secret.ref], keyArns: [] }];
}

/**
 * The L2 construct would store a random password, which looks like a key that does not work. The ID is derived from the
 * secret's name, so that it survives the renaming of a project.
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
 * The ARNs to grant. Secrets Manager appends six characters to a secret's name; an ARN without them matches any suffix.
 * The end of a name such as "prod-mobile" looks like a suffix: then both are granted.
 */
function withSuffix(secretArn: string): readonly string[] {
  // A reference to a resource is its complete ARN. A text that merely contains references ends in known text.
  if (Token.isUnresolved(secretArn) && secretArn.endsWith('}')) return [secretArn];
  const suffix = /-([A-Za-z0-9]{6})$/.exec(secretArn)?.[1];
  const anySuffix = `${secretArn}-??????`;
  return suffix === undefined ? [anySuffix] : /^[a-z]+$/.test(suffix) ? [secretArn, anySuffix] : [secretArn];
}
