/**
 * Command lines that people copy from mails, chats and terminals into a shell. All are built here: the shell passes on every ID and
 * name unchanged, and the command never reads one as an option.
 */

/** The words after `integration-guard`. With `id` for a command about one integration: `{ run: 'ignore --for 2h', id }`. */
export type CommandWords = string | { readonly run: string; readonly id: string };

/** The project and the stack that a command is about. */
export interface CommandPlace {
  /** Null: no `--project`. */
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
  // An ID may look like an option ("-x", "--help"). After "--" it is an argument.
  const line =
    id === null
      ? [name, ...options, ...place]
      : id.startsWith('-')
        ? [name, ...options, ...place, '--', shellWord(id)]
        : [name, shellWord(id), ...options, ...place];
  return ['npx', 'integration-guard', ...line].join(' ');
}

/** A word, quoted for POSIX shells (and for Zsh) if necessary. */
export function shellWord(word: string): string {
  return /^[\w./+:@%,-][\w./+:@%,=-]*$/.test(word) ? word : quoteForShell(word);
}

export function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
