import { describeError, SettingsError } from '../guard/errors.ts';
import type { Clock, Ledger } from '../guard/ports.ts';
import type { Settings } from '../guard/settings/schema.ts';
import { plural } from '../guard/text/sanitize.ts';
import { checkLedgerFile } from './check-ledger-file.ts';
import { checkProject, type ProjectCheck } from './check-project.ts';
import { checkStack } from './check-stack.ts';
import { type Finding, ok, problem } from './finding.ts';
import type { StackFacts } from './inspect-stack.ts';

/** Checks everything that the guard needs, changes nothing, and says how to fix what is wrong. */

/** What the checks look at. */
export interface DoctorInput {
  readonly settings: Settings;
  /** Where the settings come from. */
  readonly source: string;
  readonly projects: readonly ProjectCheck[];
  /** The ledger of one of them. */
  readonly ledgerOf: (project: string) => Ledger;
  readonly clock: Clock;
  /** The ledger's file on this machine, or what the deployed stack tells of itself. */
  readonly place: { readonly ledgerFile: string } | { readonly stack: string; readonly facts: StackFacts };
}

/** Runs every check that applies to this machine, or to the stack. */
export async function runChecks(input: DoctorInput): Promise<readonly Finding[]> {
  const { settings, source, projects, place } = input;
  const names = Object.keys(settings.projects);
  const watched = [
    ...(names.length === 0 ? [] : [`${plural(names.length, 'project')} (${names.join(', ')})`]),
    ...(settings.fleet === undefined ? [] : ['a fleet']),
    settings.schedule,
  ];
  const findings: Finding[] = [ok('settings', `${source} is sound: ${watched.join(', ')}`)];
  for (const project of projects)
    findings.push(...(await checkProject(project, input.ledgerOf(project.name), projects.length > 1)));
  if ('ledgerFile' in place) findings.push(await checkLedgerFile(place.ledgerFile));
  else findings.push(...(await checkStack(place.facts, input)));
  return findings;
}

/** The findings when the settings or the stack could not be read, so that nothing could be checked. */
export function describeFailure(error: unknown): readonly Finding[] {
  const faults = error instanceof SettingsError ? error.message : describeError(error);
  return [
    problem(
      error instanceof SettingsError ? 'settings' : 'connection',
      faults,
      'mend what it says, then run the doctor again',
    ),
  ];
}
