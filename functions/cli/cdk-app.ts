import { type EntryFile, hasModuleSyntax, readEntryFile } from './entry-file.ts';
import { FUNCTION_NAME, importLine, type ModuleStyle } from './init-templates.ts';

/** The changes that add the guard to an existing CDK app, in the app's own language. Nothing here reads or writes a file. */

/** The known facts about the app. */
export interface CdkApp {
  /** `app` in `cdk.json`; empty when it is missing. */
  readonly command: string;
  /** The file that creates the App, relative to the app's folder. Null: none or several were found. */
  readonly entry: { readonly path: string; readonly text: string } | null;
  /** `type` in `package.json`. */
  readonly packageType: string | null;
  readonly hasTsConfig: boolean;
}

/** The additions to the app. */
export interface Addition {
  /** The new file, with the function that adds the guard. */
  readonly path: string;
  readonly style: ModuleStyle;
  /** The entry file with the two lines; null when their place is not clear. */
  readonly edited: string | null;
  readonly lines: readonly [importing: string, adding: string];
  /** The place where a person adds the lines. */
  readonly where: string;
}

/** The words of the command that could name the entry file. */
export function entryCandidates(command: string): readonly string[] {
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(
    ([, quoted, single, plain]) => quoted ?? single ?? plain ?? '',
  );
  return words.filter((word, index) => /^[^-].*\.[cm]?[jt]s$/.test(word) && !LOADS.has(words[index - 1] ?? ''));
}

/** Options of Node and similar runners that take a file to load before the entry file. */
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
  // Without a type in package.json, Node decides by the syntax, but TypeScript compilers emit CommonJS.
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

/** The folder with a trailing slash; empty for the app's own folder. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** The folder for the new file: `lib` beside `bin`, as in CDK's templates, else the folder of the entry file (`src/main.ts`). */
function libraryBeside(folder: string): string {
  return folder === '' ? 'lib/' : folder.replace(/(?<=^|\/)bin\/$/, 'lib/');
}

function pathFrom(folder: string, path: string): string {
  return path.startsWith(folder) ? `./${path.slice(folder.length)}` : `../${path.slice(folder.length - 'bin/'.length)}`;
}

/** The file extension in the import: like the entry file's other imports, if Node accepts that. */
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
  // CommonJS has no top-level await, and the template would not contain stacks that are added after app.synth().
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
