/**
 * Finds the statement that creates the `App` in a CDK app, and the places for two new lines. It reads the file as text and knows
 * only the plain form of CDK's own templates. For any other form, a person adds the lines.
 */

export interface EntryFile {
  /** The text of the import statements. */
  readonly imports: readonly string[];
  /** Null unless one top-level statement after the imports creates the app. */
  readonly app: AppStatement | null;
  /** Whether the file calls `synth`. Otherwise CDK synthesizes when the process ends. */
  readonly callsSynth: (name: string) => boolean;
}

export interface AppStatement {
  /** The name of the constant or variable. */
  readonly name: string;
  readonly endsInSemicolon: boolean;
  /** The text with a line after the imports, and one after this statement. */
  readonly withLines: (importing: string, adding: string) => string;
}

export function readEntryFile(text: string): EntryFile {
  const code = maskText(text);
  const found = [...code.matchAll(IMPORT)].map(({ index, 0: { length } }) => ({ start: index, end: index + length }));
  const imports = found.map(({ start, end }) => text.slice(start, end));
  return {
    imports,
    app: imports.some((each) => /['"]aws-cdk-lib(?:\/[\w/]+)?['"]/.test(each)) ? findApp(text, code, found) : null,
    callsSynth: (name) => new RegExp(String.raw`(?<![\w$.])${name.replaceAll('$', '\\$')}\.synth\s*\(`).test(code),
  };
}

/** Whether Node treats a file as a module if neither its name nor `package.json` decides. */
export function hasModuleSyntax(text: string): boolean {
  return /^(?:import\b(?!\s*\()|export\b)/m.test(maskText(text));
}

const IMPORT = new RegExp(
  [
    String.raw`^import\b(?:[^'"\`;()]*?\bfrom\s*)?(['"])[^'"\n]*\1(?:\s*with\s*\{[^}]*\})?[ \t]*;?`,
    String.raw`^(?:(?:const|let|var|import)\s+[^=;]+=\s*)?require\s*\((['"])[^'"\n]*\2\)(?:\.[\w$]+)*[ \t]*;?`,
  ].join('|'),
  'gm',
);

const NEW_APP = /\bnew\s+(?:[\w$]+\s*\.\s*)*App\s*\(/g;

const APP_STATEMENT =
  /^(?:export\s+)?(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*(?::\s*[\w.]+\s*)?=\s*new\s+(?:[\w$]+\.)?App\s*(?=\()/gm;

function findApp(
  text: string,
  code: string,
  imports: readonly { readonly start: number; readonly end: number }[],
): AppStatement | null {
  const [statement, another] = code.matchAll(APP_STATEMENT);
  if (statement === undefined || another !== undefined || [...code.matchAll(NEW_APP)].length !== 1) return null;
  const [matched, name = ''] = statement;
  const last = imports.findLast(({ end }) => end <= statement.index);
  if (last === undefined || depthOf(code.slice(0, statement.index)) !== 0) return null;
  const closing = closingOf(code, statement.index + matched.length);
  const importsEnd = endOfLine(code, last.end);
  const end = closing === null ? null : endOfLine(code, code[closing] === ';' ? closing + 1 : closing);
  if (closing === null || importsEnd === null || end === null) return null;
  return {
    name,
    endsInSemicolon: code[closing] === ';',
    withLines: (importing, adding) => {
      const head = withLine(text.slice(0, importsEnd), importing, text);
      return withLine(`${head}${text.slice(importsEnd, end)}`, adding, text) + text.slice(end);
    },
  };
}

/** The text with blanks in place of comments, strings and templates, so that a search finds only code. The length stays the same. */
function maskText(text: string): string {
  return text
    .replace(/^\ufeff/, '\n')
    .replace(
      /\/\*[\s\S]*?\*\/|\/\/[^\r\n]*|'(?:\\.|[^'\\\r\n])*'|"(?:\\.|[^"\\\r\n])*"|`(?:\\[\s\S]|[^`\\])*`/g,
      (found) =>
        /^['"]/.test(found) ? `${found[0]}${' '.repeat(found.length - 2)}${found[0]}` : ' '.repeat(found.length),
    );
}

function depthOf(code: string): number {
  return (code.match(/[([{]/g) ?? []).length - (code.match(/[)\]}]/g) ?? []).length;
}

/** The offset after the bracket that closes the one at the offset. */
function closingOf(code: string, offset: number): number | null {
  let depth = 0;
  for (let index = offset; index < code.length; index += 1) {
    if (/[([{]/.test(code[index] ?? '')) depth += 1;
    if (/[)\]}]/.test(code[index] ?? '')) depth -= 1;
    if (depth === 0) return index + 1;
  }
  return null;
}

/** The start of the next line; null when this line has more code. */
function endOfLine(code: string, offset: number): number | null {
  const rest = /^[ \t]*(?:\r?\n|$)/.exec(code.slice(offset))?.[0];
  // A line that begins with such a character may continue the statement before it.
  if (rest === undefined || /^\s*[.([`/+,?-]/.test(code.slice(offset + rest.length))) return null;
  return offset + rest.length;
}

function withLine(before: string, line: string, text: string): string {
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  return before.endsWith('\n') ? `${before}${line}${lineBreak}` : `${before}${lineBreak}${line}`;
}
