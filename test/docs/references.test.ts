import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pageFiles, paragraphsOf, sourceFiles } from '../prose/texts.ts';
import { runCommandLine } from '../support/command-line.ts';
import { RECORDED } from './code-blocks.ts';

/** The links in the documents, and the commands in documents and messages. */

const read = (file: string) => readFileSync(file, 'utf8');

/** Targets that are not there, each with its page. */
function deadLinks(file: string, page: string): readonly string[] {
  const withoutCode = page.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '');
  const targets = [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.flatMap((target) => {
    if (/^(?:https?|mailto):/.test(target)) return [];
    const [path = '', anchor] = target.split('#');
    const linked = path === '' ? file : normalize(join(dirname(file), path));
    if (!existsSync(linked)) return [`${file}: ${target}`];
    return anchor === undefined || anchorsOf(read(linked)).has(anchor) ? [] : [`${file}: ${target}`];
  });
}

/** The anchors that GitHub derives from the headings of a page. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = page.replace(/^```.*?^```/gms, '').match(/^#{1,6} .*$/gm) ?? [];
  return new Set(
    headings.map((heading) =>
      heading
        .replace(/^#+ /, '')
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('links in the documents', () => {
  it('lead to files and headings that exist', () => {
    expect(pageFiles().flatMap((file) => deadLinks(file, read(file)))).toEqual([]);
  });

  it('are found where they lead nowhere', () => {
    const page =
      '[a](docs/nowhere.md) [b](docs/deploy.md#nothing) ![c](docs/none.png) [d](docs/deploy.md#updating) [e](#here)';
    expect(deadLinks('README.md', page)).toEqual([
      'README.md: docs/nowhere.md',
      'README.md: docs/deploy.md#nothing',
      'README.md: docs/none.png',
      'README.md: #here',
    ]);
  });
});

/** Commands in code, and after `npx`: the words after `integration-guard`. */
function commandsIn(text: string): readonly string[] {
  const found = text.matchAll(/(?:npx |`)integration-guard ([a-z-][^`\n'"|;]*)/g);
  return [...found].map(([, words = '']) => words.trim());
}

/** The fault of a command; null when the command line has it with all its options. */
async function faultOf(words: string, helpOf: (command: string) => Promise<string>): Promise<string | null> {
  const [first = '', second = ''] = words.split(/\s+/);
  if (first.startsWith('-')) return (await helpOf('')).includes(first) ? null : `no option ${first}`;
  // "`integration-guard plan`, `list`": a name alone. A command of two words has its options after the second.
  const command = first === 'settings' && second !== '' ? `${first} ${second}` : first;
  const help = await helpOf(command);
  if (!help.includes(`integration-guard ${command}`)) return `no command "${command}"`;
  const options = words.match(/(?<=\s)--?[a-z][\w-]*/g) ?? [];
  const missing = options.find((option) => !new RegExp(`(?<![\\w-])${option}(?![\\w-])`).test(help));
  return missing === undefined ? null : `"${command}" has no option ${missing}`;
}

describe('commands in documents and messages', () => {
  const helps = new Map<string, Promise<string>>();
  const helpOf = (command: string) => {
    const known = helps.get(command) ?? runCommandLine(`${command} --help`).then(({ out }) => out);
    helps.set(command, known);
    return known;
  };
  const faultsIn = async (file: string, text: string) => {
    const faults = await Promise.all(
      commandsIn(text).map(async (words) => ({ words, fault: await faultOf(words, helpOf) })),
    );
    return faults.flatMap(({ words, fault }) => (fault === null ? [] : [`${file}: ${words}: ${fault}`]));
  };

  it('exist, with all their options', async () => {
    const pages = pageFiles().filter((file) => file !== RECORDED);
    const sources = sourceFiles().filter((file) => !file.startsWith('test/'));
    const faults = await Promise.all([
      ...pages.map((file) => faultsIn(file, read(file))),
      ...sources.map((file) =>
        faultsIn(
          file,
          paragraphsOf(file)
            .map(({ text }) => text)
            .join('\n'),
        ),
      ),
    ]);
    expect(faults.flat()).toEqual([]);
  });

  it.each([
    ['`integration-guard histroy`', 'histroy: no command "histroy"'],
    ['npx integration-guard plan --stak X', 'plan --stak X: "plan" has no option --stak'],
    ['npx integration-guard settings upgrade a.json', 'settings upgrade a.json: no command "settings upgrade"'],
  ])('are found where they are wrong: %s', async (text, fault) => {
    expect(await faultsIn('x', text)).toEqual([`x: ${fault}`]);
  });
});
