import { createHash } from 'node:crypto';
import { type RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { DeployedGuard, DeployedSecret } from '../functions/deployed/deployed-guard.ts';
import type { ProjectSettings } from '../functions/guard/settings/schema.ts';
import type { GivenSecret } from './read-props.ts';

export interface ProjectSecretsProps {
  readonly projects: Readonly<Record<string, ProjectSettings>>;
  /** Secrets of the CDK app, by project. */
  readonly given: ReadonlyMap<string, GivenSecret>;
  /** Encrypts the secrets that the construct creates; null: the AWS-managed key does. */
  readonly key: IKey | null;
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
    const create = creator(scope, props);
    this.#access = unique(
      Object.entries(props.projects).map(([name, project]) => accessTo(name, project, props, create)),
    );
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

/** Projects may share a secret, and one permission for it is enough. */
function unique(access: readonly Access[]): readonly Access[] {
  return [...new Map(access.map((each) => [JSON.stringify(each), each])).values()];
}

/**
 * Does not use the grant methods of CDK: they would add the functions' roles to the policy of the secret's key. That is
 * a cycle for a secret of another stack, and has no effect on an imported key.
 */
function accessTo(
  name: string,
  project: ProjectSettings,
  { given, key, deployed }: ProjectSecretsProps,
  create: (secretName: string, found: DeployedSecret | undefined, project: string | null) => CfnSecret,
): Access {
  const own = given.get(name);
  const secretKeyArn = own?.keyArn ?? project.secretKeyArn;
  const keyArns = secretKeyArn === undefined ? [] : [secretKeyArn];
  if (own !== undefined && own.secret !== null) {
    const { secretFullArn, secretArn, encryptionKey } = own.secret;
    const arns = [secretFullArn ?? `${secretArn}-??????`];
    return { arns, keyArns: encryptionKey === undefined ? keyArns : [...keyArns, encryptionKey.keyArn] };
  }
  const arn = own?.arn ?? project.secretArn;
  if (arn !== undefined && arn !== null) return { arns: withSuffix(arn), keyArns };
  const secretName = project.secretName ?? name;
  const found =
    deployed !== null && Object.hasOwn(deployed.secrets, secretName) ? deployed.secrets[secretName] : undefined;
  const foundKeyArns = found === undefined || found.keyArn === null ? [] : [found.keyArn];
  if (found !== undefined && found.arn !== null && found.logicalId === null)
    return { arns: [found.arn], keyArns: foundKeyArns };
  const secret = create(secretName, found, project.secretField === undefined ? name : null);
  // Until this deployment has changed the secret's key, the value is readable only with the former one.
  return { arns: [secret.ref], keyArns: key === null ? foundKeyArns : [] };
}

/** Creates each secret once: projects may share it. */
function creator(scope: Construct, { key, removalPolicy }: ProjectSecretsProps): Parameters<typeof accessTo>[3] {
  const created = new Map<string, CfnSecret>();
  return (secretName, found, project) => {
    const existing = created.get(secretName);
    if (existing !== undefined) return existing;
    const secret = createSecret(scope, secretName, project, key);
    secret.applyRemovalPolicy(removalPolicy);
    // The ID of an earlier version is kept: CloudFormation would treat another ID as another secret.
    if (found !== undefined && found.logicalId !== null) secret.overrideLogicalId(found.logicalId);
    created.set(secretName, secret);
    return secret;
  };
}

/**
 * Names the AWS-managed key. Without a name, an update might leave the secret with its former key. Secrets Manager
 * encrypts the current value again with the new key, and keeps it readable with the former key ("Change the encryption
 * key for an AWS Secrets Manager secret").
 */
const AWS_MANAGED_KEY = 'alias/aws/secretsmanager';

/**
 * The L2 construct would store a random password, which looks like a key that does not work. The ID is derived from the
 * secret's name, so that it survives the renaming of a project.
 * @param project null: projects share the secret
 */
function createSecret(scope: Construct, secretName: string, project: string | null, key: IKey | null): CfnSecret {
  const readable = secretName.replace(/[^A-Za-z0-9]/g, '').slice(-40);
  const hash = createHash('sha256').update(secretName).digest('hex').slice(0, 8);
  const what =
    project === null ? 'Secret Keys, as JSON with a field for each project' : `Secret Key of project ${project}`;
  return new CfnSecret(scope, `Secret-${readable}-${hash}`, {
    name: secretName,
    description: `Qonversion ${what}, for Integration Guard`,
    kmsKeyId: key === null ? AWS_MANAGED_KEY : key.keyArn,
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
