import * as z from 'zod';

/** The deployed parts that a new deployment could lose. Plain data: the command line also prints it as JSON. */
export interface DeployedGuard {
  /** Name of the stack. */
  readonly stack: string;
  /** Account of the stack. */
  readonly account: string;
  /** Region of the stack. */
  readonly region: string;
  /** Null: no stack of that name has a guard. */
  readonly guard: DeployedSettings | null;
  /** Secrets of the stack, and existing secrets elsewhere that listed projects name; by name. */
  readonly secrets: Readonly<Record<string, DeployedSecret>>;
  /** Tables, keys and secrets that the guard's construct created in the stack. */
  readonly resources: readonly DeployedResource[];
  /** Subscriptions of the stack. */
  readonly subscriptions: readonly DeployedSubscription[];
  /** Chat channels of the stack. */
  readonly chats: readonly DeployedChat[];
  /** Ledger tables that earlier deployments of that name left behind; only searched for if there is no stack. */
  readonly leftLedgers: readonly string[];
}

/** The part of a stack's settings that a new deployment could lose. All versions have it. */
export interface DeployedSettings {
  /** The listed projects, by name. */
  readonly projects: Readonly<Record<string, DeployedProject>>;
  /** Prefix of the names of the fleet's secrets; null: there is no fleet. */
  readonly secretNamePrefix: string | null;
  /**
   * The owner of the keys that encrypt the stack's topics, logs and secrets.
   * @default 'customer-key'
   */
  readonly encryption?: 'customer-key' | 'aws-owned' | undefined;
  /** Name of the ledger table. */
  readonly ledger: string;
  /** The template's reference to the ledger, as JSON: a reference to a resource, or its name. */
  readonly ledgerReference: string;
  /**
   * Whether the stack has a dashboard with the control panel.
   * @default false
   */
  readonly hasPanel?: boolean | undefined;
}

/** A listed project in the stack's settings. */
export interface DeployedProject {
  /**
   * Name of the project's secret.
   * @default - the secret was given by ARN, or as an object of CDK
   */
  readonly secretName?: string | undefined;
  /**
   * ARN of the project's secret.
   * @default - the secret was given by name, or as an object of CDK
   */
  readonly secretArn?: string | undefined;
  /**
   * The field of the secret that holds the project's Secret Key.
   * @default - the secret holds the Secret Key of this project only
   */
  readonly secretField?: string | undefined;
  /**
   * The project's first name.
   * @default - it has its first name
   */
  readonly renamedFrom?: string | undefined;
}

/** A resource that holds data. */
export interface DeployedResource {
  /** The resource's ID in the template. */
  readonly logicalId: string;
  /** The resource type, as CloudFormation names it. */
  readonly type: string;
  /** Whether CloudFormation keeps it when it leaves the stack. */
  readonly isRetained: boolean;
}

/** A subscription in the template. SNS identifies a subscription by its topic and endpoint. */
export interface DeployedSubscription {
  /** The subscription's ID in the template. */
  readonly logicalId: string;
  /** Topic, protocol and endpoint, as JSON. */
  readonly identity: string;
}

/** A chat channel. The chat service accepts each channel once. */
export interface DeployedChat {
  /** The channel's IDs, as JSON. */
  readonly identity: string;
  /** Name of the channel's configuration without the stack's name. The IDs of its resources are derived from it. */
  readonly name: string;
}

/** A secret of the stack, or an existing secret elsewhere that a listed project names. */
export interface DeployedSecret {
  /** The secret's ID in the stack's template; null: the secret is not part of the stack. */
  readonly logicalId: string | null;
  /** Whether CloudFormation keeps it when it leaves the stack. */
  readonly isRetained: boolean;
  /** Name of another stack that created the secret and may delete it; null: none. */
  readonly otherStack: string | null;
  /** Null: the secret is the stack's own, so that the stack knows the ARN. */
  readonly arn: string | null;
  /** Whether the secret was deleted. Its name stays unavailable for some days. */
  readonly isDeleted: boolean;
  /** ARN of the customer-managed key that encrypts the secret; null: none. */
  readonly keyArn: string | null;
  /** Alias of that key, if the secret names the key by alias. No IAM policy can use an alias. Null: no alias. */
  readonly keyAlias: string | null;
}

const deployedGuard = z.object({
  stack: z.string(),
  account: z.string(),
  region: z.string(),
  resources: z.array(z.object({ logicalId: z.string(), type: z.string(), isRetained: z.boolean() })),
  subscriptions: z.array(z.object({ logicalId: z.string(), identity: z.string() })),
  chats: z.array(z.object({ identity: z.string(), name: z.string() })),
  guard: z.nullable(
    z.object({
      projects: z.record(
        z.string(),
        z.object({
          secretName: z.string().optional(),
          secretArn: z.string().optional(),
          secretField: z.string().optional(),
          renamedFrom: z.string().optional(),
        }),
      ),
      secretNamePrefix: z.nullable(z.string()),
      encryption: z.enum(['customer-key', 'aws-owned']).optional(),
      ledger: z.string(),
      ledgerReference: z.string(),
      hasPanel: z.boolean().optional(),
    }),
  ),
  secrets: z.record(
    z.string(),
    z.object({
      logicalId: z.nullable(z.string()),
      isRetained: z.boolean(),
      otherStack: z.nullable(z.string()),
      arn: z.nullable(z.string()),
      isDeleted: z.boolean(),
      keyArn: z.nullable(z.string()),
      keyAlias: z.nullable(z.string()),
    }),
  ),
  leftLedgers: z.array(z.string()),
}) satisfies z.ZodType<DeployedGuard>;

/** Whether the value is a `DeployedGuard`: a person or another version may have written it. */
export function isDeployedGuard(value: unknown): value is DeployedGuard {
  return deployedGuard.safeParse(value).success;
}

/** One effect of a deployment that a person should know in advance. An error would lose something. */
export interface Change {
  /** An error fails the synthesis. */
  readonly level: 'error' | 'warning' | 'info';
  /** A sentence, with the remedy. */
  readonly says: string;
}
