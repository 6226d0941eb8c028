import { execFile } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ParseError, parse } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { BLANK_ENTRY, BLANK_PROJECT_ENTRY } from '../../functions/guard/model/entry.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { type CodeBlock, readCodeBlocks } from './code-blocks.ts';

/** Blocks of JSON and TypeScript in the documents: settings are settings, and examples compile against the package's types. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const blocksIn = (...languages: readonly string[]) =>
  readCodeBlocks().filter(({ language }) => languages.includes(language));

function parseJsonc(text: string): unknown {
  const errors: ParseError[] = [];
  const document: unknown = parse(text, errors, { allowTrailingComma: false });
  if (errors.length > 0) throw new Error(`not JSON with comments: ${text}`);
  return document;
}

const PROJECT = { secretName: 'qonversion/production' };

/** A block of settings, whole or a part of them, as the document that it belongs into. */
function toSettings(text: string): unknown {
  const [, part] = /^"(\w+)":/.exec(text) ?? [];
  if (part === undefined) return parseJsonc(text);
  const fragment = parseJsonc(`{${text}}`);
  if (part === 'overrides' || part === 'policy') {
    const policy = part === 'policy' ? fragment : { policy: fragment };
    return { projects: { production: { ...PROJECT, ...(policy as object) } } };
  }
  return part === 'fleet' ? fragment : { projects: { production: PROJECT }, ...(fragment as object) };
}

/** Blocks that are no settings, and what compares them. */
const NO_SETTINGS: Readonly<Record<string, (block: CodeBlock) => void>> = {
  // docs/events.md is compared as a whole with what the catalogue makes (pages.test.ts).
  'docs/events.md § The message for machines': ({ text }) =>
    expect(parseJsonc(text)).toMatchObject({ specversion: '1.0' }),
  'docs/architecture.md § The ledger': ({ text }) => {
    const { entry } = parseJsonc(text) as { entry: object };
    expect(Object.keys(entry)).toEqual(Object.keys(BLANK_ENTRY));
  },
  'docs/architecture.md § The ledger (2)': ({ text }) => {
    const [project = '', event = ''] = text.split(/\n(?=\{)/);
    const { entry } = parseJsonc(project) as { entry: object };
    expect(Object.keys(BLANK_PROJECT_ENTRY)).toEqual(expect.arrayContaining(Object.keys(entry)));
    expect(parseJsonc(event)).toMatchObject({ event: { type: 'integration.paused' } });
  },
  // The values are those that the reader noted, so that the block has an ellipsis in place of each.
  'docs/deploy.md § Removing and coming back': ({ text }) => {
    const filled = text
      .replace('"IntegrationGuard-GuardLedger…"', '"IntegrationGuard-GuardLedger0123"')
      .replace('"arn:aws:kms:…"', '"arn:aws:kms:eu-west-1:123456789012:key/0b2c6f1e-0000-4000-8000-000000000000"')
      .replace('"…": {}', `"production": ${JSON.stringify(PROJECT)}`);
    expect(parseSettings(parseJsonc(filled))).toMatchObject({ ledgerTableName: 'IntegrationGuard-GuardLedger0123' });
  },
};

describe('a block of JSON', () => {
  it.each(blocksIn('json', 'jsonc').map((block) => [block.place, block] as const))('%s', (place, block) => {
    const compare = NO_SETTINGS[place];
    if (compare !== undefined) return compare(block);
    const settings = parseSettings(toSettings(block.text));
    expect(Object.keys(settings.projects).length > 0 || settings.fleet !== undefined).toBe(true);
  });

  it('stands where this test says', () => {
    const places = blocksIn('json', 'jsonc').map(({ place }) => place);
    expect(places).toEqual(expect.arrayContaining(Object.keys(NO_SETTINGS)));
  });

  it('is refused when a setting in it is wrong', () => {
    expect(() => parseSettings(toSettings('"overrides": [{ "match": {}, "errorTreshold": 5 }]'))).toThrow(
      'errorTreshold',
    );
  });
});

/** Examples that are parts of a file, with what is around them. */
function toFile({ place, text }: CodeBlock): string {
  if (place === 'CONTRIBUTING.md § A rule change is three edits')
    return [
      "import { expect, it } from 'vitest';",
      `import { aFailingRecord } from '${ROOT}test/support/builders.ts';`,
      `import { asks, firstPass, nextPass } from '${ROOT}test/support/next-pass.ts';`,
      text,
    ].join('\n');
  if (!/^new /m.test(text)) return text;
  const imports = text.match(/^import .*$/gm) ?? [];
  const body = text.replace(/^import .*$/gm, '');
  return [
    "import type { Stack } from 'aws-cdk-lib';",
    ...(imports.length === 0 ? ["import { IntegrationGuard, readDeployedGuard } from 'integration-guard';"] : imports),
    `export async function example(this: Stack, stack: Stack): Promise<void> {${body}}`,
  ].join('\n');
}

describe('the blocks of TypeScript', () => {
  const compile = async (files: Readonly<Record<string, string>>): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'guard-examples-'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const { compilerOptions } = JSON.parse(await readFile(`${ROOT}tsconfig.json`, 'utf8')) as {
      compilerOptions: object;
    };
    const paths = { 'integration-guard': [`${ROOT}infra/index.ts`] };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: { ...compilerOptions, paths, noUnusedLocals: false, noUnusedParameters: false },
        include: ['*.ts'],
      }),
    );
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    return promisify(execFile)(process.execPath, [tsc, '-p', folder]).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
  };
  // In docs/api.md the lists of a type's members are no programs.
  const examples = blocksIn('ts').filter(({ text }) => /^(?:import|new|it)\b/m.test(text));

  it('compile against the types of the package, and would not with a property that it does not have', async () => {
    expect(examples.length).toBeGreaterThan(5);
    const files = Object.fromEntries(examples.map((block, index) => [`example-${index}.ts`, toFile(block)]));
    const wrong =
      "import { IntegrationGuardStack } from 'integration-guard';\nnew IntegrationGuardStack(undefined as never, 'x', { projetcs: {} });\n";
    const complaints = (await compile({ ...files, 'wrong.ts': wrong })).trim().split('\n');
    expect(complaints.filter((line) => !line.includes('wrong.ts('))).toEqual([]);
    expect(complaints.join('\n')).toContain("'projetcs' does not exist");
  });
});
