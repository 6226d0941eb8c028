import { shellWord } from '../guard/model/command-line.ts';
import type { Settings } from '../guard/settings/schema.ts';
import type { Change, DeployedGuard, DeployedProject, DeployedSettings } from './deployed-guard.ts';

/** Facts that the settings do not contain. */
export interface ConstructFacts {
  /** The new template's reference to the ledger, as JSON. Left out: as in the settings. */
  readonly ledgerReference?: string;
  /** Whether the deployment deletes resources that leave the stack. */
  readonly destroys?: boolean;
}

/**
 * Finds everything that a deployment of `next` would lose, leave behind or adopt.
 * @param construct facts that a construct knows besides its settings
 */
export function findChanges(
  deployed: DeployedGuard,
  next: Settings,
  construct: ConstructFacts = {},
): readonly Change[] {
  return [
    ...ledgerChanges(deployed, next, construct.ledgerReference),
    ...(deployed.guard === null ? [] : projectChanges(deployed.stack, deployed.guard, next)),
    ...(deployed.guard?.hasPanel === true && !next.dashboard ? [PANEL_REMOVED] : []),
    ...secretChanges(deployed, next, construct.destroys === true),
    ...fieldChanges(deployed, next),
    ...encryptionChanges(deployed, next),
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
        `an earlier deployment of ${stack} left its ledger. Set "ledgerTableName" to ${names} to continue with it. Otherwise the guard treats its own pauses as an operator's and never resumes them`,
      ),
    ];
  }
  if (isSameLedger(guard, ledgerTableName, ledgerReference)) return [];
  return [
    error(
      `stack ${stack} uses the ledger table ${guard.ledger}, but this deployment uses another one. Set "ledgerTableName" to ${guard.ledger} (or give the table as "ledgerTable"), or every open circuit and the history will be left behind`,
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

/** Whether it is a reference to a resource of the template, not a name. */
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
          `projects.${name}: its ledger uses the name "${ledgerName}". ${ledgerName === name ? 'Remove "renamedFrom"' : `Set "renamedFrom" to "${ledgerName}"`}, or its circuits and history will be left behind`,
        ),
      );
      continue;
    }
    const renamed = added.find(([, other]) => isSameSecret(project, other));
    changes.push(
      renamed === undefined
        ? warning(
            `project ${name} will no longer be guarded: integrations that the guard paused stay paused (integration-guard list --project ${name} --stack ${stack} shows them). ${describeSecret(project)} stays, and so does its history. If you renamed the project, set "renamedFrom" of its new name to "${ledgerName}"`,
          )
        : error(
            `project ${name} seems to have been renamed to ${renamed[0]}: both have the same secret. Set "renamedFrom" of projects.${renamed[0]} to "${ledgerName}", or its circuits and history will be left behind. For a fresh start, deploy once without the project`,
          ),
    );
  }
  for (const [name, project] of Object.entries(next.projects)) {
    const ledgerName = project.renamedFrom ?? name;
    const former = Object.entries(before.projects).find(
      ([other, each]) => (each.renamedFrom ?? other) !== ledgerName && isSameSecret(each, project),
    );
    const own = Object.entries(before.projects).find(([other, each]) => (each.renamedFrom ?? other) === ledgerName);
    // With another project's ledger, the guard would treat one project's integrations as another's.
    if (former === undefined || own === undefined) continue;
    changes.push(
      error(
        `projects.${name} has the secret of project ${former[0]} in stack ${stack}, but the ledger of ${own[0]}. Rename one project per deployment, with "renamedFrom"`,
      ),
    );
  }
  const { secretNamePrefix } = before;
  if (secretNamePrefix !== null && next.fleet === undefined)
    changes.push(
      warning(
        'the fleet will no longer be guarded: its secrets stay, and integrations that the guard paused stay paused',
      ),
    );
  if (secretNamePrefix !== null && next.fleet !== undefined && next.fleet.secretNamePrefix !== secretNamePrefix)
    changes.push(
      warning(
        `fleet.secretNamePrefix was "${secretNamePrefix}": the projects' names change, and circuits and history remain under the old names. Integrations that the guard paused stay paused`,
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
          `the secret "${name}" was deleted, but its name is still taken. Restore it: aws secretsmanager restore-secret --secret-id ${shellWord(name)}`,
        ),
      ];
    if (logicalId === null && wanted.has(name) && keyAlias !== null)
      return [
        error(
          `the secret "${name}" is encrypted with ${keyAlias}, but an IAM policy cannot use an alias. Set "secretArn" (${arn}) and "secretKeyArn" instead of "secretName"`,
        ),
      ];
    if (logicalId === null && wanted.has(name) && otherStack !== null)
      return [
        warning(
          `the secret "${name}" belongs to stack ${otherStack} and will be adopted. If ${otherStack} is this guard under another name, first deploy ${otherStack} with this version, so that the secret survives its destruction. Then set "ledgerTableName" to continue with its ledger`,
        ),
      ];
    if (logicalId === null)
      return wanted.has(name) ? [info(`the secret "${name}" exists (${arn}) and will be adopted`)] : [];
    if (wanted.has(name) || isRetained) return [];
    if (destroys)
      return [
        warning(`this deployment deletes the secret "${name}" and its Secret Key, because of removalPolicy DESTROY`),
      ];
    return [
      error(
        `this deployment would delete the secret "${name}" and its Secret Key. First deploy its project once as it was in stack ${stack}: after that the secret stays`,
      ),
    ];
  });
}

