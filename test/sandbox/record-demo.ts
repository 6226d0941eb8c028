import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { htmlEscape } from 'escape-goat';

/** `npm run record`: the terminal during `npm start`, written to docs/demo.svg. Of the mails it shows the first about a pause. */

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const COLUMNS = 132;
const COLUMN_WIDTH = 8.4;
const LINE_HEIGHT = 18;
const MARGIN = 20;

const ESCAPE = String.fromCharCode(27);
const CODE = new RegExp(`(${ESCAPE}\\[\\d+m)`);

/** Words with one space between. Wider gaps are positions, because a picture joins spaces. */
const WORDS = /\S+(?: \S+)*/g;

/** The codes of `styleText` that the demo uses, and how the picture shows them. */
const STYLES: Readonly<Record<string, string>> = {
  1: 'font-weight="bold"',
  2: 'opacity="0.7"',
  31: 'fill="#f47067"',
  32: 'fill="#8ddb8c"',
  33: 'fill="#f69d50"',
};

const output = execFileSync(process.execPath, ['functions/cli/main.ts', 'demo', '--pace', '0'], {
  cwd: PROJECT,
  env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, FORCE_COLOR: '1', COLUMNS: String(COLUMNS) },
});
const lines = withOneMail(output.toString()).trimEnd().split('\n').flatMap(wrap);
const width = Math.ceil(COLUMNS * COLUMN_WIDTH + 2 * MARGIN);
const height = lines.length * LINE_HEIGHT + 2 * MARGIN;
const rows = lines.map(
  (line, index) => `<text x="${MARGIN}" y="${MARGIN + (index + 0.75) * LINE_HEIGHT}">${toSpans(line)}</text>`,
);
writeFileSync(
  fileURLToPath(new URL('../../docs/demo.svg', import.meta.url)),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="The terminal during npm start">
<rect width="${width}" height="${height}" rx="8" fill="#22272e"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#cdd9e5">
${rows.join('\n')}
</g>
</svg>
`,
);

function withOneMail(text: string): string {
  const mails = text.match(/^ +┌─ mail\n[\s\S]*?└─\n/gm) ?? [];
  const shown = mails.find((mail) => /Subject: .* paused/.test(mail));
  if (shown === undefined) throw new Error('the demo has no mail about a pause');
  return mails.reduce((rest, mail) => (mail === shown ? rest : rest.replace(mail, '')), text);
}

/** Lines of the terminal's width. A line that is wrapped begins where the text of its first part began. */
function wrap(line: string): readonly string[] {
  if (stripVTControlCharacters(line).length <= COLUMNS) return [line];
  const indent = /^[\s│]*(?:\w+: +)?/.exec(line)?.[0] ?? '';
  const at = line.lastIndexOf(' ', COLUMNS);
  return [line.slice(0, at), ...wrap(`${indent.replace(/[^\s│]/g, ' ')}${line.slice(at + 1)}`)];
}

/** Text between escape codes, as spans with the styles that are on. Each has the width of its columns, in any font. */
function toSpans(line: string): string {
  let styles: readonly string[] = [];
  let column = 0;
  return line
    .split(CODE)
    .map((part) => {
      const code = /^\d+$/.exec(part.slice(2, -1))?.[0];
      if (part.startsWith(ESCAPE) && code !== undefined) {
        const style = STYLES[code];
        styles = style === undefined ? [] : [...styles, style];
        return '';
      }
      const spans = [...part.matchAll(WORDS)].map(({ 0: words, index }) => {
        const x = MARGIN + (column + index) * COLUMN_WIDTH;
        const place = `x="${x.toFixed(1)}" textLength="${(words.length * COLUMN_WIDTH).toFixed(1)}"`;
        return `<tspan ${[place, ...styles].join(' ')}>${htmlEscape(words)}</tspan>`;
      });
      column += part.length;
      return spans.join('');
    })
    .join('');
}
