import * as z from 'zod';

/** What is deployed already, as far as a new deployment could lose it. Plain data: it also comes as JSON from the command line. */
export interface DeployedGuard {
  /** Name of the stack. */
  readonly stack: string;
  /** Where it was looked for. */
  readonly account: string;
  /** Where it was looked for. */
  readonly region: string;
  /** Null: no stack of that name has a guard. */
  readonly guard: DeployedSettings | null;
  /** Secrets that the stack holds, and those that listed projects name and that exist outside of it; by name. */
  readonly secrets: Readonly<Record<string, DeployedSecret>>;
  /** Tables, keys and secrets that the guard's construct created in the stack. */
  readonly resources: readonly DeployedResource[];
  /** Subscriptions of the stack. */
  readonly subscriptions: readonly DeployedSubscription[];
  /** Chat channels of the stack. */
  readonly chats: readonly DeployedChat[];
  /** Ledger tables that earlier deployments of that name left; looked for only when there is no stack. */
  readonly leftLedgers: readonly string[];
}

/** Of the settings that a stack carries, what a new deployment could lose. Any version has these. */
export interface DeployedSettings {
  /** The listed projects, by name. */
  readonly projects: Readonly<Record<string, DeployedProject>>;
  /** How the names of the fleet's secrets begin; null: there is no fleet. */
  readonly secretNamePrefix: string | null;
  /** Name of the table. */
  readonly ledger: string;
  /** How the template names it, as JSON: by a reference to a resource, or by its name. */
  readonly ledgerReference: string;
}

/** A listed project as its stack carries it. */
export interface DeployedProject {
  /**
   * Name of its secret.
   * @default - the secret was given by ARN, or as an object of CDK
   */
  readonly secretName?: string | undefined;
  /**
   * ARN of its secret.
   * @default - the secret was given by name, or as an object of CDK
   */
  readonly secretArn?: string | undefined;
  /**
   * Its first name.
   * @default - it has its first name
   */
  readonly renamedFrom?: string | undefined;
}

/** A resource that holds data. */
export interface DeployedResource {
  /** Its id in the template. */
  readonly logicalId: string;
  /** As CloudFormation calls it. */
  readonly type: string;
  /** Whether it stays when it leaves the stack. */
  readonly isRetained: boolean;
}

/** A subscription, as its template describes it. SNS knows a subscription by its topic and its endpoint. */
export interface DeployedSubscription {
  /** Its id in the template. */
  readonly logicalId: string;
  /** Topic, protocol and endpoint, as JSON. */
  readonly identity: string;
}

/** A chat channel, which the chat service takes once. */
export interface DeployedChat {
  /** Its ids, as JSON. */
  readonly identity: string;
  /** Name of its configuration without the stack's, from which the ids of its resources come. */
  readonly name: string;
}

/** A secret of the stack, or one outside of it that a listed project names. */
export interface DeployedSecret {
  /** In the stack; null: it is outside of the stack. */
  readonly logicalId: string | null;
  /** Whether it stays when it leaves the stack. */
  readonly isRetained: boolean;
  /** Another stack that created it, and may delete it; null: none. */
  readonly otherStack: string | null;
  /** Null: the stack's own, whose ARN the stack knows. */
  readonly arn: string | null;
  /** Whether it was deleted: its name stays taken for some days. */
  readonly isDeleted: boolean;
  /** ARN of the customer-managed key that encrypts it; null: none, or the stack's own. */
  readonly keyArn: string | null;
  /** Alias by which that key was named, which no policy can name it by; null: it was not. */
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
          renamedFrom: z.string().optional(),
        }),
      ),
      secretNamePrefix: z.nullable(z.string()),
      ledger: z.string(),
      ledgerReference: z.string(),
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

/** It may have been written by hand, or by another version of the command line. */
export function isDeployedGuard(value: unknown): value is DeployedGuard {
  return deployedGuard.safeParse(value).success;
}

/** What a deployment changes that a person should know of beforehand. An error would lose something. */
export interface Change {
  /** Of an error the deployment is refused at synthesis. */
  readonly level: 'error' | 'warning' | 'info';
  /** A sentence, with the remedy. */
  readonly says: string;
}