/** The value of a secret has another form with fields. */
function fieldChanges({ guard }: DeployedGuard, next: Settings): readonly Change[] {
  const before = Object.entries(guard?.projects ?? {});
  return Object.entries(next.projects).flatMap(([name, project]) => {
    const ledgerName = project.renamedFrom ?? name;
    const former = before.find(([other, each]) => (each.renamedFrom ?? other) === ledgerName)?.[1];
    if (former === undefined || former.secretField === project.secretField) return [];
    if (!isSameSecret({ ...former, secretField: project.secretField }, project)) return [];
    const secret = `the secret "${project.secretName ?? project.secretArn}"`;
    const now =
      project.secretField === undefined
        ? `the whole of ${secret}, which must hold the Secret Key of this project only`
        : `the field "${project.secretField}" of ${secret}, which must hold a JSON object`;
    return [
      warning(`project ${name} will read ${now}. Passes fail until it does (docs/deploy.md, "Changing projects")`),
    ];
  });
}

const AWS_MANAGED_KEY = 'alias/aws/secretsmanager';

/**
 * A switch of `encryption`, in either direction. CloudFormation makes Secrets Manager encrypt the secrets again. SNS and
 * CloudWatch Logs keep the former key for what they have stored.
 */
function encryptionChanges({ guard, secrets, resources }: DeployedGuard, next: Settings): readonly Change[] {
  if (guard === null) return [];
  const { encryption: before = 'customer-key' } = guard;
  if (next.encryption === 'customer-key')
    return before === 'customer-key'
      ? []
      : [info('this deployment encrypts topics, new logs and secrets with a KMS key; a new one costs $1 a month')];
  if (before === 'customer-key') {
    const own = resources.find(({ type }) => type === 'AWS::KMS::Key');
    const rest =
      own === undefined
        ? 'Keep the former key for three months: logs and alerts from before need it'
        : own.isRetained
          ? `The former key ${own.logicalId} stays, and costs $1 a month: logs and alerts from before need it. Delete it after three months`
          : `It deletes the former key ${own.logicalId}, so no one can read the logs from before`;
    return [
      warning(
        `this deployment encrypts topics, new logs and secrets with keys of AWS. The functions may still decrypt secrets with the former key, until the deployment after this one. ${rest}`,
      ),
    ];
  }
  return Object.entries(secrets).flatMap(([name, { logicalId, keyArn }]) =>
    logicalId === null || keyArn === null
      ? []
      : [
          warning(
            `the secret "${name}" is still encrypted with ${keyArn}, so the functions may decrypt with this key. To use the key of AWS: aws secretsmanager update-secret --secret-id ${shellWord(name)} --kms-key-id ${AWS_MANAGED_KEY}`,
          ),
        ],
  );
}

function isSameSecret(left: DeployedProject, right: DeployedProject): boolean {
  const same = (key: 'secretName' | 'secretArn') => left[key] !== undefined && left[key] === right[key];
  return (same('secretName') || same('secretArn')) && left.secretField === right.secretField;
}

function describeSecret({ secretName, secretArn }: DeployedProject): string {
  const id = secretName ?? secretArn;
  return id === undefined ? 'Its secret' : `Its secret "${id}"`;
}

const PANEL_REMOVED: Change = {
  level: 'warning',
  says: 'this deployment removes the dashboard with the control panel. To keep it, set "dashboard": true',
};

const error = (says: string): Change => ({ level: 'error', says });
const warning = (says: string): Change => ({ level: 'warning', says });
const info = (says: string): Change => ({ level: 'info', says });
