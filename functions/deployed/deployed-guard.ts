import * as z from 'zod';
import { shellWord } from '../guard/model/command-line.ts';
import type { Settings } from '../guard/settings/schema.ts';

/** What is deployed already, as far as a new deployment could lose it. Plain data: it also comes as JSON from the command line. */
export interface DeployedGuard {
  /** Name of the stack. */
  readonly stack: string;
  /** Null: no stack of that name has a guard. */
  readonly guard: DeployedSettings | null;
  /** Secrets that the stack holds, and those that listed projects name and that exist outside of it; by name. */
  readonly secrets: Readonly<Record<string, DeployedSecret>>;
  /** Ledger tables that earlier deployments of that name left; looked for only when there is no stack. */
  readonly leftLedgers: readonly string[];
}

/** Of the settings that a stack carries, what a new deployment could lose. Any version has these. */
export interface DeployedSettings {
  /** The listed projects, by name. */
  readonly projects: Readonly<Record<string, DeployedProject>>;
  /** Whether there is a fleet. */
  readonly hasFleet: boolean;
  /** Name of the table. */
  readonly ledger: string;
  /** Whether the table is none of the stack's own. */
  readonly isLedgerGiven: boolean;
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

/** A secret of the stack, or one outside of it that a listed project names. */
export interface DeployedSecret {
  /** In the stack; null: it is outside of the stack. */
  readonly logicalId: string | null;
  /** Whether it stays when it leaves the stack. */
  readonly isRetained: boolean;
  /** Null: the stack's own, whose ARN the stack knows. */
  readonly arn: string | null;
  /** Whether somebody has deleted it: its name stays taken for some days. */
  readonly isDeleted: boolean;
  /** ARN of the customer-managed key that encrypts it; null: none, or the stack's own. */
  readonly keyArn: string | null;
}

const deployedGuard = z.object({
  stack: z.string(),
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
      hasFleet: z.boolean(),
      ledger: z.string(),
      isLedgerGiven: z.boolean(),
    }),
  ),
  secrets: z.record(
    z.string(),
    z.object({
      logicalId: z.nullable(z.string()),
      isRetained: z.boolean(),
      arn: z.nullable(z.string()),
      isDeleted: z.boolean(),
      keyArn: z.nullable(z.string()),
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

/** What a deployment of `next` would lose or leave behind, and what it takes over. */
export function findChanges(deployed: DeployedGuard, next: Settings): readonly Change[] {
  return [
    ...ledgerChanges(deployed, next),
    ...(deployed.guard === null ? [] : projectChanges(deployed.stack, deployed.guard, next)),
    ...secretChanges(deployed, next),
  ];
}

function ledgerChanges({ stack, guard, leftLedgers }: DeployedGuard, next: Settings): readonly Change[] {
  const wanted = next.ledgerTableName;
  if (guard === null) {
    if (wanted !== undefined || leftLedgers.length === 0) return [];
    const names = leftLedgers.map((name) => `"${name}"`).join(' or ');
    return [
      warning(
        `an earlier deployment of ${stack} left its ledger. Set "ledgerTableName" to ${names} to go on with it. Otherwise the guard takes what it paused for an operator's pause and never resumes it`,
      ),
    ];
  }
  if (wanted === undefined ? !guard.isLedgerGiven : wanted === guard.ledger) return [];
  return [
    error(
      `stack ${stack} uses the ledger table ${guard.ledger}. Set "ledgerTableName" to it, or every open circuit and the history are left behind`,
    ),
  ];
}

function projectChanges(stack: string, before: DeployedSettings, next: Settings): readonly Change[] {
  const kept = new Set(Object.entries(next.projects).map(([name, { renamedFrom }]) => renamedFrom ?? name));
  const added = Object.entries(next.projects).filter(([name]) => !Object.hasOwn(before.projects, name));
  const changes: Change[] = [];
  for (const [name, project] of Object.entries(before.projects)) {
    const ledgerName = project.renamedFrom ?? name;
    const successor = next.projects[name];
    if (kept.has(ledgerName)) continue;
    if (Object.hasOwn(next.projects, name) && successor !== undefined) {
      changes.push(
        error(
          `projects.${name}: its ledger goes on under the name "${ledgerName}". ${ledgerName === name ? 'Take "renamedFrom" out' : `Set "renamedFrom" to "${ledgerName}"`}, or its circuits and history are left behind`,
        ),
      );
      continue;
    }
    const renamed = added.find(([, other]) => isSameSecret(project, other));
    changes.push(
      renamed === undefined
        ? warning(
            `project ${name} is no longer guarded: what the guard paused in it stays paused (integration-guard list --project ${name} --stack ${stack} shows it). ${describeSecret(project)} stays, and so does its history. If you renamed it, set "renamedFrom" of its new name to "${ledgerName}"`,
          )
        : error(
            `project ${name} looks renamed to ${renamed[0]}: they have the same secret. Set "renamedFrom" of projects.${renamed[0]} to "${ledgerName}", or its circuits and history are left behind. If it is to begin anew, deploy once without it`,
          ),
    );
  }
  if (before.hasFleet && next.fleet === undefined)
    changes.push(warning('the fleet is no longer guarded: its secrets stay, and what the guard paused stays paused'));
  return changes;
}

function secretChanges({ stack, secrets }: DeployedGuard, next: Settings): readonly Change[] {
  const wanted = new Set(Object.values(next.projects).flatMap(({ secretName }) => secretName ?? []));
  return Object.entries(secrets).flatMap(([name, { logicalId, isRetained, arn, isDeleted }]) => {
    if (isDeleted && wanted.has(name))
      return [
        error(
          `the secret "${name}" was deleted and its name is still taken. Restore it: aws secretsmanager restore-secret --secret-id ${shellWord(name)}`,
        ),
      ];
    if (logicalId === null)
      return wanted.has(name) ? [info(`the secret "${name}" exists (${arn}) and is used as it is`)] : [];
    if (wanted.has(name) || isRetained) return [];
    return [
      error(
        `this deployment would delete the secret "${name}" with its Secret Key. Deploy once with its project as it was in stack ${stack}: from then on the secret stays`,
      ),
    ];
  });
}

function isSameSecret(left: DeployedProject, right: DeployedProject): boolean {
  const same = (key: 'secretName' | 'secretArn') => left[key] !== undefined && left[key] === right[key];
  return same('secretName') || same('secretArn');
}

function describeSecret({ secretName, secretArn }: DeployedProject): string {
  const id = secretName ?? secretArn;
  return id === undefined ? 'Its secret' : `Its secret "${id}"`;
}

const error = (says: string): Change => ({ level: 'error', says });
const warning = (says: string): Change => ({ level: 'warning', says });
const info = (says: string): Change => ({ level: 'info', says });
