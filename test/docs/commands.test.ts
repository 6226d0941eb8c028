import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runInShell } from '../support/printed-commands.ts';
import { COMMAND_LANGUAGES, codeBlocksOf, commandsAt, RECORDED, RUNS_IN, readCodeBlocks } from './code-blocks.ts';

/** Every block of commands in the documents runs as it is printed. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('the blocks of a document', () => {
  it('are found in sections and lists, and numbered per section', () => {
    const markdown =
      '# A\n```sh\none\n```\n1. x\n\n   ```sh\n   two\n     more\n   ```\n```json\n{}\n```\n## B\n~~~console\n# no heading\n~~~\n';
    expect(codeBlocksOf('x.md', markdown).map(({ place, line, text }) => [place, line, text])).toEqual([
      ['x.md § A', 2, 'one\n'],
      ['x.md § A (2)', 7, 'two\n  more\n'],
      ['x.md § A', 11, '{}\n'],
      ['x.md § B', 15, '# no heading\n'],
    ]);
    expect(() => codeBlocksOf('x.md', '```sh\n')).toThrow('x.md:1: this block has no end');
  });
});

describe('every block of commands', () => {
  it('runs somewhere: name the place in RUNS_IN of test/docs/code-blocks.ts, and run it in the test that is named there', () => {
    const places = readCodeBlocks()
      .filter(({ language, file }) => COMMAND_LANGUAGES.has(language) && file !== RECORDED)
      .map(({ place }) => place);
    expect(Object.values(RUNS_IN).flat().sort()).toEqual(places.sort());
  });

  it('has no language of a shell that this test does not know', () => {
    const known = ['sh', 'console', 'ts', 'json', 'jsonc', 'text', 'mermaid'];
    expect(readCodeBlocks().filter(({ language }) => !known.includes(language))).toEqual([]);
  });

  it('runs in the test that is named', () => {
    const { deployment, localCloud } = RUNS_IN;
    for (const [file, places] of [
      ['test/e2e/commands.test.ts', deployment],
      ['test/e2e/local-cloud.test.ts', localCloud],
    ] as const) {
      const test = readFileSync(`${ROOT}${file}`, 'utf8');
      for (const place of places) expect(test, `${file} does not run this block`).toContain(`'${place}'`);
    }
    expect(Object.keys(CHECKOUT).sort()).toEqual([...RUNS_IN.checkout].sort());
  });
});

describe('commands that the pipeline runs', () => {
  it.each(RUNS_IN.pipeline)('%s', (place) => {
    const lines = readFileSync(`${ROOT}.ci/run`, 'utf8').split('\n');
    for (const command of commandsAt(place)
      .trim()
      .split(/ && |\n/))
      expect(lines).toContain(command);
  });
});

/** How a block runs in the checkout. `instead` replaces words that would take minutes. */
interface CheckoutRun {
  readonly instead?: readonly [RegExp, string];
  readonly folder?: () => Promise<string>;
  readonly check: (output: string, folder: string) => void;
}

const CHECKOUT: Readonly<Partial<Record<(typeof RUNS_IN.checkout)[number], CheckoutRun | 'until Ctrl-C'>>> = {
  'CONTRIBUTING.md § Fault harnesses': {
    instead: [/--only races/g, '--only text'],
    check: (output) => expect(output).toMatch(/hostile text +[\d,]+ +texts in places +0/),
  },
  'docs/policy.md § Figures': {
    instead: [/--seeds \S+/g, '--days 1 --seeds 1'],
    check: (output) => {
      const [, table = ''] = readFileSync(`${ROOT}docs/policy.md`, 'utf8').split('| per 30 days |');
      const labels = (table.split('\n\n')[0] ?? '').match(/(?<=^\| )[a-z][^|]*(?= \|)/gm) ?? [];
      expect(labels.length).toBeGreaterThan(4);
      for (const label of labels) expect(output).toContain(label);
      expect(output).toContain('200 INTEGRATIONS, PER 30 DAYS');
      expect(output).toContain('12 INTEGRATIONS, PER 30 DAYS');
    },
  },
  'docs/settings.md § Settings': {
    folder: async () => {
      const folder = await anAppFolder();
      writeFileSync(
        join(folder, 'settings.json'),
        '{ "projects": { "production": { "secretName": "qonversion/production", "policy": { "remindEveryHours": 24 } } } }\n',
      );
      return folder;
    },
    check: (output, folder) => {
      expect(output).toContain('remindAt');
      expect(readFileSync(join(folder, 'settings.json'), 'utf8')).toContain('"remindAt": "08:00"');
    },
  },
  'docs/settings.md § Settings (2)': {
    folder: async () => {
      const folder = await anAppFolder();
      writeFileSync(join(folder, 'cdk.json'), JSON.stringify(CDK_JSON));
      return folder;
    },
    check: (output) => {
      expect(output).toContain('THESE SETTINGS  DEFAULTS');
      expect(output).toMatch(/30 days, 3 worlds/);
    },
  },
  'docs/panel.md § The control panel': 'until Ctrl-C',
};

