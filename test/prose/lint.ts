import { readFileSync } from 'node:fs';
import { TextlintKernel, type TextlintKernelOptions } from '@textlint/kernel';
import markdown from '@textlint/textlint-plugin-markdown';
import type { TextlintPluginCreator, TextlintRuleModule } from '@textlint/types';
import maxWordCount from 'textlint-rule-en-max-word-count';
import stopWords from 'textlint-rule-stop-words';
import terminology from 'textlint-rule-terminology';
import writeGood from 'textlint-rule-write-good';
import { freeRelatives } from './free-relatives.ts';
import { pageFiles, paragraphsOf, sourceFiles } from './texts.ts';

/** The prose linter: textlint with rules that are kept by others, and the words that this project does not use. */

export interface ProseFault {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

const DIALECT = readFileSync(new URL('dialect.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => line.split(/\s*>\s*/));

/** Words of the rules' own lists that are right here. */
const RIGHT_HERE = JSON.parse(readFileSync(new URL('allowed.json', import.meta.url), 'utf8')) as {
  readonly terms: readonly string[];
  readonly wordy: readonly string[];
};

/** Of a sentence. A reader loses the thread of a longer one. */
const MAX_WORDS = 45;

const OPTIONS: TextlintKernelOptions = {
  ext: '.md',
  plugins: [{ pluginId: 'markdown', plugin: defaultOf(markdown) as TextlintPluginCreator }],
  rules: [
    { ruleId: 'dialect', rule: stopWords, options: { words: DIALECT, defaultWords: false } },
    { ruleId: 'terminology', rule: terminology },
    {
      ruleId: 'write-good',
      rule: defaultOf(writeGood) as TextlintRuleModule,
      // "Several" and "failed" are facts here, and the passive has its place where the actor does not matter.
      options: { passive: false, weasel: false, adverb: false },
    },
    { ruleId: 'en-max-word-count', rule: defaultOf(maxWordCount) as TextlintRuleModule, options: { max: MAX_WORDS } },
    { ruleId: 'free-relatives', rule: freeRelatives },
  ],
};

/** Every fault in the prose of the repository. */
export async function lintEverything(): Promise<readonly ProseFault[]> {
  const pages = await Promise.all(
    pageFiles().map(async (file) =>
      (await lintText(readFileSync(file, 'utf8'))).map(({ line, message }) => ({ file, line, message })),
    ),
  );
  const sources = await Promise.all(sourceFiles().map(lintSource));
  return [...pages, ...sources].flat();
}

async function lintSource(file: string): Promise<readonly ProseFault[]> {
  const paragraphs = paragraphsOf(file);
  // A paragraph is one line, and an empty one follows.
  const faults = await lintText(paragraphs.map(({ text }) => text.replaceAll('\n', ' ')).join('\n\n'));
  return faults.map(({ line, message }) => ({ file, line: paragraphs[(line - 1) / 2]?.line ?? 1, message }));
}

/** The faults in a text of Markdown. */
export async function lintText(text: string): Promise<readonly Omit<ProseFault, 'file'>[]> {
  const { messages } = await new TextlintKernel().lintText(text, OPTIONS);
  return messages
    .filter(({ ruleId, message }) => !isRightHere(ruleId, message))
    .map(({ loc, message, ruleId }) => ({ line: loc.start.line, message: `${message} (${ruleId})` }));
}

/** Whether the word that a rule quotes is one of those that are right here, however it is written. */
function isRightHere(ruleId: string, message: string): boolean {
  const [, word = ''] = /^(?:Incorrect term: )?["“]([^"”]*)["”]/.exec(message) ?? [];
  const words = ruleId === 'write-good' ? RIGHT_HERE.wordy : ruleId === 'terminology' ? RIGHT_HERE.terms : [];
  return words.includes(word.toLowerCase());
}

/** The default export of a CommonJS module that was compiled from ESM: Node and Vitest import it differently. */
function defaultOf(module: unknown): unknown {
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : module;
}
