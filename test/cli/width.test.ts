import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatFindings,
  formatGaps,
  formatHistory,
  formatList,
  formatPlan,
  formatProjects,
  formatReport,
} from '../../functions/cli/format.ts';
import { gapsOf } from '../../functions/cli/gaps.ts';
import { table } from '../../functions/cli/table.ts';
import { widthOf, wrap } from '../../functions/cli/wrap.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { createFailingHarness } from '../support/harness.ts';

const WIDTHS = [40, 60, 80, 120, 200];

/** Lines that are wider than the terminal although they have a place to break. */
function tooWide(text: string, width: number): readonly string[] {
  return text.split('\n').filter((line) => {
    if (widthOf(line) <= width) return false;
    // A single word that is too wide has its own line below its label.
    const words = line.trim().split(' ');
    return words.length > 1 || widthOf(line.trim()) + 2 < widthOf(line);
  });
}

/** All words in any order, to check that none is cut or lost. */
const wordsOf = (text: string) => text.split(/\s+/).filter((word) => word !== '');

const LONG_ID = 'id-'.padEnd(90, '0123456789');

async function createScene() {
  const harness = createFailingHarness({}, {}, ['good', LONG_ID]);
  const titles = [
    'Amplitude — Production iOS',
    '日本語のとても長い名前のインテグレーション、その説明が続く',
    '🚀🚀🚀 launch 🚀🚀🚀 Größe',
  ];
  for (const [index, id] of ['good', LONG_ID, 'broken'].entries())
    harness.world.patch(id, { title: titles[index] ?? '', last_error_message: 'HTTP 503' });
  const plan = await harness.plan();
  const report = await harness.pass();
  const history = await harness.ledger.history(harness.project.name, new Date(0).toISOString());
  return { plan, report, history, now: harness.world.now().toISOString() };
}

const policy = parseSettings({ projects: { a: { secretName: 'x' } } }).projects.a?.policy ?? null;

describe.each(WIDTHS)('a terminal of %i columns', (width) => {
  it('shows no command’s output with a line that is too wide', async () => {
    const { plan, report, history, now } = await createScene();
    const shown = [
      formatList(plan, width),
      formatPlan(plan, width),
      formatReport(report, width),
      formatHistory(history, now, width),
      formatGaps(gapsOf(history), now, width),
      formatProjects(
        {
          projects: [
            {
              project: 'production',
              secretName: 'qonversion/production',
              policy,
              because: 'listed',
              ofFleet: false,
              secretField: null,
            },
          ],
          fleet: 'none',
        },
        width,
      ),
      formatFindings(
        [
          {
            level: 'problem',
            check: 'Qonversion API',
            message: 'it does not answer, and did not for a while',
            action: 'check the key, "apiUrl" in the settings, and the network',
          },
        ],
        width,
      ),
    ];
    for (const text of shown) expect(tooWide(text, width)).toEqual([]);
    expect(formatList(plan, width)).toContain(LONG_ID);
  });
});

const word = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-z]{1,9}$/) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('日本語のインテグレーション', '통합이름', '🚀', '👩‍💻', 'Größe', 'e\u0301a', '—'),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z0-9/]{30,120}$/) },
);
const cell = fc.array(word, { maxLength: 12 }).map((words) => words.join(' '));

describe('a table', () => {
  it('fits any terminal with any words, and cuts or loses none', () => {
    const head = ['ID', 'INTEGRATION', 'LAST DELIVERY', 'WHY'];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell, cell), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...WIDTHS),
        (rows, width) => {
          const text = table(head, rows, width, 3);
          expect(tooWide(text, width)).toEqual([]);
          const joined = text.replace(/\s+/g, '');
          // Words of scripts without blanks may be broken, so their letters are compared.
          const letters = (words: readonly string[]) => [...words.join('')].sort().join('');
          const isBlocks = !text.startsWith('ID  ') || !text.split('\n')[0]?.includes('INTEGRATION');
          if (!isBlocks)
            expect(letters([joined])).toBe(letters([...head.flatMap(wordsOf), ...rows.flat().flatMap(wordsOf)]));
          for (const ascii of rows
            .flat()
            .flatMap(wordsOf)
            .filter((each) => /^[ -~]+$/.test(each)))
            expect(text).toContain(ascii);
        },
      ),
      { numRuns: 300, seed: 26_11 },
    );
  });

  it('becomes a block for each row if its columns do not fit', () => {
    const rows = [
      ['amp-ios', 'Amplitude iOS', 'watch, it fails'],
      ['x'.repeat(50), 'Webhooks', 'nothing, it is healthy'],
    ];
    expect(table(['ID', 'LAST DELIVERY', 'NEXT'], rows, 40, 2)).toBe(
      [
        'ID             amp-ios',
        'Last delivery  Amplitude iOS',
        'Next           watch, it fails',
        '',
        'ID',
        `  ${'x'.repeat(50)}`,
        'Last delivery  Webhooks',
        'Next           nothing, it is healthy',
      ].join('\n'),
    );
    expect(table(['ID', 'NEXT'], [['a', 'watch, it fails']], 40, 1)).toBe('ID  NEXT\na   watch, it fails');
  });

  it('counts two columns for an ideograph and an emoji', () => {
    expect(
      table(
        ['TITLE', 'NEXT'],
        [
          ['日本', 'x'],
          ['abcd', 'y'],
          ['🚀🚀', 'z'],
        ],
        40,
        0,
      ),
    ).toBe('TITLE  NEXT\n日本   x\nabcd   y\n🚀🚀   z');
    expect(wrap('日本語のとても長い名前', 10).split('\n').map(widthOf)).toEqual([10, 10, 2]);
  });
});