const CDK_JSON = {
  context: { 'integration-guard': { projects: { production: { secretName: 'qonversion/production' } } } },
};

/** A folder in which `npx integration-guard` is the one of this checkout, as after `npm install`. */
async function anAppFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'guard-docs-'));
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(join(ROOT, 'functions', 'cli', 'launch.cjs'), join(folder, 'node_modules', '.bin', 'integration-guard'));
  return folder;
}

describe('commands in the checkout', () => {
  const runs = Object.entries(CHECKOUT).flatMap(([place, run]) =>
    run === 'until Ctrl-C' ? [] : ([[place, run]] as const),
  );

  it.each(runs)('%s', { timeout: 120_000 }, async (place, { instead, folder: make, check }) => {
    const printed = commandsAt(place);
    const commands = instead === undefined ? printed : printed.replaceAll(...instead);
    if (instead !== undefined) expect(commands, 'the words to replace are not there').not.toBe(printed);
    const folder = (await make?.()) ?? ROOT;
    const [run] = await runInShell([commands.trim().replaceAll('\n', ' && ')], { folder });
    expect(run?.code, run?.output).toBe(0);
    check(run?.output ?? '', folder);
  });

  it('docs/panel.md § The control panel', async () => {
    const panel = spawn('bash', ['-c', commandsAt('docs/panel.md § The control panel')], { cwd: ROOT, detached: true });
    let output = '';
    panel.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    while (!output.includes('Ctrl-C ends it.')) await once(panel.stdout, 'data');
    for (const [, name = '', url = ''] of output.matchAll(/^ {2}(\w+) +(http\S+)$/gm)) {
      const page = await fetch(url);
      expect([name, page.status, await page.text()]).toEqual([name, 200, expect.stringContaining('<html')]);
    }
    expect(output.match(/^ {2}\w+ +http/gm)).toHaveLength(3);
    process.kill(-(panel.pid ?? Number.NaN), 'SIGINT');
    await once(panel, 'close');
  });
});

describe('docs/commands.md', () => {
  const recorded = readCodeBlocks().filter(({ file }) => file === RECORDED);

  it('is a session: each block has a command and its output', () => {
    expect(recorded.length).toBeGreaterThan(10);
    for (const { text, line, language } of recorded) {
      expect([line, language]).toEqual([line, 'console']);
      expect(text).toMatch(/^\$ (?:\w+=\S+ )?(?:npx integration-guard|curl) /);
    }
  });

  it('has the help of today, and every command that runs without AWS; if not, run: npm run record', async () => {
    const [help] = await runInShell(['npx integration-guard --help'], { variables: { COLUMNS: '112' } });
    const session = recorded.map(({ text }) => text);
    expect(session[0]).toBe(`$ npx integration-guard --help\n${help?.output}`);
    const [, listed = ''] = /^Commands:\n([\s\S]*?)\n\n/m.exec(help?.output ?? '') ?? [];
    const commands = [...listed.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect(commands.length).toBeGreaterThan(10);
    // Those that need AWS or a folder, and the demo, which docs/demo.svg shows.
    const elsewhere = ['changes', 'init', 'settings', 'demo', 'help'];
    const missing = commands.filter(
      (name) => !session.slice(1).some((text) => text.includes(`npx integration-guard ${name}`)),
    );
    expect(missing.sort()).toEqual(elsewhere.sort());
  });
});
