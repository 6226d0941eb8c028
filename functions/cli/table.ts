import Table from 'cli-table3';
import { paint } from './paint.ts';
import { unbreakableWidth, widthOf, wrap } from './wrap.ts';

/** Rows of texts: a table if the terminal is wide enough, else a block of labelled lines for each row. */

/** The minimum width of the column with running text. */
const MIN_FLEXIBLE = 20;

/** The minimum width of other columns: a time of day, a name or a count stays in one line. */
const MIN_OTHER = 13;

/**
 * A table without rules. Only a single word can make a line wider than the terminal; no word is cut.
 * @param head titles of the columns, in capitals
 * @param flexible index of the column with running text: it gets the remaining width, and wraps
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  flexible: number,
): string {
  const columns = head.map((title, index) => ({
    title,
    cells: rows.map((row) => row[index] ?? ''),
    isFlexible: index === flexible,
  }));
  const widths = widthsFor(columns, width);
  return widths === null ? blocks(head, rows, width) : asTable(head, rows, widths);
}

interface Column {
  readonly title: string;
  readonly cells: readonly string[];
  readonly isFlexible: boolean;
}

/** The widths of the columns; null when they do not fit side by side. */
function widthsFor(columns: readonly Column[], width: number): readonly number[] | null {
  const room = width - GAP * (columns.length - 1);
  const longest = columns.map(({ cells }) => Math.max(0, ...cells.flatMap((each) => each.split('\n').map(widthOf))));
  const natural = columns.map(({ title }, index) => Math.max(widthOf(title), longest[index] ?? 0));
  const least = columns.map(({ title, cells, isFlexible }, index) => {
    const [heading = 0, ...unbroken] = [title, ...cells].map(unbreakableWidth);
    const wanted = Math.max(isFlexible ? MIN_FLEXIBLE : MIN_OTHER, ...unbroken);
    return Math.max(heading, Math.min(longest[index] ?? 0, wanted));
  });
  if (sum(least) > room) return null;
  // Short columns first: an unbroken name is worth more than a wider text.
  const order = columns
    .map((_, index) => index)
    .sort((left, right) => rank(columns[left]) - rank(columns[right]) || (natural[left] ?? 0) - (natural[right] ?? 0));
  const widths = [...least];
  let left = room - sum(least);
  for (const index of order) {
    const more = Math.min(left, (natural[index] ?? 0) - (least[index] ?? 0));
    widths[index] = (widths[index] ?? 0) + more;
    left -= more;
  }
  return widths;
}

function rank(column: Column | undefined): number {
  return column?.isFlexible === true ? 1 : 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

const GAP = 2;

function asTable(head: readonly string[], rows: readonly (readonly string[])[], widths: readonly number[]): string {
  const made = new Table({
    head: head.map((title, index) => paint('bold', wrap(title, widths[index] ?? 0))),
    colWidths: widths.map((each) => each + GAP),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
    chars: NO_RULES,
  });
  made.push(...rows.map((row) => row.map((cell, index) => wrap(cell, widths[index] ?? 0))));
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Labelled lines for each row. A text without enough room beside its label goes below it. */
function blocks(head: readonly string[], rows: readonly (readonly string[])[], width: number): string {
  const labels = head.map(labelOf);
  const indent = Math.max(...labels.map(widthOf)) + GAP;
  return rows
    .map((row) =>
      labels
        .flatMap((label, index) => {
          const cell = row[index] ?? '';
          if (cell === '') return [];
          if (label === '') return wrap(cell, width).split('\n');
          const beside = unbreakableWidth(cell) <= width - indent;
          const lines = wrap(cell, width - (beside ? indent : GAP)).split('\n');
          const padded = lines.map((line) => `${' '.repeat(beside ? indent : GAP)}${line}`);
          const named = paint('bold', label);
          return beside ? [named + (padded[0] ?? '').slice(label.length), ...padded.slice(1)] : [named, ...padded];
        })
        .map((line) => line.trimEnd())
        .join('\n'),
    )
    .join('\n\n');
}

/** "LAST DELIVERY" as the beginning of a line. */
function labelOf(title: string): string {
  return title.length <= 2 ? title : `${title.slice(0, 1)}${title.slice(1).toLowerCase()}`;
}

const NO_RULES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
