import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { bundleFunctions } from './bundle-functions.ts';

/**
 * `npm run build`: builds the package in `dist/`. `index.cjs` is the construct, as CommonJS, so that the Jest setup of
 * CDK's template can load it. `lambda/` has the functions, ready for upload; `cli/` the command line; `types/` the
 * declarations.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');

/** Dependencies that the app provides: its own version of CDK, and two small libraries that check settings. */
const EXTERNAL = ['aws-cdk-lib', 'constructs', 'zod', 'jsonc-parser'];

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  keepNames: true,
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;

rmSync(DIST, { recursive: true, force: true });
const functions = bundleFunctions(join(DIST, 'lambda'));
const { metafile: construct } = await build({
  ...COMMON,
  entryPoints: ['infra/index.ts'],
  outfile: join(DIST, 'index.cjs'),
  format: 'cjs',
  external: EXTERNAL.flatMap((name) => [name, `${name}/*`]),
  // From the sources, CDK bundles the functions at synthesis. In the package they are beside the construct.
  alias: { '#own-files': './infra/own-files-of-package.ts' },
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
});
const { metafile: commandLine } = await build({
  ...COMMON,
  entryPoints: { main: 'functions/cli/main.ts', worker: 'functions/sandbox/world/worker.ts' },
  // Stack traces of the construct must be readable. The command line shows none.
  minifySyntax: true,
  minifyWhitespace: true,
  outdir: join(DIST, 'cli'),
  outExtension: { '.js': '.mjs' },
  format: 'esm',
  // Each command loads only the code that it uses.
  splitting: true,
  // CommonJS packages need these. Without the last two, every write to the ledger fails, and esbuild does not warn.
  banner: {
    js: [
      "import { createRequire as createRequireOfPackage } from 'node:module';",
      'const require = createRequireOfPackage(import.meta.url);',
      "const { fileURLToPath: fileOfUrl } = require('node:url');",
      'const __filename = fileOfUrl(import.meta.url);',
      "const __dirname = fileOfUrl(new URL('.', import.meta.url));",
    ].join(''),
  },
});
writeTypes();
writeFileSync(join(DIST, 'THIRD-PARTY-LICENSES.txt'), licencesOf([functions.metafile, construct, commandLine]));

/** Declarations, marked as CommonJS like the construct: a CommonJS app could not import the types of an ES module. */
function writeTypes(): void {
  const types = join(DIST, 'types');
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  execFileSync(tsc, ['--project', join(ROOT, 'infra', 'tsconfig.types.json')], { stdio: 'inherit' });
  writeFileSync(join(types, 'package.json'), `${JSON.stringify({ type: 'commonjs' })}\n`);
}

/** The licence texts of all packages in the bundles. */
function licencesOf(metafiles: readonly Metafile[]): string {
  const folders = new Set(
    metafiles.flatMap(({ inputs }) =>
      Object.keys(inputs).flatMap((path) => {
        // Where node_modules is a link, the path is that of its target.
        const file = path.slice(Math.max(0, path.indexOf('node_modules/')));
        return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [];
      }),
    ),
  );
  return [...folders].sort().map(licenceOf).join('\n');
}

function licenceOf(folder: string): string {
  const path = join(ROOT, folder);
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  if (license === undefined) throw new Error(`${name} declares no licence, but the bundles contain a part of it`);
  const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined ? '' : `\n${readFileSync(join(path, file), 'utf8').trim()}\n`;
  return `${'='.repeat(80)}\n${name} ${version} (${license})\n${text}`;
}
