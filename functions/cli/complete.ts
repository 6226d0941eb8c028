import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { readSettingsFile } from '../local/settings-file.ts';
import { readCliEnvironment } from './open-project.ts';

/** Completions for the usual shells: commands and options from the program itself, project names from the settings. */
export function addCompletions(program: Command, variables: Readonly<Record<string, string | undefined>>): void {
  const completions = tab(program);
  for (const { options } of completions.commands.values()) {
    const project = options.get('project');
    if (project !== undefined) {
      project.handler = (complete) => {
        for (const name of projectNames(variables)) complete(name, '');
      };
    }
  }
}

/** None when there are no settings to be had: completing is no time for complaints. */
function projectNames(variables: Readonly<Record<string, string | undefined>>): readonly string[] {
  try {
    return Object.keys(readSettingsFile(readCliEnvironment(variables).settingsFile).projects);
  } catch {
    return [];
  }
}
