import { describeError, SettingsError } from '../guard/errors.ts';
import { findWithoutEffect } from '../guard/policy/without-effect.ts';
import type { CheckableLedger, Clock, Ledger } from '../guard/ports.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { plural } from '../guard/text/sanitize.ts';
import { checkLedgerWrite } from './check-ledger.ts';
import { checkProject, type ProjectCheck } from './check-project.ts';
import { checkStack } from './check-stack.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import type { StackFacts } from './inspect-stack.ts';

/** Checks everything that the guard needs, changes nothing, and says how to fix what is wrong. */

/** The input of the checks. */
export interface DoctorInput {
  readonly settings: Settings;
  /** The place of the settings, for messages. */
  readonly source: string;
  readonly projects: readonly ProjectCheck[];
  /** The ledger of all projects. */
  readonly ledger: Pick<CheckableLedger, 'place' | 'checkWrite'>;
  /** The ledger of one project, under the name that the project has there. */
  readonly ledgerOf: (project: string) => Pick<Ledger, 'read' | 'history'>;
  readonly clock: Clock;
  /** The facts about the deployed stack; null: the guard runs on this machine. */
  readonly stack: StackFacts | null;
}

/** Runs every check that applies to this machine, or to the stack. */
export async function runChecks(input: DoctorInput): Promise<readonly Finding[]> {
  const { settings, projects, stack } = input;
  const place = stack === null ? 'file' : 'stack';
  const now = input.clock.now().toISOString();
  const several = projects.length > 1;
  const written = await checkLedgerWrite(input.ledger, place);
  const findings = [...describeSettings(input), written];
  const withoutKey = new Set<string>();
  for (const project of projects) {
    const { name } = project;
    const of = (check: string) => (several ? `${check} of ${name}` : check);
    const checked = await checkProject(project, { ledger: input.ledgerOf(name), place, now, of });
    if (!checked.hasKey) withoutKey.add(name);
    // A ledger that can be neither written nor read is one problem.
    const isSaid = ({ check, level }: Finding) =>
      written.level === 'problem' && check === of('ledger') && level === 'problem';
    findings.push(...checked.findings.filter((finding) => !isSaid(finding)));
  }
  if (stack !== null)
    findings.push(...(await checkStack(stack, { settings, projects, clock: input.clock, withoutKey })));
  return findings;
}

function describeSettings({ settings, source }: DoctorInput): readonly Finding[] {
  const names = Object.keys(settings.projects);
  const watched = [
    ...(names.length === 0 ? [] : [`${plural(names.length, 'project')} (${names.join(', ')})`]),
    ...(settings.fleet === undefined ? [] : ['a fleet']),
    settings.schedule,
  ];
  return [
    ok('settings', `${source} has no fault: ${watched.join(', ')}.`),
    // A project's settings are checked with its policy.
    ...findWithoutEffect(settings)
      .filter(({ path }) => path.startsWith('fleet.'))
      .map(({ path, message, action }) => warning('settings', `${path} ${message}`, action)),
  ];
}

/** The findings when the settings or the stack could not be read, so that nothing could be checked. */
export function describeFailure(error: unknown): readonly Finding[] {
  const action = 'Fix what the message names, then run the doctor again.';
  return error instanceof SettingsError
    ? [problem('settings', error.message, action)]
    : [problem('connection', describeError(error), action)];
}
