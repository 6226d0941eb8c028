import { shellWord } from '../guard/model/command-line.ts';
import type { Settings } from '../guard/settings/schema.ts';
import type { Change, DeployedGuard, DeployedProject, DeployedSettings } from './deployed-guard.ts';

/** What the settings do not say. */
export interface ConstructFacts {
  /** How the new template names the ledger, as JSON. Left out: as the settings say. */
  readonly ledgerReference?: string;
  /** Whether it was told to delete what leaves the stack. */
  readonly destroys?: boolean;
}

/**
 * What a deployment of `next` would lose or leave behind, and what it takes over.
 * @param construct what a construct knows besides its settings
 */
export function findChanges(
  deployed: DeployedGuard,
  next: Settings,
  construct: ConstructFacts = {},
): readonly Change[] {
  return [
    ...ledgerChanges(deployed, next, construct.ledgerReference),
    ...(deployed.guard === null ? [] : projectChanges(deployed.stack, deployed.guard, next)),
    ...secretChanges(deployed, next, construct.destroys === true),
  ];
}

function ledgerChanges(
  { stack, guard, leftLedgers }: DeployedGuard,
  { ledgerTableName }: Settings,
  ledgerReference: string | undefined,
): readonly Change[] {
  if (guard === null) {
    const isNew = ledgerReference === undefined ? ledgerTableName === undefined : isResource(ledgerReference);
    if (!isNew || leftLedgers.length === 0) return [];
    const names = leftLedgers.map((name) => `"${name}"`).join(' or ');
    return [
      warning(
        `an earlier deployment of ${stack} left its ledger. Set "ledgerTableName" to ${names} to go on with it. Otherwise the guard takes what it paused for an operator's pause and never resumes it`,
      ),
    ];
  }
  if (isSameLedger(guard, ledgerTableName, ledgerReference)) return [];
  return [
    error(
      `stack ${stack} uses the ledger table ${guard.ledger}, and this deployment another one. Set "ledgerTableName" to ${guard.ledger} (or give the table as "ledgerTable"), or every open circuit and the history are left behind`,
    ),
  ];
}

function isSameLedger(
  guard: DeployedSettings,
  ledgerTableName: string | undefined,
  ledgerReference: string | undefined,
): boolean {
  if (ledgerReference !== undefined)
    return ledgerReference === guard.ledgerReference || ledgerReference === JSON.stringify(guard.ledger);
  return ledgerTableName === undefined ? isResource(guard.ledgerReference) : ledgerTableName === guard.ledger;
}

/** Whether it is a reference to a resource of the template, and no name. */
function isResource(reference: string): boolean {
  return reference.startsWith('{"Ref"');
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
  for (const [name, project] of Object.entries(next.projects)) {
    const ledgerName = project.renamedFrom ?? name;
    const former = Object.entries(before.projects).find(
      ([other, each]) => (each.renamedFrom ?? other) !== ledgerName && isSameSecret(each, project),
    );
    const own = Object.entries(before.projects).find(([other, each]) => (each.renamedFrom ?? other) === ledgerName);
    // A ledger that goes on under another project's key would take one project's integrations for another's.
    if (former === undefined || own === undefined) continue;
    changes.push(
      error(
        `projects.${name} has the secret that project ${former[0]} has in stack ${stack}, and the ledger of ${own[0]}. Rename projects one deployment after the other, with "renamedFrom"`,
      ),
    );
  }
  const { secretNamePrefix } = before;
  if (secretNamePrefix !== null && next.fleet === undefined)
    changes.push(warning('the fleet is no longer guarded: its secrets stay, and what the guard paused stays paused'));
  if (secretNamePrefix !== null && next.fleet !== undefined && next.fleet.secretNamePrefix !== secretNamePrefix)
    changes.push(
      warning(
        `fleet.secretNamePrefix was "${secretNamePrefix}": projects get other names, and circuits and history stay under the old ones. What the guard paused stays paused`,
      ),
    );
  return changes;
}

function secretChanges({ stack, secrets }: DeployedGuard, next: Settings, destroys: boolean): readonly Change[] {
  const wanted = new Set(Object.values(next.projects).flatMap(({ secretName }) => secretName ?? []));
  return Object.entries(secrets).flatMap(([name, { logicalId, isRetained, arn, isDeleted, otherStack, keyAlias }]) => {
    if (isDeleted && wanted.has(name))
      return [
        error(
          `the secret "${name}" was deleted and its name is still taken. Restore it: aws secretsmanager restore-secret --secret-id ${shellWord(name)}`,
        ),
      ];
    if (logicalId === null && wanted.has(name) && keyAlias !== null)
      return [
        error(
          `the secret "${name}" is encrypted with ${keyAlias}, and no policy can name a key by its alias. Give its "secretArn" (${arn}) and "secretKeyArn" in place of "secretName"`,
        ),
      ];
    if (logicalId === null && wanted.has(name) && otherStack !== null)
      return [
        warning(
          `the secret "${name}" belongs to stack ${otherStack} and is used as it is. If ${otherStack} is this guard under another name, deploy it once with this version, so that the secret stays when it is destroyed, and set "ledgerTableName" to go on with its ledger`,
        ),
      ];
    if (logicalId === null)
      return wanted.has(name) ? [info(`the secret "${name}" exists (${arn}) and is used as it is`)] : [];
    if (wanted.has(name) || isRetained) return [];
    if (destroys)
      return [warning(`this deployment deletes the secret "${name}" with its Secret Key, as removalPolicy says`)];
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
