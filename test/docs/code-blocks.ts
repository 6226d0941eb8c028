import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The fenced blocks of the documents, as a reader sees them. */
export interface CodeBlock {
  /** Where it stands: `docs/deploy.md § Updating`, and from the second block of a section on `docs/deploy.md § Updating (2)`. */
  readonly place: string;
  readonly file: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const COMMAND_LANGUAGES: ReadonlySet<string> = new Set(['sh', 'bash', 'shell', 'zsh', 'console']);

function documents(): readonly string[] {
  const pages = (folder: string) =>
    readdirSync(`${ROOT}${folder}`)
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}${name}`);
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages('docs/'), ...pages('docs/decisions/')];
}

export function readCodeBlocks(): readonly CodeBlock[] {
  return documents().flatMap((file) => codeBlocksOf(file, readFileSync(`${ROOT}${file}`, 'utf8')));
}

/** Blocks are numbered per section, and commands apart from all others. */
export function codeBlocksOf(file: string, markdown: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const seen = new Map<string, number>();
  let heading = '';
  let open: {
    readonly fence: string;
    readonly indent: number;
    readonly language: string;
    readonly line: number;
  } | null = null;
  let lines: string[] = [];
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, indent = '', fence, language = ''] = /^( *)(`{3,}|~{3,})(\S*)/.exec(line) ?? [];
    if (open === null) {
      heading = /^#{1,6} (.*)$/.exec(line)?.[1] ?? heading;
      if (fence !== undefined) open = { fence, indent: indent.length, language, line: index + 1 };
    } else if (fence === open.fence && language === '') {
      const section = `${file} § ${heading}`;
      const kind = COMMAND_LANGUAGES.has(open.language) ? section : `${section} ${open.language}`;
      const number = (seen.get(kind) ?? 0) + 1;
      seen.set(kind, number);
      const place = number === 1 ? section : `${section} (${number})`;
      blocks.push({ place, file, line: open.line, language: open.language, text: `${lines.join('\n')}\n` });
      open = null;
      lines = [];
    } else {
      lines.push(line.slice(open.indent));
    }
  }
  if (open !== null) throw new Error(`${file}:${open.line}: this block has no end`);
  return blocks;
}

/** Where the commands of the documents run. A block that is not here fails the test. */
export const RUNS_IN = {
  /** The pipeline itself runs them: each is a line of `.ci/run`. */
  pipeline: ['README.md § Try it', 'docs/reliability.md § How it fails'],
  /** test/docs/commands.test.ts: in the checkout, with the sandbox. */
  checkout: [
    'CONTRIBUTING.md § Fault harnesses',
    'docs/panel.md § The control panel',
    'docs/policy.md § Figures',
    'docs/settings.md § Settings',
    'docs/settings.md § Settings (2)',
  ],
  /** test/e2e/commands.test.ts: in an app that `init` wrote, deployed into the AWS emulator. */
  deployment: [
    'README.md § Deploy',
    'README.md § Operate',
    'docs/deploy.md § First deployment',
    'docs/deploy.md § First deployment (2)',
    'docs/deploy.md § First deployment (3)',
    'docs/deploy.md § First deployment (4)',
    'docs/deploy.md § First deployment (5)',
    'docs/deploy.md § Updating',
    'docs/deploy.md § Changing projects',
    'docs/fleet.md § A fleet: many projects without listing them',
    'docs/fleet.md § A fleet: many projects without listing them (2)',
  ],
  /** test/e2e/local-cloud.test.ts: the deployment that `npm run local-cloud` makes. */
  localCloud: ['docs/deploy.md § A deployment on your machine'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** docs/commands.md is the recording of a session; `npm run record` makes it. */
export const RECORDED = 'docs/commands.md';

/** @throws when the documents have no such block of commands */
export function commandsAt(place: string): string {
  const found = readCodeBlocks().find((block) => block.place === place && COMMAND_LANGUAGES.has(block.language));
  if (found === undefined) throw new Error(`the documents have no block of commands at ${place}`);
  return found.text;
}
