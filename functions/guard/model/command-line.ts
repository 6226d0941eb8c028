/**
 * Command lines that people copy out of mails, chats and terminals into a shell. They are built here and nowhere else, so that any
 * id and any name comes out of the shell as it went in, and is no option of the command.
 */

/** The words after `integration-guard`; with an id when the command is about one integration: `{ run: 'ignore --for 2h', id }`. */
export type CommandWords = string | { readonly run: string; readonly id: string };

/** What a command is about, besides an integration. */
export interface CommandPlace {
  /** Null: not named. */
  readonly project: string | null;
  /** Null: this machine. */
  readonly stack: string | null;
}

export function commandLine(words: CommandWords, { project, stack }: CommandPlace): string {
  const { run, id } = typeof words === 'string' ? { run: words, id: null } : words;
  const [name = '', ...options] = run.split(' ');
  const place = [
    ...(project === null ? [] : ['--project', shellWord(project)]),
    ...(stack === null ? [] : ['--stack', shellWord(stack)]),
  ];
  // Qonversion may give out ids such as "-x" or "--help": after "--" they are no options.
  const line =
    id === null
      ? [name, ...options, ...place]
      : id.startsWith('-')
        ? [name, ...options, ...place, '--', shellWord(id)]
        : [name, shellWord(id), ...options, ...place];
  return ['npx', 'integration-guard', ...line].join(' ');
}

/** A word as a POSIX shell, and zsh, have to be given it. Ordinary ones stay as they are. */
export function shellWord(word: string): string {
  return /^[\w./+:@%,-][\w./+:@%,=-]*$/.test(word) ? word : quoteForShell(word);
}

export function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
