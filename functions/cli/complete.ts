import { fileURLToPath } from 'node:url';
import type { Command, Option } from 'commander';
import { quoteForShell } from '../guard/model/command-line.ts';
import { readSettingsFile } from '../local/settings-file.ts';
import { readCliEnvironment } from './open-project.ts';

/**
 * Shell completions. The scripts pass the typed words as arguments and never execute them: they use neither `eval` nor
 * `compgen -W`, which runs command substitutions.
 */

export const SHELLS = ['zsh', 'bash', 'fish', 'powershell'] as const;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The completions of the last word, one per line, each with its description after a tab.
 * @param words the words after `integration-guard`, up to the cursor; the last one is completed and may be empty
 */
export function completionsOf(program: Command, words: readonly string[], variables: Variables): string {
  return candidatesFor(program, words, variables)
    .map(({ value, description }) => `${value}\t${description}\n`)
    .join('');
}

interface Candidate {
  readonly value: string;
  readonly description: string;
}

function candidatesFor(program: Command, words: readonly string[], variables: Variables): readonly Candidate[] {
  const { before, option, assigned, last } = splitAtCursor(words);
  if (before.includes('--')) return [];
  const outer = program.commands.find((each) => each.name() === before[0]);
  const command = outer?.commands.find((each) => each.name() === before[1]) ?? outer;
  const startsLikeIt = ({ value }: Candidate) => value.startsWith(last);
  const valued = command?.options.find((each) => each.long === option && each.required);
  if (valued !== undefined) {
    const values = valued.long === '--project' ? projectNames(variables) : [];
    return values
      .map((value) => ({ value, description: '' }))
      .filter(startsLikeIt)
      .map(({ value, description }) => ({ value: `${assigned}${value}`, description }));
  }
  if (last.startsWith('-')) return [...(command ?? program).options.map(toCandidate), HELP].filter(startsLikeIt);
  if (before.length === 0 || (before.length === 1 && command?.commands.length))
    return visibleCommands(command ?? program)
      .map((each) => ({ value: each.name(), description: each.description() }))
      .filter(startsLikeIt);
  if (before.length === 1 && command?.name() === 'complete')
    return SHELLS.map((value) => ({ value, description: '' })).filter(startsLikeIt);
  return [];
}

/** The commands for people, without commander's own. */
function visibleCommands(parent: Command): readonly Command[] {
  return parent
    .createHelp()
    .visibleCommands(parent)
    .filter((each) => parent.commands.includes(each));
}

const HELP: Candidate = { value: '--help', description: 'display help for command' };

function toCandidate({ long, description }: Option): Candidate {
  return { value: long ?? '', description };
}

/** An option and its value may be two words, one word with "=", or three: bash treats "=" as a word. */
function splitAtCursor(words: readonly string[]) {
  const before = words.slice(0, -1);
  const typed = words.at(-1) ?? '';
  // Older PowerShells pass an empty word as "".
  const last = typed === '""' ? '' : typed;
  const [, name, value = ''] = /^(--[a-z]+)=(.*)$/s.exec(last) ?? [];
  if (name !== undefined) return { before, option: name, assigned: `${name}=`, last: value };
  if (last === '=') return { before, option: before.at(-1), assigned: '', last: '' };
  const option = before.at(-1) === '=' ? before.at(-2) : before.at(-1);
  return { before, option, assigned: '', last };
}

/** Empty when the settings cannot be read: a completion shows no errors. */
function projectNames(variables: Variables): readonly string[] {
  try {
    return Object.keys(readSettingsFile(readCliEnvironment(variables).settingsFile).projects);
  } catch {
    return [];
  }
}

/** The program's file, which is beside this one in the sources and in the package. */
const MAIN = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.mjs', import.meta.url));

/** The script that a shell sources. It calls this program by its path, because the PATH may have another one with the same name. */
export function completionScript(shell: (typeof SHELLS)[number]): string {
  const program = [process.execPath, MAIN];
  switch (shell) {
    case 'bash':
      return `# Completions of integration-guard for bash
_integration_guard_complete() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(${program.map(quoteForShell).join(' ')} complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
}
complete -F _integration_guard_complete integration-guard
`;
    case 'zsh':
      return `#compdef integration-guard
# Completions of integration-guard for zsh
_integration_guard_complete() {
  local line value
  local -a found
  while IFS= read -r line; do
    value="\${line%%$'\\t'*}"
    found+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
  done < <(${program.map(quoteForShell).join(' ')} complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null </dev/null)
  _describe integration-guard found
}
compdef _integration_guard_complete integration-guard
`;
    case 'fish':
      return `# Completions of integration-guard for fish
function __integration_guard_complete
    set -l words (commandline -opc)
    set -a words (commandline -ct)
    ${program.map(quoteForFish).join(' ')} complete -- $words[2..-1] 2>/dev/null </dev/null
end
complete -c integration-guard -f -a '(__integration_guard_complete)'
`;
    case 'powershell':
      return `# Completions of integration-guard for PowerShell
Register-ArgumentCompleter -Native -CommandName integration-guard -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    # The typed text, which is never executed.
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
    $words += if ($wordToComplete) { "$wordToComplete" } else { '""' }
    & ${program.map(quoteForPowerShell).join(' ')} complete '--' @words 2>$null | ForEach-Object {
        $value, $description = $_ -split "\`t", 2
        if (-not $description) { $description = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $description)
    }
}
`;
  }
}

function quoteForFish(word: string): string {
  return `'${word.replace(/[\\']/g, '\\$&')}'`;
}

function quoteForPowerShell(word: string): string {
  return `'${word.replaceAll("'", "''")}'`;
}
