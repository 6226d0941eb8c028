import { type EntryFile, hasModuleSyntax, readEntryFile } from './entry-file.ts';
import { FUNCTION_NAME, importLine, type ModuleStyle } from './init-templates.ts';

/** The CDK app that `init` finds: what has to be added to it, in its own language. Nothing here reads or writes a file. */

/** What is known about the app. */
export interface CdkApp {
  /** `app` of `cdk.json`; empty when it says nothing. */
  readonly command: string;
  /** The file that creates the App, relative to the app's folder. Null: none was found, or several. */
  readonly entry: { readonly path: string; readonly text: string } | null;
  /** `type` of `package.json`. */
  readonly packageType: string | null;
  readonly hasTsConfig: boolean;
}

/** What is added. */
export interface Addition {
  /** The file with the function that adds the guard. */
  readonly path: string;
  readonly style: ModuleStyle;
  /** The entry file with the two lines; null when it is not clear where they belong. */
  readonly edited: string | null;
  readonly lines: readonly [importing: string, adding: string];
  /** Where people add them. */
  readonly where: string;
}

/** The words of the command that may name the entry file. */
export function entryCandidates(command: string): readonly string[] {
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(
    ([, quoted, single, plain]) => quoted ?? single ?? plain ?? '',
  );
  return words.filter((word, index) => /^[^-].*\.[cm]?[jt]s$/.test(word) && !LOADS.has(words[index - 1] ?? ''));
}

/** Options of Node and its like that are followed by a file which is loaded before the entry. */
const LOADS: ReadonlySet<string> = new Set(['-r', '--require', '--import', '--loader', '--experimental-loader']);

export function additionTo(app: CdkApp): Addition {
  const language = languageOf(app);
  const { isTypeScript, isModule, extension } = language;
  const style = isTypeScript ? 'typescript' : isModule ? 'esm' : 'commonjs';
  const folder = folderOf(app.entry?.path ?? '');
  const file = readEntryFile(app.entry?.text ?? '');
  const path = `${libraryBeside(folder)}integration-guard-stack`;
  const importing = importLine(style, `${pathFrom(folder, path)}${endingOf(app, language, file)}`);
  return { path: `${path}${extension}`, style, ...linesFor(file, isModule, importing) };
}

interface Language {
  readonly isTypeScript: boolean;
  /** Whether the entry file runs as a module, which can wait (`await`) at its top level. */
  readonly isModule: boolean;
  readonly extension: string;
}

function languageOf({ command, entry, packageType, hasTsConfig }: CdkApp): Language {
  const extension = extensionOf(entry?.path ?? '') || (hasTsConfig ? '.ts' : '.js');
  const isTypeScript = extension.endsWith('ts');
  if (extension.length > 3) return { isTypeScript, extension, isModule: extension.startsWith('.m') };
  // Node goes by the syntax when package.json says nothing. Tools that compile TypeScript then make CommonJS of it.
  const goesBySyntax = packageType === null && entry !== null && (!isTypeScript || isRunByNode(command));
  const isModule = goesBySyntax ? hasModuleSyntax(entry.text) : packageType === 'module';
  return { isTypeScript, isModule, extension };
}

function extensionOf(path: string): string {
  return /\.[cm]?[jt]s$/.exec(path)?.[0] ?? '';
}

function isRunByNode(command: string): boolean {
  return /\bnode\b/.test(command) && !/\b(?:tsx|ts-node|swc|esbuild|jiti|babel)\b/.test(command);
}

/** With a slash at its end; empty for the app's own folder. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** As in CDK's own layout; an entry file elsewhere (`src/main.ts`) has the rest of the code beside it. */
function libraryBeside(folder: string): string {
  return folder === '' ? 'lib/' : folder.replace(/(?<=^|\/)bin\/$/, 'lib/');
}

function pathFrom(folder: string, path: string): string {
  return path.startsWith(folder) ? `./${path.slice(folder.length)}` : `../${path.slice(folder.length - 'bin/'.length)}`;
}

/** How the entry file names files: in the manner of its other imports, unless Node would not find the file so. */
function endingOf(
  { command }: CdkApp,
  { isTypeScript, isModule, extension }: Language,
  { imports }: EntryFile,
): string {
  const [neighbour] = imports.flatMap((each) => /['"](\.{1,2}\/[^'"]*)['"]/.exec(each)?.[1] ?? []);
  const hasChoice = extension.length === 3 && (isTypeScript || !isModule);
  if (hasChoice && neighbour !== undefined) return extensionOf(neighbour);
  if (isTypeScript && isRunByNode(command)) return extension;
  return isModule || extension.length > 3 ? extension.replace('ts', 'js') : '';
}

function linesFor(file: EntryFile, isModule: boolean, importing: string): Omit<Addition, 'path' | 'style'> {
  const { imports, app } = file;
  const name = app?.name ?? 'app';
  const usesDoubleQuotes = imports.length > 0 && imports.every((each) => !each.includes("'"));
  const inStyle = (line: string) => {
    const quoted = usesDoubleQuotes ? line.replaceAll("'", '"') : line;
    return app?.endsInSemicolon === false ? quoted.replace(/;$/, '') : quoted;
  };
  // CommonJS cannot wait at its top level, and what comes after a synthesis is not in its template.
  if (!isModule && file.callsSynth(name))
    return {
      edited: null,
      lines: [inStyle(importing), inStyle(`${FUNCTION_NAME}(${name}).then(() => ${name}.synth());`)],
      where: `the first at the top, the second in place of ${name}.synth()`,
    };
  const lines = [inStyle(importing), inStyle(`${isModule ? 'await' : 'void'} ${FUNCTION_NAME}(${name});`)] as const;
  return {
    edited: app?.withLines(...lines) ?? null,
    lines,
    where: 'the first at the top, the second after the statement that creates the App',
  };
}
